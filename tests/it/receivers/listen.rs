//! `millwright listen` as a developer uses it: a target that is down and comes up, a restart, two at once.

use std::{
    path::Path,
    process::{Command, ExitStatus},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use http::StatusCode;
use millwright_tests::{
    api::Api,
    millwright::{API_KEY, Millwright, command},
    process::Process,
    wait,
};
use serde_json::json;
use standardwebhooks::Webhook;

use super::{ids, polled, send};
use crate::scene::{LONG, text};

/// The program a developer works on: answers as told, keeps what it was sent, and verifies it.
#[derive(Clone)]
struct Target {
    status: Arc<AtomicU16>,
    secret: Arc<Mutex<String>>,
    seen: Arc<Mutex<Vec<(String, u16)>>>,
    url: String,
}

impl Target {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let target = Self {
            status: Arc::new(AtomicU16::new(200)),
            secret: Arc::default(),
            seen: Arc::default(),
            url,
        };
        let router = Router::new().route("/hook", post(Self::take)).with_state(target.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        target
    }

    async fn take(State(own): State<Self>, headers: HeaderMap, body: String) -> StatusCode {
        let secret = own.secret.lock().unwrap().clone();
        let right = secret.is_empty()
            || Webhook::new(&secret).unwrap().verify(body.as_bytes(), &headers).is_ok();
        let status = if right { own.status.load(Ordering::SeqCst) } else { 401 };
        let id = headers["webhook-id"].to_str().unwrap().to_owned();
        own.seen.lock().unwrap().push((id, status));
        StatusCode::from_u16(status).unwrap()
    }

    /// The ids that were answered with a 2xx, in order, with repetitions.
    fn taken(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(_, status)| *status == 200).map(|(id, _)| id.clone()).collect()
    }

    fn refused(&self) -> usize {
        self.seen.lock().unwrap().iter().filter(|(_, status)| *status != 200).count()
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

fn listen(millwright: &Millwright, log: &Path, words: &[&str]) -> Process {
    let mut listen: Command = command();
    listen.args(["listen", "--url", &millwright.url()]).args(words);
    Process::start(listen.env("MILLWRIGHT_API_KEY", API_KEY), log).unwrap()
}

/// Waits until it has ended: how, and what it printed.
async fn ended(mut process: Process) -> (ExitStatus, String) {
    for _ in 0..600 {
        if let Some(status) = process.ended() {
            return (status, process.output());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it does not end within a minute: {}", process.last_words());
}

/// Ends it as Ctrl-C does: cleanly.
async fn end(process: Process) -> String {
    process.interrupt();
    let (status, output) = ended(process).await;
    assert!(status.success(), "{output}");
    output
}

async fn took(target: &Target, sent: &[String]) {
    wait::until("the target has them", LONG, async || {
        let taken = target.taken();
        sent.iter().all(|id| taken.contains(id)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_message_reaches_a_target_that_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let millwright = Millwright::start(folder.path(), &[]).await;
    let api = millwright.api();
    let log = |name: &str| folder.path().join(name);
    a_listener_of_its_own_endpoint_leaves_nothing_behind(&millwright, &log("own")).await;
    let endpoint = polled(&api, json!({ "event_types": ["listen.*"] })).await;
    let secret = api.get(&format!("/v1/webhook-endpoints/{endpoint}/secret")).await;
    let target = Target::start().await;
    *target.secret.lock().unwrap() = text(&secret, "secret").to_owned();
    let words = ["--endpoint", &endpoint, "--forward", &target.url];

    // Down: it is tried again, and nothing is acknowledged.
    target.answer(503);
    let first = listen(&millwright, &log("first"), &words);
    let sent = send(&api, "listen.down", 2).await;
    wait::until("it is tried again", LONG, async || (target.refused() >= 3).then_some(())).await;
    assert_eq!(waiting(&api, &endpoint).await, 2);
    // Restarted while it is down: the other takes up where it was.
    drop(first);
    let again = listen(&millwright, &log("again"), &words);
    target.answer(200);
    took(&target, &sent).await;
    acknowledged(&api, &endpoint).await;
    let output = end(again).await;
    assert!(output.contains(&sent[0]) && output.contains("listen.down"), "{output}");

    // Two at once: nothing is lost.
    let (one, other) =
        (listen(&millwright, &log("one"), &words), listen(&millwright, &log("other"), &words));
    let sent = send(&api, "listen.two", 12).await;
    took(&target, &sent).await;
    acknowledged(&api, &endpoint).await;
    end(one).await;
    end(other).await;
}

async fn acknowledged(api: &Api, endpoint: &str) {
    wait::until("everything is acknowledged", LONG, async || {
        (waiting(api, endpoint).await == 0).then_some(())
    })
    .await;
}

/// How many messages are not acknowledged.
async fn waiting(api: &Api, endpoint: &str) -> usize {
    ids(&api.get(&format!("/v1/webhook-endpoints/{endpoint}/poll?limit=100")).await).len()
}

async fn a_listener_of_its_own_endpoint_leaves_nothing_behind(millwright: &Millwright, log: &Path) {
    let api = millwright.api();
    let listener = listen(millwright, log, &["--events", "own.*"]);
    wait::until("it receives", LONG, async || {
        listener.output().contains("receiving for ep_").then_some(())
    })
    .await;
    let sent = send(&api, "own.message", 2).await;
    send(&api, "foreign.message", 1).await;
    wait::until("it prints them", LONG, async || {
        let output = listener.output();
        sent.iter().all(|id| output.contains(id)).then_some(())
    })
    .await;
    let output = end(listener).await;
    assert!(!output.contains("foreign.message"), "{output}");
    assert!(api.all("/v1/webhook-endpoints").await.is_empty());
}

#[tokio::test]
async fn what_another_secret_signed_is_neither_forwarded_nor_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let millwright = Millwright::start(folder.path(), &[]).await;
    let (api, target) = (millwright.api(), Target::start().await);
    let endpoint = polled(&api, json!({ "event_types": ["listen.*"] })).await;
    let sent = send(&api, "listen.signed", 2).await;
    wait::until_equal("both are on offer", LONG, 2, async || waiting(&api, &endpoint).await).await;
    let listener = |name: &str, secret: &str| {
        let words = ["--endpoint", &endpoint, "--forward", &target.url, "--secret", secret];
        listen(&millwright, &folder.path().join(name), &words)
    };

    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let (status, output) = ended(listener("other", other)).await;
    assert!(!status.success(), "{output}");
    let told = |id: &String| format!("millwright: message {id} is not to be trusted: ");
    assert!(sent.iter().any(|id| output.contains(&told(id))), "{output}");
    assert!(!output.contains("listen.signed"), "it is not printed either: {output}");
    assert!(target.seen.lock().unwrap().is_empty());
    assert_eq!(waiting(&api, &endpoint).await, 2);

    // Whoever comes with the right one still gets them.
    let secret = api.get(&format!("/v1/webhook-endpoints/{endpoint}/secret")).await;
    let right = listener("right", text(&secret, "secret"));
    took(&target, &sent).await;
    acknowledged(&api, &endpoint).await;
    end(right).await;
}

#[tokio::test]
async fn what_cannot_be_listened_to_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let millwright = Millwright::start(folder.path(), &[]).await;
    let pushed = json!({ "url": "http://127.0.0.1:1/" });
    let pushed = millwright.api().post("/v1/webhook-endpoints", &pushed, 201).await;
    let strange = ["--endpoint", "ep_01jd8r2v7m5w3k9x1c4t6z8q0a"];
    let cases: Vec<Vec<&str>> = vec![
        vec!["--api-key", "mw_sk_test_wrong"],
        vec!["--secret", "whsec_!"],
        strange.to_vec(),
        vec!["--events", "not a type"],
        vec!["--forward", "ftp://127.0.0.1/"],
        vec!["--endpoint", text(&pushed, "id")],
    ];
    for words in cases {
        let mut listen = command();
        listen.args(["listen", "--url", &millwright.url()]).args(&words);
        if !words.contains(&"--api-key") {
            listen.env("MILLWRIGHT_API_KEY", API_KEY);
        }
        let output = listen.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{words:?}");
        assert!(told.starts_with("millwright: ") && told.lines().count() == 1, "{words:?}: {told}");
    }
}
