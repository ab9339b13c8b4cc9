//! Workspace tokens: an application acting for itself (RFC 6749, 4.4).

use millwright_core::{
    ApplicationId, Error, ExposeSecret, Result, SecretString, WallTime, WorkspaceId,
};
use millwright_store::{Document, Expect, Key, Row, Store, Write};
use serde::{Deserialize, Serialize};

use super::{Form, OauthCode, OauthError, WORKSPACE_TOKEN_LIFE, form::asked_scopes};
use crate::{
    Actor, Caller, Scope,
    application::{Application, Rights, living_application},
    token_text::{self, Parts, SECRET_LENGTH, WORKSPACE, hash_of, random_secret, same_hash},
};

/// A workspace token that was given.
#[derive(Debug)]
pub struct WorkspaceToken {
    /// Its text.
    pub access: SecretString,
    /// How long it is good for.
    pub expires_in: std::time::Duration,
    /// What it may do beside the application's role.
    pub scopes: Vec<Scope>,
}

/// A workspace token as it is kept, under its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    hash: String,
    scopes: Vec<Scope>,
    until: WallTime,
}

impl Document for Kept {
    fn expires_at(&self) -> Option<WallTime> {
        Some(self.until)
    }
}

/// Where a workspace token is, and the secret that opens it.
struct Address {
    workspace: WorkspaceId,
    application: ApplicationId,
    secret: SecretString,
}

impl Address {
    fn read(text: &str) -> Option<Self> {
        let mut parts = Parts::after(WORKSPACE, text)?;
        Some(Self {
            workspace: parts.id(WorkspaceId::PREFIX)?,
            application: parts.id(ApplicationId::PREFIX)?,
            secret: SecretString::from(parts.rest(SECRET_LENGTH)?.to_owned()),
        })
    }

    fn text(&self) -> SecretString {
        let ids = [self.workspace.as_str(), self.application.as_str()];
        SecretString::from(token_text::compose(WORKSPACE, &ids) + self.secret.expose_secret())
    }

    fn hash(&self) -> String {
        hash_of(self.secret.expose_secret())
    }

    fn key(&self) -> Key {
        let pk = format!("{}#{}", self.workspace, self.application);
        Key::state(pk, format!("token#{}", self.hash()))
    }
}

/// Gives an application a workspace token with its role, good for an hour.
///
/// # Errors
/// `unauthorized_client` for a public one, which cannot prove who it is (RFC 6749, 4.4);
/// `invalid_scope`; when the table fails.
pub async fn issue_workspace_token(
    store: &Store,
    application: &Application,
    form: &Form,
) -> Result<WorkspaceToken, OauthError> {
    if application.public {
        let description = "a public application cannot act for itself";
        return Err(OauthError::refused(OauthCode::UnauthorizedClient, description));
    }
    let scopes = asked_scopes(form.get("scope"), &application.scopes)?;
    let address = Address {
        workspace: application.workspace.clone(),
        application: application.id.clone(),
        secret: random_secret(),
    };
    let until = store.clock().wall() + WORKSPACE_TOKEN_LIFE;
    let kept = Kept { hash: address.hash(), scopes: scopes.clone(), until };
    let write = Write::put(&address.key(), &kept, Expect::Absent).map_err(Error::from)?;
    store.write(write).await?;
    Ok(WorkspaceToken { access: address.text(), expires_in: WORKSPACE_TOKEN_LIFE, scopes })
}

/// Who calls with a workspace token; nobody when it opens nothing.
pub(crate) async fn caller_of_token(store: &Store, text: &str) -> Result<Option<Caller>> {
    let Some(address) = Address::read(text) else { return Ok(None) };
    let row: Option<Row<Kept>> = store.get(&address.key()).await?;
    let own =
        |kept: &Kept| same_hash(&kept.hash, &address.hash()) && kept.until > store.clock().wall();
    let Some(kept) = row.map(|row| row.doc).filter(own) else { return Ok(None) };
    let application = living_application(store, &address.workspace, &address.application).await?;
    Ok(application.map(|application| caller(&application, &kept.scopes)))
}

fn caller(application: &Application, scopes: &[Scope]) -> Caller {
    let Rights { role, scopes } = Rights::of(application, scopes);
    Caller {
        workspace: application.workspace.clone(),
        environment: application.environment,
        actor: Actor::Application(application.id.clone()),
        role,
        scopes,
    }
}

/// Forgets a workspace token of an application; any other text is passed over.
pub(super) async fn forget(store: &Store, application: &Application, text: &str) -> Result<()> {
    let Some(address) = Address::read(text) else { return Ok(()) };
    if address.application == application.id && address.workspace == application.workspace {
        store.write(Write::delete(&address.key(), Expect::Anything)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::sample_application;

    #[test]
    fn a_token_says_where_its_row_is_and_the_row_holds_its_hash_alone() {
        let address = Address {
            workspace: WorkspaceId::new_at(1),
            application: ApplicationId::new_at(2),
            secret: random_secret(),
        };
        let read = Address::read(address.text().expose_secret()).unwrap();
        assert_eq!(read.key(), address.key());
        assert!(!format!("{:?}", address.key()).contains(address.secret.expose_secret()));
        assert!(Address::read("mw_wt_x").is_none());
    }

    #[test]
    fn a_token_may_do_what_its_application_may_do_now() {
        let mut application = sample_application(&[]);
        application.scopes = vec![Scope::Passthrough];
        assert_eq!(caller(&application, &[Scope::Passthrough]).scopes, [Scope::Passthrough]);
        assert!(caller(&application, &[]).scopes.is_empty());
        application.scopes.clear();
        assert!(caller(&application, &[Scope::Passthrough]).scopes.is_empty());
    }
}
