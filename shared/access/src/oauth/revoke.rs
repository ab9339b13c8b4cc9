//! Revocation (RFC 7009).

use millwright_core::ExposeSecret;
use millwright_store::Store;

use super::{
    Grant, GrantId, OauthError,
    grant::{REFRESH_LENGTH, Why},
    workspace_token,
};
use crate::{
    application::Application,
    token_text::{CONNECTION, GrantText, REFRESH, SECRET_LENGTH},
};

/// Revokes a token of an application: a refresh token with everything of its grant, an access token
/// alone. What is no living token of the application is passed over, so that nobody learns which texts
/// are tokens of others (RFC 7009, 2.1 and 2.2).
///
/// # Errors
/// When the table fails.
pub async fn revoke_token(
    store: &Store,
    application: &Application,
    token: &str,
) -> Result<(), OauthError> {
    if let Some(text) = GrantText::read(REFRESH, token, REFRESH_LENGTH) {
        return in_grant(store, application, &text, |grant, secret, now| {
            if grant.knows_lineage(secret) {
                grant.end(now, Why::Revoked);
            }
        })
        .await;
    }
    if let Some(text) = GrantText::read(CONNECTION, token, SECRET_LENGTH) {
        return in_grant(store, application, &text, |grant, secret, _| {
            grant.drop_access(secret);
        })
        .await;
    }
    Ok(workspace_token::forget(store, application, token).await?)
}

async fn in_grant<F>(
    store: &Store,
    application: &Application,
    text: &GrantText,
    change: F,
) -> Result<(), OauthError>
where
    F: Fn(&mut Grant, &str, millwright_core::WallTime) + Send + Sync,
{
    let (now, secret) = (store.clock().wall(), text.secret.expose_secret());
    let decide = |grant: &mut Grant| {
        if grant.application() == Some(&application.id) {
            change(grant, secret, now);
        }
        Ok(())
    };
    store.modify(&GrantId::of(text).key(), decide).await?;
    Ok(())
}
