//! The OAuth server before clients that nobody here wrote, used as their documentation says.

use std::process::Stdio;

use millwright_tests::parts::{node_script, oauth_python, script};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::{
    access::scene::{BACK, Scene, text},
    link::visitor::Visitor,
};

/// A running client.
struct Client {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Client {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// What it says next.
    async fn says(&mut self) -> Value {
        let line = self.lines.next_line().await.unwrap();
        serde_json::from_str(&line.expect("the client goes on: its standard error says why not"))
            .unwrap()
    }

    async fn told(&mut self, line: &str) {
        let input = self.process.stdin.as_mut().unwrap();
        input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }
}

/// Lets a client of an application connect, as a user would have it, and answers with what it saw.
async fn seen(scene: &Scene, application: &Value, method: &str, mut command: Command) -> Value {
    let secret = application["client_secret"].as_str().unwrap_or_default();
    command.args([&scene.base, &text(application, "client_id"), secret, method, BACK]);
    let mut client = Client::start(command);
    let url = text(&client.says().await, "authorize");
    client.told(&user_connects(scene, &url).await).await;
    let seen = client.says().await;
    let connections = scene.admin.get("/v1/connections").await;
    let made = connections["data"].as_array().unwrap().last().unwrap();
    assert_eq!(seen["connection_id"], made["id"], "{seen}");
    assert_eq!(made["connector_id"], "sandbox");
    seen
}

/// A user comes by this address, connects a sandbox on the hosted pages, and is sent on.
async fn user_connects(scene: &Scene, url: &str) -> String {
    let path = url.strip_prefix(&scene.base).expect("the metadata leads to our own pages");
    let mut visitor = Visitor::new(&scene.base);
    let systems = visitor.get(path).await.after("<form", "action");
    let form = visitor.get(&systems.replace("/systems", "/connect/sandbox")).await;
    let (action, csrf) = form.form();
    let fields = [("csrf", csrf.as_str()), ("credentials.username", "ok")];
    let sent = visitor.post(&action, &fields).await;
    let connected = visitor.follow(sent).await;
    let left = visitor.get(&connected.after("class=\"actions\"", "href")).await;
    left.location().expect("the user is sent back")
}

/// What every client must have seen.
fn all_is_well(seen: &Value, method: &str) {
    let expected = json!({
        "token_type": "Bearer",
        "first_status": 200,
        "refreshed_status": 200,
        "another": true,
        "dead_status": 401,
        "dead_refresh": "invalid_grant",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&seen[name], value, "{name} of {seen}");
    }
    // Some libraries count it down.
    let about = |name: &str, seconds: u64| {
        let told = seen[name].as_u64().unwrap_or_default();
        assert!((seconds - 60..=seconds).contains(&told), "{name} of {seen}");
    };
    about("expires_in", 86_400);
    if method != "none" {
        assert_eq!(seen["workspace_status"], 200);
        about("workspace_expires", 3600);
    }
}

async fn application(scene: &Scene, method: &str) -> Value {
    scene.application(json!({ "public": method == "none" })).await
}

const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];

#[tokio::test]
async fn authlib_connects_refreshes_by_itself_and_revokes() {
    let scene = Scene::new().await;
    for method in METHODS {
        let mut command = Command::new(oauth_python());
        command.arg(script("oauth_client.py"));
        let seen = seen(&scene, &application(&scene, method).await, method, command).await;
        all_is_well(&seen, method);
        assert_eq!(seen["wrong_verifier"], "invalid_grant");
        assert_eq!(seen["wrong_secret"], "invalid_client");
        assert_eq!(seen["revoked"], 200);
    }
}

#[tokio::test]
async fn openid_client_discovers_connects_refreshes_and_revokes() {
    let scene = Scene::new().await;
    for method in METHODS {
        let mut command = Command::new("node");
        command.arg(node_script("oauth_client.mjs")).arg("openid-client");
        let seen = seen(&scene, &application(&scene, method).await, method, command).await;
        all_is_well(&seen, method);
    }
}

#[tokio::test]
async fn simple_oauth2_connects_refreshes_and_revokes() {
    let scene = Scene::new().await;
    for method in ["client_secret_basic", "client_secret_post"] {
        let mut command = Command::new("node");
        command.arg(node_script("oauth_client.mjs")).arg("simple-oauth2");
        let seen = seen(&scene, &application(&scene, method).await, method, command).await;
        all_is_well(&seen, method);
    }
}
