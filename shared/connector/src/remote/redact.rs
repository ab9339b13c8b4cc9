//! Keeping secrets out of what is said about a system's answers.

use std::{collections::BTreeMap, fmt};

use millwright_core::{ExposeSecret, SecretString};
use serde_json::Value;
use url::form_urlencoded;

use super::build::percent_encoded;

/// Long texts of a system are cut here, in characters.
const MESSAGE_MAX: usize = 500;
const HIDDEN: &str = "[hidden]";
/// Shorter texts of a session are values such as a language, not keys to it.
const TOKEN_MIN: usize = 12;
/// Longer texts are hidden wherever they stand, shorter ones where they stand as a word: hiding every
/// `a` would hide the message and tell the secret.
const WORD_MAX: usize = 5;

/// The texts that must not be repeated: every credential, the tokens of a session, and what carries
/// them. A system may well quote them in an error.
#[derive(Clone, Default)]
pub(crate) struct Redaction(Vec<String>);

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redaction")
    }
}

impl Redaction {
    /// Hides every credential.
    pub(crate) fn of(credentials: &BTreeMap<String, SecretString>) -> Self {
        let mut redaction = Self::default();
        let exposed = credentials.values().map(|secret| secret.expose_secret().to_owned());
        redaction.add(&exposed.collect::<Vec<_>>());
        redaction
    }

    /// Hides the tokens among a session's values too.
    pub(super) fn add_session(&mut self, values: &Value) {
        let values = values.as_object().into_iter().flat_map(|map| map.values());
        let mut tokens = Vec::new();
        for text in values.filter_map(Value::as_str) {
            // A session is often put together from parts, each of which is as good as the whole.
            let parts = text.split([':', ' ']).chain([text]);
            tokens.extend(parts.filter(|part| part.len() >= TOKEN_MIN).map(str::to_owned));
        }
        self.add(&tokens);
    }

    /// Hides more texts, also as they stand in a URL.
    pub(crate) fn add(&mut self, secrets: &[String]) {
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            let in_url: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            for form in [percent_encoded(secret), in_url, secret.clone()] {
                if !self.0.contains(&form) {
                    self.0.push(form);
                }
            }
        }
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Whether a text has one of them in it.
    pub(super) fn hides(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret.as_str()))
    }

    /// The text without them, cut to a length for people.
    pub(crate) fn clean(&self, text: &str) -> String {
        let clean = self.hide(text);
        match clean.char_indices().nth(MESSAGE_MAX) {
            Some((at, _)) => format!("{}...", &clean[..at]),
            None => clean,
        }
    }

    /// The text without them.
    pub(super) fn hide(&self, text: &str) -> String {
        if !self.0.iter().any(|secret| text.contains(secret)) {
            return text.to_owned();
        }
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            match self.0.iter().find(|secret| stands_first(secret, rest, clean.chars().last())) {
                Some(secret) => {
                    clean.push_str(HIDDEN);
                    rest = &rest[secret.len()..];
                }
                None => {
                    clean.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        clean
    }

    /// The bytes without them, but for those too short to be told from chance.
    pub(super) fn hide_in_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let long = || self.0.iter().filter(|secret| secret.len() > WORD_MAX);
        let mut clean = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            if let Some(secret) = long().find(|secret| rest.starts_with(secret.as_bytes())) {
                clean.extend_from_slice(HIDDEN.as_bytes());
                rest = &rest[secret.len()..];
            } else {
                clean.push(*first);
                rest = after;
            }
        }
        clean
    }
}

fn stands_first(secret: &str, rest: &str, before: Option<char>) -> bool {
    let Some(after) = rest.strip_prefix(secret) else { return false };
    let in_word = |beside: Option<char>| beside.is_some_and(char::is_alphanumeric);
    secret.chars().count() > WORD_MAX || !(in_word(before) || in_word(after.chars().next()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn clean(credentials: &[&str], session: &Value, text: &str) -> String {
        let named = credentials.iter().enumerate();
        let named = named.map(|(at, text)| (at.to_string(), SecretString::from(*text))).collect();
        let mut redaction = Redaction::of(&named);
        redaction.add_session(session);
        redaction.add(&["YWRtaW4=".to_owned()]);
        redaction.clean(text)
    }

    #[test]
    fn no_credential_and_no_part_of_a_session_is_repeated() {
        let token = "fdda97e273fca463212ada691fd58770";
        let session = json!({"token": format!("admin:1:{token}"), "company": 1});
        let text = format!("admin:1:{token} or {token} with hunter2 YWRtaW4=, xhunter2x");
        assert_eq!(
            clean(&["admin", "hunter2"], &session, &text),
            "[hidden] or [hidden] with [hidden] [hidden], x[hidden]x"
        );
    }

    #[test]
    fn short_words_of_a_session_or_a_login_do_not_spoil_a_message() {
        let session = json!({"language": "en", "filter": "one"});
        assert_eq!(
            clean(&["admin"], &session, "one administrator, not admin, opens it"),
            "one administrator, not [hidden], opens it"
        );
    }

    #[test]
    fn a_secret_is_hidden_as_it_stands_in_a_url() {
        let text = "no key `a b/c` in ?key=a+b%2Fc&x or /a%20b%2Fc";
        assert_eq!(
            clean(&["a b/c"], &Value::Null, text),
            "no key `[hidden]` in ?key=[hidden]&x or /[hidden]"
        );
    }

    #[test]
    fn a_long_message_is_cut() {
        let cut = clean(&[], &Value::Null, &"é".repeat(900));
        assert_eq!(cut.chars().count(), MESSAGE_MAX + 3);
    }

    #[test]
    fn a_secret_is_hidden_among_bytes_too() {
        let secrets = [("key".to_owned(), SecretString::from("hunter22"))];
        let redaction = Redaction::of(&secrets.into_iter().collect());
        assert_eq!(redaction.hide_in_bytes(b"\xff hunter22 \xfe"), b"\xff [hidden] \xfe");
    }
}
