//! Large bodies: in S3 as moto speaks it, and how they go.

use std::{path::Path, process::Command, time::Duration};

use bytes::Bytes;
use http::Method;
use millwright_blob::Blob;
use millwright_core::Clock;
use millwright_tests::{
    api::Api,
    parts,
    process::{Process, free_port},
    pump::{Pump, TIME_LIMIT},
    receiver::Receiver,
    wait,
};
use serde_json::json;

use crate::{
    in_process::{self, Variables, source},
    life::ground::Ground,
    scene::{LONG, text},
};

/// A bucket. It ends with this.
struct Bucket {
    url: String,
    _process: Process,
}

impl Bucket {
    async fn start(folder: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(parts::moto_python());
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = Process::start(&mut command, &folder.join("moto.log")).unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        wait::until("moto makes a bucket", LONG, async || {
            let made = client.put(format!("{url}/bodies")).send().await.ok()?;
            made.status().is_success().then_some(())
        })
        .await;
        Self { url, _process: process }
    }

    /// The variables that lead there.
    fn name_in(&self, variables: &mut Variables) {
        for (name, value) in [
            ("MILLWRIGHT_BLOB", "s3://bodies/blobs"),
            ("AWS_ENDPOINT_URL_S3", &self.url),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "any"),
            ("AWS_SECRET_ACCESS_KEY", "any"),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// A caller of an instance with this clock, which may call this machine.
async fn instance(ground: &Ground, clock: Clock) -> Api {
    let context = in_process::context(&ground.variables, clock, &ground.cloud.sdk());
    let outbound = in_process::outbound_to_loopback();
    let api = in_process::serve_with(&context, outbound, |_| {}).await;
    api.with_key(Some(ground.key()))
}

#[tokio::test]
async fn a_body_of_over_48_kb_goes_through_s3_and_is_gone_when_it_is_expunged() {
    let mut ground = Ground::new().await;
    let bucket = Bucket::start(ground.folder()).await;
    bucket.name_in(&mut ground.variables);
    let blob = Blob::from_source(&source(&ground.variables)).unwrap();
    bodies_are_kept_and_deleted(&blob).await;

    let receiver = Receiver::start(ground.folder()).await;
    let pump = Pump::start(&ground.cloud, &source(&ground.variables), Clock::system()).await;
    let api = instance(&ground, Clock::system()).await;
    let endpoint = json!({ "url": receiver.url("large"), "event_types": ["own.*"] });
    let endpoint = api.post("/v1/webhook-endpoints", &endpoint, 201).await;
    let secret = api.get(&format!("/v1/webhook-endpoints/{}/secret", text(&endpoint, "id"))).await;
    receiver.know_secret("large", text(&secret, "secret")).await;
    let data = format!(r#"{{ "n": 1.50,  "text": "{}" }}"#, "ü".repeat(100_000));
    let request = format!(r#"{{"type": "own.large", "data": {data}}}"#);
    let body = Some(("application/json", request));
    let made = api.raw(Method::POST, "/v1/webhook-messages", body).await.expect(202);
    let folder = format!("{}/messages", ground.workspace.id);
    assert_eq!(blob.folders(&folder).await.unwrap().len(), 1, "it is under its day");
    let arrived = wait::until("the message arrives", LONG, async || {
        pump.turn(TIME_LIMIT, None).await;
        receiver.deliveries("large").into_iter().next()
    })
    .await;
    assert!(arrived.verified, "{:?}", arrived.refusal);
    assert!(arrived.body.ends_with(&format!(r#","data":{data}}}"#)));
    let path = format!("/v1/webhook-messages/{}", text(&made, "id"));
    assert_eq!(api.get(&path).await["data"]["text"].as_str().unwrap().chars().count(), 100_000);
    assert_eq!(api.call(Method::POST, &format!("{path}/expunge"), None).await.status, 200);
    assert!(blob.folders(&folder).await.unwrap().is_empty(), "nothing is left of it");
    assert!(api.get(&path).await.get("data").is_none());
}

async fn bodies_are_kept_and_deleted(blob: &Blob) {
    let large = Bytes::from(vec![7; 1_100_000]);
    for path in ["ws_1/messages/2026-01-01/msg_1", "ws_1/messages/2026-01-02/msg_2", "ws_1/more"] {
        assert_eq!(blob.get(path).await.unwrap(), None);
        blob.put(path, Bytes::from_static(b"small")).await.unwrap();
        blob.put(path, large.clone()).await.unwrap();
        assert!(blob.get(path).await.unwrap().unwrap() == large);
    }
    // So much goes in parts, and a byte more than a part in two of them.
    for size in [5 * 1024 * 1024, 5 * 1024 * 1024 + 1, 17_000_000] {
        let body: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let pieces: Vec<Bytes> = body.chunks(65_535).map(Bytes::copy_from_slice).collect();
        blob.put_pieces("ws_1/more", pieces).await.unwrap();
        assert!(blob.get("ws_1/more").await.unwrap().unwrap() == body, "{size}");
    }
    let days = blob.folders("ws_1/messages").await.unwrap();
    assert_eq!(days, ["2026-01-01", "2026-01-02"]);
    blob.delete_all("ws_1/messages/2026-01-01").await.unwrap();
    assert_eq!(blob.folders("ws_1/messages").await.unwrap(), ["2026-01-02"]);
    blob.delete_all("ws_1").await.unwrap();
    blob.delete("ws_1/more").await.unwrap();
    assert_eq!(blob.get("ws_1/more").await.unwrap(), None);
}

/// How many bodies of messages there are: the folders themselves stay where files are kept.
async fn bodies(ground: &Ground) -> usize {
    let is_body =
        |file: &&String| file.split_once(' ').is_some_and(|(path, _)| path.contains("/messages/"));
    ground.files().iter().filter(is_body).count()
}

#[tokio::test]
async fn bodies_of_days_that_are_not_kept_go_and_others_stay() {
    let ground = Ground::new().await;
    let clock = Clock::system();
    let pump = Pump::start(&ground.cloud, &source(&ground.variables), clock.clone()).await;
    let api = instance(&ground, clock.clone()).await;
    let send = async || {
        let body = json!({ "type": "own.large", "data": "x".repeat(60_000) });
        api.post("/v1/webhook-messages", &body, 202).await;
        while pump.turn(TIME_LIMIT, None).await > 0 {}
    };
    let swept = async || {
        for _ in 0..4 {
            pump.tick().await;
            while pump.turn(TIME_LIMIT, None).await > 0 {}
        }
        bodies(&ground).await
    };
    let day = Duration::from_secs(24 * 3600);
    send().await;
    clock.step(day * 20);
    send().await;
    assert_eq!(swept().await, 2, "30 days have not passed");
    clock.step(day * 15);
    assert_eq!(swept().await, 1);
    clock.step(day * 20);
    assert_eq!(swept().await, 0);
}

#[tokio::test]
async fn erasing_a_connection_erases_what_was_told_about_it_and_nothing_else() {
    let ground = Ground::new().await;
    let receiver = Receiver::start(ground.folder()).await;
    let pump = Pump::start(&ground.cloud, &source(&ground.variables), Clock::system()).await;
    let api = instance(&ground, Clock::system()).await;
    let connection = ground.connected().await;
    let endpoint = json!({ "url": receiver.url("any"), "event_types": ["own.*"] });
    api.post("/v1/webhook-endpoints", &endpoint, 201).await;
    let mut messages = Vec::new();
    for (length, about) in [(10, true), (60_000, true), (10, false)] {
        let mut request = json!({ "type": "own.told", "data": "x".repeat(length) });
        if about {
            request["connection_id"] = json!(connection.id);
        }
        let made = api.post("/v1/webhook-messages", &request, 202).await;
        messages.push(format!("/v1/webhook-messages/{}", text(&made, "id")));
    }
    let tried = async || {
        pump.turn(TIME_LIMIT, None).await;
        let all = api.all("/v1/webhook-deliveries?limit=100").await;
        let tried = all.iter().filter(|one| one["attempt_count"] != json!(0)).count();
        (tried == 3).then_some(())
    };
    wait::until("each is tried", LONG, tried).await;
    assert_eq!(bodies(&ground).await, 1);
    let path = format!("/v1/connections/{}", connection.id);
    assert_eq!(api.call(Method::DELETE, &path, None).await.status, 202);
    wait::until("they are gone", LONG, async || {
        pump.turn(TIME_LIMIT, None).await;
        let gone = api.call(Method::GET, &messages[0], None).await.status == 404;
        (gone && api.call(Method::GET, &messages[1], None).await.status == 404).then_some(())
    })
    .await;
    assert_eq!(api.call(Method::GET, &messages[2], None).await.status, 200);
    assert_eq!(api.all("/v1/webhook-deliveries?event_type=own.told&limit=100").await.len(), 1);
    assert_eq!(bodies(&ground).await, 0);
}
