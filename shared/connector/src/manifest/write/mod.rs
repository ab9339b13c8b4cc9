//! What can be written, as data: one table of fields with their rules, and for each operation how it
//! goes. The same rules are checked before anything is sent and published.

mod bound;
mod custom;
mod example;
mod field;
mod given;
mod idempotency;
mod lines;
mod location;
mod lookup;
mod operation;
mod raw;
mod text;
mod when;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use bound::Bounds;
pub use custom::CustomWrite;
pub use example::{Example, Expected};
pub use field::{ListField, ObjectField, WriteField, WriteValue};
pub use given::{Required, Written};
pub use idempotency::{ExternalId, Finder, Idempotency, NaturalFields};
pub use lines::{ById, Commands, LineForm, LinesField, Replace};
pub use location::IdInLocation;
pub use lookup::{Extra, Lookup, LookupValue};
pub use operation::{Action, Create, Delete, DeleteMode, Each, Step, Update};
pub(crate) use text::TextFault;
pub use text::{TextPattern, TextRules};
pub(crate) use when::Subject;
pub use when::When;

use crate::table::Table;

/// The write side of an entity.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WriteDef {
    /// Where the rules come from, for all that has no `docs` of its own: the address of the page that
    /// says so, or `live` when the tests prove it on a live system.
    pub docs: Docs,
    /// The unified fields that can be given, with their rules and where they go in the system's record.
    pub fields: Table<WriteField>,
    /// Whether and where fields of the customer's own can be written.
    pub custom_fields: Option<CustomWrite>,
    /// Records of the system that are read first, because what is written needs something of them.
    pub lookups: Table<Lookup>,
    /// Further values of the system's record, taken from a lookup.
    pub extra: Table<Extra>,
    /// How a create whose answer was lost is told from one that never happened.
    pub idempotency: Idempotency,
    /// How often may be written, where the system says so.
    pub rate: Option<Rate>,
    /// How a record is made.
    pub create: Option<Create>,
    /// How a record is changed.
    pub update: Option<Update>,
    /// How a record is deleted.
    pub delete: Option<Delete>,
    /// Steps of the system's workflow and other things that can be done to a record, by name.
    pub actions: Table<Action>,
    /// Bodies that are accepted and bodies that are refused. Every rule has one of each.
    pub examples: Vec<Example>,
}

impl WriteDef {
    /// Whether nothing can be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.create.is_none()
            && self.update.is_none()
            && self.delete.is_none()
            && self.actions.is_empty()
    }
}

/// What is done to an entity's records.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WriteOp {
    /// Making one.
    Create,
    /// Changing one.
    Update,
    /// An action of the manifest, by its name.
    Action(String),
    /// Deleting one.
    Delete,
}

impl WriteOp {
    /// Its name: `create`, `update`, `delete`, or the action's own.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Action(name) => name,
        }
    }

    /// The operation of a name; any other than the three is an action.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        match name {
            "create" => Self::Create,
            "update" => Self::Update,
            "delete" => Self::Delete,
            action => Self::Action(action.to_owned()),
        }
    }
}

/// How often may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// So many writes,
    pub requests: u32,
    /// in so many seconds.
    pub per_seconds: u32,
}

/// Where a rule comes from: `live`, `own`, the address of a page, or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "serde_json::Value")]
pub struct Docs(Vec<String>);

impl Docs {
    /// The word for what the tests prove on a live system.
    pub const LIVE: &'static str = "live";

    /// The word for what the sandbox has made up: no other system has it.
    pub const OWN: &'static str = "own";

    /// The sources, pages by their addresses.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, or others when there are none.
    #[must_use]
    pub fn or<'a>(&'a self, others: &'a Self) -> &'a Self {
        if self.is_empty() { others } else { self }
    }

    /// The sources in one line.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let known = |source: &String| match source.as_str() {
            Self::LIVE => "proven on a live system by the connector's tests".to_owned(),
            Self::OWN => "a rule of the sandbox itself: no real system says so".to_owned(),
            page => page.to_owned(),
        };
        let sources: Vec<String> = self.0.iter().map(known).collect();
        (!sources.is_empty()).then(|| sources.join(" "))
    }
}

impl TryFrom<serde_json::Value> for Docs {
    type Error = &'static str;

    fn try_from(value: serde_json::Value) -> Result<Self, &'static str> {
        let wrong = "`docs` is `live`, or the https:// address of a page, or a list of these; the sandbox' own \
                     is `own`";
        let items = match value {
            serde_json::Value::Array(items) => items,
            one => vec![one],
        };
        let known = |item: serde_json::Value| match item {
            serde_json::Value::String(text) if [Self::LIVE, Self::OWN].contains(&&*text) => {
                Ok(text)
            }
            serde_json::Value::String(text) if text.starts_with("https://") => Ok(text),
            _ => Err(wrong),
        };
        items.into_iter().map(known).collect::<Result<_, _>>().map(Self)
    }
}
