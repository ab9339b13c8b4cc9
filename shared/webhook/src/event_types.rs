//! The catalogue of event types: those that Millwright tells, and those that a workspace has registered
//! for messages of its own. A type need not be registered to be sent.

mod check;
mod told;

use millwright_core::{Error, ErrorCode, Result, WallTime, WorkspaceId};
use millwright_entities::Entity;
use millwright_store::{Document, Expect, Key, Range, Row, Table, Write};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use check::NewEventType;
pub use told::told_event_types;

use crate::Webhooks;

/// The type of the message that tests an endpoint.
pub const TEST_PING: &str = "test.ping";

/// How many types a workspace may register.
const OWN_MAX: usize = 500;
const PREFIX: &str = "event-type#";

/// The families of events that Millwright itself tells, beside those of the entities.
const OWN_FAMILIES: [&str; 6] = ["connection", "sync", "issue", "endpoint", "delivery", "test"];

/// A type of event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType {
    /// Its name, such as `invoice.paid`.
    pub name: String,
    /// When it is told, in words.
    pub description: String,
    /// What its `data` looks like: a JSON Schema (2020-12).
    pub schema: Option<Value>,
    /// Such `data`.
    pub example: Option<Value>,
    /// When the workspace registered it; nothing for one of Millwright's own.
    pub registered: Option<Registered>,
}

/// When a type of a workspace's own was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// When it was registered first.
    pub created_at: WallTime,
    /// When it was last changed.
    pub updated_at: WallTime,
}

/// The row of a registered type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OwnType {
    name: String,
    description: String,
    schema: Option<Value>,
    example: Option<Value>,
    created_at: WallTime,
    updated_at: WallTime,
}

impl Document for OwnType {}

impl From<OwnType> for EventType {
    fn from(own: OwnType) -> Self {
        let registered = Registered { created_at: own.created_at, updated_at: own.updated_at };
        Self {
            name: own.name,
            description: own.description,
            schema: own.schema,
            example: own.example,
            registered: Some(registered),
        }
    }
}

/// Whether receivers would take an event of this type for one that Millwright has noticed.
#[must_use]
pub fn is_told_by_millwright(event_type: &str) -> bool {
    let Some((family, _)) = event_type.split_once('.') else { return false };
    let of_entity = Entity::ALL.iter().any(|entity| entity.event_name == family);
    of_entity || OWN_FAMILIES.contains(&family)
}

impl Webhooks {
    /// Every type that Millwright tells or the workspace has registered, by name.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn event_types(&self, workspace: &WorkspaceId) -> Result<Vec<EventType>> {
        let range = Range::Prefix(PREFIX.to_owned());
        let rows = self.store.query_all::<OwnType>(Table::State, workspace.as_str(), &range);
        let own = rows.await?.into_iter().map(|row| EventType::from(row.doc));
        let mut all: Vec<EventType> = told_event_types().iter().cloned().chain(own).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// A type that Millwright tells or the workspace has registered.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn find_event_type(
        &self,
        workspace: &WorkspaceId,
        name: &str,
    ) -> Result<Option<EventType>> {
        if let Some(told) = told_event_types().iter().find(|told| told.name == name) {
            return Ok(Some(told.clone()));
        }
        let row: Option<Row<OwnType>> = self.store.get(&type_key(workspace, name)).await?;
        Ok(row.map(|row| row.doc.into()))
    }

    /// Registers a type, or changes what is registered; answers whether it is new.
    ///
    /// # Errors
    /// All the fields that are not valid, the name among them; `STATE_CONFLICT` when the workspace has
    /// as many as it may.
    pub async fn put_event_type(
        &self,
        workspace: &WorkspaceId,
        name: &str,
        new: NewEventType,
    ) -> Result<(EventType, bool)> {
        new.check(name)?;
        let key = type_key(workspace, name);
        let now = self.clock().wall();
        let row: Option<Row<OwnType>> = self.store.get(&key).await?;
        let created_at = row.as_ref().map_or(now, |row| row.doc.created_at);
        let NewEventType { description, schema, example } = new;
        let name = name.to_owned();
        let own = OwnType { name, description, schema, example, created_at, updated_at: now };
        match row {
            Some(row) if (OwnType { updated_at: now, ..row.doc.clone() }) == own => {
                return Ok((row.doc.into(), false));
            }
            Some(_) => {}
            None => self.room_for_one_more(workspace).await?,
        }
        // Whoever is last has their way: a registration is whole.
        self.store.write(Write::put(&key, &own, Expect::Anything)?).await?;
        Ok((own.into(), created_at == now))
    }

    /// Takes a registered type out of the catalogue. Messages of it can still be sent.
    ///
    /// # Errors
    /// `NOT_FOUND` when the workspace has registered no such type.
    pub async fn delete_event_type(&self, workspace: &WorkspaceId, name: &str) -> Result<()> {
        let gone = self.store.write(Write::delete(&type_key(workspace, name), Expect::Present));
        match gone.await {
            Ok(_) => Ok(()),
            Err(error) if error.is_conflict() => Err(Error::not_found("event type of your own")),
            Err(error) => Err(error.into()),
        }
    }

    async fn room_for_one_more(&self, workspace: &WorkspaceId) -> Result<()> {
        let range = Range::Prefix(PREFIX.to_owned());
        let rows = self.store.query_all::<OwnType>(Table::State, workspace.as_str(), &range);
        if rows.await?.len() < OWN_MAX {
            return Ok(());
        }
        let message = format!("a workspace has at most {OWN_MAX} event types of its own");
        Err(Error::new(ErrorCode::StateConflict, message))
    }
}

fn type_key(workspace: &WorkspaceId, name: &str) -> Key {
    Key::state(workspace.as_str(), format!("{PREFIX}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_begins_like_millwrights_own_or_does_not() {
        for own in ["connection.created", "test.ping", "purchase_orders.inserted", "sync.a.b"] {
            assert!(is_told_by_millwright(own), "{own}");
        }
        for free in ["invoice.paid", "connections.x", "my.connection.created", "test"] {
            assert!(!is_told_by_millwright(free), "{free}");
        }
    }

    #[test]
    fn all_that_millwright_tells_is_in_the_catalogue_once() {
        let told = told_event_types();
        let names: std::collections::BTreeSet<&str> =
            told.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.len(), told.len());
        for name in [
            "purchase_orders.inserted",
            "assets_downtime.deleted",
            "sync.completed",
            "sync.failed",
            "connection.created",
            "connection.status_changed",
            "connection.reauthorization_required",
            "connection.unavailable",
            "connection.recovered",
            "connection.disconnected",
            "issue.opened",
            "issue.closed",
            "endpoint.failing",
            "endpoint.disabled",
            "delivery.failed",
            TEST_PING,
        ] {
            assert!(names.contains(name), "{name}");
        }
        assert!(names.iter().all(|name| is_told_by_millwright(name)));
    }

    #[test]
    fn every_example_is_as_its_schema_says_and_other_data_is_not() {
        for told in told_event_types() {
            let schema = told.schema.as_ref().unwrap();
            let validator = jsonschema::draft202012::new(schema).unwrap();
            let example = told.example.as_ref().unwrap();
            let fault = validator.validate(example).map_err(|error| error.to_string());
            assert_eq!(fault, Ok(()), "{}", told.name);
            assert!(!validator.is_valid(&serde_json::json!({})), "{}", told.name);
        }
    }
}
