//! The life of connections: what a workspace does with them, what they cost, and how nothing is left of
//! them.

mod credits;
mod cycle;
mod erase;
pub mod ground;
mod reconnect;
mod repeated;
