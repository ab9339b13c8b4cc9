//! OAuth tokens of connections: got on the system's own page, kept sealed with the credentials, renewed
//! by one at a time.
//!
//! The tokens lie among the credentials, under names that no form has, so whatever moves credentials
//! moves them too. The row of the sealed credentials also has the [`keeping::Keeping`]: who renews them
//! just now, and what became of the last tries. A system asks its [`keeper::Keeper`] for a token; the
//! one that finds it time takes the row's lease, renews, stores, and only then hands out; all others
//! wait and read what it stored.

mod flow;
mod keeper;
pub(crate) mod keeping;
mod refresh;

pub(crate) use flow::ready;
pub use flow::{Authorized, Started, authorize, exchange};
pub(crate) use keeper::Keeper;
pub use refresh::refresh_if_due;
