//! The client against servers that misbehave: each ends within its time and its memory, with
//! a class that says what happened.

use std::{
    collections::HashMap,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, http::HeaderMap, routing::any};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::future::BoxFuture;
use http::Method;
use millwright_outbound::{
    FailureClass, Lookup, Outbound, OutboundConfig, OutboundError, OverCap, Request, Response, Url,
};
use tokio::{io::AsyncWriteExt, net::TcpListener};

mod parts;

use parts::{OK, loopback, loopback_config, raw};

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn request(address: SocketAddr) -> Request {
    let url = Url::parse(&format!("http://{address}/")).unwrap();
    let mut request = Request::new(Method::POST, url);
    request.timeout = Duration::from_millis(600);
    request.body_cap = 1 << 20;
    request
}

/// Sends, and sees to it that the total time holds.
async fn send(request: Request) -> Result<Response, OutboundError> {
    let (started, timeout) = (Instant::now(), request.timeout);
    let result = loopback().send(request).await;
    assert!(started.elapsed() < timeout + Duration::from_millis(400), "{:?}", started.elapsed());
    result
}

async fn class_of(request: Request) -> FailureClass {
    error_of(request).await.class
}

async fn error_of(request: Request) -> OutboundError {
    let error = send(request).await.unwrap_err();
    assert!(error.sent(), "it may have arrived");
    error
}

#[tokio::test]
async fn a_request_arrives_as_it_was_made_and_the_answer_comes_back() {
    let app = Router::new().fallback(any(|headers: HeaderMap, body: Bytes| async move {
        let agent = headers["user-agent"].to_str().unwrap().to_owned();
        (http::StatusCode::IM_A_TEAPOT, [("x-agent", agent)], body)
    }));
    let mut request = request(serve(app).await);
    request.body = Bytes::from_static(b"exact \xff bytes");
    let response = send(request).await.unwrap();
    assert_eq!((response.status.as_u16(), response.truncated), (418, false));
    assert_eq!(&response.body[..], b"exact \xff bytes");
    assert!(response.headers["x-agent"].to_str().unwrap().starts_with("Millwright/"));
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_timeout() {
    let address = raw(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    });
    assert_eq!(class_of(request(address.await)).await, FailureClass::Timeout);
}

#[tokio::test]
async fn the_total_time_covers_a_body_that_drips() {
    let address = raw(|mut stream| async move {
        let head = format!("{OK}content-length: 100000\r\n\r\n");
        let _ = stream.write_all(head.as_bytes()).await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(class_of(request(address.await)).await, FailureClass::Timeout);
}

#[tokio::test]
async fn the_total_time_covers_headers_that_drip() {
    let address = raw(|mut stream| async move {
        let _ = stream.write_all(OK.as_bytes()).await;
        while stream.write_all(b"x-more: y\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(class_of(request(address.await)).await, FailureClass::Timeout);
}

#[tokio::test]
async fn interim_answers_without_end_are_a_timeout() {
    let address = raw(|mut stream| async move {
        while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(class_of(request(address.await)).await, FailureClass::Timeout);
}

/// Answers with a body that never ends.
async fn endless() -> SocketAddr {
    raw(|mut stream| async move {
        let _ = stream.write_all(format!("{OK}connection: close\r\n\r\n").as_bytes()).await;
        while stream.write_all(&[b'x'; 65536]).await.is_ok() {}
    })
    .await
}

#[tokio::test]
async fn an_endless_body_is_too_large() {
    assert_eq!(class_of(request(endless().await)).await, FailureClass::TooLarge);
}

#[tokio::test]
async fn an_endless_body_can_be_cut_instead() {
    let mut request = request(endless().await);
    request.over_cap = OverCap::Truncate;
    request.body_cap = 1000;
    let response = send(request).await.unwrap();
    assert_eq!((response.body.len(), response.truncated), (1000, true));
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_is_whole() {
    let address = serve(Router::new().fallback(any(|| async { "x".repeat(1000) }))).await;
    for over_cap in [OverCap::Fail, OverCap::Truncate] {
        let mut request = request(address);
        (request.over_cap, request.body_cap) = (over_cap, 1000);
        let response = send(request).await.unwrap();
        assert_eq!((response.body.len(), response.truncated), (1000, false));
    }
}

#[tokio::test]
async fn a_compressed_body_is_counted_as_it_swells() {
    // 200 MB of zeros, a thousandth of that on the wire.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..200 {
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = Bytes::from(bomb.finish().unwrap());
    assert!(bomb.len() < 300_000);
    let app = Router::new().fallback(any(move || {
        let bomb = bomb.clone();
        async move { ([("content-encoding", "gzip")], bomb) }
    }));
    let address = serve(app).await;
    assert_eq!(class_of(request(address)).await, FailureClass::TooLarge);
    let mut cut = request(address);
    cut.over_cap = OverCap::Truncate;
    assert_eq!(send(cut).await.unwrap().body.len(), 1 << 20);
}

#[tokio::test]
async fn a_connection_that_ends_within_the_body_is_a_reset() {
    let address = raw(|mut stream| async move {
        let _ = stream.write_all(format!("{OK}content-length: 1000\r\n\r\nhalf").as_bytes()).await;
    });
    let error = error_of(request(address.await)).await;
    assert_eq!((error.class, error.answered()), (FailureClass::Reset, true));
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_a_reset() {
    let address = raw(|stream| async move { drop(stream) });
    let error = error_of(request(address.await)).await;
    assert_eq!((error.class, error.answered()), (FailureClass::Reset, false));
}

/// Says this, and then tears the connection down: what TCP itself calls a reset.
async fn torn_down_after(said: String) -> SocketAddr {
    raw(move |mut stream| {
        let said = said.clone();
        async move {
            let _ = stream.write_all(said.as_bytes()).await;
            // A reset throws away what has not left yet.
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.set_zero_linger().unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_connection_that_is_torn_down_is_a_reset_before_the_answer_and_within_its_body() {
    let half = format!("{OK}content-length: 1000\r\n\r\nhalf");
    for (said, answered) in [(String::new(), false), (half, true)] {
        let error = error_of(request(torn_down_after(said).await)).await;
        assert_eq!((error.class, error.answered()), (FailureClass::Reset, answered));
        // The system's own words: a connection that was merely closed does not have them.
        assert!(error.detail().contains("reset by peer"), "{}", error.detail());
    }
}

#[tokio::test]
async fn what_is_not_http_is_malformed() {
    let address = raw(|mut stream| async move {
        let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    });
    assert_eq!(class_of(request(address.await)).await, FailureClass::Malformed);
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_malformed() {
    let address =
        serve(Router::new().fallback(any(|| async { ([("content-encoding", "gzip")], "plain") })));
    assert_eq!(class_of(request(address.await)).await, FailureClass::Malformed);
}

#[tokio::test]
async fn a_redirect_of_any_kind_is_an_answer_and_is_not_followed() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&hits);
    let app = Router::new().fallback(any(move |uri: http::Uri| {
        counted.fetch_add(1, Ordering::SeqCst);
        let status: u16 = uri.path()[1..].parse().unwrap_or(200);
        async move { (http::StatusCode::from_u16(status).unwrap(), [("location", "/again")]) }
    }));
    let address = serve(app).await;
    for (before, status) in (300_u16..=308).enumerate() {
        let mut request = request(address);
        request.url.set_path(&status.to_string());
        assert_eq!(send(request).await.unwrap().status.as_u16(), status);
        assert_eq!(hits.load(Ordering::SeqCst), before + 1, "{status} was followed");
    }
}

#[tokio::test]
async fn interim_answers_before_the_answer_are_passed_over() {
    let address = raw(|mut stream| async move {
        for interim in ["100 Continue", "102 Processing", "103 Early Hints"] {
            let _ = stream.write_all(format!("HTTP/1.1 {interim}\r\n\r\n").as_bytes()).await;
        }
        let _ = stream.write_all(format!("{OK}content-length: 2\r\n\r\nok").as_bytes()).await;
    });
    let response = send(request(address.await)).await.unwrap();
    assert_eq!((response.status.as_u16(), &response.body[..]), (200, &b"ok"[..]));
}

#[tokio::test]
async fn a_switch_to_another_protocol_is_no_success() {
    let address = raw(|mut stream| async move {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
        let _ = stream.write_all(head).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    match send(request(address.await)).await {
        Ok(response) => assert_eq!(response.status.as_u16(), 101),
        Err(error) => assert!(error.sent(), "{error}"),
    }
}

#[tokio::test]
async fn headers_without_end_are_too_large() {
    for line in ["x-more: y\r\n", "x"] {
        let address = raw(move |mut stream| async move {
            let _ = stream.write_all(OK.as_bytes()).await;
            let many = line.repeat(4096);
            while stream.write_all(many.as_bytes()).await.is_ok() {}
        });
        assert_eq!(class_of(request(address.await)).await, FailureClass::TooLarge, "{line:?}");
    }
}

#[tokio::test]
async fn a_closed_port_is_a_failed_connection_and_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = send(request(address)).await.unwrap_err();
    assert_eq!((error.class, error.sent()), (FailureClass::Connect, false));
}

#[tokio::test]
async fn a_server_without_tls_is_a_failed_handshake_and_nothing_was_sent() {
    let address = raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let mut request = request(address.await);
    request.url.set_scheme("https").unwrap();
    let error = send(request).await.unwrap_err();
    assert_eq!((error.class, error.sent()), (FailureClass::Tls, false), "{}", error.detail());
}

/// Names with a list of answers each; the last one is given again and again.
struct Names {
    answers: Mutex<HashMap<&'static str, Vec<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Names {
    fn new(name: &'static str, answers: &[&[&str]]) -> Arc<Self> {
        let answers = answers.iter().map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect());
        let answers = Mutex::new(HashMap::from([(name, answers.collect())]));
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

impl Lookup for Names {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = answers
            .get_mut(host.as_str())
            .map(|answers| if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() });
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

fn with_names(names: &Arc<Names>) -> Outbound {
    let resolver: Arc<dyn Lookup> = Arc::<Names>::clone(names);
    Outbound::new(OutboundConfig { resolver: Some(resolver), ..loopback_config() }).unwrap()
}

fn to(host: &str, port: u16) -> Request {
    let url = Url::parse(&format!("http://{host}:{port}/")).unwrap();
    Request { timeout: Duration::from_secs(2), ..Request::new(Method::GET, url) }
}

#[tokio::test]
async fn a_name_with_one_forbidden_answer_is_refused_whole() {
    for mixed in [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "fe80::1"]] {
        let names = Names::new("mixed.test", &[&mixed]);
        let outbound = with_names(&names);
        let error = outbound.send(to("mixed.test", 80)).await.unwrap_err();
        assert_eq!((error.class, error.sent()), (FailureClass::BlockedAddress, false));
        assert!(!error.to_string().contains("10.0.0.1"), "a customer learns no address: {error}");
        assert!(error.detail().contains("forbidden"), "{}", error.detail());
        let url = to("mixed.test", 80).url;
        let error = outbound.check_url(&url).await.unwrap_err();
        assert_eq!(error.class, FailureClass::BlockedAddress);
    }
}

#[tokio::test]
async fn the_address_that_was_vetted_is_the_one_that_is_dialled() {
    let port = serve(Router::new().fallback(any(|| async { "here" }))).await.port();
    // The first look-up is the one that is vetted; a second would be another, forbidden address.
    let names = Names::new("rebind.test", &[&["127.0.0.1"], &["10.0.0.1"]]);
    let response = with_names(&names).send(to("rebind.test", port)).await.unwrap();
    assert_eq!(&response.body[..], b"here");
    assert_eq!(names.asked.load(Ordering::SeqCst), 1, "one look-up serves vetting and dialling");
}

#[tokio::test]
async fn a_name_that_turns_to_a_forbidden_address_after_it_was_checked_is_refused_when_sending() {
    let names = Names::new("rebind.test", &[&["127.0.0.1"], &["169.254.169.254"]]);
    let outbound = with_names(&names);
    outbound.check_url(&to("rebind.test", 80).url).await.unwrap();
    let error = outbound.send(to("rebind.test", 80)).await.unwrap_err();
    assert_eq!(error.class, FailureClass::BlockedAddress);
}

#[tokio::test]
async fn a_name_without_an_address_is_told_from_a_forbidden_one() {
    let names = Names::new("empty.test", &[&[]]);
    for host in ["empty.test", "unknown.test"] {
        let error = with_names(&names).send(to(host, 80)).await.unwrap_err();
        assert_eq!((error.class, error.sent()), (FailureClass::Dns, false), "{host}");
    }
}

#[tokio::test]
async fn a_name_for_this_machine_is_refused_unless_its_range_is_allowed() {
    let closed = Outbound::new(OutboundConfig { allowed: vec![], ..loopback_config() }).unwrap();
    let error = closed.send(to("localhost", 80)).await.unwrap_err();
    assert_eq!(error.class, FailureClass::BlockedAddress);
}
