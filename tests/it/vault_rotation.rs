//! The vault's keys are rotated while everything goes on, and what is sealed opens at its own place alone.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use millwright_access::{Environment, Role, create_key, create_workspace};
use millwright_connection::{
    Connection, ConnectionContext, NewConnection, hook_secret, open_system, rotate_hook, secret_key,
};
use millwright_connector::Credentials;
use millwright_core::{Clock, ExposeSecret, MessageId, SecretString, WallTime, WorkspaceId};
use millwright_job::{Job, JobState, find_job};
use millwright_store::{Document, Expect, Write};
use millwright_sync::{RotationEnd, connect, reconnect, rotate_secrets, run_rotation};
use millwright_tests::{api::Api, cloud::Cloud};
use millwright_vault::add_master_key;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use standardwebhooks::Webhook;

use crate::in_process::{self, Variables};

/// More than a page of the job.
const CONNECTIONS: usize = 56;

struct Scene {
    cloud: Cloud,
    variables: Variables,
    key_file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::calm(folder.path()).await;
        let variables = in_process::variables(&cloud, folder.path());
        Self { cloud, variables, key_file: folder.path().join("vault.key"), _folder: folder }
    }

    /// A process of its own, with nothing in memory.
    fn process(&self) -> ConnectionContext {
        in_process::context(&self.variables, Clock::system(), &self.cloud.sdk())
    }
}

fn login(name: &str) -> Credentials {
    Credentials::from([("username".to_owned(), SecretString::from(name))])
}

async fn sandbox(context: &ConnectionContext, workspace: &WorkspaceId) -> Connection {
    let new = NewConnection::to("sandbox", Map::new(), login("ok"));
    connect(context, workspace, new).await.unwrap()
}

async fn api(context: &ConnectionContext) -> (Api, WorkspaceId) {
    let workspace = create_workspace(&context.store, "Acme", Environment::Test).await.unwrap();
    let (_, key) = create_key(&context.store, &workspace, "all", Role::Admin, None).await.unwrap();
    let api = in_process::serve(context, |_| {}).await;
    (api.with_key(Some(key.expose_secret())), workspace.id)
}

/// Runs a job to its end, interrupted after every stretch; answers with what it has done and how often
/// it was taken up.
async fn run(context: &ConnectionContext, job: &Job, since: WallTime) -> (u64, u32) {
    for round in 1..100 {
        // What another invocation would read.
        let job = find_job(&context.store, &job.workspace, &job.id).await.unwrap().doc;
        let now = context.store.clock().wall();
        if run_rotation(context, &job, since, now).await.unwrap() == RotationEnd::Done {
            let ended = find_job(&context.store, &job.workspace, &job.id).await.unwrap().doc;
            assert_eq!(ended.state, JobState::Succeeded);
            return (ended.done, round);
        }
    }
    panic!("it does not end");
}

fn since(job: &Job) -> WallTime {
    match job.kind {
        millwright_job::JobKind::RotateSecrets(since) => since,
        _ => panic!("another job"),
    }
}

/// The newest secret of an endpoint and the one before it are both opened and sign.
async fn both_sign(
    process: &ConnectionContext,
    workspace: &WorkspaceId,
    endpoint: &str,
    shown: [&Value; 2],
) {
    let webhooks = in_process::webhooks(process);
    let endpoint = webhooks.get_endpoint(workspace, &endpoint.parse().unwrap()).await.unwrap();
    let signer = webhooks.signer(&endpoint).await.unwrap();
    let now = process.store.clock().wall();
    let headers = signer.headers(&MessageId::new_at(1), now, b"{}").unwrap();
    for secret in shown {
        let webhook = Webhook::new(secret["secret"].as_str().unwrap()).unwrap();
        assert!(webhook.verify(b"{}", &headers).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_is_sealed_anew_while_it_is_read_and_written() {
    let scene = Scene::new().await;
    let context = scene.process();
    let (api, workspace) = api(&context).await;
    let endpoint = json!({"url": "https://8.8.8.8/receiver"});
    let endpoint = api.post("/v1/webhook-endpoints", &endpoint, 201).await;
    let endpoint = endpoint["id"].as_str().unwrap();
    let secret_at = format!("/v1/webhook-endpoints/{endpoint}/secret");
    let former = api.get(&secret_at).await;
    api.post(&format!("/v1/webhook-endpoints/{endpoint}/rotate-secret"), &json!({}), 200).await;
    let signing = api.get(&secret_at).await;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(sandbox(&context, &workspace).await);
    }
    let hook = hook_secret(&context, &connections[0]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;

    let traffic = Traffic::start(&scene, &connections);
    add_master_key(&scene.key_file).unwrap();
    let job = rotate_secrets(&context, &workspace).await.unwrap();
    let (done, rounds) = run(&context, &job, since(&job)).await;
    assert!(rounds >= 2, "it was cut off and taken up");
    let (reads, writes) = traffic.stop().await;
    assert!(reads > 20 && writes > 5, "{reads} reads, {writes} writes");
    // What the writers sealed anew before the job came to it is not its to count.
    assert!(done >= 2 && done + writes >= CONNECTIONS as u64 + 2, "{done} done, {writes} writes");

    // Whoever had a data key when it began has used it since: a second run finds that. A third finds nothing.
    let second = rotate_secrets(&context, &workspace).await.unwrap();
    let (again, _) = run(&context, &second, since(&second)).await;
    assert!(again >= CONNECTIONS as u64, "a later rotation is a rotation");
    let third = rotate_secrets(&context, &workspace).await.unwrap();
    assert_eq!(run(&context, &third, since(&second)).await.0, 0, "harmless to do twice");

    // The former master key goes; everything still opens, in a process that knows nothing yet.
    let keys = fs::read_to_string(&scene.key_file).unwrap();
    fs::write(&scene.key_file, format!("{}\n", keys.lines().next().unwrap())).unwrap();
    let fresh = scene.process();
    for connection in &connections {
        open_system(&fresh, connection).await.unwrap().probe().await.unwrap();
    }
    both_sign(&fresh, &workspace, endpoint, [&former, &signing]).await;
    let kept = hook_secret(&fresh, &connections[0]).await.unwrap();
    assert_eq!(kept.expose_secret(), hook.expose_secret());
    let api = in_process::serve(&fresh, |_| {}).await;
    let owner = millwright_access::get_workspace(&fresh.store, &workspace).await.unwrap();
    let made = create_key(&fresh.store, &owner, "later", Role::Admin, None).await;
    let (_, key) = made.unwrap();
    assert_eq!(api.with_key(Some(key.expose_secret())).get(&secret_at).await, signing);
}

/// Readers and writers in processes of their own.
struct Traffic {
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    writes: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Traffic {
    fn start(scene: &Scene, connections: &[Connection]) -> Self {
        let (stop, reads, writes) = (Arc::default(), Arc::default(), Arc::default());
        let mut traffic = Self { stop, reads, writes, tasks: Vec::new() };
        for at in 0..2_usize {
            let (context, own) = (scene.process(), connections.to_vec());
            let (stop, reads) = (traffic.stop.clone(), traffic.reads.clone());
            traffic.tasks.push(tokio::spawn(async move {
                for round in at.. {
                    let connection = &own[round * 7 % own.len()];
                    open_system(&context, connection).await.unwrap().probe().await.unwrap();
                    reads.fetch_add(1, Ordering::Relaxed);
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                }
            }));
        }
        let (context, own) = (scene.process(), connections.to_vec());
        let (stop, writes) = (traffic.stop.clone(), traffic.writes.clone());
        traffic.tasks.push(tokio::spawn(async move {
            for round in 0_usize.. {
                let connection = &own[1 + round * 5 % (own.len() - 1)];
                let Connection { workspace, id, .. } = connection;
                reconnect(&context, workspace, id, None, login("ok")).await.unwrap();
                rotate_hook(&context, connection).await.unwrap();
                writes.fetch_add(2, Ordering::Relaxed);
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        }));
        traffic
    }

    async fn stop(self) -> (u64, u64) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        (self.reads.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed))
    }
}

/// A row as it stands, to be put where it does not belong.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Raw(Map<String, Value>);

impl Document for Raw {}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_secret_that_is_copied_elsewhere_does_not_open() {
    let scene = Scene::new().await;
    let context = scene.process();
    let (one, two) = (WorkspaceId::derived(&["one"]), WorkspaceId::derived(&["two"]));
    let from = sandbox(&context, &one).await;
    let beside = sandbox(&context, &one).await;
    let elsewhere = sandbox(&context, &two).await;
    let row = context.store.get::<Raw>(&secret_key(&one, &from.id)).await.unwrap().unwrap();
    assert!(row.doc.0["sealed"].as_str().unwrap().starts_with("v2."));
    for victim in [&beside, &elsewhere] {
        open_system(&context, victim).await.unwrap();
        let key = secret_key(&victim.workspace, &victim.id);
        context.store.write(Write::put(&key, &row.doc, Expect::Anything).unwrap()).await.unwrap();
        let error = open_system(&scene.process(), victim).await.unwrap_err();
        assert_eq!(error.code.status(), 500, "{error:?}");
        assert_eq!(error.message, millwright_core::Error::internal("any").message);
    }
    open_system(&context, &from).await.unwrap();
}
