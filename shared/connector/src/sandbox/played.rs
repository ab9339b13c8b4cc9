//! What writes of a sandbox leave behind.

use std::collections::BTreeMap;

use millwright_store::Document;
use serde::{Deserialize, Serialize};

use super::SandboxRow;

/// What was written and is not kept.
#[derive(Default)]
pub(super) struct Played {
    /// Rows by entity and id; nothing for one that is gone.
    pub rows: BTreeMap<(String, String), Option<SandboxRow>>,
    /// Ids by entity and token.
    pub made: BTreeMap<(String, String), String>,
}

impl Played {
    pub(super) fn rows(&self, entity: &str) -> Vec<(String, Option<SandboxRow>)> {
        let of = self.rows.iter().filter(|((of, _), _)| of == entity);
        of.map(|((_, id), row)| (id.clone(), row.clone())).collect()
    }
}

/// Which row was made with a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct MadeDoc {
    pub id: String,
}

impl Document for MadeDoc {}

/// Where the id of what a token made is kept.
pub(super) fn token_key(entity: &str, token: &str) -> String {
    format!("sandbox-made#{entity}#{token}")
}
