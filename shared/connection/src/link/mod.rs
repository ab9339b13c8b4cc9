//! Connect links: one customer's address for connecting a system, made by the workspace beforehand.
//!
//! A link fixes what its user cannot: the connection's name, customer and metadata, and which kinds of
//! systems may be connected. It comes with a pending connection. Its state is not stored twice: whether
//! it is spent follows from that connection, so it is spent when connecting succeeds, not when it is
//! opened. Its token is shown once and found by its hash.

mod create;
mod find;
mod revoke;
mod row;
mod state;

pub use create::{LINK_LIFE_DEFAULT, LINK_LIFE_MAX, LINK_LIFE_MIN, NewLink, create_link};
pub use find::{FoundLink, find_link, find_link_by_token, list_links};
pub use revoke::revoke_link;
pub use row::ConnectLink;
pub use state::LinkState;
