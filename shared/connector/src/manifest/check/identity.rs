//! What a connector says of itself.

use super::{Check, is_slug};
use crate::{
    manifest::{FieldKind, Form, FormField, HOSTINGS},
    template::Template,
};

impl Check<'_> {
    pub(super) fn identity(&mut self) {
        let manifest = self.manifest;
        if !is_slug(&manifest.id) {
            self.say("id", "has lower-case letters, digits and hyphens");
        }
        if ![1, 2, 4].contains(&manifest.tier) {
            self.say("tier", "is 1, 2 or 4");
        }
        if let Some(hosting) = &manifest.hosting {
            self.hosting(hosting);
        }
        if manifest.settings.fields().iter().any(|field| field.kind == FieldKind::Secret) {
            self.say("settings", "hold no secret: it belongs into the credentials");
        }
        self.conditions(&manifest.settings, &Form::default());
        self.conditions(&manifest.credentials, &manifest.settings);
        for form in [&manifest.settings, &manifest.credentials] {
            for field in form.fields() {
                if let Some(Err(why)) = field.default.as_ref().map(|value| field.normalised(value))
                {
                    self.say(&field.name, format!("its default {why}"));
                }
            }
        }
    }

    /// Whether each condition of a form's fields can hold: those that it names can be chosen, and are
    /// always asked for.
    fn conditions(&mut self, form: &Form, beside: &Form) {
        for field in form.fields() {
            for (name, values) in field.when.iter() {
                let place = format!("{}.when.{name}", field.name);
                match form.field(name).or_else(|| beside.field(name)) {
                    None => self.say(&place, "is no field of this form or of the settings"),
                    Some(other) if !other.when.is_empty() || other.name == field.name => {
                        self.say(&place, "is not always asked for");
                    }
                    Some(other) => self.chosen(&place, other, values),
                }
            }
        }
    }

    fn chosen(&mut self, place: &str, field: &FormField, values: &[serde_json::Value]) {
        if !matches!(field.kind, FieldKind::Boolean | FieldKind::Enum) {
            return self.say(place, "is neither a boolean nor an enum");
        }
        for value in values {
            if let Err(why) = field.normalised(value) {
                self.say(place, why);
            }
        }
    }

    /// It is one of the two words, or a setting that can be nothing else.
    fn hosting(&mut self, hosting: &Template) {
        let place = "hosting";
        self.template(place, hosting, &[]);
        let known = |word: &str| HOSTINGS.contains(&word);
        let names = match hosting.placeholders().as_slice() {
            [] => hosting.literal_start().is_some_and(known),
            [one] if hosting.literal_start().is_none() && one.root == "settings" => {
                let name = one.path.keys().next();
                let fields = self.manifest.settings.fields().iter();
                let mut own = fields.filter(|field| Some(field.name.as_str()) == name);
                own.any(|field| {
                    let only = field.options.iter().all(|option| known(option));
                    field.kind == FieldKind::Enum && only
                })
            }
            _ => false,
        };
        if !names {
            self.say(place, "is cloud, on_premises, or a setting that can only be one of these");
        }
    }
}
