//! Making requests known to be the customer's.

mod cookies;
mod csrf;
mod proof;
mod session;
mod sign;

pub(super) use cookies::Jar;
pub(super) use proof::Proof;
pub(crate) use session::Session;
pub(super) use sign::{encoded, key_bytes, mac};
