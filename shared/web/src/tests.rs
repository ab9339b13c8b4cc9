//! The frame around the routes, as far as it needs no table: requests that are refused before one is
//! asked. What works is tested end to end.

use std::collections::{BTreeMap, HashMap};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use millwright_blob::Blob;
use millwright_connector::{Catalog, Engine, EntityMeta, Target};
use millwright_core::{Clock, ConnectionId, PublicUrl, QueueName, WorkspaceId};
use millwright_outbound::Outbound;
use millwright_queue::{Queue, QueueUrls, url_variable};
use millwright_store::{Store, Tables};
use millwright_vault::Vault;
use serde_json::Value;
use tower::ServiceExt;

use crate::{App, Parts, Settings, extract::JsonBody, frame, idempotency};

/// An app whose table and queues cannot be reached.
fn app() -> App {
    let nowhere = "http://127.0.0.1:1";
    let dynamo = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(aws_sdk_dynamodb::config::Region::new("local"))
        .endpoint_url(nowhere);
    let sqs = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
        .region(aws_sdk_sqs::config::Region::new("local"))
        .endpoint_url(nowhere);
    let urls: HashMap<&str, &str> =
        QueueName::ALL.into_iter().map(|queue| (url_variable(queue), nowhere)).collect();
    let tables = Tables { state: "state".into(), records: "records".into() };
    let client = aws_sdk_dynamodb::Client::from_conf(dynamo.build());
    let store = Store::new(client, tables, Clock::system());
    let outbound = Outbound::from_source(&HashMap::<&str, &str>::new()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    millwright_vault::create_key_file(&key_file).unwrap();
    App::new(Parts {
        queue: Queue::new(
            aws_sdk_sqs::Client::from_conf(sqs.build()),
            QueueUrls::from_source(&urls).unwrap(),
        ),
        blob: Blob::folder(folder.path()).unwrap(),
        vault: Vault::local(&key_file).unwrap(),
        engine: Engine::new(Catalog::builtin(), outbound.clone(), store.clone()),
        outbound,
        store,
        settings: Settings {
            body_limit: 64,
            ..Settings::new(PublicUrl::new("http://127.0.0.1:8080/"))
        },
    })
}

async fn call(router: Router, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

async fn refused(request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let (status, headers, body) = call(crate::router(app()), request).await;
    let error = &body["error"];
    assert_eq!(error["request_id"], headers["millwright-request-id"].to_str().unwrap(), "{body}");
    (status, headers, error["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_headers_for_browsers() {
    let (status, headers, body) = call(crate::router(app()), request("GET", "/health")).await;
    assert_eq!((status, body["status"].as_str()), (StatusCode::OK, Some("ok")));
    assert!(headers["millwright-request-id"].to_str().unwrap().starts_with("req_"));
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cache-control"], "no-store");
    assert!(!headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn an_unknown_path_is_not_found_in_the_contracts_shape() {
    for path in ["/", "/v1", "/v1/unicorns", "/v1/api-keys/a/b", "/docs/nothing.js"] {
        let (status, _, code) = refused(request("GET", path)).await;
        assert_eq!((status, code.as_str()), (StatusCode::NOT_FOUND, "NOT_FOUND"), "{path}");
    }
}

#[tokio::test]
async fn another_method_on_a_known_path_is_told_which_are_allowed() {
    let (status, headers, code) = refused(request("PATCH", "/v1/api-keys")).await;
    assert_eq!((status.as_u16(), code.as_str()), (405, "OPERATION_NOT_SUPPORTED"));
    assert_eq!(headers["allow"], "GET,HEAD,POST");
}

#[tokio::test]
async fn a_request_without_a_key_is_nobodys() {
    for method in ["GET", "POST"] {
        let (status, headers, code) = refused(request(method, "/v1/api-keys")).await;
        assert_eq!((status.as_u16(), code.as_str()), (401, "AUTHENTICATION_FAILED"));
        assert_eq!(headers["www-authenticate"], "Bearer");
    }
}

#[tokio::test]
async fn a_text_that_cannot_be_a_key_is_refused_without_asking_the_table() {
    let mut asked = request("GET", "/v1/api-keys");
    asked.headers_mut().insert("authorization", "Bearer mw_sk_test_short".parse().unwrap());
    assert_eq!(refused(asked).await.2, "AUTHENTICATION_FAILED");
}

#[tokio::test]
async fn an_idempotency_key_does_not_get_past_authentication() {
    let mut asked = request("POST", "/v1/api-keys");
    asked.headers_mut().insert("idempotency-key", "k".parse().unwrap());
    assert_eq!(refused(asked).await.2, "AUTHENTICATION_FAILED");
}

#[tokio::test]
async fn an_unknown_parameter_is_refused_once_it_is_known_who_asks() {
    let (status, _, code) = refused(request("GET", "/health?verbose=1")).await;
    assert_eq!((status.as_u16(), code.as_str()), (400, "INVALID_REQUEST"));
    let (status, ..) = refused(request("POST", "/v1/purchase-orders?dry_run=true")).await;
    assert_eq!(status.as_u16(), 401);
}

/// The frame around handlers of this test's own.
fn framed() -> Router {
    async fn takes_body(JsonBody(_): JsonBody<Value>) {}
    async fn panics() {
        panic!("the secret of the panic");
    }
    Router::new()
        .route("/body", post(takes_body))
        .route("/panic", get(panics))
        .route_layer(axum::middleware::from_fn_with_state(app(), idempotency::idempotency))
        .layer(axum::middleware::from_fn_with_state(app(), frame::frame))
        .with_state(app())
}

#[tokio::test]
async fn a_panic_is_an_internal_error_without_detail() {
    let (status, _, body) = call(framed(), request("GET", "/panic")).await;
    assert_eq!((status.as_u16(), body["error"]["code"].as_str()), (500, Some("INTERNAL_ERROR")));
    assert!(!body.to_string().contains("secret of"), "{body}");
}

#[tokio::test]
async fn a_body_must_be_json_of_the_right_type_and_size() {
    for (content_type, body, expected) in [
        ("application/json", "{}".to_owned(), (200, None)),
        ("application/json", "{".to_owned(), (400, Some("INVALID_REQUEST"))),
        ("text/plain", "{}".to_owned(), (415, Some("UNSUPPORTED_MEDIA_TYPE"))),
        ("application/json", format!("\"{}\"", "x".repeat(62)), (200, None)),
        ("application/json", format!("\"{}\"", "x".repeat(63)), (413, Some("PAYLOAD_TOO_LARGE"))),
    ] {
        let request = Request::post("/body").header("content-type", content_type);
        let request = request.body(Body::from(body)).unwrap();
        let (status, _, answer) = call(framed(), request).await;
        assert_eq!((status.as_u16(), answer["error"]["code"].as_str()), expected);
    }
}

fn document() -> Value {
    crate::openapi_document(&app().settings).unwrap()
}

/// Every operation of the document: method, path, operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn every_operation_of_the_document_is_a_route() {
    let router = crate::router(app());
    for (method, path, operation) in operations(&document()) {
        let path = path.replace("{id}", "x").replace("{key}", "x").replace("{entity}", "x");
        let (status, ..) = call(router.clone(), request(&method, &path)).await;
        let expected = match operation.get("security") {
            // There is no table here to look the secret up in.
            Some(_) if path.starts_with("/hooks/") => 500,
            // Nothing was signed.
            Some(_) if path.starts_with("/files/") => 404,
            // Signing in is not set up here.
            Some(_) if path.starts_with("/auth/") => 404,
            // Nothing is asked for.
            Some(_) if path.starts_with("/oauth/") => 400,
            Some(_) => 200,
            None => 401,
        };
        assert_eq!(status.as_u16(), expected, "{method} {path}");
    }
}

#[test]
fn every_operation_is_named_once_and_described() {
    let document = document();
    let mut names = std::collections::BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} twice");
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{method} {path}");
    }
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn check(value: &Value, document: &Value) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| check(item, document)),
            Value::Object(fields) => fields.values().for_each(|field| check(field, document)),
            _ => {}
        }
    }
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    check(&document, &document);
    if let Ok(path) = std::env::var("MILLWRIGHT_OPENAPI_OUT") {
        std::fs::write(path, serde_json::to_vec_pretty(&document).unwrap()).unwrap();
    }
}

#[test]
fn what_is_said_of_every_entity_of_every_connector_is_as_the_document_describes_it() {
    let app = app();
    let mut schema = document()["components"].clone();
    schema = serde_json::json!({
        "$ref": "#/components/schemas/EntityMeta", "components": schema,
    });
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let mut seen = 0;
    for manifest in app.engine.catalog().iter() {
        let filled = |fields: &[millwright_connector::manifest::FormField], value: &str| {
            let required = fields.iter().filter(|field| field.required);
            required.map(|field| (field.name.clone(), value.to_owned())).collect::<Vec<_>>()
        };
        let settings = filled(manifest.settings.fields(), "http://127.0.0.1:1");
        let credentials = filled(manifest.credentials.fields(), "x");
        let target = Target {
            workspace: WorkspaceId::new_at(1),
            connection: ConnectionId::new_at(1),
            connector_id: manifest.id.clone(),
            settings: settings.into_iter().map(|(name, text)| (name, text.into())).collect(),
            credentials: credentials.into_iter().map(|(name, text)| (name, text.into())).collect(),
            overlays: BTreeMap::new(),
            tokens: None,
            scenario: None,
        };
        let system = app.engine.open(target).unwrap();
        let metas = manifest.entities.iter().map(|(slug, _)| system.meta(slug).unwrap());
        for meta in metas.chain(EntityMeta::of_statuses(manifest)) {
            let said = serde_json::to_value(&meta).unwrap();
            let faults: Vec<String> = validator
                .iter_errors(&said)
                .map(|fault| format!("{}: {fault}", fault.instance_path()))
                .collect();
            assert!(faults.is_empty(), "{} {}: {faults:?}", manifest.id, meta.entity);
            seen += 1;
        }
    }
    assert!(seen > 5);
}

#[tokio::test]
async fn the_docs_page_asks_for_nothing_from_elsewhere() {
    let answered = crate::router(app()).oneshot(request("GET", "/docs")).await.unwrap();
    assert_eq!(answered.status(), StatusCode::OK);
    let body = answered.into_body().collect().await.unwrap().to_bytes();
    let page = String::from_utf8(body.to_vec()).unwrap();
    assert!(page.contains("docs/swagger-ui-bundle.js"), "{page}");
    assert!(!page.contains("https://"), "{page}");
    let quoted = page.split(['"', '\'']).filter(|text| text.contains('.') && !text.contains(' '));
    let files: Vec<&str> = quoted.collect();
    assert!(files.len() >= 7, "{files:?}");
    for file in files {
        let asked = request("GET", &format!("/{file}"));
        let answered = crate::router(app()).oneshot(asked).await.unwrap();
        assert_eq!(answered.status(), StatusCode::OK, "{file}");
    }
}
