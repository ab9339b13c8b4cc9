//! Each kind of authentication: what is sent, what is kept, and when it is made anew.

use std::time::Duration;

use millwright_connector::SystemErrorClass;
use millwright_core::ErrorCode;

use super::*;

#[tokio::test]
async fn keys_go_into_several_headers_and_into_the_query() {
    let auth = r#"
auth:
  api_key:
    headers: { X-Key: "{credentials.key}", X-User: "{credentials.username}", X-Kind: fixed }
    query: { token: "{credentials.password}" }
"#;
    let token = "GET /api/me?token=planted+pass%2Fword";
    let (server, system) = play(auth, [on(token, 200, json!({"id": 1}))]).await;
    system.probe().await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.headers["x-key"], "planted-key+1");
    assert_eq!(asked.headers["x-user"], "planted-user");
    assert_eq!(asked.headers["x-kind"], "fixed");
    assert_eq!(asked.headers["accept"], "application/json");
}

#[tokio::test]
async fn basic_and_bearer_are_as_the_standards_have_them() {
    let basic = "auth: { basic: { username: \"{credentials.username}\", password: \"{credentials.password}\" } }";
    // RFC 7617, section 2: base64 of `planted-user:planted pass/word`.
    let expected = "Basic cGxhbnRlZC11c2VyOnBsYW50ZWQgcGFzcy93b3Jk";
    let bearer = "auth: { bearer: { token: \"{credentials.key}\" } }";
    for (auth, expected) in [(basic, expected), (bearer, "Bearer planted-key+1")] {
        let (server, system) = play(auth, [me()]).await;
        system.probe().await.unwrap();
        assert_eq!(server.asked()[0].headers["authorization"], expected);
    }
}

const LOGIN: &str = r#"
auth:
  login:
    steps:
      - request:
          method: POST
          path: login
          form: { user: "{credentials.username}", password: "{credentials.password}" }
        keep: { token: "{answer.token}" }
    headers: { Session-Token: "{session.token}" }
    query: { s: "{session.token}" }
    cookies: true
    life_seconds: "{answer.life}"
    log_out: { method: POST, path: logout }
"#;

fn login(token: &str, life: u32) -> Exchange {
    on("POST /api/login", 200, json!({"token": token, "life": life}))
}

fn me_with(token: &str) -> Exchange {
    on(&format!("GET /api/me?s={token}"), 200, json!({"id": 1}))
}

#[tokio::test]
async fn a_session_goes_into_headers_query_and_cookies() {
    let login = login("t1", 600)
        .header("set-cookie", "sid=c1; Path=/; HttpOnly")
        .header("set-cookie", "away=1; Domain=evil.example")
        .header("set-cookie", "deep=2; Path=/api/deep");
    let changed = me_with("t1").header("set-cookie", "sid=c2; Path=/");
    let (server, system) = play(LOGIN, [login, changed, me_with("t1")]).await;
    system.probe().await.unwrap();
    system.probe().await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].text, "user=planted-user&password=planted+pass%2Fword");
    assert_eq!(asked[0].headers["content-type"], "application/x-www-form-urlencoded");
    assert!(asked[0].headers.get("session-token").is_none());
    assert_eq!(asked[1].headers["session-token"], "t1");
    assert_eq!(asked[1].headers["cookie"], "sid=c1");
    assert_eq!(asked[2].headers["cookie"], "sid=c2", "the newest");
    server.assert_played();
}

#[tokio::test]
async fn a_session_is_made_anew_before_it_ends_and_the_old_one_logged_out() {
    let out = on("POST /api/logout?s=t1", 204, Value::Null);
    let answers = [login("t1", 1), me_with("t1"), out, login("t2", 1), me_with("t2")];
    let (server, system) = play(LOGIN, answers).await;
    system.probe().await.unwrap();
    tokio::time::sleep(Duration::from_millis(950)).await;
    system.probe().await.unwrap();
    assert_eq!(server.asked()[2].headers["session-token"], "t1");
    server.assert_played();
}

#[tokio::test]
async fn a_session_that_the_system_has_ended_is_made_anew_once() {
    let ended = |token| on(&format!("GET /api/me?s={token}"), 401, Value::Null);
    let answers = [login("t1", 600), ended("t1"), login("t2", 600), me_with("t2")];
    let (server, system) = play(LOGIN, answers).await;
    system.probe().await.unwrap();
    server.assert_played();

    let answers = [login("t1", 600), ended("t1"), login("t2", 600), ended("t2")];
    let (server, system) = play(LOGIN, answers).await;
    let error = system.probe().await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Reauthorize);
    server.assert_played();
}

#[tokio::test]
async fn a_session_is_kept_between_openings_and_dropped_with_other_credentials() {
    let answers = [login("t1", 600), me_with("t1"), me_with("t1"), login("t2", 600), me_with("t2")];
    let (server, url) = Server::start(answers).await;
    let engine = engine(LOGIN);
    open(&engine, &url).probe().await.unwrap();
    open(&engine, &url).probe().await.unwrap();
    let mut other = CREDENTIALS;
    other[1].1 = "another";
    let target = support::target("made-up", json!({"url": url}), &other);
    engine.open(target).unwrap().probe().await.unwrap();
    assert_eq!(server.asked()[3].text, "user=planted-user&password=another");
    server.assert_played();
}

#[tokio::test]
async fn of_several_calls_at_once_one_logs_in() {
    let answers = [login("t1", 600), me_with("t1"), me_with("t1"), me_with("t1")];
    let (server, system) = play(LOGIN, answers).await;
    let (a, b, c) = tokio::join!(system.probe(), system.probe(), system.probe());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    server.assert_played();
}

#[tokio::test]
async fn of_several_calls_at_once_one_is_refused_for_all_and_who_comes_later_asks_again() {
    let refused = || on("POST /api/login", 401, Value::Null);
    let (server, system) = play(LOGIN, [refused(), refused()]).await;
    let (a, b, c) = tokio::join!(system.probe(), system.probe(), system.probe());
    for told in [a, b, c] {
        assert_eq!(told.unwrap_err().class, SystemErrorClass::Reauthorize);
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(system.probe().await.unwrap_err().class, SystemErrorClass::Reauthorize);
    server.assert_played();
}

#[tokio::test]
async fn logging_out_ends_the_session_that_is_kept() {
    let out = on("POST /api/logout?s=t1", 500, Value::Null);
    let answers = [login("t1", 600), me_with("t1"), out, login("t2", 600), me_with("t2")];
    let (server, system) = play(LOGIN, answers).await;
    system.probe().await.unwrap();
    system.log_out().await;
    system.log_out().await;
    system.probe().await.unwrap();
    server.assert_played();
}

const CSRF: &str = r#"
auth:
  csrf:
    over: { basic: { username: "{credentials.username}", password: "{credentials.password}" } }
    fetch: { method: GET, path: "", headers: { X-CSRF-Token: Fetch } }
    token: { header: x-csrf-token }
    headers: { X-CSRF-Token: "{csrf.token}" }
    refused: { status: [403], header: { name: x-csrf-token, equals: required } }
passthrough: { allow: [{ methods: [GET, POST], path: "/**" }] }
"#;

fn fetch(token: &str, cookie: &str) -> Exchange {
    on("GET /api/", 200, Value::Null)
        .header("x-csrf-token", token)
        .header("set-cookie", &format!("SAP={cookie}; Path=/"))
}

fn order(status: u16) -> Exchange {
    on("POST /api/orders", status, json!({"id": 5}))
}

#[tokio::test]
async fn a_write_carries_a_fetched_token_and_its_cookies_and_a_read_does_not() {
    let (server, system) = play(CSRF, [me(), fetch("x1", "c1"), order(201), order(201)]).await;
    system.probe().await.unwrap();
    assert_eq!(post(&system, "/orders", json!({})).await.unwrap().status, 201);
    assert_eq!(post(&system, "/orders", json!({})).await.unwrap().status, 201);
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.headers.contains_key("authorization")));
    assert!(!asked[0].headers.contains_key("x-csrf-token"));
    assert_eq!(asked[1].headers["x-csrf-token"], "Fetch");
    for asked in &asked[2..] {
        assert_eq!(
            (&asked.headers["x-csrf-token"], &asked.headers["cookie"]),
            (&"x1".parse().unwrap(), &"SAP=c1".parse().unwrap(),)
        );
    }
    server.assert_played();
}

#[tokio::test]
async fn a_refused_token_is_fetched_anew_once() {
    let no = || order(403).header("x-csrf-token", "Required");
    let (server, system) =
        play(CSRF, [fetch("x1", "c1"), no(), fetch("x2", "c2"), order(201)]).await;
    assert_eq!(post(&system, "/orders", json!({"n": 1})).await.unwrap().status, 201);
    let asked = server.asked();
    assert_eq!(asked[3].headers["x-csrf-token"], "x2");
    assert_eq!(asked[3].headers["cookie"], "SAP=c2");
    assert_eq!((&asked[1].body, &asked[3].body), (&json!({"n": 1}), &json!({"n": 1})));
    server.assert_played();

    let (server, system) = play(CSRF, [fetch("x1", "c"), no(), fetch("x2", "c"), no()]).await;
    assert_eq!(post(&system, "/orders", json!({})).await.unwrap().status, 403);
    server.assert_played();
    let (server, system) = play(CSRF, [fetch("x1", "c"), order(403)]).await;
    assert_eq!(post(&system, "/orders", json!({})).await.unwrap().status, 403);
    server.assert_played();
}

#[tokio::test]
async fn without_a_token_nothing_is_written() {
    let (server, system) = play(CSRF, [on("GET /api/", 200, Value::Null)]).await;
    let error = post(&system, "/orders", json!({})).await.unwrap_err();
    assert_eq!((error.class, error.sent), (SystemErrorClass::Malformed, false));
    let refused = on("GET /api/", 401, Value::Null);
    let (_, other) = play(CSRF, [refused]).await;
    let error = post(&other, "/orders", json!({})).await.unwrap_err();
    assert_eq!((error.class, error.sent), (SystemErrorClass::Reauthorize, false));
    server.assert_played();
}

const OAUTH: &str = r#"
auth:
  oauth2_client:
    client: { id: "{credentials.username}", secret: "{credentials.password}", style: post }
    scopes: [read, write]
    token: { url: "https://login.example/{settings.url}/token" }
"#;

#[tokio::test]
async fn an_oauth_connection_is_not_opened_without_tokens() {
    let engine = engine(OAUTH);
    let target = support::target("made-up", json!({"url": "https://x.example"}), &CREDENTIALS);
    let error = engine.open(target).unwrap_err();
    assert_eq!(error.code, ErrorCode::FieldRequired);
    assert!(error.message.contains("login page"), "{}", error.message);
}

#[test]
fn oauth_of_each_kind_is_checked() {
    let code = r#"
auth:
  oauth2_code:
    authorize_url: "https://login.example/authorize"
    authorize_params: { access_type: offline }
    client: { id: "{registration.client_id}", secret: "{registration.client_secret}" }
    scopes: [a, b]
    scope_separator: ","
    token:
      url: "https://login.example/token"
      params: { audience: x }
      rotates: true
      idle_days: 90
      keep: { instance: "{answer.instance_url}" }
"#;
    let jwt = r#"
auth:
  oauth2_jwt:
    assertion:
      algorithm: RS256
      key: "{credentials.password}"
      key_id: "{credentials.key}"
      claims: { iss: "{credentials.username}", aud: "https://login.example/token", scope: [a, b] }
    token: { url: "https://login.example/token", life_seconds: 3600 }
"#;
    for (good, what, instead, said) in [
        (code, "", "", ""),
        (jwt, "", "", ""),
        (OAUTH, "", "", ""),
        (code, "https://login.example/token", "http://login.example/token", "begins with https://"),
        (code, "https://login.example/token", "http://127.0.0.1:9/token", ""),
        (OAUTH, "https://login.example/{settings.url}/token", "{settings.url}/token", ""),
        (
            code,
            "https://login.example/authorize",
            "{settings.url}/authorize",
            "begins with https://",
        ),
        (code, "/authorize\"", "/{credentials.key}\"", "may only name settings"),
        (code, "access_type: offline", "state: fixed", "state: is set by itself"),
        (code, "registration.client_id", "registration.name", "no `{registration.name}`"),
        (code, ", secret: \"{registration.client_secret}\"", "", "has a `secret`"),
        (code, "scopes: [a, b]", "scopes: [a b]", "are words"),
        (code, "audience: x", "audience: \"{page.size}\"", "`{page.size}` cannot be named here"),
        (
            code,
            "keep:",
            "send: { headers: { X-T: fixed } }\n      keep:",
            "puts `{oauth.access_token}` nowhere",
        ),
        (code, "rotates: true", "rotated: true", "rotated"),
        (OAUTH, "style: post", "style: none", "has a `secret`, or the style `none`"),
        (jwt, "RS256", "HS256", "HS256"),
        (jwt, "iss:", "issuer:", "have `iss` and `aud`"),
        (jwt, "scope: [a, b]", "exp: 7", "exp: is set by itself"),
    ] {
        let changed = good.replacen(what, instead, 1);
        if said.is_empty() {
            let read = Manifest::read(&with(&changed));
            assert!(read.is_ok(), "{read:?}");
        } else {
            assert!(good.contains(what), "{what}");
            assert!(refused(&changed).contains(said), "{instead}: {}", refused(&changed));
        }
    }
}

#[test]
fn what_cannot_be_meant_of_authentication_is_refused() {
    for (auth, said) in [
        ("auth: { api_key: { headers: { X-Key: fixed } } }", "puts `{credentials}` nowhere"),
        (
            "auth: { api_key: { headers: { Host: \"{credentials.key}\" } } }",
            "no header that can be",
        ),
        ("auth: { bearer: { token: \"{credentials.nope}\" } }", "cannot be named here"),
        (&LOGIN.replace("{session.token}", "{session.nope}"), "`{session.nope}` cannot be named"),
        ("auth: { login: { steps: [], cookies: true } }", "has no steps"),
        (
            "auth: { login: { steps: [{ request: { method: GET, path: x } }] } }",
            "carries the session nowhere",
        ),
        (&CSRF.replace("method: GET, path: \"\"", "method: POST, path: \"\""), "fetch: is a GET"),
        (&CSRF.replace("\"{csrf.token}\"", "fixed"), "puts `{csrf}` nowhere"),
        (&CSRF.replace("csrf.token", "csrf.tokens"), "there is no `{csrf.tokens}`"),
        ("auth: { headers: { X-Key: \"{credentials.key}\" } }", "unknown variant"),
    ] {
        assert!(refused(auth).contains(said), "{said}: {}", refused(auth));
    }
}
