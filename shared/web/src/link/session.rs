//! A visit to the pages: one browser on its way through one authorization request, connect link or
//! reconnect link. Only the browser that began it can go on with it: its row is found by the hash of a
//! secret in that browser's cookie.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use millwright_access::oauth::AuthorizationRequest;
use millwright_connection::list_lookup_until;
use millwright_core::{
    ConnectionId, Error, LinkId, Result, WallTime, WorkspaceId, constant_time_eq, random_token,
    sha256_hex,
};
use millwright_store::{Document, Expect, Key, Row, Store, Write};
use millwright_vault::Sealed;
use serde::{Deserialize, Serialize};

use super::brand::Brand;
use crate::App;

/// How long somebody has to find their credentials.
const LIFE: Duration = Duration::from_secs(2 * 3600);
/// How long a form that was sent keeps others from being sent: longer than trying may take.
const TRYING: Duration = Duration::from_secs(45);
/// Letters and digits of a session's name: 95 bits.
const NAME: usize = 16;
/// The same of its secret.
const SECRET: usize = 40;
/// How the names of its cookies begin.
const COOKIE: &str = "mw_link_";

/// A session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Session {
    /// Its name: in the address of its pages and in its cookie's name. No secret.
    pub name: String,
    hash: String,
    /// Whose customers are served.
    pub workspace: WorkspaceId,
    /// What for.
    pub purpose: Purpose,
    /// Whose name is shown.
    pub brand: Brand,
    /// Whether it is in a window that another page has opened.
    pub popup: bool,
    /// The kinds of systems that may be connected; all when empty.
    pub connectors: Vec<String>,
    /// Whether sandboxes are among all of them.
    pub sandbox: bool,
    /// How far it is.
    pub phase: Phase,
    /// Until when it lasts.
    pub expires_at: WallTime,
}

/// What a session is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    /// An application's authorization request (RFC 6749, 4.1.1).
    Authorize(Box<AuthorizationRequest>),
    /// A connect link.
    Link {
        /// The link.
        link: LinkId,
        /// Where its user goes afterwards.
        return_url: Option<String>,
    },
    /// Logging in again.
    Reconnect(ConnectionId),
}

/// How far a session is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Nothing is connected.
    Open,
    /// A form was sent and is being tried since then.
    Trying(WallTime),
    /// Its user is on the system's own page.
    Away(Box<Away>),
    /// The connection is made.
    Connected(ConnectionId),
}

/// What is kept while a user is on the system's own page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Away {
    /// The kind of system.
    pub connector: String,
    /// SHA-256 of the `state` that must come back.
    pub state_hash: String,
    /// What the exchange needs.
    pub sealed: Sealed,
}

impl Document for Session {
    fn expires_at(&self) -> Option<WallTime> {
        Some(self.expires_at)
    }
}

/// What a session is begun with.
pub(super) struct NewSession {
    pub workspace: WorkspaceId,
    pub purpose: Purpose,
    pub brand: Brand,
    pub popup: bool,
    pub connectors: Vec<String>,
    pub sandbox: bool,
}

/// A session and the browser that it belongs to.
pub(super) struct Visit {
    pub row: Row<Session>,
    /// Goes with each form: no other site can know it.
    pub csrf: String,
}

/// Why there is no visit.
pub(super) enum NoVisit {
    /// The browser has no cookie of it.
    Foreign,
    /// It is over.
    Over,
}

/// What became of the wish to try a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It may be tried.
    Taken,
    /// Another one is being tried.
    Busy,
    /// One has succeeded.
    Done,
}

impl Session {
    /// What the wish to try a form comes to at a time. What was kept for an answer of the system's own
    /// page is gone then: it counts once.
    pub fn claim(&mut self, now: WallTime) -> Claim {
        match &self.phase {
            Phase::Connected(_) => Claim::Done,
            Phase::Trying(since) if now.since(*since) < TRYING => Claim::Busy,
            Phase::Open | Phase::Away(_) | Phase::Trying(_) => {
                self.phase = Phase::Trying(now);
                Claim::Taken
            }
        }
    }

    /// The write by which this session goes when a connection that it names is erased.
    fn listed(&self, connection: &ConnectionId) -> Result<Write> {
        let key = session_key(&self.hash);
        list_lookup_until(&self.workspace, connection, &key, self.expires_at)
    }

    /// Whether systems of this kind may be connected. `is_sandbox`: whether it is one for trying out.
    pub fn admits(&self, connector: &str, is_sandbox: bool) -> bool {
        let named = self.connectors.iter().any(|own| own == connector);
        named || (self.connectors.is_empty() && (self.sandbox || !is_sandbox))
    }
}

/// Begins a session: its visit, and the cookie to set.
pub(super) async fn begin(app: &App, new: NewSession) -> Result<(Visit, HeaderValue)> {
    let secret = random_token(SECRET);
    let session = Session {
        name: random_token(NAME),
        hash: sha256_hex(secret.as_bytes()),
        workspace: new.workspace,
        purpose: new.purpose,
        brand: new.brand,
        popup: new.popup,
        connectors: new.connectors,
        sandbox: new.sandbox,
        phase: Phase::Open,
        expires_at: app.clock().wall() + LIFE,
    };
    let key = session_key(&session.hash);
    let mut writes = vec![Write::put(&key, &session, Expect::Absent)?];
    if let Purpose::Reconnect(connection) = &session.purpose {
        writes.push(session.listed(connection)?);
    }
    app.store.transact(writes).await?;
    let row = app.store.get::<Session>(&key).await?;
    let row = row.ok_or_else(|| Error::internal("a session that was made is not there"))?;
    let cookie = cookie(app, &session.name, &secret)?;
    Ok((Visit { csrf: csrf_of(&secret), row }, cookie))
}

/// `HttpOnly`: no script reads it. `SameSite=Lax`: it comes along when a system's own page leads back
/// here, and with no form of another site (RFC 6265bis, 5.6.7).
fn cookie(app: &App, name: &str, secret: &str) -> Result<HeaderValue> {
    let secure = if app.settings.public_url.is_https() { "; Secure" } else { "" };
    let path = super::path(app, "");
    let life = LIFE.as_secs();
    let text = format!(
        "{COOKIE}{name}={secret}; Path={path}; Max-Age={life}; HttpOnly; SameSite=Lax{secure}"
    );
    HeaderValue::from_str(&text).map_err(Error::internal)
}

/// The visit of this browser to the session of this name.
pub(super) async fn visit(
    store: &Store,
    headers: &HeaderMap,
    name: &str,
) -> Result<std::result::Result<Visit, NoVisit>> {
    let Some(secret) = secret_in(headers, name) else { return Ok(Err(NoVisit::Foreign)) };
    let hash = sha256_hex(secret.as_bytes());
    let row = store.get::<Session>(&session_key(&hash)).await?;
    Ok(match row {
        Some(row) if row.doc.name == name => Ok(Visit { row, csrf: csrf_of(secret) }),
        Some(_) => Err(NoVisit::Foreign),
        None => Err(NoVisit::Over),
    })
}

fn session_key(hash: &str) -> Key {
    Key::state(format!("linksession#{hash}"), "session")
}

/// The visits of this browser, whatever their sessions' names; at most 20.
pub(super) async fn visits(store: &Store, headers: &HeaderMap) -> Result<Vec<Visit>> {
    let mut visits = Vec::new();
    let names: Vec<String> = cookies(headers).map(|(name, _)| name.to_owned()).take(20).collect();
    for name in names {
        if let Ok(found) = visit(store, headers, &name).await? {
            visits.push(found);
        }
    }
    Ok(visits)
}

/// The secret in the cookie of the session of this name.
fn secret_in<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookies(headers).find(|(own, _)| *own == name).map(|(_, secret)| secret)
}

/// Names and secrets of the sessions in the cookies.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(key, value)| Some((key.trim().strip_prefix(COOKIE)?, value.trim())))
}

/// The token against forged requests that belongs to a secret: nobody learns the secret from it.
fn csrf_of(secret: &str) -> String {
    sha256_hex(format!("csrf/{secret}").as_bytes())
}

impl Visit {
    /// Whether a form came from a page of this visit.
    pub fn sent_from_here(&self, csrf: &str) -> bool {
        constant_time_eq(self.csrf.as_bytes(), csrf.as_bytes())
    }

    /// The connection is made.
    pub async fn connected(&mut self, store: &Store, connection: &ConnectionId) -> Result<()> {
        store.write(self.row.doc.listed(connection)?).await?;
        let phase = Phase::Connected(connection.clone());
        self.change(store, move |session| session.phase = phase.clone()).await.map(drop)
    }

    /// Changes the session; begins again when another request of the same browser was first.
    pub async fn change<R: Send>(
        &mut self,
        store: &Store,
        change: impl Fn(&mut Session) -> R + Send + Sync,
    ) -> Result<Option<R>> {
        let changed = store.modify(&self.row.key, |session: &mut Session| Ok(change(session)));
        Ok(changed.await?.map(|(row, result)| {
            self.row = row;
            result
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(texts: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(header::COOKIE, text.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_cookie_of_the_session_is_found_among_others() {
        let sent = headers(&["a=b; mw_link_one=first; mw_link_two=second", "mw_link_three=third"]);
        assert_eq!(secret_in(&sent, "two"), Some("second"));
        assert_eq!(secret_in(&sent, "three"), Some("third"));
        assert_eq!(secret_in(&sent, "four"), None);
        assert_eq!(secret_in(&sent, ""), None);
    }

    #[test]
    fn the_token_of_a_form_tells_nothing_of_the_cookie_and_differs_with_it() {
        assert_ne!(csrf_of("one"), csrf_of("two"));
        assert_ne!(csrf_of("one"), sha256_hex(b"one"), "what is in the table is no token");
    }

    fn session(phase: Phase) -> Session {
        Session {
            name: "name".to_owned(),
            hash: "hash".to_owned(),
            workspace: WorkspaceId::new_at(1),
            purpose: Purpose::Reconnect(ConnectionId::new_at(1)),
            brand: Brand::new("Acme", None),
            popup: false,
            connectors: Vec::new(),
            sandbox: false,
            phase,
            expires_at: WallTime::from_millis(0),
        }
    }

    #[test]
    fn of_forms_that_are_sent_at_once_one_is_tried_and_none_after_it_has_succeeded() {
        let mut one = session(Phase::Open);
        let now = WallTime::from_millis(0);
        assert_eq!(one.claim(now), Claim::Taken);
        assert_eq!(one.claim(now + Duration::from_secs(44)), Claim::Busy);
        // Whoever tried it has died.
        assert_eq!(one.claim(now + TRYING), Claim::Taken);
        let mut done = session(Phase::Connected(ConnectionId::new_at(2)));
        assert_eq!(done.claim(now + 2 * TRYING), Claim::Done);
    }

    #[test]
    fn what_is_offered_is_what_was_allowed_and_sandboxes_only_for_trying_out() {
        let mut own = session(Phase::Open);
        assert!(own.admits("tryton", false) && !own.admits("sandbox", true));
        own.connectors = vec!["sandbox".to_owned()];
        assert!(!own.admits("tryton", false) && own.admits("sandbox", true));
    }
}
