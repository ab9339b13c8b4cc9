//! The endpoint: AWS's JSON 1.0 protocol, one POST per operation, named by `x-amz-target`.

use super::{
    fault::{Fault, Kind},
    operations,
    worker::Worker,
};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// A batch of 1 MiB whose every character is escaped.
const BODY_MAX: usize = 8 * 1024 * 1024;
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
pub(crate) const TARGET: &str = "x-amz-target";
/// Where the older protocol's code stands, which the SDKs read.
pub(crate) const QUERY_ERROR: &str = "x-amzn-query-error";
/// What a request's target begins with (SQS API reference, "Making requests with AWS JSON").
pub(crate) const SERVICE: &str = "AmazonSQS.";

/// The endpoint's only route.
pub(crate) fn router(worker: Worker) -> Router {
    Router::new().fallback(answer).layer(DefaultBodyLimit::max(BODY_MAX)).with_state(worker)
}

/// What a request is answered with.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    /// The header `x-amzn-query-error` of a refusal.
    pub(crate) query_error: Option<String>,
}

async fn answer(State(worker): State<Worker>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |value: Option<&HeaderValue>| {
        value.and_then(|value| value.to_str().ok().map(str::to_owned))
    };
    let target = text(headers.get(TARGET)).unwrap_or_default();
    let host = text(headers.get(header::HOST)).unwrap_or_default();
    call(&worker, &host, &target, &body).await.into_response()
}

/// Does the operation called `target`, as a request names it. Queue URLs are given out under `host`.
pub(crate) async fn call(worker: &Worker, host: &str, target: &str, body: &[u8]) -> Answer {
    let result = match target.strip_prefix(SERVICE) {
        Some(action) => operations::run(worker, host, action, body).await,
        None => Err(unknown_action(target)),
    };
    match result {
        Ok(body) => Answer { status: StatusCode::OK, body: body.to_string(), query_error: None },
        Err(fault) => Answer {
            status: StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST),
            body: fault.body().to_string(),
            query_error: Some(fault.query_error()),
        },
    }
}

/// The refusal of an operation that this endpoint does not have.
pub(crate) fn unknown_action(action: &str) -> Fault {
    let message = format!("The action {action} is not valid for this endpoint.");
    Fault::new(Kind::InvalidAction, message)
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let request_id = format!("{:032x}", rand::random::<u128>());
        let headers = [
            (header::CONTENT_TYPE, CONTENT_TYPE.to_owned()),
            (header::HeaderName::from_static("x-amzn-requestid"), request_id),
        ];
        let mut response = (self.status, headers, self.body).into_response();
        if let Some(value) = self.query_error.and_then(|error| HeaderValue::try_from(error).ok()) {
            response.headers_mut().insert(QUERY_ERROR, value);
        }
        response
    }
}
