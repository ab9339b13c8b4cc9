//! `POST /v1/<entity>`.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode};
use millwright_core::{Error, ErrorCode};
use millwright_entities::Entity;
use millwright_records::create as create_record;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{OfEntity, RecordOperation, must_have, words};
use crate::{
    App,
    data_answer::{DataAnswer, synced_at},
    error::Answer,
    extract::{DataScope, JsonBody, Writer},
};

/// A record to write: what may stand in it is checked against the connection's connector.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
pub(crate) struct RecordBody(Map<String, Value>);

pub(super) fn operation(entity: &'static Entity) -> RecordOperation {
    let id = format!("create_{}", words::one_in_a_name(entity));
    let summary = format!("Create {}", words::a_record(entity));
    let one = words::one(entity);
    let component = words::component(entity);
    RecordOperation::on_list(entity, &Method::POST, &id, &summary, create)
        .described(&format!(
            "Makes the {one} in the connected system and answers with it as the system has it then. \
             Every rule that is known is checked before anything is sent."
        ))
        .with_body(&format!("{component}Input"))
        .answering(201, &format!("The {one}."), &component)
}

async fn create(
    _: Writer,
    OfEntity(entity): OfEntity,
    DataScope(connection): DataScope,
    State(app): State<App>,
    JsonBody(RecordBody(body)): JsonBody<RecordBody>,
) -> Answer<Response> {
    must_have(&app, &connection, entity)?;
    let created = create_record(&app.connections(), &connection, entity.slug, &body).await;
    let record = created.map_err(what_else_is_allowed)?.record;
    let synced_at = synced_at(&app.store, &connection, entity.slug).await.unwrap_or_default();
    Ok((StatusCode::CREATED, DataAnswer::new(&connection, synced_at, record)).into_response())
}

/// Where the connector cannot create, reading is what is left (RFC 9110, 15.5.6).
fn what_else_is_allowed(mut error: Error) -> Error {
    if error.code == ErrorCode::OperationNotSupported && error.allow.is_none() {
        error.allow = Some("GET,HEAD".to_owned());
    }
    error
}
