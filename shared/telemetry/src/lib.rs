//! What the operator sees: logs, metrics, and the alarms that the deployment listens for.
//!
//! Never logged: secrets, keys, tokens, bodies, and URLs with their queries.

mod alarm;
mod logs;
mod measure;

pub use alarm::alarm;
pub use logs::{init, init_with};
pub use measure::{Measured, Unit, measure};
