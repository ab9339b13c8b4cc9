//! What an authorization server's answer means.

use http::{HeaderMap, header::RETRY_AFTER};
use millwright_core::{SecretString, WallTime};
use millwright_outbound::{OutboundError, Response};
use serde_json::{Map, Value};

use super::{Grant, Tokens};
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{Operation, TokenRules},
    path::Path,
    remote::{Redaction, unanswered},
    template::Scope,
};

use std::time::Duration;

/// The life of a token that is simply asked for anew, where nobody says it.
const UNTOLD_LIFE: Duration = Duration::from_secs(55 * 60);
/// Longer waits are not believed.
const WAIT_MAX: Duration = Duration::from_secs(3600);

pub(super) fn no_answer(error: &OutboundError) -> SystemError {
    let mut no_answer = unanswered(error, Operation::Login);
    no_answer.message = format!("the authorization server: {}", no_answer.message);
    no_answer
}

/// The tokens in an answer, or the error that it is (RFC 6749, 5). `own_client`: the client is this
/// deployment's own registration, so that a refusal of it says nothing of the customer's login.
pub(super) fn judge(
    rules: &TokenRules,
    grant: Grant,
    answer: &Response,
    now: WallTime,
    redaction: &Redaction,
    own_client: bool,
) -> Result<Tokens, SystemError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let token = rules.access_token.text(&body).filter(|token| !token.is_empty());
    match (answer.status.as_u16(), token) {
        (200..=299, Some(token)) => {
            let token = SecretString::from(token.into_owned());
            tokens(rules, grant, token, &body, now)
        }
        // Some say no with a 200.
        (200..=299, None) if text(&body, "error").is_none() => {
            Err(said(SystemErrorClass::Malformed, "gave no access token", answer, &body, redaction))
        }
        (status, _) => {
            let code = text(&body, "error").unwrap_or_default();
            let (class, words) = meaning(status, &code, own_client);
            Err(said(class, words, answer, &body, redaction))
        }
    }
}

fn meaning(status: u16, code: &str, own_client: bool) -> (SystemErrorClass, &'static str) {
    let later = ["temporarily_unavailable", "server_error", "slow_down"].contains(&code);
    match status {
        408 | 429 | 500.. => (SystemErrorClass::Unreachable, "is not working"),
        _ if later => (SystemErrorClass::Unreachable, "is not working"),
        200..=299 | 400..=499 => {
            if own_client && ["invalid_client", "unauthorized_client"].contains(&code) {
                let words = "refuses this deployment's own registration";
                return (SystemErrorClass::Malformed, words);
            }
            (SystemErrorClass::Reauthorize, "refuses to give or renew a token")
        }
        _ => (SystemErrorClass::Malformed, "answered with something that cannot be used"),
    }
}

fn said(
    class: SystemErrorClass,
    words: &str,
    answer: &Response,
    body: &Value,
    redaction: &Redaction,
) -> SystemError {
    let mut error = SystemError::new(class, format!("the authorization server {words}"));
    error.upstream.status = Some(answer.status.as_u16());
    error.upstream.code = text(body, "error").map(|code| redaction.clean(&code));
    error.upstream.message = text(body, "error_description").map(|text| redaction.clean(&text));
    if class == SystemErrorClass::Unreachable {
        error.retry_after = asked_wait(&answer.headers);
    }
    error
}

fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}

fn text(body: &Value, name: &str) -> Option<String> {
    body.get(name)?.as_str().map(str::to_owned)
}

fn tokens(
    rules: &TokenRules,
    grant: Grant,
    access_token: SecretString,
    body: &Value,
    now: WallTime,
) -> Result<Tokens, SystemError> {
    let at = |path: &Path| path.text(body).map(std::borrow::Cow::into_owned);
    let refresh = at(&rules.refresh_token).filter(|token| !token.is_empty());
    let told = at(&rules.expires).and_then(|text| rules.expires_form.read(&text, now));
    let usual = rules.life_seconds.map(|life| Duration::from_secs(u64::from(life)));
    let usual = usual.or((grant != Grant::Code).then_some(UNTOLD_LIFE));
    let expires_at = told.or_else(|| usual.map(|life| now + life));
    let scope = Scope::default().with("answer", body.clone());
    let mut kept = Map::new();
    for (name, template) in rules.keep.iter() {
        let value = template.render(&scope);
        kept.insert(name.to_owned(), value.map_err(SystemError::malformed)?);
    }
    Ok(Tokens {
        access_token,
        refresh_token: refresh.map(SecretString::from).filter(|_| grant == Grant::Code),
        expires_at,
        obtained_at: now,
        kept,
        grant: String::new(),
    })
}
