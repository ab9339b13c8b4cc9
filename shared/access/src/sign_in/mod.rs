//! Signing in people, for the dashboard: `OpenID` Connect, authorization code flow with PKCE.
//!
//! What is decided here is pure: which claims are taken, who may come in as what, how long a session
//! lasts. The requests to the provider are made by whoever has the HTTP client.

mod claims;
mod policy;
mod session;

pub use claims::{Expected, Identity, check_claims, claims_of};
pub use policy::SignInPolicy;
pub use session::{SESSION_LIFE, Session, begin_session, end_session, find_session};
