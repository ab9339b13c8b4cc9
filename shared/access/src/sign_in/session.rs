//! The session of somebody who signed in. Its cookie holds where the row is and a secret; the row, the
//! secret's hash.

use std::time::Duration;

use millwright_core::{ExposeSecret, Result, SecretString, WallTime, WorkspaceId};
use millwright_store::{Document, Expect, Key, Row, Store, Write};
use serde::{Deserialize, Serialize};

use super::Identity;
use crate::{
    Role,
    token_text::{self, Parts, SECRET_LENGTH, hash_of, random_secret, same_hash},
};

/// What a session's text starts with.
const SESSION: &str = "mw_ss_";
/// How long a session lasts: a working day.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 3600);

/// Somebody is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The only workspace they can reach.
    pub workspace: WorkspaceId,
    /// The provider's own id of them.
    pub subject: String,
    /// Their verified e-mail address.
    pub email: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// When they signed in.
    pub began_at: WallTime,
    /// When they must sign in again.
    pub until: WallTime,
    hash: String,
}

impl Document for Session {
    fn expires_at(&self) -> Option<WallTime> {
        Some(self.until)
    }
}

/// Where a session is, and the secret that opens it.
struct Address {
    workspace: WorkspaceId,
    secret: SecretString,
}

impl Address {
    fn read(text: &str) -> Option<Self> {
        let mut parts = Parts::after(SESSION, text)?;
        let workspace = parts.id(WorkspaceId::PREFIX)?;
        Some(Self { workspace, secret: SecretString::from(parts.rest(SECRET_LENGTH)?.to_owned()) })
    }

    fn text(&self) -> SecretString {
        let start = token_text::compose(SESSION, &[self.workspace.as_str()]);
        SecretString::from(start + self.secret.expose_secret())
    }

    fn hash(&self) -> String {
        hash_of(self.secret.expose_secret())
    }

    fn key(&self) -> Key {
        Key::state(format!("{}#sessions", self.workspace), self.hash())
    }
}

/// Begins a session; answers with it and with the text for its cookie.
///
/// # Errors
/// When the table fails.
pub async fn begin_session(
    store: &Store,
    workspace: &WorkspaceId,
    identity: Identity,
    role: Role,
) -> Result<(Session, SecretString)> {
    let address = Address { workspace: workspace.clone(), secret: random_secret() };
    let now = store.clock().wall();
    let Identity { subject, email, name } = identity;
    let session = Session {
        workspace: workspace.clone(),
        subject,
        email,
        name,
        role,
        began_at: now,
        until: now + SESSION_LIFE,
        hash: address.hash(),
    };
    store.write(Write::put(&address.key(), &session, Expect::Absent)?).await?;
    Ok((session, address.text()))
}

/// The session of a cookie, if it still lasts.
///
/// # Errors
/// When the table fails.
pub async fn find_session(store: &Store, text: &str) -> Result<Option<Session>> {
    let Some(address) = Address::read(text) else { return Ok(None) };
    let row: Option<Row<Session>> = store.get(&address.key()).await?;
    let now = store.clock().wall();
    let lasts = |own: &Session| same_hash(&own.hash, &address.hash()) && own.until > now;
    Ok(row.map(|row| row.doc).filter(lasts))
}

/// Ends the session of a cookie.
///
/// # Errors
/// When the table fails.
pub async fn end_session(store: &Store, text: &str) -> Result<()> {
    if let Some(address) = Address::read(text) {
        store.write(Write::delete(&address.key(), Expect::Anything)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_says_where_its_row_is_and_the_row_does_not_hold_it() {
        let address = Address { workspace: WorkspaceId::new_at(1), secret: random_secret() };
        let read = Address::read(address.text().expose_secret()).unwrap();
        assert_eq!(read.key(), address.key());
        assert!(!format!("{:?}", address.key()).contains(address.secret.expose_secret()));
        assert!(Address::read("mw_ss_x").is_none());
    }
}
