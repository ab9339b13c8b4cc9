//! Nothing is left of an erased connection, wherever its erasing was cut off: every row of both tables
//! and every file is looked through for its id.

use std::{path::Path, time::Duration};

use futures::{StreamExt, stream};
use http::Method;
use millwright_connection::{
    ConnectionContext, NewConnection, hook_secret, keep_reconnect, reconnect_url,
};
use millwright_connector::{Hint, manifest::HookAction};
use millwright_core::{Clock, ConnectionId, WorkspaceId};
use millwright_job::Job;
use millwright_local::{dynamo::Dynamo, sdk};
use millwright_sync::{EraseEnd, accept_hints, connect, erase_connection, run_erase};
use millwright_tests::{millwright::Millwright, wait};
use serde_json::json;

use super::{
    cycle::Scene,
    ground::{Ground, sandbox, sandbox_request, scanned},
};
use crate::{
    in_process::{self, Variables},
    scene::{LONG, text, wait_until_synced},
    writing::gate::{Death, Gate, before_table},
};

/// More requests than any erasing makes.
const REQUESTS_MAX: usize = 400;
/// It dies at every so-manieth of them, and where `MILLWRIGHT_DEATHS=1` says so, as `tests/long` does, at
/// each.
const APART: usize = 7;
const AT_ONCE: usize = 4;

/// What outlives a connection and names it: who did what to it, the job that erased it, and what was
/// told of it before.
fn may_stay(key: &str) -> bool {
    ["#audit#", " job#", "#message#", "#delivery#"].iter().any(|kind| key.contains(kind))
}

/// The keys of the rows that name a connection and may not stay.
fn named(rows: &[(millwright_store::Table, String, String)], id: &str) -> Vec<String> {
    let own = rows.iter().filter(|(_, key, row)| row.contains(id) && !may_stay(key));
    own.map(|(_, key, _)| key.clone()).collect()
}

/// A connection with every kind of row that can be had without a system behind it.
async fn full() -> Scene {
    let scene = Scene::new().await;
    let keyed = scene.data.with_header("Idempotency-Key", "one");
    keyed.post("/v1/vendors", &json!({ "name": "Norton" }), 201).await;
    let own = scene.api.with_header("Idempotency-Key", "two");
    let _ = own.call(Method::POST, &scene.path("/pause"), None).await.expect(200);
    scene.done("/resume").await;
    scene.tell(json!({ "name": "changes-1s" })).await;
    let chosen = json!({ "fields": ["weight_kg"] });
    let path = scene.path("/custom-fields/purchase-orders");
    scene.api.put(&path, &chosen).await;
    let context = scene.ground.context();
    let workspace = &scene.ground.workspace.id;
    let connection = keep_reconnect(&context, workspace, &scene.id).await.unwrap();
    hook_secret(&context, &connection).await.unwrap();
    // Somebody looks at the page where one logs in again.
    let address = reconnect_url(&context, &connection).await.unwrap().unwrap();
    let page = format!("/link/{}", address.rsplit('/').next().unwrap());
    let looked = scene.api.with_key(None).raw(Method::GET, &page, None).await;
    assert!(looked.status < 400, "{}", looked.status);
    scene.api.post(&scene.path("/token"), &json!({}), 201).await;
    let hint = Hint {
        entity: "vendors".to_owned(),
        remote_id: "1".to_owned(),
        action: HookAction::Upsert,
    };
    accept_hints(&context, &connection, &[hint]).await.unwrap();
    scene.ground.sync_all(&scene.id).await;
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasing_that_dies_anywhere_leaves_nothing_once_it_is_taken_up() {
    let scene = full().await;
    let id = scene.id.to_string();
    let other = scene.ground.connected().await;
    scene.ground.sync_all(&other.id).await;
    let before = scene.ground.rows().await;
    let kinds = named(&before, &id).len();
    assert!(kinds > 100, "{kinds} rows");
    let others = named(&before, other.id.as_str()).len();
    let context = scene.ground.context();
    let job = erase_connection(&context, &scene.ground.workspace.id, &scene.id).await.unwrap();
    let apart = std::env::var("MILLWRIGHT_DEATHS").ok().and_then(|text| text.parse().ok());
    let apart = apart.unwrap_or(APART);
    let deaths = (1..=REQUESTS_MAX)
        .step_by(apart)
        .map(|n| if n % 2 == 0 { Death::Before(n) } else { Death::After(n) });
    let (folder, ground) = (scene.ground.folder(), &scene.ground);
    let cases = deaths.map(|death| {
        let (job, id, other) = (job.clone(), scene.id.clone(), other.id.clone());
        async move {
            let died = Copy::of(ground, folder).dies(&job, &id, death).await;
            (died.0, death, named(&died.1, id.as_str()), named(&died.1, other.as_str()).len())
        }
    });
    let mut cases = stream::iter(cases).buffered(AT_ONCE);
    let mut count = 0;
    while let Some((died, death, left, left_of_other)) = cases.next().await {
        assert!(left.is_empty(), "{death:?}: {left:#?}");
        assert_eq!(left_of_other, others, "{death:?}: nothing of another connection is gone");
        if !died {
            break;
        }
        count += 1;
    }
    println!("{kinds} rows erased, {count} deaths");
    assert!((40..REQUESTS_MAX).contains(&(count * apart)), "{count} deaths, {apart} apart");
    // Its files go too, and those of another stay. Whoever began before it was disconnected has ended.
    let kept = |id: &str| {
        let part = format!("/sync/{id}/");
        scene.ground.files().iter().any(|file| file.contains(&part))
    };
    assert!(kept(&id) && kept(other.id.as_str()));
    let job = Job { created_at: job.created_at - Duration::from_secs(60), ..job.clone() };
    to_the_end(&context, &job, &scene.id).await;
    assert!(!kept(&id) && kept(other.id.as_str()));
}

/// A copy of a ground, for one death.
struct Copy<'a> {
    ground: &'a Ground,
    folder: tempfile::TempDir,
    dynamo: Dynamo,
}

impl<'a> Copy<'a> {
    fn of(ground: &'a Ground, from: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_owned();
            if name.to_string_lossy().starts_with("tables.sqlite") {
                std::fs::copy(&path, folder.path().join(name)).unwrap();
            }
        }
        let dynamo = Dynamo::start(&folder.path().join("tables.sqlite")).unwrap();
        Self { ground, folder, dynamo }
    }

    /// Erases until it dies, then anew to the end. Whether it died, and what is left.
    async fn dies(
        self,
        job: &Job,
        id: &ConnectionId,
        death: Death,
    ) -> (bool, Vec<(millwright_store::Table, String, String)>) {
        // Whoever began before the connection was disconnected has ended by now.
        let job = Job { created_at: job.created_at - Duration::from_secs(60), ..job.clone() };
        let gate = Gate::default();
        let front = before_table(&self.dynamo.url(), gate.clone()).await;
        gate.set(death);
        let mut variables = self.ground.variables.clone();
        let blobs = self.folder.path().join("blobs");
        std::fs::create_dir_all(&blobs).unwrap();
        variables.insert("MILLWRIGHT_BLOB".to_owned(), format!("file:{}", blobs.display()));
        let died = {
            let (variables, job, id, gate) =
                (variables.clone(), job.clone(), id.clone(), gate.clone());
            let process = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.unwrap();
                let died = runtime.block_on(async {
                    let context = context(&variables, &front);
                    tokio::select! {
                        biased;
                        () = gate.died() => true,
                        () = to_the_end(&context, &job, &id) => false,
                    }
                });
                runtime.shutdown_background();
                died
            };
            tokio::task::spawn_blocking(process).await.unwrap()
        };
        gate.open();
        let living = context(&variables, &self.dynamo.url());
        to_the_end(&living, &job, id).await;
        let rows = scanned(&sdk::config(&self.dynamo.url(), "http://127.0.0.1:1")).await;
        (died, rows)
    }
}

fn context(variables: &Variables, table: &str) -> ConnectionContext {
    let sdk = sdk::config(table, "http://127.0.0.1:1");
    in_process::context(variables, Clock::system(), &sdk)
}

async fn to_the_end(context: &ConnectionContext, job: &Job, id: &ConnectionId) {
    loop {
        // As a function that has no more than this.
        let deadline = context.store.clock().wall() + Duration::from_millis(50);
        match run_erase(context, job, id, deadline).await.unwrap() {
            EraseEnd::Done => return,
            EraseEnd::More => {}
            EraseEnd::Busy(until) => panic!("somebody is at it until {}", until.iso()),
        }
    }
}

#[tokio::test]
async fn a_connection_goes_with_the_link_that_made_it() {
    let ground = Ground::new().await;
    let api = ground.instance().await;
    let link = api.post("/v1/connect-links", &json!({}), 201).await;
    let id: ConnectionId = text(&link, "connection_id").parse().unwrap();
    let (context, workspace) = (ground.context(), &ground.workspace.id);
    let new = NewConnection { pending: Some(id.clone()), ..sandbox() };
    connect(&context, workspace, new).await.unwrap();
    ground.sync_all(&id).await;
    let job = erase_connection(&context, workspace, &id).await.unwrap();
    let job = Job { created_at: job.created_at - Duration::from_secs(60), ..job };
    to_the_end(&context, &job, &id).await;
    let rows = ground.rows().await;
    assert_eq!(named(&rows, id.as_str()), [""; 0]);
    let link = text(&link, "id");
    assert!(!rows.iter().any(|(_, key, row)| row.contains(link) && !may_stay(key)));
}

#[tokio::test]
async fn what_is_put_while_it_is_erased_goes_too() {
    let scene = full().await;
    let (context, workspace) = (scene.ground.context(), scene.ground.workspace.id.clone());
    let job = erase_connection(&context, &workspace, &scene.id).await.unwrap();
    let deadline = context.store.clock().wall() + Duration::from_secs(60);
    let first = run_erase(&context, &job, &scene.id, deadline).await.unwrap();
    let EraseEnd::Busy(until) = first else { panic!("it looks a second time: {first:?}") };
    assert!(until > context.store.clock().wall() + Duration::from_secs(20));
    assert_eq!(named(&scene.ground.rows().await, scene.id.as_str()), [""; 0]);
    // A request that had begun before comes to its end.
    straggle(&context, &workspace, &scene.id).await;
    assert_eq!(named(&scene.ground.rows().await, scene.id.as_str()).len(), 1);
    let later = Job { created_at: job.created_at - Duration::from_secs(60), ..job };
    let second = run_erase(&context, &later, &scene.id, deadline).await.unwrap();
    assert_eq!(second, EraseEnd::Done);
    assert_eq!(named(&scene.ground.rows().await, scene.id.as_str()), [""; 0]);
}

/// Puts a row as one does that has not heard of the erasing.
async fn straggle(context: &ConnectionContext, workspace: &WorkspaceId, id: &ConnectionId) {
    let key = millwright_connection::connection_pk(workspace, id);
    let key = millwright_store::Key::state(key, "scenario-counts");
    let row = json!({ "connection": id });
    let doc: Straggler = serde_json::from_value(row).unwrap();
    context.store.create(&key, &doc).await.unwrap();
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Straggler {
    connection: String,
}

impl millwright_store::Document for Straggler {}

#[tokio::test]
async fn nothing_is_left_of_a_connection_whose_server_is_killed_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut millwright =
        Millwright::start(folder.path(), &["MILLWRIGHT_SYNC_LEASE_SECONDS=5"]).await;
    let api = millwright.api();
    let mut request = sandbox_request();
    request["settings"] = json!({ "data": "huge", "records": 3_000, "stateful": true });
    let own = api.post("/v1/connections", &request, 201).await;
    let id = text(&own, "id").to_owned();
    let data = api.about(&id);
    wait_until_synced(&data).await;
    let keyed = data.with_header("Idempotency-Key", "one");
    keyed.post("/v1/vendors", &json!({ "name": "Norton" }), 201).await;
    let path = format!("/v1/connections/{id}");
    let job = api.call(Method::DELETE, &path, None).await.expect(202);
    let job = format!("/v1/jobs/{}", text(&job, "id"));
    for pause in [10, 150, 400, 900] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        millwright.kill_9();
        millwright.restart().await;
    }
    wait::until("the job ends", LONG, async || {
        (api.get(&job).await["status"] == "succeeded").then_some(())
    })
    .await;
    assert_eq!(api.call(Method::GET, &path, None).await.status, 404);
    // What waits in queues for it finds nothing to do.
    tokio::time::sleep(Duration::from_secs(2)).await;
    millwright.kill_9();
    let dynamo = Dynamo::start(&millwright.data().join("dynamo.sqlite")).unwrap();
    let rows = scanned(&sdk::config(&dynamo.url(), "http://127.0.0.1:1")).await;
    assert!(rows.iter().any(|(_, _, row)| row.contains(&id)), "its job and the log are there");
    assert_eq!(named(&rows, &id), [""; 0]);
}
