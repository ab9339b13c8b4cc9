//! API Gateway (HTTP API) before the api function: requests become events of payload format 2.0, go
//! through `lambda_http`'s own types as JSON, and come back the same way.

mod answer;
mod event;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lambda_http::{Adapter, Context, LambdaEvent, Service, request::LambdaRequest};
use millwright_core::{Clock, WallTime};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};

use super::{
    StepClock, clock_route,
    invocation::{NoAnswer, invoke},
    stopping,
};

/// The largest event and the largest answer of an invocation, in bytes as JSON (Lambda quotas).
const PAYLOAD_MAX: usize = 6 * 1024 * 1024;
/// The largest request body (API Gateway quotas).
const BODY_MAX: usize = 10 * 1024 * 1024;
/// The function's limit in the template; the gateway itself would give up after 30 s.
const LIMIT: Duration = Duration::from_secs(29);

/// What stands before the function.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) api: Router,
    pub(super) clock: Clock,
    pub(super) step: Option<StepClock>,
}

/// Serves until the host stops, then until the running requests have ended.
pub(super) async fn serve(listener: TcpListener, front: Front, stopped: watch::Receiver<bool>) {
    let router = Router::new().fallback(answer).with_state(Arc::new(front));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(stopping(stopped)).await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP server failed");
    }
}

/// What the gateway says for itself.
struct Refusal(StatusCode, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"message": self.1}))).into_response()
    }
}

const TOO_LARGE: Refusal = Refusal(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
const BAD_REQUEST: Refusal = Refusal(StatusCode::BAD_REQUEST, "Bad Request");
const FAILED: Refusal = Refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
const UNAVAILABLE: Refusal = Refusal(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");

async fn answer(
    State(front): State<Arc<Front>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else { return TOO_LARGE.into_response() };
    if let Some(step) = front.step.as_ref().filter(|_| parts.uri.path() == clock_route::PATH) {
        return step.answer(&parts, &body).await;
    }
    let event = event::event(&parts, &body, peer, front.clock.wall()).to_string();
    if event.len() > PAYLOAD_MAX {
        return TOO_LARGE.into_response();
    }
    match call(&front, event).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

/// Invokes the function with an event.
async fn call(front: &Front, event: String) -> Result<Response, Refusal> {
    let request: LambdaRequest = serde_json::from_str(&event).map_err(|_| BAD_REQUEST)?;
    let context = context(front.clock.wall() + LIMIT);
    // A router is always ready to be called.
    let called = Adapter::from(front.api.clone()).call(LambdaEvent::new(request, context));
    let work = async move { called.await.map(|response| serde_json::to_vec(&response)) };
    let answered = invoke("api", LIMIT, work).await.map_err(|no_answer| match no_answer {
        NoAnswer::TimedOut => UNAVAILABLE,
        NoAnswer::Panicked => FAILED,
    })?;
    let payload = match answered {
        Ok(Ok(payload)) if payload.len() <= PAYLOAD_MAX => payload,
        Ok(_) => return Err(FAILED),
        Err(never) => match never {},
    };
    answer::response(&payload).ok_or(FAILED)
}

fn context(deadline: WallTime) -> Context {
    let mut context = Context::default();
    context.deadline = u64::try_from(deadline.millis()).unwrap_or_default();
    context
}

/// A body of bytes.
fn full(bytes: impl Into<Bytes>) -> Body {
    Body::from(bytes.into())
}
