//! Endpoints and event types, over HTTP, with a real receiver.

use http::Method;
use millwright_tests::{api::Api, wait};
use serde_json::{Value, json};

use crate::scene::{LONG, Scene, text, wait_until_synced};

async fn patch(api: &Api, path: &str, body: &Value, status: u16) -> Value {
    api.call(Method::PATCH, path, Some(body)).await.expect(status)
}

async fn act(api: &Api, endpoint: &str, what: &str, status: u16) -> Value {
    let path = format!("/v1/webhook-endpoints/{endpoint}/{what}");
    api.call(Method::POST, &path, None).await.expect(status)
}

/// The paths of all faulty fields.
fn faulty(refused: &Value) -> Vec<&str> {
    let fields = refused["error"]["fields"].as_array().expect("fields");
    fields.iter().map(|field| field["path"].as_str().unwrap()).collect()
}

/// The types of the messages that came to a hook.
fn arrived(scene: &Scene, hook: &str) -> Vec<String> {
    scene.receiver.deliveries(hook).into_iter().filter_map(|one| one.event_type).collect()
}

async fn wait_for(scene: &Scene, hook: &str, count: usize) -> Vec<String> {
    wait::until("messages arrive", LONG, async || {
        let types = arrived(scene, hook);
        (types.len() >= count).then_some(types)
    })
    .await
}

#[tokio::test]
async fn endpoints_are_made_changed_stopped_and_tested_and_choose_by_content() {
    let scene = Scene::new(&[]).await;
    let api = scene.api();
    settings_are_kept_and_merged(&api).await;
    what_is_not_valid_is_named(&api).await;
    content_decides(&scene).await;
    a_test_goes_to_one_endpoint_alone(&scene).await;
    a_status_is_set_and_told(&api).await;
    types_are_registered(&api).await;
    what_is_told_is_as_the_catalogue_says(&scene).await;
}

async fn settings_are_kept_and_merged(api: &Api) {
    let given = json!({
        "url": "http://127.0.0.1:9/",
        "description": "orders",
        "event_types": ["orders.*"],
        "customer_ids": ["acme"],
        "filter": { "data": { "amount": { "$gte": 100.50 }, "state": "open" } },
        "headers": { "X-Api-Key": "planted-key", "X-Other": "planted-other" },
        "payload": "records",
        "metadata": { "team": "a", "more": { "x": 1 } },
        "timeout_seconds": 7,
        "rate_limit_per_second": 5,
        "retry_schedule": [1, 86400],
        "initial_load": true,
    });
    let made = api.post("/v1/webhook-endpoints", &given, 201).await;
    for (name, value) in given.as_object().unwrap() {
        if name != "headers" {
            assert_eq!(made[name], *value, "{name}");
        }
    }
    assert_eq!(made["headers"], json!({ "x-api-key": "planted-key", "x-other": "planted-other" }));
    let stands = json!(["push", "enabled", null, null]);
    let shown = |own: &Value| {
        json!([own["delivery"], own["status"], own["disabled_reason"], own["status_since"]])
    };
    assert_eq!(shown(&made), stands);
    let path = format!("/v1/webhook-endpoints/{}", text(&made, "id"));
    let reader = api.post("/v1/api-keys", &json!({ "name": "r", "role": "read" }), 201).await;
    let reader = api.with_key(reader["key"].as_str());
    let hidden = json!({ "x-api-key": "***", "x-other": "***" });
    assert_eq!(reader.get(&path).await["headers"], hidden);
    let listed = reader.get("/v1/webhook-endpoints").await;
    assert_eq!(listed["data"][0]["headers"], hidden);
    assert_eq!(reader.call(Method::PATCH, &path, Some(&json!({}))).await.status, 403);

    assert_eq!(patch(api, &path, &json!({}), 200).await, made, "nothing given, nothing changed");
    let change = json!({
        "description": null,
        "filter": { "data": { "state": null } },
        "headers": { "x-api-KEY": "another-key", "x-other": null },
        "metadata": { "more": { "y": 2 }, "team": null },
        "retry_schedule": null,
        "payload": null,
        "timeout_seconds": null,
    });
    let changed = patch(api, &path, &change, 200).await;
    assert_eq!(changed["description"], Value::Null);
    assert_eq!(changed["filter"], json!({ "data": { "amount": { "$gte": 100.50 } } }));
    assert_eq!(changed["headers"], json!({ "x-api-key": "another-key" }));
    assert_eq!(changed["metadata"], json!({ "more": { "x": 1, "y": 2 } }));
    let defaults =
        json!([changed["retry_schedule"], changed["payload"], changed["timeout_seconds"]]);
    assert_eq!(defaults, json!([null, "keys", 10]));
    for kept in ["id", "url", "event_types", "customer_ids", "rate_limit_per_second", "created_at"]
    {
        assert_eq!(changed[kept], made[kept], "{kept}");
    }
    assert_eq!(api.get(&path).await, changed);
    assert_eq!(api.call(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(api.call(Method::PATCH, &path, Some(&change)).await.status, 404);

    let polled = json!({ "delivery": "poll" });
    let polled = api.post("/v1/webhook-endpoints", &polled, 201).await;
    assert_eq!((&polled["delivery"], &polled["url"]), (&json!("poll"), &Value::Null));
    let path = format!("/v1/webhook-endpoints/{}", text(&polled, "id"));
    let url = json!({ "url": "http://127.0.0.1:9/" });
    assert_eq!(faulty(&patch(api, &path, &url, 422).await), ["url"]);
    assert_eq!(api.call(Method::DELETE, &path, None).await.status, 204);
}

async fn what_is_not_valid_is_named(api: &Api) {
    let wrong = json!({
        "url": "http://169.254.169.254/latest",
        "filter": { "data": { "a": { "$bigger": 1 } }, "other": 1 },
        "headers": { "Webhook-Id": "x" },
    });
    let refused = api.post("/v1/webhook-endpoints", &wrong, 422).await;
    let expected = ["filter.data.a.$bigger", "filter.other", "headers.Webhook-Id"];
    assert_eq!(faulty(&refused), expected);
    // The address is judged when all else is well; link-local ones are never allowed.
    let refused = api.post("/v1/webhook-endpoints", &json!({ "url": wrong["url"] }), 422).await;
    assert_eq!(faulty(&refused), ["url"]);
    for (field, value) in [
        ("retry_schedule", json!([])),
        ("rate_limit_per_second", json!(1001)),
        ("timeout_seconds", json!(31)),
        ("payload", json!("everything")),
        ("delivery", json!("pigeon")),
    ] {
        let mut request = json!({ "url": "http://127.0.0.1:9/" });
        request[field] = value;
        let refused = api.post("/v1/webhook-endpoints", &request, 422).await;
        assert_eq!(faulty(&refused), [field]);
    }
}

async fn content_decides(scene: &Scene) {
    let api = scene.api();
    let filter = json!({ "data": { "$or": [{ "amount": { "$gt": 100 } }, { "rush": true }] } });
    let request = json!({ "event_types": ["filtered.*"], "filter": filter });
    let endpoint = scene.endpoint("filtered", request).await;
    let all = scene.endpoint("unfiltered", json!({ "event_types": ["filtered.*"] })).await;
    for (n, data) in [
        json!({ "amount": 100 }),
        json!({ "amount": "100.01" }),
        json!({ "amount": 5, "rush": true }),
        json!([1, 2]),
        json!({ "lines": [{ "amount": 1000 }] }),
    ]
    .into_iter()
    .enumerate()
    {
        let message = json!({ "type": format!("filtered.n{n}"), "data": data });
        api.post("/v1/webhook-messages", &message, 202).await;
    }
    wait_for(scene, "unfiltered", 5).await;
    let mut passed = wait_for(scene, "filtered", 2).await;
    passed.sort_unstable();
    assert_eq!(passed, ["filtered.n1", "filtered.n2"]);
    for id in [endpoint, all] {
        assert_eq!(
            api.call(Method::DELETE, &format!("/v1/webhook-endpoints/{id}"), None).await.status,
            204
        );
    }
}

async fn a_test_goes_to_one_endpoint_alone(scene: &Scene) {
    let api = scene.api();
    // It would take either; what else goes on in the workspace does not matter here.
    let either = json!({ "event_types": ["test.ping", "purchase_orders.updated"] });
    scene.endpoint("others", either).await;
    let headers = json!({ "X-Api-Key": "planted-key" });
    let tested = json!({ "event_types": ["none.such"], "headers": headers });
    let id = scene.endpoint("tested", tested).await;
    let message = act(&api, &id, "test", 202).await;
    assert_eq!(message["type"], "test.ping");
    assert_eq!(message["data"]["endpoint_id"], json!(id));
    let path = format!("/v1/webhook-endpoints/{id}/test");
    let example = json!({ "type": "purchase_orders.updated" });
    api.post(&path, &example, 202).await;
    let mut types = wait_for(scene, "tested", 2).await;
    types.sort_unstable();
    assert_eq!(types, ["purchase_orders.updated", "test.ping"]);
    for delivery in scene.receiver.deliveries("tested") {
        assert!(delivery.verified, "{:?}", delivery.refusal);
        assert_eq!(delivery.headers["x-api-key"], "planted-key");
    }
    let refused = api.post(&path, &json!({ "type": "no.such" }), 422).await;
    assert_eq!(refused["error"]["code"], "REFERENCE_NOT_FOUND");
    act(&api, &id, "pause", 200).await;
    let refused = api.call(Method::POST, &path, None).await;
    assert_eq!(refused.code(), Some("STATE_CONFLICT"));
    assert_eq!(arrived(scene, "others"), Vec::<String>::new());
}

async fn a_status_is_set_and_told(api: &Api) {
    let endpoint = json!({ "url": "http://127.0.0.1:9/", "event_types": ["none.such"] });
    let endpoint = api.post("/v1/webhook-endpoints", &endpoint, 201).await;
    let id = text(&endpoint, "id");
    let shown = |own: &Value| json!([own["status"], own["disabled_reason"]]);
    let disabled = act(api, id, "disable", 200).await;
    assert_eq!(shown(&disabled), json!(["disabled", "by_hand"]));
    assert!(disabled["status_since"].is_string());
    assert_eq!(act(api, id, "disable", 200).await, disabled);
    for refused in ["pause", "resume"] {
        assert_eq!(act(api, id, refused, 409).await["error"]["code"], "STATE_CONFLICT");
    }
    assert_eq!(shown(&act(api, id, "enable", 200).await), json!(["enabled", null]));
    assert_eq!(shown(&act(api, id, "pause", 200).await), json!(["paused", null]));
    assert_eq!(shown(&act(api, id, "resume", 200).await), json!(["enabled", null]));
}

/// Both get the same message, one with the record in it.
async fn records_are_sent_to_those_who_ask(scene: &Scene, vendor: &Value) {
    for hook in ["full", "thin"] {
        wait_for(scene, hook, 1).await;
    }
    let first = |hook: &str| scene.receiver.deliveries(hook).into_iter().next().unwrap();
    let (full, thin) = (first("full"), first("thin"));
    assert!(full.verified && thin.verified && full.id == thin.id);
    let (mut full, thin) = (full.data(), thin.data());
    assert_eq!(thin["keys"], json!([vendor["key"]]));
    let own = full.as_object_mut().unwrap();
    assert_eq!(own.remove("records_complete"), Some(json!(true)));
    let records = own.remove("records").unwrap();
    assert_eq!(full, thin);
    assert_eq!((&records[0]["key"], &records[0]["name"]), (&vendor["key"], &vendor["name"]));
}

async fn types_are_registered(api: &Api) {
    let path = "/v1/event-types/invoice.paid";
    assert_eq!(api.call(Method::GET, path, None).await.status, 404);
    let mut own = json!({
        "description": "An invoice was paid.",
        "schema": { "type": "object", "required": ["amount"] },
        "example": { "amount": "12.50" },
    });
    let made = api.call(Method::PUT, path, Some(&own)).await.expect(201);
    assert_eq!((&made["origin"], &made["schema"]), (&json!("workspace"), &own["schema"]));
    assert_eq!(api.put(path, &own).await, made, "the same again changes nothing");
    own["example"] = json!({});
    let refused = api.call(Method::PUT, path, Some(&own)).await.expect(422);
    assert_eq!(faulty(&refused), ["example"]);
    let refused = api.call(Method::PUT, "/v1/event-types/test.ping", Some(&json!({}))).await;
    assert_eq!(faulty(&refused.expect(422)), ["name"]);
    let own = api.all("/v1/event-types?origin=workspace").await;
    assert_eq!(own, [made]);
    assert_eq!(api.call(Method::DELETE, path, None).await.status, 204);
    assert_eq!(api.call(Method::DELETE, path, None).await.status, 404);
}

async fn what_is_told_is_as_the_catalogue_says(scene: &Scene) {
    let api = scene.api();
    let vendors = |payload: &str| json!({ "event_types": ["vendors.*"], "payload": payload });
    scene.endpoint("full", vendors("records")).await;
    scene.endpoint("thin", vendors("keys")).await;
    let sandbox = json!({
        "connector_id": "sandbox",
        "name": "Plant",
        "customer": { "id": "acme", "name": "Acme" },
        "settings": { "stateful": true },
    });
    let connection = api.post("/v1/connections", &sandbox, 201).await;
    let id = text(&connection, "id").to_owned();
    let data = api.about(&id);
    wait_until_synced(&data).await;
    let vendor = data.post("/v1/vendors", &json!({ "name": "Pumps Inc" }), 201).await;
    records_are_sent_to_those_who_ask(scene, &vendor).await;
    let down = json!({ "name": "expired" });
    api.put(&format!("/v1/connections/{id}/scenario"), &down).await;
    api.call(Method::POST, &format!("/v1/connections/{id}/check"), None).await;
    assert_eq!(
        api.call(Method::POST, &format!("/v1/connections/{id}/disconnect"), None).await.status,
        200
    );
    let catalogue = api.all("/v1/event-types?limit=100").await;
    let expected = ["vendors.inserted", "connection.disconnected", "sync.completed"];
    let messages = wait::until("all is told", LONG, async || {
        let messages = api.all("/v1/webhook-messages?limit=100").await;
        let told = |name: &&str| messages.iter().any(|message| message["type"] == **name);
        expected.iter().all(told).then_some(messages)
    })
    .await;
    let mut judged = std::collections::BTreeSet::new();
    for message in messages.iter().filter(|message| message["connection_id"] == json!(id)) {
        let name = text(message, "type");
        let of_type = catalogue.iter().find(|one| one["name"] == name);
        let of_type = of_type.unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        let told = api.get(&format!("/v1/webhook-messages/{}", text(message, "id"))).await;
        let validator = jsonschema::draft202012::new(&of_type["schema"]).unwrap();
        let faults: Vec<String> =
            validator.iter_errors(&told["data"]).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{name}: {faults:?} in {:#}", told["data"]);
        judged.insert(name.to_owned());
    }
    assert!(judged.len() >= 5, "{judged:?}");
}
