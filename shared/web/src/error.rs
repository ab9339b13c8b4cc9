//! The error contract: one JSON shape for every answer that is not what was asked for.
//!
//! A handler's error travels in the response's extensions; [`render`] turns it into the body once the
//! request id is at hand, logs it if it is our fault, and is the only place that does either.

use std::{sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use millwright_core::{Error, ErrorCode, ErrorType, FieldError, RequestId, Upstream};
use serde::Serialize;
use utoipa::ToSchema;

/// `Result` of a handler.
pub(crate) type Answer<T> = Result<T, ApiError>;

/// A capability's error on its way to an answer.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(pub(crate) Arc<Error>);

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(Arc::new(error.into()))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = status(self.0.code).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Every answer with a status of 400 or more.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorAnswer<'a> {
    /// What went wrong.
    #[schema(inline = false)]
    error: ErrorDetail<'a>,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorDetail<'a> {
    /// A stable code to branch on.
    #[schema(value_type = String, example = "FIELD_REQUIRED")]
    code: ErrorCode,
    /// Whose fault it is: `authentication`, `permission`, `request`, `conflict`, `rate_limit`,
    /// `connection`, `upstream` or `internal`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "request")]
    error_type: ErrorType,
    /// A sentence for a person.
    message: &'a str,
    /// The request, also in the header `Millwright-Request-Id`: name it when you ask for help.
    #[schema(value_type = String, example = "req_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    request_id: &'a RequestId,
    /// The faulty fields, where the fault is in fields.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Option<Vec<FaultyField>>, nullable = false)]
    fields: &'a [FieldError],
    /// What the connected system said, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<UpstreamAnswer>, nullable = false)]
    upstream: Option<&'a Upstream>,
    /// Where the user can log in again, where that is what is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reconnect_url: Option<&'a str>,
    /// Whether the same request may succeed later without being changed.
    retryable: bool,
}

/// One faulty field.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of a type that another crate owns")]
pub(crate) struct FaultyField {
    /// Where it is.
    #[schema(example = "lineItems[0].quantity")]
    path: String,
    /// What is wrong with it.
    #[schema(example = "FIELD_REQUIRED")]
    code: String,
    /// The same in words.
    message: String,
}

/// What the connected system said.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the schema of a type that another crate owns")]
pub(crate) struct UpstreamAnswer {
    /// Its HTTP status.
    #[schema(nullable = false)]
    status: Option<u16>,
    /// Its own code.
    #[schema(nullable = false)]
    code: Option<String>,
    /// Its message.
    #[schema(nullable = false)]
    message: Option<String>,
}

/// Writes the error that a response carries, if any, as its body and headers.
pub(crate) fn render(mut response: Response, request_id: &RequestId) -> Response {
    let Some(ApiError(error)) = response.extensions_mut().remove::<ApiError>() else {
        return response;
    };
    log(&error);
    let (mut parts, _) = response.into_parts();
    parts.status = status(error.code);
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set_text(&mut parts.headers, header::ALLOW, error.allow.as_deref());
    if let Some(wait) = retry_after(&error) {
        parts.headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
    }
    if error.code == ErrorCode::AuthenticationFailed {
        // RFC 9110, 11.6.1: a 401 names the scheme.
        parts.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    Response::from_parts(parts, body(&error, request_id).into())
}

fn set_text(headers: &mut http::HeaderMap, name: header::HeaderName, text: Option<&str>) {
    if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(name, value);
    }
}

fn body(error: &Error, request_id: &RequestId) -> String {
    let detail = ErrorDetail {
        code: error.code,
        error_type: error.code.error_type(),
        message: &error.message,
        request_id,
        fields: &error.fields,
        upstream: error.upstream.as_ref().filter(|said| **said != Upstream::default()),
        reconnect_url: error.reconnect_url.as_deref(),
        retryable: error.retryable(),
    };
    // Text and numbers alone: there is nothing in it that JSON cannot hold.
    serde_json::to_string(&ErrorAnswer { error: detail }).unwrap_or_default()
}

/// Whole seconds to wait, at least one. Where nobody knows better, what usually helps.
fn retry_after(error: &Error) -> Option<u64> {
    let usual = match error.code {
        ErrorCode::IdempotencyInProgress | ErrorCode::RateLimitExceeded => Some(1),
        ErrorCode::UpstreamRateLimited | ErrorCode::ConnectionUnavailable => Some(30),
        _ => None,
    };
    error.retry_after.or(usual.map(Duration::from_secs)).map(whole_seconds)
}

fn whole_seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}

/// The refusal of query parameters.
pub(crate) fn refused(faults: Vec<FieldError>) -> Error {
    let said = faults.first().map(|first| format!("{} {}", first.path, first.message));
    let message = format!("the query parameter {}", said.unwrap_or_default());
    let mut error = Error::new(ErrorCode::InvalidRequest, message);
    error.fields = faults;
    error
}

/// The refusal of one query parameter.
pub(crate) fn refused_one(name: &str, message: &str) -> Error {
    refused(vec![FieldError::new(name, ErrorCode::InvalidRequest, message)])
}

/// Our faults with their whole cause; the rest is the caller's business and stands in the access log.
fn log(error: &Error) {
    if error.code == ErrorCode::InternalError {
        tracing::error!(%error, "request failed");
    }
}

fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;

    async fn rendered(error: Error) -> (http::response::Parts, Value) {
        let id = RequestId::new_at(1);
        let response = render(ApiError::from(error).into_response(), &id);
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["error"]["request_id"], id.as_str());
        (parts, value["error"].clone())
    }

    #[tokio::test]
    async fn an_error_is_told_in_the_contracts_shape() {
        let (parts, error) = rendered(Error::not_found("connection")).await;
        assert_eq!(parts.status, 404);
        assert_eq!(parts.headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(
            (error["code"].as_str(), error["type"].as_str()),
            (Some("NOT_FOUND"), Some("request"))
        );
        assert_eq!(error["retryable"], false);
        assert!(error.get("fields").is_none() && error.get("upstream").is_none(), "{error}");
    }

    #[tokio::test]
    async fn an_internal_error_tells_nothing_of_its_cause() {
        let (parts, error) = rendered(Error::internal("password=hunter2")).await;
        assert_eq!(parts.status, 500);
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(error["retryable"], true);
    }

    #[tokio::test]
    async fn a_wait_is_rounded_up_and_a_limit_always_names_one() {
        let mut limited = Error::new(ErrorCode::RateLimitExceeded, "slow down");
        limited.retry_after = Some(Duration::from_millis(2_100));
        let (parts, _) = rendered(limited).await;
        assert_eq!(parts.headers[header::RETRY_AFTER], "3");
        for code in [ErrorCode::UpstreamRateLimited, ErrorCode::ConnectionUnavailable] {
            let (parts, _) = rendered(Error::new(code, "later")).await;
            assert_eq!(parts.headers[header::RETRY_AFTER], "30");
        }
    }
}
