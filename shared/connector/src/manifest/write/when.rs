//! Predicates over a record as it is now.

use millwright_core::ConnectionId;
use millwright_entities::status_key;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::table::Table;

/// Fields and the values that each may have: all must hold. `status` is the code of the record's
/// status; any other name is a unified field, or `line.<field>` for one of the line that the rule is
/// about. A null stands for a field that is empty or not there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct When(Table<Vec<Value>>);

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

/// The name that stands for the status' code.
pub(crate) const STATUS: &str = "status";

/// The record that a predicate is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub connection: &'a ConnectionId,
    pub entity: &'a str,
    pub record: &'a Map<String, Value>,
    pub line: Option<&'a Map<String, Value>>,
}

impl When {
    /// Whether it holds.
    pub(crate) fn holds(&self, subject: Subject<'_>) -> bool {
        self.0.iter().all(|(name, allowed)| allowed.iter().any(|value| subject.has(name, value)))
    }

    /// Its parts, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Vec<Value>)> {
        self.0.iter()
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The codes of statuses that it asks for.
    pub fn statuses(&self) -> impl Iterator<Item = &str> {
        self.0.get(STATUS).into_iter().flatten().filter_map(Value::as_str)
    }

    /// It in words: `status is draft or quotation`.
    #[must_use]
    pub fn words(&self) -> String {
        let part = |(name, values): (&str, &Vec<Value>)| {
            let words: Vec<String> = values.iter().map(word).collect();
            format!("{name} is {}", words.join(" or "))
        };
        self.0.iter().map(part).collect::<Vec<_>>().join(" and ")
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Subject<'_> {
    fn has(&self, name: &str, value: &Value) -> bool {
        if name == STATUS {
            let key = value.as_str().map(|code| status_key(self.connection, self.entity, code));
            return key.is_some_and(|key| self.record.get("statusKey") == Some(&Value::from(key)));
        }
        let found = match name.strip_prefix("line.") {
            Some(field) => self.line.and_then(|line| line.get(field)),
            None => self.record.get(name),
        };
        found.unwrap_or(&Value::Null) == value
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(when: &str, record: Value, line: Option<Value>) -> bool {
        let connection = ConnectionId::derived(&["test"]);
        let when: When = serde_saphyr::from_str(when).unwrap();
        let mut record = record.as_object().cloned().unwrap();
        if let Some(code) = record.remove("status") {
            let key = status_key(&connection, "purchase-orders", code.as_str().unwrap());
            record.insert("statusKey".to_owned(), Value::from(key));
        }
        let line = line.as_ref().and_then(Value::as_object);
        when.holds(Subject {
            connection: &connection,
            entity: "purchase-orders",
            record: &record,
            line,
        })
    }

    #[test]
    fn a_status_is_named_by_its_code_and_not_by_the_models_word() {
        let record = json!({"status": "quotation", "state": "draft"});
        assert!(holds("{status: [draft, quotation]}", record.clone(), None));
        assert!(!holds("{status: [draft]}", record.clone(), None));
        assert!(holds("{state: [draft]}", record, None));
        assert!(!holds("{status: [draft]}", json!({}), None));
    }

    #[test]
    fn all_parts_must_hold_and_null_is_empty_or_absent() {
        let when = "{state: [draft, sent], approvedAt: [null]}";
        assert!(holds(when, json!({"state": "sent"}), None));
        assert!(holds(when, json!({"state": "sent", "approvedAt": null}), None));
        assert!(!holds(when, json!({"state": "sent", "approvedAt": "2026-01-01"}), None));
        assert!(!holds(when, json!({"state": "closed"}), None));
        assert!(holds("{}", json!({}), None));
    }

    #[test]
    fn a_line_has_fields_of_its_own() {
        let when = "{line.receivedQuantity: [\"0\", null]}";
        assert!(holds(when, json!({}), Some(json!({"receivedQuantity": "0"}))));
        assert!(!holds(when, json!({}), Some(json!({"receivedQuantity": "2"}))));
        assert!(holds(when, json!({}), None));
    }

    #[test]
    fn it_can_be_said_in_words() {
        let when: When = serde_saphyr::from_str("{status: [a, b], x: [null]}").unwrap();
        assert_eq!(when.words(), "status is a or b and x is empty");
    }
}
