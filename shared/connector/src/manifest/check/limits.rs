//! Limits.

use millwright_core::ErrorCode;

use super::Check;
use crate::manifest::{Budget, ErrorRule, Meaning};

impl Check<'_> {
    pub(super) fn limits(&mut self) {
        let limits = &self.manifest.limits;
        let none = [
            limits.concurrency == 0,
            limits.ids_per_request == 0,
            limits.page_size == 0,
            limits.body_cap_bytes == 0,
            limits.timeout_seconds == 0,
        ];
        if none.contains(&true) || limits.page_size > limits.page_size_max {
            self.say("limits", "are at least 1, and page_size is at most page_size_max");
        }
        let budgets = &limits.budgets;
        if budgets.iter().any(|budget| budget.requests == 0 || budget.per_seconds == 0) {
            self.say("limits.budgets", "have at least one request in at least one second");
        }
        let same = |one: &Budget, other: &Budget| {
            one.scope == other.scope && one.per_seconds == other.per_seconds
        };
        if budgets.iter().enumerate().any(|(at, one)| budgets[..at].iter().any(|b| same(one, b))) {
            self.say("limits.budgets", "of one scope differ in their seconds");
        }
        let headers = &limits.rate_headers;
        if headers.remaining.is_some() != headers.reset.is_some() {
            self.say("limits.rate_headers", "have both `remaining` and `reset`, or neither");
        }
        if headers.limit.is_some() && headers.remaining.is_none() {
            self.say("limits.rate_headers", "have a `limit` only beside `remaining`");
        }
    }

    pub(super) fn errors(&mut self) {
        for (position, rule) in self.manifest.errors.iter().enumerate() {
            let ErrorRule { when, class, contract, .. } = rule;
            self.condition(&format!("errors[{position}].when"), when);
            let fits = |code: &ErrorCode| *class == Meaning::Validation && code.status() == 422;
            if !contract.as_ref().is_none_or(fits) {
                let message = "goes with the class `validation` and is a code of status 422";
                self.say(&format!("errors[{position}].contract"), message);
            }
        }
    }
}
