//! What is sent, and what comes back.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

/// What becomes of an answer whose body is longer than the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverCap {
    /// The request fails with [`crate::FailureClass::TooLarge`].
    Fail,
    /// The body ends at the cap, and [`Response::truncated`] says so.
    Truncate,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to: `http` or `https`, without user name and password.
    pub url: Url,
    /// The headers. `Host`, `Content-Length`, `User-Agent` and `Accept-Encoding` are added.
    pub headers: HeaderMap,
    /// The body, sent as it is.
    pub body: Bytes,
    /// How long the whole exchange may take, the answer's body included.
    pub timeout: Duration,
    /// How many bytes of the answer's body are read, after decompression.
    pub body_cap: usize,
    /// What becomes of a longer one.
    pub over_cap: OverCap,
}

impl Request {
    /// A request without headers and body: 30 seconds, and at most 10 MiB of answer.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(30),
            body_cap: 10 << 20,
            over_cap: OverCap::Fail,
        }
    }
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status. A redirect is an answer like any other: it is not followed.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
    /// Whether the body went on beyond the cap.
    pub truncated: bool,
    /// How long the exchange took.
    pub elapsed: Duration,
}
