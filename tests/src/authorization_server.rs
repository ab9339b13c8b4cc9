//! An authorization server that nobody here wrote, with a system behind it: `tests/node/provider.mjs`.

use std::{collections::BTreeMap, path::Path, process::Command, time::Duration};

use reqwest::{Client, Response, StatusCode, Url, header, redirect::Policy};
use serde_json::Value;

use crate::{
    parts,
    process::{Process, free_port},
    wait,
};

/// Where it sends people back to. Nobody listens there: the test reads the address.
pub const REDIRECT_URI: &str = "http://127.0.0.1:1/link/callback";

/// What addresses it sends people back to begin with.
const NOWHERE: &str = "http://127.0.0.1:1/";

/// A running server.
#[derive(Debug)]
pub struct AuthorizationServer {
    base: String,
    client: Client,
    process: Process,
}

/// What a person's consent gave.
#[derive(Clone, Debug)]
pub struct Consent {
    /// The code.
    pub code: String,
    /// The state that came back with it.
    pub state: String,
}

impl AuthorizationServer {
    /// Starts one whose log is in `folder`.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(folder: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new("node");
        command.arg(parts::node_script("provider.mjs")).arg(port.to_string()).arg(REDIRECT_URI);
        let process = Process::start(&mut command, &folder.join("provider.log"));
        let client = Client::builder().no_proxy().redirect(Policy::none()).build();
        let server = Self {
            base: format!("http://127.0.0.1:{port}"),
            client: client.expect("a client"),
            process: process.expect("node can be started"),
        };
        wait::until("the authorization server listens", Duration::from_secs(30), async || {
            server.client.get(server.control()).send().await.ok()
        })
        .await;
        server
    }

    /// Its address, and that of the system (`/api`).
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// What it has seen so far.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn seen(&self) -> Value {
        let told = self.client.get(self.control()).send().await.expect("the server answers");
        told.json().await.expect("counts")
    }

    /// How many tokens it gave in this way (`grant_type`).
    pub async fn given(&self, grant_type: &str) -> u64 {
        self.seen().await["given"][grant_type].as_u64().unwrap_or_default()
    }

    /// Changes how it behaves; answers with what it has seen.
    ///
    /// # Panics
    /// When it does not take it.
    pub async fn set(&self, how: &Value) -> Value {
        let set = self.client.post(self.control()).json(how).send().await;
        set.expect("the server answers").json().await.expect("counts")
    }

    /// Logs in and consents on its pages, as a person would.
    ///
    /// # Panics
    /// When its pages are not as expected; the message shows the last one.
    pub async fn consent(&self, page: &str) -> Consent {
        let mut cookies = BTreeMap::new();
        let mut at = Url::parse(page).expect("an address");
        let mut answer = self.visit(&mut cookies, &at, None).await;
        for _ in 0..12 {
            if let Some(next) = location(&answer, &at) {
                if next.as_str().starts_with(NOWHERE) {
                    return consented(&next);
                }
                at = next;
                answer = self.visit(&mut cookies, &at, None).await;
                continue;
            }
            assert_eq!(answer.status(), StatusCode::OK, "{at}");
            let html = answer.text().await.expect("a page");
            let prompt = between(&html, "name=\"prompt\" value=\"", "\"").unwrap_or_else(|| {
                panic!("a page without a form at {at}: {html}");
            });
            let action = between(&html, "action=\"", "\"").expect("a form has an action");
            at = at.join(action).expect("an address");
            let form = match prompt {
                "login" => "prompt=login&login=planner&password=any".to_owned(),
                other => format!("prompt={other}"),
            };
            answer = self.visit(&mut cookies, &at, Some(form)).await;
        }
        panic!("no end of pages; the last one was {at}");
    }

    async fn visit(
        &self,
        cookies: &mut BTreeMap<String, String>,
        at: &Url,
        form: Option<String>,
    ) -> Response {
        let request = match form {
            None => self.client.get(at.clone()),
            Some(form) => self
                .client
                .post(at.clone())
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form),
        };
        let line: Vec<String> =
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(header::COOKIE, line.join("; ")).send().await;
        let answer = answer.expect("the server answers");
        for set in answer.headers().get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap_or_default();
            let pair = set.split(';').next().and_then(|pair| pair.split_once('='));
            let Some((name, value)) = pair else { continue };
            cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    fn control(&self) -> String {
        format!("{}/control", self.base)
    }

    /// What it has printed.
    #[must_use]
    pub fn last_words(&self) -> String {
        self.process.last_words()
    }
}

fn location(answer: &Response, at: &Url) -> Option<Url> {
    answer.status().is_redirection().then_some(())?;
    at.join(answer.headers().get(header::LOCATION)?.to_str().ok()?).ok()
}

fn consented(at: &Url) -> Consent {
    let asked = |wanted: &str| {
        let found = at.query_pairs().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let consent = Consent { code: asked("code"), state: asked("state") };
    assert!(!consent.code.is_empty(), "no consent: {at}");
    consent
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}
