//! Schedules, the history of runs, cancelling, exporting: one running server, one sandbox.

use std::{collections::BTreeSet, time::Duration};

use http::Method;
use millwright_tests::{api::Api, millwright::Millwright, wait};
use serde_json::{Value, json};

use crate::scene::{LONG, changes_after, end_of_feed, sync_now, sync_state, text};

struct Plant {
    millwright: Millwright,
    admin: Api,
    data: Api,
    id: String,
    _folder: tempfile::TempDir,
}

/// A sandbox of which two entities are never read by themselves.
async fn plant() -> Plant {
    let folder = tempfile::tempdir().unwrap();
    let millwright = Millwright::start(folder.path(), &["--step-clock"]).await;
    let admin = millwright.api();
    let request = json!({
        "connector_id": "sandbox",
        "settings": { "stateful": true },
        "syncs": { "work-orders": { "enabled": false }, "stocks": { "enabled": false } },
    });
    let made = admin.post("/v1/connections", &request, 201).await;
    let id = text(&made, "id").to_owned();
    let data = admin.about(&id);
    Plant { millwright, admin, data, id, _folder: folder }
}

impl Plant {
    fn path(&self, entity: &str) -> String {
        format!("/v1/connections/{}/syncs/{entity}", self.id)
    }

    async fn set(&self, entity: &str, settings: Value) -> Value {
        self.admin.put(&self.path(entity), &settings).await
    }

    async fn tell(&self, name: &str) {
        let path = format!("/v1/connections/{}/scenario", self.id);
        self.admin.put(&path, &json!({ "name": name })).await;
    }

    async fn runs(&self, query: &str) -> Vec<Value> {
        let page = self.data.get(&format!("/v1/sync-runs?{query}")).await;
        page["data"].as_array().unwrap().clone()
    }

    async fn until(&self, entity: &str, status: &str) -> Value {
        wait::until(status, LONG, async || {
            let state = sync_state(&self.data, entity).await;
            (state["status"] == status).then_some(state)
        })
        .await
    }
}

#[tokio::test]
async fn entities_are_read_when_their_settings_say_and_every_run_is_told() {
    let plant = plant().await;
    first_loads(&plant).await;
    schedules(&plant).await;
    cancelling(&plant).await;
    cursors(&plant).await;
    waiting(&plant).await;
    exporting(&plant).await;
    raw_rows(&plant).await;
    windows(&plant.admin).await;
}

/// A first load reads what is newer than its window; a wider one reads the rest; a full sync within a
/// window takes nothing away.
async fn windows(admin: &Api) {
    let all = {
        let request = json!({ "connector_id": "sandbox" });
        let made = admin.post("/v1/connections", &request, 201).await;
        let data = admin.about(text(&made, "id"));
        let state = wait::until("everything is read", LONG, async || {
            let state = sync_state(&data, "vendors").await;
            (state["status"] == "completed").then_some(state)
        });
        state.await["counts"]["inserted"].clone()
    };
    let request = json!({
        "connector_id": "sandbox",
        "settings": { "stateful": true },
        "syncs": { "vendors": { "first_load_days": 1 } },
    });
    let made = admin.post("/v1/connections", &request, 201).await;
    let id = text(&made, "id").to_owned();
    let data = admin.about(&id);
    let read = async |than: Value| {
        wait::until("it is read", LONG, async || {
            let state = sync_state(&data, "vendors").await;
            let done = state["status"] == "completed" && state["last_success_at"] != than;
            done.then_some(state)
        })
        .await
    };
    let first = read(json!(null)).await;
    assert!(first["counts"]["inserted"].as_u64() < all.as_u64(), "{first:#}");
    let fresh = data.post("/v1/vendors", &json!({ "name": "Fresh" }), 201).await;
    let path = format!("/v1/connections/{id}/syncs/vendors");
    data.post("/v1/sync", &json!({ "entities": ["vendors"], "mode": "full" }), 202).await;
    let full = read(first["last_success_at"].clone()).await;
    assert_eq!(full["counts"]["deleted"], 0, "{full:#}");
    assert!(full["counts"]["seen"].as_u64() < all.as_u64());
    let set = admin.put(&path, &json!({ "first_load_days": null })).await;
    assert_eq!(set["first_load_days"], json!(null));
    read(full["last_success_at"].clone()).await;
    let kept = data.all("/v1/vendors?limit=500").await;
    assert_eq!(Some(kept.len() as u64), all.as_u64().map(|all| all + 1));
    assert!(kept.iter().any(|own| own["key"] == fresh["key"]));
}

/// Where rows are kept, the last one of a record that is gone can still be read.
async fn raw_rows(plant: &Plant) {
    let made = plant.data.post("/v1/vendors", &json!({ "name": "Kept" }), 201).await;
    let before = sync_state(&plant.data, "vendors").await["last_success_at"].clone();
    let set = plant.set("vendors", json!({ "keep_raw": true })).await;
    assert_eq!(set["keep_raw"], true);
    wait::until("everything is read once more", LONG, async || {
        let state = sync_state(&plant.data, "vendors").await;
        (state["status"] == "completed" && state["last_success_at"] != before).then_some(())
    })
    .await;
    let path = format!("/v1/vendors/{}", text(&made, "key"));
    let raw = plant.data.get(&format!("{path}?include=raw")).await["meta"]["raw"].clone();
    assert_eq!(raw["name"], "Kept", "{raw:#}");
    plant.data.call(Method::DELETE, &path, None).await;
    let gone = plant.data.get(&format!("{path}?include=deleted,raw")).await;
    assert!(gone["deletedAt"].is_string() && gone["meta"]["raw"] == raw, "{gone:#}");
}

/// What is off is not loaded and not waited for; vendors come before the orders that name them.
async fn first_loads(plant: &Plant) {
    plant.until("purchase-orders", "completed").await;
    wait::until("the connection is active", LONG, async || {
        let now = plant.data.get("/v1/connection").await;
        (now["status"] == "active").then_some(())
    })
    .await;
    for entity in ["work-orders", "stocks"] {
        let state = sync_state(&plant.data, entity).await;
        assert_eq!(state["status"], "disabled");
        assert_eq!((&state["next_run_at"], &state["current_run"]), (&json!(null), &json!(null)));
    }
    let runs = plant.runs("limit=500").await;
    let ids: Vec<&str> = runs.iter().map(|run| text(run, "id")).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(ids, sorted, "newest first");
    let run = |entity: &str| runs.iter().find(|run| run["entity"] == entity).unwrap().clone();
    let (vendors, orders) = (run("vendors"), run("purchase-orders"));
    assert!(text(&vendors, "ended_at") <= text(&orders, "started_at"), "references first");
    for run in &runs {
        assert_eq!((&run["status"], &run["mode"]), (&json!("completed"), &json!("full")));
        assert_eq!(run["counts"]["seen"], run["counts"]["inserted"], "{run:#}");
        assert!(run["calls"].as_u64() >= Some(1) && run["invocations"] == 1, "{run:#}");
        assert!(run["duration_seconds"].as_f64() >= Some(0.0) && run["stage"].is_null());
    }
    let one = plant.data.get(&format!("/v1/sync-runs/{}", text(&orders, "id"))).await;
    assert_eq!(one, orders);
    // Page by page, and by entity.
    let first = plant.data.get("/v1/sync-runs?limit=1").await;
    let next = text(&first, "next_cursor");
    let second = plant.data.get(&format!("/v1/sync-runs?limit=1&cursor={next}")).await;
    assert_eq!(second["data"][0], runs[1]);
    assert_eq!(plant.runs("entity=vendors").await, [vendors]);
}

async fn schedules(plant: &Plant) {
    // A cron expression in a zone: within five minutes after it comes true.
    let set =
        plant.set("vendors", json!({ "cron": "30 2 * * *", "time_zone": "Europe/Berlin" })).await;
    assert_eq!((&set["enabled"], &set["interval_seconds"]), (&json!(true), &json!(null)));
    let next = text(&set, "next_run_at").to_owned();
    assert!(["T00:3", "T01:3"].iter().any(|hour| next.contains(hour)), "{next}");
    assert_eq!(plant.admin.get(&plant.path("vendors")).await, set);
    plant.millwright.step(Duration::from_secs(25 * 3600)).await;
    wait::until("the nightly run", LONG, async || {
        let runs = plant.runs("entity=vendors").await;
        let nightly = runs.iter().find(|run| run["trigger"] == "schedule" && run["mode"] != "full");
        nightly.filter(|run| run["status"] == "completed").cloned()
    })
    .await;
    // An interval; and off, which a run by hand that names it overrides.
    let set = plant.set("vendors", json!({ "interval_seconds": 3600 })).await;
    assert_eq!((&set["interval_seconds"], &set["cron"]), (&json!(3600), &json!(null)));
    let set = plant.set("vendors", json!({ "enabled": false })).await;
    assert_eq!(set["next_run_at"], json!(null));
    plant.until("vendors", "disabled").await;
    let before = plant.runs("entity=vendors").await.len();
    plant.millwright.step(Duration::from_secs(48 * 3600)).await;
    let named = json!({ "entities": ["vendors"] });
    plant.data.post("/v1/sync", &named, 202).await;
    wait::until("the run by hand", LONG, async || {
        let runs = plant.runs("entity=vendors").await;
        let done = runs.first().is_some_and(|run| run["status"] == "completed");
        (runs.len() > before && done).then_some(runs)
    })
    .await;
    let runs = plant.runs("entity=vendors").await;
    assert_eq!(runs.len(), before + 1, "nothing ran by itself while it was off");
    assert_eq!(runs[0]["trigger"], "request");
    refusals(plant).await;
}

async fn refusals(plant: &Plant) {
    for (settings, path) in [
        (json!({ "cron": "0 0 30 2 *" }), "cron"),
        (json!({ "cron": "nightly" }), "cron"),
        (json!({ "cron": "0 0 * * *", "time_zone": "Mars/Olympus" }), "time_zone"),
        (json!({ "time_zone": "UTC" }), "time_zone"),
        (json!({ "cron": "0 0 * * *", "interval_seconds": 60 }), "cron"),
        (json!({ "interval_seconds": 1 }), "interval_seconds"),
        (json!({ "first_load_days": 0 }), "first_load_days"),
        (json!({ "deleted_retention_days": 30 }), "deleted_retention_days"),
    ] {
        let answer = plant.admin.call(Method::PUT, &plant.path("vendors"), Some(&settings)).await;
        assert_eq!(answer.status, 422, "{settings}: {:#}", answer.body);
        assert_eq!(answer.body["error"]["fields"][0]["path"], path, "{settings}");
    }
    let unknown = plant.admin.call(Method::GET, &plant.path("unicorns"), None).await;
    assert_eq!(unknown.status, 404);
    let request = json!({
        "connector_id": "sandbox",
        "syncs": { "unicorns": {}, "vendors": { "cron": "x" } },
    });
    let answer = plant.admin.call(Method::POST, "/v1/connections", Some(&request)).await;
    assert_eq!(answer.status, 422, "{:#}", answer.body);
    let fields = answer.body["error"]["fields"].as_array().unwrap();
    let paths: Vec<&str> = fields.iter().map(|field| text(field, "path")).collect();
    assert_eq!(paths, ["syncs.unicorns", "syncs.vendors.cron"]);
}

async fn cancelling(plant: &Plant) {
    plant.tell("slow-5s").await;
    plant.data.post("/v1/sync", &json!({ "entities": ["materials"] }), 202).await;
    let running = wait::until("it runs", LONG, async || {
        let state = sync_state(&plant.data, "materials").await;
        let run = state["current_run"].clone();
        (run["trigger"] == "request").then_some(run)
    })
    .await;
    assert_eq!((&running["status"], &running["stage"]), (&json!("in_progress"), &json!("reading")));
    let path = format!("/v1/sync-runs/{}", text(&running, "id"));
    let cancelled = plant.data.call(Method::POST, &format!("{path}/cancel"), None).await;
    let cancelled = cancelled.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    plant.tell("ok").await;
    let state = sync_state(&plant.data, "materials").await;
    assert_eq!((&state["status"], &state["current_run"]), (&json!("cancelled"), &json!(null)));
    assert!(state["next_run_at"].is_string(), "the next one comes at its time");
    // Whoever was pulling leaves it so.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let kept = plant.data.get(&path).await;
    assert_eq!((&kept["status"], &kept["ended_at"]), (&json!("cancelled"), &cancelled["ended_at"]));
    let again = plant.data.call(Method::POST, &format!("{path}/cancel"), None).await;
    assert_eq!(again.status, 200, "twice is as good as once");
    sync_now(&plant.data, &["materials"]).await;
    let ended = plant.runs("entity=materials&limit=1").await;
    let path = format!("/v1/sync-runs/{}/cancel", text(&ended[0], "id"));
    let refused = plant.data.call(Method::POST, &path, None).await;
    assert_eq!((refused.status, refused.code()), (409, Some("STATE_CONFLICT")));
    let absent = "/v1/sync-runs/run_01jd8r2v7m5w3k9x1c4t6z8q0a/cancel";
    assert_eq!(plant.data.call(Method::POST, absent, None).await.status, 404);
}

/// A place in the feed outlasts a full sync, a reconnect and another mapping; what none of them has
/// changed is not told again.
async fn cursors(plant: &Plant) {
    let start = end_of_feed(&plant.data).await;
    let full = json!({ "entities": ["materials"], "mode": "full" });
    let before = sync_state(&plant.data, "materials").await["last_success_at"].clone();
    plant.data.post("/v1/sync", &full, 202).await;
    wait::until("the full sync", LONG, async || {
        let state = sync_state(&plant.data, "materials").await;
        (state["status"] == "completed" && state["last_success_at"] != before).then_some(())
    })
    .await;
    assert!(changes_after(&plant.data, Some(&start)).await.is_empty(), "nothing has changed");
    let path = format!("/v1/connections/{}/reconnect", plant.id);
    let body = json!({ "credentials": { "username": "ok" } });
    let _ = plant.admin.call(Method::POST, &path, Some(&body)).await.expect(200);
    assert!(changes_after(&plant.data, Some(&start)).await.is_empty(), "nor by connecting anew");
    let path = format!("/v1/connections/{}/mappings/materials", plant.id);
    let fields = json!({ "fields": [{ "field": "description", "path": "code" }] });
    let changed = plant.admin.call(Method::PUT, &path, Some(&fields)).await;
    assert_eq!(changed.status, 200, "{:#}", changed.body);
    let all = plant.data.all("/v1/materials?limit=500").await.len();
    let told = wait::until("all are told anew", LONG, async || {
        let changes = changes_after(&plant.data, Some(&start)).await;
        let keys: BTreeSet<String> =
            changes.iter().map(|change| text(change, "key").to_owned()).collect();
        (keys.len() == all).then_some(changes)
    })
    .await;
    assert_eq!(told.len(), all, "each once, in its latest state");
    for change in &told {
        assert_eq!(change["record"]["description"], change["record"]["code"], "{change:#}");
    }
    // One entity's changes are those of all, without the others.
    let of_vendors = format!("/v1/changes?entity=vendors&cursor={start}");
    assert!(plant.data.get(&of_vendors).await["data"].as_array().unwrap().is_empty());
}

/// Who waits for a change hears of it when it comes; who waits in vain goes on from where it is.
async fn waiting(plant: &Plant) {
    let end = end_of_feed(&plant.data).await;
    let nothing = plant.data.get(&format!("/v1/changes?cursor={end}&wait=1")).await;
    assert_eq!((&nothing["data"], &nothing["has_more"]), (&json!([]), &json!(false)));
    let next = text(&nothing, "next_cursor").to_owned();
    let path = format!("/v1/changes?cursor={next}&entity=vendors&wait=20");
    let begun = std::time::Instant::now();
    let (heard, written) = futures::join!(plant.data.get(&path), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        plant.data.post("/v1/vendors", &json!({ "name": "Heard of" }), 201).await
    });
    assert!(begun.elapsed() < Duration::from_secs(15), "as soon as it is there");
    let change = &heard["data"][0];
    assert_eq!((&change["key"], &change["action"]), (&written["key"], &json!("upserted")));
    assert_eq!((&change["origin"], &change["record"]["name"]), (&json!("write"), &written["name"]));
    for query in ["wait=21", "wait=x", "limit=0", "limit=501", "entity=unicorns", "cursor=x"] {
        let path = format!("/v1/changes?{query}");
        let refused = plant.data.call(Method::GET, &path, None).await;
        assert!([400, 404].contains(&refused.status), "{query}: {:#}", refused.body);
    }
}

async fn exporting(plant: &Plant) {
    let asked = json!({ "entities": ["vendors", "purchase-orders"] });
    let job = plant.data.post("/v1/export", &asked, 202).await;
    let path = format!("/v1/export/{}", text(&job, "id"));
    let job = wait::until("the export", LONG, async || {
        let job = plant.data.get(&path).await;
        (job["status"] == "succeeded").then_some(job)
    })
    .await;
    assert_eq!((&job["type"], &job["connection_id"]), (&json!("export_records"), &json!(plant.id)));
    let mut written = 0;
    for entity in ["vendors", "purchase-orders"] {
        let listed = plant.data.all(&format!("/v1/{entity}?limit=100")).await;
        let mut lines = Vec::new();
        let files = job["files"].as_array().unwrap().iter().filter(|file| file["entity"] == entity);
        for file in files {
            let body = reqwest::get(text(file, "url")).await.unwrap().text().await.unwrap();
            assert_eq!(file["bytes"], body.len());
            let records = body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let records: Vec<Value> = records.collect();
            assert_eq!(file["records"], records.len());
            lines.extend(records);
        }
        let by_key = |records: Vec<Value>| {
            let pairs = records.into_iter().map(|own| (text(&own, "key").to_owned(), own));
            pairs.collect::<std::collections::BTreeMap<String, Value>>()
        };
        written += lines.len();
        assert_eq!(by_key(lines), by_key(listed), "{entity}: as the list shows them");
    }
    assert_eq!(job["progress"], written);
    // The link is the right to one file, and to nothing else.
    let url = text(&job["files"][0], "url").to_owned();
    let forged = reqwest::get(format!("{url}x")).await.unwrap();
    assert_eq!(forged.status(), 404);
    let asked = json!({ "entities": ["vendors", "unicorns"] });
    let refused = plant.data.call(Method::POST, "/v1/export", Some(&asked)).await;
    assert_eq!((refused.status, refused.code()), (422, Some("VALIDATION_FAILED")));
    // After a week the files are gone.
    plant.millwright.step(Duration::from_secs(8 * 24 * 3600)).await;
    wait::until("the files are put away", LONG, async || {
        let job = plant.data.get(&path).await;
        (job["files"] == json!([])).then_some(())
    })
    .await;
    assert_eq!(reqwest::get(url).await.unwrap().status(), 404);
}
