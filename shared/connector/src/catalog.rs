//! The connectors there are.

use std::sync::{Arc, LazyLock};

use crate::manifest::{Manifest, ManifestError};

const BUILTIN: &[&str] = &[
    include_str!("../systems/tryton.yaml"),
    include_str!("../systems/sandbox.yaml"),
    include_str!("../systems/discourse.yaml"),
];

/// The connectors of a deployment. Clones share them.
#[derive(Clone, Debug)]
pub struct Catalog(Arc<Vec<Arc<Manifest>>>);

impl Catalog {
    /// The connectors that are built in, read once in a process.
    #[must_use]
    pub fn builtin() -> Self {
        static READ: LazyLock<Catalog> = LazyLock::new(|| {
            #[expect(clippy::expect_used, reason = "a test of this crate reads the same files")]
            Catalog::of(BUILTIN.iter().copied()).expect("the built-in manifests are valid")
        });
        READ.clone()
    }

    /// The connectors of these files.
    ///
    /// # Errors
    /// When one of them is not a manifest, or two have one id.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a str>) -> Result<Self, ManifestError> {
        let mut manifests: Vec<Arc<Manifest>> = Vec::new();
        for file in files {
            let manifest = Manifest::read(file)?;
            if manifests.iter().any(|known| known.id == manifest.id) {
                return Err(ManifestError::new(format!("there are two of `{}`", manifest.id)));
            }
            manifests.push(Arc::new(manifest));
        }
        manifests.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(Self(Arc::new(manifests)))
    }

    /// The connector of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Manifest>> {
        self.0.iter().find(|manifest| manifest.id == id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Manifest>> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_manifests_are_valid() {
        let ids: Vec<String> =
            Catalog::builtin().iter().map(|manifest| manifest.id.clone()).collect();
        assert_eq!(ids, ["discourse", "sandbox", "tryton"]);
    }

    #[test]
    fn every_write_rule_of_a_built_in_connector_has_an_accepted_and_a_refused_example() {
        for manifest in Catalog::builtin().iter() {
            assert_eq!(crate::check_examples(manifest), [""; 0], "{manifest}");
        }
    }

    #[test]
    fn two_connectors_cannot_share_an_id() {
        let refused = Catalog::of([BUILTIN[0], BUILTIN[0]]).unwrap_err();
        assert_eq!(refused.to_string(), "there are two of `tryton`");
    }
}
