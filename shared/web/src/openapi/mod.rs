//! The OpenAPI document: collected from the handlers, completed with what holds for all of them.

mod meta;
mod records;

use std::sync::OnceLock;

use axum::{
    Extension,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::header;
use millwright_core::{Error, Result};
use millwright_entities::Entity;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema, openapi::OpenApi as Document};

use crate::{Settings, error, error::Answer};

/// The tag of the operations on one connection's data: they take `Connection-Id`.
pub(crate) const DATA: &str = "Data";

/// The document as it is served: made when it is first asked for, so that nobody holds it who never is.
pub(crate) struct Served {
    settings: Settings,
    text: OnceLock<Bytes>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Millwright",
        description = "One API for industrial systems. Connect each customer's system once; from \
            then on read, write and hear of changes in one shape, whatever stands behind it.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(error::ErrorAnswer)),
    tags(
        (name = "Service", description = "The service itself. No key is needed."),
        (name = "Workspace", description = "The workspace itself."),
        (name = "API keys", description = "Keys of the workspace."),
        (name = "Applications", description = "OAuth clients of the workspace."),
        (name = "Sign-in", description = "People sign in with the operator's provider of identities. \
            Only where it is set up; elsewhere these paths answer 404."),
        (name = "OAuth", description = "The OAuth 2.0 server: tokens for applications."),
        (name = "Connectors", description = "The kinds of systems that can be connected."),
        (name = "Connections", description = "Customers' systems."),
        (name = "Credits", description = "What the workspace's connections cost together."),
        (name = "Issues", description = "What is wrong with connections, while it is."),
        (name = "Data", description = "One connection's records, changes and syncs. Name the \
            connection in the header `Connection-Id`."),
        (name = "Webhooks", description = "Endpoints, messages and deliveries (Standard Webhooks)."),
        (name = "Audit log", description = "What was done of consequence, and by whom."),
        (name = "Jobs", description = "Long work that a call started."),
    ),
)]
struct Base;

/// What the document starts from.
pub(crate) fn base() -> Document {
    Base::openapi()
}

impl Served {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, text: OnceLock::new() }
    }

    /// The document as JSON text.
    fn text(&self) -> Result<Bytes> {
        if let Some(text) = self.text.get() {
            return Ok(text.clone());
        }
        let text = serde_json::to_vec(&crate::openapi_document(&self.settings)?);
        let text = Bytes::from(text.map_err(Error::internal)?);
        Ok(self.text.get_or_init(|| text).clone())
    }
}

/// Get this document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "get_openapi_document",
    tag = "Service",
    security(()),
    responses((status = 200, description = "The OpenAPI 3.1 document.", body = OpenApiDocument))
)]
pub(crate) async fn get_document(
    Extension(served): Extension<std::sync::Arc<Served>>,
) -> Answer<Response> {
    let text = served.text()?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// Get the schema of connector files
///
/// The JSON Schema (draft 2020-12) of the connector format, for editors.
#[utoipa::path(
    get,
    path = "/connector.schema.json",
    operation_id = "get_connector_schema",
    tag = "Service",
    security(()),
    responses((status = 200, description = "The schema.", body = ConnectorSchema))
)]
pub(crate) async fn get_connector_schema() -> Response {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let made = || Bytes::from(millwright_connector::Manifest::json_schema().to_string());
    let text = TEXT.get_or_init(made).clone();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// A JSON Schema, draft 2020-12.
#[derive(ToSchema)]
#[schema(value_type = Object)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ConnectorSchema(Value);

/// An OpenAPI 3.1 document.
#[derive(ToSchema)]
#[schema(value_type = Object)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct OpenApiDocument(Value);

/// The whole document: with the server, the key, the headers and errors that all operations share.
pub(crate) fn complete(document: &Document, settings: &Settings) -> Result<Value> {
    let mut document = serde_json::to_value(document).map_err(Error::internal)?;
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    document["servers"] = json!([{ "url": settings.public_url.as_str() }]);
    document["security"] = json!([{ "api_key": [] }]);
    document["components"]["securitySchemes"] = security_schemes();
    document["components"]["parameters"] = parameters();
    document["components"]["headers"] = headers();
    document["components"]["responses"] = json!({ "Error": error_response() });
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.extend(records::schemas());
        schemas.extend(meta::schemas());
    }
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            complete_operation(path, method, operation);
        }
    }
    Ok(document)
}

fn complete_operation(path: &str, method: &str, operation: &mut Value) {
    for response in operation["responses"].as_object_mut().into_iter().flat_map(|r| r.values_mut())
    {
        response["headers"]["Millwright-Request-Id"] =
            json!({ "$ref": "#/components/headers/RequestId" });
    }
    let may_fail = ["/v1/", "/hooks/", "/files/"].iter().any(|start| path.starts_with(start));
    if !may_fail {
        return;
    }
    for range in ["4XX", "5XX"] {
        operation["responses"][range] = json!({ "$ref": "#/components/responses/Error" });
    }
    if !path.starts_with("/v1/") {
        return;
    }
    if is_about_data(operation) {
        add_parameter(operation, "ConnectionId");
        add_parameter(operation, "Scenario");
        add_headers(operation, "Millwright-Connection-Status", "ConnectionStatus");
        add_headers(operation, "Millwright-Synced-At", "SyncedAt");
        add_record_headers(path, operation);
    }
    if ["post", "patch", "delete"].contains(&method) {
        add_parameter(operation, "IdempotencyKey");
    }
}

/// Adds the headers of a record that is shown, and of one that was made or whose write goes on.
fn add_record_headers(path: &str, operation: &mut Value) {
    let writes = is_write(operation);
    let shown = [("200", shows_a_record(path)), ("201", writes)];
    let placed = [("201", writes), ("202", writes)];
    let etags = shown.map(|(status, has)| (status, has, "ETag"));
    let places = placed.map(|(status, has)| (status, has, "Location"));
    for (status, has, name) in etags.into_iter().chain(places) {
        let answer = operation["responses"].get_mut(status).filter(|_| has);
        if let Some(answer) = answer {
            let reference = json!({ "$ref": format!("#/components/headers/{name}") });
            answer["headers"][name] = reference;
        }
    }
}

/// Whether an operation on this path answers with one record: reads it, changes it or acts on it.
fn shows_a_record(path: &str) -> bool {
    let mut parts = path.trim_start_matches("/v1/").split('/');
    let entity = parts.next().and_then(Entity::find);
    entity.is_some_and(|entity| entity.slug != "statuses") && parts.next() == Some("{key}")
}

/// Whether an operation writes a record: it may go on after the answer.
fn is_write(operation: &Value) -> bool {
    let pending = &operation["responses"]["202"]["content"]["application/json"]["schema"]["$ref"];
    pending == "#/components/schemas/Write"
}

fn is_about_data(operation: &Value) -> bool {
    operation["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == DATA))
}

/// Adds a header to the operation's own answers; errors have theirs.
fn add_headers(operation: &mut Value, name: &str, component: &str) {
    for response in operation["responses"].as_object_mut().into_iter().flat_map(|r| r.values_mut())
    {
        if response.get("$ref").is_none() {
            let reference = format!("#/components/headers/{component}");
            response["headers"][name] = json!({ "$ref": reference });
        }
    }
}

fn add_parameter(operation: &mut Value, name: &str) {
    let reference = json!({ "$ref": format!("#/components/parameters/{name}") });
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(reference),
        None => operation["parameters"] = json!([reference]),
    }
}

fn security_schemes() -> Value {
    json!({
        "api_key": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "mw_sk_..., mw_wt_... or mw_ct_...",
            "description": "An API key of the workspace, or a token that an application was given: a \
                workspace token, or, for one connection's data, a connection token.",
        },
    })
}

fn parameters() -> Value {
    json!({
        "ConnectionId": {
            "name": "Connection-Id",
            "in": "header",
            "required": false,
            "description": "The connection whose data this is about. With an API key or a workspace \
                token it is required; a connection token is for one connection, which need not be named.",
            "schema": { "type": "string", "examples": ["conn_01jd8r2v7m5w3k9x1c4t6z8q0a"] },
        },
        "Scenario": {
            "name": "Millwright-Scenario",
            "in": "header",
            "required": false,
            "description": "For a sandbox: how it is to behave for this one call, as the name of a \
                scenario. For any other connection it is refused.",
            "schema": { "type": "string", "examples": ["slow-5s", "429", "lost-answer"] },
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": false,
            "description": "Any text of your choice, new for each thing to do. For 24 hours the same \
                request with the same key is answered again and not done again; the answer then \
                carries `Idempotent-Replayed: true`. 429 and failures before anything was sent to a \
                connected system are not kept.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        },
    })
}

fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "The request's id: name it when you ask for help.",
            "schema": { "type": "string", "examples": ["req_01jd8r2v7m5w3k9x1c4t6z8q0a"] },
        },
        "ConnectionStatus": {
            "description": "The connection's status.",
            "schema": { "$ref": "#/components/schemas/ConnectionStatus" },
        },
        "SyncedAt": {
            "description": "When the data was last synced to its end. Not set before the first time.",
            "schema": { "type": "string", "format": "date-time" },
        },
        "ETag": {
            "description": "The record's entity tag, for `If-Match`: the same as `meta.etag`, quoted.",
            "schema": { "type": "string", "examples": ["\"9f2c0b1e\""] },
        },
        "Location": {
            "description": "Where what was made can be read, or what was begun can be asked for.",
            "schema": { "type": "string", "format": "uri-reference" },
        },
        "RetryAfter": {
            "description": "How many seconds to wait, with 429 and 503.",
            "schema": { "type": "integer", "minimum": 1 },
        },
    })
}

fn error_response() -> Value {
    json!({
        "description": "What went wrong. Branch on `error.code`.",
        "headers": {
            "Millwright-Request-Id": { "$ref": "#/components/headers/RequestId" },
            "Retry-After": { "$ref": "#/components/headers/RetryAfter" },
        },
        "content": {
            "application/json": { "schema": { "$ref": "#/components/schemas/ErrorAnswer" } },
        },
    })
}
