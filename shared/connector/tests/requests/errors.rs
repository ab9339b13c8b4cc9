//! What answers, and their absence, mean.

use std::time::{Duration, Instant};

use millwright_connector::{Pull, SystemErrorClass};
use support::http::page;

use super::*;

async fn probe_error(more: &str, answers: impl IntoIterator<Item = Exchange>) -> SystemError {
    let (server, system) = play(more, answers).await;
    let error = system.probe().await.unwrap_err();
    server.assert_played();
    error
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let (elsewhere, target) = Server::start([me()]).await;
    for status in [301, 302, 303, 307, 308] {
        let moved =
            on("GET /api/me", status, Value::Null).header("location", &format!("{target}/api/me"));
        let error = probe_error("", [moved]).await;
        assert_eq!(error.class, SystemErrorClass::Malformed);
        assert!(error.message.contains("redirects"), "{}", error.message);
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_answer_of_the_system() {
    let title = "<html><title>502 Bad Gateway</title></html>";
    let error = probe_error("", [page("GET /api/me", 502, "text/html", title)]).await;
    assert_eq!(error.class, SystemErrorClass::Unreachable);
    assert_eq!(error.upstream.message.as_deref(), Some("502 Bad Gateway"));
    let error = probe_error("", [page("GET /api/me", 200, "text/html", title)]).await;
    assert_eq!(error.class, SystemErrorClass::Malformed);
    assert!(error.message.contains("page for people"));
    let rule = "errors: [{ when: { header: { name: content-type, contains: html }, contains: Log in }, class: reauthorize }]\n";
    let login = "<html><title>Log in</title></html>";
    let error = probe_error(rule, [page("GET /api/me", 200, "text/html", login)]).await;
    assert_eq!(error.class, SystemErrorClass::Reauthorize);
}

const RULES: &str = r#"
errors:
  - when: { status: [423], path: code, one_of: [LOCKED, BUSY] }
    class: retry
    code: code
    message: text
  - { when: { path: error, matches: "^E\\d+ " }, class: validation, message: error, field: at }
  - { when: { status: [404] }, class: ignore }
"#;

#[tokio::test]
async fn what_passes_in_a_moment_is_tried_again_twice() {
    let locked = || on("GET /api/me", 423, json!({"code": "LOCKED", "text": "by another"}));
    let (server, system) = play(RULES, [locked(), locked(), me()]).await;
    assert_eq!(system.probe().await.unwrap().id, "1");
    server.assert_played();
    let error = probe_error(RULES, [locked(), locked(), locked()]).await;
    assert_eq!(error.class, SystemErrorClass::Unreachable);
    assert_eq!(error.upstream.code.as_deref(), Some("LOCKED"));
    let other = on("GET /api/me", 423, json!({"code": "CLOSED"}));
    assert_eq!(probe_error(RULES, [other]).await.class, SystemErrorClass::Conflict);
}

#[tokio::test]
async fn an_error_with_status_200_is_one_and_names_its_field() {
    let answer = on("GET /api/me", 200, json!({"error": "E17 too short", "at": "title"}));
    let error = probe_error(RULES, [answer]).await;
    assert_eq!(error.class, SystemErrorClass::Validation);
    assert_eq!(error.upstream.message.as_deref(), Some("E17 too short"));
    assert_eq!(error.upstream_field.as_deref(), Some("title"));
    let fine = on("GET /api/me", 200, json!({"error": "none", "id": 7}));
    let (_, system) = play(RULES, [fine]).await;
    assert_eq!(system.probe().await.unwrap().id, "7");
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_too_late_ends_the_call() {
    let limits = "limits: { body_cap_bytes: 1000, timeout_seconds: 1 }\n";
    let long = on("GET /api/me", 200, json!({"id": "x".repeat(2000)}));
    assert_eq!(probe_error(limits, [long]).await.class, SystemErrorClass::Malformed);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let _open = listener.accept().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let started = Instant::now();
    let error = open(&engine(limits), &url).probe().await.unwrap_err();
    silent.abort();
    assert_eq!(error.class, SystemErrorClass::Unreachable);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_may_have_happened() {
    let all = "passthrough: { allow: [{ methods: [POST, GET], path: \"/**\" }] }\n";
    let (_, system) = play(all, [support::http::lost("POST /api/x")]).await;
    let error = post(&system, "/x", json!({})).await.unwrap_err();
    assert_eq!((error.class, error.sent), (SystemErrorClass::Unreachable, true));
    let nobody = open(&engine(all), "http://127.0.0.1:1");
    let error = post(&nobody, "/x", json!({})).await.unwrap_err();
    assert_eq!((error.class, error.sent), (SystemErrorClass::Unreachable, false));
}

#[tokio::test]
async fn a_packed_answer_is_unpacked() {
    let packed = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(br#"{"id": 9}"#).unwrap();
        encoder.finish().unwrap()
    };
    let app = axum::Router::new().fallback(move |headers: http::HeaderMap| {
        let packed = packed.clone();
        async move {
            assert_eq!(headers["accept-encoding"], "gzip");
            ([("content-encoding", "gzip")], packed)
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    assert_eq!(open(&engine(""), &url).probe().await.unwrap().id, "9");
}

/// A server that gives this body, packed.
async fn packed(body: String) -> String {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let app = axum::Router::new().fallback(move || {
        let packed = packed.clone();
        async move { ([("content-encoding", "gzip")], packed) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

#[tokio::test]
async fn an_answer_may_have_as_many_bytes_unpacked_as_the_cap_says_and_not_one_more() {
    let engine = engine("limits: { body_cap_bytes: 100000 }\n");
    let frame = json!({"id": ""}).to_string().len();
    for (length, fits) in [(100_000, true), (100_001, false), (50_000_000, false)] {
        let url = packed(json!({"id": "7".repeat(length - frame)}).to_string()).await;
        let answer = open(&engine, &url).probe().await;
        match answer {
            Ok(_) => assert!(fits, "{length}"),
            Err(error) => {
                assert!(!fits, "{length}");
                assert_eq!(error.class, SystemErrorClass::Malformed);
            }
        }
    }
}

#[tokio::test]
async fn no_address_that_must_not_be_reached_is_reached_by_a_connection() {
    let catalog = Catalog::of([with("").as_str()]).unwrap();
    let outbound = millwright_outbound::Outbound::new(millwright_outbound::OutboundConfig {
        https_required: false,
        ..millwright_outbound::OutboundConfig::default()
    });
    let store = support::store_at("http://127.0.0.1:1");
    let engine = Engine::new(catalog, outbound.unwrap(), store).alone();
    let (server, url) = Server::start([me()]).await;
    for url in [url.as_str(), "http://169.254.169.254", "http://10.0.0.1"] {
        let error = open(&engine, url).probe().await.unwrap_err();
        assert_eq!(error.class, SystemErrorClass::Unreachable, "{url}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_next_page_of_another_host_is_refused() {
    let paged = with("").replace(
        "rows: topics }\n    get",
        "rows: topics, paging: { next_url: { at: next } } }\n    get",
    );
    let paged = paged.replace(", query: { after: \"{page.after}\" }", "");
    let (elsewhere, other) = Server::start([]).await;
    let first = json!({"topics": [{"id": 1, "title": "a"}], "next": format!("{other}/api/topics")});
    let (_, url) = Server::start([on("GET /api/topics", 200, first)]).await;
    let catalog = Catalog::of([paged.as_str()]).unwrap();
    let system = open(&support::engine_with(catalog), &url);
    let error = system.pull("topics", &Pull::default()).await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Malformed);
    assert!(elsewhere.asked().is_empty());
}
