//! Connectors: what kinds of systems there are, and one engine that speaks to all of them.
//!
//! A connector is data, one [`Manifest`] per kind of system. The [`Engine`] opens a connection's
//! [`System`], which reads pages of unified records, lists ids, and makes records, as the manifest
//! says. What the manifest does not say is refused before anything is sent. Failures are of a few
//! classes ([`SystemErrorClass`]) that hold for every system, also where it says them with HTTP
//! status 200.

mod catalog;
mod codec;
mod engine;
mod error;
mod golden;
mod jq;
mod json;
pub mod manifest;
mod mapping;
pub mod meta;
pub mod oauth;
mod overlay;
mod path;
mod remote;
mod sandbox;
mod system;
mod table;
mod template;

pub use catalog::Catalog;
pub use codec::{Codec, CodecError, canonical_decimal};
pub use engine::{Credentials, Engine, Filled, Target, check_forms};
pub use error::{SystemError, SystemErrorClass};
pub use golden::{Checked, run_tests};
pub use jq::{Jq, JqError};
pub use json::{Doc, Json, Node, Row, Seen};
pub use manifest::{CustomKind, DeleteMode, Manifest, ManifestError, Problem, Tests, WriteOp};
pub use mapping::{
    Case, Conditions, EachField, Element, Field, Origin, Reference, References, RowFault, Rule,
    RuleKind, ValueField, check_examples,
};
pub use meta::EntityMeta;
pub use overlay::{MappedField, Overlay};
pub use path::{NestedKeys, Path};
pub use remote::{HINTS_MAX, Hint, PassthroughAnswer, PassthroughRequest};
pub use sandbox::{
    DataSet, Match as ScenarioMatch, Named, Respond as ScenarioAnswer, Rule as ScenarioRule,
    SandboxControl, SandboxRow, Scenario, ScenarioRequest, Told, Window,
};
pub use system::{
    Checkpoint, CustomField, Found, IdPage, Instance, LookUp, Permission, Permissions, Position,
    Pull, Pulled, RowPrint, SourceRecord, SourceRow, System,
};
pub use table::Table;
pub use template::{Scope, Template};
