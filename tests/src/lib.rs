//! What the tests of the whole share: the fault layer, and the real parts that Millwright is tried on.
//!
//! Nothing here pretends: the ERP is Tryton, the receiver is written in Python and judged by the
//! published library, Millwright is its own binary, killed with the signal that cannot be caught.

pub mod api;
pub mod authorization_server;
pub mod cloud;
pub mod faults;
pub mod inbox;
pub mod lambda;
pub mod millwright;
pub mod parts;
pub mod planted;
pub mod process;
pub mod pump;
pub mod receiver;
pub mod template;
pub mod trouble;
pub mod tryton;
pub mod wait;
