//! One HTTP try: what is sent, and what is kept of the answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use millwright_core::{MessageId, Result, WallTime};
use millwright_event::Message;
use millwright_outbound::{FailureClass, OutboundError, OverCap, Request, Response, Url};

use crate::{
    Webhooks,
    attempt_log::{Answer, AttemptEnd},
    decide::{Again, Tried},
    endpoint::Endpoint,
    own_headers::OwnHeaders,
    sign::Signer,
    wish::Wish,
};

/// How much of an answer is kept, headers and body together, in bytes as they stand in its row.
const KEPT: usize = 4096;
/// How much of that its headers may take.
const HEADERS_KEPT: usize = 2048;
/// How much of one header.
const HEADER_KEPT: usize = 256;
/// How much of its body is read, decompressed: an answer of this length leaves the connection
/// usable.
const BODY_READ: usize = 64 * 1024;
/// A connection that breaks within this time is tried once more at once.
const RECONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Everything an attempt needs, gathered before it is claimed, so that a claim's time is spent on
/// the attempt alone.
#[derive(Debug)]
pub(crate) struct Prepared {
    message: MessageId,
    endpoint: Endpoint,
    signer: Arc<Signer>,
    own_headers: OwnHeaders,
    body: Bytes,
}

impl Prepared {
    /// How long the exchange may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.endpoint.timeout()
    }

    /// The endpoint, as it was when this was gathered.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Webhooks {
    /// Gathers what sending `message` to `endpoint` needs.
    pub(crate) async fn prepare(&self, message: &Message, endpoint: Endpoint) -> Result<Prepared> {
        let (signer, own_headers, body) = futures::try_join!(
            self.signer(&endpoint),
            self.headers_of(&endpoint),
            self.body_for(message, endpoint.payload),
        )?;
        Ok(Prepared { message: message.id.clone(), endpoint, signer, own_headers, body })
    }

    /// Makes the try, and one more at once when its connection broke at once: such a connection was
    /// mostly closed by a receiver that had been idle, and says nothing about it. Whatever comes of
    /// it is an outcome.
    pub(crate) async fn post(&self, prepared: &Prepared) -> Result<Tried> {
        let (first, broken) = self.post_once(prepared).await?;
        if !broken {
            return Ok(first.into());
        }
        let at = self.clock().schedule();
        let (end, _) = self.post_once(prepared).await?;
        Ok(Tried { first, again: Some(Again { at, end }) })
    }

    /// One try, and whether its connection broke at once.
    async fn post_once(&self, prepared: &Prepared) -> Result<(AttemptEnd, bool)> {
        let started = self.clock().wall();
        let Ok(url) = Url::parse(prepared.endpoint.url.as_deref().unwrap_or_default()) else {
            let message = "the URL cannot be read".to_owned();
            let class = FailureClass::InvalidUrl;
            return Ok((AttemptEnd::Unanswered { class, message, latency_ms: 0 }, false));
        };
        let request = request_of(prepared, url, started)?;
        Ok(match self.outbound.send(request).await {
            Ok(response) => (answered(&response, self.clock().wall()), false),
            Err(error) => {
                let (class, detail) = (error.class.as_str(), error.detail());
                tracing::debug!(message = %prepared.message, class, detail, "no answer");
                let took = self.clock().wall().since(started);
                (unanswered(&error, took), broke_at_once(&error, took))
            }
        })
    }
}

/// Whether the connection could not be made, or ended before anything of an answer came, within so
/// short a time that another try at once costs nobody anything.
fn broke_at_once(error: &OutboundError, took: Duration) -> bool {
    let broke = matches!(error.class, FailureClass::Connect | FailureClass::Reset);
    broke && !error.answered() && took < RECONNECT_WITHIN
}

fn request_of(prepared: &Prepared, url: Url, now: WallTime) -> Result<Request> {
    let mut request = Request::new(Method::POST, url);
    // What is ours replaces what an older rule let through under its name.
    request.headers = prepared.own_headers.to_map()?;
    request.headers.extend(prepared.signer.headers(&prepared.message, now, &prepared.body)?);
    let json = HeaderValue::from_static("application/json");
    request.headers.insert(header::CONTENT_TYPE, json);
    request.body = prepared.body.clone();
    request.timeout = prepared.timeout();
    request.body_cap = BODY_READ;
    request.over_cap = OverCap::Truncate;
    Ok(request)
}

fn unanswered(error: &OutboundError, took: Duration) -> AttemptEnd {
    let (class, message) = (error.class, error.to_string());
    AttemptEnd::Unanswered { class, message, latency_ms: millis(took) }
}

fn answered(response: &Response, now: WallTime) -> AttemptEnd {
    let mut left = KEPT;
    let headers = kept_headers(&response.headers, &mut left);
    AttemptEnd::Answered(Answer {
        status: response.status.as_u16(),
        latency_ms: millis(response.elapsed),
        headers,
        body: kept_text(&response.body, &mut left),
        wish: Wish::of(response.status, &response.headers, now),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The first headers, as far as they fit.
fn kept_headers(headers: &HeaderMap, left: &mut usize) -> Vec<(String, String)> {
    // A receiver's session is nobody's business here.
    let shown = headers.iter().filter(|(name, _)| **name != header::SET_COOKIE);
    let mut room = HEADERS_KEPT.min(*left);
    *left -= room;
    let mut kept = Vec::new();
    for (name, value) in shown {
        // `["",""],` around each.
        let Some(space) = room.checked_sub(8).filter(|space| *space > name.as_str().len()) else {
            break;
        };
        let mut one = space.min(HEADER_KEPT);
        let beyond = space - one;
        let name = kept_text(name.as_str().as_bytes(), &mut one);
        kept.push((name, kept_text(value.as_bytes(), &mut one)));
        room = beyond + one;
    }
    *left += room;
    kept
}

/// As many of the first bytes as text as fit, taken from what is left. What JSON would write as six
/// bytes, and what is no text, becomes the replacement character.
fn kept_text(bytes: &[u8], left: &mut usize) -> String {
    let head = &bytes[..bytes.len().min(*left)];
    let mut text = String::with_capacity(head.len());
    for letter in String::from_utf8_lossy(head).chars() {
        let plain = !letter.is_control() || matches!(letter, '\n' | '\t');
        let letter = if plain { letter } else { char::REPLACEMENT_CHARACTER };
        let escaped = matches!(letter, '"' | '\\' | '\n' | '\t');
        let Some(rest) = left.checked_sub(letter.len_utf8() + usize::from(escaped)) else { break };
        *left = rest;
        text.push(letter);
    }
    text
}

/// The largest answer that is kept.
#[cfg(test)]
pub(crate) fn fullest() -> Answer {
    let quotes = || HeaderValue::from_bytes(&[b'"'; 200]).expect("visible");
    let mut left = KEPT;
    let headers = (0..100).map(|_| (header::VIA, quotes())).collect();
    let headers = kept_headers(&headers, &mut left);
    let body = kept_text(&[b'"'; BODY_READ], &mut left);
    let wish = Wish::SlowDown { pause: Duration::from_secs(3600) };
    Answer { status: 500, latency_ms: 30_000, headers, body, wish }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
        thread,
    };

    use base64::{Engine, engine::general_purpose::STANDARD};
    use millwright_outbound::{Outbound, OutboundConfig};
    use tokio::{net::TcpSocket, sync::oneshot, time::timeout};

    use super::*;
    use crate::{
        examples::{START, endpoint},
        sign::Scheme,
        signing_key::{SigningKey, new_secret},
    };

    /// More than can leave a receiver whose answer is not read on: what was read of it, and what
    /// lies in the buffers on the way.
    const LEAVES_MAX: usize = 4 << 20;
    /// 100,000 zeros as gzip writes them, in base64.
    const ZEROS: &str = "\
        H4sIAAAAAAACA+3BMQEAAADCoPVPbQ0PoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
        AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIBXA32VEdSghgEA";

    fn kept(bytes: &[u8], mut cap: usize) -> String {
        kept_text(bytes, &mut cap)
    }

    #[test]
    fn what_is_kept_of_an_answer_is_text_of_bounded_length() {
        assert_eq!(kept(b"ok\n", 10), "ok\n");
        assert_eq!(kept("grüße".as_bytes(), 4), "gr\u{fc}");
        let noise: Vec<u8> = (0..=255).cycle().take(5000).collect();
        for cap in [0, 1, 100, KEPT] {
            let text = kept(&noise, cap);
            assert!(serde_json::to_string(&text).unwrap().len() <= cap + 2);
        }
    }

    #[test]
    fn headers_and_body_share_4_kb() {
        let full = fullest();
        assert!(full.headers.len() > 5);
        let length = |value| serde_json::to_string(&value).unwrap().len();
        let both = length(serde_json::json!(full.headers)) + length(full.body.clone().into());
        assert!((KEPT - 300..=KEPT + 8).contains(&both), "{both}");
        let bare = kept(&[b'x'; BODY_READ], KEPT);
        assert_eq!(bare.len(), KEPT, "without headers the body has all of it");
    }

    #[test]
    fn cookies_are_not_kept_and_each_header_is_bounded() {
        let mut headers = HeaderMap::new();
        headers.insert(header::SET_COOKIE, HeaderValue::from_static("session=secret"));
        headers.insert(header::SERVER, HeaderValue::from_static("nginx"));
        for _ in 0..100 {
            headers.append(header::VIA, HeaderValue::from_str(&"x".repeat(1000)).unwrap());
        }
        let mut left = KEPT;
        let kept = kept_headers(&headers, &mut left);
        assert_eq!(kept[0], ("server".to_owned(), "nginx".to_owned()));
        assert!(kept.iter().all(|(name, value)| name.len() + value.len() <= HEADER_KEPT));
        assert!(kept.len() > 5 && left >= KEPT - HEADERS_KEPT);
    }

    fn prepared() -> Prepared {
        let key = SigningKey::from_secret(&new_secret(Scheme::V1).unwrap()).unwrap();
        Prepared {
            message: MessageId::new_at(START),
            endpoint: endpoint(),
            signer: Arc::new(Signer::new(key, Vec::new(), false)),
            own_headers: OwnHeaders::default(),
            body: Bytes::from_static(b"{}"),
        }
    }

    /// The client, which may send to this machine.
    fn loopback() -> Outbound {
        let config = OutboundConfig {
            allowed: vec!["127.0.0.0/8".parse().unwrap()],
            https_required: false,
            resolver: None,
        };
        Outbound::new(config).unwrap()
    }

    /// A receiver whose answer never ends. Tells how much of it has left when nobody listens any
    /// more.
    fn endless(head: &'static str, more: Vec<u8>) -> (Url, oneshot::Receiver<usize>) {
        let socket = TcpSocket::new_v4().unwrap();
        // Each connection has it from the listener; left alone, the system lets it grow.
        socket.set_send_buffer_size(64 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap().into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (tell, told) = oneshot::channel();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let _ = tell.send(said(stream, head, &more));
        });
        (Url::parse(&url).unwrap(), told)
    }

    /// Says this until it cannot, or longer than anybody may listen.
    fn said(mut stream: TcpStream, head: &str, more: &[u8]) -> usize {
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(head.as_bytes()).unwrap();
        let mut said = 0;
        while said < LEAVES_MAX && stream.write_all(more).is_ok() {
            said += more.len();
        }
        said
    }

    #[tokio::test]
    async fn at_most_64_kb_of_an_answer_are_read_counted_after_decompression() {
        let plain = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        let zipped = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n";
        let zeros = STANDARD.decode(ZEROS).unwrap();
        for (head, more) in [(plain, vec![0; 8192]), (zipped, zeros)] {
            let (url, told) = endless(head, more);
            let request = request_of(&prepared(), url, WallTime::from_millis(START)).unwrap();
            let response = loopback().send(request).await.unwrap();
            assert_eq!((response.body.len(), response.truncated), (65_536, true), "{head}");
            assert!(response.body.iter().all(|byte| *byte == 0), "{head}");
            let said = timeout(Duration::from_secs(20), told).await;
            let said = said.expect("the connection is closed").unwrap();
            assert!(said < LEAVES_MAX, "{said} bytes have left: {head}");
        }
    }
}
