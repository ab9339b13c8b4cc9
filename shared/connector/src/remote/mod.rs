//! A system behind HTTP: its session, its turns, its requests, what its answers mean.

mod answer;
mod auth;
mod build;
mod gate;
mod hook;
mod kept;
mod next;
mod page;
mod passthrough;
pub(crate) mod played;
mod rate;
mod redact;
mod run;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{
    HeaderMap,
    header::{PROXY_AUTHENTICATE, SET_COOKIE, WWW_AUTHENTICATE},
};
use millwright_core::{Clock, ConnectionId, SecretString, WorkspaceId};
use millwright_outbound::{Outbound, Url};
use serde_json::{Map, Value};

pub(crate) use self::kept::{Kept, Shared};
pub(crate) use self::{build::segment, redact::Redaction, run::unanswered};
use self::{
    gate::Gate,
    run::{Job, Reply},
};
pub use self::{
    hook::{HINTS_MAX, Hint},
    passthrough::{PassthroughAnswer, PassthroughRequest},
};
use crate::{
    codec::Zone,
    error::{SystemError, SystemErrorClass},
    json::Row,
    manifest::{HttpProtocol, Manifest, Operation, Request},
    oauth::TokenSource,
    template::Scope,
};

type Credentials = BTreeMap<String, SecretString>;

/// What a system answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The whole body, or the `result` of a call.
    pub value: Row,
    /// Whether a rule says to take it as empty: the value is then null, and there are no rows.
    pub ignored: bool,
    /// A time by the system's clock at which the request had not yet been looked at, in milliseconds
    /// since the epoch: its `Date`, less what the exchange took.
    pub asked_at: Option<i64>,
    /// Its headers (`Link`, `Content-Range`, `ETag`, rate limits), without what is for logging in.
    pub headers: HeaderMap,
    /// The address that was asked.
    pub url: Url,
    redaction: Redaction,
    /// The parameters of its query that the authentication puts there.
    carried: Vec<String>,
}

impl Answer {
    /// The address of the next page, as this answer gives it: on the same host, fit to be kept.
    ///
    /// # Errors
    /// When it is no address, or leads to another host.
    pub fn next_address(&self, text: &str) -> Result<String, SystemError> {
        let url = next::address(&self.url, text, &self.redaction, &self.carried);
        url.map(String::from).map_err(SystemError::malformed)
    }
}

/// What a system says to a question, for a condition to look at.
pub(crate) enum Said {
    /// It answers.
    Answer { status: u16, headers: HeaderMap, value: Row },
    /// It does not, or refuses.
    Error(SystemErrorClass),
}

/// One connection's system.
pub(crate) struct Remote {
    manifest: Arc<Manifest>,
    http: HttpProtocol,
    outbound: Outbound,
    settings: Value,
    zone: Option<Zone>,
    credentials: Credentials,
    tokens: Option<Arc<dyn TokenSource>>,
    shared: Shared,
    kept: Arc<Kept>,
    gates: Vec<Arc<Gate>>,
    /// Calls made since somebody last asked for their number.
    calls: AtomicU64,
}

/// Whose system it is, and how it is reached.
pub(crate) struct Access<'a> {
    pub workspace: &'a WorkspaceId,
    pub connection: &'a ConnectionId,
    pub settings: Map<String, Value>,
    pub credentials: Credentials,
    /// Where its requests get their OAuth tokens from.
    pub tokens: Option<Arc<dyn TokenSource>>,
    /// Which consent these come from.
    pub grant: String,
}

impl Remote {
    pub(crate) fn new(
        manifest: Arc<Manifest>,
        http: HttpProtocol,
        outbound: Outbound,
        shared: Shared,
        access: Access<'_>,
    ) -> Self {
        let Access { workspace, connection, settings, credentials, tokens, grant } = access;
        let zone = manifest.zone(&settings);
        let settings = Value::Object(settings);
        let kept = shared.kept(workspace, connection, &manifest, &settings, (&credentials, &grant));
        let scope = Scope::default().with("settings", settings.clone());
        // An address that cannot be made is told with the first request.
        let origin = build::base(&http, &scope).ok().map(|url| url.origin().ascii_serialization());
        let gates = shared.gates(workspace, connection, &manifest, origin.as_deref());
        let calls = AtomicU64::new(0);
        Self {
            manifest,
            http,
            outbound,
            settings,
            zone,
            credentials,
            tokens,
            shared,
            kept,
            gates,
            calls,
        }
    }

    /// Calls made since this was asked last.
    pub(crate) fn take_calls(&self) -> u64 {
        self.calls.swap(0, Ordering::Relaxed)
    }

    /// Makes a request, logging in first where that is needed. When the system has ended the session
    /// it is made anew, once.
    pub(crate) async fn call(
        &self,
        request: &Request,
        operation: Operation,
        add: impl Fn(Scope) -> Scope + Send + Sync,
    ) -> Result<Answer, SystemError> {
        self.call_at(request, operation, None, add).await
    }

    /// Like [`Self::call`], at an address that an answer gave for the next page. It must be of the
    /// connection's own host.
    pub(crate) async fn call_at(
        &self,
        request: &Request,
        operation: Operation,
        next: Option<&str>,
        add: impl Fn(Scope) -> Scope + Send + Sync,
    ) -> Result<Answer, SystemError> {
        let carried = self.carried_in_query();
        let build = |scope| {
            let mut outgoing = build::request(&self.http, request, &add(scope))?;
            if let Some(next) = next {
                let hidden = Redaction::of(&self.credentials);
                outgoing.url = next::address(&outgoing.url, next, &hidden, &carried)?;
            }
            Ok(outgoing)
        };
        let job = Job { operation, call: request.is_call(), build: &build };
        self.run(&job).await?.into_answer(carried)
    }

    /// Like [`Self::call`], where a redirect is an answer too: an empty one, with its headers.
    pub(crate) async fn call_redirected(
        &self,
        request: &Request,
        operation: Operation,
        add: impl Fn(Scope) -> Scope + Send + Sync,
    ) -> Result<Answer, SystemError> {
        let build = |scope| build::request(&self.http, request, &add(scope));
        let job = Job { operation, call: request.is_call(), build: &build };
        let mut reply = self.run(&job).await?;
        if reply.response.status.is_redirection() {
            reply.verdict = Ok(Row::default());
        }
        reply.into_answer(self.carried_in_query())
    }

    /// Asks a question whose answer a condition looks at.
    pub(crate) async fn said(&self, request: &Request) -> Said {
        let build = |scope| build::request(&self.http, request, &scope);
        let job = Job { operation: Operation::Read, call: request.is_call(), build: &build };
        let reply = match self.run(&job).await {
            Ok(reply) => reply,
            Err(error) => return Said::Error(error.class),
        };
        let status = reply.response.status.as_u16();
        match reply.verdict {
            Ok(value) => Said::Answer { status, headers: reply.response.headers, value },
            Err(error) => Said::Error(error.class),
        }
    }

    /// The parameters of the query that the authentication puts there.
    fn carried_in_query(&self) -> Vec<String> {
        let carriers = self.manifest.auth.carriers().into_iter();
        carriers.flat_map(|(_, query)| query.names().map(str::to_owned)).collect()
    }

    /// The time zone that the system writes its times in, where it says none.
    pub(crate) fn zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    /// Settings, session and snippets: what any template may name.
    fn base(&self, session: Option<&auth::Session>) -> Result<Scope, SystemError> {
        let values = session.map_or(Value::Null, |session| session.values.clone());
        let scope =
            Scope::default().with("settings", self.settings.clone()).with("session", values);
        let scope = scope.zoned(self.zone.clone());
        let mut snippets = Map::new();
        for (name, template) in self.manifest.snippets.iter() {
            let value = template.render(&scope).map_err(|why| unfit(&why))?;
            snippets.insert(name.to_owned(), value);
        }
        Ok(scope.with("snippets", Value::Object(snippets)))
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.shared.clock()
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }
}

impl Reply {
    fn into_answer(self, carried: Vec<String>) -> Result<Answer, SystemError> {
        let asked_at = answer::asked_at(&self.response);
        let mut headers = self.response.headers;
        for name in [SET_COOKIE, WWW_AUTHENTICATE, PROXY_AUTHENTICATE] {
            headers.remove(name);
        }
        let Self { url, redaction, ignored, .. } = self;
        Ok(Answer { value: self.verdict?, ignored, asked_at, headers, url, redaction, carried })
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("connector", &self.manifest.id).finish_non_exhaustive()
    }
}

/// A request that cannot be put together from what there is.
fn unfit(why: &str) -> SystemError {
    SystemError::malformed(format!("the request cannot be made: {why}"))
}
