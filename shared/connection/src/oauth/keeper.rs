//! The keeper of a connection's tokens: hands them out, and has them renewed by one at a time.

use std::{sync::Arc, time::Duration};

use millwright_connector::{
    Credentials, SystemError, SystemErrorClass,
    oauth::{Authority, Grant, TokenFuture, TokenSource, Tokens},
};
use millwright_core::{ConnectionId, Error, ErrorCode, Result, SecretString, WorkspaceId};
use millwright_store::{Key, Row};
use serde_json::{Map, Value};
use tokio::time::sleep;

use super::keeping::{Keeping, Known, Next, TERM};
use crate::{
    Connection, ConnectionContext,
    credentials::{SealedCredentials, open_credentials, sealed, secret_key},
};

/// Between two looks at what another one is renewing; doubled each time.
const LOOK_AFTER: Duration = Duration::from_millis(40);
const LOOK_AFTER_MAX: Duration = Duration::from_secs(1);
/// How often the tokens that were just given are tried to be stored: without it they would be lost.
const STORE_TRIES: u32 = 6;

/// Keeps the tokens of one connection. Clones keep the same.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<Inner>);

struct Inner {
    context: ConnectionContext,
    workspace: WorkspaceId,
    connection: ConnectionId,
    connector_id: String,
    settings: Map<String, Value>,
    key: Key,
}

/// What is stored, opened.
pub(super) struct Stored {
    pub(super) keeping: Keeping,
    pub(super) credentials: Credentials,
    pub(super) tokens: Option<Tokens>,
    pub(super) authority: Authority,
}

/// Whether a renewal is ours to do.
enum Claim {
    Ours,
    Another,
    /// Somebody else has renewed, or tried in vain.
    Done,
}

impl TokenSource for Keeper {
    fn tokens<'a>(&'a self, dead: Option<&'a SecretString>) -> TokenFuture<'a> {
        Box::pin(self.good(dead))
    }
}

impl Keeper {
    /// The keeper of a connection's tokens.
    ///
    /// # Errors
    /// `CONNECTION_PENDING` when nobody has chosen the kind of system.
    pub(crate) fn of(context: &ConnectionContext, connection: &Connection) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            context: context.clone(),
            workspace: connection.workspace.clone(),
            connection: connection.id.clone(),
            connector_id: connection.connector()?.to_owned(),
            settings: connection.settings.clone(),
            key: secret_key(&connection.workspace, &connection.id),
        })))
    }

    /// Good tokens; nothing when the `dead` one is all there is.
    async fn good(&self, dead: Option<&SecretString>) -> Result<Option<Tokens>, SystemError> {
        let mut look_after = LOOK_AFTER;
        loop {
            let stored = self.stored().await.map_err(|error| self.ours(&error))?;
            let ended = match self.next(&stored, dead).map_err(|error| self.ours(&error))? {
                Next::Use => return Ok(stored.tokens),
                Next::Stands => return Ok(None),
                Next::Wait(error) => return Err(error),
                Next::Renew { ended } => ended,
            };
            match self.claim(&stored.keeping).await.map_err(|error| self.ours(&error))? {
                Claim::Ours => {
                    let still_good = stored.tokens.clone().filter(|_| !ended);
                    return match (self.renew(stored, ended, dead.is_some()).await, still_good) {
                        (Ok(tokens), _) => Ok(Some(tokens)),
                        (Err(_), Some(tokens)) => Ok(Some(tokens)),
                        (Err(error), None) => Err(error),
                    };
                }
                Claim::Another => {
                    sleep(look_after).await;
                    look_after = (look_after * 2).min(LOOK_AFTER_MAX);
                }
                Claim::Done => {}
            }
        }
    }

    /// What to do now that a token is wanted.
    fn next(&self, stored: &Stored, dead: Option<&SecretString>) -> Result<Next> {
        let clock = self.0.context.store.clock();
        let known = Known {
            tokens: stored.tokens.as_ref(),
            keeping: &stored.keeping,
            rules: stored.authority.rules()?,
            renewable: stored.renewable(),
            wall: clock.wall(),
            schedule: clock.schedule(),
        };
        Ok(known.next(dead))
    }

    /// What is stored.
    pub(super) async fn stored(&self) -> Result<Stored> {
        let Inner { context, workspace, connection, connector_id, settings, key } = &*self.0;
        let row = context.store.get::<SealedCredentials>(key).await?;
        let row: Row<SealedCredentials> = row.ok_or_else(crate::credentials::destroyed)?;
        let credentials = open_credentials(context, workspace, connection, &row.doc).await?;
        let authority = context.engine.authority(connector_id, settings, &credentials)?;
        let authority = authority.ok_or_else(|| Error::internal("a connector without OAuth"))?;
        let tokens = Tokens::among(&credentials);
        Ok(Stored { keeping: row.doc.oauth, credentials, tokens, authority })
    }

    /// Takes the lease, unless another one has it or something has happened since the row was read.
    async fn claim(&self, seen: &Keeping) -> Result<Claim> {
        let store = &self.0.context.store;
        let now = store.clock().wall();
        let claimed = store.modify(&self.0.key, |doc: &mut SealedCredentials| {
            if doc.oauth.set != seen.set || doc.oauth.trouble != seen.trouble {
                return Ok(Claim::Done);
            }
            Ok(match doc.oauth.lease.take(now, TERM) {
                Ok(_) => Claim::Ours,
                Err(_) => Claim::Another,
            })
        });
        claimed.await?.map(|(_, claim)| claim).ok_or_else(crate::credentials::destroyed)
    }

    /// Renews under the lease, and stores what was given before anybody uses it. It is not given up when
    /// the caller is: the server may have answered already, and its answer is all we have.
    async fn renew(
        &self,
        stored: Stored,
        ended: bool,
        forced: bool,
    ) -> Result<Tokens, SystemError> {
        let keeper = self.clone();
        let work = async move { keeper.renew_and_store(stored, ended, forced).await };
        match tokio::spawn(work).await {
            Ok(renewed) => renewed,
            Err(error) => Err(self.ours(&Error::internal(error))),
        }
    }

    async fn renew_and_store(
        &self,
        stored: Stored,
        ended: bool,
        forced: bool,
    ) -> Result<Tokens, SystemError> {
        match stored.authority.renew(stored.tokens.as_ref()).await {
            Ok(tokens) => {
                let kept = self.store(stored, &tokens, forced).await;
                kept.map_err(|error| self.ours(&error))
            }
            Err(error) => {
                self.note(&stored.keeping.set, &error, ended).await;
                Err(error)
            }
        }
    }

    /// Stores tokens in place of the set that they were renewed from. Where another set is stored by
    /// now (somebody logged in again, or our lease had ended), that one counts.
    async fn store(&self, stored: Stored, tokens: &Tokens, forced: bool) -> Result<Tokens> {
        let mut tries = 0;
        loop {
            match self.store_once(&stored, tokens, forced).await {
                Ok(true) => {
                    tracing::info!(connection = %self.0.connection, "token renewed");
                    return Ok(tokens.clone());
                }
                Ok(false) => {
                    let present = self.stored().await?.tokens;
                    return present.ok_or_else(|| Error::internal("no tokens are stored"));
                }
                Err(error) if tries < STORE_TRIES && error.code.status() >= 500 => {
                    tries += 1;
                    tracing::warn!(connection = %self.0.connection, %error, tries, "token not stored yet");
                    sleep(LOOK_AFTER * 2_u32.pow(tries)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn store_once(&self, stored: &Stored, tokens: &Tokens, forced: bool) -> Result<bool> {
        let Inner { context, workspace, connection, key, .. } = &*self.0;
        let mut credentials = stored.credentials.clone();
        tokens.put_into(&mut credentials);
        let fresh = sealed(&context.vault, workspace, connection, &credentials).await?;
        let (set, clock) = (&stored.keeping.set, context.store.clock());
        let (wall, schedule) = (clock.wall(), clock.schedule());
        let written = context.store.modify(key, |doc: &mut SealedCredentials| {
            let ours = doc.oauth.set == *set;
            if ours {
                doc.oauth = doc.oauth.renewed(forced, wall, schedule);
                doc.sealed = fresh.clone();
            }
            Ok(ours)
        });
        written.await?.map(|(_, ours)| ours).ok_or_else(crate::credentials::destroyed)
    }

    /// Takes note of a try in vain.
    async fn note(&self, set: &str, error: &SystemError, ended: bool) {
        let (class, upstream) = (error.class, error.upstream.code.as_deref());
        tracing::warn!(connection = %self.0.connection, ?class, upstream, "token not renewed");
        let store = &self.0.context.store;
        let now = store.clock().schedule();
        let noted = store.modify(&self.0.key, |doc: &mut SealedCredentials| {
            if doc.oauth.set == set {
                doc.oauth.failed(error, ended, now);
            }
            Ok(())
        });
        if let Err(error) = noted.await {
            tracing::warn!(connection = %self.0.connection, %error, "failed renewal not noted");
        }
    }

    /// Renews tokens that nobody has used for long, where they are still those of `set`. The lease of
    /// another is left alone.
    pub(super) async fn renew_unused(&self, stored: Stored) -> Result<()> {
        let ended = {
            let now = self.0.context.store.clock().wall();
            stored.tokens.as_ref().is_none_or(|tokens| tokens.have_ended(now))
        };
        if matches!(self.claim(&stored.keeping).await?, Claim::Ours) {
            // What came of it stands in the row; the verdict on the connection is the probe's.
            let _ = self.renew(stored, ended, false).await;
        }
        Ok(())
    }

    pub(super) fn key(&self) -> &Key {
        &self.0.key
    }

    /// A fault that says nothing of the system. That the connection was disconnected meanwhile is passed
    /// on.
    fn ours(&self, error: &Error) -> SystemError {
        if error.code == ErrorCode::ConnectionDisconnected {
            let mut gone = SystemError::new(SystemErrorClass::Malformed, error.message.clone());
            gone.contract = Some(error.code);
            return gone;
        }
        tracing::error!(connection = %self.0.connection, %error, "token not had");
        let message = "the connection's token cannot be had at the moment";
        SystemError::new(SystemErrorClass::Malformed, message)
    }
}

impl Stored {
    /// Whether there is anything to renew the token with.
    pub(super) fn renewable(&self) -> bool {
        let refresh = self.tokens.as_ref().is_some_and(|tokens| tokens.refresh_token.is_some());
        self.authority.grant() != Grant::Code || refresh
    }
}
