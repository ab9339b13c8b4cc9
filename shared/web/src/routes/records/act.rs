//! `POST /v1/<entity>/{key}/actions/{name}`.

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
    extract::{ActionPath, OptionalJsonBody},
};

pub(super) fn operation(entity: &'static Entity) -> RecordOperation {
    let id = format!("act_on_{}", words::one_in_a_name(entity));
    let summary = format!("Do something to {}", words::a_record(entity));
    let one = words::one(entity);
    let operation = RecordOperation::new(entity, (&Method::POST, Place::Action), &id, &summary, act)
        .described(&format!(
            "Takes the {one} a step further in the connected system's own workflow, or does something \
             else to it. `/v1/meta/{}` lists the actions, the states in which each can be done, and \
             what can be given with it.",
            entity.slug
        ))
        .with_optional_body("ActionInput")
        .answering(200, &the_one(entity), &words::component(entity));
    documented_on_record(operation)
}

async fn act(
    writing: Writing,
    ActionPath { key, name }: ActionPath,
    OptionalJsonBody(RecordBody(body)): OptionalJsonBody<RecordBody>,
) -> Answer<Response> {
    writing.answer(Operation::Action(name), Some(key), body).await
}
