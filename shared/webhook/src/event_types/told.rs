//! The types that Millwright itself tells: their words, schemas and examples.

use std::sync::LazyLock;

use millwright_entities::Entity;
use serde_json::{Map, Value, json};

use super::{EventType, TEST_PING};

const CONNECTION: &str = "conn_01jd8r2v7m5w3k9x1c4t6z8q0a";
const ENDPOINT: &str = "ep_01jd8r2v7m5w3k9x1c4t6z8q0a";
const MESSAGE: &str = "msg_01jd8r2v7m5w3k9x1c4t6z8q0a";
const TIME: &str = "2026-03-01T12:00:00.000Z";

/// Every type that Millwright tells.
pub fn told_event_types() -> &'static [EventType] {
    static TOLD: LazyLock<Vec<EventType>> = LazyLock::new(|| {
        let records = Entity::ALL.iter().flat_map(of_entity);
        records
            .chain(of_connections())
            .chain(of_issues())
            .chain(of_syncs())
            .chain(of_webhooks())
            .collect()
    });
    &TOLD
}

/// A field of an event's `data`: its name, its schema, an example.
type Field = (&'static str, Value, Value);

/// An event whose `data` has these fields, all of them always; more may be added.
fn told(name: String, description: String, fields: Vec<Field>, optional: Vec<Field>) -> EventType {
    let required: Vec<&str> = fields.iter().map(|(name, ..)| *name).collect();
    let (mut properties, mut example) = (Map::new(), Map::new());
    for (name, schema, value) in fields.iter().chain(&optional) {
        properties.insert((*name).to_owned(), schema.clone());
        example.insert((*name).to_owned(), value.clone());
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": required,
        "properties": properties,
    });
    let example = Some(Value::Object(example));
    EventType { name, description, schema: Some(schema), example, registered: None }
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn optional_text() -> Value {
    json!({ "type": ["string", "null"] })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// What every event about a connection says, and more.
fn about_connection(more: Vec<Field>) -> Vec<Field> {
    let customer = json!({
        "type": ["object", "null"],
        "required": ["id"],
        "properties": { "id": { "type": "string" }, "name": { "type": ["string", "null"] } },
        "description": "The customer whose system it is, if it has one.",
    });
    let mut fields = vec![
        ("connection_id", described(text(), "The connection it is about."), json!(CONNECTION)),
        ("customer", customer, json!({ "id": "acme", "name": "Acme Manufacturing" })),
    ];
    fields.extend(more);
    fields
}

fn of_entity(entity: &'static Entity) -> impl Iterator<Item = EventType> {
    let happened = [("inserted", "appeared"), ("updated", "changed"), ("deleted", "vanished")];
    happened.into_iter().map(|(op, did)| {
        let keys = json!({
            "type": "array",
            "items": { "type": "string" },
            "minItems": 1,
            "maxItems": 500,
            "description": "The keys of the records.",
        });
        let cursor = "Where they stand in the feed: GET /v1/changes goes on from here.";
        let records = json!({
            "type": "array",
            "items": { "type": "object", "required": ["key"] },
            "description": format!(
                "The records as they are, for endpoints with the payload \"records\": each as \
                 GET /v1/entities/{} says.", entity.slug
            ),
        });
        let fields = about_connection(vec![
            ("entity", json!({ "const": entity.slug }), json!(entity.slug)),
            ("keys", keys, json!(["rec_6s727b6ffak66j16s9mca8t021"])),
            ("cursor", described(text(), cursor), json!("eyJsIjoiY2hhbmdlcyJ9")),
        ]);
        let complete = "Whether none of them was left out for its size: 4 MB are sent at most.";
        let complete = described(json!({ "type": "boolean" }), complete);
        let optional = vec![
            ("records", records, json!([{ "key": "rec_6s727b6ffak66j16s9mca8t021" }])),
            ("records_complete", complete, json!(true)),
        ];
        let name = format!("{}.{op}", entity.event_name);
        let description = format!("Some {} {did} in the connected system.", entity.plural());
        told(name, description, fields, optional)
    })
}

fn status() -> Value {
    let all = [
        "disconnected",
        "pending",
        "inactive",
        "reauthorization_required",
        "unavailable",
        "synchronizing",
        "active",
    ];
    json!({ "enum": all })
}

fn of_connections() -> Vec<EventType> {
    let created = about_connection(vec![
        ("connector_id", text(), json!("tryton")),
        ("name", text(), json!("Acme's Tryton")),
        ("status", status(), json!("synchronizing")),
    ]);
    let created =
        told("connection.created".into(), "A connection was made.".into(), created, vec![]);
    let changes = [
        ("status_changed", "A connection's status changed.", "active", "synchronizing"),
        ("unavailable", "A connected system cannot be reached.", "unavailable", "active"),
        ("recovered", "A connected system is well again.", "active", "unavailable"),
        ("disconnected", "A connection was removed.", "disconnected", "active"),
    ];
    let changed = changes.into_iter().map(|(name, description, now, before)| {
        let name = format!("connection.{name}");
        told(name, description.to_owned(), status_fields(now, before), vec![])
    });
    let mut login = status_fields("reauthorization_required", "active");
    let words = "What somebody has to do, in words that can be shown as they are.";
    login.extend([
        ("instructions", described(text(), words), json!("Open the address and log in again.")),
        (
            "reconnect_url",
            described(optional_text(), "Where the customer logs in again."),
            json!("https://api.example.com/link/reconnect/..."),
        ),
    ]);
    let description = "A connected system refuses the stored login: somebody must log in again.";
    let login =
        told("connection.reauthorization_required".into(), description.into(), login, vec![]);
    [created].into_iter().chain(changed).chain([login]).collect()
}

fn status_fields(now: &str, before: &str) -> Vec<Field> {
    about_connection(vec![
        ("connector_id", text(), json!("tryton")),
        ("status", status(), json!(now)),
        ("previous_status", status(), json!(before)),
        ("reason", described(optional_text(), "Why, in words."), json!("the system answers again")),
    ])
}

fn of_issues() -> Vec<EventType> {
    let kinds = [
        "reauthorization_required",
        "unavailable",
        "sync_failed",
        "records_skipped",
        "first_load_incomplete",
    ];
    let fields = |closed_at: Value| {
        about_connection(vec![
            ("issue_id", text(), json!("iss_01jd8r2v7m5w3k9x1c4t6z8q0a")),
            ("kind", json!({ "enum": kinds }), json!("sync_failed")),
            ("entity", optional_text(), json!("purchase-orders")),
            ("code", optional_text(), json!("UPSTREAM_ERROR")),
            ("message", text(), json!("The system answered with something unexpected.")),
            ("opened_at", time(), json!(TIME)),
            ("closed_at", json!({ "type": ["string", "null"] }), closed_at),
            ("count", described(count(), "How often it was seen."), json!(3)),
        ])
    };
    let opened = "A connection has a problem. There is one open issue per problem.";
    let closed = "A connection's problem is over.";
    vec![
        told("issue.opened".into(), opened.into(), fields(Value::Null), vec![]),
        told("issue.closed".into(), closed.into(), fields(json!(TIME)), vec![]),
    ]
}

fn of_syncs() -> Vec<EventType> {
    let run = |optional: Value| ("run_id", optional, json!("run_01jd8r2v7m5w3k9x1c4t6z8q0a"));
    let completed = about_connection(vec![
        ("entity", text(), json!("purchase-orders")),
        run(text()),
        ("mode", json!({ "enum": ["incremental", "full"] }), json!("incremental")),
        ("counts", json!({ "type": "object" }), json!({ "inserted": 2, "updated": 1 })),
    ]);
    let error = json!({
        "type": "object",
        "required": ["code", "message"],
        "properties": { "code": text(), "message": text() },
    });
    let failed = about_connection(vec![
        ("entity", text(), json!("purchase-orders")),
        run(optional_text()),
        ("error", error, json!({ "code": "UPSTREAM_ERROR", "message": "No usable answer." })),
    ]);
    let failed_words = "The syncs of an entity fail. Told once, until one succeeds again.";
    vec![
        told("sync.completed".into(), "A sync came to its end.".into(), completed, vec![]),
        told("sync.failed".into(), failed_words.into(), failed, vec![]),
    ]
}

fn optional_time() -> Value {
    json!({ "type": ["string", "null"], "format": "date-time" })
}

/// What events about an endpoint's failures say, and more.
fn about_endpoint(more: Vec<Field>) -> Vec<Field> {
    let since = described(optional_time(), "Since when nothing has arrived.");
    let mut fields = vec![
        ("endpoint_id", text(), json!(ENDPOINT)),
        ("url", optional_text(), json!("https://example.com/webhooks")),
        ("description", optional_text(), json!("Orders")),
        ("failing_since", since, json!(TIME)),
    ];
    fields.extend(more);
    fields
}

fn failed_delivery() -> Vec<Field> {
    let delivery = "dlv_01jd8r2v7m5w3k9x1c4t6z8q0a01jd8r2v7m5w3k9x1c4t6z8q0a";
    let error = json!({
        "type": "object",
        "required": ["class"],
        "properties": { "class": text(), "status": { "type": "integer" }, "message": text() },
    });
    vec![
        ("delivery_id", text(), json!(delivery)),
        ("endpoint_id", text(), json!(ENDPOINT)),
        ("message_id", text(), json!(MESSAGE)),
        ("event_type", text(), json!("invoice.paid")),
        ("attempts", count(), json!(13)),
        ("failed_at", time(), json!(TIME)),
        ("last_error", error, json!({ "class": "status", "status": 500 })),
    ]
}

fn of_webhooks() -> Vec<EventType> {
    let by = "When it will be disabled unless something arrives.";
    let by = described(optional_time(), by);
    let failing = about_endpoint(vec![("disabled_if_nothing_arrives_by", by, json!(TIME))]);
    let why = described(text(), "Why: by_hand, refused or failing.");
    let disabled = about_endpoint(vec![
        ("reason", why, json!("failing")),
        ("disabled_at", time(), json!(TIME)),
    ]);
    let ping =
        vec![("endpoint_id", text(), json!(ENDPOINT)), ("message", text(), json!("It works."))];
    let failing_words = "Nothing has arrived at a webhook endpoint for half of the time after which \
                         it is disabled.";
    let disabled_words = "A webhook endpoint gets no more deliveries: somebody disabled it, it asked \
                          for that, or nothing has arrived for days.";
    let failed_words = "All automatic attempts of a delivery have failed.";
    let ping_words = "Somebody tests an endpoint. It is sent to that endpoint alone.";
    vec![
        told("endpoint.failing".into(), failing_words.into(), failing, vec![]),
        told("endpoint.disabled".into(), disabled_words.into(), disabled, vec![]),
        told("delivery.failed".into(), failed_words.into(), failed_delivery(), vec![]),
        told(TEST_PING.into(), ping_words.into(), ping, vec![]),
    ]
}
