//! Tokens for a connection: in exchange for a code, or because somebody of the workspace asks.

use std::time::Duration;

use millwright_core::{
    ConnectionId, ExposeSecret, Result, SecretString, TokenFamilyId, WallTime, WorkspaceId,
};
use millwright_store::{Expect, Row, Store, Write};

use super::{
    CONNECTION_TOKEN_LIFE, Form, Grant, GrantId, OauthError,
    grant::{Fresh, Holder, REFRESH_LENGTH, Redemption, Use, new_lineage},
};
use crate::{
    Environment, Role, Scope,
    application::{Application, Rights},
    token_text::{CODE, CONNECTION, GrantText, REFRESH, SECRET_LENGTH, random_secret},
};

/// Tokens for a connection.
#[derive(Debug)]
pub struct ConnectionTokens {
    /// The access token.
    pub access: SecretString,
    /// How long it is good for.
    pub expires_in: Duration,
    /// The refresh token, where there is one.
    pub refresh: Option<SecretString>,
    /// The connection.
    pub connection: ConnectionId,
    /// What they may do beside the role.
    pub scopes: Vec<Scope>,
}

/// A connection token that somebody of the workspace asks for.
#[derive(Clone, Debug)]
pub struct NewConnectionToken {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its environment.
    pub environment: Environment,
    /// The connection, which must be there.
    pub connection: ConnectionId,
    /// When the connection was seen to be there: one that is disconnected after it kills the token.
    pub seen_at: WallTime,
    /// What it may do.
    pub role: Role,
    /// What else it may do.
    pub scopes: Vec<Scope>,
}

/// Gives a connection token that cannot be refreshed: who may ask for it can ask again.
///
/// # Errors
/// When the table fails.
pub async fn issue_connection_token(
    store: &Store,
    new: NewConnectionToken,
) -> Result<ConnectionTokens> {
    let (now, secret) = (store.clock().wall(), random_secret());
    let family = TokenFamilyId::new_at(now.millis());
    let NewConnectionToken { workspace, environment, connection, seen_at, role, scopes } = new;
    let mut grant = Grant {
        id: GrantId { workspace, connection, family },
        environment,
        holder: Holder::Workspace(Rights { role, scopes: scopes.clone() }),
        granted_at: seen_at,
        code: None,
        access: Vec::new(),
        refresh: None,
        ended: None,
    };
    grant.give_access(now, &secret);
    store.write(Write::put(&grant.id.key(), &grant, Expect::Absent)?).await?;
    Ok(ConnectionTokens {
        access: grant.id.text(secret).write(CONNECTION),
        expires_in: CONNECTION_TOKEN_LIFE,
        refresh: None,
        connection: grant.id.connection,
        scopes,
    })
}

/// The grant that a code says it began.
///
/// # Errors
/// `invalid_grant` when there is none; when the table fails.
pub async fn find_code(store: &Store, code: &str) -> Result<Grant, OauthError> {
    let text = GrantText::read(CODE, code, SECRET_LENGTH).ok_or(OauthError::invalid_grant())?;
    find(store, &text).await
}

/// The grant of a text, which proves nothing yet.
pub(super) async fn find(store: &Store, text: &GrantText) -> Result<Grant, OauthError> {
    let row: Option<Row<Grant>> = store.get(&GrantId::of(text).key()).await?;
    row.map(|row| row.doc).ok_or(OauthError::invalid_grant())
}

/// Exchanges a code for tokens, once. That the connection still honours the grant is the caller's to see
/// before.
///
/// # Errors
/// `invalid_request` when something is missing; `invalid_grant`; when the table fails.
pub async fn exchange_code(
    store: &Store,
    application: &Application,
    form: &Form,
) -> Result<ConnectionTokens, OauthError> {
    let code = form.required("code", "code is missing")?;
    let verifier = form.required("code_verifier", "code_verifier is missing: PKCE is required")?;
    let text = GrantText::read(CODE, code, SECRET_LENGTH).ok_or(OauthError::invalid_grant())?;
    let (now, fresh, lineage) = (store.clock().wall(), Fresh::draw(), new_lineage());
    let with = Redemption {
        secret: text.secret.expose_secret(),
        client: &application.id,
        redirect_uri: form.get("redirect_uri"),
        verifier,
        lineage: &lineage,
    };
    let id = GrantId::of(&text);
    let decide = |grant: &mut Grant| Ok(grant.redeem(now, with, &fresh));
    let done = store.modify(&id.key(), decide).await?;
    let (row, used) = done.ok_or(OauthError::invalid_grant())?;
    settled(row.doc, used, application, &lineage, &fresh)
}

/// The answer to a code or a refresh token.
pub(super) fn settled(
    grant: Grant,
    used: Use,
    application: &Application,
    lineage: &str,
    fresh: &Fresh,
) -> Result<ConnectionTokens, OauthError> {
    match used {
        Use::Good => Ok(tokens(grant, application, lineage, fresh)),
        Use::Replayed => Err(OauthError::Replayed(Box::new(grant.id))),
        Use::Refused => Err(OauthError::invalid_grant()),
    }
}

fn tokens(
    grant: Grant,
    application: &Application,
    lineage: &str,
    fresh: &Fresh,
) -> ConnectionTokens {
    let granted: &[Scope] = match &grant.holder {
        Holder::Application(_, scopes) => scopes,
        Holder::Workspace(_) => &[],
    };
    let refresh = SecretString::from(format!("{lineage}{}", fresh.refresh.expose_secret()));
    debug_assert_eq!(refresh.expose_secret().len(), REFRESH_LENGTH);
    ConnectionTokens {
        access: grant.id.text(fresh.access.clone()).write(CONNECTION),
        expires_in: CONNECTION_TOKEN_LIFE,
        refresh: Some(grant.id.text(refresh).write(REFRESH)),
        scopes: Rights::of(application, granted).scopes,
        connection: grant.id.connection,
    }
}
