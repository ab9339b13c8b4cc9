//! The endpoint: AWS's JSON 1.0 protocol, one POST per operation, named by `x-amz-target`.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::{
    fault::{Fault, Kind},
    operations,
    worker::Worker,
};

/// A batch of 1 MiB whose every character is escaped.
const BODY_MAX: usize = 8 * 1024 * 1024;
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
const TARGET: &str = "x-amz-target";

/// The endpoint's only route.
pub(crate) fn router(worker: Worker) -> Router {
    Router::new().fallback(answer).layer(DefaultBodyLimit::max(BODY_MAX)).with_state(worker)
}

async fn answer(State(worker): State<Worker>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get(TARGET).and_then(|target| target.to_str().ok()).unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let result = match target.strip_prefix("AmazonSQS.") {
        Some(action) => operations::run(&worker, host, action, &body).await,
        None => Err(unknown_action(target)),
    };
    match result {
        Ok(answer) => respond(StatusCode::OK, &answer),
        Err(fault) => refuse(&fault),
    }
}

/// The refusal of an operation that this endpoint does not have.
pub(crate) fn unknown_action(action: &str) -> Fault {
    let message = format!("The action {action} is not valid for this endpoint.");
    Fault::new(Kind::InvalidAction, message)
}

fn respond(status: StatusCode, body: &Value) -> Response {
    let request_id = format!("{:032x}", rand::random::<u128>());
    let headers = [
        (header::CONTENT_TYPE, CONTENT_TYPE.to_owned()),
        (header::HeaderName::from_static("x-amzn-requestid"), request_id),
    ];
    (status, headers, body.to_string()).into_response()
}

fn refuse(fault: &Fault) -> Response {
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = respond(status, &fault.body());
    if let Ok(value) = HeaderValue::from_str(&fault.query_error()) {
        response.headers_mut().insert("x-amzn-query-error", value);
    }
    response
}
