//! `/v1/entities`: the unified model, and which connectors have which part of it.

use std::sync::Arc;

use axum::{Json, extract::State};
use millwright_core::Error;
use millwright_entities::{Category, Entity};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::connectors::{ConnectorEntity, Operation};
use crate::{
    App,
    error::Answer,
    extract::{Params, Reader, TextPath},
    page::{Page, Paged},
};

const LIST: &str = "entities";

/// A connector that has an entity.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntityConnector {
    /// Its id.
    #[schema(example = "tryton")]
    id: String,
    /// The system's name.
    name: String,
    /// What can be done with the entity's records.
    operations: Vec<Operation>,
}

/// A kind of record in the unified model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelEntity {
    /// Its name in paths and queries.
    #[schema(example = "purchase-orders")]
    entity: &'static str,
    /// What one record is called.
    #[schema(example = "Purchase order")]
    title: &'static str,
    /// What several are called.
    #[schema(example = "purchase orders")]
    plural: &'static str,
    /// What it is.
    description: &'static str,
    /// The kinds of systems that have it.
    #[schema(example = json!(["eam", "erp"]))]
    categories: Vec<&'static str>,
    /// The events that tell of its records.
    #[schema(example = json!(["purchase_orders.inserted"]))]
    event_types: Vec<String>,
    /// Whether there is a connector for it yet.
    available: bool,
    /// The connectors that have it.
    connectors: Vec<EntityConnector>,
    /// The JSON Schema (2020-12) of its records; only where one entity is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    schema: Option<&'static Value>,
}

/// List entities
///
/// The unified model, by name, also what no connector has yet.
#[utoipa::path(
    get,
    path = "/v1/entities",
    operation_id = "list_entities",
    tag = "Connectors",
    params(Paged),
    responses((status = 200, description = "A page of entities.", body = Page<ModelEntity>))
)]
pub(crate) async fn list(
    _: Reader,
    State(app): State<App>,
    Params(asked): Params<Paged>,
) -> Answer<Json<Page<ModelEntity>>> {
    let page = Page::of_sorted(LIST, Entity::ALL, |entity: &&Entity| entity.slug, &asked)?;
    Ok(Json(page.map(|entity| shown(&app, entity))))
}

/// Get an entity
///
/// With the JSON Schema of its records.
#[utoipa::path(
    get,
    path = "/v1/entities/{entity}",
    operation_id = "get_entity",
    tag = "Connectors",
    params(("entity" = String, Path, description = "Its name.", example = "purchase-orders")),
    responses((status = 200, description = "The entity.", body = ModelEntity))
)]
pub(crate) async fn get(
    _: Reader,
    State(app): State<App>,
    TextPath(slug): TextPath,
) -> Answer<Json<ModelEntity>> {
    let entity = Entity::find(&slug).ok_or_else(|| Error::not_found("entity"))?;
    Ok(Json(ModelEntity { schema: Some(entity.schema()), ..shown(&app, entity) }))
}

fn shown(app: &App, entity: &Entity) -> ModelEntity {
    let connectors: Vec<EntityConnector> =
        app.engine.catalog().iter().filter_map(|manifest| having(manifest, entity)).collect();
    let event = |happened| format!("{}.{happened}", entity.event_name);
    ModelEntity {
        entity: entity.slug,
        title: entity.title(),
        plural: entity.plural(),
        description: entity.description(),
        categories: entity.categories().into_iter().map(Category::as_str).collect(),
        event_types: ["inserted", "updated", "deleted"].map(event).into(),
        available: !connectors.is_empty(),
        connectors,
        schema: None,
    }
}

fn having(
    manifest: &Arc<millwright_connector::Manifest>,
    entity: &Entity,
) -> Option<EntityConnector> {
    let own = ConnectorEntity::all(manifest).into_iter().find(|own| own.entity == entity.slug)?;
    let (id, name) = (manifest.id.clone(), manifest.name.clone());
    Some(EntityConnector { id, name, operations: own.operations })
}
