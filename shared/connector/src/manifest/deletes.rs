//! How deletions are found.

use crate::manifest::like;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Listing, Paging, Request, Tombstones};
use crate::{
    json::Node,
    mapping::Conditions,
    path::{NestedKeys, Path},
};

/// How deletions are found: in as many ways as are given. Without any they are not, but for what a
/// log (`incremental`) or a call for a single row tells.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deletes {
    /// By what a row itself says.
    pub flag: Option<Flag>,
    /// By a second listing, of what was put away: whatever it shows is deleted.
    pub archived: Option<Listing>,
    /// By a listing of deletions.
    pub tombstones: Option<Box<Tombstones>>,
    /// By listing the ids that are there.
    pub sweep: Option<Box<Sweep>>,
}

impl Deletes {
    /// The names of the ways that are given.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let given = [
            ("flag", self.flag.is_some()),
            ("archived", self.archived.is_some()),
            ("tombstones", self.tombstones.is_some()),
            ("sweep", self.sweep.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }
}

/// What says that a row is deleted: either of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawFlag")]
pub enum Flag {
    /// Something stands there, such as the time of deletion: neither null, false, 0 nor an empty text.
    Set(Path),
    /// These paths have one of these values.
    When(Conditions),
}

/// What says that a row is deleted: one of the two.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Flag")]
struct RawFlag {
    /// Something stands there, such as the time of deletion: neither null, false, 0 nor an empty text.
    set: Option<Path>,
    /// Paths and the values that each must have.
    when: Option<Conditions>,
}

impl TryFrom<RawFlag> for Flag {
    type Error = &'static str;

    fn try_from(raw: RawFlag) -> Result<Self, &'static str> {
        match (raw.set, raw.when) {
            (Some(path), None) => Ok(Self::Set(path)),
            (None, Some(conditions)) => Ok(Self::When(conditions)),
            _ => Err("a `flag` has either `set` or `when`"),
        }
    }
}

like!(Flag as RawFlag);

impl Flag {
    /// Whether a row is deleted.
    #[must_use]
    pub fn holds<'a>(&self, row: impl Node<'a>, keys: NestedKeys) -> bool {
        match self {
            Self::Set(path) => super::read::is_set(path, row),
            Self::When(conditions) => conditions.hold(row, keys),
        }
    }
}

/// A listing of ids.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The request; may name `{page...}`. Without one the entity's own listing is read, without
    /// details and children.
    pub request: Option<Request>,
    /// Where the answer has the rows.
    #[serde(default)]
    pub rows: Path,
    /// Which of them count: paths and the values that each may have.
    #[serde(default, rename = "where")]
    pub filter: Conditions,
    /// Where a row has its id; empty when the row is the id.
    #[serde(default)]
    pub id: Path,
    /// Ids a page; without a request of its own, the entity's page size counts.
    #[serde(default = "page_size")]
    pub page_size: u32,
    /// Whether the listing leaves out rows that are there, such as hidden ones: what it does not show
    /// is looked for by `get` before it counts as deleted. By some kinds of paging it is so anyway.
    #[serde(default)]
    pub confirms: bool,
    /// After how many complete runs it is done: 1 is after each.
    pub every_runs: u32,
    /// How to get the next page.
    #[serde(default)]
    pub paging: Paging,
}

fn page_size() -> u32 {
    1_000
}
