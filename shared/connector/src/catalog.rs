//! The connectors there are.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use millwright_core::config::{ConfigError, Source};

use crate::manifest::{Manifest, ManifestError};

/// The variable that names a folder of the deployment's own manifests.
const VARIABLE: &str = "MILLWRIGHT_CONNECTORS";

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

    /// The built-in connectors, and those of the folder that `MILLWRIGHT_CONNECTORS` names
    /// (`file:/path`): its files that end in `.yaml`, but for `.tests.yaml`.
    ///
    /// # Errors
    /// When the folder cannot be read, a file in it is not a manifest, or two connectors have one id.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        let Some(value) = source.text(VARIABLE) else { return Ok(Self::builtin()) };
        let read = match value.strip_prefix("file:") {
            Some(folder) => Self::with_folder(Path::new(folder)),
            None => Err("it must be file:/path".to_owned()),
        };
        read.map_err(|why| ConfigError::Invalid { name: VARIABLE, value, why })
    }

    fn with_folder(folder: &Path) -> Result<Self, String> {
        let mut manifests = Self::builtin().0.as_ref().clone();
        for path in manifests_in(folder).map_err(|error| error.to_string())? {
            let told = |why: String| format!("{}: {why}", path.display());
            let text = fs::read_to_string(&path).map_err(|error| told(error.to_string()))?;
            let manifest = Manifest::read(&text).map_err(|error| told(error.to_string()))?;
            add(&mut manifests, manifest).map_err(|error| told(error.to_string()))?;
        }
        Ok(Self::sorted(manifests))
    }

    /// The connectors of these files.
    ///
    /// # Errors
    /// When one of them is not a manifest, or two have one id.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a str>) -> Result<Self, ManifestError> {
        let mut manifests: Vec<Arc<Manifest>> = Vec::new();
        for file in files {
            add(&mut manifests, Manifest::read(file)?)?;
        }
        Ok(Self::sorted(manifests))
    }

    fn sorted(mut manifests: Vec<Arc<Manifest>>) -> Self {
        manifests.sort_by(|left, right| left.id.cmp(&right.id));
        Self(Arc::new(manifests))
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

fn add(manifests: &mut Vec<Arc<Manifest>>, manifest: Manifest) -> Result<(), ManifestError> {
    if manifests.iter().any(|known| known.id == manifest.id) {
        return Err(ManifestError::new(format!("there are two of `{}`", manifest.id)));
    }
    manifests.push(Arc::new(manifest));
    Ok(())
}

/// The manifests of a folder, by name.
fn manifests_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if name.ends_with(".yaml") && !name.ends_with(".tests.yaml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn with(folder: &Path) -> Result<Catalog, ConfigError> {
        let value = format!("file:{}", folder.display());
        Catalog::from_source(&HashMap::from([(VARIABLE, value.as_str())]))
    }

    #[test]
    fn a_deployments_own_manifests_stand_beside_the_built_in_ones() {
        let folder = tempfile::tempdir().unwrap();
        let own = BUILTIN[0].replace("\nid: tryton\n", "\nid: own\n");
        fs::write(folder.path().join("own.yaml"), &own).unwrap();
        fs::write(folder.path().join("own.tests.yaml"), "tests").unwrap();
        fs::write(folder.path().join("README"), "about").unwrap();
        let ids: Vec<String> =
            with(folder.path()).unwrap().iter().map(|manifest| manifest.id.clone()).collect();
        assert_eq!(ids, ["discourse", "own", "sandbox", "tryton"]);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_refused_by_the_variable_and_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("twice.yaml"), BUILTIN[0]).unwrap();
        let line = with(folder.path()).unwrap_err().to_string();
        assert!(line.contains(VARIABLE) && line.contains("twice.yaml"), "{line}");
        assert!(line.contains("two of `tryton`"), "{line}");
        assert!(with(&folder.path().join("none")).is_err());
        let bare = HashMap::from([(VARIABLE, "/connectors")]);
        assert!(Catalog::from_source(&bare).unwrap_err().to_string().contains("file:/path"));
    }

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
