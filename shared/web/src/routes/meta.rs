//! `/v1/meta`: what can be done with each entity on this connection, and by which rules.

use std::time::Duration;

use axum::extract::State;
use millwright_connection::{Connection, open_system};
use millwright_connector::{EntityMeta, Permissions, System};
use millwright_core::{Error, Result};
use millwright_entities::Entity;
use millwright_records::{filter_fields, sortable_fields};

use super::{
    connectors::ConnectorEntity,
    records::{as_wanted, manifest_of, must_have, status_filters},
};
use crate::{
    App,
    data_answer::{DataAnswer, all_synced_at, synced_at},
    error::Answer,
    extract::{InformationScope, TextPath},
    page::Page,
};

/// How long a system is asked what the connected account may do.
const ASKED_FOR: Duration = Duration::from_secs(5);

/// List what the connection's system has
///
/// Every entity of it, and what can be done with its records; by which rules, `/v1/meta/{entity}`
/// says. Answers in every status but `pending` and `disconnected`.
#[utoipa::path(
    get,
    path = "/v1/meta",
    operation_id = "list_meta",
    tag = crate::openapi::DATA,
    responses((status = 200, description = "The entities.", body = Page<ConnectorEntity>))
)]
pub(crate) async fn list(
    InformationScope(connection): InformationScope,
    State(app): State<App>,
) -> Answer<DataAnswer<Page<ConnectorEntity>>> {
    let manifest = manifest_of(&app, &connection)?;
    let entities = ConnectorEntity::all(manifest);
    let synced_at = all_synced_at(&app.store, &connection).await?;
    Ok(DataAnswer::new(&connection, synced_at, Page::new(entities, None)))
}

/// Get the rules of an entity
///
/// What can be done with its records on this connection, by which rules, and by what lists can be
/// filtered and sorted. Answers in every status but `pending` and `disconnected`; what the connected
/// account may do is `unknown` while the system cannot be asked.
#[utoipa::path(
    get,
    path = "/v1/meta/{entity}",
    operation_id = "get_meta",
    tag = crate::openapi::DATA,
    params(("entity" = String, Path, description = "The entity.", example = "purchase-orders")),
    responses((
        status = 200,
        description = "The rules.",
        body = ref("#/components/schemas/EntityMeta")
    ))
)]
pub(crate) async fn get(
    InformationScope(connection): InformationScope,
    State(app): State<App>,
    TextPath(slug): TextPath,
) -> Answer<DataAnswer<EntityMeta>> {
    let entity = Entity::find(&slug).ok_or_else(|| Error::not_found("entity"))?;
    let meta = meta(&app, &connection, entity).await?;
    let synced_at = synced_at(&app.store, &connection, entity.slug).await?;
    Ok(DataAnswer::new(&connection, synced_at, meta))
}

async fn meta(app: &App, connection: &Connection, entity: &'static Entity) -> Result<EntityMeta> {
    if let Some(meta) = of_statuses(app, connection, entity)? {
        return Ok(meta);
    }
    let def = must_have(app, connection, entity)?;
    let def = as_wanted(app, connection, entity, def).await?;
    let filterable = filter_fields(entity, Some(&def));
    let sortable: Vec<&str> = sortable_fields(&def).into_iter().map(|(name, _)| name).collect();
    let system = open_system(&app.connections(), connection).await?;
    let gone = || Error::internal("a connector that no longer has what it had");
    let mut meta = system.meta(entity.slug).ok_or_else(gone)?;
    let filterable: Vec<&str> = filterable.iter().map(|field| field.name).collect();
    meta.set_access(&filterable, &sortable);
    // A system that is not to be called, or refuses, is not asked.
    if connection.status().allow_data().is_ok() {
        meta.set_permissions(&permissions(&system, entity).await);
    }
    Ok(meta)
}

/// What the connected account may do; nothing is known of it where the system does not say in time.
async fn permissions(system: &System, entity: &Entity) -> Permissions {
    let asked = system.permissions(entity.slug);
    tokio::time::timeout(ASKED_FOR, asked).await.unwrap_or_default()
}

/// Statuses stand in the manifest.
fn of_statuses(
    app: &App,
    connection: &Connection,
    entity: &'static Entity,
) -> Result<Option<EntityMeta>> {
    if entity.slug != "statuses" {
        return Ok(None);
    }
    let meta = EntityMeta::of_statuses(manifest_of(app, connection)?);
    let filterable: Vec<&str> = status_filters(entity).iter().map(|field| field.name).collect();
    Ok(meta.map(|mut meta| {
        meta.set_access(&filterable, &[]);
        meta
    }))
}
