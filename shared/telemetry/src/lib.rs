//! What the operator sees: logs, and the alarms that the deployment listens for.
//!
//! Never logged: secrets, keys, tokens, bodies, and URLs with their queries.

mod alarm;
mod logs;

pub use alarm::alarm;
pub use logs::{init, init_with};
