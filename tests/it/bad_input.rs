//! Bad input gets its own error: every row of the table against one running server.

use http::Method;
use millwright_tests::{
    api::{Answer, Api},
    process::free_port,
    tryton::Tryton,
};
use serde_json::{Value, json};

use crate::scene::{Scene, text, tryton_connection, wait_until_synced};

/// One row of the table.
struct Bad<'a> {
    what: &'static str,
    api: &'a Api,
    method: Method,
    path: String,
    body: Option<(&'static str, String)>,
    status: u16,
    code: &'static str,
    /// The path of the faulty field, where the fault is in one.
    field: Option<&'static str>,
}

const JSON: &str = "application/json";

fn get<'a>(
    what: &'static str,
    api: &'a Api,
    path: &str,
    status: u16,
    code: &'static str,
) -> Bad<'a> {
    Bad {
        what,
        api,
        method: Method::GET,
        path: path.to_owned(),
        body: None,
        status,
        code,
        field: None,
    }
}

fn post<'a>(
    what: &'static str,
    api: &'a Api,
    path: &str,
    body: &Value,
    status: u16,
    code: &'static str,
) -> Bad<'a> {
    let body = Some((JSON, body.to_string()));
    Bad { what, api, method: Method::POST, path: path.to_owned(), body, status, code, field: None }
}

impl Bad<'_> {
    fn in_field(self, field: &'static str) -> Self {
        Self { field: Some(field), ..self }
    }

    fn with_text(self, kind: &'static str, text: String) -> Self {
        Self { body: Some((kind, text)), ..self }
    }
}

#[tokio::test]
async fn bad_input_gets_its_own_error() {
    let mut scene = Scene::new(&[]).await;
    let stranger = another_workspace(&mut scene).await;
    let tryton = Tryton::start(scene.folder.path(), "orders").await;
    let data = scene.connect(&tryton).await;
    wait_until_synced(&data).await;
    let admin = scene.api();
    let nobody = admin.with_key(None);
    let wrong = admin.with_key(Some("mw_sk_test_wrong"));
    let reader = admin.with_key(Some(&key_of(&admin, "read").await));
    let foreign = their_connection(&stranger).await;
    let foreign_data = admin.about(&foreign);
    let materials = data.get("/v1/materials?limit=1").await;
    let connection = data.get("/v1/connection").await;
    let table = rows(&Callers {
        admin: &admin,
        data: &data,
        nobody: &nobody,
        wrong: &wrong,
        reader: &reader,
        foreign_data: &foreign_data,
        foreign: &foreign,
        connection: text(&connection, "id"),
        material: text(&materials["data"][0], "key"),
        tryton: &tryton,
    });
    let mut faults = Vec::new();
    for row in table {
        let answer = row.api.raw(row.method.clone(), &row.path, row.body.clone()).await;
        if let Err(fault) = judge(&row, &answer) {
            faults.push(format!("{}: {fault}\n{:#}", row.what, answer.body));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    a_secret_is_never_in_a_list(&scene).await;
}

struct Callers<'a> {
    admin: &'a Api,
    data: &'a Api,
    nobody: &'a Api,
    wrong: &'a Api,
    reader: &'a Api,
    foreign_data: &'a Api,
    foreign: &'a str,
    connection: &'a str,
    material: &'a str,
    tryton: &'a Tryton,
}

fn rows<'a>(callers: &Callers<'a>) -> Vec<Bad<'a>> {
    let mut rows = about_the_caller(callers);
    rows.extend(about_connecting(callers));
    rows.extend(about_the_request(callers));
    rows.extend(about_lists(callers));
    rows.extend(about_what_lists_ask_for(callers));
    rows.extend(about_mappings(callers));
    rows.extend(about_native_calls_and_hooks(callers));
    rows
}

fn about_the_caller<'a>(callers: &Callers<'a>) -> Vec<Bad<'a>> {
    let Callers { admin, data, nobody, wrong, reader, foreign_data, foreign, .. } = callers;
    let foreign = format!("/v1/connections/{foreign}");
    let endpoint = json!({ "url": "http://127.0.0.1:1/" });
    vec![
        get("no key", nobody, "/v1/connections", 401, "AUTHENTICATION_FAILED"),
        get("a wrong key", wrong, "/v1/connections", 401, "AUTHENTICATION_FAILED"),
        post(
            "a role too low",
            reader,
            "/v1/webhook-endpoints",
            &endpoint,
            403,
            "PERMISSION_DENIED",
        ),
        get("no connection id", admin, "/v1/purchase-orders", 400, "CONNECTION_REQUIRED"),
        get("another workspace's connection", admin, &foreign, 404, "NOT_FOUND"),
        get("another workspace's data", foreign_data, "/v1/purchase-orders", 404, "NOT_FOUND"),
        get("no such path", admin, "/v1/nothing", 404, "NOT_FOUND"),
        get("no such record", data, "/v1/vendors/rec_00000000000000000000000000", 404, "NOT_FOUND"),
        get("an id of another kind", admin, "/v1/connections/ep_1", 404, "NOT_FOUND"),
        Bad {
            method: Method::PUT,
            ..get("no such operation", admin, "/v1/connections", 405, "OPERATION_NOT_SUPPORTED")
        },
    ]
}

fn about_connecting<'a>(callers: &Callers<'a>) -> Vec<Bad<'a>> {
    let Callers { admin, tryton, .. } = callers;
    let good = tryton_connection(tryton);
    let with = |path: &str, value: Value| {
        let mut request = good.clone();
        *request.pointer_mut(path).expect("a field of the request") = value;
        request
    };
    let connect = |what, request: &Value, status, code| {
        post(what, admin, "/v1/connections", request, status, code)
    };
    let nobody_there = format!("http://127.0.0.1:{}", free_port());
    let unknown = with("/connector_id", json!("sap-r2"));
    let wrong_password = with("/credentials/password", json!("wrong"));
    let unreachable = with("/settings/url", json!(nobody_there));
    let forbidden = with("/settings/url", json!("http://169.254.169.254/latest/meta-data"));
    let mut extra = good.clone();
    extra["colour"] = json!("blue");
    let mut extra_setting = good.clone();
    extra_setting["settings"]["colour"] = json!("blue");
    let mut without = good.clone();
    without["credentials"] = json!({});
    vec![
        connect("an unknown connector", &unknown, 422, "VALIDATION_FAILED")
            .in_field("connector_id"),
        connect("a wrong password", &wrong_password, 422, "CREDENTIALS_REFUSED"),
        connect("an unreachable host", &unreachable, 422, "SYSTEM_UNREACHABLE"),
        connect("an address that is never called", &forbidden, 422, "SYSTEM_UNREACHABLE"),
        connect("an unknown field", &extra, 422, "VALIDATION_FAILED").in_field("colour"),
        connect("an unknown setting", &extra_setting, 422, "VALIDATION_FAILED"),
        connect("missing credentials", &without, 422, "VALIDATION_FAILED"),
        connect("a missing field", &json!({}), 422, "FIELD_REQUIRED").in_field("connector_id"),
    ]
}

fn about_the_request<'a>(callers: &Callers<'a>) -> Vec<Bad<'a>> {
    let Callers { admin, data, material, .. } = callers;
    let path = "/v1/webhook-messages";
    let large = json!({ "type": "a.b", "data": "x".repeat(1_100_000) });
    let send = |what, status, code| post(what, admin, path, &json!({}), status, code);
    let order = |body: &Value, status, code| {
        post("a bad order", data, "/v1/purchase-orders", body, status, code)
    };
    let unknown_vendor = json!({
        "vendorKey": "rec_00000000000000000000000000",
        "lineItems": [{ "materialKey": material, "quantity": "1", "price": "1" }],
    });
    vec![
        send("malformed JSON", 400, "INVALID_REQUEST").with_text(JSON, "{\"type\":".to_owned()),
        send("not an object", 422, "VALIDATION_FAILED").with_text(JSON, "[]".to_owned()),
        send("another kind of body", 415, "UNSUPPORTED_MEDIA_TYPE")
            .with_text("text/plain", "{}".to_owned()),
        post("a body too large", admin, path, &large, 413, "PAYLOAD_TOO_LARGE"),
        order(&unknown_vendor, 422, "REFERENCE_NOT_FOUND").in_field("vendorKey"),
        post(
            "an unknown parameter of a write",
            data,
            "/v1/purchase-orders?dry_rum=true",
            &json!({}),
            400,
            "INVALID_REQUEST",
        ),
        get("an unknown parameter", data, "/v1/vendors?colour=blue", 400, "INVALID_REQUEST"),
        get("a time that is none", data, "/v1/vendors?modified_after=soon", 400, "INVALID_REQUEST"),
    ]
}

fn about_lists<'a>(callers: &Callers<'a>) -> Vec<Bad<'a>> {
    let Callers { admin, data, connection, foreign, .. } = callers;
    // A place in the feed from before everything that is kept.
    let expired = old_cursor(connection);
    let anothers = old_cursor(foreign);
    vec![
        get("a bad cursor", data, "/v1/vendors?cursor=nonsense", 400, "CURSOR_INVALID"),
        get("a bad cursor of the feed", data, "/v1/changes?cursor=%25%25", 400, "CURSOR_INVALID"),
        get(
            "an expired cursor",
            data,
            &format!("/v1/changes?cursor={expired}"),
            410,
            "CURSOR_EXPIRED",
        ),
        get(
            "another connection's cursor",
            data,
            &format!("/v1/changes?cursor={anothers}"),
            400,
            "CURSOR_INVALID",
        ),
        get("a limit too high", admin, "/v1/connections?limit=501", 400, "INVALID_REQUEST"),
        get("a limit of none", admin, "/v1/connections?limit=0", 400, "INVALID_REQUEST"),
    ]
}

fn about_what_lists_ask_for<'a>(callers: &Callers<'a>) -> Vec<Bad<'a>> {
    let data = callers.data;
    let ask = |what, query: &str, field| {
        let path = format!("/v1/purchase-orders?{query}");
        get(what, data, &path, 400, "INVALID_REQUEST").in_field(field)
    };
    vec![
        ask("a filter by no field", "filter[colour]=blue", "filter[colour]"),
        ask("a filter by lines", "filter[lineItems]=x", "filter[lineItems]"),
        ask("an operator that does not fit", "filter[state:gt]=draft", "filter[state:gt]"),
        ask("a value of another type", "filter[totalNetValue]=much", "filter[totalNetValue]"),
        ask("a sort by no time", "sort=orderNo", "sort"),
        ask("an include of nothing known", "include=everything", "include"),
        ask("a sort of a live list", "live=true&sort=updatedAt", "sort"),
    ]
}

fn about_mappings<'a>(callers: &Callers<'a>) -> Vec<Bad<'a>> {
    let Callers { admin, reader, connection, foreign, .. } = callers;
    let put = |what, api, connection: &str, entity: &str, body: Value, status, code| {
        let path = format!("/v1/connections/{connection}/mappings/{entity}");
        Bad { method: Method::PUT, ..post(what, api, &path, &body, status, code) }
    };
    let (orders, failed) = ("purchase-orders", "VALIDATION_FAILED");
    let field = |field: Value| json!({ "fields": [field] });
    let good = json!({ "fields": [] });
    let twice = json!({ "field": "key", "path": "id", "jq": "env" });
    let codec = json!({ "field": "notes", "path": "comment", "codec": "roman" });
    let large = json!({ "field": "notes", "path": "comment", "default": "x".repeat(70_000) });
    let custom = format!("/v1/connections/{connection}/custom-fields/{orders}");
    let mut rows = vec![
        put("a mapping of nothing", admin, connection, orders, json!({}), 422, "FIELD_REQUIRED")
            .in_field("fields"),
        put("a key that is mapped", admin, connection, orders, field(twice), 422, failed)
            .in_field("fields[0].field"),
        put("an unknown codec", admin, connection, orders, field(codec), 422, failed)
            .in_field("fields[0].codec"),
        put("a mapping of 70 KB", admin, connection, orders, field(large), 422, failed)
            .in_field("fields"),
        put("no entity", admin, connection, "unicorns", good.clone(), 404, "NOT_FOUND"),
        put(
            "an entity that is not read",
            admin,
            connection,
            "rfq",
            good.clone(),
            405,
            "OPERATION_NOT_SUPPORTED",
        ),
        put("another workspace's mapping", admin, foreign, orders, good.clone(), 404, "NOT_FOUND"),
        put("a mapping by a reader", reader, connection, orders, good, 403, "PERMISSION_DENIED"),
    ];
    let unknown = json!({ "fields": ["no_such"] });
    rows.push(Bad {
        method: Method::PUT,
        ..post("no custom field", admin, &custom, &unknown, 422, failed).in_field("fields[0]")
    });
    rows
}

fn about_native_calls_and_hooks<'a>(callers: &Callers<'a>) -> Vec<Bad<'a>> {
    let Callers { admin, data, nobody, reader, .. } = callers;
    let path = "/v1/passthrough";
    let call = json!({ "method": "GET", "path": "/anything" });
    let method = json!({ "method": "BREW", "path": "/anything" });
    let hint = json!({ "id": 1 });
    vec![
        post(
            "a native call without a path",
            data,
            path,
            &json!({ "method": "GET" }),
            422,
            "FIELD_REQUIRED",
        )
        .in_field("path"),
        post("a method that is none", data, path, &method, 422, "VALIDATION_FAILED")
            .in_field("method"),
        post("a native call of nobody's data", admin, path, &call, 400, "CONNECTION_REQUIRED"),
        post("a native call by a reader", reader, path, &call, 403, "PERMISSION_DENIED"),
        get("a log of another action", admin, "/v1/audit-log?action=nap", 400, "INVALID_REQUEST")
            .in_field("action"),
        get("a log since no time", admin, "/v1/audit-log?since=soon", 400, "INVALID_REQUEST")
            .in_field("since"),
        post("a webhook to nobody", nobody, "/hooks/unknown", &hint, 404, "NOT_FOUND"),
    ]
}

/// A cursor of a connection's feed as it was given out long ago.
fn old_cursor(connection: &str) -> String {
    millwright_core::Cursor::encode(&format!("changes/{connection}"), &1).expect("a number is JSON")
}

fn judge(row: &Bad, answer: &Answer) -> Result<(), String> {
    let error = &answer.body["error"];
    if (answer.status, answer.code()) != (row.status, Some(row.code)) {
        return Err(format!(
            "{} {:?}, not {} {}",
            answer.status,
            answer.code(),
            row.status,
            row.code
        ));
    }
    let id = error["request_id"].as_str().unwrap_or_default();
    if answer.headers.get("millwright-request-id").and_then(|v| v.to_str().ok()) != Some(id) {
        return Err("the header names another request".to_owned());
    }
    if error["message"].as_str().is_none_or(str::is_empty) || !error["retryable"].is_boolean() {
        return Err("no message, or not said whether to try again".to_owned());
    }
    let named =
        |field| error["fields"].as_array().is_some_and(|f| f.iter().any(|f| f["path"] == field));
    match row.field {
        Some(field) if !named(field) => Err(format!("the field {field} is not named")),
        _ => Ok(()),
    }
}

/// A caller of a second workspace.
async fn another_workspace(scene: &mut Scene) -> Api {
    let key = scene.millwright.another_workspace("Somebody else").await;
    scene.api().with_key(Some(&key))
}

async fn their_connection(stranger: &Api) -> String {
    let request = json!({ "connector_id": "sandbox", "name": "Theirs" });
    text(&stranger.post("/v1/connections", &request, 201).await, "id").to_owned()
}

async fn key_of(admin: &Api, role: &str) -> String {
    let made = admin.post("/v1/api-keys", &json!({ "name": role, "role": role }), 201).await;
    text(&made, "key").to_owned()
}

async fn a_secret_is_never_in_a_list(scene: &Scene) {
    scene.endpoint("any", json!({})).await;
    key_of(&scene.api(), "write").await;
    for path in ["/v1/connections", "/v1/api-keys", "/v1/webhook-endpoints", "/v1/webhook-messages"]
    {
        let shown = scene.api().get(path).await.to_string();
        for secret in ["adminpw", "whsec_", "mw_sk_test_0123456789"] {
            assert!(!shown.contains(secret), "{path} shows {secret}");
        }
    }
}
