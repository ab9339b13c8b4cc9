//! No credential, token or cookie is in an error, in what is printed, or in a log.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use millwright_connector::Pull;
use millwright_core::Error;
use support::http::{lost, page};
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// The credentials, in every form in which they could slip out.
const CREDENTIAL_FORMS: [&str; 6] = [
    "planted-user",
    "planted pass/word",
    "planted+pass%2Fword",
    "planted%20pass%2Fword",
    "planted-key+1",
    "planted-hook",
];

/// What is made of them, by kind of authentication.
const BASIC: &[&str] = &["cGxhbnRlZC11c2VyOnBsYW50ZWQgcGFzcy93b3Jk"];
const SESSION: &[&str] =
    &["planted-token-of-a-session", "cGxhbnRlZC10b2tlbi1vZi1hLXNlc3Npb24=", "planted-cookie"];
const CSRF: &[&str] =
    &["cGxhbnRlZC11c2VyOnBsYW50ZWQgcGFzcy93b3Jk", "planted-csrf", "planted-cookie"];

fn all() -> String {
    [&CREDENTIAL_FORMS, BASIC, SESSION, CSRF].concat().join(" and ")
}

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

const KINDS: [(&[&str], &str); 5] = [
    (
        BASIC,
        "auth: { basic: { username: \"{credentials.username}\", password: \"{credentials.password}\" } }",
    ),
    (&[], "auth: { bearer: { token: \"{credentials.key}\" } }"),
    (
        &[],
        "auth: { api_key: { headers: { Api-Key: \"{credentials.key}\" }, query: { p: \"{credentials.password}\" } } }",
    ),
    (
        SESSION,
        r#"auth:
  login:
    steps:
      - request: { method: POST, path: login, json: { u: "{credentials.username}", p: "{credentials.password}" } }
        keep: { token: "{answer.token}" }
    headers: { Authorization: "Session {session.token|base64}" }
    cookies: true"#,
    ),
    (
        CSRF,
        r#"auth:
  csrf:
    over: { basic: { username: "{credentials.username}", password: "{credentials.password}" } }
    fetch: { method: GET, path: token }
    token: { path: token }
    headers: { X-CSRF-Token: "{csrf.token}" }
    refused: { status: [403] }"#,
    ),
];

const RULES: &str = r#"
errors: [{ when: { path: said }, class: validation, code: said, message: said, field: said, say: no }]
passthrough: { allow: [{ methods: [GET, POST], path: "/**" }] }
"#;

/// A system that quotes everything it was ever told.
fn telltale() -> Value {
    json!({"said": all()})
}

/// What a server says to each request, whatever it is.
async fn server(answer: impl Fn(&str) -> Exchange) -> (Server, String) {
    let token = json!({"token": "planted-token-of-a-session"});
    let csrf = json!({"token": "planted-csrf"});
    let cookie = "sid=planted-cookie; Path=/";
    let (server, url) = Server::start([]).await;
    server.always(on("POST /api/login", 200, token).header("set-cookie", cookie));
    server.always(on("GET /api/token", 200, csrf).header("set-cookie", cookie));
    for path in ["GET /api/me", "POST /api/x", "GET /api/topics"] {
        for query in ["", "?p=planted+pass%2Fword", "?after=", "?after=&p=planted+pass%2Fword"] {
            server.always(answer(&format!("{path}{query}")));
        }
    }
    (server, url)
}

async fn everything_printed(system: &System) -> String {
    let mut printed = format!("{system:?}");
    let mut add = |error: SystemError| {
        let contract = Error::from(error.clone());
        let write = error.clone().into_write_error();
        printed += &format!(" {error} {error:?} {contract} {contract:?} {write} {write:?}");
    };
    // First what makes the engine fetch a token: the system can only quote what it has told.
    if let Some(error) = post(system, "/x", json!({})).await.err() {
        add(error);
    }
    if let Err(error) = system.probe().await {
        add(error);
    }
    if let Err(error) = system.pull("topics", &Pull::default()).await {
        add(error);
    }
    for error in [
        system.passthrough(&call("GET", "/me")).await.err(),
        post(system, "/x", json!({})).await.err(),
        system.verify_hook(&http::HeaderMap::new(), b"{}").err(),
    ] {
        error.into_iter().for_each(&mut add);
    }
    system.log_out().await;
    printed
}

#[tokio::test]
async fn no_credential_is_ever_told() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(log.clone())
        .finish();
    // Of all tests here: what a thread without a subscriber logs first, no other thread would log either.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    tracing::info!("the log works");
    let answers: [fn(&str) -> Exchange; 6] = [
        |request| on(request, 200, telltale()),
        |request| on(request, 401, telltale()),
        |request| page(request, 502, "text/html", &format!("<title>{}</title>", all())),
        |request| page(request, 400, "text/plain", &all()),
        |request| on(request, 302, Value::Null).header("location", "http://elsewhere.example/"),
        lost,
    ];
    for (own, auth) in KINDS {
        let engine = engine(&format!("{auth}\n{RULES}"));
        let mut printed = format!("{engine:?}");
        for answer in answers {
            let (server, url) = server(answer).await;
            let target = support::target("made-up", json!({"url": url}), &CREDENTIALS);
            printed += &format!("{target:?}");
            printed += &everything_printed(&open(&engine, &url)).await;
            assert!(!server.asked().is_empty());
        }
        printed += &everything_printed(&open(&engine, "http://127.0.0.1:1")).await;
        assert!(printed.contains("[hidden]"), "{printed}");
        for planted in CREDENTIAL_FORMS.iter().chain(own) {
            assert!(!printed.contains(planted), "{planted} is in {printed}");
        }
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("the log works") && logged.contains("no usable answer"), "{logged}");
    for planted in [&CREDENTIAL_FORMS, BASIC, SESSION, CSRF].concat() {
        assert!(!logged.contains(planted), "{planted} is in the log");
    }
}
