//! What the writing operations have in common: the request as the records take it, the answers, and
//! what the document says of both.

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use millwright_connection::Connection;
use millwright_core::{ErrorCode, WallTime, WriteId};
use millwright_entities::Entity;
use millwright_records::{Answered, IfMatch, Operation, WriteRequest, write};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Schema, Type},
    },
};

use super::{OfEntity, RecordOperation, must_have, words};
use crate::{
    App,
    data_answer::{DataAnswer, synced_at},
    error::{Answer, ApiError},
    extract::{Condition, DataScope, Params, Writer},
    idempotency::SameAs,
    routes::writes::WriteAnswer,
};

/// A record to write: what may stand in it is checked against the connection's connector.
#[derive(Default, Deserialize, ToSchema)]
#[serde(transparent)]
pub(crate) struct RecordBody(pub(super) Map<String, Value>);

/// How to write.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WriteParams {
    /// Only check: nothing is written. The answer is the record as it would be.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub dry_run: bool,
}

/// What all writes take: somebody who may write, an entity of a connection whose data may be written,
/// and how.
pub(super) struct Writing {
    app: App,
    connection: Connection,
    entity: &'static Entity,
    dry_run: bool,
    if_match: Option<IfMatch>,
    same_as: Option<String>,
}

impl FromRequestParts<App> for Writing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Writer::from_request_parts(parts, app).await?;
        let OfEntity(entity) = OfEntity::from_request_parts(parts, app).await?;
        let DataScope(connection) = DataScope::from_request_parts(parts, app).await?;
        let Params(WriteParams { dry_run }) = Params::from_request_parts(parts, app).await?;
        let Condition(if_match) = Condition::from_request_parts(parts, app).await?;
        let Ok(SameAs { text: same_as, .. }) = SameAs::from_request_parts(parts, app).await;
        must_have(app, &connection, entity)?;
        Ok(Self { app: app.clone(), connection, entity, dry_run, if_match, same_as })
    }
}

impl Writing {
    /// Writes, and answers with the record, or with the write's id.
    pub(super) async fn answer(
        self,
        operation: Operation,
        key: Option<String>,
        body: Map<String, Value>,
    ) -> Answer<Response> {
        let Self { app, connection, entity, dry_run, if_match, same_as } = self;
        let created = operation == Operation::Create && !dry_run;
        let slug = entity.slug.to_owned();
        let asked = operation.clone();
        let request =
            WriteRequest { entity: slug, operation, key, body, if_match, dry_run, same_as };
        let times = app.settings.write_timing;
        let answered = write(&app.connections(), times, &connection, request).await;
        let answered = answered.map_err(|mut error| {
            if error.code == ErrorCode::OperationNotSupported {
                error.allow = Some(allowed(&app, &connection, entity, &asked));
            }
            error
        })?;
        let synced_at = synced_at(&app.store, &connection, entity.slug).await.unwrap_or_default();
        Ok(shaped(&connection, synced_at, entity, created, answered))
    }
}

fn shaped(
    connection: &Connection,
    synced_at: Option<WallTime>,
    entity: &Entity,
    created: bool,
    answered: Answered,
) -> Response {
    match answered {
        Answered::Record { record, etag } => {
            let place = created.then(|| place_of(entity, &record)).flatten();
            let status = if created { StatusCode::CREATED } else { StatusCode::OK };
            let answer = DataAnswer::new(connection, synced_at, record).tagged(etag.as_deref());
            at(place, (status, answer).into_response())
        }
        Answered::Pending(shown) => {
            let place = Some(place_of_write(&shown.id));
            let answer = DataAnswer::new(connection, synced_at, WriteAnswer::from(*shown));
            at(place, (StatusCode::ACCEPTED, answer).into_response())
        }
    }
}

/// Where a write can be asked for.
fn place_of_write(id: &WriteId) -> String {
    format!("/v1/writes/{id}")
}

fn place_of(entity: &Entity, record: &Value) -> Option<String> {
    let key = record.get("key")?.as_str()?;
    Some(format!("/v1/{}/{key}", entity.slug))
}

fn at(place: Option<String>, mut response: Response) -> Response {
    if let Some(place) = place.and_then(|place| HeaderValue::from_str(&place).ok()) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// The methods that are left where the connector cannot do what was asked (RFC 9110, 15.5.6).
fn allowed(app: &App, connection: &Connection, entity: &Entity, asked: &Operation) -> String {
    let connector = connection.connector_id.as_deref();
    let manifest = connector.and_then(|id| app.engine.catalog().get(id));
    let Some(def) = manifest.and_then(|manifest| manifest.entity(entity.slug)) else {
        return String::new();
    };
    let write = &def.write;
    let methods = match asked {
        Operation::Create => vec![("GET", true), ("HEAD", true), ("POST", write.create.is_some())],
        Operation::Update | Operation::Delete => vec![
            ("GET", true),
            ("HEAD", true),
            ("PATCH", write.update.is_some()),
            ("DELETE", write.delete.is_some()),
        ],
        Operation::Action(name) => vec![("POST", write.actions.get(name).is_some())],
    };
    let left: Vec<&str> =
        methods.into_iter().filter_map(|(name, can)| can.then_some(name)).collect();
    left.join(",")
}

/// What the document says of every write.
pub(super) fn documented(operation: RecordOperation) -> RecordOperation {
    operation
        .with_parameters(WriteParams::into_params(|| Some(ParameterIn::Query)))
        .answering(
            202,
            "The system has not answered in time. The write goes on: ask for it at the address in \
             `Location`.",
            "Write",
        )
        .refusing(405, "The connector cannot do this; `Allow` says what it can.")
}

/// What the document says of a write to a record that is there.
pub(super) fn documented_on_record(operation: RecordOperation) -> RecordOperation {
    documented(operation)
        .with_parameters([if_match()])
        .refusing(412, "The record is not the one that `If-Match` names.")
}

fn if_match() -> Parameter {
    let text = Schema::from(ObjectBuilder::new().schema_type(Type::String).build());
    ParameterBuilder::new()
        .name("If-Match")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "Write only if the record is still this one: its `ETag` (or `meta.etag`), several with \
             commas, or `*`. The record is read from the system first; if it is another by then, \
             nothing is sent.",
        ))
        .schema(Some(text))
        .build()
}

/// `The purchase order.`
pub(super) fn the_one(entity: &Entity) -> String {
    format!("The {}, as the system has it then.", words::one(entity))
}
