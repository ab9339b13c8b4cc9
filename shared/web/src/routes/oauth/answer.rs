//! Answers in the form of RFC 6749, 5.1 and 5.2.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use millwright_access::{
    Scope,
    oauth::{ConnectionTokens, OauthCode, OauthError, WorkspaceToken},
};
use millwright_core::{ConnectionId, ExposeSecret};
use serde::Serialize;
use utoipa::ToSchema;

/// Tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    /// The access token: send it as `Authorization: Bearer`.
    #[schema(example = "mw_ct_...")]
    access_token: String,
    /// `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// For how many seconds it is good.
    #[schema(example = 86_400)]
    expires_in: u64,
    /// What to get the next one with: good for one use, within 90 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "mw_rt_...")]
    refresh_token: Option<String>,
    /// What it may do beside the role, with spaces between.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    scope: Option<String>,
    /// The connection whose data it opens; for a workspace token, none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "conn_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    connection_id: Option<ConnectionId>,
}

impl TokenAnswer {
    /// Tokens of a connection.
    pub(crate) fn of_connection(tokens: &ConnectionTokens) -> Self {
        Self {
            access_token: tokens.access.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: tokens.expires_in.as_secs(),
            refresh_token: tokens.refresh.as_ref().map(|text| text.expose_secret().to_owned()),
            scope: scope(&tokens.scopes),
            connection_id: Some(tokens.connection.clone()),
        }
    }

    /// A workspace token.
    pub(super) fn of_workspace(token: &WorkspaceToken) -> Self {
        Self {
            access_token: token.access.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: token.expires_in.as_secs(),
            refresh_token: None,
            scope: scope(&token.scopes),
            connection_id: None,
        }
    }
}

fn scope(scopes: &[Scope]) -> Option<String> {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// What is wrong, in the form of RFC 6749, 5.2.
#[derive(Serialize, ToSchema)]
pub(crate) struct OauthErrorAnswer {
    /// A code to branch on.
    #[schema(example = "invalid_grant")]
    error: &'static str,
    /// The same in words.
    error_description: &'static str,
}

/// The answer to a request that is refused.
pub(super) fn refusal(error: &OauthError) -> Response {
    if let OauthError::Internal(error) = error {
        tracing::error!(%error, "request failed");
    }
    let status = match error.code() {
        OauthCode::InvalidClient => StatusCode::UNAUTHORIZED,
        OauthCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let body =
        OauthErrorAnswer { error: error.code().as_str(), error_description: error.description() };
    let mut response = (status, [(header::PRAGMA, "no-cache")], Json(body)).into_response();
    if status == StatusCode::UNAUTHORIZED {
        // RFC 6749, 5.2, and RFC 9110, 11.6.1.
        let scheme = HeaderValue::from_static("Basic realm=\"oauth\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;

    async fn refused(error: OauthError) -> (u16, bool, Value) {
        let (parts, body) = refusal(&error).into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let challenged = parts.headers.contains_key(header::WWW_AUTHENTICATE);
        (parts.status.as_u16(), challenged, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn refusals_have_the_form_of_the_standard() {
        let (status, challenged, body) = refused(OauthError::invalid_grant()).await;
        assert_eq!(
            (status, challenged, body["error"].as_str()),
            (400, false, Some("invalid_grant"))
        );
        let client = OauthError::Refused(OauthCode::InvalidClient, "who?");
        let (status, challenged, body) = refused(client).await;
        assert_eq!(
            (status, challenged, body["error"].as_str()),
            (401, true, Some("invalid_client"))
        );
    }

    #[tokio::test]
    async fn our_own_faults_are_told_without_their_cause() {
        let error = millwright_core::Error::internal("password=hunter2");
        let (status, _, body) = refused(error.into()).await;
        assert_eq!((status, body["error"].as_str()), (500, Some("server_error")));
        assert!(!body.to_string().contains("hunter2"));
    }
}
