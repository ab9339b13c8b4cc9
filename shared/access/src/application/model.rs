//! The application's row.

use millwright_core::{ApplicationId, ConnectionId, Result, WallTime, WorkspaceId};
use millwright_store::{Document, Key, Row, Store};
use serde::{Deserialize, Serialize};

use crate::{
    Environment, Role, Scope,
    token_text::{self, CLIENT, Parts},
};

/// An OAuth client of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The environment of its workspace.
    pub environment: Environment,
    /// What people call it; hosted pages show it.
    pub name: String,
    /// Its logo, which hosted pages show.
    pub logo_url: Option<String>,
    /// Where hosted pages may return to: these and no others, letter by letter.
    pub redirect_uris: Vec<String>,
    /// Whether it runs where it can keep no secret: it then has none, and PKCE stands alone.
    pub public: bool,
    /// What its tokens may do.
    pub role: Role,
    /// What else they may do.
    pub scopes: Vec<Scope>,
    /// Its secrets: the newest last, older ones for as long as they overlap.
    pub secrets: Vec<ClientSecret>,
    /// When it was made.
    pub created_at: WallTime,
    /// When it was revoked, if it was: its tokens are dead since then.
    pub revoked_at: Option<WallTime>,
}

/// A client secret as it is kept: never its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret {
    /// SHA-256 of its text.
    pub hash: String,
    /// When it was made.
    pub created_at: WallTime,
    /// When it ceases to open anything, once a newer one was made.
    pub dies_at: Option<WallTime>,
}

impl Document for Application {}

impl Application {
    /// What the application names itself with at the OAuth endpoints.
    #[must_use]
    pub fn client_id(&self) -> String {
        token_text::compose(CLIENT, &[self.workspace.as_str(), self.id.as_str()])
    }

    /// Whether this is one of its secrets now.
    #[must_use]
    pub fn has_secret(&self, text: &str, now: WallTime) -> bool {
        let hash = token_text::hash_of(text);
        let living = self.secrets.iter().filter(|one| one.dies_at.is_none_or(|dies| dies > now));
        token_text::is_among(&hash, living.map(|one| one.hash.as_str()))
    }

    pub(crate) fn key(&self) -> Key {
        application_key(&self.workspace, &self.id)
    }
}

/// Sort keys of applications start so.
pub(crate) const PREFIX: &str = "application#";

pub(crate) fn application_key(workspace: &WorkspaceId, id: &ApplicationId) -> Key {
    Key::state(workspace.as_str(), format!("{PREFIX}{id}"))
}

/// Where the row of a client id is; nothing when it cannot be one.
pub(crate) fn address_of_client(client_id: &str) -> Option<Key> {
    let mut parts = Parts::after(CLIENT, client_id)?;
    let (workspace, id) = (parts.id(WorkspaceId::PREFIX)?, parts.id(ApplicationId::PREFIX)?);
    parts.rest(0)?;
    Some(application_key(&workspace, &id))
}

/// The application that lives under a key.
pub(crate) async fn living(store: &Store, key: &Key) -> Result<Option<Application>> {
    let row: Option<Row<Application>> = store.get(key).await?;
    Ok(row.map(|row| row.doc).filter(|application| application.revoked_at.is_none()))
}

/// The role and scopes of tokens that an application was given for a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rights {
    pub(crate) role: Role,
    pub(crate) scopes: Vec<Scope>,
}

impl Rights {
    /// Those of an application, as far as they were asked for.
    pub(crate) fn of(application: &Application, granted: &[Scope]) -> Self {
        let own = application.scopes.iter().filter(|scope| granted.contains(scope));
        Self { role: application.role, scopes: own.copied().collect() }
    }
}

/// Where what belongs to a connection is.
pub(crate) fn connection_partition(workspace: &WorkspaceId, connection: &ConnectionId) -> String {
    format!("{workspace}#{connection}")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::token_text::hash_of;

    pub(crate) fn sample(secrets: &[(&str, Option<i64>)]) -> Application {
        let secret = |(text, dies): &(&str, Option<i64>)| ClientSecret {
            hash: hash_of(text),
            created_at: WallTime::from_millis(1),
            dies_at: dies.map(WallTime::from_millis),
        };
        Application {
            id: ApplicationId::new_at(2),
            workspace: WorkspaceId::new_at(1),
            environment: Environment::Test,
            name: "Planner".to_owned(),
            logo_url: None,
            redirect_uris: vec!["https://planner.example/back".to_owned()],
            public: false,
            role: Role::Write,
            scopes: vec![],
            secrets: secrets.iter().map(secret).collect(),
            created_at: WallTime::from_millis(1),
            revoked_at: None,
        }
    }

    #[test]
    fn a_client_id_says_where_its_application_is() {
        let own = sample(&[]);
        assert_eq!(address_of_client(&own.client_id()), Some(own.key()));
        for wrong in ["", "mw_ci_", &format!("{}x", own.client_id()), own.id.as_str()] {
            assert_eq!(address_of_client(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_older_secret_opens_until_its_overlap_ends() {
        let own = sample(&[("old", Some(500)), ("new", None)]);
        let at = WallTime::from_millis;
        assert!(own.has_secret("old", at(499)) && own.has_secret("new", at(499)));
        assert!(!own.has_secret("old", at(500)) && own.has_secret("new", at(500)));
        assert!(!own.has_secret("", at(1)) && !own.has_secret(&hash_of("new"), at(1)));
    }

    #[test]
    fn an_application_survives_its_row() {
        let own = sample(&[("x", Some(1))]);
        let text = serde_json::to_string(&own).unwrap();
        assert_eq!(serde_json::from_str::<Application>(&text).unwrap(), own);
    }
}
