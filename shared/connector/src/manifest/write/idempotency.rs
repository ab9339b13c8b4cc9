//! How a create whose answer was lost is told from one that never happened.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{super::Request, IdInLocation, lookup::id};
use crate::{path::Path, template::Template};

/// How a repeated create is known.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Idempotency {
    /// Not at all: a create whose answer was lost is unknown for ever.
    #[default]
    None,
    /// The system itself answers a create that comes again with the first one's result. The requests
    /// that make the record name `{token}`.
    Native,
    /// The token is written into a field of the system, where it can be looked for.
    ExternalId(ExternalId),
    /// By fields that the new record has anyway.
    Natural(NaturalFields),
}

/// A field of the system that holds the token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalId {
    /// The field of the system's record that the token goes into.
    pub to: Path,
    /// What is written there; the token itself when it is not given.
    pub value: Option<Template>,
    /// How it is looked for. The sandbox needs no request.
    pub find: Option<Finder>,
}

/// Fields by which a new record can be recognised.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NaturalFields {
    /// The unified fields that must have been given; without one of them nothing can be said.
    pub fields: Vec<String>,
    /// How long before now the record can have been made, in seconds.
    #[serde(default = "recently")]
    pub within_seconds: u32,
    /// How it is looked for.
    pub find: Option<Finder>,
}

/// A search for a record that may have been made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finder {
    /// The request; may name `{token}`, `{record}` (the system's form of it), and `{since}`.
    pub request: Request,
    /// Where the answer has the rows; one object counts as one row.
    #[serde(default)]
    pub rows: Path,
    /// Where a row has its id.
    #[serde(default = "id")]
    pub id: Path,
    /// The id in the `Location` that the system redirects to, in place of rows. A rule of `errors` must
    /// say `ignore` for the redirect.
    pub id_in_location: Option<IdInLocation>,
}

impl Idempotency {
    /// Its name in what is published: `native`, `lookup` or `none`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Native => "native",
            Self::ExternalId(_) | Self::Natural(_) => "lookup",
        }
    }

    /// The search, if there is one.
    #[must_use]
    pub fn finder(&self) -> Option<&Finder> {
        match self {
            Self::None | Self::Native => None,
            Self::ExternalId(external) => external.find.as_ref(),
            Self::Natural(natural) => natural.find.as_ref(),
        }
    }
}

fn recently() -> u32 {
    600
}
