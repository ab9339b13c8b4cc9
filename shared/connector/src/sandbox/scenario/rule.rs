//! A rule: which calls, and what they are answered with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sandbox::call::Call;

/// A rule over a sandbox' calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which calls.
    #[serde(rename = "match", default)]
    pub which: Match,
    /// What they are answered with.
    #[serde(default)]
    pub respond: Respond,
    /// How many calls it answers; all of them from the first on when nothing is said, and one where
    /// `nth` names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

/// Which calls: everything that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// Those about this entity, by its slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Those that do this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// From this one on of those that fit otherwise: 1 is the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Respond {
    /// Its HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Its headers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Its body: a text as it is, anything else as JSON. Without a body, an answer that is a success
    /// is the sandbox' own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// How long it takes.
    #[serde(skip_serializing_if = "is_zero")]
    pub delay_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(ms: &u64) -> bool {
    *ms == 0
}

impl Rule {
    /// Whether it counts a call.
    pub(in crate::sandbox) fn counts(&self, call: &Call<'_>) -> bool {
        let Match { entity, operation, .. } = &self.which;
        entity.as_deref().is_none_or(|entity| call.entity == Some(entity))
            && operation.as_deref().is_none_or(|name| call.operation.is_called(name))
    }

    /// Whether it answers a call that comes after so many others which it counted.
    pub(in crate::sandbox) fn answers(&self, before: u64) -> bool {
        let first = self.which.nth.unwrap_or(1).saturating_sub(1);
        let times = self.times.or(self.which.nth.map(|_| 1));
        before >= first && times.is_none_or(|times| before - first < times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::call::Operation;

    fn rule(nth: Option<u64>, times: Option<u64>) -> Rule {
        let which = Match { nth, ..Match::default() };
        Rule { which, respond: Respond::default(), times }
    }

    #[test]
    fn a_rule_answers_from_the_nth_call_on_as_often_as_it_may() {
        let answered = |nth, times| -> Vec<u64> {
            (0..6).filter(|before| rule(nth, times).answers(*before)).map(|n| n + 1).collect()
        };
        assert_eq!(answered(None, None), [1, 2, 3, 4, 5, 6]);
        assert_eq!(answered(None, Some(2)), [1, 2]);
        assert_eq!(answered(Some(3), None), [3]);
        assert_eq!(answered(Some(3), Some(2)), [3, 4]);
    }

    #[test]
    fn a_call_fits_by_entity_and_by_what_it_does() {
        let fits = |entity: Option<&str>, operation: Option<&str>, call: &Call<'_>| {
            let which = Match {
                entity: entity.map(str::to_owned),
                operation: operation.map(str::to_owned),
                nth: None,
            };
            Rule { which, ..rule(None, None) }.counts(call)
        };
        let submit = Call::of("purchase-orders", Operation::Action("submit"));
        for (entity, operation, expected) in [
            (None, None, true),
            (Some("purchase-orders"), Some("submit"), true),
            (Some("purchase-orders"), Some("action"), true),
            (None, Some("write"), true),
            (None, Some("read"), false),
            (None, Some("approve"), false),
            (Some("vendors"), None, false),
        ] {
            assert_eq!(fits(entity, operation, &submit), expected, "{entity:?} {operation:?}");
        }
        let probe = Call::probe();
        assert!(fits(None, None, &probe) && fits(None, Some("probe"), &probe));
        assert!(!fits(None, Some("read"), &probe) && !fits(Some("vendors"), None, &probe));
    }
}
