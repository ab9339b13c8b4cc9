//! A system behind HTTP: its session, its requests, what its answers mean.

mod answer;
mod build;
mod next;
mod redact;
mod session;

use std::{collections::BTreeMap, sync::Arc};

use http::HeaderMap;
use millwright_core::SecretString;
use millwright_outbound::{FailureClass, Outbound, OutboundError, OverCap};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use self::{redact::Redaction, session::Session};
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{Auth, HttpProtocol, Manifest, Operation, Request},
    template::Scope,
};

/// What a system answered.
#[derive(Debug)]
#[expect(dead_code, reason = "kinds of paging to come read it")]
pub(crate) struct Answer {
    /// The whole body, or the `result` of a call.
    pub value: Value,
    /// A time by the system's clock at which the request had not yet been looked at, in milliseconds
    /// since the epoch: its `Date`, less what the exchange took.
    pub asked_at: Option<i64>,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The address that was asked.
    pub url: Url,
    redaction: Redaction,
}

#[expect(dead_code, reason = "kinds of paging to come read it")]
impl Answer {
    /// The address of the next page, as this answer gives it: on the same host, fit to be kept.
    ///
    /// # Errors
    /// When it is no address, or leads to another host.
    pub fn next_address(&self, text: &str) -> Result<String, SystemError> {
        let url = next::address(&self.url, text, &self.redaction);
        url.map(String::from).map_err(SystemError::malformed)
    }
}

/// One connection's system.
pub(crate) struct Remote {
    manifest: Arc<Manifest>,
    http: HttpProtocol,
    outbound: Outbound,
    settings: Value,
    credentials: BTreeMap<String, SecretString>,
    session: Mutex<Option<Arc<Session>>>,
    gate: Semaphore,
}

impl Remote {
    pub(crate) fn new(
        manifest: Arc<Manifest>,
        http: HttpProtocol,
        outbound: Outbound,
        settings: Map<String, Value>,
        credentials: BTreeMap<String, SecretString>,
    ) -> Self {
        let gate = Semaphore::new(manifest.limits.concurrency);
        let settings = Value::Object(settings);
        let session = Mutex::new(None);
        Self { manifest, http, outbound, settings, credentials, session, gate }
    }

    /// Makes a request, logging in first where that is needed. When the system has ended the session
    /// it is made anew, once.
    pub(crate) async fn call(
        &self,
        request: &Request,
        operation: Operation,
        add: impl Fn(Scope) -> Scope,
    ) -> Result<Answer, SystemError> {
        self.call_at(request, operation, None, add).await
    }

    /// Like [`Self::call`], at an address that an answer gave for the next page.
    pub(crate) async fn call_at(
        &self,
        request: &Request,
        operation: Operation,
        next: Option<&str>,
        add: impl Fn(Scope) -> Scope,
    ) -> Result<Answer, SystemError> {
        let Auth::Login(login) = &self.manifest.auth else {
            return self.exchange(request, operation, None, next, &add).await;
        };
        let session = self.session(login, None).await?;
        match self.exchange(request, operation, Some(&session), next, &add).await {
            Err(error) if error.class == SystemErrorClass::Reauthorize => {
                let fresh = self.session(login, Some(&session)).await?;
                self.exchange(request, operation, Some(&fresh), next, &add).await
            }
            other => other,
        }
    }

    async fn exchange(
        &self,
        request: &Request,
        operation: Operation,
        session: Option<&Session>,
        next: Option<&str>,
        add: &impl Fn(Scope) -> Scope,
    ) -> Result<Answer, SystemError> {
        let scope = add(self.base(session)?);
        let auth = self.auth_headers(session)?;
        let values = session.map(|session| &session.values);
        let redaction = Redaction::new(&self.credentials, values, &auth);
        let mut built = build::request(&self.http, request, &scope, auth)
            .map_err(|why| unfit(&redaction.clean(&why)))?;
        if let Some(next) = next {
            built.url =
                next::address(&built.url, next, &redaction).map_err(SystemError::malformed)?;
        }
        let url = built.url.clone();
        built.timeout = self.manifest.limits.timeout();
        built.body_cap = self.manifest.limits.body_cap_bytes;
        built.over_cap = OverCap::Fail;
        let Ok(_permit) = self.gate.acquire().await else {
            return Err(SystemError::new(
                SystemErrorClass::Unreachable,
                "the connection is closed",
            ));
        };
        match self.outbound.send(built).await {
            Ok(response) => {
                let call = matches!(request, Request::Call(_));
                answer::read(&self.manifest.errors, operation, call, response, url, redaction)
            }
            Err(error) => Err(unanswered(&error, operation)),
        }
    }

    /// Settings, session and snippets: what any template may name.
    fn base(&self, session: Option<&Session>) -> Result<Scope, SystemError> {
        let values = session.map_or(Value::Null, |session| session.values.clone());
        let scope =
            Scope::default().with("settings", self.settings.clone()).with("session", values);
        let mut snippets = Map::new();
        for (name, template) in self.manifest.snippets.iter() {
            let value = template.render(&scope).map_err(|why| unfit(&why))?;
            snippets.insert(name.to_owned(), value);
        }
        Ok(scope.with("snippets", Value::Object(snippets)))
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

fn unanswered(error: &OutboundError, operation: Operation) -> SystemError {
    tracing::debug!(class = error.class.as_str(), detail = error.detail(), "no usable answer");
    let class = match error.class {
        FailureClass::TooLarge | FailureClass::Malformed => SystemErrorClass::Malformed,
        _ => SystemErrorClass::Unreachable,
    };
    let mut system_error = SystemError::new(class, error.to_string());
    system_error.sent = operation == Operation::Write && error.sent();
    system_error
}
