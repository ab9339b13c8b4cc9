//! What receivers do, and what becomes of deliveries to them: each kind of answer and of trouble, with
//! its class in the log, the time of the next attempt, and the states in which nothing is tried.

use std::{future::Future, io::Write, net::SocketAddr, time::Duration};

use flate2::{Compression, write::GzEncoder};
use http::Method;
use millwright_core::from_iso;
use millwright_tests::{api::Api, wait};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::scene::{LONG, Scene, text};

/// What work may take beyond a wait: on two busy cores, and with a margin of a second of our own.
const SLACK_MS: i64 = 10_000;

async fn post(api: &Api, name: &str, more: Value) {
    let mut message = json!({ "type": format!("{name}.sent"), "data": { "to": name } });
    for (field, value) in more.as_object().expect("fields") {
        message[field] = value.clone();
    }
    api.post("/v1/webhook-messages", &message, 202).await;
}

/// The one delivery of an endpoint's first message.
async fn delivery(api: &Api, endpoint: &str) -> Option<Value> {
    let path = format!("/v1/webhook-deliveries?endpoint_id={endpoint}");
    api.all(&path).await.into_iter().last()
}

async fn attempts(api: &Api, delivery: &Value) -> Vec<Value> {
    let path = format!("/v1/webhook-deliveries/{}/attempts", text(delivery, "id"));
    api.get(&path).await["data"].as_array().expect("attempts").clone()
}

/// The times of a delivery's attempts in milliseconds after the first.
async fn times(api: &Api, delivery: &Value) -> Vec<i64> {
    let at = |attempt: &Value| from_iso(text(attempt, "at")).expect("a time");
    let all: Vec<i64> = attempts(api, delivery).await.iter().map(at).collect();
    all.iter().map(|at| at - all[0]).collect()
}

/// Steps from one planned attempt to the next until none is planned.
async fn to_the_end(scene: &Scene) {
    let api = scene.api();
    loop {
        let planned = api.all("/v1/webhook-deliveries?limit=100").await;
        let time = |one: &Value| from_iso(one["next_attempt_at"].as_str()?);
        let Some(next) =
            planned.iter().filter(|one| time(one).is_some()).min_by_key(|one| time(one))
        else {
            return;
        };
        scene.millwright.step_to(time(next).expect("it has one")).await;
        let path = format!("/v1/webhook-deliveries/{}", text(next, "id"));
        wait::until("the planned attempt is made", LONG, async || {
            let now = api.get(&path).await;
            (now["next_attempt_at"] != next["next_attempt_at"]).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn every_wish_of_a_receiver_and_of_its_owner_is_respected() {
    // Nothing goes through a proxy, whatever the environment says: at this one nobody listens.
    let scene = Scene::new(&[
        "--step-clock",
        "HTTP_PROXY=http://127.0.0.1:9",
        "ALL_PROXY=http://127.0.0.1:9",
    ])
    .await;
    let api = scene.api();
    let endpoint = async |name: &str, more: Value| {
        let mut request = more;
        request["event_types"] = json!([format!("{name}.*")]);
        scene.endpoint(name, request).await
    };
    let own = endpoint("own", json!({ "retry_schedule": [60, 600] })).await;
    let slow = endpoint("slow", json!({})).await;
    let recovers = endpoint("recovers", json!({})).await;
    let gone = endpoint("gone", json!({})).await;
    let leaves = endpoint("leaves", json!({})).await;
    let refuses = endpoint("refuses", json!({})).await;
    let mortal = endpoint("mortal", json!({})).await;
    let paused = endpoint("paused", json!({})).await;
    let unwanted = endpoint("unwanted", json!({})).await;
    for (hook, rules) in [
        ("own", json!({ "answer": 500 })),
        ("slow", json!({ "answer": 503, "retry_after": 86_400, "times": 1 })),
        ("recovers", json!({ "answer": 500, "times": 3 })),
        ("gone", json!({ "answer": 410 })),
        ("leaves", json!({ "answer": 200, "headers": { "webhook-delivery": "disable" } })),
        ("refuses", json!({ "answer": 422, "headers": { "webhook-delivery": "abort-message" } })),
        ("mortal", json!({ "answer": 500 })),
        ("unwanted", json!({ "answer": 500 })),
    ] {
        scene.receiver.set(hook, &rules).await;
    }
    api.post(&format!("/v1/webhook-endpoints/{paused}/pause"), &json!({}), 200).await;
    for name in ["own", "slow", "recovers", "gone", "leaves", "refuses", "paused", "unwanted"] {
        post(&api, name, json!({})).await;
    }
    post(&api, "mortal", json!({ "ttl_seconds": 45 })).await;
    for one in [&own, &slow, &recovers, &gone, &leaves, &refuses, &mortal, &unwanted] {
        wait::until("the first attempt is over", LONG, async || {
            (delivery(&api, one).await?["attempt_count"] == 1).then_some(())
        })
        .await;
    }
    slowed(&scene, &slow).await;
    held_while_paused(&scene, &paused).await;
    given_up_by_hand(&api, &unwanted).await;
    to_the_end(&scene).await;

    let of = async |id: &str| delivery(&api, id).await.expect("a delivery");
    let failed = of(&own).await;
    assert_eq!(text(&failed, "status"), "failed", "after its own two retries");
    in_windows(&times(&api, &failed).await, &[60, 600]);
    let recovered = of(&recovers).await;
    assert_eq!(text(&recovered, "status"), "delivered");
    in_windows(&times(&api, &recovered).await, &[30, 60, 120]);
    let patient = of(&slow).await;
    assert_eq!((text(&patient, "status"), &patient["attempt_count"]), ("delivered", &json!(2)));
    let refused = of(&refuses).await;
    assert_eq!((text(&refused, "status"), text(&refused, "abort_reason")), ("aborted", "refused"));
    let expired = of(&mortal).await;
    assert_eq!((text(&expired, "status"), text(&expired, "abort_reason")), ("aborted", "expired"));
    assert_eq!(expired["attempt_count"], 2, "the third would have come after its time");
    disabled_as_asked(&api, &gone).await;
    let waiting = of(&gone).await;
    assert_eq!((text(&waiting, "status"), &waiting["attempt_count"]), ("held", &json!(1)));
    disabled_as_asked(&api, &leaves).await;
    let arrived = of(&leaves).await;
    assert_eq!((text(&arrived, "status"), &arrived["attempt_count"]), ("delivered", &json!(1)));
}

/// The waits between attempts, each as long as promised and at most a tenth longer.
fn in_windows(times: &[i64], waits_s: &[i64]) {
    assert_eq!(times.len(), waits_s.len() + 1, "{times:?}");
    for (pair, wait) in times.windows(2).zip(waits_s) {
        let (waited, wait) = (pair[1] - pair[0], wait * 1000);
        assert!((wait..=wait + wait / 10 + SLACK_MS).contains(&waited), "{waited} ms for {wait}");
    }
}

/// 503 with a `Retry-After` of a day slows the endpoint for an hour, other messages to it too.
async fn slowed(scene: &Scene, endpoint: &str) {
    let api = scene.api();
    let first = delivery(&api, endpoint).await.expect("a delivery");
    let next = |one: &Value| from_iso(one["next_attempt_at"].as_str().unwrap_or_default());
    let began = from_iso(text(&first, "last_attempt_at")).expect("a time");
    let wait = next(&first).expect("it waits") - began;
    assert!((3_600_000..3_600_000 + SLACK_MS).contains(&wait), "{wait} ms");
    post(&api, "slow", json!({})).await;
    let second = wait::until("the next message is put off", LONG, async || {
        let path = format!("/v1/webhook-deliveries?endpoint_id={endpoint}");
        let all = api.all(&path).await;
        all.into_iter().find(|one| one["id"] != first["id"] && next(one).is_some())
    })
    .await;
    assert_eq!((text(&second, "status"), &second["attempt_count"]), ("pending", &json!(0)));
    assert!(next(&second) >= Some(began + 3_600_000), "{second:#}");
}

async fn held_while_paused(scene: &Scene, endpoint: &str) {
    let api = scene.api();
    let held = wait::until("the message is held", LONG, async || {
        delivery(&api, endpoint).await.filter(|one| one["status"] == "held")
    })
    .await;
    assert!(held["held_since"].is_string() && held["next_attempt_at"].is_null(), "{held:#}");
    let retry = format!("/v1/webhook-deliveries/{}/retry", text(&held, "id"));
    let refused = api.call(Method::POST, &retry, Some(&json!({}))).await;
    assert_eq!(refused.status, 409);
    assert!(scene.receiver.deliveries("paused").is_empty());
    api.post(&format!("/v1/webhook-endpoints/{endpoint}/resume"), &json!({}), 200).await;
    wait::until("it is sent when the endpoint goes on", LONG, async || {
        delivery(&api, endpoint).await.filter(|one| one["status"] == "delivered").map(drop)
    })
    .await;
}

async fn given_up_by_hand(api: &Api, endpoint: &str) {
    let waiting = delivery(api, endpoint).await.expect("a delivery");
    assert_eq!(text(&waiting, "status"), "waiting");
    let abort = format!("/v1/webhook-deliveries/{}/abort", text(&waiting, "id"));
    let aborted = api.post(&abort, &json!({}), 200).await;
    assert_eq!((text(&aborted, "status"), text(&aborted, "abort_reason")), ("aborted", "by_hand"));
    assert_eq!(api.call(Method::POST, &abort, Some(&json!({}))).await.status, 409);
}

/// 410 disables the endpoint, and so does a header that asks for it.
async fn disabled_as_asked(api: &Api, endpoint: &str) {
    let row = api.get(&format!("/v1/webhook-endpoints/{endpoint}")).await;
    assert_eq!((text(&row, "status"), text(&row, "disabled_reason")), ("disabled", "refused"));
}

/// A server that reads a request's head and then does as told with the connection.
async fn raw<F, R>(act: F) -> SocketAddr
where
    F: Fn(TcpStream) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            tokio::spawn(act(stream));
        }
    });
    address
}

/// One that says this and closes.
async fn says(answer: impl AsRef<[u8]>) -> SocketAddr {
    let answer = answer.as_ref().to_vec();
    raw(move |mut stream| {
        let answer = answer.clone();
        async move {
            let _ = stream.write_all(&answer).await;
        }
    })
    .await
}

/// One that says this and then goes on for ever, this often.
async fn drips(head: &'static str, more: &'static [u8], pause: Duration) -> SocketAddr {
    raw(move |mut stream| async move {
        let _ = stream.write_all(head.as_bytes()).await;
        while stream.write_all(more).await.is_ok() {
            tokio::time::sleep(pause).await;
        }
    })
    .await
}

fn gzip_bomb() -> Vec<u8> {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..32 {
        bomb.write_all(&[0; 1 << 20]).unwrap();
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n";
    [head.as_bytes(), &bomb.finish().unwrap()].concat()
}

/// What a receiver does, and how its first attempts read: trigger and class each; none for arrived.
type Trouble = (&'static str, String, Vec<(&'static str, Option<&'static str>)>);

async fn troubles() -> Vec<Trouble> {
    const OK: &str = "HTTP/1.1 200 OK\r\n\r\n";
    const SECOND: Duration = Duration::from_secs(1);
    let once = |class| vec![("automatic", Some(class))];
    let twice = |class| vec![("automatic", Some(class)), ("reconnect", Some(class))];
    let http = |at: SocketAddr| format!("http://{at}/");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf";
    let moved = "HTTP/1.1 301 Moved\r\nlocation: /\r\ncontent-length: 0\r\n\r\n";
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let tls = format!("https://{}/", says("HTTP/1.1 400 Bad Request\r\n\r\n").await);
    vec![
        ("hangs", http(drips("", b"", SECOND).await), once("timeout")),
        ("a byte a second", http(drips(OK, b"x", SECOND).await), once("timeout")),
        (
            "endless body",
            http(drips(OK, &[b'x'; 65_536], Duration::ZERO).await),
            vec![("automatic", None)],
        ),
        (
            "endless headers",
            http(drips("HTTP/1.1 200 OK\r\n", &[b'x'; 65_536], Duration::ZERO).await),
            once("too_large"),
        ),
        ("gzip bomb", http(says(gzip_bomb()).await), vec![("automatic", None)]),
        ("reset before the answer", http(says("").await), twice("reset")),
        ("reset within the answer", http(says(half).await), once("reset")),
        ("closed", http(closed), twice("connect")),
        ("interim answers", http(says(interim).await), vec![("automatic", None)]),
        ("moved", http(says(moved).await), once("status")),
        ("no HTTP", http(says("220 mail ESMTP\r\n").await), once("malformed")),
        ("no TLS", tls, once("tls")),
        ("no such name", "http://nowhere.invalid/".to_owned(), once("dns")),
    ]
}

#[tokio::test]
async fn whatever_a_receiver_does_the_attempt_ends_in_time_and_says_what_it_was() {
    let scene = Scene::new(&[]).await;
    let api = scene.api();
    let mut expected = Vec::new();
    for (what, url, wanted) in troubles().await {
        let timeout = if what == "no such name" { 10 } else { 2 };
        let request = json!({
            "url": url, "event_types": ["torture.*"], "description": what, "timeout_seconds": timeout,
        });
        let made = api.post("/v1/webhook-endpoints", &request, 201).await;
        expected.push((what, text(&made, "id").to_owned(), wanted));
    }
    for forbidden in
        ["http://169.254.169.254/", "http://0xa9fea9fe/", "http://[64:ff9b::a9fe:a9fe]/"]
    {
        let request = json!({ "url": forbidden });
        let refused = api.call(Method::POST, "/v1/webhook-endpoints", Some(&request)).await;
        assert_eq!(refused.status, 422, "{forbidden}");
    }
    post(&api, "torture", json!({})).await;
    for (what, endpoint, wanted) in expected {
        let delivery = wait::until(what, LONG, async || {
            delivery(&api, &endpoint).await.filter(|one| one["attempt_count"] != 0)
        })
        .await;
        let attempts = attempts(&api, &delivery).await;
        let told: Vec<_> = attempts
            .iter()
            .take(wanted.len())
            .map(|one| (text(one, "trigger"), one["error_class"].as_str()))
            .collect();
        assert_eq!(told, wanted, "{what}: {attempts:#?}");
        for attempt in &attempts {
            assert!(attempt["latency_ms"].as_u64().unwrap() < 10_500, "{what}: {attempt:#}");
            let kept = attempt["response_body"].as_str().unwrap_or_default().len();
            assert!(kept <= 4096, "{what}: {kept} bytes are kept");
        }
        let arrived = wanted[0].1.is_none();
        assert_eq!(delivery["status"] == "delivered", arrived, "{what}");
        assert_eq!(delivery["next_attempt_at"].is_string(), !arrived, "{what}");
    }
}
