//! Two workspaces attack each other through every route of the document that the server serves: nothing
//! crosses, and nothing changes.

mod attack;

use std::collections::BTreeMap;

use attack::{Loot, Target, attack};
use axum::{Json, Router, routing::get};
use http::Method;
use millwright_local::{dynamo::Dynamo, sdk};
use millwright_tests::{api::Api, millwright::Millwright, wait};
use serde_json::{Value, json};

use crate::{
    life::ground::scanned,
    scene::{LONG, text, wait_until_synced},
};

/// A workspace with one of each thing, and what another may know of it.
async fn furnished(api: &Api, name: &str) -> Loot {
    let request = json!({
        "connector_id": "sandbox",
        "name": format!("Plant of {name}"),
        "customer": { "id": format!("customer-{name}"), "name": name },
        "metadata": { "note": format!("noted by {name}") },
        "settings": { "stateful": true },
    });
    let connection = api.post("/v1/connections", &request, 201).await;
    let connection = text(&connection, "id").to_owned();
    let data = api.about(&connection);
    wait_until_synced(&data).await;
    let mut things: BTreeMap<&str, String> = BTreeMap::new();
    let runs = data.get("/v1/sync-runs?limit=1").await;
    things.insert("sync-runs", text(&runs["data"][0], "id").to_owned());
    things.insert("connections", connection.clone());
    let key = json!({ "name": format!("key of {name}"), "role": "read" });
    let key = api.post("/v1/api-keys", &key, 201).await;
    things.insert("api-keys", text(&key, "id").to_owned());
    let application = json!({ "name": format!("application of {name}") });
    let application = api.post("/v1/applications", &application, 201).await;
    things.insert("applications", text(&application, "id").to_owned());
    let endpoint = json!({ "url": "http://127.0.0.1:1/", "event_types": ["attack.*"] });
    let endpoint = api.post("/v1/webhook-endpoints", &endpoint, 201).await;
    things.insert("webhook-endpoints", text(&endpoint, "id").to_owned());
    let message = json!({ "type": "attack.begun", "data": { "by": format!("word of {name}") } });
    let message = api.post("/v1/webhook-messages", &message, 202).await;
    things.insert("webhook-messages", text(&message, "id").to_owned());
    let delivery = wait::until("the message is tried", LONG, async || {
        let deliveries = api.all("/v1/webhook-deliveries?limit=100").await;
        let tried = deliveries.into_iter().find(|own| own["attempt_count"] != json!(0));
        tried.map(|own| text(&own, "id").to_owned())
    })
    .await;
    things.insert("webhook-deliveries", delivery);
    let slow = data.with_header("Millwright-Scenario", "slow-write");
    let vendor = json!({ "name": format!("vendor of {name}") });
    let write = slow.post("/v1/vendors", &vendor, 202).await;
    things.insert("writes", text(&write, "write_id").to_owned());
    let link = json!({ "name": format!("link of {name}"), "connector_ids": ["sandbox"] });
    let link = api.post("/v1/connect-links", &link, 201).await;
    things.insert("connect-links", text(&link, "id").to_owned());
    let path = format!("/v1/connections/{connection}/reconnect");
    let asked = api.call(Method::POST, &path, None).await.expect(200);
    let loot_of_link = text(&asked, "reconnect_url").rsplit('/').next().unwrap().to_owned();
    let gone = api.post("/v1/connections", &request, 201).await;
    let path = format!("/v1/connections/{}", text(&gone, "id"));
    let job = api.call(Method::DELETE, &path, None).await.expect(202);
    things.insert("jobs", text(&job, "id").to_owned());
    things.insert("issues", issue(api, &connection).await);
    let mut needles: Vec<String> = things.values().cloned().collect();
    needles.extend([loot_of_link, format!("of {name}"), format!("noted by {name}")]);
    needles.push(format!("customer-{name}"));
    needles.push(text(&link, "url").rsplit('/').next().unwrap().to_owned());
    let records = records(&data).await;
    needles.extend(records.values().cloned());
    let mut loot = Loot { connection, needles, ..Loot::default() };
    loot.queries = queries(&things, &loot, name);
    loot.bodies = bodies(&things, &loot);
    let path = format!("/v1/event-types/{}", own_type(name));
    let own = json!({ "description": format!("type of {name}") });
    assert_eq!(api.call(Method::PUT, &path, Some(&own)).await.status, 201);
    loot.places = places(&things, &records, name);
    loot
}

/// An issue of a connection, which stays open.
async fn issue(api: &Api, connection: &str) -> String {
    let told = json!({ "name": "permission-denied" });
    api.put(&format!("/v1/connections/{connection}/scenario"), &told).await;
    let entities = json!({ "entities": ["vendors"] });
    api.about(connection).post("/v1/sync", &entities, 202).await;
    let path = format!("/v1/issues?connection_id={connection}");
    wait::until("there is an issue", LONG, async || {
        let issues = api.get(&path).await;
        issues["data"][0]["id"].as_str().map(str::to_owned)
    })
    .await
}

/// A key of a record for each entity that has any.
async fn records(data: &Api) -> BTreeMap<String, String> {
    let states = data.get("/v1/sync-status").await;
    let mut records = BTreeMap::new();
    for state in states["data"].as_array().unwrap() {
        let entity = text(state, "entity").to_owned();
        let page = data.get(&format!("/v1/{entity}?limit=1")).await;
        if let Some(key) = page["data"][0]["key"].as_str() {
            records.insert(entity, key.to_owned());
        }
    }
    records
}

/// The values of the paths' parameters, by path; of the paths of records, by entity.
fn places(
    things: &BTreeMap<&str, String>,
    records: &BTreeMap<String, String>,
    name: &str,
) -> BTreeMap<String, Vec<(String, String)>> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut places = BTreeMap::new();
    let paths = [
        ("connections", ""),
        ("connections", "/check"),
        ("connections", "/pause"),
        ("connections", "/resume"),
        ("connections", "/reconnect"),
        ("connections", "/disconnect"),
        ("connections", "/scenario"),
        ("connections", "/events"),
        ("connections", "/hook"),
        ("connections", "/hook/rotate"),
        ("connections", "/token"),
        ("api-keys", ""),
        ("api-keys", "/rotate"),
        ("applications", ""),
        ("applications", "/rotate-secret"),
        ("connect-links", ""),
        ("issues", ""),
        ("issues", "/mute"),
        ("issues", "/unmute"),
        ("webhook-endpoints", ""),
        ("webhook-endpoints", "/secret"),
        ("webhook-endpoints", "/recover"),
        ("webhook-endpoints", "/replay"),
        ("webhook-endpoints", "/stats"),
        ("webhook-endpoints", "/rotate-secret"),
        ("webhook-endpoints", "/poll"),
        ("webhook-endpoints", "/enable"),
        ("webhook-endpoints", "/resume"),
        ("webhook-endpoints", "/pause"),
        ("webhook-endpoints", "/disable"),
        ("webhook-endpoints", "/test"),
        ("webhook-messages", ""),
        ("webhook-messages", "/abort"),
        ("webhook-messages", "/expunge"),
        ("webhook-deliveries", ""),
        ("webhook-deliveries", "/attempts"),
        ("webhook-deliveries", "/retry"),
        ("webhook-deliveries", "/abort"),
        ("jobs", ""),
        ("jobs", "/cancel"),
        ("sync-runs", ""),
        ("sync-runs", "/cancel"),
        ("writes", ""),
    ];
    for (kind, more) in paths {
        places.insert(format!("/v1/{kind}/{{id}}{more}"), vec![pair("id", &things[kind])]);
    }
    for more in ["mappings", "custom-fields", "syncs"] {
        let path = format!("/v1/connections/{{id}}/{more}/{{entity}}");
        let values = vec![pair("id", &things["connections"]), pair("entity", "purchase-orders")];
        places.insert(path, values);
    }
    // Every workspace has the same catalogue: what is told of it is nobody's.
    places.insert("/v1/connectors/{id}".to_owned(), vec![pair("id", "sandbox")]);
    places.insert("/v1/entities/{entity}".to_owned(), vec![pair("entity", "vendors")]);
    places.insert("/v1/meta/{entity}".to_owned(), vec![pair("entity", "vendors")]);
    places.insert("/v1/event-types/{name}".to_owned(), vec![pair("name", &own_type(name))]);
    // A link is the right to its file: what was never signed leads nowhere.
    places
        .insert("/files/{token}".to_owned(), vec![pair("token", &format!("{}.x", things["jobs"]))]);
    places.insert("/v1/export/{id}".to_owned(), vec![pair("id", &things["jobs"])]);
    places.insert("/hooks/{secret}".to_owned(), vec![pair("secret", &things["connections"])]);
    let any = records.values().next().expect("a record").clone();
    for entity in millwright_entities::Entity::ALL {
        let key = records.get(entity.slug).unwrap_or(&any);
        let path = format!("/v1/{}/{{key}}", entity.slug);
        places.insert(
            format!("{path}/actions/{{name}}"),
            vec![pair("key", key), pair("name", "approve")],
        );
        places.insert(path, vec![pair("key", key)]);
    }
    places
}

/// A type of event that a workspace has registered.
fn own_type(name: &str) -> String {
    format!("type_of.{}", name.to_lowercase())
}

/// The values of parameters in queries.
fn queries(things: &BTreeMap<&str, String>, loot: &Loot, name: &str) -> BTreeMap<String, String> {
    let pairs = [
        ("connection_id", loot.connection.clone()),
        ("customer_id", format!("customer-{name}")),
        ("endpoint_id", things["webhook-endpoints"].clone()),
        ("connector_id", "sandbox".to_owned()),
        ("q", format!("Plant%20of%20{name}")),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The bodies of operations that take one, with what is the other's wherever they name something. Those
/// about a connection's data are refused before their body is read.
fn bodies(things: &BTreeMap<&str, String>, loot: &Loot) -> BTreeMap<String, Value> {
    let pairs = [
        ("create_api_key", json!({ "name": "x", "role": "read" })),
        ("rotate_api_key", json!({})),
        ("create_application", json!({ "name": "x" })),
        ("update_application", json!({ "name": "taken" })),
        ("rotate_application_secret", json!({})),
        ("rotate_webhook_endpoint_secret", json!({})),
        ("create_connection_token", json!({})),
        ("create_connect_link", json!({ "application_id": things["applications"] })),
        ("create_connection", json!({ "connector_id": "sandbox" })),
        ("update_connection", json!({ "name": "taken" })),
        ("reconnect_connection", json!({ "credentials": { "username": "ok" } })),
        ("set_scenario", json!({ "name": "down" })),
        ("set_mapping", json!({ "fields": [] })),
        ("set_sync_settings", json!({ "enabled": false })),
        ("choose_custom_fields", json!({ "fields": [] })),
        ("set_credits", json!({ "limit": 1000 })),
        (
            "create_webhook_endpoint",
            json!({ "url": "http://127.0.0.1:1/", "connection_ids": [loot.connection] }),
        ),
        ("recover_webhook_endpoint", json!({ "since": "2020-01-01T00:00:00Z" })),
        ("replay_webhook_endpoint", json!({ "since": "2020-01-01T00:00:00Z" })),
        (
            "retry_webhook_deliveries",
            json!({ "endpoint_id": things["webhook-endpoints"], "status": "failed" }),
        ),
        ("update_webhook_endpoint", json!({ "description": "taken" })),
        ("test_webhook_endpoint", json!({})),
        ("put_event_type", json!({ "description": "taken" })),
        ("update_workspace", json!({ "webhook_retention_days": 1 })),
        ("create_webhook_message", json!({ "type": "attack.made", "data": { "by": "another" } })),
    ];
    pairs.into_iter().map(|(name, body)| (name.to_owned(), body)).collect()
}

/// Everything that is a workspace's, as its tables have it.
async fn kept(millwright: &mut Millwright, workspace: &str) -> BTreeMap<String, String> {
    millwright.kill_9();
    let dynamo = Dynamo::start(&millwright.data().join("dynamo.sqlite")).unwrap();
    let rows = scanned(&sdk::config(&dynamo.url(), "http://127.0.0.1:1")).await;
    dynamo.stop().await.unwrap();
    millwright.restart().await;
    let own = rows.into_iter().filter(|(_, key, _)| key.starts_with(workspace));
    own.map(|(table, key, row)| {
        // Its deliveries are tried again by themselves meanwhile; by hand they are not.
        let row = match key.contains("#delivery#") {
            true => {
                format!("by hand: {}", row.contains("manual") || row.contains("by_hand"))
            }
            false => row,
        };
        (format!("{table:?} {key}"), row)
    })
    .collect()
}

/// The workspace of a caller: every row of what is its own begins with it.
async fn workspace_of(millwright: &mut Millwright, connection: &str) -> String {
    let all = kept(millwright, "").await;
    let own = all.keys().find(|key| key.ends_with(&format!(" connection#{connection}")));
    own.unwrap().split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn nothing_crosses_from_one_workspace_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut millwright = Millwright::start(folder.path(), &["--step-clock"]).await;
    let stranger = millwright.another_workspace("Stranger").await;
    let (one, two) = (millwright.api(), millwright.api().with_key(Some(&stranger)));
    let loot = [furnished(&one, "Victim").await, furnished(&two, "Stranger").await];
    // What runs by itself comes to its end first.
    tokio::time::sleep(std::time::Duration::from_secs(40)).await;
    let document = one.with_key(None).get("/openapi.json").await;
    let targets = Target::all(&document);
    assert!(targets.len() > 100, "{} operations", targets.len());
    for (whose, own, api, attackers_own) in
        [("Victim", &loot[0], &two, &loot[1]), ("Stranger", &loot[1], &one, &loot[0])]
    {
        // The attackers of the round before sent messages of their own: those arrive first.
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        let workspace = workspace_of(&mut millwright, &own.connection).await;
        let before = kept(&mut millwright, &workspace).await;
        let attackers = attackers(api, &attackers_own.connection).await;
        let (count, faults) = attack(&targets, own, &attackers, thorough()).await;
        assert!(faults.is_empty(), "{} of {count} calls:\n{}", faults.len(), faults.join("\n"));
        println!("{count} calls of {} operations on {whose}'s things", targets.len());
        assert!(count > targets.len(), "each at least once, and each caller");
        let after = kept(&mut millwright, &workspace).await;
        let changed: Vec<&String> = after
            .iter()
            .filter(|(key, row)| before.get(*key) != Some(row))
            .map(|(key, _)| key)
            .chain(before.keys().filter(|key| !after.contains_key(*key)))
            .collect();
        assert!(changed.is_empty(), "{whose}'s are not as they were: {changed:#?}");
    }
}

/// Whether every entity is attacked in all ways, as `tests/long` does.
fn thorough() -> bool {
    std::env::var("MILLWRIGHT_ATTACKS").is_ok_and(|text| text == "all")
}

/// All the ways in which a workspace may call.
async fn attackers(api: &Api, connection: &str) -> Vec<(&'static str, Api)> {
    let key = json!({ "name": "lesser", "role": "write" });
    let made = api.post("/v1/api-keys", &key, 201).await;
    let path = format!("/v1/connections/{connection}/token");
    let token = api.call(Method::POST, &path, None).await.expect(201);
    vec![
        ("an admin's key", api.clone()),
        ("a writer's key", api.with_key(made["key"].as_str())),
        ("an application's token", api.with_key(Some(&workspace_token(api).await))),
        ("a connection's token", api.with_key(token["access_token"].as_str())),
    ]
}

/// A token of an application that may do everything.
async fn workspace_token(api: &Api) -> String {
    let application = json!({ "name": "acting for itself", "role": "admin" });
    let made = api.post("/v1/applications", &application, 201).await;
    let (id, secret) = (text(&made, "client_id"), text(&made, "client_secret"));
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let form = Some(("application/x-www-form-urlencoded", form));
    let given = api.with_key(None).raw(Method::POST, "/oauth/token", form).await.expect(200);
    text(&given, "access_token").to_owned()
}

/// A server that lets something cross.
async fn leaky() -> Api {
    let theirs = || async { Json(json!({ "id": "job_theirs" })) };
    let router = Router::new()
        .route("/v1/jobs/{id}", get(theirs))
        .route("/v1/jobs", get(theirs))
        .route("/v1/api-keys/{id}", get(|| async { http::StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/v1/writes/{id}", get(|| async { http::StatusCode::NOT_FOUND }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Api::new(&base, None)
}

#[tokio::test]
async fn what_crosses_fails_and_so_does_a_route_that_is_not_attacked() {
    let operation = |id: &str| json!({ "get": { "operationId": id, "parameters": [] } });
    let document = json!({ "paths": {
        "/v1/jobs/{id}": operation("get_job"),
        "/v1/jobs": operation("list_jobs"),
        "/v1/api-keys/{id}": operation("get_api_key"),
        "/v1/writes/{id}": operation("get_write"),
        "/v1/unicorns/{id}": operation("get_unicorn"),
        "/v1/ponies": { "post": { "operationId": "create_pony", "requestBody": {} } },
        "/v1/foals": { "get": { "operationId": "list_foals",
                                "parameters": [{ "in": "query", "name": "pony_id" }] } },
    } });
    let id = |thing: &str| vec![("id".to_owned(), thing.to_owned())];
    let loot = Loot {
        places: BTreeMap::from([
            ("/v1/jobs/{id}".to_owned(), id("job_theirs")),
            ("/v1/api-keys/{id}".to_owned(), id("key_theirs")),
            ("/v1/writes/{id}".to_owned(), id("write_theirs")),
        ]),
        needles: vec!["job_theirs".to_owned()],
        ..Loot::default()
    };
    let attackers = [("a key", leaky().await)];
    let (count, faults) = attack(&Target::all(&document), &loot, &attackers, true).await;
    assert_eq!(count, 4);
    for crossing in [
        "GET /v1/jobs/job_theirs with a key: 200",
        "GET /v1/jobs with a key: 200 tells job_theirs",
        "GET /v1/api-keys/key_theirs with a key: 500",
        "GET /v1/unicorns/{id} (get_unicorn): no value to attack its path with",
        "POST /v1/ponies (create_pony): it takes a body",
        "GET /v1/foals (list_foals): no value to attack its parameter pony_id with",
    ] {
        assert!(faults.iter().any(|fault| fault.starts_with(crossing)), "{crossing}: {faults:#?}");
    }
    assert_eq!(faults.len(), 6, "{faults:#?}");
}
