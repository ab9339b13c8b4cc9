//! An HTTP proxy that lets something meddle with each call.

use std::{future::Future, io, sync::Arc};

use axum::{Router, body::Body, extract::State, response::Response};
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use super::Counts;

/// A running proxy. It stops when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    counts: Counts,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy on a free port of loopback.
    pub(crate) async fn start<M: Meddler>(upstream: &str, meddler: M) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let counts = meddler.counts();
        let upstream = Upstream {
            url: upstream.trim_end_matches('/').to_owned(),
            client: reqwest::Client::builder().no_proxy().build().map_err(io::Error::other)?,
        };
        let shared = Arc::new((meddler, upstream));
        let router = Router::new().fallback(serve::<M>).with_state(shared);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "fault proxy ended");
            }
        });
        Ok(Self { url, counts, task })
    }

    /// The address to give to an SDK client in place of the real endpoint.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What stands in the way of each call.
pub(crate) trait Meddler: Send + Sync + 'static {
    /// What it counts in.
    fn counts(&self) -> Counts;

    /// Answers a call, with or without asking the upstream.
    fn meddle(&self, call: Call, upstream: &Upstream) -> impl Future<Output = Reply> + Send;
}

/// A call in AWS's JSON protocol: the operation stands in a header.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) body: Value,
    path: String,
    method: http::Method,
    headers: HeaderMap,
}

/// What the caller gets.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// An answer.
    Answer { status: StatusCode, headers: HeaderMap, body: Value },
    /// The connection breaks before the answer has arrived.
    Broken,
}

impl Reply {
    /// An error as AWS's JSON protocol writes it.
    pub(crate) fn error(status: StatusCode, kind: &str, mut more: Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("x-amzn-requestid", HeaderValue::from_static("fault-layer"));
        more["__type"] = Value::from(kind);
        Self::Answer { status, headers, body: more }
    }

    pub(crate) fn is_success(&self) -> bool {
        matches!(self, Self::Answer { status, .. } if status.is_success())
    }

    /// The body of a success, to be changed.
    pub(crate) fn success_mut(&mut self) -> Option<&mut Value> {
        match self {
            Self::Answer { status, body, .. } if status.is_success() => Some(body),
            _ => None,
        }
    }
}

/// Where the calls go.
#[derive(Debug)]
pub(crate) struct Upstream {
    url: String,
    client: reqwest::Client,
}

impl Upstream {
    /// Makes the call. An upstream that does not answer is a broken connection.
    pub(crate) async fn forward(&self, call: &Call) -> Reply {
        let url = format!("{}{}", self.url, call.path);
        let body = serde_json::to_vec(&call.body).unwrap_or_default();
        let sent = self
            .client
            .request(call.method.clone(), url)
            .headers(call.headers.clone())
            .body(body)
            .send()
            .await;
        let Ok(answer) = sent else { return Reply::Broken };
        let (status, headers) = (answer.status(), end_to_end(answer.headers()));
        let Ok(bytes) = answer.bytes().await else { return Reply::Broken };
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Reply::Answer { status, headers, body }
    }
}

async fn serve<M: Meddler>(
    State(shared): State<Arc<(M, Upstream)>>,
    request: Request<Body>,
) -> Response {
    let (meddler, upstream) = &*shared;
    let reply = match call_of(request).await {
        Some(call) => meddler.meddle(call, upstream).await,
        None => Reply::Broken,
    };
    response_of(reply)
}

async fn call_of(request: Request<Body>) -> Option<Call> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.ok()?.to_bytes();
    let target = parts.headers.get("x-amz-target").and_then(|v| v.to_str().ok()).unwrap_or("");
    let operation = target.rsplit('.').next().unwrap_or("").to_owned();
    Some(Call {
        operation,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        path: parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned(),
        method: parts.method,
        headers: end_to_end(&parts.headers),
    })
}

/// The headers that concern the two ends, less the length and checksums of a body that may change.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let dropped: [HeaderName; 6] = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::DATE,
        header::HOST,
        header::TRANSFER_ENCODING,
        HeaderName::from_static("x-amz-crc32"),
    ];
    let mut kept = headers.clone();
    for name in &dropped {
        kept.remove(name);
    }
    kept
}

fn response_of(reply: Reply) -> Response {
    let (status, headers, body) = match reply {
        Reply::Answer { status, headers, body } => {
            let text = if body.is_null() { String::new() } else { body.to_string() };
            (status, headers, Body::from(text))
        }
        Reply::Broken => {
            // A body that fails at once makes the server drop the connection.
            let broken = stream::once(async { Err::<Bytes, _>(io::ErrorKind::ConnectionReset) });
            let broken = futures::TryStreamExt::map_err(broken, io::Error::from);
            (StatusCode::OK, HeaderMap::new(), Body::from_stream(broken))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
