//! Requests that are signed one by one, checked by a code of our own making.

use sha2::{Digest, Sha256};

use super::*;

/// As the maker of a maintenance system documents it: HMAC-SHA-256 over the URL without its scheme,
/// in hexadecimal, in `Authorization`, with a text of JSON as the body.
const SIGNED: &str = r#"
auth:
  hmac:
    before:
      query:
        service: cmms
        timestamp: "{request.timestamp_millis}"
        appKey: "{credentials.username}"
    text: "{request.url}"
    algorithm: sha256
    key: "{credentials.key}"
    encoding: hex
    headers: { Authorization: "{signature}" }
passthrough: { allow: [{ methods: [GET, POST], path: "/**" }] }
"#;

/// RFC 2104, written out.
fn hmac_sha256_hex(key: &[u8], text: &str) -> String {
    let padded = |with: u8| -> Vec<u8> {
        (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect()
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers whatever is asked, for the query is not known before.
async fn any(more: &str) -> (Server, System, String) {
    let (server, url) = Server::start([]).await;
    let system = open(&engine(more), &url);
    (server, system, url)
}

#[tokio::test]
async fn a_request_is_signed_over_the_url_that_is_sent() {
    let (server, system, url) = any(SIGNED).await;
    let mut call = call("GET", "/orders/\u{e4} b");
    call.query = support::object(json!({"q": "a+b c", "n": [1, 2]}));
    system.passthrough(&call).await.unwrap();
    let asked = &server.asked()[0];
    let sent = asked.request.strip_prefix("GET ").unwrap();
    let text = format!("{}{sent}", url.strip_prefix("http://").unwrap());
    assert_eq!(asked.headers["authorization"], hmac_sha256_hex(b"planted-key+1", &text));
    let query = query(&asked.request);
    let named = |name: &str| {
        query.iter().filter(|(known, _)| known == name).map(|(_, v)| v.clone()).collect::<Vec<_>>()
    };
    assert_eq!(named("service"), ["cmms"]);
    assert_eq!(named("appKey"), ["planted-user"]);
    assert_eq!(named("n"), ["1", "2"]);
    let sent_at: i64 = named("timestamp")[0].parse().unwrap();
    let now = millwright_core::Clock::system().wall().millis();
    assert!((now - sent_at).abs() < 60_000);
}

#[tokio::test]
async fn method_path_query_body_and_time_can_be_signed_into_the_query() {
    let more = r#"
auth:
  hmac:
    before: { headers: { X-Time: "{request.timestamp}" } }
    text: "{request.method}|{request.host}|{request.path}|{request.query}|{request.body}|{request.timestamp}"
    algorithm: sha256
    key: "{credentials.key}"
    encoding: hex
    query: { sig: "{signature}" }
passthrough: { allow: [{ methods: [GET, POST], path: "/**" }] }
"#;
    let (server, system, url) = any(more).await;
    let mut call = call("POST", "/orders");
    call.query = support::object(json!({"a": "1"}));
    call.body = Some(json!({"text": "\u{fc}"}));
    system.passthrough(&call).await.unwrap();
    let asked = &server.asked()[0];
    let host = url.strip_prefix("http://").unwrap();
    let time = asked.headers["x-time"].to_str().unwrap();
    let text = format!("POST|{host}|/api/orders|a=1|{{\"text\":\"\u{fc}\"}}|{time}");
    let query = query(&asked.request);
    assert_eq!(query[1], ("sig".to_owned(), hmac_sha256_hex(b"planted-key+1", &text)));
}

#[test]
fn what_cannot_be_meant_of_signing_is_refused() {
    for (what, instead, said) in [
        ("\"{request.url}\"", "fixed", "names nothing of the request"),
        ("{request.url}", "{request.uri}", "there is no `{request.uri}`"),
        ("{request.timestamp_millis}", "{request.body}", "there is no `{request.body}`"),
        ("\"{signature}\"", "fixed", "puts `{signature}` nowhere"),
        ("sha256", "md5", "md5"),
        ("encoding: hex", "encoding: base32", "base32"),
    ] {
        assert!(SIGNED.contains(what), "{what}");
        let changed = refused(&SIGNED.replacen(what, instead, 1));
        assert!(changed.contains(said), "{instead}: {changed}");
    }
}
