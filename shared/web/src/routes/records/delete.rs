//! `DELETE /v1/<entity>/{key}`.

use axum::response::Response;
use http::Method;
use millwright_entities::Entity;
use millwright_records::Operation;
use serde_json::Map;

use super::{
    Place, RecordOperation, words,
    write::{Writing, documented_on_record},
};
use crate::{error::Answer, extract::TextPath};

pub(super) fn operation(entity: &'static Entity) -> RecordOperation {
    let id = format!("delete_{}", words::one_in_a_name(entity));
    let summary = format!("Delete {}", words::a_record(entity));
    let one = words::one(entity);
    let operation = RecordOperation::new(
        entity,
        (&Method::DELETE, Place::Record),
        &id,
        &summary,
        delete,
    )
    .described(&format!(
        "Deletes the {one} in the connected system. `meta.delete_mode` says what that is there: \
             `hard`, it is gone; `soft`, it is marked as deleted; `status`, it stays, in a status \
             that ends it."
    ))
    .answering(
        200,
        &format!("The {one} as it was last; with `deletedAt`, unless it stays."),
        &words::component(entity),
    );
    documented_on_record(operation)
}

async fn delete(writing: Writing, TextPath(key): TextPath) -> Answer<Response> {
    writing.answer(Operation::Delete, Some(key), Map::new()).await
}
