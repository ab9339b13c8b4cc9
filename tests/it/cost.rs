//! What a delivered message costs: the requests that AWS bills, counted on the wire.

use std::{net::Ipv4Addr, time::Duration};

use axum::{Router, routing::post};
use futures::future::join_all;
use millwright_access::{Environment, Role, create_key, create_workspace};
use millwright_core::{Clock, ExposeSecret};
use millwright_tests::{
    cloud::Cloud,
    faults::{Bill, Used},
    pump::{Pump, TIME_LIMIT},
    wait,
};
use serde_json::json;

use crate::in_process;

const MESSAGES: u32 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivered_message_costs_two_writes_and_three_queue_requests_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let bill = Bill::default();
    let cloud = Cloud::billed(folder.path(), &bill).await;
    let variables = in_process::variables(&cloud, folder.path());
    let context = in_process::context(&variables, Clock::system(), &cloud.sdk());
    let workspace = create_workspace(&context.store, "Acme", Environment::Test).await.unwrap();
    let (_, key) = create_key(&context.store, &workspace, "all", Role::Admin, None).await.unwrap();
    let api = in_process::serve_with(&context, in_process::outbound_to_loopback(), |_| {}).await;
    let api = api.with_key(Some(key.expose_secret()));
    let url = receiver().await;
    api.post("/v1/webhook-endpoints", &json!({ "url": url }), 201).await;
    let pump = Pump::start(&cloud, &in_process::source(&variables), Clock::system()).await;

    // The text makes a body of 1 KB.
    let message = json!({ "type": "cost.counted", "data": { "text": "x".repeat(900) } });
    let send = async || {
        let before = bill.used();
        join_all((0..MESSAGES).map(|_| api.post("/v1/webhook-messages", &message, 202))).await;
        while pump.turn(TIME_LIMIT, None).await > 0 {}
        bill.used() - before
    };
    // The first ones also open the vault and read what is read once.
    send().await;
    let used = send().await;
    let path = "/v1/webhook-deliveries?status=delivered&limit=100";
    wait::until("all are delivered", Duration::from_secs(20), async || {
        let delivered = api.get(path).await["data"].as_array().map_or(0, Vec::len);
        (delivered == 2 * MESSAGES as usize).then_some(())
    })
    .await;
    let each = |number: f64| number / f64::from(MESSAGES);
    let Used { writes, write_units, read_units, queue_requests } = used;
    println!(
        "for each message: {} writes of {} units, {} read units, {} queue requests",
        each(writes as f64),
        each(write_units),
        each(read_units),
        each(queue_requests as f64)
    );
    assert!(each(writes as f64) <= 2.0, "{used:?}");
    assert!(each(queue_requests as f64) <= 3.0, "{used:?}");
    // A row of up to 2 KB costs two units a write.
    assert!(each(write_units) <= 6.0 && each(write_units) >= 1.0, "{used:?}");
}

async fn receiver() -> String {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = Router::new().route("/", post(async || ()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}
