//! Care for receivers: endpoints that hang or fail, what was held and what failed, and jobs about it.

mod circuits;
mod ending;
mod fairness;
mod fanned_again;
mod figures;
mod ground;
mod guarded;
mod lasting;
mod meanwhile;
pub mod receivers;
mod recovering;
mod slots;
mod untold;
pub mod world;
