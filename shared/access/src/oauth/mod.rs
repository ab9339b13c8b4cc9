//! The OAuth 2.0 server (RFC 6749): authorization codes with PKCE (RFC 7636), refreshing with rotation
//! and detection of reuse, client credentials, revocation (RFC 7009).
//!
//! All that comes of one authorization is one row, a [`Grant`]: the code, the access tokens that live,
//! the refresh tokens and what became of them. So every decision is taken upon one row and written on
//! condition that nobody else has: of two requests with one code, or one refresh token, one is first.
//! Nothing is kept but hashes.

mod authorize;
mod client;
mod error;
mod form;
mod grant;
mod issue;
mod pkce;
mod refresh;
mod revoke;
mod workspace_token;

pub use authorize::{
    AuthorizationError, AuthorizationRequest, AuthorizedApplication, Refusal, check_authorization,
    issue_code,
};
pub use client::{ClientProof, authenticate_client};
pub use error::{OauthCode, OauthError};
pub use form::Form;
pub(crate) use grant::caller_of_token as caller_of_connection_token;
pub use grant::{Grant, GrantId};
pub use issue::{
    ConnectionTokens, NewConnectionToken, exchange_code, find_code, issue_connection_token,
};
pub use pkce::s256;
pub use refresh::{find_refresh, refresh};
pub use revoke::revoke_token;
pub(crate) use workspace_token::caller_of_token as caller_of_workspace_token;
pub use workspace_token::{WorkspaceToken, issue_workspace_token};

use std::time::Duration;

/// How long a code is good for (RFC 6749, 4.1.2, allows ten minutes; a browser needs a second).
pub const CODE_LIFE: Duration = Duration::from_secs(60);
/// How long a connection token is good for.
pub const CONNECTION_TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long a refresh token is good for, counted from its last use.
pub const REFRESH_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long a workspace token is good for.
pub const WORKSPACE_TOKEN_LIFE: Duration = Duration::from_secs(3600);
