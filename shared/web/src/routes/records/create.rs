//! `POST /v1/<entity>`.

use axum::response::Response;
use http::Method;
use millwright_entities::Entity;
use millwright_records::Operation;

use super::{
    Place, RecordOperation, words,
    write::{RecordBody, Writing, documented, the_one},
};
use crate::{error::Answer, extract::JsonBody};

pub(super) fn operation(entity: &'static Entity) -> RecordOperation {
    let id = format!("create_{}", words::one_in_a_name(entity));
    let summary = format!("Create {}", words::a_record(entity));
    let one = words::one(entity);
    let component = words::component(entity);
    let operation = RecordOperation::new(
        entity,
        (&Method::POST, Place::List),
        &id,
        &summary,
        create,
    )
    .described(&format!(
        "Makes the {one} in the connected system and answers with it as the system has it then. \
             Every rule that is known is checked before anything is sent; given fields that the \
             system did not keep are in `meta.warnings`."
    ))
    .with_body(&format!("{component}Input"))
    .answering(201, &the_one(entity), &component)
    .answering(
        200,
        "With `dry_run`: the record as it would be.",
        &format!("{component}Preview"),
    );
    documented(operation)
}

async fn create(
    writing: Writing,
    JsonBody(RecordBody(body)): JsonBody<RecordBody>,
) -> Answer<Response> {
    writing.answer(Operation::Create, None, body).await
}
