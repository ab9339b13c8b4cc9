//! What a connection's sandbox was told.

use millwright_core::{ScheduleTime, random_token};
use millwright_store::Document;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Rule, Scenario};
use crate::sandbox::data::Changes;

/// How a connection's sandbox is to behave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// By a name.
    Named(Named),
    /// By rules: the first that answers a call counts.
    Rules(Vec<Rule>),
}

/// A scenario, and when it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    pub name: Scenario,
    /// When it holds; always, without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// A time by the schedule clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// From then on.
    pub from: ScheduleTime,
    /// Until then; for ever, without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ScheduleTime>,
}

impl Window {
    /// Whether it is now.
    pub(crate) fn holds(&self, now: ScheduleTime) -> bool {
        now >= self.from && self.to.is_none_or(|to| now < to)
    }
}

impl Told {
    /// As the API shows it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Named(Named { name, window: None }) => json!({ "name": name }),
            Self::Named(Named { name, window: Some(window) }) => json!({
                "name": name,
                "from": window.from.iso(),
                "to": window.to.map(ScheduleTime::iso),
            }),
            Self::Rules(rules) => json!({ "rules": rules }),
        }
    }
}

impl Default for Told {
    fn default() -> Self {
        Scenario::Ok.into()
    }
}

impl From<Scenario> for Told {
    fn from(name: Scenario) -> Self {
        Self::Named(Named { name, window: None })
    }
}

/// The row that holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToldDoc {
    /// Differs each time something is told: what was counted before does not count any more.
    pub id: String,
    /// What was told.
    pub told: Told,
    /// The clock of changes.
    #[serde(default)]
    pub changes: Changes,
}

impl Document for ToldDoc {}

impl ToldDoc {
    pub(crate) const SORT_KEY: &str = "scenario";

    /// What is told now, with what the clock of changes has done before.
    pub(crate) fn new(told: Told, changes: &Changes, now: ScheduleTime) -> Self {
        let changes = match told {
            Told::Named(Named { name: Scenario::Changes(every), .. }) => {
                changes.started(now, every)
            }
            _ => changes.stopped(now),
        };
        Self { id: random_token(16), told, changes }
    }
}
