//! One HTTP try: what is sent, and what is kept of the answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use millwright_core::{MessageId, Result, WallTime};
use millwright_event::{Message, body_bytes};
use millwright_outbound::{FailureClass, OutboundError, OverCap, Request, Response, Url};

use crate::{
    Webhooks,
    attempt_log::{Answer, AttemptEnd},
    endpoint::Endpoint,
    sign::Signer,
};

/// How much of an answer's body is kept, in bytes of text.
const BODY_KEPT: usize = 1024;
/// How much of it is read: an answer of this length leaves the connection usable.
const BODY_READ: usize = 16 * 1024;
/// How many of its headers are kept, and how much of each.
const HEADERS_KEPT: usize = 8;
const HEADER_NAME_KEPT: usize = 64;
const HEADER_VALUE_KEPT: usize = 100;

/// Everything an attempt needs, gathered before it is claimed, so that a claim's time is spent on
/// the attempt alone.
#[derive(Debug)]
pub(crate) struct Prepared {
    message: MessageId,
    url: String,
    timeout: Duration,
    signer: Arc<Signer>,
    body: Bytes,
}

impl Prepared {
    /// How long the exchange may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl Webhooks {
    /// Gathers what sending `message` to `endpoint` needs.
    pub(crate) async fn prepare(&self, message: &Message, endpoint: &Endpoint) -> Result<Prepared> {
        let (signer, body) =
            futures::try_join!(self.signer(endpoint), body_bytes(&self.blob, message),)?;
        Ok(Prepared {
            message: message.id.clone(),
            url: endpoint.url.clone().unwrap_or_default(),
            timeout: Duration::from_secs(endpoint.timeout_seconds.into()),
            signer,
            body,
        })
    }

    /// Makes the try. Whatever comes of it is an outcome.
    pub(crate) async fn post(&self, prepared: &Prepared) -> Result<AttemptEnd> {
        let started = self.clock().wall();
        let Ok(url) = Url::parse(&prepared.url) else {
            let message = "the URL cannot be read".to_owned();
            let class = FailureClass::InvalidUrl;
            return Ok(AttemptEnd::Unanswered { class, message, latency_ms: 0 });
        };
        let request = request_of(prepared, url, started)?;
        Ok(match self.outbound.send(request).await {
            Ok(response) => answered(&response),
            Err(error) => {
                let (class, detail) = (error.class.as_str(), error.detail());
                tracing::debug!(message = %prepared.message, class, detail, "no answer");
                unanswered(&error, self.clock().wall().since(started))
            }
        })
    }
}

fn request_of(prepared: &Prepared, url: Url, now: WallTime) -> Result<Request> {
    let mut request = Request::new(Method::POST, url);
    request.headers = prepared.signer.headers(&prepared.message, now, &prepared.body)?;
    let json = HeaderValue::from_static("application/json");
    request.headers.insert(header::CONTENT_TYPE, json);
    request.body = prepared.body.clone();
    request.timeout = prepared.timeout;
    request.body_cap = BODY_READ;
    request.over_cap = OverCap::Truncate;
    Ok(request)
}

fn unanswered(error: &OutboundError, took: Duration) -> AttemptEnd {
    let (class, message) = (error.class, error.to_string());
    AttemptEnd::Unanswered { class, message, latency_ms: millis(took) }
}

fn answered(response: &Response) -> AttemptEnd {
    AttemptEnd::Answered(Answer {
        status: response.status.as_u16(),
        latency_ms: millis(response.elapsed),
        headers: kept_headers(&response.headers),
        body: kept_text(&response.body, BODY_KEPT),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    // A receiver's session is nobody's business here.
    let kept = headers.iter().filter(|(name, _)| **name != header::SET_COOKIE);
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        let name = kept_text(name.as_str().as_bytes(), HEADER_NAME_KEPT);
        (name, kept_text(value.as_bytes(), HEADER_VALUE_KEPT))
    };
    kept.take(HEADERS_KEPT).map(pair).collect()
}

/// The first `cap` bytes as text. What a JSON document would swell to six bytes, and what is no
/// text, becomes the replacement character.
fn kept_text(bytes: &[u8], cap: usize) -> String {
    let head = &bytes[..bytes.len().min(cap)];
    let mut text = String::with_capacity(head.len());
    for letter in String::from_utf8_lossy(head).chars() {
        let plain = !letter.is_control() || matches!(letter, '\n' | '\t');
        let letter = if plain { letter } else { char::REPLACEMENT_CHARACTER };
        if text.len() + letter.len_utf8() > cap {
            break;
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_an_answer_is_text_of_bounded_length() {
        assert_eq!(kept_text(b"ok\n", 10), "ok\n");
        assert_eq!(kept_text("grüße".as_bytes(), 4), "gr\u{fc}");
        let noise: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let kept = kept_text(&noise, BODY_KEPT);
        assert!(kept.len() <= BODY_KEPT);
        assert!(serde_json::to_string(&kept).unwrap().len() <= 2 * BODY_KEPT + 2);
    }

    #[test]
    fn cookies_are_not_kept_and_headers_are_bounded() {
        let mut headers = HeaderMap::new();
        headers.insert(header::SET_COOKIE, HeaderValue::from_static("session=secret"));
        headers.insert(header::SERVER, HeaderValue::from_static("nginx"));
        for _ in 0..100 {
            let long = HeaderValue::from_str(&"x".repeat(1000)).unwrap();
            headers.append(header::VIA, long);
        }
        let kept = kept_headers(&headers);
        assert_eq!(kept.len(), HEADERS_KEPT);
        assert_eq!(kept[0], ("server".to_owned(), "nginx".to_owned()));
        assert!(kept.iter().all(|(_, value)| value.len() <= HEADER_VALUE_KEPT));
    }
}
