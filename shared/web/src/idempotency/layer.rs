//! The layer around the handlers.

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, request::Parts};
use http_body_util::BodyExt;
use millwright_access::Need;
use millwright_core::{ConnectionId, Error, ErrorCode, RequestId};
use millwright_store::Row;

use super::{
    claim::{Claim, Slot},
    key::{IDEMPOTENT_REPLAYED, SameAs, fingerprint, hash_for, hash_of_key},
    record::{Head, Record, Twice, is_kept},
};
use crate::{
    App, error,
    error::ApiError,
    extract::{CONNECTION_ID, Needed, caller_of, read_body},
    frame::{REQUEST_ID, caught},
};

/// Where messages are sent.
const MESSAGES: &str = "/v1/webhook-messages";

/// Answers a request again that came before with the same key; runs it otherwise.
pub(crate) async fn idempotency(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let hash = if is_covered(&parts) { hash_of_key(&parts.headers)? } else { None };
    let Some(hash) = hash else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let caller = caller_of(&mut parts, &app).await?;
    let hash = hash_for(&caller, hash);
    let body = read_body(body, app.settings.body_limit).await?;
    let fingerprint = fingerprint(&parts, &body);
    let twice = twice(parts.uri.path());
    let held = caller.token_holder().map(|holder| holder.connection.clone());
    let connection = held.or_else(|| about(&parts));
    let slot = Slot {
        app: &app,
        caller: &caller,
        hash: &hash,
        fingerprint: &fingerprint,
        twice,
        connection,
    };
    match slot.claim().await? {
        Claim::Replay(head, body) => Ok(replayed(&head, body)),
        Claim::Run(row) => {
            let id = request_id(&parts);
            let needed = Needed::default();
            parts.extensions.insert(needed.clone());
            parts.extensions.insert(SameAs::of(&hash, &fingerprint, row.doc.begun()));
            let answer = caught(next.run(Request::from_parts(parts, Body::from(body)))).await;
            settle(&slot, row, needed.get(), answer, &id).await
        }
    }
}

/// Requests of callers that do something. A webhook of a system may have the header for reasons of its
/// own; sending a message keeps its keys itself, in the one row that fixes the message.
fn is_covered(parts: &Parts) -> bool {
    let does = matches!(parts.method, Method::POST | Method::PATCH | Method::DELETE);
    let message = parts.method == Method::POST && parts.uri.path() == MESSAGES;
    does && parts.uri.path().starts_with("/v1/") && !message
}

/// What running a request to this path twice would do. A write to a record looks for the first one
/// before it sends anything; a native call cannot.
fn twice(path: &str) -> Twice {
    if path == "/v1/passthrough" { Twice::Unknown } else { Twice::Harmless }
}

/// The connection that a request is about, by its path or its header. The answer to the request that
/// erases one outlives it.
fn about(parts: &Parts) -> Option<ConnectionId> {
    if parts.method == Method::DELETE && parts.uri.path().starts_with("/v1/connections/") {
        return None;
    }
    let header = parts.headers.get(CONNECTION_ID).and_then(|value| value.to_str().ok());
    let path = parts.uri.path().strip_prefix("/v1/connections/");
    let path = path.and_then(|path| path.split('/').next());
    path.or(header)?.parse().ok()
}

fn request_id(parts: &Parts) -> RequestId {
    // The frame gives every request its id; only a router without it would not.
    parts.extensions.get::<RequestId>().cloned().unwrap_or_else(|| RequestId::new_at(0))
}

/// Keeps an answer that must be given again, or gives the claim back. The answer stands either way:
/// what was done is done, so a failure here is only logged.
async fn settle(
    slot: &Slot<'_>,
    row: Row<Record>,
    needed: Option<Need>,
    answer: Response,
    id: &RequestId,
) -> Result<Response, ApiError> {
    let error = answer.extensions().get::<ApiError>().cloned();
    let error = error.as_ref().map(|error| error.0.as_ref());
    let kept = is_kept(answer.status(), error);
    if !kept {
        let lost = error.is_some_and(|error| error.code == ErrorCode::InternalError);
        let given = if lost { slot.abandon(row).await } else { slot.give_back(&row).await };
        if let Err(error) = given {
            tracing::error!(%error, "idempotency claim not given back");
        }
        return Ok(answer);
    }
    let (mut parts, body) = error::render(answer, id).into_parts();
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        parts.headers.insert(REQUEST_ID, value);
    }
    let body = body.collect().await.map_err(Error::internal)?.to_bytes();
    if let Err(error) = slot.keep(row, needed, head(&parts), &body).await {
        tracing::error!(%error, "answer not kept for its idempotency key");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn head(parts: &http::response::Parts) -> Head {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    Head {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().filter_map(text).collect(),
        in_blob: false,
    }
}

/// The whole answer again, with the first one's request id: that is the request that did something.
fn replayed(head: &Head, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &head.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_given_again_is_the_same_and_says_so() {
        let answer = Response::builder()
            .status(201)
            .header("content-type", "application/json")
            .header(REQUEST_ID, "req_1")
            .body(())
            .unwrap();
        let again = replayed(&head(&answer.into_parts().0), Bytes::from_static(b"{}"));
        assert_eq!(again.status(), 201);
        assert_eq!(again.headers()["content-type"], "application/json");
        assert_eq!(again.headers()[REQUEST_ID], "req_1");
        assert_eq!(again.headers()[IDEMPOTENT_REPLAYED], "true");
    }

    #[test]
    fn a_native_call_must_not_be_made_twice_and_all_else_may() {
        assert_eq!(twice("/v1/passthrough"), Twice::Unknown);
        for path in ["/v1/sync", "/v1/purchase-orders", "/v1/purchase-orders/rec_1"] {
            assert_eq!(twice(path), Twice::Harmless, "{path}");
        }
    }

    #[test]
    fn a_request_is_about_the_connection_of_its_header_or_its_path() {
        let id = ConnectionId::new_at(1);
        let of = |method: Method, path: &str, header: Option<&str>| {
            let mut request = Request::builder().method(method).uri(path);
            if let Some(header) = header {
                request = request.header(CONNECTION_ID, header);
            }
            about(&request.body(Body::empty()).unwrap().into_parts().0)
        };
        let path = format!("/v1/connections/{id}");
        assert_eq!(of(Method::POST, "/v1/vendors", Some(id.as_str())), Some(id.clone()));
        assert_eq!(of(Method::POST, &format!("{path}/pause"), None), Some(id.clone()));
        let other = ConnectionId::new_at(2);
        let sent_always = Some(other.as_str());
        assert_eq!(of(Method::POST, &format!("{path}/pause"), sent_always), Some(id.clone()));
        assert_eq!(of(Method::PATCH, &path, None), Some(id));
        assert_eq!(of(Method::DELETE, &path, None), None, "its answer outlives the connection");
        assert_eq!(of(Method::POST, "/v1/webhook-messages", None), None);
    }

    #[test]
    fn reading_needs_no_key() {
        let covered = |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path).body(Body::empty());
            is_covered(&request.unwrap().into_parts().0)
        };
        assert!(covered(Method::POST, "/v1/x") && covered(Method::DELETE, "/v1/x"));
        assert!(!covered(Method::GET, "/v1/x") && !covered(Method::PUT, "/v1/x"));
        assert!(!covered(Method::POST, "/hooks/x"), "its sender has no key");
        assert!(!covered(Method::POST, MESSAGES), "it keeps its keys itself");
        assert!(covered(Method::POST, "/v1/webhook-messages/msg_1/abort"));
    }
}
