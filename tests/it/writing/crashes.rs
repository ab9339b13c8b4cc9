//! Processes that die in the midst of a write: at each thing they ask of the table or of the system,
//! before it is done and after. Then the write is settled, or its caller tries again with the same key.
//! There is one record on the system in the end, or the caller is told that nobody knows.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use millwright_connection::{Connection, ConnectionContext};
use millwright_core::{Error, ErrorCode, WorkspaceId, WriteId};
use millwright_local::sdk;
use millwright_records::{
    Answered, Operation, RecordDoc, Scope, Settled, WriteDoc, WriteRequest, WriteTask, WriteTiming,
    settle_write, write, write_key,
};
use serde_json::{Map, Value, json};

use super::{
    gate::{Death, Gate, before_table},
    plant::Plant,
    scene::{Ground, QUICK, connected, context},
};

/// Claims that end soon: the next one comes soon after the death.
const TIMES: WriteTiming = WriteTiming {
    call_within: Duration::from_secs(3),
    claim: Duration::from_millis(1200),
    wait_for_other: Duration::from_secs(5),
    ..QUICK
};
/// More requests than any write makes.
const REQUESTS_MAX: usize = 80;
const AT_ONCE: usize = 6;

/// What dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A create that the system knows by itself, by its token, not at all.
    Native,
    Token,
    Unknown,
    /// A change of the header and a new line, in two requests.
    Change,
    Send,
    Delete,
}

impl Kind {
    fn entity(self) -> &'static str {
        match self {
            Self::Native => "vendors",
            Self::Unknown => "materials",
            Self::Token | Self::Change | Self::Send | Self::Delete => "purchase-orders",
        }
    }

    fn makes(self) -> bool {
        matches!(self, Self::Native | Self::Token | Self::Unknown)
    }

    fn request(self, key: Option<String>) -> WriteRequest {
        let (operation, body) = match self {
            Self::Native | Self::Unknown => (Operation::Create, json!({"name": "x"})),
            Self::Token => (Operation::Create, json!({"vendorReference": "x"})),
            Self::Change => {
                (Operation::Update, json!({"notes": "new", "lineItems": [{"quantity": "9"}]}))
            }
            Self::Send => (Operation::Action("send".to_owned()), json!({})),
            Self::Delete => (Operation::Delete, json!({})),
        };
        WriteRequest {
            entity: self.entity().to_owned(),
            operation,
            key,
            body: object(&body),
            if_match: None,
            dry_run: false,
            same_as: Some("the same".to_owned()),
        }
    }
}

/// One write that dies, and what comes after.
struct Case<'a> {
    ground: &'a Ground,
    living: &'a ConnectionContext,
    kind: Kind,
    death: Death,
    settles: bool,
}

impl Case<'_> {
    /// Plays it; whether the process came to die.
    async fn play(&self) -> bool {
        let gate = Gate::default();
        let plant = Plant::start(gate.clone()).await;
        let workspace = WorkspaceId::new_at(self.living.store.clock().wall().millis());
        let connection = connected(self.living, &workspace, &plant).await;
        let key = if self.kind.makes() { None } else { Some(self.order(&connection).await) };
        let request = self.kind.request(key);
        gate.set(self.death);
        let died = self.die(&gate, &connection, request.clone()).await;
        gate.open();
        if !died {
            return false;
        }
        if self.settles {
            self.settle(&connection).await;
        }
        let answered = self.ask_again(&connection, request).await;
        self.judge(&plant, &connection, answered).await;
        true
    }

    /// The key of an order that is there.
    async fn order(&self, connection: &Connection) -> String {
        let request = WriteRequest { same_as: None, ..Kind::Token.request(None) };
        match write(self.living, TIMES, connection, request).await.unwrap() {
            Answered::Record { record, .. } => record["key"].as_str().unwrap().to_owned(),
            Answered::Pending(_) => panic!("an order takes too long"),
        }
    }

    /// Runs the write in a process of its own, as far as it may come.
    async fn die(&self, gate: &Gate, connection: &Connection, request: WriteRequest) -> bool {
        let front = before_table(self.ground.cloud.table.url(), gate.clone()).await;
        let queue = self.ground.cloud.queue.url().to_owned();
        let variables: HashMap<String, String> = self.ground.variables();
        let (gate, connection) = (gate.clone(), connection.clone());
        let process = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.unwrap();
            let died = runtime.block_on(async {
                let context = context(&variables, &sdk::config(&front, &queue));
                tokio::select! {
                    biased;
                    () = gate.died() => true,
                    _ = write(&context, TIMES, &connection, request) => false,
                }
            });
            runtime.shutdown_background();
            died
        };
        tokio::task::spawn_blocking(process).await.unwrap()
    }

    fn write_id(connection: &Connection) -> WriteId {
        WriteId::derived(&[connection.workspace.as_str(), connection.id.as_str(), "the same"])
    }

    /// As the sync function does when the write is due: until it has ended.
    async fn settle(&self, connection: &Connection) {
        let task = WriteTask {
            workspace: connection.workspace.clone(),
            connection: connection.id.clone(),
            write: Self::write_id(connection),
        };
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            assert!(Instant::now() < until, "{self} is not settled");
            let settled = settle_write(self.living, TIMES, &task).await.unwrap();
            let key = write_key(&task.workspace, &task.connection, &task.write);
            let row = self.living.store.get::<WriteDoc>(&key).await.unwrap();
            if settled == Settled::Done && row.is_none_or(|row| row.doc.sent().is_none()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The caller, until there is an answer that is not "try again".
    async fn ask_again(
        &self,
        connection: &Connection,
        request: WriteRequest,
    ) -> Result<Value, Error> {
        for _ in 0..100 {
            match write(self.living, TIMES, connection, request.clone()).await {
                Ok(Answered::Record { record, .. }) => return Ok(record),
                Ok(Answered::Pending(_)) => {}
                // Its record is still held for it, by the claim of the dead.
                Err(error) if error.retryable() || error.code == ErrorCode::StateConflict => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{self}: no end of it");
    }

    async fn judge(&self, plant: &Plant, connection: &Connection, answered: Result<Value, Error>) {
        let rows = plant.rows(self.kind.entity());
        let unknown = matches!(&answered, Err(e) if e.code == ErrorCode::WriteOutcomeUnknown);
        let done = match self.kind {
            Kind::Native | Kind::Token | Kind::Unknown => {
                assert!(rows.len() <= 1, "{self}: twice");
                rows.len() == 1
            }
            Kind::Change => {
                let items = rows[0].get("items").and_then(Value::as_array);
                let new = |line: &&Value| line["n"] == json!(9);
                let lines = items.map_or(0, |items| items.iter().filter(new).count());
                assert!(lines <= 1, "{self}: two lines");
                lines == 1 && rows[0]["notes"] == "new"
            }
            Kind::Send => rows[0]["status"] == "sent",
            Kind::Delete => rows.is_empty(),
        };
        match answered {
            Ok(record) => {
                assert!(done, "{self}: told as done, and not done: {record:#}");
                let scope = Scope {
                    workspace: connection.workspace.clone(),
                    connection: connection.id.clone(),
                    customer: None,
                };
                let row = scope.record(self.kind.entity(), record["key"].as_str().unwrap());
                let row = self.living.store.get_doc::<RecordDoc>(&row).await.unwrap();
                let row = row.unwrap_or_else(|| panic!("{self}: does not show"));
                assert_eq!(row.doc.deleted_at.is_some(), self.kind == Kind::Delete, "{self}");
            }
            Err(error) => {
                let may = matches!(self.kind, Kind::Unknown | Kind::Change);
                assert!(unknown && may, "{self}: {error}");
            }
        }
    }
}

impl std::fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let after = if self.settles { "settled" } else { "asked again" };
        write!(f, "{:?} that died {:?}, {after}", self.kind, self.death)
    }
}

async fn dies_everywhere(kind: Kind) {
    let ground = Ground::new().await;
    let living = ground.context();
    // How many requests the write makes is known once one ends before it dies.
    let over = AtomicBool::new(false);
    let deaths = (1..=REQUESTS_MAX).flat_map(|n| [Death::Before(n), Death::After(n)]);
    let cases = deaths.enumerate().map(|(number, death)| {
        let (ground, living, over) = (&ground, &living, &over);
        // Settled after half of the deaths before a request, and after half of those behind one.
        let settles = (number / 2 + number) % 2 == 0;
        async move {
            if over.load(Ordering::SeqCst) {
                return false;
            }
            let died = Case { ground, living, kind, death, settles }.play().await;
            over.fetch_or(!died, Ordering::SeqCst);
            died
        }
    });
    let died: Vec<bool> = stream::iter(cases).buffered(AT_ONCE).collect().await;
    let deaths = died.iter().take_while(|died| **died).count();
    println!("{kind:?}: {deaths} deaths");
    assert!(deaths % 2 == 0 && deaths > 15, "{deaths} deaths");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_the_system_knows_by_itself_survives_every_death() {
    dies_everywhere(Kind::Native).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_can_be_looked_up_survives_every_death() {
    dies_everywhere(Kind::Token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_cannot_be_looked_up_is_never_made_twice() {
    dies_everywhere(Kind::Unknown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_two_requests_survives_every_death_or_is_told_as_unknown() {
    dies_everywhere(Kind::Change).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_and_a_delete_survive_every_death() {
    dies_everywhere(Kind::Send).await;
    dies_everywhere(Kind::Delete).await;
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}
