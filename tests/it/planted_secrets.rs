//! A whole run with secrets planted wherever one can enter, over paths that succeed and paths that fail;
//! then every answer, every line of the log and every file is searched for them in every form.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use http::Method;
use millwright_tests::{
    millwright::{API_KEY, Millwright},
    planted::Planted,
    process::free_port,
};
use serde_json::{Value, json};

use crate::link::visitor::Visitor;

/// A system that says back whatever it is told, in the manner it is told to.
#[derive(Clone, Default)]
struct Mirror(Arc<Mutex<Manner>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Manner {
    #[default]
    Well,
    Refuses,
    Forbids,
    Fails,
    Page,
    Garbage,
    Redirects,
    Limits,
    BreaksRules,
}

const FAILING: [Manner; 8] = [
    Manner::Refuses,
    Manner::Forbids,
    Manner::Fails,
    Manner::Page,
    Manner::Garbage,
    Manner::Redirects,
    Manner::Limits,
    Manner::BreaksRules,
];

impl Mirror {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    fn behave(&self, manner: Manner) {
        *self.0.lock().unwrap() = manner;
    }
}

async fn answer(
    State(mirror): State<Mirror>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let manner = *mirror.0.lock().unwrap();
    let heard = format!("{uri} {headers:?} {}", String::from_utf8_lossy(&body));
    let errors = json!({"errors": [heard], "error_type": "invalid_access"});
    let said = |status: u16, body: Value| {
        (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
    };
    match manner {
        Manner::Well if uri.path() == "/admin/users/list/staff.json" => {
            let staff =
                json!([{"id": 1, "username": "system", "created_at": "2020-01-01T00:00:00.000Z"}]);
            (StatusCode::OK, axum::Json(staff)).into_response()
        }
        Manner::Well | Manner::BreaksRules => said(422, errors),
        Manner::Refuses => said(401, errors),
        Manner::Forbids => said(403, errors),
        Manner::Fails => (StatusCode::INTERNAL_SERVER_ERROR, heard).into_response(),
        Manner::Page => {
            let page = format!("<html><title>{heard}</title><body>{heard}</body></html>");
            ([(header::CONTENT_TYPE, "text/html")], page).into_response()
        }
        Manner::Garbage => format!("{{\"oops\": {heard}").into_response(),
        Manner::Redirects => {
            let to = format!("/elsewhere?{}", uri.query().unwrap_or_default());
            (StatusCode::FOUND, [(header::LOCATION, to)], heard).into_response()
        }
        Manner::Limits => said(429, errors),
    }
}

/// Calls of the API, each of whose answers is kept to be searched.
struct Caller {
    base: String,
    client: reqwest::Client,
    told: Mutex<Vec<(String, String)>>,
}

impl Caller {
    fn new(base: String) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60));
        Self { base, client: client.build().unwrap(), told: Mutex::default() }
    }

    /// A call whose answer must not tell a secret.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let (status, text, head) = self.ask(method.clone(), path, body, headers).await;
        let what = format!("the answer to {method} {path} ({status})");
        self.told.lock().unwrap().push((what, format!("{head}\n{text}")));
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    /// A call whose answer is meant to show a secret, this once.
    async fn shown(&self, method: Method, path: &str, body: &str) -> Value {
        let (status, text, _) = self.ask(method.clone(), path, body, &[]).await;
        assert!((200..300).contains(&status), "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> (u16, String, String) {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !headers.iter().any(|(name, _)| *name == "Authorization") {
            request = request.bearer_auth(API_KEY);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.header("Content-Type", "application/json").body(body.to_owned());
        }
        let answer = request.send().await.unwrap();
        let (status, head) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
        (status, answer.text().await.unwrap(), head)
    }
}

/// What the run works with.
struct Run {
    caller: Caller,
    mirror: Mirror,
    system: String,
    planted: Planted,
    /// What callers send through to the system themselves, and the system may say back to them: it is
    /// in no log and no file.
    sent_through: Planted,
    count: u32,
}

impl Run {
    /// A fresh secret with characters that every form writes differently.
    fn plant(&mut self, what: &str) -> String {
        self.count += 1;
        let text = format!("pl4nt\"ed-{:03}/k\u{e4}se+&=%<{}>", self.count, self.count * 7919);
        self.planted.plant(what, &text)
    }

    /// The same of letters and digits alone: for what goes into a header.
    fn plant_plain(&mut self, what: &str) -> String {
        self.count += 1;
        let text = format!("pl4nted{:03}xQz{}Kv", self.count, self.count * 104_729);
        self.planted.plant(what, &text)
    }

    fn discourse(&mut self, url: &str, what: &str) -> Value {
        let (key, hook) = (
            self.plant_plain(&format!("API key, {what}")),
            self.plant(&format!("webhook secret, {what}")),
        );
        json!({
            "connector_id": "discourse",
            "settings": {"url": url},
            "credentials": {"api_key": key, "api_username": "keeper", "webhook_secret": hook},
        })
    }

    fn tryton(&mut self, url: &str, what: &str) -> Value {
        let password = self.plant(&format!("password, {what}"));
        json!({
            "connector_id": "tryton",
            "settings": {"url": url, "database": "plant"},
            "credentials": {"username": "admin", "password": password},
        })
    }

    /// A form, as OAuth has it: the status and the text of the answer.
    async fn form(&self, path: &str, body: &str) -> (u16, String) {
        let request = self.caller.client.post(format!("{}{path}", self.caller.base));
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = request.body(body.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.caller.call(Method::POST, path, &body.to_string(), &[]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told_logged_or_stored_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["RUST_LOG=millwright=trace,info", "--verbose"];
    let mut millwright = Millwright::start(folder.path(), &options).await;
    let mirror = Mirror::default();
    let system = mirror.start().await;
    let mut planted = Planted::default();
    planted.plant("the first key", API_KEY);
    let caller = Caller::new(millwright.url());
    let sent_through = Planted::default();
    let mut run = Run { caller, mirror, system, planted, sent_through, count: 0 };

    refused_connections(&mut run).await;
    odd_requests(&mut run).await;
    let connection = a_connection(&mut run).await;
    calls_in_every_manner(&mut run, &connection).await;
    secrets_that_are_shown_once(&mut run, &connection).await;
    tokens_of_applications(&mut run, &connection).await;
    pages_of_a_link(&mut run).await;
    logging_in_again(&mut run, &connection).await;
    // Syncs, checks and deliveries go on for a moment, and fail.
    tokio::time::sleep(Duration::from_secs(3)).await;
    read_everything(&run, &connection).await;

    let mut found = Vec::new();
    for (what, text) in run.caller.told.lock().unwrap().iter() {
        found.extend(run.planted.found_in(what, text.as_bytes()));
    }
    let log = logged(&millwright.process().output());
    for planted in [&run.planted, &run.sent_through] {
        found.extend(planted.found_in("the log", log.as_bytes()));
        // While it runs, with what is in the write-ahead logs.
        found.extend(planted.found_under(millwright.data()));
    }
    // As a kill leaves it.
    millwright.kill_9();
    found.extend(run.planted.found_under(millwright.data()));
    assert!(run.planted.names().len() > 20, "{:?}", run.planted.names());
    assert!(run.caller.told.lock().unwrap().len() > 60);
    assert_eq!(found, [""; 0], "secrets got away");

    // The search can fail: one that is planted in a file there is found.
    std::fs::write(millwright.data().join("blobs/planted"), API_KEY).unwrap();
    assert_eq!(run.planted.found_under(millwright.data()).len(), 1);
}

/// What is logged: all that the process prints but its welcome, which shows whoever starts it the first
/// key and how to use it.
fn logged(output: &str) -> String {
    let is_welcome =
        |line: &&str| line.starts_with("API key") || line.trim_start().starts_with("curl ");
    let lines: Vec<&str> = output.lines().filter(|line| !is_welcome(line)).collect();
    assert!(lines.len() > 100, "it logs");
    lines.join("\n")
}

/// Connecting to systems that refuse, are not there, or are something else.
async fn refused_connections(run: &mut Run) {
    for manner in FAILING {
        run.mirror.behave(manner);
        let url = run.system.clone();
        let what = format!("{manner:?}");
        for body in [run.discourse(&url, &what), run.tryton(&url, &what)] {
            let (status, answer) = run.post("/v1/connections", &body).await;
            assert!(status >= 400, "{manner:?}: {answer}");
        }
    }
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let body = run.discourse(&nowhere, "nobody there");
    let (status, answer) = run.post("/v1/connections", &body).await;
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("SYSTEM_UNREACHABLE")));
    let inside = run.plant_plain("password in an address");
    let body = run.discourse(&format!("http://me:{inside}@127.0.0.1/"), "address with a password");
    assert_eq!(run.post("/v1/connections", &body).await.0, 422);
}

/// Requests that are wrong in some way, with a secret in them.
async fn odd_requests(run: &mut Run) {
    let secret = run.plant("in requests that are wrong");
    let plain = run.plant_plain("in headers and addresses that are wrong");
    for credentials in [
        json!({"api_key": [secret]}),
        json!({"api_key": "k", "api_username": "u", "nothing": secret}),
        json!(secret),
        json!({"api_key": {"deep": secret}}),
    ] {
        let body = json!({"connector_id": "discourse", "settings": {"url": run.system}, "credentials": credentials});
        let (status, answer) = run.post("/v1/connections", &body).await;
        assert!(status >= 400, "{answer}");
    }
    let text = json!({"connector_id": "discourse", "credentials": {"api_key": secret}}).to_string();
    run.caller.call(Method::POST, "/v1/connections", &text[..text.len() - 1], &[]).await;
    run.caller.call(Method::POST, "/v1/connections", &format!("{text}]"), &[]).await;
    let bearer = format!("Bearer mw_sk_test_{plain}");
    for authorization in [bearer.as_str(), &plain, "Basic bWU6cGw0bnRlZA=="] {
        let headers = [("Authorization", authorization)];
        let (status, _) = run.caller.call(Method::GET, "/v1/connections", "", &headers).await;
        assert_eq!(status, 401);
    }
    for path in [
        format!("/v1/connections?cursor={plain}"),
        format!("/v1/connections/{plain}"),
        format!("/hooks/{plain}"),
        format!("/nowhere/{plain}"),
    ] {
        let (status, _) = run.caller.call(Method::POST, &path, "{}", &[]).await;
        assert!(status >= 400, "{path}");
    }
}

async fn a_connection(run: &mut Run) -> String {
    run.mirror.behave(Manner::Well);
    let url = run.system.clone();
    let body = run.discourse(&url, "of the connection").to_string();
    // Its answer is kept under the key, sealed.
    let headers = [("Idempotency-Key", "once")];
    let (status, made) = run.caller.call(Method::POST, "/v1/connections", &body, &headers).await;
    assert_eq!(status, 201, "{made}");
    let again = run.caller.call(Method::POST, "/v1/connections", &body, &headers).await;
    assert_eq!(again.1["id"], made["id"]);
    made["id"].as_str().unwrap().to_owned()
}

async fn calls_in_every_manner(run: &mut Run, connection: &str) {
    let about = [("Connection-Id", connection)];
    let endpoint = json!({"url": format!("{}/receiver", run.system)});
    run.post("/v1/webhook-endpoints", &endpoint).await;
    for manner in [Manner::Well].into_iter().chain(FAILING) {
        run.mirror.behave(manner);
        let secret = format!("pl4nted-through/{manner:?}+&=");
        run.sent_through.plant(&format!("in a native call, {manner:?}"), &secret);
        let native =
            json!({"method": "GET", "path": "/latest.json", "query": {"password": secret}});
        run.caller.call(Method::POST, "/v1/passthrough", &native.to_string(), &about).await;
        for path in ["/v1/topics?live=true", "/v1/meta/topics", "/v1/categories?live=true"] {
            run.caller.call(Method::GET, path, "", &about).await;
        }
        let topic =
            json!({"title": "A title that is long enough", "raw": "A text that is long enough."});
        run.caller.call(Method::POST, "/v1/topics", &topic.to_string(), &about).await;
        run.caller.call(Method::POST, "/v1/sync", "{}", &about).await;
        run.caller
            .call(Method::POST, &format!("/v1/connections/{connection}/check"), "", &[])
            .await;
    }
}

/// Answers that show a secret are the only ones: that of making a key, of asking for an endpoint's
/// secret, and of asking for the address of a connection's webhooks.
async fn secrets_that_are_shown_once(run: &mut Run, connection: &str) {
    let made = run
        .caller
        .shown(Method::POST, "/v1/api-keys", r#"{"name": "second", "role": "read"}"#)
        .await;
    let key = made["key"].as_str().unwrap().to_owned();
    run.planted.plant("a second key", &key);
    let bearer = format!("Bearer {key}");
    run.caller.call(Method::GET, "/v1/api-keys", "", &[("Authorization", &bearer)]).await;
    let id = made["id"].as_str().unwrap();
    run.caller.call(Method::DELETE, &format!("/v1/api-keys/{id}"), "", &[]).await;
    run.caller.call(Method::GET, "/v1/api-keys", "", &[("Authorization", &bearer)]).await;

    let (_, endpoints) = run.caller.call(Method::GET, "/v1/webhook-endpoints", "", &[]).await;
    let endpoint = endpoints["data"][0]["id"].as_str().unwrap();
    let path = format!("/v1/webhook-endpoints/{endpoint}/secret");
    let shown = run.caller.shown(Method::GET, &path, "").await;
    let secret = shown["secret"].as_str().unwrap();
    run.planted.plant("an endpoint's secret", secret);
    run.planted.plant("an endpoint's secret, its key", secret.trim_start_matches("whsec_"));
    let message = json!({"type": "test.planted", "data": {"n": 1}});
    run.post("/v1/webhook-messages", &message).await;

    let path = format!("/v1/connections/{connection}/hook");
    for (method, path) in [(Method::GET, path.clone()), (Method::POST, format!("{path}/rotate"))] {
        let shown = run.caller.shown(method, &path, "").await;
        let url = shown["url"].as_str().unwrap().to_owned();
        let hook = url.rsplit('/').next().unwrap();
        run.planted.plant("the address of webhooks", hook);
        let forged = [("X-Discourse-Event-Signature", "sha256=00")];
        run.caller
            .call(Method::POST, &format!("/hooks/{hook}"), "{\"topic\":{\"id\":1}}", &forged)
            .await;
    }
}

/// An application's secret and tokens are shown by the answers that make them; then they are used, misused
/// and revoked.
async fn tokens_of_applications(run: &mut Run, connection: &str) {
    let new = json!({"name": "App", "redirect_uris": ["https://app.example/cb"], "role": "admin"});
    let made = run.caller.shown(Method::POST, "/v1/applications", &new.to_string()).await;
    let (client, secret) = (text(&made, "client_id"), text(&made, "client_secret"));
    run.planted.plant("an application's secret", &secret);
    let form = |grant: &str, more: &str| {
        format!("grant_type={grant}&client_id={client}&client_secret={secret}{more}")
    };
    let (status, body) = run.form("/oauth/token", &form("client_credentials", "")).await;
    assert_eq!(status, 200, "{body}");
    let token = text(&serde_json::from_str(&body).unwrap(), "access_token");
    run.planted.plant("a workspace token", &token);
    let path = format!("/v1/connections/{connection}/token");
    let shown = run.caller.shown(Method::POST, &path, "").await;
    let own = text(&shown, "access_token");
    run.planted.plant("a connection token", &own);
    for token in [&token, &own] {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str())];
        run.caller.call(Method::GET, "/v1/connection", "", &headers).await;
        run.caller.call(Method::GET, "/v1/applications", "", &headers).await;
    }
    let wrong = run.plant_plain("a code that is none");
    for body in [
        form("authorization_code", &format!("&code={wrong}&code_verifier={wrong}&redirect_uri=x")),
        form("refresh_token", &format!("&refresh_token={wrong}")),
        form("nothing", &format!("&assertion={wrong}")),
        format!("grant_type=client_credentials&client_id={client}&client_secret={wrong}"),
    ] {
        let (status, text) = run.form("/oauth/token", &body).await;
        assert!((400..500).contains(&status), "{text}");
        run.caller.told.lock().unwrap().push(("an answer of /oauth/token".to_owned(), text));
    }
    let (_, told) = run.form("/oauth/revoke", &form("", &format!("&token={token}"))).await;
    run.caller.told.lock().unwrap().push(("the answer of /oauth/revoke".to_owned(), told));
}

/// The address of a connect link is shown by the answer that makes it; then somebody opens it, and enters
/// passwords that the system says back in every manner.
async fn pages_of_a_link(run: &mut Run) {
    let new = json!({"connector_ids": ["tryton"], "name": "By link"}).to_string();
    let made = run.caller.shown(Method::POST, "/v1/connect-links", &new).await;
    let url = text(&made, "url");
    let secret = url.rsplit('/').next().unwrap();
    run.planted.plant("the address of a connect link", secret);
    let mut visitor = Visitor::new(&run.caller.base);
    let mut page = visitor.get(&format!("/link/{secret}")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for cookie in visitor.cookies.values() {
        run.planted.plant("a session of the pages", cookie);
    }
    for manner in FAILING {
        run.mirror.behave(manner);
        let password = run.plant(&format!("password on the page, {manner:?}"));
        let (action, csrf) = page.form();
        let fields = [
            ("csrf", csrf.as_str()),
            ("settings.url", &run.system),
            ("settings.database", "plant"),
            ("credentials.username", "admin"),
            ("credentials.password", &password),
        ];
        page = visitor.post(&action, &fields).await;
        let what = format!("the page after {manner:?} ({})", page.status);
        let head = format!("{:?}", page.headers);
        run.caller.told.lock().unwrap().push((what, format!("{head}\n{}", page.text)));
    }
    let id = text(&made, "id");
    for method in [Method::GET, Method::DELETE] {
        run.caller.call(method, &format!("/v1/connect-links/{id}"), "", &[]).await;
    }
    run.caller.call(Method::GET, "/v1/connect-links", "", &[]).await;
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

/// Credentials that are refused while logging in again, and some that are not.
async fn logging_in_again(run: &mut Run, connection: &str) {
    let path = format!("/v1/connections/{connection}/reconnect");
    let url = run.system.clone();
    for manner in FAILING.into_iter().filter(|manner| *manner != Manner::Limits) {
        run.mirror.behave(manner);
        let body = run.discourse(&url, &format!("again, {manner:?}"));
        let (status, answer) = run.post(&path, &json!({"credentials": body["credentials"]})).await;
        assert!(status >= 400, "{manner:?}: {answer}");
    }
    run.mirror.behave(Manner::Well);
    let body = run.discourse(&url, "again, well");
    let body = json!({"credentials": body["credentials"]});
    // The limit that it told of before is kept to, so it may take a while.
    let mut last = run.post(&path, &body).await;
    for _ in 0..60 {
        if last.0 != 429 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        last = run.post(&path, &body).await;
    }
    assert_eq!(last.0, 200, "{}", last.1);
    run.mirror.behave(Manner::Fails);
}

/// Every list and every thing that can be read.
async fn read_everything(run: &Run, connection: &str) {
    let about = [("Connection-Id", connection)];
    for path in [
        "/v1/connections",
        "/v1/api-keys",
        "/v1/audit-log",
        "/v1/webhook-endpoints",
        "/v1/webhook-messages",
        "/v1/webhook-deliveries",
        "/v1/connectors",
        "/openapi.json",
    ] {
        assert_eq!(run.caller.call(Method::GET, path, "", &[]).await.0, 200, "{path}");
    }
    for path in ["/v1/connection", "/v1/sync-status", "/v1/changes", "/v1/topics", "/v1/meta"] {
        run.caller.call(Method::GET, path, "", &about).await;
    }
    for path in ["", "/events"] {
        let path = format!("/v1/connections/{connection}{path}");
        assert_eq!(run.caller.call(Method::GET, &path, "", &[]).await.0, 200, "{path}");
    }
    let (_, deliveries) = run.caller.call(Method::GET, "/v1/webhook-deliveries", "", &[]).await;
    for delivery in deliveries["data"].as_array().into_iter().flatten() {
        let path = format!("/v1/webhook-deliveries/{}", delivery["id"].as_str().unwrap());
        run.caller.call(Method::GET, &path, "", &[]).await;
        run.caller.call(Method::GET, &format!("{path}/attempts"), "", &[]).await;
    }
    run.caller
        .call(Method::POST, &format!("/v1/connections/{connection}/disconnect"), "", &[])
        .await;
}
