//! What a connector says of itself.

use super::{Check, is_slug};
use crate::manifest::FieldKind;

impl Check<'_> {
    pub(super) fn identity(&mut self) {
        let manifest = self.manifest;
        if !is_slug(&manifest.id) {
            self.say("id", "has lower-case letters, digits and hyphens");
        }
        if ![1, 2, 4].contains(&manifest.tier) {
            self.say("tier", "is 1, 2 or 4");
        }
        if manifest.settings.fields().iter().any(|field| field.kind == FieldKind::Secret) {
            self.say("settings", "hold no secret: it belongs into the credentials");
        }
        for form in [&manifest.settings, &manifest.credentials] {
            for field in form.fields() {
                if let Some(Err(why)) = field.default.as_ref().map(|value| field.normalised(value))
                {
                    self.say(&field.name, format!("its default {why}"));
                }
            }
        }
    }
}
