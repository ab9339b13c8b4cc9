//! `/v1/event-types`.

use axum::{Json, extract::State};
use http::StatusCode;
use millwright_core::{Error, WallTime};
use millwright_webhook::{self as webhook, NewEventType};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    App,
    error::Answer,
    extract::{Admin, JsonBody, Params, Reader, TextPath},
    page::{Limit, Page, Paged},
};

const LIST: &str = "event-types";

/// Who tells events of a type.
#[derive(Clone, Copy, Deserialize, Serialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// Millwright, when it notices something.
    Millwright,
    /// The workspace, by `POST /v1/webhook-messages`.
    Workspace,
}

/// A type of event.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventType {
    /// Its name: what endpoints choose by.
    #[schema(example = "purchase_orders.updated")]
    name: String,
    /// When it is told.
    description: String,
    /// Who tells it.
    origin: Origin,
    /// What the `data` of its messages looks like: a JSON Schema (2020-12).
    #[schema(required, value_type = Option<Object>)]
    schema: Option<Value>,
    /// Such `data`.
    #[schema(required)]
    example: Option<Value>,
    /// When it was registered; null for Millwright's own.
    #[schema(required, format = DateTime)]
    created_at: Option<String>,
    /// When it was last changed; null for Millwright's own.
    #[schema(required, format = DateTime)]
    updated_at: Option<String>,
}

impl From<webhook::EventType> for EventType {
    fn from(own: webhook::EventType) -> Self {
        let time = |of: fn(webhook::Registered) -> WallTime| own.registered.map(|at| of(at).iso());
        let (created_at, updated_at) = (time(|at| at.created_at), time(|at| at.updated_at));
        let registered = own.registered.is_some();
        Self {
            origin: if registered { Origin::Workspace } else { Origin::Millwright },
            name: own.name,
            description: own.description,
            schema: own.schema,
            example: own.example,
            created_at,
            updated_at,
        }
    }
}

/// The type to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventTypeRequest {
    /// When it is told.
    #[serde(default)]
    #[schema(max_length = 1000)]
    description: String,
    /// What the `data` of its messages looks like: a JSON Schema (2020-12), complete in itself, of at
    /// most 64 KB. Messages are not held against it: it tells receivers what to expect.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    schema: Option<Value>,
    /// Such `data`: it must be as the schema says. At most 32 KB.
    #[serde(default)]
    example: Option<Value>,
}

/// Which event types to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventTypeList {
    /// Only those that this one tells.
    #[param(inline)]
    origin: Option<Origin>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most types in the page.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit<100>,
}

/// List event types
///
/// Every type that Millwright tells, and those that the workspace has registered, by name.
#[utoipa::path(
    get,
    path = "/v1/event-types",
    operation_id = "list_event_types",
    tag = "Webhooks",
    params(EventTypeList),
    responses((status = 200, description = "A page of event types.", body = Page<EventType>))
)]
pub(crate) async fn list(
    caller: Reader,
    State(app): State<App>,
    Params(list): Params<EventTypeList>,
) -> Answer<Json<Page<EventType>>> {
    let all = app.webhooks().event_types(&caller.workspace).await?;
    let all = all.into_iter().map(EventType::from);
    let wanted = all.filter(|one| list.origin.is_none_or(|origin| one.origin == origin));
    let asked = Paged::of(list.cursor, list.limit.get());
    Ok(Json(Page::of_sorted(LIST, wanted, |one| &one.name, &asked)?))
}

/// Get an event type
#[utoipa::path(
    get,
    path = "/v1/event-types/{name}",
    operation_id = "get_event_type",
    tag = "Webhooks",
    params(("name" = String, Path, description = "Its name.", example = "test.ping")),
    responses((status = 200, description = "The event type.", body = EventType))
)]
pub(crate) async fn get(
    caller: Reader,
    State(app): State<App>,
    TextPath(name): TextPath,
) -> Answer<Json<EventType>> {
    let found = app.webhooks().find_event_type(&caller.workspace, &name).await?;
    let found = found.ok_or_else(|| Error::not_found("event type"))?;
    Ok(Json(found.into()))
}

/// Register an event type
///
/// Puts a type of the workspace's own into the catalogue, in place of what was registered before.
/// Messages of types that are not registered can be sent too.
#[utoipa::path(
    put,
    path = "/v1/event-types/{name}",
    operation_id = "put_event_type",
    tag = "Webhooks",
    params(("name" = String, Path, description = "Its name.", example = "invoice.paid")),
    request_body = EventTypeRequest,
    responses(
        (status = 200, description = "The changed event type.", body = EventType),
        (status = 201, description = "The new event type.", body = EventType),
    )
)]
pub(crate) async fn put(
    caller: Admin,
    State(app): State<App>,
    TextPath(name): TextPath,
    JsonBody(request): JsonBody<EventTypeRequest>,
) -> Answer<(StatusCode, Json<EventType>)> {
    let EventTypeRequest { description, schema, example } = request;
    let new = NewEventType { description, schema, example };
    let (own, made) = app.webhooks().put_event_type(&caller.workspace, &name, new).await?;
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(own.into())))
}

/// Take an event type out of the catalogue
///
/// One that the workspace has registered. Messages of it can still be sent.
#[utoipa::path(
    delete,
    path = "/v1/event-types/{name}",
    operation_id = "delete_event_type",
    tag = "Webhooks",
    params(("name" = String, Path, description = "Its name.", example = "invoice.paid")),
    responses((status = 204, description = "It is not in the catalogue any more."))
)]
pub(crate) async fn delete(
    caller: Admin,
    State(app): State<App>,
    TextPath(name): TextPath,
) -> Answer<StatusCode> {
    app.webhooks().delete_event_type(&caller.workspace, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
