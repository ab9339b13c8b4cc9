//! What an engine keeps between the openings of a connection: its session, its turns, what its account
//! may do. A session that is still good need not be made anew for each request to our API.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use millwright_core::{
    Clock, ConnectionId, ExposeSecret, WallTime, WorkspaceId, random_token, sha256_hex,
};
use millwright_store::{Key, Store};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    Credentials,
    auth::Session,
    gate::{Bounds, Gate, Rows},
};
use crate::{
    error::SystemError,
    manifest::{BudgetScope, Manifest},
    system::Permissions,
};

/// What was not asked for so long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(900);

/// What one engine keeps.
#[derive(Clone)]
pub(crate) struct Shared {
    clock: Clock,
    rows: Rows,
    who: String,
    connections: Arc<Mutex<Entries<(WorkspaceId, ConnectionId), Kept>>>,
    gates: Arc<Mutex<Entries<Key, Gate>>>,
}

type Entries<K, T> = HashMap<K, Entry<T>>;

struct Entry<T> {
    thing: Arc<T>,
    asked_at: WallTime,
}

/// What is kept of one connection.
pub(crate) struct Kept {
    /// Which manifest, settings and credentials it was made with.
    print: String,
    pub(super) session: tokio::sync::Mutex<Option<Arc<Session>>>,
    /// Calls at the same time in this process.
    pub(super) turns: Semaphore,
    /// When a login was last refused, and how.
    refused: Mutex<Option<(WallTime, SystemError)>>,
    /// By entity, each until when it is believed.
    permissions: Mutex<HashMap<String, (WallTime, Permissions)>>,
}

impl Shared {
    pub(crate) fn new(store: &Store) -> Self {
        let (clock, rows) = (store.clock().clone(), Rows::shared(store.clone()));
        Self {
            clock,
            rows,
            who: random_token(12),
            connections: Arc::default(),
            gates: Arc::default(),
        }
    }

    /// Limits of this process, not shared with others.
    pub(crate) fn alone(self) -> Self {
        Self { rows: Rows::own(self.clock.clone()), ..self }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What is kept of a connection, if it was made with the same settings, credentials and consent.
    pub(super) fn kept(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        manifest: &Manifest,
        settings: &Value,
        credentials: (&Credentials, &str),
    ) -> Arc<Kept> {
        let print = print(manifest, settings, credentials);
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (workspace.clone(), connection.clone());
        if connections.get(&key).is_some_and(|entry| entry.thing.print != print) {
            connections.remove(&key);
        }
        let new = || Kept {
            print,
            session: tokio::sync::Mutex::default(),
            turns: Semaphore::new(manifest.limits.concurrency),
            refused: Mutex::default(),
            permissions: Mutex::default(),
        };
        entry(&mut connections, key, self.clock.wall(), new)
    }

    /// The gates before a connection's calls: its own, and that of the host where budgets are shared
    /// there.
    pub(super) fn gates(
        &self,
        workspace: &WorkspaceId,
        connection: &ConnectionId,
        manifest: &Manifest,
        origin: Option<&str>,
    ) -> Vec<Arc<Gate>> {
        let limits = &manifest.limits;
        let own = Bounds {
            quotas: limits.quotas(BudgetScope::Connection),
            seats: Some(u32::try_from(limits.concurrency).unwrap_or(u32::MAX)),
        };
        let mut gates = vec![self.gate(connection_key(workspace, connection), own)];
        let of_host = Bounds { quotas: limits.quotas(BudgetScope::Host), seats: None };
        if let (Some(origin), false) = (origin, of_host.quotas.is_empty()) {
            gates.push(self.gate(host_key(workspace, origin), of_host));
        }
        gates
    }

    fn gate(&self, key: Key, bounds: Bounds) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let (rows, who, clock) = (self.rows.clone(), self.who.clone(), self.clock.clone());
        if gates.get(&key).is_some_and(|entry| !entry.thing.keeps_to(&bounds)) {
            gates.remove(&key);
        }
        let new = || Gate::new(rows, key.clone(), who, bounds, clock);
        entry(&mut gates, key.clone(), self.clock.wall(), new)
    }
}

impl Kept {
    /// How a login was refused, if one was since then.
    pub(super) fn refused_since(&self, since: WallTime) -> Option<SystemError> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.as_ref().filter(|(at, _)| *at >= since).map(|(_, error)| error.clone())
    }

    /// Keeps how a login was refused.
    pub(super) fn note_refused(&self, at: WallTime, error: SystemError) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, error));
    }

    /// What the account may do with an entity, if that was found out a while ago.
    pub(crate) fn permissions(&self, entity: &str, now: WallTime) -> Option<Permissions> {
        let kept = self.permissions.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, permissions) = kept.get(entity)?;
        (now < *until).then(|| permissions.clone())
    }

    /// Keeps what the account may do with an entity until a time.
    pub(crate) fn keep_permissions(&self, entity: &str, until: WallTime, found: Permissions) {
        let mut kept = self.permissions.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(entity.to_owned(), (until, found));
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

fn entry<K: std::hash::Hash + Eq, T>(
    map: &mut Entries<K, T>,
    key: K,
    now: WallTime,
    new: impl FnOnce() -> T,
) -> Arc<T> {
    map.retain(|_, entry| {
        Arc::strong_count(&entry.thing) > 1 || now.since(entry.asked_at) < FORGET_AFTER
    });
    let entry = map.entry(key).or_insert_with(|| Entry { thing: Arc::new(new()), asked_at: now });
    entry.asked_at = now;
    entry.thing.clone()
}

/// The row `allowance` of a connection's partition.
fn connection_key(workspace: &WorkspaceId, connection: &ConnectionId) -> Key {
    Key::state(format!("{workspace}#{connection}"), "allowance")
}

fn host_key(workspace: &WorkspaceId, origin: &str) -> Key {
    Key::state(workspace.to_string(), format!("allowance#{origin}"))
}

/// Another print is another login. Only the hash is kept.
fn print(
    manifest: &Manifest,
    settings: &Value,
    (credentials, grant): (&Credentials, &str),
) -> String {
    let exposed: Vec<_> =
        credentials.iter().map(|(name, secret)| json!([name, secret.expose_secret()])).collect();
    sha256_hex(json!([manifest.id, settings, exposed, grant]).to_string().as_bytes())
}
