//! The schema of what `GET /v1/meta/{entity}` answers. Its types are the connector crate's; a test
//! holds what it says of every built-in connector against this.

use serde_json::{Map, Value, json};

/// The components, by name.
pub(super) fn schemas() -> Map<String, Value> {
    [
        ("EntityMeta", entity()),
        ("OperationMeta", operation()),
        ("ActionMeta", action()),
        ("FieldMeta", field()),
        ("MetaPermission", permission()),
        ("MetaCondition", condition()),
        ("MetaWritable", writable()),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect()
}

fn entity() -> Value {
    let operation = reference("OperationMeta");
    object(
        "What can be done with an entity's records on a connection, and by which rules.",
        json!({
            "entity": text("The entity."),
            "connector_id": text("The connector."),
            "operations": {
                "type": "object",
                "properties": {
                    "list": operation, "get": operation, "create": operation, "update": operation,
                    "delete": operation,
                },
                "required": ["list", "get", "create", "update", "delete"],
                "additionalProperties": false,
            },
            "actions": list("ActionMeta", "Steps of the system's workflow."),
            "delete_mode": {
                "enum": ["hard", "soft", "status", null],
                "description": "What a deletion is in this system; null when records cannot be deleted.",
            },
            "create_with_lines": {
                "type": ["boolean", "null"],
                "description": "Whether lines are sent with their record, so that there is all of it or \
                    nothing.",
            },
            "idempotency": {
                "enum": ["native", "lookup", "none"],
                "description": "How a create whose answer was lost is known when it comes again.",
            },
            "write_rate": {
                "type": ["object", "null"],
                "description": "How often may be written, where the system says so.",
                "properties": {
                    "requests": { "type": "integer" }, "per_seconds": { "type": "integer" },
                },
            },
            "incremental": object("How changes are found.", json!({
                "kind": { "enum": ["filter", "feed", "log", "full"] },
                "precision_ms": { "type": ["integer", "null"] },
                "overlap_seconds": { "type": ["integer", "null"] },
            }), &["kind", "precision_ms", "overlap_seconds"]),
            "delete_detection": {
                "type": "array",
                "items": { "enum": ["flag", "archived", "tombstones", "log", "sweep"] },
                "description": "How deletions are found.",
            },
            "custom_fields": object("Fields of the customer's own.", json!({
                "readable": { "type": "boolean" },
                "writable": reference("MetaWritable"),
                "only": texts("Which of them can be given; all that are chosen when it is empty."),
                "max_length": { "type": "integer" },
                "chosen": texts("Those that this connection has chosen."),
                "source_note": text("Where this is said."),
            }), &["readable", "writable", "only", "chosen"]),
            "fields": list("FieldMeta", "The fields that are read or can be given."),
            "json_schema": {
                "type": ["object", "null"],
                "description": "JSON Schema (2020-12) of the body of a create; null when records cannot \
                    be made.",
            },
        }),
        &[
            "entity",
            "connector_id",
            "operations",
            "actions",
            "delete_mode",
            "create_with_lines",
            "idempotency",
            "write_rate",
            "incremental",
            "delete_detection",
            "custom_fields",
            "fields",
            "json_schema",
        ],
    )
}

fn operation() -> Value {
    object(
        "Whether and when something can be done.",
        json!({
            "supported": { "type": "boolean", "description": "Whether the connector can do it." },
            "permission": reference("MetaPermission"),
            "needs": text("What the account must be allowed, in the system's words."),
            "when": reference("MetaCondition"),
            "source_note": text("Where this is said."),
        }),
        &["supported", "permission"],
    )
}

fn action() -> Value {
    object(
        "An action.",
        json!({
            "name": text("Its name in `/actions/{name}`."),
            "title": text("What people call it."),
            "permission": reference("MetaPermission"),
            "needs": text("What the account must be allowed, in the system's words."),
            "from_states": texts("The states in which it can be done; any, when it is empty."),
            "from_statuses": texts("The codes of the statuses in which it can be done; any, when it is \
                empty."),
            "to_state": maybe_text("The state in which it leaves the record."),
            "to_status": maybe_text("The code of the status in which it leaves the record."),
            "when": reference("MetaCondition"),
            "required": texts("The fields that must be given."),
            "fields": list("FieldMeta", "The fields that can be given."),
            "json_schema": { "type": "object", "description": "JSON Schema of the body." },
            "source_note": text("Where this is said."),
        }),
        &[
            "name",
            "permission",
            "from_states",
            "from_statuses",
            "to_state",
            "to_status",
            "required",
            "fields",
            "json_schema",
        ],
    )
}

fn field() -> Value {
    object(
        "A field and its rules.",
        json!({
            "path": text("Its name; `lineItems.quantity` for one of each line."),
            "type": {
                "enum": ["text", "enum", "decimal", "integer", "boolean", "date", "time", "key", "list",
                    "object"],
            },
            "readable": { "type": "boolean", "description": "Whether it is read." },
            "required": object("When it must be given.", json!({
                "create": { "type": "boolean" },
                "update": { "type": "boolean" },
                "nullable": { "type": "boolean", "description": "Whether an update can empty it." },
            }), &["create", "update", "nullable"]),
            "writable": reference("MetaWritable"),
            "writable_when": reference("MetaCondition"),
            "immutable_when": reference("MetaCondition"),
            "immutable_after": text("The code of the last status in which it can be changed."),
            "enum": texts("The values that it can have."),
            "min_length": { "type": "integer" },
            "max_length": { "type": "integer" },
            "pattern": text("What all of the text looks like, as a regular expression."),
            "min": text("This or more."),
            "above": text("More than this."),
            "max": text("This or less."),
            "below": text("Less than this."),
            "max_items": { "type": "integer" },
            "line_changes": object("What an update can do with lines.", json!({
                "add": { "type": "boolean" },
                "change": { "type": "boolean" },
                "remove": { "type": "boolean" },
                "add_remove_when": reference("MetaCondition"),
            }), &["add", "change", "remove"]),
            "reference_to": text("The entity that its key leads to."),
            "default": { "description": "What counts when a new record does not give it." },
            "remote_path": text("Its name in the system."),
            "filterable": { "type": "boolean", "description": "Whether lists can be filtered by it." },
            "sortable": { "type": "boolean", "description": "Whether lists can be sorted by it." },
            "description": text("What it means."),
            "source_note": text("Where its rules come from."),
        }),
        &["path", "type", "readable", "required", "writable", "filterable", "sortable"],
    )
}

fn permission() -> Value {
    json!({
        "enum": ["granted", "missing", "unknown"],
        "description": "Whether the connected account may; `unknown` where the system does not say.",
    })
}

fn condition() -> Value {
    json!({
        "type": "object",
        "description": "Fields, and the values that each may have. `status` is the code of the record's \
            status.",
    })
}

fn writable() -> Value {
    json!({
        "enum": ["never", "create", "update", "both"],
        "description": "When it can be given.",
    })
}

fn object(description: &str, properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn maybe_text(description: &str) -> Value {
    json!({ "type": ["string", "null"], "description": description })
}

fn texts(description: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": description })
}

fn list(of: &str, description: &str) -> Value {
    json!({ "type": "array", "items": reference(of), "description": description })
}
