//! Opening a connection's sandbox from its forms.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::AtomicU64},
};

use millwright_core::{ConnectionId, ExposeSecret, SecretString, WorkspaceId};
use millwright_store::Store;
use serde_json::{Map, Value};

use super::{DataSet, Sandbox, Scenario, kept::Kept, play::SECOND_FACTOR};
use crate::manifest::Manifest;

/// The orders of the huge data set where the settings name no number.
const HUGE: u32 = 100_000;

/// Who logs in: the user name is a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Login(pub Scenario);

impl Login {
    /// What a name and a second factor mean. A name that is none is refused like a wrong password.
    fn of(credentials: &BTreeMap<String, SecretString>) -> Self {
        let given = |name: &str| credentials.get(name).map(ExposeSecret::expose_secret);
        let scenario = given("username").map_or(Ok(Scenario::Ok), str::parse);
        match scenario {
            Ok(Scenario::Mfa) if given("code") == Some(SECOND_FACTOR) => Self(Scenario::Ok),
            Ok(scenario) => Self(scenario),
            Err(_) => Self(Scenario::Denied),
        }
    }
}

/// Whose sandbox it is.
pub(crate) struct Place {
    pub store: Store,
    pub workspace: WorkspaceId,
    pub connection: ConnectionId,
}

impl Sandbox {
    /// The sandbox of a connection, for a request that may ask for a scenario of its own.
    pub(crate) fn open(
        place: Place,
        manifest: Arc<Manifest>,
        settings: &Map<String, Value>,
        credentials: &BTreeMap<String, SecretString>,
        asked: Option<Scenario>,
    ) -> Self {
        let set = settings.get("data").and_then(Value::as_str);
        let records = settings.get("records").and_then(Value::as_u64);
        Self {
            kept: Kept::new(place.store, &place.workspace, &place.connection),
            manifest,
            set: set.and_then(|name| name.parse().ok()).unwrap_or(DataSet::Standard),
            records: records.and_then(|number| u32::try_from(number).ok()).unwrap_or(HUGE),
            stateful: settings.get("stateful").and_then(Value::as_bool).unwrap_or(false),
            login: Login::of(credentials),
            asked,
            calls: Mutex::default(),
            made: AtomicU64::new(0),
            played: Mutex::default(),
        }
    }
}
