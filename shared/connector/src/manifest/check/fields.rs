//! Field tables against the model: names, keys, words and lists, down to the fields of lines.

use millwright_entities::{Field as ModelField, Kind};

use super::Check;
use crate::{
    mapping::{Element, Field, Origin, ValueField, unfit},
    table::Table,
};

impl Check<'_> {
    /// A field table, or that of a list's objects, against the fields that the model has there.
    pub(super) fn fields(&mut self, place: &str, model: &[ModelField], fields: &Table<Field>) {
        for (name, field) in fields.iter() {
            let place = format!("{place}.{name}");
            match model.iter().find(|model| model.name == name) {
                None => self.say(&place, "is not a field of this entity"),
                Some(model) => self.field(&place, model, field),
            }
        }
    }

    fn field(&mut self, place: &str, model: &ModelField, field: &Field) {
        match field {
            Field::Value(value) => self.value(place, model, value),
            Field::FirstOf(fields) => {
                fields.iter().for_each(|field| self.field(place, model, field));
            }
            Field::Each(_) if model.kind != Kind::List => self.say(place, "is not a list"),
            Field::Each(list) => match &list.element {
                // What is in a list of single values the model does not say.
                Element::Value(field) => self.keys_in(place, model, field),
                Element::Object(fields) if !model.inner.is_empty() => {
                    self.fields(place, &model.inner, fields);
                }
                Element::Object(_) => self.say(place, "is not a list of objects"),
            },
        }
    }

    fn keys_in(&mut self, place: &str, model: &ModelField, field: &Field) {
        for value in field.values() {
            self.key(place, model, value);
        }
    }

    fn value(&mut self, place: &str, model: &ModelField, value: &ValueField) {
        self.key(place, model, value);
        if let Some((part, why)) = unfit(model, value) {
            self.say(&format!("{place}.{part}"), why);
        }
    }

    fn key(&mut self, place: &str, model: &ModelField, value: &ValueField) {
        let target = value.references.as_deref();
        let makes_key = target.is_some() || matches!(value.from, Origin::Path(_));
        match model.references {
            Some(entity) if makes_key && target != Some(entity) => {
                self.say(place, format!("needs `references: {entity}`"));
            }
            None if target.is_some() && model.kind != Kind::Key => {
                self.say(place, "is no key of another record");
            }
            _ => {}
        }
    }
}
