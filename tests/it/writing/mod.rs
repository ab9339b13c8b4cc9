//! Writes through the API to a system that loses answers, is slow, refuses, or passes fields over; and
//! processes that die in the midst of a write. What is on the system in the end is counted there.

mod crashes;
pub mod gate;
mod lost;
mod meanwhile;
mod plant;
mod refusals;
mod scene;
mod slow;
mod together;
