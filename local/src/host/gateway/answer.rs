//! A function's answer (payload format version 2.0) as a response.

use aws_lambda_events::{apigw::ApiGatewayV2httpResponse, encodings};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::full;

/// The response, or nothing when the payload is not an answer: the gateway then says 500.
pub(super) fn response(payload: &[u8]) -> Option<Response> {
    let answer: ApiGatewayV2httpResponse = serde_json::from_slice(payload).ok()?;
    let status = u16::try_from(answer.status_code).ok()?;
    let body = match answer.body {
        Some(encodings::Body::Text(text)) if answer.is_base64_encoded => {
            full(BASE64_STANDARD.decode(text).ok()?)
        }
        Some(encodings::Body::Text(text)) => full(text),
        Some(encodings::Body::Binary(bytes)) => full(bytes),
        _ => full(""),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    *response.headers_mut() = answer.headers;
    response.headers_mut().extend(answer.multi_value_headers);
    for cookie in answer.cookies {
        let cookie = HeaderValue::from_str(&cookie).ok()?;
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    // The server says how long the body is.
    response.headers_mut().remove(header::CONTENT_LENGTH);
    Some(response)
}
