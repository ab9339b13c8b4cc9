//! `/v1/<entity>`: the records of a connection. Every entity has the same routes, made from its slug
//! and its schema; one file per operation has its handler and what the document says of it. A new
//! operation is one more file and one more line in [`operations`].

mod access;
mod act;
mod asked;
mod create;
mod delete;
mod get;
mod list;
mod of;
mod operation;
mod params;
mod statuses;
mod update;
pub(crate) mod words;
mod write;

use millwright_entities::Entity;
use utoipa_axum::router::OpenApiRouter;

use crate::App;

pub(crate) use access::{as_wanted, manifest_of, must_have};
pub(crate) use of::{OfEntity, unknown_entity};
pub(crate) use operation::{Place, RecordOperation};
pub(crate) use statuses::status_filters;

/// The routes of all entities.
pub(crate) fn routes() -> OpenApiRouter<App> {
    Entity::ALL
        .iter()
        .flat_map(operations)
        .fold(OpenApiRouter::default(), |router, operation| router.routes(operation.into()))
}

/// What can be asked of an entity's records. `statuses` are no rows of a system.
fn operations(entity: &'static Entity) -> Vec<RecordOperation> {
    if entity.slug == "statuses" {
        return statuses::operations(entity);
    }
    vec![
        list::operation(entity),
        get::operation(entity),
        create::operation(entity),
        update::operation(entity),
        delete::operation(entity),
        act::operation(entity),
    ]
}
