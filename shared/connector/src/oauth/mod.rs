//! OAuth 2.0, as its client: authorizing, and getting and renewing tokens, as a manifest says.
//!
//! The crate `oauth2` puts the requests together; they leave through the same client as all others, so
//! that address guard, caps and time limits hold. Who keeps tokens, and renews them one at a time, is
//! somebody else's work: here is only what is said to the authorization server and what it answers.

mod assertion;
mod authority;
mod grant;
mod judge;
mod registration;
mod tokens;

pub use authority::{Authority, Authorization, Grant};
pub use registration::{Registration, Registrations};
pub(crate) use tokens::Fixed;
pub use tokens::{TokenFuture, TokenSource, Tokens, is_token_name};
