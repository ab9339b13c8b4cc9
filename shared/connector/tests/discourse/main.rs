//! The connector `discourse` against a scripted Discourse on loopback. What it answers has the form of
//! Discourse's published description; the values are made up.

#[path = "../support/mod.rs"]
mod support;

mod errors;
mod forum;
mod golden;
mod hooks;
mod reading;
mod rows;
mod writing;

use millwright_connector::{
    Engine, Position, Pull, Pulled, References, SourceRecord, System, Target,
};
use millwright_entities::record_key;
use serde_json::{Value, json};

use self::forum::Forum;

const KEY: &str = "planted-key";
const USERNAME: &str = "millwright";
const SECRET: &str = "planted-secret";

fn target(url: &str, key: &str, emails: bool) -> Target {
    let settings = json!({"url": url, "emails": emails});
    let credentials = [("api_key", key), ("api_username", USERNAME), ("webhook_secret", SECRET)];
    support::target("discourse", settings, &credentials)
}

fn open(engine: &Engine, forum: &Forum) -> System {
    engine.open(target(&forum.url, KEY, true)).unwrap()
}

async fn start() -> (Forum, System) {
    let forum = Forum::start().await;
    let system = open(&support::engine(), &forum);
    (forum, system)
}

fn key(entity: &str, id: &str) -> String {
    record_key(&support::connection(), entity, id)
}

fn references() -> References {
    [("topics", "5120"), ("categories", "8"), ("categories", "9")]
        .into_iter()
        .map(|(entity, id)| (entity, key(entity, id), id))
        .collect()
}

/// All pages of a reading, as one.
async fn pulled(system: &System, entity: &str, from: Option<i64>) -> Pulled {
    let mut all = Pulled::default();
    let mut position = Some(Position::default());
    while let Some(at) = position {
        let pull = Pull { position: at, from, ..Pull::default() };
        let page = system.pull(entity, &pull).await.unwrap();
        all.records.extend(page.records);
        all.deleted.extend(page.deleted);
        all.faults.extend(page.faults);
        position = page.next;
    }
    all
}

/// All ids that a sweep lists.
async fn swept(system: &System, entity: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut at = None;
    loop {
        let page = system.list_ids(entity, at.as_ref()).await.unwrap();
        ids.extend(page.ids);
        match page.next {
            Some(next) => at = Some(next),
            None => return ids,
        }
    }
}

async fn one(system: &System, entity: &str, id: &str) -> SourceRecord {
    system.get(entity, &[id.to_owned()]).await.unwrap().remove(0)
}

fn ids(records: &[SourceRecord]) -> Vec<&str> {
    records.iter().map(|record| record.remote_id.as_str()).collect()
}

fn shown(record: &SourceRecord) -> Value {
    Value::Object(record.record.clone())
}
