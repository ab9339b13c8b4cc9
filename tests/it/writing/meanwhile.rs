//! Writes through the API while a sync reads: the sync stands still at each thing that it asks the table or
//! the system for, the write is made, and the sync goes on with what it knew before. What was written
//! stands, it is in the feed once, and no sync tells of it again.

use std::time::Duration;

use futures::{StreamExt, stream};
use millwright_connection::{Connection, ConnectionContext};
use millwright_core::WorkspaceId;
use millwright_local::sdk;
use millwright_records::{
    Answered, FeedPage, Op, Operation, Origin, RecordDoc, Scope, WriteRequest, feed_pk, write,
};
use millwright_store::{Range, Row, Table};
use millwright_sync::{
    Mode, RequestedSync, SliceEnd, SliceLimits, SliceTask, request_sync, run_slice,
};
use serde_json::{Value, json};

use super::{
    gate::{Death, Gate, before_table},
    plant::Plant,
    scene::{Ground, QUICK, connected, context},
};

const LIMITS: SliceLimits = SliceLimits {
    lease: Duration::from_secs(60),
    margin: Duration::from_secs(1),
    interval: Duration::from_secs(900),
    vanish_percent: 100,
    spread: Duration::ZERO,
};
const ENTITY: &str = "purchase-orders";
/// More requests than any of these syncs makes.
const REQUESTS_MAX: usize = 80;
const AT_ONCE: usize = 6;

/// What is written meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Create,
    Change,
    Delete,
}

/// A sync that stands still before its n-th request while something is written.
struct Case<'a> {
    ground: &'a Ground,
    living: &'a ConnectionContext,
    kind: Kind,
    number: usize,
}

impl Case<'_> {
    /// Plays it; whether the sync makes so many requests.
    async fn play(&self) -> bool {
        let gate = Gate::default();
        let plant = Plant::start(gate.clone()).await;
        let workspace = WorkspaceId::new_at(self.living.store.clock().wall().millis());
        let connection = connected(self.living, &workspace, &plant).await;
        let (key, _) = (self.order(&connection, "one").await, self.order(&connection, "two").await);
        sync(self.living, &connection).await;
        // The sync has something of its own to tell.
        let other = plant.rows(ENTITY)[1]["id"].as_str().unwrap().to_owned();
        plant.change(ENTITY, &other, "notes", json!("by hand"));
        self.ask(&connection).await;

        let front = before_table(self.ground.cloud.table.url(), gate.clone()).await;
        let queue = self.ground.cloud.queue.url();
        let reader = context(&self.ground.variables(), &sdk::config(&front, queue));
        gate.set(Death::Before(self.number));
        let reading = sync(&reader, &connection);
        tokio::pin!(reading);
        let stopped = tokio::select! {
            biased;
            () = gate.died() => true,
            () = &mut reading => false,
        };
        if !stopped {
            return false;
        }
        // What writes is another process, which meets no gate.
        gate.open();
        let key = self.write(&connection, &key).await;
        gate.go_on();
        reading.await;
        for _ in 0..2 {
            self.ask(&connection).await;
            sync(self.living, &connection).await;
        }
        self.judge(&connection, &key).await;
        true
    }

    async fn order(&self, connection: &Connection, reference: &str) -> String {
        let request = request(Operation::Create, None, json!({ "vendorReference": reference }));
        self.done(connection, request).await
    }

    /// Writes; the key of what was written.
    async fn write(&self, connection: &Connection, key: &str) -> String {
        let key = Some(key.to_owned());
        let request = match self.kind {
            Kind::Create => request(
                Operation::Create,
                None,
                json!({ "vendorReference": "x", "notes": "written" }),
            ),
            Kind::Change => request(Operation::Update, key, json!({ "notes": "written" })),
            Kind::Delete => request(Operation::Delete, key, json!({})),
        };
        self.done(connection, request).await
    }

    async fn done(&self, connection: &Connection, request: WriteRequest) -> String {
        match write(self.living, QUICK, connection, request).await.unwrap() {
            Answered::Record { record, .. } => record["key"].as_str().unwrap().to_owned(),
            Answered::Pending(_) => panic!("it takes too long"),
        }
    }

    async fn ask(&self, connection: &Connection) {
        let entities = Some(vec![ENTITY.to_owned()]);
        let asked = RequestedSync { entities, mode: Mode::Full, confirm_deletions: false };
        request_sync(self.living, connection, &asked).await.unwrap();
    }

    async fn judge(&self, connection: &Connection, key: &str) {
        let Self { kind, number, .. } = self;
        let case = format!("{kind:?} before request {number}");
        let scope = Scope::of(connection);
        let row = self.living.store.get::<RecordDoc>(&scope.record(ENTITY, key)).await.unwrap();
        let row = row.unwrap();
        assert_eq!(row.doc.deleted_at.is_some(), *kind == Kind::Delete, "{case}");
        if *kind != Kind::Delete {
            let body: Value = serde_json::from_str(&row.body.unwrap()).unwrap();
            assert_eq!(body["notes"], "written", "{case}");
        }
        let pk = feed_pk(&connection.workspace, &connection.id);
        let pages: Vec<Row<FeedPage>> =
            self.living.store.query_all(Table::Records, &pk, &Range::All).await.unwrap();
        let entries = pages.iter().flat_map(|row| {
            let origin = row.doc.origin;
            row.doc.entries.iter().map(move |entry| (entry.key.as_str(), origin, entry.op))
        });
        let told: Vec<(Origin, Op)> =
            entries.filter(|entry| entry.0 == key).map(|entry| (entry.1, entry.2)).collect();
        let own = match kind {
            Kind::Create => vec![(Origin::Write, Op::Inserted)],
            Kind::Change => vec![(Origin::Write, Op::Inserted), (Origin::Write, Op::Updated)],
            Kind::Delete => vec![(Origin::Write, Op::Inserted), (Origin::Write, Op::Deleted)],
        };
        assert_eq!(told, own, "{case}");
    }
}

fn request(operation: Operation, key: Option<String>, body: Value) -> WriteRequest {
    WriteRequest {
        entity: ENTITY.to_owned(),
        operation,
        key,
        body: body.as_object().cloned().unwrap(),
        if_match: None,
        dry_run: false,
        same_as: None,
    }
}

/// A whole pass.
async fn sync(context: &ConnectionContext, connection: &Connection) {
    let task = SliceTask {
        workspace: connection.workspace.clone(),
        connection: connection.id.clone(),
        entity: ENTITY.to_owned(),
    };
    let deadline = context.store.clock().wall() + Duration::from_secs(60);
    let ended = run_slice(context, LIMITS, &task, 0, deadline).await.unwrap();
    assert_eq!(ended, SliceEnd::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_while_a_sync_reads_stands_and_is_told_once() {
    let ground = Ground::new().await;
    let living = ground.context();
    for kind in [Kind::Create, Kind::Change, Kind::Delete] {
        let cases =
            (1..REQUESTS_MAX).map(|number| Case { ground: &ground, living: &living, kind, number });
        let played = stream::iter(cases).map(|case| async move { case.play().await });
        let played: Vec<bool> = played
            .buffered(AT_ONCE)
            .take_while(|met| {
                let met = *met;
                async move { met }
            })
            .collect()
            .await;
        println!("{kind:?} at {} requests", played.len());
        assert!(played.len() > 8, "{kind:?}");
    }
}
