//! The OpenAPI document before a judge that nobody here wrote.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

use millwright_core::PublicUrl;
use millwright_tests::parts::{openapi_judge, script};
use millwright_web::{Settings, openapi_document};
use serde_json::{Value, json};

fn judged(document: &Value) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    Command::new(openapi_judge()).arg(script("openapi.py")).arg(&file).output().unwrap()
}

fn document() -> Value {
    openapi_document(&Settings::new(PublicUrl::new("https://api.example.com"))).unwrap()
}

#[test]
fn the_document_is_valid_openapi() {
    let judged = judged(&document());
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
}

/// The document with these paths alone and what they refer to: the whole takes the judge its time.
fn excerpt(paths: [&str; 2]) -> Value {
    let mut document = document();
    let all = document["paths"].as_object_mut().unwrap();
    all.retain(|path, _| paths.contains(&path.as_str()));
    assert_eq!(all.len(), paths.len());
    let mut named = BTreeSet::new();
    refer(&document, &document["paths"], &mut named);
    for (kind, parts) in document["components"].as_object_mut().unwrap() {
        let own = |name: &String| named.contains(&format!("#/components/{kind}/{name}"));
        if kind != "securitySchemes" {
            parts.as_object_mut().unwrap().retain(|name, _| own(name));
        }
    }
    document
}

/// Everything that a value refers to, and what that refers to.
fn refer(document: &Value, value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(place) = fields.get("$ref").and_then(Value::as_str)
                && named.insert(place.to_owned())
            {
                refer(document, document.pointer(&place[1..]).unwrap(), named);
            }
            fields.values().for_each(|value| refer(document, value, named));
        }
        Value::Array(values) => values.iter().for_each(|value| refer(document, value, named)),
        _ => {}
    }
}

#[test]
fn the_judge_finds_what_is_wrong() {
    let sound = excerpt(["/health", "/v1/jobs/{id}"]);
    let told = judged(&sound);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    for (place, wrong) in [
        ("/info/title", json!(7)),
        ("/paths/~1health/get/responses", json!({ "banana": {} })),
        ("/paths/~1health/get/operationId", json!("get_job")),
    ] {
        let mut document = sound.clone();
        *document.pointer_mut(place).unwrap() = wrong;
        assert!(!judged(&document).status.success(), "{place}");
    }
}

#[test]
fn records_are_answered_with_the_headers_that_the_document_names() {
    let document = document();
    let headers = |path: &str, method: &str, status: &str| {
        let headers = &document["paths"][path][method]["responses"][status]["headers"];
        let headers = headers.as_object().unwrap_or_else(|| panic!("{method} {path} {status}"));
        (headers.contains_key("ETag"), headers.contains_key("Location"))
    };
    let (list, one) = ("/v1/purchase-orders", "/v1/purchase-orders/{key}");
    assert_eq!(headers(one, "get", "200"), (true, false));
    assert_eq!(headers(one, "patch", "200"), (true, false));
    assert_eq!(headers(list, "post", "201"), (true, true));
    assert_eq!(headers(list, "post", "202"), (false, true));
    assert_eq!(headers("/v1/purchase-orders/{key}/actions/{name}", "post", "200"), (true, false));
    assert_eq!(headers(list, "get", "200"), (false, false));
}
