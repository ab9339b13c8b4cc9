//! The fault layer: what AWS does and emulators do not, between the real SDK clients and the table and
//! queue on this machine.
//!
//! Each layer is an HTTP proxy on loopback. It throttles, cancels transactions, leaves parts of batches
//! undone, shows indexes late, doubles and holds back messages, and loses answers to what was done: all
//! within what AWS documents, at rates that a test sets, from one seed. What it did can be counted, so
//! that a test can tell that it met what it means to survive.

mod batch;
mod bill;
mod chance;
mod index;
mod proxy;
mod queue;
mod table;
#[cfg(test)]
mod tests;

pub use bill::{Bill, Used};
pub use chance::{Counts, Fault};
pub use proxy::Proxy;
pub use queue::QueueFaults;
pub use table::TableFaults;
