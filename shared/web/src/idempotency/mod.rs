//! Idempotency keys: a request that is sent again is answered again, and not done again.
//!
//! `Idempotency-Key` on a POST, PATCH or DELETE claims a row of the workspace before the handler runs.
//! The row then holds the answer for 24 hours, sealed in the vault, because an answer may hold a
//! secret (a new API key). Kept are successes, and failures that came after something was sent to a
//! connected system and that another try would not change. Not kept are 429, whatever else is
//! `retryable`, and every failure before anything was sent: there the same key may be used again, even
//! with a corrected body. A claim whose process died is free after 60 s, one that ended in a fault of
//! ours at once. A write to a record then asks the system what became of the first one ([`SameAs`] names
//! it), and connecting finds the connection that the first one made; a native call may have arrived and
//! cannot be asked for, so its key is answered `WRITE_OUTCOME_UNKNOWN` from then on.
//! Whoever has the role that the operation needs is told the answer, whichever key asked first.

mod claim;
mod key;
mod layer;
mod record;

pub(crate) use key::{IDEMPOTENT_REPLAYED, KeyHash, SameAs};
pub(crate) use layer::idempotency;
