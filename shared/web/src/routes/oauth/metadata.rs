//! `/.well-known/oauth-authorization-server` (RFC 8414).

use axum::{Json, extract::State};
use millwright_access::Scope;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;

/// What OAuth clients need to know of this server (RFC 8414, 2).
#[derive(Serialize, ToSchema)]
pub(crate) struct OauthMetadata {
    /// Who the server is.
    #[schema(format = "uri")]
    issuer: String,
    /// Where users are sent to connect a system.
    #[schema(format = "uri")]
    authorization_endpoint: String,
    /// Where tokens come from.
    #[schema(format = "uri")]
    token_endpoint: String,
    /// Where tokens are revoked.
    #[schema(format = "uri")]
    revocation_endpoint: String,
    /// The response types.
    response_types_supported: [&'static str; 1],
    /// How the answer to an authorization request comes.
    response_modes_supported: [&'static str; 1],
    /// The grant types.
    grant_types_supported: [&'static str; 3],
    /// How clients prove themselves where tokens come from.
    token_endpoint_auth_methods_supported: [&'static str; 3],
    /// How clients prove themselves where tokens are revoked.
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    /// The methods of PKCE.
    code_challenge_methods_supported: [&'static str; 1],
    /// The scopes.
    scopes_supported: Vec<&'static str>,
    /// Whether the answer to an authorization request says who answers (RFC 9207).
    authorization_response_iss_parameter_supported: bool,
    /// Where people read about it.
    #[schema(format = "uri")]
    service_documentation: String,
}

/// How clients prove themselves.
const AUTH_METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];

/// Get the OAuth server's metadata
///
/// RFC 8414: OAuth clients find everything they need by it.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    operation_id = "get_oauth_metadata",
    tag = "OAuth",
    security(()),
    responses((status = 200, description = "The metadata.", body = OauthMetadata))
)]
pub(crate) async fn get_metadata(State(app): State<App>) -> Json<OauthMetadata> {
    let url = &app.settings.public_url;
    Json(OauthMetadata {
        issuer: url.as_str().to_owned(),
        authorization_endpoint: url.at("/link/authorize"),
        token_endpoint: url.at("/oauth/token"),
        revocation_endpoint: url.at("/oauth/revoke"),
        response_types_supported: ["code"],
        response_modes_supported: ["query"],
        grant_types_supported: ["authorization_code", "refresh_token", "client_credentials"],
        token_endpoint_auth_methods_supported: AUTH_METHODS,
        revocation_endpoint_auth_methods_supported: AUTH_METHODS,
        code_challenge_methods_supported: ["S256"],
        scopes_supported: Scope::ALL.map(Scope::as_str).to_vec(),
        authorization_response_iss_parameter_supported: true,
        service_documentation: url.at("/docs"),
    })
}
