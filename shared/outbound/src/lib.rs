//! The one HTTP client: every request that leaves Millwright goes through [`Outbound`].
//!
//! Customers choose where it sends to, so it must not become a way into the network it runs in.
//! Three things hold that: an address in the URL itself is vetted before anything is sent; a name
//! is resolved by a resolver of our own that vets every answer, and *that* resolver is the one the
//! connection is made with, so what was vetted is what is dialled and a second look-up cannot
//! differ; redirects and proxies, which would change the target, are off. If any one answer of a
//! name is forbidden, the whole name is: a mixed answer is an attempt, not an accident.
//!
//! A request has a total time that covers everything up to the last byte of the answer's body, and
//! the body is counted after decompression while it streams, so neither a slow nor an endless nor a
//! swelling answer holds more than was granted.

mod address;
mod client;
mod config;
mod error;
mod request;
mod resolve;

pub use client::Outbound;
pub use config::OutboundConfig;
pub use error::{FailureClass, OutboundError};
pub use ipnet::IpNet;
pub use request::{OverCap, Request, Response};
pub use resolve::Lookup;
pub use url::Url;
