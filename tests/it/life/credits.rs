//! Credits are exact, however many connect at once through however many instances.

use futures::future::join_all;
use http::Method;
use millwright_connection::{
    Connection, NewPending, Status, get_credits, list_connections, pending,
};
use millwright_core::ErrorCode;
use millwright_sync::{connect, resume};
use millwright_tests::api::{Answer, Api};
use serde_json::{Value, json};

use super::ground::{Ground, sandbox, sandbox_request};

const INSTANCES: usize = 4;

/// A hundred connects at the same time; those that succeeded.
async fn hundred(instances: &[Api]) -> Vec<Value> {
    let request = sandbox_request();
    let calls = (0..100).map(|n| {
        let (api, request) = (instances[n % instances.len()].clone(), request.clone());
        async move { api.call(Method::POST, "/v1/connections", Some(&request)).await }
    });
    let answers: Vec<Answer> = join_all(calls).await;
    let refused = answers.iter().filter(|answer| answer.status != 201);
    for answer in refused {
        let told = (answer.status, answer.code());
        assert_eq!(told, (409, Some("CREDITS_EXHAUSTED")), "{:#}", answer.body);
    }
    answers.into_iter().filter(|answer| answer.status == 201).map(|answer| answer.body).collect()
}

/// What the connections that are there hold.
async fn held(ground: &Ground) -> (usize, u64) {
    let store = ground.cloud.store();
    let filter = Default::default();
    let (all, _) =
        list_connections(&store, &ground.workspace.id, &filter, None, 500).await.unwrap();
    let sum = all.iter().map(Connection::credits_held).map(u64::from).sum();
    (all.len(), sum)
}

async fn only(limit: usize) {
    let ground = Ground::new().await;
    let mut instances = Vec::new();
    for _ in 0..INSTANCES {
        instances.push(ground.instance().await);
    }
    let api = instances[0].clone();
    api.put("/v1/credits", &json!({ "limit": limit })).await;
    let made = hundred(&instances).await;
    assert_eq!(made.len(), limit);
    assert_eq!(held(&ground).await, (limit, limit as u64), "what was refused left nothing");
    let credits = api.get("/v1/credits").await;
    let expected = json!({ "limit": limit, "used": limit, "available": 0, "overage": false });
    assert_eq!(credits, expected);
    // They come back, all at once as well.
    let path = |own: &Value| format!("/v1/connections/{}/disconnect", own["id"].as_str().unwrap());
    let gone = made.iter().enumerate().map(|(n, own)| {
        let (api, path) = (instances[n % INSTANCES].clone(), path(own));
        async move { api.call(Method::POST, &path, None).await.expect(200) }
    });
    join_all(gone).await;
    assert_eq!(api.get("/v1/credits").await["used"], 0);
    assert_eq!(held(&ground).await.1, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_credit_goes_to_one_of_a_hundred() {
    only(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_credits_go_to_forty_of_a_hundred() {
    only(40).await;
}

#[tokio::test]
async fn a_limit_below_what_is_used_disconnects_nobody_and_refuses_the_next() {
    let ground = Ground::new().await;
    let api = ground.instance().await;
    let unlimited = json!({ "limit": null, "used": 0, "available": null, "overage": false });
    assert_eq!(api.get("/v1/credits").await, unlimited);
    let own = api.post("/v1/connections", &sandbox_request(), 201).await;
    let path = format!("/v1/connections/{}", own["id"].as_str().unwrap());
    let lowered = api.put("/v1/credits", &json!({ "limit": 0 })).await;
    assert_eq!((lowered["used"].clone(), lowered["available"].clone()), (json!(1), json!(0)));
    assert_eq!(api.get(&path).await["status"], "synchronizing");
    // What it holds is its own: it may rest and go on.
    api.post(&format!("{path}/pause"), &json!({}), 200).await;
    assert_eq!(api.get("/v1/credits").await["used"], 1);
    let resumed = api.post(&format!("{path}/resume"), &json!({}), 200).await;
    assert_eq!(resumed["status"], "synchronizing");
    let refused = api.call(Method::POST, "/v1/connections", Some(&sandbox_request())).await;
    assert_eq!(refused.code(), Some("CREDITS_EXHAUSTED"));
    api.put("/v1/credits", &json!({ "limit": 0, "overage": true })).await;
    api.post("/v1/connections", &sandbox_request(), 201).await;
    assert_eq!(api.get("/v1/credits").await["used"], 2);
    let log = api.get("/v1/audit-log?action=credits_set").await;
    assert_eq!(log["data"].as_array().map(Vec::len), Some(2), "{log:#}");
}

#[tokio::test]
async fn a_system_at_the_customers_own_place_costs_the_double() {
    let ground = Ground::new().await;
    let api = ground.instance().await;
    api.put("/v1/credits", &json!({ "limit": 2 })).await;
    let mut request = sandbox_request();
    request["settings"]["hosting"] = json!("on_premises");
    let own = api.post("/v1/connections", &request, 201).await;
    assert_eq!(
        (own["credits"].clone(), api.get("/v1/credits").await["used"].clone()),
        (json!(2), json!(2))
    );
    // Moved to the cloud, it costs less; and moved back more, if there is more.
    let path = format!("/v1/connections/{}", own["id"].as_str().unwrap());
    let moved = json!({ "settings": { "hosting": "cloud" } });
    let own = api.call(Method::PATCH, &path, Some(&moved)).await.expect(200);
    assert_eq!(own["credits"], 1);
    api.post("/v1/connections", &sandbox_request(), 201).await;
    let back = json!({ "settings": { "hosting": "on_premises" } });
    let refused = api.call(Method::PATCH, &path, Some(&back)).await;
    assert_eq!(refused.code(), Some("CREDITS_EXHAUSTED"));
    assert_eq!(api.get(&path).await["settings"]["hosting"], "cloud");
    assert_eq!(api.get("/v1/credits").await["used"], 2);
}

#[tokio::test]
async fn through_link_the_users_work_is_kept_until_there_are_credits() {
    let ground = Ground::new().await;
    let (api, context) = (ground.instance().await, ground.context());
    api.put("/v1/credits", &json!({ "limit": 0 })).await;
    let waiting = NewPending {
        connector_id: None,
        name: Some("Plant One".to_owned()),
        customer: None,
        metadata: serde_json::Map::new(),
        application_id: None,
        until: context.store.clock().schedule() + std::time::Duration::from_secs(3600),
    };
    let workspace = &ground.workspace.id;
    let (waiting, writes) = pending(&context, workspace, waiting).unwrap();
    context.store.transact(writes).await.unwrap();
    let data = api.about(waiting.id.as_str());
    assert_eq!(
        data.call(Method::GET, "/v1/vendors", None).await.code(),
        Some("CONNECTION_PENDING")
    );
    let mut new = sandbox();
    new.pending = Some(waiting.id.clone());
    let own = connect(&context, workspace, new).await.unwrap();
    assert_eq!(
        (&own.id, own.status(), own.name.as_str()),
        (&waiting.id, Status::Inactive, "Plant One")
    );
    assert!(own.status_reason.as_deref().unwrap().contains("credits"));
    assert_eq!(get_credits(&context.store, workspace).await.unwrap().used, 0);
    let inactive = data.call(Method::GET, "/v1/vendors", None).await;
    assert_eq!(inactive.code(), Some("CONNECTION_INACTIVE"));
    let short = resume(&context, workspace, &own.id).await.unwrap_err();
    assert_eq!(short.code, ErrorCode::CreditsExhausted);
    api.put("/v1/credits", &json!({ "limit": 1 })).await;
    let resumed = resume(&context, workspace, &own.id).await.unwrap();
    assert_eq!((resumed.status(), resumed.status_reason), (Status::Synchronizing, None));
    assert_eq!(get_credits(&context.store, workspace).await.unwrap().used, 1);
    assert!(ground.states(&own.id).await.iter().all(|state| state.run.is_some()));
    ground.sync_all(&own.id).await;
    assert_eq!(data.get("/v1/connection").await["status"], "active");
    let told = api.all("/v1/webhook-messages?limit=100").await;
    let count = |kind: &str| told.iter().filter(|message| message["type"] == kind).count();
    assert_eq!(count("connection.created"), 1);
}
