//! `/v1/connections/{id}/mappings/{entity}`: unified fields that come from elsewhere than the
//! connector says.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use millwright_connector::{Codec, MappedField, Overlay};
use millwright_core::{Error, ErrorCode, FieldError, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    overlay::{ChangeParams, OverlayChange, Place},
    records::manifest_of,
    remapping::Remapping,
};
use crate::{
    App,
    error::Answer,
    extract::{Admin, ConnectionEntityPath, JsonBody, Params, Reader},
};

/// Where a unified field comes from.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldMapping {
    /// The unified field; `lineItems.notes` for one of each line.
    #[schema(min_length = 1, max_length = 200, example = "notes")]
    field: String,
    /// Where it stands in the system's row, or in the line's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500, nullable = false, example = "remarks.internal")]
    path: Option<String>,
    /// A jq expression over the row or line, in place of a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 10_000, nullable = false, example = ".remarks | join(\" \")")]
    jq: Option<String>,
    /// The system's fields that the expression reads, where a system must be asked for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    reads: Vec<String>,
    /// In what form the value comes, as connector files name it; text when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>, example = "decimal")]
    codec: Option<Value>,
    /// The system's words and ours for them.
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    words: Option<BTreeMap<String, String>>,
    /// Our word for any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200, nullable = false)]
    otherwise: Option<String>,
    /// The value when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<Value>,
}

/// All fields of an entity that come from elsewhere. Those that are not named come as the connector
/// says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MappingRequest {
    /// The fields.
    #[schema(max_items = 100)]
    fields: Vec<FieldMapping>,
}

/// The fields of an entity that come from elsewhere than the connector says.
#[derive(Serialize, ToSchema)]
pub(crate) struct Mapping {
    /// The entity.
    #[schema(example = "purchase-orders")]
    entity: String,
    /// The fields. They cannot be written.
    fields: Vec<FieldMapping>,
    /// How far the reading has come that the last change asked for; null when there was none.
    #[schema(required)]
    remapping: Option<Remapping>,
}

/// A mapping, and what a change to it comes to.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangedMapping {
    /// The mapping: as it would be, when it was only tried.
    data: Mapping,
    /// What has changed.
    changed: OverlayChange,
}

/// Get an entity's field mapping
#[utoipa::path(
    get,
    path = "/v1/connections/{id}/mappings/{entity}",
    operation_id = "get_mapping",
    tag = "Connections",
    params(
        ("id" = String, Path, description = "The connection's id."),
        ("entity" = String, Path, description = "The entity.", example = "purchase-orders"),
    ),
    responses((status = 200, description = "The mapping.", body = Mapping))
)]
pub(crate) async fn get_mapping(
    caller: Reader,
    State(app): State<App>,
    path: ConnectionEntityPath,
) -> Answer<Json<Mapping>> {
    let place = Place::of(&app, &caller.workspace, &path).await?;
    let overlay = place.overlay().await?;
    Ok(Json(shown(&place, overlay).await?))
}

/// Change an entity's field mapping
///
/// It is tried on real records first: what the system refuses to be asked for changes nothing. Then it
/// holds at once for everything that is read, and all records are read again: those that are different
/// show in `/v1/changes` and by webhook. Cursors stay valid.
#[utoipa::path(
    put,
    path = "/v1/connections/{id}/mappings/{entity}",
    operation_id = "set_mapping",
    tag = "Connections",
    params(
        ("id" = String, Path, description = "The connection's id."),
        ("entity" = String, Path, description = "The entity.", example = "purchase-orders"),
        ChangeParams,
    ),
    request_body = MappingRequest,
    responses((status = 200, description = "The mapping, and what it changes.", body = ChangedMapping))
)]
pub(crate) async fn put_mapping(
    caller: Admin,
    State(app): State<App>,
    path: ConnectionEntityPath,
    Params(params): Params<ChangeParams>,
    JsonBody(request): JsonBody<MappingRequest>,
) -> Answer<Json<ChangedMapping>> {
    let place = Place::of(&app, &caller.workspace, &path).await?;
    let fields = checked(&place, request.fields)?;
    let change = |overlay: &mut Overlay| overlay.fields.clone_from(&fields);
    let changed = place.change(&params, change).await?;
    let overlay = Overlay { fields, ..Overlay::default() };
    Ok(Json(ChangedMapping { data: shown(&place, overlay).await?, changed }))
}

async fn shown(place: &Place<'_>, overlay: Overlay) -> Result<Mapping> {
    Ok(Mapping {
        entity: place.entity.to_owned(),
        fields: overlay.fields.into_iter().map(FieldMapping::from).collect(),
        remapping: place.remapping().await?,
    })
}

/// The fields as the engine takes them, all faulty ones being told at once.
fn checked(place: &Place<'_>, given: Vec<FieldMapping>) -> Result<Vec<MappedField>> {
    let mut faults = Vec::new();
    let mut fields = Vec::new();
    for (position, mapping) in given.into_iter().enumerate() {
        let codec = mapping.codec.as_ref().map(|codec| serde_json::from_value(codec.clone()));
        let codec: Option<Codec> = codec.transpose().unwrap_or_else(|_| {
            let message = "is no codec; see the documentation of connector files";
            let path = format!("fields[{position}].codec");
            faults.push(FieldError::new(path, ErrorCode::ValidationFailed, message));
            None
        });
        fields.push(mapping.with(codec));
    }
    let manifest = manifest_of(place.app, &place.connection)?;
    let overlay = Overlay { fields, ..Overlay::default() };
    for fault in overlay.check(place.entity, manifest) {
        // Without its codec a field is judged as text: that it does not fit then says nothing.
        if faults.iter().all(|known| known.path != fault.path) {
            faults.push(fault);
        }
    }
    Error::from_fields(faults).map_or(Ok(overlay.fields), Err)
}

impl FieldMapping {
    fn with(self, codec: Option<Codec>) -> MappedField {
        MappedField {
            field: self.field,
            path: self.path,
            jq: self.jq,
            reads: self.reads,
            codec,
            words: self.words,
            otherwise: self.otherwise,
            default: self.default,
        }
    }
}

impl From<MappedField> for FieldMapping {
    fn from(own: MappedField) -> Self {
        Self {
            field: own.field,
            path: own.path,
            jq: own.jq,
            reads: own.reads,
            codec: own.codec.and_then(|codec| serde_json::to_value(codec).ok()),
            words: own.words,
            otherwise: own.otherwise,
            default: own.default,
        }
    }
}
