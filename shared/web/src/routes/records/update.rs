//! `PATCH /v1/<entity>/{key}`.

use axum::response::Response;
use http::Method;
use millwright_entities::Entity;
use millwright_records::Operation;

use super::{
    Place, RecordOperation, words,
    write::{RecordBody, Writing, documented_on_record, the_one},
};
use crate::{
    error::Answer,
    extract::{MERGE_PATCH, MergePatch, TextPath},
};

pub(super) fn operation(entity: &'static Entity) -> RecordOperation {
    let id = format!("update_{}", words::one_in_a_name(entity));
    let summary = format!("Change {}", words::a_record(entity));
    let one = words::one(entity);
    let component = words::component(entity);
    let operation = RecordOperation::new(
        entity,
        (&Method::PATCH, Place::Record),
        &id,
        &summary,
        update,
    )
    .described(&format!(
        "Changes the {one} by a JSON merge patch (RFC 7396): given fields are set, `null` empties \
             one, the rest stays. Lines match by `key`: one without a key is added, one with \
             `\"deleted\": true` is removed, those that are not mentioned stay. Given fields that \
             the system did not keep are in `meta.warnings`."
    ))
    .with_bodies(&[MERGE_PATCH, "application/json"], &format!("{component}Patch"))
    .answering(200, &the_one(entity), &component);
    documented_on_record(operation)
}

async fn update(
    writing: Writing,
    TextPath(key): TextPath,
    MergePatch(RecordBody(body)): MergePatch<RecordBody>,
) -> Answer<Response> {
    writing.answer(Operation::Update, Some(key), body).await
}
