//! From a manifest to what is said about an entity.

use millwright_entities::Entity;

use super::{
    ActionMeta, CustomFieldsMeta, EntityMeta, IncrementalMeta, OperationMeta, Operations, Writable,
    field::{Fields, of_action},
    schema,
};
use crate::{
    manifest::{Action, Docs, EntityDef, Incremental, Manifest, WriteDef, WriteField, Written},
    system::{Permission, System},
};

impl System {
    /// What can be done with an entity on this connection, and by which rules: the body of
    /// `GET /v1/meta/<entity>`, without what the connected account may do and what lists can be
    /// filtered by. Nothing when the connector does not have the entity.
    #[must_use]
    pub fn meta(&self, entity: &str) -> Option<EntityMeta> {
        let def = self.def(entity, "read").ok()?;
        Some(EntityMeta::of(self.manifest(), Entity::find(entity)?, def))
    }
}

impl EntityMeta {
    /// What a connector says about an entity, on a connection that asks for nothing of its own.
    /// Nothing when it does not have it.
    #[must_use]
    pub fn of_manifest(manifest: &Manifest, entity: &str) -> Option<Self> {
        Some(Self::of(manifest, Entity::find(entity)?, manifest.entity(entity)?))
    }

    /// What a connector says about an entity.
    pub(crate) fn of(manifest: &Manifest, entity: &Entity, def: &EntityDef) -> Self {
        let write = &def.write;
        let action = |(name, action): (&str, &Action)| ActionMeta::of(entity, def, name, action);
        Self {
            entity: entity.slug.to_owned(),
            connector_id: manifest.id.clone(),
            operations: Operations::of(write),
            actions: write.actions.iter().map(action).collect(),
            delete_mode: write.delete.as_ref().map(|delete| delete.mode),
            create_with_lines: with_lines(write),
            idempotency: write.idempotency.kind(),
            write_rate: write.rate,
            incremental: IncrementalMeta::of(&def.incremental),
            delete_detection: def.deletions(),
            custom_fields: CustomFieldsMeta::of(def),
            fields: Fields::of(entity, def).all(),
            json_schema: write.create.as_ref().map(|_| schema::of_create(entity, def)),
        }
    }
}

impl Operations {
    fn of(write: &WriteDef) -> Self {
        let read = || OperationMeta { supported: true, ..OperationMeta::default() };
        let note = |docs: &Docs| docs.or(&write.docs).text();
        Self {
            list: read(),
            get: read(),
            create: write.create.as_ref().map_or_else(OperationMeta::default, |create| {
                OperationMeta {
                    needs: create.permission.clone(),
                    source_note: note(&create.docs),
                    ..read()
                }
            }),
            update: write.update.as_ref().map_or_else(OperationMeta::default, |update| {
                OperationMeta {
                    needs: update.permission.clone(),
                    when: update.when.clone(),
                    source_note: note(&update.docs),
                    ..read()
                }
            }),
            delete: write.delete.as_ref().map_or_else(OperationMeta::default, |delete| {
                OperationMeta {
                    needs: delete.permission.clone(),
                    when: delete.when.clone(),
                    source_note: note(&delete.docs),
                    ..read()
                }
            }),
        }
    }
}

impl ActionMeta {
    fn of(entity: &Entity, def: &EntityDef, name: &str, action: &Action) -> Self {
        let state = |code: &String| def.statuses.get(code).map(|status| status.state.clone());
        let mut from_states: Vec<String> = action.from.iter().filter_map(state).collect();
        from_states.dedup();
        let required = action.fields.iter().filter(|(_, field)| field.required().on_create());
        Self {
            name: name.to_owned(),
            title: action.title.clone(),
            permission: Permission::Unknown,
            needs: action.permission.clone(),
            from_states,
            from_statuses: action.from.clone(),
            to_state: action.to.as_ref().and_then(state),
            to_status: action.to.clone(),
            when: action.when.clone(),
            required: required.map(|(name, _)| name.to_owned()).collect(),
            fields: of_action(entity, def, action),
            json_schema: schema::of_action(entity, action),
            source_note: action.docs.or(&def.write.docs).text(),
        }
    }
}

impl IncrementalMeta {
    fn of(incremental: &Incremental) -> Self {
        let (precision_ms, overlap_seconds) = match incremental {
            Incremental::Filter(filter) => {
                (Some(filter.precision.millis()), Some(filter.overlap_seconds))
            }
            Incremental::Feed(feed) => (None, Some(feed.overlap_seconds)),
            Incremental::Full | Incremental::Log(_) => (None, None),
        };
        Self { kind: incremental.name(), precision_ms, overlap_seconds }
    }
}

impl CustomFieldsMeta {
    fn of(def: &EntityDef) -> Self {
        let rules = def.write.custom_fields.as_ref();
        Self {
            readable: def.custom_fields.is_some(),
            writable: rules.map_or(Writable::Never, |rules| writable(&def.write, rules.writable)),
            only: rules.map(|rules| rules.only.clone()).unwrap_or_default(),
            max_length: rules.and_then(|rules| rules.max_length),
            chosen: def.chosen.clone(),
            source_note: rules.and_then(|rules| rules.docs.or(&def.write.docs).text()),
        }
    }
}

/// When a field can be given, with the operations that there are.
pub(super) fn writable(write: &WriteDef, written: Written) -> Writable {
    let create = write.create.is_some() && written.on_create();
    let update = write.update.is_some() && written.on_update();
    match (create, update) {
        (true, true) => Writable::Both,
        (true, false) => Writable::Create,
        (false, true) => Writable::Update,
        (false, false) => Writable::Never,
    }
}

/// Whether lines go in the request that makes the record.
fn with_lines(write: &WriteDef) -> Option<bool> {
    let create = write.create.as_ref()?;
    let mut lists = write.fields.iter().filter_map(|(name, field)| match field {
        WriteField::Lines(lines) if lines.written.on_create() => Some(name),
        _ => None,
    });
    let name = lists.next()?;
    Some(!create.steps.iter().any(|step| step.each.is_some() && step.lines == name))
}
