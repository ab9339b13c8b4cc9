//! Keeping secrets out of what is said about a system's answers.

use std::collections::BTreeMap;

use http::HeaderMap;
use millwright_core::{ExposeSecret, SecretString};
use serde_json::Value;

/// Long texts of a system are cut here, in characters.
const MESSAGE_MAX: usize = 500;
const HIDDEN: &str = "[hidden]";

/// The texts that must not be repeated: every credential, what a session consists of, and the headers
/// that carry them. A system may
/// well quote them in an error.
pub(super) struct Redaction(Vec<String>);

impl Redaction {
    pub(super) fn new(
        credentials: &BTreeMap<String, SecretString>,
        session: Option<&Value>,
        auth: &HeaderMap,
    ) -> Self {
        let mut secrets: Vec<String> =
            credentials.values().map(|secret| secret.expose_secret().to_owned()).collect();
        for value in session.and_then(Value::as_object).into_iter().flat_map(|map| map.values()) {
            secrets.extend(value.as_str().map(str::to_owned));
            // A session is often put together from parts, each of which is as good as the whole.
            let parts = value.as_str().into_iter().flat_map(|text| text.split([':', ' ']));
            secrets.extend(parts.filter(|part| part.len() >= 16).map(str::to_owned));
        }
        for text in auth.values().filter_map(|value| value.to_str().ok()) {
            secrets.extend(text.rsplit(' ').next().map(str::to_owned));
        }
        secrets.retain(|secret| !secret.is_empty());
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    /// The text without them, cut to a length for people.
    pub(super) fn clean(&self, text: &str) -> String {
        let clean =
            self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN));
        match clean.char_indices().nth(MESSAGE_MAX) {
            Some((at, _)) => format!("{}...", &clean[..at]),
            None => clean,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_credential_and_no_part_of_a_session_is_repeated() {
        let credentials = BTreeMap::from([
            ("username".to_owned(), SecretString::from("admin")),
            ("password".to_owned(), SecretString::from("hunter2")),
        ]);
        let token = "fdda97e273fca463212ada691fd58770";
        let session = json!({"token": format!("admin:1:{token}"), "company": 1});
        let auth = HeaderMap::from_iter([(
            http::header::AUTHORIZATION,
            "Session YWRtaW4=".parse().unwrap(),
        )]);
        let redaction = Redaction::new(&credentials, Some(&session), &auth);
        let text = format!("admin:1:{token} or {token} with hunter2 YWRtaW4=, {}", "x".repeat(900));
        let clean = redaction.clean(&text);
        assert!(clean.starts_with("[hidden] or [hidden] with [hidden] [hidden], x"), "{clean}");
        assert_eq!(clean.chars().count(), MESSAGE_MAX + 3);
    }
}
