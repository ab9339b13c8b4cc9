//! Making an application.

use millwright_core::{ApplicationId, Error, ExposeSecret, Result, SecretString, WallTime};
use millwright_store::{Expect, Store, Write};

use super::{Application, ClientSecret, fields};
use crate::{
    Role, Scope, Workspace,
    token_text::{CLIENT_SECRET, hash_of, random_secret},
};

/// An application to make.
#[derive(Clone, Debug)]
pub struct NewApplication {
    /// What people will call it.
    pub name: String,
    /// Its logo.
    pub logo_url: Option<String>,
    /// Where hosted pages may return to.
    pub redirect_uris: Vec<String>,
    /// Whether it can keep no secret.
    pub public: bool,
    /// What its tokens may do.
    pub role: Role,
    /// What else they may do.
    pub scopes: Vec<Scope>,
}

/// Makes an application, and answers with its secret's text unless it is a public one. The text cannot
/// be had again.
///
/// # Errors
/// What is wrong with its fields, all of it; when the table fails.
pub async fn create_application(
    store: &Store,
    workspace: &Workspace,
    new: NewApplication,
) -> Result<(Application, Option<SecretString>)> {
    let now = store.clock().wall();
    let mut application = checked(workspace, new, now)?;
    let (text, kept) = new_secret(now);
    let secret = (!application.public).then_some(text);
    application.secrets.extend(secret.is_some().then_some(kept));
    store.write(Write::put(&application.key(), &application, Expect::Absent)?).await?;
    Ok((application, secret))
}

fn checked(workspace: &Workspace, new: NewApplication, now: WallTime) -> Result<Application> {
    let mut faults = Vec::new();
    let name = fields::name(&new.name, &mut faults);
    faults.extend(new.logo_url.as_deref().and_then(fields::logo_fault));
    faults.extend(fields::redirect_faults(&new.redirect_uris));
    if let Some(error) = Error::from_fields(faults) {
        return Err(error);
    }
    Ok(Application {
        id: ApplicationId::new_at(now.millis()),
        workspace: workspace.id.clone(),
        environment: workspace.environment,
        name,
        logo_url: new.logo_url,
        redirect_uris: new.redirect_uris,
        public: new.public,
        role: new.role,
        scopes: fields::scopes(new.scopes),
        secrets: Vec::new(),
        created_at: now,
        revoked_at: None,
    })
}

/// A new secret: its text, and what is kept of it.
pub(super) fn new_secret(now: WallTime) -> (SecretString, ClientSecret) {
    let text = SecretString::from(CLIENT_SECRET.to_owned() + random_secret().expose_secret());
    let hash = hash_of(text.expose_secret());
    (text, ClientSecret { hash, created_at: now, dies_at: None })
}

#[cfg(test)]
mod tests {
    use millwright_core::{ErrorCode, WorkspaceId};

    use super::*;
    use crate::Environment;

    fn workspace() -> Workspace {
        Workspace {
            id: WorkspaceId::new_at(1),
            name: "Acme".to_owned(),
            environment: Environment::Test,
            created_at: WallTime::from_millis(1),
            webhook_retention_days: None,
            webhook_retention_before: None,
        }
    }

    fn new() -> NewApplication {
        NewApplication {
            name: "Planner".to_owned(),
            logo_url: None,
            redirect_uris: vec![],
            public: false,
            role: Role::Write,
            scopes: vec![Scope::Passthrough, Scope::Passthrough],
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let new = NewApplication {
            name: String::new(),
            logo_url: Some("x".to_owned()),
            redirect_uris: vec!["https://a.example/".to_owned(), "y".to_owned()],
            ..new()
        };
        let error = checked(&workspace(), new, WallTime::from_millis(2)).unwrap_err();
        assert_eq!(error.code, ErrorCode::ValidationFailed);
        let paths: Vec<&str> = error.fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["name", "logo_url", "redirect_uris[1]"]);
    }

    #[test]
    fn what_is_kept_holds_the_hash_of_the_secret_and_not_its_text() {
        let now = WallTime::from_millis(2);
        let mut own = checked(&workspace(), new(), now).unwrap();
        let (text, kept) = new_secret(now);
        own.secrets.push(kept);
        assert!(own.has_secret(text.expose_secret(), now));
        assert!(!serde_json::to_string(&own).unwrap().contains(text.expose_secret()));
        assert_eq!(own.scopes, [Scope::Passthrough]);
    }
}
