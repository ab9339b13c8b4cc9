//! Names of fields: which can be given, and which the unified model has.

use millwright_core::ErrorCode;
use millwright_entities::{Entity, status_key};

use super::{
    Writer,
    equal::same,
    judge::{Judge, Level},
    references::{References, without_positions},
    trail::RuleKind,
};

impl Judge<'_, '_> {
    /// Names that cannot be given. What stands there already may be given again.
    pub(super) fn unknown(&mut self, level: Level<'_>, known: impl Fn(&str) -> bool) {
        let known_here = |name: &String| level.fields.get(name).is_some() || known(name);
        for (name, value) in level.given.iter().filter(|(name, _)| !known_here(name)) {
            let stays = level.before.and_then(|before| before.get(name));
            if stays.is_some_and(|now| same(now, value)) {
                continue;
            }
            let path = format!("{}{name}", level.path);
            let (code, message) = if !level.action && self.writer.has_field(&path) {
                (ErrorCode::FieldReadOnly, "cannot be written with this connector")
            } else {
                (ErrorCode::ValidationFailed, "is not a field that can be given here")
            };
            self.trail.fault(level.rules, RuleKind::Known, &path, code, message);
        }
    }
}

impl Writer<'_> {
    /// The remote id behind a key, or the code behind a status' key.
    pub(super) fn resolve(
        &self,
        references: &References,
        entity: &str,
        key: &str,
    ) -> Option<String> {
        if entity == "statuses" {
            return self.status_code(key);
        }
        references.get(entity, key).map(str::to_owned)
    }

    fn status_code(&self, key: &str) -> Option<String> {
        let mut codes = self.def.statuses.names();
        codes.find(|code| status_key(self.connection, self.entity, code) == key).map(str::to_owned)
    }

    /// Whether a path, such as `lineItems[0].price`, is one of the unified model.
    pub(super) fn has_field(&self, path: &str) -> bool {
        let names = without_positions(path);
        let mut names = names.split('.');
        let first = names.next().unwrap_or_default();
        let outer = Entity::find(self.entity).and_then(|entity| entity.field(first));
        names.try_fold(outer, |at, name| at.map(|at| at.field(name))).flatten().is_some()
    }
}
