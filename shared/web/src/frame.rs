//! Around every request: its id, the catch for panics, the error's last form, headers, one log line.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use millwright_core::{Error, ErrorCode, RequestId};
use tracing::Instrument;

use crate::{App, error, error::ApiError};

/// The request's id, on every answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("millwright-request-id");

/// What every answer says to browsers unless it says otherwise itself: keep nothing, run nothing,
/// show it in no frame (OWASP REST Security Cheat Sheet, "Security Headers").
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// The outermost layer.
pub(crate) async fn frame(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = app.clock().wall();
    let id = RequestId::new_at(began.millis());
    request.extensions_mut().insert(id.clone());
    let line = Line::of(&request);
    let span = tracing::error_span!("request", request_id = %id, workspace = tracing::field::Empty);
    async {
        let mut response = error::render(caught(next.run(request)).await, &id);
        finish(response.headers_mut(), &id, app.settings.public_url.is_https());
        line.log(&response, app.clock().wall().since(began).as_millis());
        response
    }
    .instrument(span)
    .await
}

/// What is logged of a request: the path's pattern, never what stands in it.
struct Line {
    method: Method,
    route: String,
}

impl Line {
    fn of(request: &Request) -> Self {
        let matched = request.extensions().get::<MatchedPath>();
        let route = matched.map_or("(none)", MatchedPath::as_str).to_owned();
        Self { method: request.method().clone(), route }
    }

    fn log(&self, response: &Response, duration_ms: u128) {
        let status = response.status().as_u16();
        let Self { method, route } = self;
        tracing::info!(%method, route, status, duration_ms = duration_ms as u64, "request answered");
    }
}

fn finish(headers: &mut HeaderMap, id: &RequestId, https: bool) {
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if https {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(year);
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.entry(REQUEST_ID).or_insert(value);
    }
}

/// The answer, or the one for a panic.
pub(crate) async fn caught(answer: impl Future<Output = Response>) -> Response {
    let answered = AssertUnwindSafe(answer).catch_unwind().await;
    answered.unwrap_or_else(|panic| panicked(panic.as_ref()))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let text = format!("panic: {}", text.unwrap_or_default());
    ApiError::from(Error::internal(text)).into_response()
}

/// The answer on a path that does not exist.
pub(crate) async fn not_found() -> ApiError {
    Error::new(ErrorCode::NotFound, "there is no such path").into()
}

/// The answer on a path that exists, to a method that it does not take. The router adds `Allow`.
pub(crate) async fn method_not_allowed() -> ApiError {
    Error::new(ErrorCode::OperationNotSupported, "this path does not take this method").into()
}
