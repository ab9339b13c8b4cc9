//! What is said about statuses: they stand in the manifest beside the records that have them, and are
//! read like records.

use millwright_entities::Entity;

use super::{
    CustomFieldsMeta, EntityMeta, IncrementalMeta, OperationMeta, Operations, Writable,
    field::empty,
};
use crate::{
    manifest::{Manifest, STATUS_FIELDS, STATUS_READ},
    system::Permission,
};

impl EntityMeta {
    /// What can be done with the statuses of a connector's records: they can be read. Nothing when it
    /// has none.
    #[must_use]
    pub fn of_statuses(manifest: &Manifest) -> Option<Self> {
        let entity = Entity::find("statuses")?;
        if manifest.entities.iter().all(|(_, def)| def.statuses.is_empty()) {
            return None;
        }
        let read = || OperationMeta {
            supported: true,
            permission: Permission::Granted,
            ..OperationMeta::default()
        };
        let not = OperationMeta::default;
        let field = |name: &&str| {
            let mut meta = empty(name, entity.field(name));
            meta.readable = true;
            meta
        };
        Some(Self {
            entity: entity.slug.to_owned(),
            connector_id: manifest.id.clone(),
            operations: Operations {
                list: read(),
                get: read(),
                create: not(),
                update: not(),
                delete: not(),
            },
            actions: Vec::new(),
            delete_mode: None,
            create_with_lines: None,
            idempotency: "none",
            write_rate: None,
            incremental: IncrementalMeta {
                kind: "full",
                precision_ms: None,
                overlap_seconds: None,
            },
            delete_detection: Vec::new(),
            custom_fields: CustomFieldsMeta {
                readable: false,
                writable: Writable::Never,
                only: Vec::new(),
                max_length: None,
                chosen: Vec::new(),
                source_note: None,
            },
            fields: STATUS_FIELDS.iter().chain(&STATUS_READ).map(field).collect(),
            json_schema: None,
        })
    }
}
