//! The grant: one authorization and all that came of it, as one row of its connection.

use std::time::Duration;

use millwright_core::{
    ApplicationId, ConnectionId, ExposeSecret, Result, SecretString, TokenFamilyId, WallTime,
    WorkspaceId,
};
use millwright_store::{Document, Key, Store};
use serde::{Deserialize, Serialize};

use super::{CONNECTION_TOKEN_LIFE, REFRESH_LIFE, pkce};
use crate::{
    Actor, Caller, Environment, Scope, TokenHolder,
    application::{Rights, connection_partition, living_application},
    token_text::{
        CONNECTION, GrantText, SECRET_LENGTH, hash_of, is_among, random_secret, same_hash,
    },
};

/// The most access tokens of one grant that live at the same time: the oldest goes first.
const ACCESS_MAX: usize = 32;
/// The most refresh tokens that may come of repeating one answer.
const SIBLINGS_MAX: usize = 8;
/// Characters of a refresh token that all of its family have; its own secret is behind them.
const LINEAGE_LENGTH: usize = 20;
/// Characters of a refresh token behind its address.
pub(super) const REFRESH_LENGTH: usize = LINEAGE_LENGTH + SECRET_LENGTH;

/// Whose grant it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantId {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The connection that its tokens reach.
    pub connection: ConnectionId,
    /// Its own id.
    pub family: TokenFamilyId,
}

impl GrantId {
    pub(super) fn of(text: &GrantText) -> Self {
        let GrantText { workspace, connection, family, .. } = text.clone();
        Self { workspace, connection, family }
    }

    pub(super) fn key(&self) -> Key {
        let partition = connection_partition(&self.workspace, &self.connection);
        Key::state(partition, format!("grant#{}", self.family))
    }

    pub(super) fn text(&self, secret: SecretString) -> GrantText {
        let Self { workspace, connection, family } = self.clone();
        GrantText { workspace, connection, family, secret }
    }
}

/// One authorization and all that came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whose it is.
    pub id: GrantId,
    /// The environment of the workspace.
    pub(super) environment: Environment,
    /// Who holds it.
    pub(super) holder: Holder,
    /// When it was given.
    pub granted_at: WallTime,
    /// The code it began with.
    pub(super) code: Option<Code>,
    /// The access tokens that live, the newest last.
    pub(super) access: Vec<Access>,
    /// The refresh tokens, once there are some.
    pub(super) refresh: Option<Refresh>,
    /// When it was ended before its time, and why.
    pub(super) ended: Option<Ended>,
}

/// Who holds a grant, and so what its tokens may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Holder {
    /// An application: its tokens may do what it may, with these of its scopes.
    Application(ApplicationId, Vec<Scope>),
    /// Somebody of the workspace asked for a token with these rights.
    Workspace(Rights),
}

/// An authorization code, bound to what it was given for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) hash: String,
    pub(super) redirect_uri: String,
    /// Whether the client named that address, and so must name it again (RFC 6749, 4.1.3).
    pub(super) redirect_named: bool,
    pub(super) challenge: String,
    pub(super) until: WallTime,
    pub(super) spent: bool,
}

/// An access token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Access {
    pub(super) hash: String,
    pub(super) until: WallTime,
}

/// The refresh tokens of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refresh {
    /// What every refresh token of the grant has in it: who shows it has seen one of them.
    lineage: String,
    /// Those that may be used: one, or several when an answer had to be repeated.
    current: Vec<String>,
    /// The one that was used last.
    previous: Option<Used>,
    /// When they die unless one is used.
    until: WallTime,
}

/// A refresh token that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    hash: String,
    at: WallTime,
}

/// An early end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) at: WallTime,
    pub(super) why: Why,
}

/// Why a grant was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Why {
    /// Its code was used a second time.
    CodeReplayed,
    /// A refresh token was used again that had been replaced.
    RefreshReplayed,
    /// The client revoked it.
    Revoked,
}

impl Document for Grant {
    fn expires_at(&self) -> Option<WallTime> {
        let code = self.code.as_ref().filter(|code| !code.spent).map(|code| code.until);
        let access = self.access.iter().map(|access| access.until).max();
        code.into_iter().chain(access).chain(self.refresh.as_ref().map(|own| own.until)).max()
    }
}

/// New tokens, before they are given to anybody.
#[derive(Clone, Debug)]
pub(super) struct Fresh {
    pub(super) access: SecretString,
    pub(super) refresh: SecretString,
}

impl Fresh {
    pub(super) fn draw() -> Self {
        Self { access: random_secret(), refresh: random_secret() }
    }
}

/// What came of using a code or a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// The new tokens are good.
    Good,
    /// It was used before: everything that came of it is dead now.
    Replayed,
    /// It does not fit, or is too old.
    Refused,
}

/// What a code comes with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Redemption<'a> {
    pub(super) secret: &'a str,
    pub(super) client: &'a ApplicationId,
    pub(super) redirect_uri: Option<&'a str>,
    pub(super) verifier: &'a str,
    /// What its refresh tokens will have in common.
    pub(super) lineage: &'a str,
}

/// A refresh token's two parts.
pub(super) fn split_refresh(secret: &str) -> Option<(&str, &str)> {
    secret.split_at_checked(LINEAGE_LENGTH)
}

/// The common part of a new grant's refresh tokens.
pub(super) fn new_lineage() -> String {
    millwright_core::random_token(LINEAGE_LENGTH)
}

impl Grant {
    /// The application that holds it.
    pub(super) fn application(&self) -> Option<&ApplicationId> {
        match &self.holder {
            Holder::Application(id, _) => Some(id),
            Holder::Workspace(_) => None,
        }
    }

    /// Uses the code: once, and a second time ends the grant (RFC 6749, 4.1.2).
    pub(super) fn redeem(&mut self, now: WallTime, with: Redemption<'_>, fresh: &Fresh) -> Use {
        let ours = self.application() == Some(with.client);
        let Some(code) = &mut self.code else { return Use::Refused };
        if !same_hash(&code.hash, &hash_of(with.secret)) || !ours {
            return Use::Refused;
        }
        if code.spent {
            self.end(now, Why::CodeReplayed);
            return Use::Replayed;
        }
        let named = with.redirect_uri.is_some() || code.redirect_named;
        let returns = !named || with.redirect_uri == Some(code.redirect_uri.as_str());
        let proven = pkce::proves(with.verifier, &code.challenge);
        if self.ended.is_some() || code.until <= now || !returns || !proven {
            return Use::Refused;
        }
        code.spent = true;
        let lineage = hash_of(with.lineage);
        self.refresh = Some(Refresh { lineage, current: vec![], previous: None, until: now });
        self.give(now, fresh);
        Use::Good
    }

    /// Uses a refresh token. It is replaced by a new one; used again it ends the grant, except within
    /// `grace` of its first use: then the answer was lost, and is given again with other tokens.
    pub(super) fn rotate(
        &mut self,
        now: WallTime,
        secret: &str,
        grace: Duration,
        fresh: &Fresh,
    ) -> Use {
        let Some((lineage, own)) = split_refresh(secret) else { return Use::Refused };
        let Some(refresh) = &mut self.refresh else { return Use::Refused };
        let known = same_hash(&refresh.lineage, &hash_of(lineage));
        if !known || self.ended.is_some() || refresh.until <= now {
            return Use::Refused;
        }
        let hash = hash_of(own);
        if is_among(&hash, refresh.current.iter().map(String::as_str)) {
            refresh.current.clear();
            refresh.previous = Some(Used { hash, at: now });
        } else if !refresh.repeats(&hash, now, grace) {
            self.end(now, Why::RefreshReplayed);
            return Use::Replayed;
        } else if refresh.current.len() >= SIBLINGS_MAX {
            return Use::Refused;
        }
        self.give(now, fresh);
        Use::Good
    }

    /// Puts new tokens into the grant.
    fn give(&mut self, now: WallTime, fresh: &Fresh) {
        if let Some(refresh) = &mut self.refresh {
            refresh.current.push(hash_of(fresh.refresh.expose_secret()));
            refresh.until = now + REFRESH_LIFE;
        }
        self.give_access(now, &fresh.access);
    }

    /// Puts a new access token into the grant.
    pub(super) fn give_access(&mut self, now: WallTime, secret: &SecretString) {
        self.access.retain(|access| access.until > now);
        let surplus = (self.access.len() + 1).saturating_sub(ACCESS_MAX);
        self.access.drain(..surplus);
        let hash = hash_of(secret.expose_secret());
        self.access.push(Access { hash, until: now + CONNECTION_TOKEN_LIFE });
    }

    /// Ends the grant: none of its tokens opens anything any more.
    pub(super) fn end(&mut self, at: WallTime, why: Why) {
        self.ended.get_or_insert(Ended { at, why });
    }

    /// Whether this is a living access token of the grant.
    pub(super) fn admits(&self, secret: &str, now: WallTime) -> bool {
        let hash = hash_of(secret);
        let living = self.access.iter().filter(|access| access.until > now);
        is_among(&hash, living.map(|one| one.hash.as_str())) && self.ended.is_none()
    }

    /// Takes an access token out; false when it is none of the grant's.
    pub(super) fn drop_access(&mut self, secret: &str) -> bool {
        let (before, hash) = (self.access.len(), hash_of(secret));
        self.access.retain(|access| !same_hash(&access.hash, &hash));
        self.access.len() < before
    }

    /// Whether this is a refresh token of the grant, used or not.
    pub(super) fn knows_lineage(&self, secret: &str) -> bool {
        let lineage = split_refresh(secret).map(|(lineage, _)| hash_of(lineage));
        let own = self.refresh.as_ref().map(|refresh| refresh.lineage.as_str());
        lineage.zip(own).is_some_and(|(given, own)| same_hash(&given, own))
    }
}

impl Refresh {
    /// Whether somebody asks again for the answer to the last use.
    fn repeats(&self, hash: &str, now: WallTime, grace: Duration) -> bool {
        let in_time = |used: &Used| same_hash(&used.hash, hash) && now < used.at + grace;
        self.previous.as_ref().is_some_and(in_time)
    }
}

/// Who calls with a connection token; nobody when it opens nothing. Whether the connection still honours
/// the grant is for the caller of this to see.
pub(crate) async fn caller_of_token(store: &Store, text: &str) -> Result<Option<Caller>> {
    let Some(token) = GrantText::read(CONNECTION, text, SECRET_LENGTH) else { return Ok(None) };
    let Some(row) = store.get::<Grant>(&GrantId::of(&token).key()).await? else { return Ok(None) };
    let grant = row.doc;
    if !grant.admits(token.secret.expose_secret(), store.clock().wall()) {
        return Ok(None);
    }
    let rights = match &grant.holder {
        Holder::Workspace(rights) => Some(rights.clone()),
        Holder::Application(id, scopes) => {
            let application = living_application(store, &grant.id.workspace, id).await?;
            application.map(|application| Rights::of(&application, scopes))
        }
    };
    Ok(rights.map(|rights| grant.caller(rights)))
}

impl Grant {
    fn caller(self, rights: Rights) -> Caller {
        let application = self.application().cloned();
        let GrantId { workspace, connection, family } = self.id;
        let holder = TokenHolder { connection, family, granted_at: self.granted_at, application };
        Caller {
            workspace,
            environment: self.environment,
            actor: Actor::ConnectionToken(holder),
            role: rights.role,
            scopes: rights.scopes,
        }
    }
}

#[cfg(test)]
mod tests;
