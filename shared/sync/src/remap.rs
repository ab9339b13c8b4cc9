//! A connection's own say in how rows become records: kept, and made true for what is there.

use std::time::Duration;

use millwright_connection::{
    Connection, ConnectionContext, OverlayDoc, connection_key, find_overlay, overlay_key,
};
use millwright_connector::Overlay;
use millwright_core::{Error, Result};
use millwright_store::{Expect, Row, StoreError, Write};

use crate::{SyncState, connect::send, sync_key};

/// How often it is begun again when the rows are written by others: a running pass writes its own with
/// every page.
const TRIES: u32 = 50;
/// The wait between two of these tries grows with each of them, up to this.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// The place of the connection's row among what is written.
const CONNECTION: usize = 1;

/// What a change came to.
#[derive(Clone, Debug)]
pub struct Remapped {
    /// What holds now.
    pub overlay: Overlay,
    /// The sync that reads everything anew; nothing when nothing has changed, or the entity has none.
    pub sync: Option<SyncState>,
}

/// Changes what a connection wants otherwise for an entity (a slug). It holds at once for everything
/// that is read from now on; rows are kept nowhere, so what is there is read again: the reading is
/// asked for in the same transaction, and a running one begins anew.
///
/// # Errors
/// When the table fails, or the connection is gone.
pub async fn change_overlay(
    context: &ConnectionContext,
    connection: &Connection,
    entity: &str,
    change: impl Fn(&mut Overlay) + Send + Sync,
) -> Result<Remapped> {
    for tried in 1..=TRIES {
        let row = find_overlay(&context.store, connection, entity).await?;
        let before = row.as_ref().map(|row| row.doc.overlay.clone()).unwrap_or_default();
        let mut overlay = before.clone();
        change(&mut overlay);
        if overlay == before {
            return Ok(Remapped { overlay, sync: None });
        }
        let key = sync_key(&connection.workspace, &connection.id, entity);
        let state = context.store.get::<SyncState>(&key).await?;
        match write(context, connection, entity, &overlay, row.as_ref(), state).await {
            Ok(sync) => {
                if let Some(state) = &sync {
                    send(context, state).await;
                }
                return Ok(Remapped { overlay, sync });
            }
            Err(StoreError::Conflict(CONNECTION)) => return Err(Error::not_found("connection")),
            Err(StoreError::Conflict(_)) => {
                tokio::time::sleep((Duration::from_millis(5) * tried).min(PAUSE_MAX)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict(0).into())
}

async fn write(
    context: &ConnectionContext,
    connection: &Connection,
    entity: &str,
    overlay: &Overlay,
    row: Option<&Row<OverlayDoc>>,
    state: Option<Row<SyncState>>,
) -> Result<Option<SyncState>, StoreError> {
    let clock = context.store.clock();
    let doc = OverlayDoc {
        entity: entity.to_owned(),
        overlay: overlay.clone(),
        changed_at: clock.wall(),
    };
    let key = overlay_key(&connection.workspace, &connection.id, entity);
    let expect = row.map_or(Expect::Absent, |row| Expect::Version(row.version));
    // A connection that is being erased takes no more rows.
    let there = connection_key(&connection.workspace, &connection.id);
    let mut writes = vec![Write::put(&key, &doc, expect)?, Write::check(&there, Expect::Present)];
    let state = state.map(|mut row| {
        row.doc.ask_remap(clock.wall(), clock.schedule());
        row
    });
    if let Some(row) = &state {
        writes.push(Write::replace(row)?);
    }
    context.store.transact(writes).await?;
    Ok(state.map(|row| row.doc))
}
