//! The deployment's own registrations with vendors: `{registration.client_id}` and its secret.

use std::{collections::BTreeMap, fmt, fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use millwright_core::{
    ExposeSecret, SecretString,
    config::{ConfigError, Source},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The variable that has them, or names their file.
const VARIABLE: &str = "MILLWRIGHT_OAUTH_CLIENTS";

/// One registration: what a vendor calls this deployment.
#[derive(Clone, Deserialize)]
#[serde(from = "Written")]
pub struct Registration {
    /// The client's id.
    pub client_id: String,
    /// Its secret, where it has one.
    pub client_secret: Option<SecretString>,
}

/// As it stands in the variable.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    client_id: String,
    client_secret: Option<String>,
}

impl From<Written> for Registration {
    fn from(written: Written) -> Self {
        let client_secret = written.client_secret.map(SecretString::from);
        Self { client_id: written.client_id, client_secret }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registration")
    }
}

impl Registration {
    /// As templates name it.
    pub(super) fn exposed(&self) -> Value {
        let secret = self.client_secret.as_ref().map(ExposeSecret::expose_secret);
        json!({"client_id": self.client_id, "client_secret": secret})
    }
}

/// The registrations, by connector. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Registrations(Arc<BTreeMap<String, Registration>>);

impl Registrations {
    /// From `MILLWRIGHT_OAUTH_CLIENTS`: JSON of the form `{"connector": {"client_id": "...",
    /// "client_secret": "..."}}`, or `file:/path` of a file with it that its owner alone may read.
    /// Without the variable there are none.
    ///
    /// # Errors
    /// When the file cannot be read or others may read it, or when it is of another form. The message
    /// shows nothing of it.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        let Some(text) = source.text(VARIABLE) else { return Ok(Self::default()) };
        let text = match text.strip_prefix("file:") {
            Some(path) => SecretString::from(read(Path::new(path))?),
            None => SecretString::from(text),
        };
        let found = serde_json::from_str(text.expose_secret());
        found.map(|found| Self(Arc::new(found))).map_err(|error| {
            // The parser's own words would quote what it read.
            let place = format!("line {}, column {}", error.line(), error.column());
            invalid(format!(
                "it must be {{\"connector\": {{\"client_id\", \"client_secret\"}}}}: {place}"
            ))
        })
    }

    /// The registrations of a table: for tests and tools.
    #[must_use]
    pub fn of(table: BTreeMap<String, Registration>) -> Self {
        Self(Arc::new(table))
    }

    /// That for a connector.
    #[must_use]
    pub fn get(&self, connector: &str) -> Option<&Registration> {
        self.0.get(connector)
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |error: std::io::Error| invalid(format!("its file cannot be read: {error}"));
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(invalid(
            "others may read its file; let its owner alone (chmod 600)".to_owned(),
        ));
    }
    fs::read_to_string(path).map_err(unreadable)
}

fn invalid(why: String) -> ConfigError {
    ConfigError::Invalid { name: VARIABLE, value: "(not shown)".to_owned(), why }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn from(text: &str) -> Result<Registrations, ConfigError> {
        Registrations::from_source(&HashMap::from([(VARIABLE, text)]))
    }

    #[test]
    fn registrations_come_from_the_variable_or_from_a_file_of_the_owner_alone() {
        let text = r#"{"quick": {"client_id": "id-1", "client_secret": "hunter2"}}"#;
        let found = from(text).unwrap();
        assert_eq!(found.get("quick").unwrap().client_id, "id-1");
        assert!(found.get("other").is_none());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clients.json");
        fs::write(&path, text).unwrap();
        let named = format!("file:{}", path.display());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(from(&named).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(from(&named).unwrap().get("quick").unwrap().client_secret.is_some());
        assert!(from("").unwrap().get("quick").is_none());
    }

    #[test]
    fn a_fault_in_it_shows_nothing_of_it() {
        for wrong in [
            r#"{"quick": {"client_id": "id-1", "client_secret": "hunter2"}"#,
            r#"{"quick": {"client_id": "id-1", "secret": "hunter2"}}"#,
            r#"{"quick": "hunter2"}"#,
            "file:/nowhere/hunter2x",
        ] {
            let line = from(wrong).unwrap_err().to_string();
            assert!(line.starts_with("MILLWRIGHT_OAUTH_CLIENTS"), "{line}");
            assert!(!line.contains("hunter2"), "{line}");
        }
        assert!(!format!("{:?}", from(r#"{"q": {"client_id": "hunter2"}}"#)).contains("hunter2"));
    }
}
