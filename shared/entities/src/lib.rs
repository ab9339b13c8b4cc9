//! The unified model: one JSON Schema per entity, and the keys of its records.
//!
//! A file `schemas/<slug>.json` holds what is particular to its entity. What every record has (`key`,
//! `remoteId`, times, `meta`) and the simple types stand in `schemas/envelope.json`, the objects that
//! several entities have (addresses, lines, tasks) in `schemas/parts.json`; both are added when the
//! schema is first asked for. The result is one self-contained JSON Schema 2020-12 without references
//! to other files.

mod category;
mod compose;
mod entity;
mod field;
mod key;

pub use category::Category;
pub use entity::Entity;
pub use field::{Field, Kind};
pub use key::{line_key, record_key, status_key, status_remote_id};
