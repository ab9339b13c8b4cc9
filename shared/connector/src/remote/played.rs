//! The judgement of answers that no wire has carried, by the same rules: those of the sandbox, and
//! those of golden tests.

use std::collections::BTreeMap;

use http::HeaderMap;
use millwright_core::WallTime;
use millwright_outbound::{OutboundError, Request as Outgoing, Response, Url};
use serde_json::Value;

use super::{
    Answer, Hint, answer, build, hook, rate,
    redact::Redaction,
    run::{self, Job},
};
use crate::{
    error::SystemError,
    json::Row,
    manifest::{HttpProtocol, Manifest, Meaning, Operation, Protocol, Request, WebhooksIn},
    template::Scope,
};

/// An answer that is no error.
#[derive(Debug)]
pub(crate) struct Heard {
    /// What it says.
    pub value: Value,
    /// A time from before it was given, by its own date, in milliseconds since the epoch.
    pub asked_at: Option<i64>,
}

/// What an answer means.
pub(crate) fn read(
    manifest: &Manifest,
    operation: Operation,
    response: &Response,
    now: WallTime,
) -> Result<Heard, SystemError> {
    let nobody = |_| Err("nobody is asked".to_owned());
    let job = Job { operation, call: false, build: &nobody };
    let wait = rate::told(&manifest.limits, &response.headers, now).wait;
    let nothing = Redaction::of(&BTreeMap::new());
    let judged = answer::judge(&manifest.errors, &job, response, wait, &nothing);
    Ok(Heard { value: judged.verdict?.to_value(), asked_at: answer::asked_at(response) })
}

/// What the lack of one means.
pub(crate) fn unanswered(error: &OutboundError, operation: Operation) -> SystemError {
    run::unanswered(error, operation)
}

/// What an answer is, and what a rule says that it means.
pub(crate) struct Judged {
    /// Its value, or the error that it is.
    pub verdict: Result<Row, SystemError>,
    /// What a rule of the manifest says that it means.
    pub meaning: Option<Meaning>,
}

/// Judges an answer as one to any request of the manifest, by its own clock.
pub(crate) fn judged(manifest: &Manifest, operation: Operation, response: &Response) -> Judged {
    let nobody = |_| Err("nobody is asked".to_owned());
    let job = Job { operation, call: is_call(manifest), build: &nobody };
    let now = WallTime::from_millis(answer::asked_at(response).unwrap_or_default());
    let wait = rate::told(&manifest.limits, &response.headers, now).wait;
    let nothing = Redaction::of(&BTreeMap::new());
    let judged = answer::judge(&manifest.errors, &job, response, wait, &nothing);
    Judged { verdict: judged.verdict, meaning: judged.meaning }
}

/// The answer to a request at `url` that reads.
pub(crate) fn answer(
    manifest: &Manifest,
    response: &Response,
    url: &Url,
) -> Result<Answer, SystemError> {
    let judged = judged(manifest, Operation::Read, response);
    let carriers = manifest.auth.carriers().into_iter();
    Ok(Answer {
        ignored: judged.meaning == Some(Meaning::Ignore),
        value: judged.verdict?,
        asked_at: answer::asked_at(response),
        headers: response.headers.clone(),
        url: url.clone(),
        redaction: Redaction::of(&BTreeMap::new()),
        carried: carriers.flat_map(|(_, query)| query.names().map(str::to_owned)).collect(),
    })
}

/// A request as it would be sent, all but what makes it known to be the customer's.
pub(crate) fn request(
    http: &HttpProtocol,
    request: &Request,
    scope: &Scope,
) -> Result<Outgoing, String> {
    build::request(http, request, scope)
}

/// What a webhook tells of, taken as genuine.
pub(crate) fn told(
    hooks: &WebhooksIn,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Vec<Hint>, SystemError> {
    hook::hints(hooks, headers, body)
}

/// Whether answers are those of JSON-RPC calls.
fn is_call(manifest: &Manifest) -> bool {
    matches!(&manifest.protocol, Protocol::Http(http) if http.json_rpc.is_some())
}
