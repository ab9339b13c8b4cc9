//! Writing.

use super::Check;
use crate::{
    manifest::{EntityDef, LookupValue, Protocol, WriteField},
    table::Table,
};

impl Check<'_> {
    pub(super) fn writing(&mut self, place: &str, def: &EntityDef, properties: &serde_json::Value) {
        let Some(create) = &def.write.create else { return };
        let place = format!("{place}.write.create");
        match &create.request {
            Some(request) => self.request(&place, request, &["record"]),
            None if matches!(self.manifest.protocol, Protocol::Http(_)) => {
                self.say(&place, "has no request");
            }
            None => {}
        }
        for (name, lookup) in create.lookups.iter() {
            self.request(&format!("{place}.lookups.{name}"), &lookup.request, &["ids"]);
        }
        for (name, field) in create.fields.iter() {
            let place = format!("{place}.fields.{name}");
            if properties.get(name).is_none() {
                self.say(&place, "is not a field of this entity");
            }
            self.write_field(&place, field, &create.lookups);
        }
        for (name, value) in create.extra.iter() {
            self.lookup(&format!("{place}.extra.{name}"), value, &create.lookups);
        }
    }

    fn write_field<T>(&mut self, place: &str, field: &WriteField, lookups: &Table<T>) {
        match field {
            WriteField::Value(field) => {
                if let Some(value) = &field.lookup {
                    self.lookup(place, value, lookups);
                }
            }
            WriteField::Lines(lines) => {
                if let Some(wrap) = &lines.wrap {
                    self.template(&format!("{place}.wrap"), wrap, &["lines"]);
                }
                for (name, field) in lines.fields.iter() {
                    self.write_field(&format!("{place}.fields.{name}"), field, lookups);
                }
                for (name, value) in lines.extra.iter() {
                    self.lookup(&format!("{place}.extra.{name}"), value, lookups);
                }
            }
        }
    }

    fn lookup<T>(&mut self, place: &str, value: &LookupValue, lookups: &Table<T>) {
        if lookups.get(&value.lookup).is_none() {
            self.say(place, format!("there is no lookup `{}`", value.lookup));
        }
    }
}
