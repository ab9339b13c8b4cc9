//! The real parts around a Millwright: an ERP, a receiver, a connection between them.

use std::time::Duration;

use http::Method;
use millwright_tests::{
    api::Api, millwright::Millwright, receiver::Receiver, tryton::Tryton, wait,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Long enough for anything that ends at all on two busy cores.
pub const LONG: Duration = Duration::from_secs(300);

/// What a test plays with. Everything ends with it.
pub struct Scene {
    pub millwright: Millwright,
    pub receiver: Receiver,
    pub folder: TempDir,
}

impl Scene {
    /// Millwright with these options and a receiver.
    pub async fn new(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let receiver = Receiver::start(folder.path()).await;
        let millwright = Millwright::start(folder.path(), options).await;
        Self { millwright, receiver, folder }
    }

    /// A caller with the first key.
    pub fn api(&self) -> Api {
        self.millwright.api()
    }

    /// Makes an endpoint that the receiver knows as `hook`, and answers with its id.
    pub async fn endpoint(&self, hook: &str, mut request: Value) -> String {
        request["url"] = self.receiver.url(hook).into();
        let made = self.api().post("/v1/webhook-endpoints", &request, 201).await;
        let id = made["id"].as_str().expect("an id").to_owned();
        let secret = self.api().get(&format!("/v1/webhook-endpoints/{id}/secret")).await;
        let secret = secret["secret"].as_str().expect("a secret");
        self.receiver.know_secret(hook, secret).await;
        id
    }

    /// Connects a Tryton and answers with a caller about it.
    pub async fn connect(&self, tryton: &Tryton) -> Api {
        let made = self.api().post("/v1/connections", &tryton_connection(tryton), 201).await;
        self.api().about(made["id"].as_str().expect("an id"))
    }
}

/// The request that connects a Tryton.
pub fn tryton_connection(tryton: &Tryton) -> Value {
    let (username, password) = tryton.credentials();
    json!({
        "connector_id": "tryton",
        "name": "Plant One",
        "customer": { "id": "plant-1", "name": "Plant One Inc" },
        "settings": { "url": tryton.server(), "database": "company" },
        "credentials": { "username": username, "password": password },
    })
}

/// The state of an entity's sync.
pub async fn sync_state(api: &Api, entity: &str) -> Value {
    let states = api.get("/v1/sync-status").await;
    let states = states["data"].as_array().expect("states");
    let state = states.iter().find(|state| state["entity"] == entity);
    state.unwrap_or_else(|| panic!("{entity} is not synced")).clone()
}

/// Waits until every entity's last sync has come to its end.
pub async fn wait_until_synced(api: &Api) {
    wait::until("the first load ends", LONG, async || {
        let states = api.get("/v1/sync-status").await;
        let states = states["data"].as_array().expect("states").clone();
        states.iter().all(|state| state["status"] == "completed").then_some(())
    })
    .await;
}

/// Asks for a sync of these entities, as soon as none of them is being read.
pub async fn ask_sync(api: &Api, entities: &[&str]) {
    wait::until("a sync begins", LONG, async || {
        let asked = json!({ "entities": entities });
        let answer = api.call(Method::POST, "/v1/sync", Some(&asked)).await;
        assert!([202, 409].contains(&answer.status), "{:#}", answer.body);
        (answer.status == 202).then_some(())
    })
    .await;
}

/// Syncs entities by hand and waits until they have come to their end.
pub async fn sync_now(api: &Api, entities: &[&str]) {
    let mut before = Vec::new();
    for entity in entities {
        before.push(sync_state(api, entity).await["last_success_at"].clone());
    }
    ask_sync(api, entities).await;
    for (entity, before) in entities.iter().zip(before) {
        wait::until("the sync ends", LONG, async || {
            let state = sync_state(api, entity).await;
            let done = state["status"] == "completed" && state["last_success_at"] != before;
            assert_ne!(state["status"], "failed", "{state:#}");
            done.then_some(())
        })
        .await;
    }
}

/// Where the feed ends now.
pub async fn end_of_feed(api: &Api) -> String {
    let end = api.get("/v1/changes?cursor=latest").await;
    end["next_cursor"].as_str().expect("a cursor").to_owned()
}

/// Every change after a cursor (all of them: none), in order.
pub async fn changes_after(api: &Api, cursor: Option<&str>) -> Vec<Value> {
    let mut changes = Vec::new();
    let mut cursor = cursor.map(str::to_owned);
    loop {
        let place = cursor.as_ref().map_or_else(String::new, |c| format!("&cursor={c}"));
        let page = api.get(&format!("/v1/changes?limit=500{place}")).await;
        changes.extend(page["data"].as_array().expect("changes").iter().cloned());
        let next = page["next_cursor"].as_str().expect("a cursor is never missing").to_owned();
        if page["has_more"] != json!(true) {
            return changes;
        }
        assert_ne!(Some(&next), cursor.as_ref(), "the feed goes on");
        cursor = Some(next);
    }
}

/// A field's text.
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text in {field}: {value:#}"))
}
