//! From YAML to what a file says, and where it is wrong.

use serde::de::DeserializeOwned;

use super::ManifestError;

/// More than any manifest has, in bytes.
const SIZE_MAX: usize = 1 << 20;

/// Reads a file.
pub(super) fn read<T: DeserializeOwned>(yaml: &str) -> Result<T, ManifestError> {
    if yaml.len() > SIZE_MAX {
        return Err(ManifestError::new(format!("a file has at most {SIZE_MAX} bytes")));
    }
    serde_saphyr::from_str_with_options(yaml, options()).map_err(|error| located(&error))
}

/// YAML 1.2 alone: no aliases (a manifest is read by people), no merge keys, no tags, and `no` is a
/// text.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_aliases: 0, max_anchors: 0, max_documents: 1, max_depth: 64 },
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
    }
}

fn located(error: &serde_saphyr::Error) -> ManifestError {
    let plain = error.without_snippet().to_string();
    match error.location() {
        Some(at) => ManifestError::at(at.line(), at.column(), &plain),
        None => ManifestError::new(plain),
    }
}
