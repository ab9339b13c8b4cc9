//! Changing an application, its secret, its end.

use std::time::Duration;

use millwright_core::{ApplicationId, Error, ErrorCode, Result, SecretString, WorkspaceId};
use millwright_store::Store;

use super::{Application, ClientSecret, application_key, create::new_secret, fields};
use crate::{Role, Scope};

/// The most secrets that open at the same time.
const SECRETS_MAX: usize = 4;

/// What to change: what is not given stays.
#[derive(Clone, Debug, Default)]
pub struct ApplicationChange {
    /// Another name.
    pub name: Option<String>,
    /// Another logo, or none.
    pub logo_url: Option<Option<String>>,
    /// Other addresses to return to: all of them.
    pub redirect_uris: Option<Vec<String>>,
    /// Another role.
    pub role: Option<Role>,
    /// Other scopes: all of them.
    pub scopes: Option<Vec<Scope>>,
}

impl ApplicationChange {
    fn check(&mut self) -> Result<()> {
        let mut faults = Vec::new();
        self.name = self.name.as_deref().map(|name| fields::name(name, &mut faults));
        faults.extend(self.logo_url.iter().flatten().filter_map(|url| fields::logo_fault(url)));
        faults.extend(self.redirect_uris.iter().flat_map(|uris| fields::redirect_faults(uris)));
        Error::from_fields(faults).map_or(Ok(()), Err)
    }

    fn apply(&self, own: &mut Application) {
        let Self { name, logo_url, redirect_uris, role, scopes } = self.clone();
        own.name = name.unwrap_or_else(|| own.name.clone());
        own.logo_url = logo_url.unwrap_or_else(|| own.logo_url.clone());
        own.redirect_uris = redirect_uris.unwrap_or_else(|| own.redirect_uris.clone());
        own.role = role.unwrap_or(own.role);
        own.scopes = scopes.map_or_else(|| own.scopes.clone(), fields::scopes);
    }
}

/// Changes an application; its tokens may do what it may do from then on.
///
/// # Errors
/// `NOT_FOUND`; `STATE_CONFLICT` for a revoked one; what is wrong with the fields; when the table fails.
pub async fn change_application(
    store: &Store,
    workspace: &WorkspaceId,
    id: &ApplicationId,
    mut change: ApplicationChange,
) -> Result<Application> {
    change.check()?;
    modified(store, workspace, id, |own| {
        must_live(own)?;
        change.apply(own);
        Ok(())
    })
    .await
}

/// Gives an application a new secret. The ones before it open until `overlap` has passed.
///
/// # Errors
/// `NOT_FOUND`; `STATE_CONFLICT` for a revoked or a public one; when the table fails.
pub async fn rotate_client_secret(
    store: &Store,
    workspace: &WorkspaceId,
    id: &ApplicationId,
    overlap: Duration,
) -> Result<(Application, SecretString)> {
    let now = store.clock().wall();
    let (text, kept) = new_secret(now);
    let own = modified(store, workspace, id, |own| {
        must_live(own)?;
        if own.public {
            let message = "a public application has no secret";
            return Err(Error::new(ErrorCode::StateConflict, message));
        }
        replace_secret(own, &kept, overlap);
        Ok(())
    })
    .await?;
    Ok((own, text))
}

/// Revokes an application: its secrets and all of its tokens open nothing from then on. One that was
/// revoked before stays as it was.
///
/// # Errors
/// `NOT_FOUND`; when the table fails.
pub async fn revoke_application(
    store: &Store,
    workspace: &WorkspaceId,
    id: &ApplicationId,
) -> Result<Application> {
    let now = store.clock().wall();
    modified(store, workspace, id, |own| {
        own.revoked_at = own.revoked_at.or(Some(now));
        own.secrets.clear();
        Ok(())
    })
    .await
}

async fn modified<F>(
    store: &Store,
    workspace: &WorkspaceId,
    id: &ApplicationId,
    decide: F,
) -> Result<Application>
where
    F: Fn(&mut Application) -> Result<()> + Send + Sync,
{
    let found = store.modify(&application_key(workspace, id), decide).await?;
    found.map(|(row, ())| row.doc).ok_or_else(|| Error::not_found("application"))
}

fn must_live(own: &Application) -> Result<()> {
    match own.revoked_at {
        None => Ok(()),
        Some(_) => Err(Error::new(ErrorCode::StateConflict, "the application was revoked")),
    }
}

/// Puts a new secret behind those that still open, which die when the overlap has passed.
fn replace_secret(own: &mut Application, new: &ClientSecret, overlap: Duration) {
    let now = new.created_at;
    let end = now + overlap;
    for one in &mut own.secrets {
        one.dies_at = Some(one.dies_at.map_or(end, |dies| dies.min(end)));
    }
    own.secrets.retain(|one| one.dies_at.is_none_or(|dies| dies > now));
    // Rotating over and over does not make a heap of them.
    let surplus = (own.secrets.len() + 1).saturating_sub(SECRETS_MAX);
    own.secrets.drain(..surplus);
    own.secrets.push(new.clone());
}

#[cfg(test)]
mod tests {
    use millwright_core::{ExposeSecret, WallTime};

    use super::{super::model::tests::sample, *};

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_rotated_secret_opens_during_the_overlap_only() {
        let now = WallTime::from_millis(10_000);
        let mut own = sample(&[("first", None)]);
        let (text, kept) = new_secret(now);
        replace_secret(&mut own, &kept, HOUR);
        assert!(own.has_secret("first", now) && own.has_secret(text.expose_secret(), now));
        assert!(!own.has_secret("first", now + HOUR));
        let (_, kept) = new_secret(now);
        replace_secret(&mut own, &kept, Duration::ZERO);
        assert!(!own.has_secret("first", now) && !own.has_secret(text.expose_secret(), now));
        assert_eq!(own.secrets.len(), 1);
    }

    #[test]
    fn an_overlap_is_not_lengthened_by_the_next_rotation() {
        let now = WallTime::from_millis(10_000);
        let mut own = sample(&[("first", None)]);
        replace_secret(&mut own, &new_secret(now).1, HOUR);
        for _ in 0..10 {
            replace_secret(&mut own, &new_secret(now).1, HOUR * 10);
        }
        assert!(!own.has_secret("first", now + HOUR));
        assert!(own.secrets.len() <= SECRETS_MAX);
    }

    #[test]
    fn what_is_not_given_stays() {
        let mut own = sample(&[]);
        own.logo_url = Some("https://a.example/".to_owned());
        let mut change = ApplicationChange { name: Some(" New ".to_owned()), ..Default::default() };
        change.check().unwrap();
        change.apply(&mut own);
        assert_eq!((own.name.as_str(), own.logo_url.is_some()), ("New", true));
        ApplicationChange { logo_url: Some(None), ..Default::default() }.apply(&mut own);
        assert_eq!((own.name.as_str(), own.logo_url), ("New", None));
    }
}
