//! What a connection wants otherwise than its connector says: a row for each entity.

use std::collections::BTreeMap;

use millwright_connector::Overlay;
use millwright_core::{ConnectionId, Result, WallTime, WorkspaceId};
use millwright_store::{Document, Key, Range, Row, Store, Table};
use serde::{Deserialize, Serialize};

use crate::{Connection, ConnectionContext, connection_pk};

const PREFIX: &str = "overlay#";

/// What a connection wants otherwise, for one entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverlayDoc {
    /// The entity, by its slug.
    pub entity: String,
    /// What it wants.
    pub overlay: Overlay,
    /// When it was last told so.
    pub changed_at: WallTime,
}

impl Document for OverlayDoc {}

/// Where the overlay of an entity is: beside its connection's other rows.
#[must_use]
pub fn overlay_key(workspace: &WorkspaceId, connection: &ConnectionId, entity: &str) -> Key {
    Key::state(connection_pk(workspace, connection), format!("{PREFIX}{entity}"))
}

/// What a connection wants otherwise for an entity; nothing when it was never told.
///
/// # Errors
/// When the table fails.
pub async fn find_overlay(
    store: &Store,
    connection: &Connection,
    entity: &str,
) -> Result<Option<Row<OverlayDoc>>> {
    let key = overlay_key(&connection.workspace, &connection.id, entity);
    Ok(store.get::<OverlayDoc>(&key).await?)
}

/// All that a connection wants otherwise, by entity. What no longer fits its connector, which may be
/// newer than the overlay, is left out: a field that comes from elsewhere must not stop all the others.
pub(crate) async fn overlays_of(
    context: &ConnectionContext,
    connection: &Connection,
) -> Result<BTreeMap<String, Overlay>> {
    let pk = connection_pk(&connection.workspace, &connection.id);
    let range = Range::Prefix(PREFIX.to_owned());
    let rows = context.store.query_all::<OverlayDoc>(Table::State, &pk, &range).await?;
    let usable = |doc: &OverlayDoc| is_usable(context, connection, &doc.entity, &doc.overlay);
    let docs = rows.into_iter().map(|row| row.doc).filter(usable);
    Ok(docs.map(|doc| (doc.entity, doc.overlay)).collect())
}

fn is_usable(
    context: &ConnectionContext,
    connection: &Connection,
    entity: &str,
    overlay: &Overlay,
) -> bool {
    let Some(connector) = connection.connector_id.as_deref() else { return false };
    let manifest = context.engine.catalog().get(connector);
    let faults = manifest.map(|manifest| overlay.check(entity, manifest)).unwrap_or_default();
    for fault in &faults {
        let (place, why) = (&fault.path, &fault.message);
        tracing::warn!(connection = %connection.id, entity, place, why, "overlay left out");
    }
    faults.is_empty()
}
