//! Whether a connection's records can be read at all.

use std::{borrow::Cow, sync::Arc};

use millwright_connection::{Connection, allow_stale_data, find_overlay};
use millwright_connector::{Manifest, manifest::EntityDef};
use millwright_core::{Error, ErrorCode, Result, WallTime};
use millwright_entities::Entity;

use super::words;
use crate::App;

/// What the connection's connector says about an entity.
///
/// # Errors
/// `OPERATION_NOT_SUPPORTED` where its system does not have the entity. The path exists and allows no
/// method there, so `Allow` is empty (RFC 9110, 10.2.1).
pub(crate) fn must_have<'a>(
    app: &'a App,
    connection: &Connection,
    entity: &Entity,
) -> Result<&'a EntityDef> {
    let manifest = manifest_of(app, connection)?;
    manifest.entity(entity.slug).ok_or_else(|| {
        let message = format!("the connector {} has no {}", manifest.id, words::several(entity));
        let mut error = Error::new(ErrorCode::OperationNotSupported, message);
        error.allow = Some(String::new());
        error
    })
}

/// The same as the connection wants it: with the fields that it maps itself.
///
/// # Errors
/// When the table fails.
pub(crate) async fn as_wanted<'a>(
    app: &App,
    connection: &Connection,
    entity: &Entity,
    def: &'a EntityDef,
) -> Result<Cow<'a, EntityDef>> {
    let row = find_overlay(&app.store, connection, entity.slug).await?;
    let overlay = row.map(|row| row.doc.overlay).filter(|overlay| !overlay.is_empty());
    // One that no longer fits its connector is left out, as it is when the system is opened.
    let laid = overlay.and_then(|overlay| overlay.apply(entity.slug, def).ok());
    Ok(laid.map_or(Cow::Borrowed(def), Cow::Owned))
}

/// The connection's connector.
///
/// # Errors
/// When there is none of its name any more.
pub(crate) fn manifest_of<'a>(app: &'a App, connection: &Connection) -> Result<&'a Manifest> {
    let manifest = app.engine.catalog().get(connection.connector()?);
    manifest.map(Arc::as_ref).ok_or_else(|| Error::internal("a connection of no known connector"))
}

/// Whether records may be read in the connection's status. With `allow_stale` those of the last sync
/// are read also while the system cannot be asked, unless that was too long ago.
///
/// # Errors
/// What data calls answer with in this status.
pub(crate) async fn must_be_readable(
    app: &App,
    connection: &Connection,
    allow_stale: bool,
    synced_at: Option<WallTime>,
) -> Result<()> {
    allow_stale_data(&app.connections(), connection, allow_stale, synced_at).await
}
