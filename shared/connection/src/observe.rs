//! What calls and syncs learn about a system's health.

use std::time::Duration;

use millwright_core::{ConnectionId, Result, WallTime, WorkspaceId};
use millwright_event::announce;
use millwright_store::{Row, StoreError, Write};

use crate::{Connection, ConnectionContext, Health, Load, connection_key, events::status_events};

/// While nothing changes, a success is written at most this often: health costs no write per call.
const SUCCESS_NOTED_EVERY: Duration = Duration::from_secs(60);
/// How often an observation is begun again when the row is written by others.
const TRIES: usize = 12;

/// Something learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The system answered well.
    Answered,
    /// It cannot be reached: a second try agreed.
    Unreachable(String),
    /// It refuses the credentials: the probe agreed.
    Refused(String),
    /// The first load of an entity ended, well or not.
    Loaded(String),
}

/// Takes note of an observation: changes the facts and, where the status changes, records the events
/// in the same transaction. Nothing happens when there is no such connection.
///
/// # Errors
/// When the table fails.
pub async fn observe(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    observation: &Observation,
) -> Result<()> {
    let key = connection_key(workspace, connection);
    for _ in 0..TRIES {
        let Some(mut row) = context.store.get::<Connection>(&key).await? else { return Ok(()) };
        let before = row.doc.clone();
        apply(&mut row.doc, observation, context.store.clock().wall());
        if row.doc == before {
            return Ok(());
        }
        match write(context, &row, &before).await {
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(()),
        }
    }
    Err(StoreError::Conflict(0).into())
}

async fn write(
    context: &ConnectionContext,
    row: &Row<Connection>,
    before: &Connection,
) -> Result<(), StoreError> {
    if row.doc.status() == before.status() {
        return context.store.write(Write::replace(row)?).await.map(|_| ());
    }
    let failed = |e: millwright_core::Error| StoreError::Sdk(Box::new(e));
    let events = status_events(context, &row.doc, before.status()).await.map_err(failed)?;
    let mut writes = vec![Write::replace(row)?];
    for event in &events {
        writes.push(event.as_write().map_err(failed)?);
    }
    context.store.transact(writes).await?;
    tracing::info!(
        connection = %row.doc.id,
        from = %before.status(),
        to = %row.doc.status(),
        "connection status changed"
    );
    announce(&context.queue, &events).await;
    Ok(())
}

/// The connection after an observation.
fn apply(connection: &mut Connection, observation: &Observation, now: WallTime) {
    let before = connection.status();
    match observation {
        Observation::Answered => {
            let noted = connection.last_success_at;
            let fresh = noted.is_some_and(|at| now.since(at) < SUCCESS_NOTED_EVERY);
            if connection.facts.health == Health::Ok && fresh {
                return;
            }
            connection.facts.health = Health::Ok;
            connection.last_success_at = Some(now);
            connection.last_checked_at = Some(now);
        }
        Observation::Unreachable(_) => {
            connection.facts.health = Health::Unreachable;
            connection.last_checked_at = Some(now);
        }
        Observation::Refused(_) => {
            connection.facts.health = Health::Refused;
            connection.last_checked_at = Some(now);
        }
        Observation::Loaded(entity) => {
            connection.loading.retain(|loading| loading != entity);
            if connection.loading.is_empty() {
                connection.facts.load = Load::Done;
            }
        }
    }
    if connection.status() != before {
        connection.status_since = now;
        connection.status_reason = match observation {
            Observation::Unreachable(reason) | Observation::Refused(reason) => Some(reason.clone()),
            Observation::Answered | Observation::Loaded(_) => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::WorkspaceId;
    use serde_json::Map;

    use super::*;
    use crate::{Admin, Facts, Status};

    fn loading() -> Connection {
        Connection {
            id: ConnectionId::new_at(1),
            workspace: WorkspaceId::new_at(1),
            connector_id: Some("sandbox".to_owned()),
            application_id: None,
            name: "Plant One".to_owned(),
            customer: None,
            metadata: Map::new(),
            settings: Map::new(),
            facts: Facts { admin: Admin::Enabled, health: Health::Ok, load: Load::Running },
            status_reason: None,
            status_since: WallTime::from_millis(0),
            instance: "sandbox".to_owned(),
            last_checked_at: None,
            last_success_at: None,
            next_check_at: None,
            pending_until: None,
            reconnect: None,
            loading: vec!["vendors".to_owned(), "materials".to_owned()],
            credits: 1,
            created_at: WallTime::from_millis(0),
            scenario: None,
        }
    }

    #[test]
    fn the_first_load_ends_with_its_last_entity() {
        let mut connection = loading();
        let now = WallTime::from_millis(5);
        apply(&mut connection, &Observation::Loaded("vendors".to_owned()), now);
        assert_eq!(connection.status(), Status::Synchronizing);
        apply(&mut connection, &Observation::Loaded("materials".to_owned()), now);
        assert_eq!((connection.status(), connection.status_since), (Status::Active, now));
    }

    #[test]
    fn an_outage_keeps_its_reason_until_the_system_answers() {
        let mut connection = loading();
        let now = WallTime::from_millis(5);
        apply(&mut connection, &Observation::Unreachable("refused".to_owned()), now);
        assert_eq!(connection.status(), Status::Unavailable);
        assert_eq!(connection.status_reason.as_deref(), Some("refused"));
        apply(&mut connection, &Observation::Answered, now + Duration::from_secs(1));
        assert_eq!((connection.status(), connection.status_reason), (Status::Synchronizing, None));
    }

    #[test]
    fn a_success_is_noted_once_a_minute() {
        let mut connection = loading();
        let now = WallTime::from_millis(0);
        apply(&mut connection, &Observation::Answered, now);
        let noted = connection.clone();
        apply(&mut connection, &Observation::Answered, now + Duration::from_secs(59));
        assert_eq!(connection, noted);
        apply(&mut connection, &Observation::Answered, now + SUCCESS_NOTED_EVERY);
        assert_ne!(connection, noted);
    }
}
