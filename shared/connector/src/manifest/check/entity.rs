//! Entities: their fields and statuses.

use millwright_entities::Entity;

use super::Check;
use crate::{manifest::EntityDef, mapping::Field};

impl Check<'_> {
    pub(super) fn entity(&mut self, slug: &str, def: &EntityDef) {
        let place = format!("entities.{slug}");
        let Some(entity) = Entity::find(slug) else {
            return self.say(&place, "is not an entity of the unified model");
        };
        let properties = &entity.schema()["properties"];
        self.fields(&format!("{place}.fields"), entity.fields(), &def.fields);
        for name in def.listed_only.iter().chain(&def.by_id_only) {
            let Some(field) = def.fields.get(name) else {
                self.say(&place, format!("`{name}` is shown by one reading only, and by none"));
                continue;
            };
            if matches!(field, Field::Value(field) if field.required) {
                let place = format!("{place}.fields.{name}");
                self.say(&place, "is shown by one reading only: it cannot be `required`");
            }
        }
        self.custom_fields(&place, def);
        self.reading(&place, def);
        self.statuses(&place, def, properties);
        self.writing(&place, slug, def, properties);
        self.permissions(&place, entity, def);
    }

    fn statuses(&mut self, place: &str, def: &EntityDef, properties: &serde_json::Value) {
        let states = properties["state"]["enum"].as_array();
        for (code, status) in def.statuses.iter() {
            let known = states.is_some_and(|states| {
                states.iter().any(|state| state.as_str() == Some(&status.state))
            });
            if !known {
                let place = format!("{place}.statuses.{code}");
                self.say(&place, format!("`{}` is not a state of this entity", status.state));
            }
        }
        if def.status.is_some() == def.statuses.is_empty() {
            self.say(place, "has both `status` and `statuses`, or neither");
        }
    }
}
