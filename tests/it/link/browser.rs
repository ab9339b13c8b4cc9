//! The pages in a real browser, with a keyboard alone, wide and narrow; held to axe-core.

use std::{path::PathBuf, process::Stdio, time::Duration};

use millwright_tests::{
    millwright::Millwright,
    parts::{node_script, repository},
    tryton::Tryton,
};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::scene::{tryton_connection, wait_until_synced};

/// Longer than the script gives itself.
const AT_MOST: Duration = Duration::from_secs(130);

/// Does what a plan says and answers with what was seen.
pub async fn browse(plan: Value) -> Value {
    let mut plan = plan;
    plan["shots"] = screenshots().display().to_string().into();
    let script = Command::new("node")
        .arg(node_script("link.mjs"))
        .arg(plan.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(AT_MOST, script).await.expect("the browser ends").unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let seen: Value = serde_json::from_slice(&output.stdout).expect("what was seen");
    let pages = seen["pages"].as_array().unwrap();
    // Without a script the judge cannot look.
    assert_eq!(pages.is_empty(), plan["script"] == false);
    for page in pages {
        assert_eq!(page["wrong"], json!([]), "{page:#}");
        assert!(page["passes"].as_u64().unwrap() > 10, "the judge has looked: {page:#}");
    }
    assert_eq!(seen.get("violation"), None, "{seen:#}");
    seen
}

/// Where the photographs are, to be looked at.
fn screenshots() -> PathBuf {
    repository().join("target").join("link")
}

async fn link(millwright: &Millwright, request: Value) -> String {
    let made = millwright.api().post("/v1/connect-links", &request, 201).await;
    made["url"].as_str().expect("an address").to_owned()
}

/// Every address that the browser asked was ours.
fn stayed_here(seen: &Value, millwright: &Millwright) {
    for request in seen["requests"].as_array().unwrap() {
        let url = request.as_str().unwrap();
        assert!(url.starts_with(&millwright.url()) || url.starts_with("data:"), "{url}");
    }
}

#[tokio::test]
async fn a_customer_connects_with_a_keyboard_alone_on_a_wide_and_on_a_narrow_screen() {
    let folder = tempfile::tempdir().unwrap();
    let millwright = Millwright::start(folder.path(), &[]).await;
    for (name, width, height, dark) in [("wide", 1280, 900, false), ("narrow", 390, 844, true)] {
        let request =
            json!({ "name": "Plant One", "connector_ids": ["sandbox", "tryton", "discourse"] });
        let seen = browse(json!({
            "url": link(&millwright, request).await, "name": name,
            "width": width, "height": height, "dark": dark,
            "choose": "sandbox",
            "rounds": [
                { "fill": { "credentials.username": "expired" }, "cause": "login_refused",
                  "invisible": ["settings.records"] },
                { "fill": { "settings.data": "huge", "settings.records": "0" }, "cause": "fields" },
                { "fill": { "settings.records": "40", "settings.stateful": "on",
                            "credentials.username": "ok" } },
            ],
            "watch": true,
            "leave": "main .actions a",
        }))
        .await;
        assert_eq!(seen["connected"], "Your system is connected");
        stayed_here(&seen, &millwright);
    }
    let connections = millwright.api().all("/v1/connections").await;
    let made: Vec<&Value> = connections.iter().filter(|own| own["name"] == "Plant One").collect();
    assert_eq!(made.len(), 2, "one from each screen");
    assert!(made.iter().all(|own| own["settings"]["records"] == 40), "{made:#?}");
}

#[tokio::test]
async fn a_window_that_another_page_has_opened_tells_it_the_end_and_closes() {
    let folder = tempfile::tempdir().unwrap();
    let millwright = Millwright::start(folder.path(), &[]).await;
    let port = millwright_tests::process::free_port();
    let request = json!({
        "connector_ids": ["sandbox"], "return_url": format!("http://127.0.0.1:{port}/done"),
    });
    let url = format!("{}?display=popup", link(&millwright, request).await);
    let seen = browse(json!({
        "url": url, "name": "popup", "opener": port,
        "rounds": [{ "fill": { "credentials.username": "ok" } }],
        "leave": "main .actions a",
    }))
    .await;
    let (origin, told) = (&seen["message"][0], &seen["message"][1]);
    assert_eq!(*origin, json!(millwright.url()));
    assert_eq!(told["type"], "millwright.link");
    let own = format!("/v1/connections/{}", told["connection_id"].as_str().unwrap());
    assert_eq!(millwright.api().get(&own).await["connector_id"], "sandbox");
}

#[tokio::test]
async fn everything_works_without_a_script() {
    let folder = tempfile::tempdir().unwrap();
    let millwright = Millwright::start(folder.path(), &[]).await;
    let seen = browse(json!({
        "url": link(&millwright, json!({})).await, "name": "plain", "script": false,
        "choose": "sandbox",
        "rounds": [
            { "fill": { "credentials.username": "down" }, "cause": "connection_refused" },
            { "fill": { "credentials.username": "ok" } },
        ],
        "leave": "main .actions a",
    }))
    .await;
    assert_eq!(seen["connected"], "Your system is connected");
}

#[tokio::test]
async fn what_is_wrong_with_a_real_system_is_said_and_once_it_is_right_it_connects() {
    let folder = tempfile::tempdir().unwrap();
    let millwright = Millwright::start(folder.path(), &[]).await;
    let tryton = Tryton::start(folder.path(), "orders").await;
    let connection = tryton_connection(&tryton);
    let text = |pointer: &str| connection.pointer(pointer).and_then(Value::as_str).unwrap();
    let (url, user) = (text("/settings/url"), text("/credentials/username"));
    let (database, password) = (text("/settings/database"), text("/credentials/password"));
    // The form keeps what was entered, but for secrets: they are entered anew each time.
    let nobody_there = millwright_tests::process::free_port();
    let round = |url: &str, database: &str, user: &str, password: &str, cause: Option<&str>| {
        json!({ "cause": cause, "fill": {
            "settings.url": url, "settings.database": database,
            "credentials.username": user, "credentials.password": password,
        } })
    };
    let refusing = format!("http://127.0.0.1:{nobody_there}");
    let elsewhere = millwright.url();
    let seen = browse(json!({
        "url": link(&millwright, json!({ "connector_ids": ["tryton"] })).await, "name": "tryton",
        "rounds": [
            round("http://no-such-host.invalid", database, user, password, Some("host_unknown")),
            round(&refusing, database, user, password, Some("connection_refused")),
            round(&elsewhere, database, user, password, Some("wrong_address")),
            round(url, "no-such-database", user, password, Some("wrong_address")),
            round(url, database, user, "not the password", Some("login_refused")),
            round(url, database, user, password, None),
        ],
    }))
    .await;
    assert_eq!(seen["connected"], "Your system is connected");
    let log = std::fs::read_to_string(millwright.data().with_extension("log")).unwrap();
    assert!(!log.contains("not the password"));
}

#[tokio::test]
async fn a_password_that_was_changed_is_entered_anew_in_the_browser_and_everything_stays() {
    let folder = tempfile::tempdir().unwrap();
    let millwright = Millwright::start(folder.path(), &[]).await;
    let tryton = Tryton::start(folder.path(), "orders").await;
    let made = millwright.api().post("/v1/connections", &tryton_connection(&tryton), 201).await;
    let own = format!("/v1/connections/{}", made["id"].as_str().unwrap());
    let api = millwright.api().about(made["id"].as_str().unwrap());
    wait_until_synced(&api).await;
    let before = api.get("/v1/purchase-orders?limit=3").await["data"].clone();

    tryton.does(&["set-password", "changed behind our back"]);
    millwright.api().post(&format!("{own}/check"), &json!({}), 200).await;
    let refused = millwright.api().get(&own).await;
    assert_eq!(refused["status"], "reauthorization_required", "{refused:#}");
    let round = |url: String, password: &str, cause: Option<&str>| {
        json!({ "cause": cause, "fill": {
            "settings.url": url, "credentials.username": "admin", "credentials.password": password,
        } })
    };
    let seen = browse(json!({
        "url": refused["reconnect_url"], "name": "again",
        "rounds": [
            round(tryton.server(), "adminpw", Some("login_refused")),
            round(tryton.server(), "changed behind our back", None),
        ],
        "leave": "main .actions a",
    }))
    .await;
    assert_eq!(seen["connected"], "You are connected again");
    let after = millwright.api().get(&own).await;
    assert_eq!((&after["id"], &after["reconnect_url"]), (&made["id"], &Value::Null));
    assert_eq!(after["status"], "active");
    assert_eq!(after["settings"]["url"], tryton.server());
    assert_eq!(api.get("/v1/purchase-orders?limit=3").await["data"], before);
}
