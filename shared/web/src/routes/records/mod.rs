//! `/v1/<entity>`: the records of a connection. Every entity has the same routes, made from its slug
//! and its schema; one file per operation has its handler and what the document says of it. A new
//! operation is one more file and one more line in [`operations`].

mod create;
mod of;
mod operation;
mod read;
pub(crate) mod words;

use millwright_entities::Entity;
use utoipa_axum::router::OpenApiRouter;

use crate::App;

pub(crate) use of::OfEntity;
pub(crate) use operation::RecordOperation;
pub(crate) use read::{is_possible, must_have, unknown_entity};

/// The routes of all entities. `statuses` are no rows of a system and have a file of their own.
pub(crate) fn routes() -> OpenApiRouter<App> {
    let entities = Entity::ALL.iter().filter(|entity| entity.slug != "statuses");
    entities
        .flat_map(operations)
        .fold(OpenApiRouter::default(), |router, operation| router.routes(operation.into()))
}

/// What can be asked of an entity's records.
fn operations(entity: &'static Entity) -> Vec<RecordOperation> {
    vec![read::list_operation(entity), read::get_operation(entity), create::operation(entity)]
}
