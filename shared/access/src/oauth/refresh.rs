//! Refreshing (RFC 6749, 6), with rotation (RFC 9700, 4.14).

use std::time::Duration;

use millwright_core::ExposeSecret;
use millwright_store::Store;

use super::{
    ConnectionTokens, Form, Grant, GrantId, OauthError,
    form::asked_scopes,
    grant::{Fresh, Holder, REFRESH_LENGTH, split_refresh},
    issue::{find, settled},
};
use crate::{
    application::Application,
    token_text::{GrantText, REFRESH},
};

/// The grant that a refresh token says it is of.
///
/// # Errors
/// `invalid_grant` when there is none; when the table fails.
pub async fn find_refresh(store: &Store, token: &str) -> Result<Grant, OauthError> {
    find(store, &read(token)?).await
}

fn read(token: &str) -> Result<GrantText, OauthError> {
    GrantText::read(REFRESH, token, REFRESH_LENGTH).ok_or(OauthError::invalid_grant())
}

/// Replaces a refresh token and gives a new access token. For `grace` after its first use the answer
/// can be had again; later a second use ends the whole grant. That the connection still honours the
/// grant is the caller's to see before.
///
/// # Errors
/// `invalid_request` when something is missing; `invalid_scope`; `invalid_grant`; when the table fails.
pub async fn refresh(
    store: &Store,
    application: &Application,
    form: &Form,
    grace: Duration,
) -> Result<ConnectionTokens, OauthError> {
    let text = read(form.required("refresh_token", "refresh_token is missing")?)?;
    let secret = text.secret.expose_secret();
    let grant = find(store, &text).await?;
    if grant.application() != Some(&application.id) {
        return Err(OauthError::invalid_grant());
    }
    if let Holder::Application(_, granted) = &grant.holder {
        asked_scopes(form.get("scope"), granted)?;
    }
    let (now, fresh) = (store.clock().wall(), Fresh::draw());
    let decide = |grant: &mut Grant| Ok(grant.rotate(now, secret, grace, &fresh));
    let done = store.modify(&GrantId::of(&text).key(), decide).await?;
    let (row, used) = done.ok_or(OauthError::invalid_grant())?;
    let lineage = split_refresh(secret).map(|(lineage, _)| lineage).unwrap_or_default();
    settled(row.doc, used, application, lineage, &fresh)
}
