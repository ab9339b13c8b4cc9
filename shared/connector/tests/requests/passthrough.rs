//! Native calls: what is let through, what is refused before anything is sent, and what comes back.

use std::collections::BTreeMap;

use millwright_connector::SystemErrorClass;
use millwright_core::{Error, ErrorCode};

use super::*;

const LIST: &str = r#"
auth: { api_key: { headers: { Api-Key: "{credentials.key}" }, query: { sig: "{credentials.password}" } } }
passthrough:
  allow:
    - { methods: [GET], path: "/items/*" }
    - { methods: [GET, POST], path: /items }
    - { methods: [PUT], path: "/deep/**" }
  refused_headers: [X-Organization]
  refused_query: [act_as]
"#;

fn allowed(request: &str, answer: Value) -> Exchange {
    on(request, 200, answer)
}

const SIG: &str = "sig=planted+pass%2Fword";

#[tokio::test]
async fn what_is_on_the_list_goes_through_in_its_one_form() {
    for (method, path, sent) in [
        ("GET", "/items/7", "/api/items/7"),
        ("GET", "/items/7/", "/api/items/7/"),
        ("GET", "//items//7", "/api/items/7"),
        ("GET", "/other/../items/7", "/api/items/7"),
        ("GET", "/other/%2e%2e/items/7", "/api/items/7"),
        ("GET", "/%69tems/7", "/api/items/7"),
        ("GET", "/items/a%20b", "/api/items/a%20b"),
        ("POST", "/items", "/api/items"),
        ("PUT", "/deep/a/b/c", "/api/deep/a/b/c"),
    ] {
        let request = format!("{method} {sent}?{SIG}");
        let (server, system) = play(LIST, [allowed(&request, json!({"ok": true}))]).await;
        let answer = system.passthrough(&call(method, path)).await.unwrap();
        assert_eq!((answer.status, answer.body), (200, json!({"ok": true})), "{path}");
        server.assert_played();
    }
}

#[tokio::test]
async fn what_is_not_on_the_list_is_not_sent_however_it_is_written() {
    let (server, system) = play(LIST, []).await;
    for (method, path) in [
        ("DELETE", "/items/7"),
        ("POST", "/items/7"),
        ("GET", "/items/7/notes"),
        ("GET", "/admin"),
        ("GET", "/Items/7"),
        ("GET", "/"),
        ("GET", "/items/../admin"),
        ("GET", "/items/%2e%2e/admin"),
        ("GET", "/items/%2E%2E/admin"),
        ("GET", "/items/.%2e/admin"),
        ("GET", "/items//../admin"),
        ("GET", "/items/7/../../admin"),
        ("GET", "/%61dmin"),
        ("PUT", "/deep"),
        ("PUT", "/deep/../admin"),
    ] {
        let error = system.passthrough(&call(method, path)).await.unwrap_err();
        assert_eq!((error.class, error.sent), (SystemErrorClass::Permission, false), "{path}");
        assert_eq!(Error::from(error).code, ErrorCode::PermissionDenied);
    }
    for path in [
        "items/7",
        "",
        "http://evil.example/items/7",
        "/..",
        "/items/../../admin",
        "/items%2f..%2fadmin",
        "/items/..%2fadmin",
        "/items/7%2fnotes",
        "/items/..\\admin",
        "/items/%5c..%5cadmin",
        "/items/..;/admin",
        "/items/7;admin=1",
        "/items/7?x=1",
        "/items/7#x",
        "/items/7%3fx",
        "/items/7%23x",
        "/items/%252e%252e/admin",
        "/items/%c0%ae%c0%ae/admin",
        "/items/%ff",
        "/items/%zz",
        "/items/7%00",
        "/items/7%0d%0aHost:%20evil",
        "/items/\u{ff0e}\u{ff0e}/admin",
        "/items\u{ff0f}7",
        "/items/\u{2024}\u{2024}",
    ] {
        let error = system.passthrough(&call("GET", path)).await.unwrap_err();
        assert_eq!((error.class, error.sent), (SystemErrorClass::Validation, false), "{path}");
        assert_eq!(error.fields[0].path, "path");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_caller_cannot_act_as_somebody_else() {
    let (server, system) = play(LIST, []).await;
    for name in [
        "Authorization",
        "Cookie",
        "Host",
        "Api-Key",
        "api_key",
        "X-Api-Key",
        "Api-Username",
        "Proxy-Authorization",
        "X-Forwarded-Host",
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "Transfer-Encoding",
        "Content-Length",
        "X-Organization",
        "X-CSRF-Token",
        "Connection",
    ] {
        let headers = BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        let request = PassthroughRequest { headers, ..call("GET", "/items/7") };
        let error = system.passthrough(&request).await.unwrap_err();
        assert_eq!(error.fields[0].path, format!("headers.{name}"));
    }
    for name in ["sig", "SIG", "_method", "api_key", "access_token", "act_as", "Act_As"] {
        let query = support::object(json!({name: "x"}));
        let request = PassthroughRequest { query, ..call("GET", "/items/7") };
        let error = system.passthrough(&request).await;
        assert_eq!(error.unwrap_err().fields[0].path, format!("query.{name}"));
    }
    for (kind, body) in [
        ("application/x-www-form-urlencoded", json!({"_method": "DELETE"})),
        ("application/json", json!({"_method": "DELETE"})),
        ("application/x-www-form-urlencoded", json!("_method=DELETE")),
        ("multipart/form-data; boundary=x", json!("--x")),
        ("text/plain", json!({"a": 1})),
    ] {
        let headers = BTreeMap::from([("Content-Type".to_owned(), kind.to_owned())]);
        let request = PassthroughRequest { headers, body: Some(body), ..call("POST", "/items") };
        let error = system.passthrough(&request).await.unwrap_err();
        assert_eq!((error.class, error.sent), (SystemErrorClass::Validation, false), "{kind}");
    }
    let header = BTreeMap::from([("X-A".to_owned(), "a\r\nHost: evil".to_owned())]);
    let request = PassthroughRequest { headers: header, ..call("GET", "/items/7") };
    assert!(system.passthrough(&request).await.is_err());
    let long = Some(json!("x".repeat(1 << 20)));
    let request = PassthroughRequest { body: long, ..call("POST", "/items") };
    assert_eq!(system.passthrough(&request).await.unwrap_err().fields[0].path, "body");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn query_headers_and_body_arrive_as_they_were_meant() {
    let sent = format!("POST /api/items?q=a+b%26c&id%5B%5D=1&id%5B%5D=2&{SIG}");
    for (kind, body, text) in [
        (None, json!({"n": 1.50}), r#"{"n":1.5}"#),
        (
            Some("application/x-www-form-urlencoded"),
            json!({"a": "b c", "n": [1, 2]}),
            "a=b+c&n=1&n=2",
        ),
        (Some("text/csv"), json!("a;b"), "a;b"),
        (Some("application/merge-patch+json"), json!({"a": null}), r#"{"a":null}"#),
    ] {
        let (server, system) = play(LIST, [allowed(&sent, Value::Null)]).await;
        let mut headers = BTreeMap::from([
            ("If-Match".to_owned(), "\"7\"".to_owned()),
            ("Accept".to_owned(), "text/csv".to_owned()),
        ]);
        headers.extend(kind.map(|kind| ("Content-Type".to_owned(), kind.to_owned())));
        let query = support::object(json!({"q": "a b&c", "id[]": [1, 2], "none": null}));
        let request =
            PassthroughRequest { query, headers, body: Some(body), ..call("POST", "/items") };
        let answer = system.passthrough(&request).await.unwrap();
        assert_eq!(answer.body, Value::Null);
        let asked = &server.asked()[0];
        assert_eq!(asked.text, text);
        assert_eq!(asked.headers["content-type"], kind.unwrap_or("application/json"));
        assert_eq!(asked.headers["if-match"], "\"7\"");
        assert_eq!(asked.headers["accept"], "text/csv");
        assert_eq!(asked.headers["api-key"], "planted-key+1");
    }
}

#[tokio::test]
async fn an_answer_comes_back_whole_but_for_what_gives_rights() {
    let echo = json!({
        "key": "planted-key+1", "planted-key+1": ["in a url: planted-key%2B1"],
        "text": "with planted pass/word, planted+pass%2Fword", "n": 1.10,
    });
    let request = format!("GET /api/items/7?{SIG}");
    let answer = on(&request, 418, echo)
        .header("etag", "\"1\"")
        .header("link", "</api/items?sig=planted+pass%2Fword&page=2>; rel=next")
        .header("set-cookie", "sid=1")
        .header("www-authenticate", "Basic")
        .header("x-csrf-token", "abc");
    let (_, system) = play(LIST, [answer]).await;
    let answer = system.passthrough(&call("GET", "/items/7")).await.unwrap();
    assert_eq!(answer.status, 418);
    assert_eq!(answer.headers["etag"], "\"1\"");
    assert_eq!(answer.headers["link"], "</api/items?sig=[hidden]&page=2>; rel=next");
    for name in ["set-cookie", "www-authenticate", "x-csrf-token"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
    assert_eq!(
        answer.body,
        json!({"key": "[hidden]", "text": "with [hidden], [hidden]", "n": 1.10,
            "[hidden]": ["in a url: [hidden]"]})
    );
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_text_or_base64() {
    let request = format!("GET /api/items/7?{SIG}");
    let text = support::http::page(&request, 200, "text/plain", "with planted-key+1 in it");
    let (_, system) = play(LIST, [text]).await;
    let answer = system.passthrough(&call("GET", "/items/7")).await.unwrap();
    assert_eq!((answer.body, answer.is_base64), (json!("with [hidden] in it"), false));

    let app = axum::Router::new().fallback(|| async { vec![0xff_u8, 0xfe, 0x00] });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let answer = open(&engine(LIST), &url).passthrough(&call("GET", "/items/7")).await.unwrap();
    assert_eq!((answer.body, answer.is_base64), (json!("//4A"), true));
}

#[tokio::test]
async fn nothing_is_allowed_by_a_connector_that_says_nothing() {
    let (server, system) = play("", []).await;
    let error = system.passthrough(&call("GET", "/me")).await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Permission);
    assert!(server.asked().is_empty());
}

#[test]
fn what_cannot_be_meant_of_passthrough_is_refused() {
    for (what, instead, said) in [
        ("\"/items/*\"", "\"items/*\"", "begins with a slash"),
        ("\"/items/*\"", "\"/items/../x\"", "dots alone"),
        ("\"/deep/**\"", "\"/deep**\"", "whole names"),
        ("[PUT]", "[TRACE]", "TRACE"),
        ("[PUT]", "[]", "names no method"),
        ("[X-Organization]", "[\"X Organization\"]", "is no header"),
    ] {
        let why = refused(&LIST.replacen(what, instead, 1));
        assert!(why.contains(said), "{instead}: {why}");
    }
}
