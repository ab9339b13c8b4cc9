//! Tries a connector by hand.
//!
//! ```text
//! export TRY='{"url": "http://127.0.0.1:8000", "database": "plant"}' TRY_LOGIN='{"username": "admin", "password": "..."}'
//! cargo run -p millwright-connector --example try -- tryton probe
//! cargo run -p millwright-connector --example try -- tryton pull purchase-orders [2026-01-31T10:00:00Z]
//! cargo run -p millwright-connector --example try -- tryton ids purchase-orders
//! cargo run -p millwright-connector --example try -- tryton get purchase-orders 17
//! cargo run -p millwright-connector --example try -- tryton create purchase-orders '{"vendorKey": "vendors/4", ...}'
//! ```
//!
//! In `create`, a key may be written as `entity/remote id`. `TRY_PAGE` sets the page size.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use millwright_connector::{Position, Pull, References, System, SystemError, WriteOp};
use millwright_core::from_iso;
use serde_json::{Map, Value};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some((connector, command)) = arguments.split_first() else {
        return eprintln!("name a connector and what to do: probe, pull, ids, get or create");
    };
    let system = match support::engine().open(target(connector)) {
        Ok(system) => system,
        Err(error) => return eprintln!("{error}: {:?}", error.fields),
    };
    if let Err(error) = run(&system, command).await {
        eprintln!("{error}\n{:?}", error.upstream);
    }
}

fn target(connector: &str) -> millwright_connector::Target {
    let object = |variable| {
        let text = std::env::var(variable).unwrap_or_else(|_| "{}".to_owned());
        serde_json::from_str::<Map<String, Value>>(&text).unwrap_or_default()
    };
    let login = object("TRY_LOGIN");
    let login: Vec<(&str, &str)> =
        login.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
    support::target(connector, Value::Object(object("TRY")), &login)
}

async fn run(system: &System, command: &[&str]) -> Result<(), SystemError> {
    match command {
        ["probe"] => println!("{:?}", system.probe().await?),
        ["pull", entity] => pull(system, entity, None).await?,
        ["pull", entity, from] => pull(system, entity, from_iso(from)).await?,
        ["ids", entity] => ids(system, entity).await?,
        ["get", entity, id] => {
            for found in system.get(entity, &[(*id).to_owned()]).await? {
                show(&Value::Object(found.record));
            }
        }
        ["create", entity, record] => create(system, entity, record).await?,
        _ => eprintln!("what to do is one of: probe, pull, ids, get, create"),
    }
    Ok(())
}

async fn pull(system: &System, entity: &str, from: Option<i64>) -> Result<(), SystemError> {
    let started = Instant::now();
    let page_size = std::env::var("TRY_PAGE").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut ask = Pull { from, page_size, ..Pull::default() };
    let mut records = 0;
    loop {
        let page = system.pull(entity, &ask).await?;
        let ids: Vec<&str> = page.records.iter().map(|record| record.remote_id.as_str()).collect();
        println!("{:?}: {} records {}", ask.position, ids.len(), brief(&ids));
        page.faults.iter().for_each(|fault| println!("  {fault:?}"));
        if records == 0 {
            println!("  source time {:?}", page.source_time);
            page.records
                .first()
                .into_iter()
                .for_each(|one| show(&Value::Object(one.record.clone())));
        }
        records += page.records.len();
        match page.next {
            Some(next) => ask.position = next,
            None => break,
        }
    }
    println!("{records} records in {:?}", started.elapsed());
    Ok(())
}

async fn ids(system: &System, entity: &str) -> Result<(), SystemError> {
    let mut after: Option<Position> = None;
    loop {
        let page = system.list_ids(entity, after.as_ref()).await?;
        let ids: Vec<&str> = page.ids.iter().map(String::as_str).collect();
        println!("{} ids {}", ids.len(), brief(&ids));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

async fn create(system: &System, entity: &str, record: &str) -> Result<(), SystemError> {
    let record: Map<String, Value> = serde_json::from_str(record).unwrap_or_default();
    let references: References = system
        .references(entity, &WriteOp::Create, &record, None)?
        .into_iter()
        .filter_map(|one| {
            let remote_id = one.key.split_once('/')?.1.to_owned();
            Some((one.entity, one.key, remote_id))
        })
        .collect();
    let id = system.create(entity, &record, &references, "try").await?;
    println!("made {id}");
    for made in system.get(entity, &[id]).await? {
        show(&Value::Object(made.record));
    }
    Ok(())
}

fn brief(ids: &[&str]) -> String {
    match ids {
        [first, .., last] if ids.len() > 12 => format!("{first} to {last}"),
        few => few.join(" "),
    }
}

fn show(value: &Value) {
    println!("{value:#}");
}
