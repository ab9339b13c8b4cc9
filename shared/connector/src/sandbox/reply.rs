//! What the sandbox answers, as if over HTTP.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use millwright_outbound::Response;
use serde_json::{Value, json};

use super::scenario::Respond;

/// An answer that no wire carries. What it means is found out like any other system's: by the
/// manifest's error rules, then by its status.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Reply {
    /// A refusal, with the sandbox' own code and words.
    pub(super) fn refusal(status: u16, code: &str, message: &str) -> Self {
        let body = json!({ "error": { "code": code, "message": message } }).to_string();
        Self { status, headers: BTreeMap::new(), body }
    }

    /// A refusal that names the field at fault, by the sandbox' own name.
    pub(super) fn of_field(code: &str, field: &str, message: &str) -> Self {
        let body = json!({ "error": { "code": code, "field": field, "message": message } });
        Self { status: 422, headers: BTreeMap::new(), body: body.to_string() }
    }

    /// A status and nothing else.
    pub(super) fn status(status: u16) -> Self {
        Self { status, headers: BTreeMap::new(), body: String::new() }
    }

    /// A page for people.
    pub(super) fn page() -> Self {
        let body = "<html><body>Welcome. Please log in.</body></html>".to_owned();
        Self { status: 200, headers: BTreeMap::new(), body }.with("content-type", "text/html")
    }

    /// What a rule answers with; nothing where the sandbox' own answer is meant.
    pub(super) fn of_rule(respond: &Respond) -> Option<Self> {
        let status = respond.status.unwrap_or(200);
        let body = match &respond.body {
            None if (200..300).contains(&status) => return None,
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        Some(Self { status, headers: respond.headers.clone(), body })
    }

    /// The same with a header.
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// Whether it is a refusal with this code.
    #[cfg(test)]
    pub(super) fn says(&self, code: &str) -> bool {
        serde_json::from_str::<Value>(&self.body).is_ok_and(|body| body["error"]["code"] == code)
    }

    /// As it would have come over the wire.
    pub(super) fn into_response(self, elapsed: Duration) -> Response {
        let header = |(name, value): (&String, &String)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        };
        Response {
            status: StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_GATEWAY),
            headers: self.headers.iter().filter_map(header).collect::<HeaderMap>(),
            body: Bytes::from(self.body),
            truncated: false,
            elapsed,
        }
    }
}
