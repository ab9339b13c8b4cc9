//! Fields of the customer's own.

use millwright_core::ErrorCode;
use serde_json::Value;

use super::{
    Writer,
    equal::same,
    judge::{At, Judge, Level},
    plan::Placed,
    trail::RuleKind,
};
use crate::{manifest::CustomWrite, path::Path};

/// The member that has fields of the customer's own.
pub(super) const CUSTOM: &str = "customFields";

impl Judge<'_, '_> {
    /// Fields of the customer's own.
    pub(super) fn custom(&mut self, level: Level<'_>) -> Vec<Placed> {
        let given = match level.given.get(CUSTOM) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Object(given)) => given,
            Some(_) => {
                let at = At { rules: "custom_fields", path: CUSTOM };
                self.invalid(at, "must be an object");
                return Vec::new();
            }
        };
        let before = level.before.map(|before| before.get(CUSTOM).unwrap_or(&Value::Null));
        let mut placed = Vec::new();
        for (name, value) in given {
            let now = before.map(|before| &before[name.as_str()]);
            if now.is_some_and(|now| same(now, value)) {
                continue;
            }
            if let Some(to) = self.custom_place(name, value, level.before.is_none()) {
                let (field, value) = (CUSTOM.to_owned(), value.clone());
                placed.push(Placed { field, to, value, fresh: true });
            }
        }
        placed
    }

    /// Where a custom field goes, if it can be written.
    fn custom_place(&mut self, name: &str, value: &Value, new: bool) -> Option<Path> {
        let path = format!("{CUSTOM}.{name}");
        let rules = self.writer.def.write.custom_fields.as_ref();
        let in_time = |rules: &&CustomWrite| {
            if new { rules.writable.on_create() } else { rules.writable.on_update() }
        };
        let allowed = rules.filter(in_time).filter(|rules| rules.allows(name));
        let Some(rules) = allowed.filter(|_| self.writer.has_custom_field(name)) else {
            let message = "this custom field cannot be written with this connector";
            let code = ErrorCode::CustomFieldNotWritable;
            self.trail.fault("custom_fields", RuleKind::Custom, &path, code, message);
            return None;
        };
        let at = At { rules: "custom_fields", path: &path };
        let long = |max: usize| value.as_str().is_some_and(|text| text.chars().count() > max);
        if let Some(max) = rules.max_length {
            if long(max) {
                let message = format!("must have {max} characters or fewer");
                let code = ErrorCode::ValidationFailed;
                self.trail.fault(at.rules, RuleKind::Length, at.path, code, message);
                return None;
            }
            self.trail.pass(at.rules, RuleKind::Length);
        }
        self.trail.pass(at.rules, RuleKind::Custom);
        let quoted = format!("\"{name}\"");
        let place = match rules.to.as_str() {
            "" => quoted,
            to => format!("{to}.{quoted}"),
        };
        Path::parse(&place).map_err(|_| self.invalid(at, "has a name that cannot be sent")).ok()
    }
}

impl Writer<'_> {
    /// Whether the connection has chosen a custom field, and nothing says that it is only read.
    fn has_custom_field(&self, name: &str) -> bool {
        let Some(custom) = &self.def.custom_fields else { return true };
        let known = custom.known.get(name).is_none_or(|known| known.writable);
        known && (!self.connected || self.def.chosen.iter().any(|chosen| chosen == name))
    }
}
