//! Care for receivers: endpoints that hang or fail, what was held and what failed, and jobs about it.

mod fairness;
pub mod receivers;
mod recovering;
