//! `/v1/connections/{id}/custom-fields/{entity}`: fields that a customer has added to the system, and
//! which of them records show.

use axum::{Json, extract::State};
use millwright_connection::{allow_data, open_system};
use millwright_connector::{self as connector, CustomKind, Overlay};
use millwright_core::{Error, ErrorCode, FieldError, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::overlay::{ChangeParams, OverlayChange, Place};
use crate::{
    App,
    error::Answer,
    extract::{Admin, ConnectionEntityPath, JsonBody, Params, Reader},
    page::Page,
};

/// What kind of value a custom field holds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CustomFieldType {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A time.
    Time,
    /// One of a list.
    Choice,
    /// Anything else.
    Other,
}

/// A field that a customer has added to the system.
#[derive(Serialize, ToSchema)]
pub(crate) struct CustomField {
    /// Its name under `customFields`.
    #[schema(example = "cost_centre")]
    name: String,
    /// What people see.
    title: String,
    /// What kind of value it holds.
    #[serde(rename = "type")]
    kind: CustomFieldType,
    /// Whether it can be written.
    writable: bool,
    /// Whether records show it.
    selected: bool,
    /// Whether the system has it: a chosen one may be gone.
    available: bool,
}

/// The custom fields that records are to show.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomFieldsRequest {
    /// Their names.
    #[schema(max_items = 100, example = json!(["cost_centre"]))]
    fields: Vec<String>,
}

/// The custom fields, and what a change comes to.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangedCustomFields {
    /// All custom fields of the entity: as it would be, when it was only tried.
    data: Vec<CustomField>,
    /// What has changed.
    changed: OverlayChange,
}

/// List an entity's custom fields
///
/// All that the system has now, in its own order, in one page; then those that were chosen and are gone.
#[utoipa::path(
    get,
    path = "/v1/connections/{id}/custom-fields/{entity}",
    operation_id = "list_custom_fields",
    tag = "Connections",
    params(
        ("id" = String, Path, description = "The connection's id."),
        ("entity" = String, Path, description = "The entity.", example = "purchase-orders"),
    ),
    responses((status = 200, description = "The custom fields.", body = Page<CustomField>))
)]
pub(crate) async fn list_custom_fields(
    caller: Reader,
    State(app): State<App>,
    path: ConnectionEntityPath,
) -> Answer<Json<Page<CustomField>>> {
    let place = Place::of(&app, &caller.workspace, &path).await?;
    allow_data(&app.connections(), &place.connection).await?;
    let found = discovered(&place).await?;
    let chosen = place.overlay().await?.custom_fields;
    Ok(Json(Page::new(shown(found, &chosen), None)))
}

/// Choose the custom fields that records show
///
/// Holds at once for everything that is read, and all records are read again: those that are different
/// show in `/v1/changes` and by webhook.
#[utoipa::path(
    put,
    path = "/v1/connections/{id}/custom-fields/{entity}",
    operation_id = "choose_custom_fields",
    tag = "Connections",
    params(
        ("id" = String, Path, description = "The connection's id."),
        ("entity" = String, Path, description = "The entity.", example = "purchase-orders"),
        ChangeParams,
    ),
    request_body = CustomFieldsRequest,
    responses((
        status = 200,
        description = "The custom fields, and what the choice changes.",
        body = ChangedCustomFields,
    ))
)]
pub(crate) async fn put_custom_fields(
    caller: Admin,
    State(app): State<App>,
    path: ConnectionEntityPath,
    Params(params): Params<ChangeParams>,
    JsonBody(request): JsonBody<CustomFieldsRequest>,
) -> Answer<Json<ChangedCustomFields>> {
    let place = Place::of(&app, &caller.workspace, &path).await?;
    allow_data(&app.connections(), &place.connection).await?;
    let found = discovered(&place).await?;
    refuse_unknown(&request.fields, &found)?;
    let chosen = request.fields;
    let change = |overlay: &mut Overlay| overlay.custom_fields.clone_from(&chosen);
    let changed = place.change(&params, change).await?;
    Ok(Json(ChangedCustomFields { data: shown(found, &chosen), changed }))
}

async fn discovered(place: &Place<'_>) -> Result<Vec<connector::CustomField>> {
    let context = place.app.connections();
    let system = open_system(&context, &place.connection).await?;
    let asked = system.custom_fields(place.entity);
    place.patience.answer(&context, &place.connection, &system, asked).await
}

fn refuse_unknown(given: &[String], found: &[connector::CustomField]) -> Result<()> {
    let fault = |(position, name): (usize, &String)| {
        let message = if given.iter().take(position).any(|earlier| earlier == name) {
            "is chosen twice"
        } else if found.iter().all(|field| field.name != *name) {
            "is no custom field of the entity in this system"
        } else {
            return None;
        };
        let path = format!("fields[{position}]");
        Some(FieldError::new(path, ErrorCode::ValidationFailed, message))
    };
    let faults = given.iter().enumerate().filter_map(fault).collect();
    Error::from_fields(faults).map_or(Ok(()), Err)
}

fn shown(found: Vec<connector::CustomField>, chosen: &[String]) -> Vec<CustomField> {
    let gone = chosen.iter().filter(|name| found.iter().all(|field| field.name != **name));
    let gone: Vec<CustomField> = gone.map(|name| gone_field(name)).collect();
    let there = found.into_iter().map(|field| CustomField {
        selected: chosen.contains(&field.name),
        available: true,
        kind: field.kind.into(),
        name: field.name,
        title: field.title,
        writable: field.writable,
    });
    there.chain(gone).collect()
}

fn gone_field(name: &str) -> CustomField {
    CustomField {
        name: name.to_owned(),
        title: name.to_owned(),
        kind: CustomFieldType::Other,
        writable: false,
        selected: true,
        available: false,
    }
}

impl From<CustomKind> for CustomFieldType {
    fn from(own: CustomKind) -> Self {
        match own {
            CustomKind::Text => Self::Text,
            CustomKind::Number => Self::Number,
            CustomKind::Boolean => Self::Boolean,
            CustomKind::Date => Self::Date,
            CustomKind::Time => Self::Time,
            CustomKind::Choice => Self::Choice,
            CustomKind::Other => Self::Other,
        }
    }
}
