//! The unified model: one JSON Schema per entity, and the keys of its records.
//!
//! A schema file holds what is particular to its entity; what every record has (`key`, `remoteId`,
//! times, `meta`) and the shared types stand in `schemas/envelope.json` and are added when the schema
//! is read. The result is one self-contained JSON Schema 2020-12 without references to other files.

mod entity;
mod key;

pub use entity::Entity;
pub use key::{line_key, record_key, status_key, status_remote_id};
