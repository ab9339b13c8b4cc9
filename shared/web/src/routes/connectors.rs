//! `/v1/connectors`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use millwright_connector::{
    Manifest,
    manifest::{self as connector, EntityDef, FieldKind},
};
use millwright_core::Error;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    App,
    error::Answer,
    extract::{Params, Reader, TextPath},
    page::{Page, Paged},
};

const LIST: &str = "connectors";
/// The entity whose records are no rows of a system.
const STATUSES: &str = "statuses";

/// What can be filled in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FormFieldType {
    /// A line of text.
    Text,
    /// An `http` or `https` address.
    Url,
    /// A line of text that is not shown.
    Secret,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// The name of a time zone, such as `Europe/Berlin`.
    TimeZone,
    /// One of a few.
    Enum,
}

/// A field of a form.
#[derive(Serialize, ToSchema)]
pub(crate) struct FormField {
    /// Its name in requests.
    name: String,
    /// What it is called on a page.
    title: String,
    /// Where its value is found, step by step.
    #[schema(required)]
    help: Option<String>,
    /// What can be filled in.
    #[serde(rename = "type")]
    kind: FormFieldType,
    /// What can be chosen, for `enum`.
    options: Vec<String>,
    /// The least, for `integer`.
    #[schema(required)]
    minimum: Option<u64>,
    /// The most, for `integer`.
    #[schema(required)]
    maximum: Option<u64>,
    /// Whether it must be filled in.
    required: bool,
    /// What counts when it is not.
    #[schema(required)]
    default: Option<Value>,
    /// What a value looks like.
    #[schema(required)]
    example: Option<String>,
    /// Where it is asked for: each of these fields (of the same form, or of the settings) has one of
    /// these values. Empty when always.
    when: BTreeMap<String, Vec<Value>>,
}

/// What can be done with an entity.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    /// Read a list.
    List,
    /// Read one record.
    Get,
    /// Make a record.
    Create,
    /// Change a record.
    Update,
    /// Delete a record.
    Delete,
}

/// What a connector can do with an entity.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConnectorEntity {
    /// The entity.
    #[schema(example = "purchase-orders")]
    pub(crate) entity: String,
    /// What can be done with its records.
    pub(crate) operations: Vec<Operation>,
    /// The steps that its records can be taken by, by name.
    actions: Vec<String>,
    /// Whether a sync reads only what has changed.
    incremental: bool,
    /// Whether deletions are found.
    finds_deletions: bool,
}

/// A kind of system that can be connected.
#[derive(Serialize, ToSchema)]
pub(crate) struct Connector {
    /// Its id.
    #[schema(example = "tryton")]
    id: String,
    /// The system's name.
    name: String,
    /// Who makes the system.
    vendor: String,
    /// What kinds of system it is.
    #[schema(value_type = Vec<String>, example = json!(["erp"]))]
    categories: Vec<connector::Category>,
    /// What a connection costs in credits.
    credits: u8,
    /// How far the connector has been proven: `tested` against the real system, or `documented`.
    #[schema(value_type = String)]
    maturity: connector::Maturity,
    /// The system's versions it was proven with.
    tested_against: Vec<String>,
    /// Where the system's own interface is described.
    #[schema(required)]
    docs_url: Option<String>,
    /// What to give as `settings` when connecting.
    settings: Vec<FormField>,
    /// What to give as `credentials` when connecting.
    credentials: Vec<FormField>,
    /// What it can do.
    entities: Vec<ConnectorEntity>,
}

/// List connectors
///
/// By id.
#[utoipa::path(
    get,
    path = "/v1/connectors",
    operation_id = "list_connectors",
    tag = "Connectors",
    params(Paged),
    responses((status = 200, description = "A page of connectors.", body = Page<Connector>))
)]
pub(crate) async fn list(
    _: Reader,
    State(app): State<App>,
    Params(asked): Params<Paged>,
) -> Answer<Json<Page<Connector>>> {
    let manifests = app.engine.catalog().iter().map(Arc::as_ref);
    let page = Page::of_sorted(LIST, manifests, |manifest: &&Manifest| &manifest.id, &asked)?;
    Ok(Json(page.map(Connector::from)))
}

/// Get a connector
#[utoipa::path(
    get,
    path = "/v1/connectors/{id}",
    operation_id = "get_connector",
    tag = "Connectors",
    params(("id" = String, Path, description = "The connector's id.", example = "tryton")),
    responses((status = 200, description = "The connector.", body = Connector))
)]
pub(crate) async fn get(
    _: Reader,
    State(app): State<App>,
    TextPath(id): TextPath,
) -> Answer<Json<Connector>> {
    let manifest = app.engine.catalog().get(&id).ok_or_else(|| Error::not_found("connector"))?;
    Ok(Json(manifest.as_ref().into()))
}

impl From<&Manifest> for Connector {
    fn from(manifest: &Manifest) -> Self {
        Self {
            id: manifest.id.clone(),
            name: manifest.name.clone(),
            vendor: manifest.vendor.clone(),
            categories: manifest.categories.clone(),
            credits: manifest.tier,
            maturity: manifest.maturity,
            tested_against: manifest.tested_against.clone(),
            docs_url: manifest.docs.clone(),
            settings: manifest.settings.fields().iter().map(FormField::from).collect(),
            credentials: manifest.credentials.fields().iter().map(FormField::from).collect(),
            entities: ConnectorEntity::all(manifest),
        }
    }
}

impl From<&connector::FormField> for FormField {
    fn from(field: &connector::FormField) -> Self {
        Self {
            name: field.name.clone(),
            title: field.title.clone(),
            help: field.help.clone(),
            kind: field.kind.into(),
            options: field.options.clone(),
            minimum: field.minimum,
            maximum: field.maximum,
            required: field.required,
            default: field.default.clone(),
            example: field.example.clone(),
            when: field.when.iter().map(|(name, own)| (name.to_owned(), own.to_vec())).collect(),
        }
    }
}

impl From<FieldKind> for FormFieldType {
    fn from(kind: FieldKind) -> Self {
        match kind {
            FieldKind::Text => Self::Text,
            FieldKind::Url => Self::Url,
            FieldKind::Secret => Self::Secret,
            FieldKind::Boolean => Self::Boolean,
            FieldKind::Integer => Self::Integer,
            FieldKind::TimeZone => Self::TimeZone,
            FieldKind::Enum => Self::Enum,
        }
    }
}

impl ConnectorEntity {
    /// What a connector has, by name: the records of its system, and the statuses that stand beside
    /// them in the manifest.
    pub(crate) fn all(manifest: &Manifest) -> Vec<Self> {
        let mut all: Vec<Self> = manifest.entities.iter().map(Self::from).collect();
        all.extend(Self::statuses(manifest));
        all.sort_by(|one, other| one.entity.cmp(&other.entity));
        all
    }

    fn statuses(manifest: &Manifest) -> Option<Self> {
        let has_some = manifest.entities.iter().any(|(_, def)| !def.statuses.is_empty());
        has_some.then(|| Self {
            entity: STATUSES.to_owned(),
            operations: vec![Operation::List, Operation::Get],
            actions: Vec::new(),
            incremental: false,
            finds_deletions: false,
        })
    }
}

impl From<(&str, &EntityDef)> for ConnectorEntity {
    fn from((slug, entity): (&str, &EntityDef)) -> Self {
        Self {
            entity: slug.to_owned(),
            operations: operations(entity),
            actions: entity.write.actions.names().map(str::to_owned).collect(),
            incremental: entity.is_incremental(),
            finds_deletions: !entity.deletions().is_empty(),
        }
    }
}

/// What a connector can do with an entity's records.
fn operations(entity: &EntityDef) -> Vec<Operation> {
    let write = &entity.write;
    let possible = [
        (true, Operation::List),
        (true, Operation::Get),
        (write.create.is_some(), Operation::Create),
        (write.update.is_some(), Operation::Update),
        (write.delete.is_some(), Operation::Delete),
    ];
    possible.into_iter().filter_map(|(can, operation)| can.then_some(operation)).collect()
}
