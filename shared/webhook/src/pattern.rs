//! Which event types an endpoint wants.

use serde::{Deserialize, Serialize};

/// The longest event type or pattern, in bytes.
const LENGTH_MAX: usize = 128;

/// An event type (`purchase_orders.inserted`), everything below a part of one
/// (`purchase_orders.*`), or everything (`*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventPattern(String);

impl EventPattern {
    /// The pattern that every type matches.
    #[must_use]
    pub fn everything() -> Self {
        Self("*".to_owned())
    }

    /// Reads a pattern; nothing when the text is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let types = text.strip_suffix(".*").unwrap_or(text);
        (text == "*" || (text.len() <= LENGTH_MAX && is_event_type(types)))
            .then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an event type is meant.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => event_type.starts_with(start),
            None => event_type == self.0,
        }
    }
}

/// Whether the text can be an event type: parts of letters, digits and underscores with full stops
/// between (Standard Webhooks, "Event types").
#[must_use]
pub fn is_event_type(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= LENGTH_MAX
        && text.split('.').all(|part| !part.is_empty() && part.bytes().all(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_say() {
        let cases = [
            ("*", "purchase_orders.inserted", true),
            ("purchase_orders.*", "purchase_orders.inserted", true),
            ("purchase_orders.*", "purchase_orders_archive.inserted", false),
            ("purchase_orders.*", "purchase_orders", false),
            ("purchase_orders.inserted", "purchase_orders.inserted", true),
            ("purchase_orders.inserted", "purchase_orders.inserted.late", false),
            ("our.own.*", "our.own.deep.event", true),
        ];
        for (pattern, event_type, matches) in cases {
            let pattern = EventPattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(event_type), matches, "{pattern:?} {event_type}");
        }
    }

    #[test]
    fn what_is_not_a_pattern_is_refused() {
        for text in ["", "**", ".*", "a.", "a..b", "a.*.b", "a*", "a b", "a/b", &"a".repeat(129)] {
            assert!(EventPattern::parse(text).is_none(), "{text}");
        }
    }
}
