//! What a caller sees of an answer.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use super::{PassthroughAnswer, names};
use crate::remote::{redact::Redaction, run::Reply};

/// The answer without what is not for the caller.
pub(super) fn shown(reply: Reply) -> PassthroughAnswer {
    let hide = |text: &str| reply.redaction.hide(text);
    let (body, is_base64) = body(&reply.response.body, &reply.redaction);
    PassthroughAnswer {
        status: reply.response.status.as_u16(),
        headers: headers(&reply.response.headers, hide),
        body,
        is_base64,
    }
}

/// Several headers of one name are joined, as RFC 9110, 5.3 has it.
fn headers(headers: &HeaderMap, hide: impl Fn(&str) -> String) -> BTreeMap<String, String> {
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let (name, Ok(text)) = (name.as_str(), value.to_str()) else { continue };
        if names::hidden_header(name) {
            continue;
        }
        let line = shown.entry(name.to_owned()).or_default();
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(&hide(text));
    }
    shown
}

fn body(bytes: &Bytes, redaction: &Redaction) -> (Value, bool) {
    if bytes.is_empty() {
        return (Value::Null, false);
    }
    if let Ok(mut value) = serde_json::from_slice(bytes) {
        hide_in(&mut value, redaction);
        return (value, false);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => (Value::String(redaction.hide(text)), false),
        Err(_) => (Value::String(STANDARD.encode(redaction.hide_in_bytes(bytes))), true),
    }
}

fn hide_in(value: &mut Value, redaction: &Redaction) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::String(text) => {
            if redaction.hides(text) {
                *text = redaction.hide(text);
            }
        }
        Value::Number(number) => {
            let text = number.to_string();
            let hidden = redaction.hide(&text);
            if hidden != text {
                *value = Value::String(hidden);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(item, redaction)),
        Value::Object(members) => {
            if members.keys().any(|name| redaction.hides(name)) {
                let old = std::mem::take(members);
                members.extend(old.into_iter().map(|(name, item)| (redaction.hide(&name), item)));
            }
            members.values_mut().for_each(|item| hide_in(item, redaction));
        }
    }
}
