//! The row, and the decision what a request with its key may do.

use std::time::Duration;

use http::StatusCode;
use millwright_access::{Caller, Need, Role};
use millwright_connection::idempotency_pk;
use millwright_core::{ConnectionId, Error, ErrorCode, Result, Upstream, WallTime, WorkspaceId};
use millwright_store::{Document, Key};
use serde::{Deserialize, Serialize};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long a claim lasts whose process has died: twice what a request may take (API Gateway, 30 s).
const CLAIM: Duration = Duration::from_secs(60);

/// The row of one idempotency key. The answer's body is the row's body, sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The request that the key was used for.
    pub(super) fingerprint: String,
    /// The role its answer needs: who may less must not be told it.
    pub(super) role: Role,
    /// Whether it needs the right to native calls instead.
    #[serde(default)]
    pub(super) passthrough: bool,
    /// What running it twice would do.
    #[serde(default)]
    pub(super) twice: Twice,
    /// How far it is.
    pub(super) state: State,
    /// When the key may be used anew.
    pub(super) until: WallTime,
    /// The connection that the request is about: its answer goes when that is erased.
    #[serde(default)]
    pub(super) connection: Option<ConnectionId>,
}

/// What running a request twice would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Twice {
    /// No harm: either all of it is ours, or it finds out first what the first one did.
    #[default]
    Harmless,
    /// It is sent on to a connected system as it is, where nothing tells what became of the first one.
    Unknown,
}

/// How far the request is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It runs, or its process died before this time.
    Running(WallTime),
    /// It was answered so.
    Answered(Head),
}

/// The answer without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Its status.
    pub(super) status: u16,
    /// Its headers, as far as they are text.
    pub(super) headers: Vec<(String, String)>,
    /// Whether the body is in the blob store, being too large for the row.
    pub(super) in_blob: bool,
}

impl Document for Record {
    fn expires_at(&self) -> Option<WallTime> {
        Some(self.until)
    }
}

/// What a request with a known key may do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Run: the claim before it has died, and running twice does no harm.
    Run,
    /// Be told this answer again.
    Replay(Head),
}

impl Record {
    /// A claim for a request that starts now, made with a key of this role.
    pub(super) fn claim(fingerprint: &str, role: Role, twice: Twice, now: WallTime) -> Self {
        Self {
            fingerprint: fingerprint.to_owned(),
            role,
            passthrough: false,
            twice,
            state: State::Running(now + CLAIM),
            until: now + KEPT,
            connection: None,
        }
    }

    /// When the first request with the key began.
    pub(super) fn begun(&self) -> WallTime {
        self.until - KEPT
    }

    /// What one must be allowed to do to be told the answer.
    fn need(&self) -> Need {
        if self.passthrough { Need::Passthrough } else { Need::Role(self.role) }
    }

    /// Sets what one must be allowed to do to be told the answer.
    pub(super) fn set_need(&mut self, need: Need) {
        match need {
            Need::Role(role) => (self.role, self.passthrough) = (role, false),
            Need::Passthrough => self.passthrough = true,
        }
    }

    /// What a request may do that comes with the same key.
    ///
    /// # Errors
    /// `IDEMPOTENCY_CONFLICT` for another request, `PERMISSION_DENIED` for a role that may not be told
    /// the answer, `IDEMPOTENCY_IN_PROGRESS` while the first one runs, `WRITE_OUTCOME_UNKNOWN` when
    /// it died and may have reached the system.
    pub(super) fn decide(
        &self,
        fingerprint: &str,
        caller: &Caller,
        now: WallTime,
    ) -> Result<Decision> {
        if self.fingerprint != fingerprint {
            let message = "this idempotency key was used for another request";
            return Err(Error::new(ErrorCode::IdempotencyConflict, message));
        }
        match &self.state {
            State::Running(until) if *until > now => {
                let message = "the first request with this idempotency key is still running";
                Err(Error::new(ErrorCode::IdempotencyInProgress, message))
            }
            State::Running(_) if self.twice == Twice::Unknown => {
                // Who may not write has not been told more than that the key is in use.
                caller.require(Need::Passthrough).or(caller.require(Need::Role(Role::Write)))?;
                Err(outcome_unknown())
            }
            State::Running(_) => Ok(Decision::Run),
            State::Answered(head) => {
                caller.require(self.need())?;
                Ok(Decision::Replay(head.clone()))
            }
        }
    }
}

fn outcome_unknown() -> Error {
    let message = "the first request with this idempotency key broke off, and nobody knows whether \
                   the system did what it asked for: look there before you try again with a new key";
    Error::new(ErrorCode::WriteOutcomeUnknown, message)
}

/// Whether an answer is kept: a success, or a failure after something was sent to the system. What
/// may succeed on another try is not kept, or that try would only be told of the first.
pub(super) fn is_kept(status: StatusCode, error: Option<&Error>) -> bool {
    let Some(error) = error else { return status.is_success() };
    let answered = error.upstream.as_ref().is_some_and(|said| *said != Upstream::default());
    let sent = answered || error.code == ErrorCode::WriteOutcomeUnknown;
    sent && !error.retryable()
}

/// Where the row of a key is.
pub(super) fn record_key(workspace: &WorkspaceId, hash: &str) -> Key {
    Key::state(idempotency_pk(workspace), hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role) -> Caller {
        Caller {
            workspace: WorkspaceId::new_at(1),
            environment: millwright_access::Environment::Test,
            actor: millwright_access::Actor::ApiKey(millwright_core::ApiKeyId::new_at(1)),
            role,
            scopes: vec![],
        }
    }

    const NOW: WallTime = WallTime::from_millis(1_000_000);

    fn answered() -> (Record, Head) {
        let head = Head { status: 201, headers: vec![], in_blob: false };
        let claim = Record::claim("f", Role::Write, Twice::Harmless, NOW);
        (Record { state: State::Answered(head.clone()), ..claim }, head)
    }

    #[test]
    fn a_running_request_is_waited_for_and_a_dead_one_is_not() {
        let claim = Record::claim("f", Role::Admin, Twice::Harmless, NOW);
        let code = |at| claim.decide("f", &caller(Role::Write), at).map_err(|error| error.code);
        let running = Err(ErrorCode::IdempotencyInProgress);
        assert_eq!(code(NOW + Duration::from_secs(59)), running);
        assert_eq!(code(NOW + CLAIM), Ok(Decision::Run));
        assert_eq!(claim.begun(), NOW);
    }

    #[test]
    fn a_native_call_that_died_is_not_made_twice() {
        let claim = Record::claim("f", Role::Write, Twice::Unknown, NOW);
        let code = |role, at| claim.decide("f", &caller(role), at).unwrap_err().code;
        assert_eq!(code(Role::Write, NOW), ErrorCode::IdempotencyInProgress);
        assert_eq!(code(Role::Write, NOW + CLAIM), ErrorCode::WriteOutcomeUnknown);
        assert_eq!(code(Role::Admin, NOW + CLAIM * 100), ErrorCode::WriteOutcomeUnknown);
        assert_eq!(code(Role::Read, NOW + CLAIM), ErrorCode::PermissionDenied);
    }

    #[test]
    fn the_same_request_is_told_the_same_answer() {
        let (record, head) = answered();
        assert_eq!(record.decide("f", &caller(Role::Admin), NOW).unwrap(), Decision::Replay(head));
        assert_eq!(record.expires_at(), Some(NOW + Duration::from_secs(86_400)));
    }

    #[test]
    fn another_request_and_a_lesser_role_are_refused() {
        let (record, _) = answered();
        let code =
            |fingerprint, role| record.decide(fingerprint, &caller(role), NOW).unwrap_err().code;
        assert_eq!(code("g", Role::Write), ErrorCode::IdempotencyConflict);
        assert_eq!(code("f", Role::Read), ErrorCode::PermissionDenied);
    }

    #[test]
    fn the_answer_to_a_native_call_is_for_those_who_may_make_one() {
        let (mut record, _) = answered();
        record.set_need(Need::Passthrough);
        let mut scoped = caller(Role::Read);
        scoped.scopes.push(millwright_access::Scope::Passthrough);
        assert!(record.decide("f", &scoped, NOW).is_ok());
        assert!(record.decide("f", &caller(Role::Admin), NOW).is_ok());
        assert!(record.decide("f", &caller(Role::Write), NOW).is_err());
    }

    #[test]
    fn a_failure_is_kept_only_after_something_was_sent() {
        let kept = |error: Error| {
            is_kept(StatusCode::from_u16(error.code.status()).unwrap(), Some(&error))
        };
        let said = || Upstream { status: Some(200), ..Upstream::default() };
        assert!(kept(Error::new(ErrorCode::BusinessRuleViolated, "no").with_upstream(said())));
        assert!(kept(Error::new(ErrorCode::WriteOutcomeUnknown, "who knows")));
        for code in [ErrorCode::UpstreamRateLimited, ErrorCode::SystemUnreachable] {
            assert!(!kept(Error::new(code, "later").with_upstream(said())), "{code}");
        }
        let nothing_said = Upstream::default();
        let refused = Error::new(ErrorCode::CredentialsRefused, "no");
        assert!(!kept(refused.with_upstream(nothing_said)));
        for code in [
            ErrorCode::ValidationFailed,
            ErrorCode::NotFound,
            ErrorCode::ConnectionUnavailable,
            ErrorCode::InternalError,
        ] {
            assert!(!kept(Error::new(code, "before anything was sent")), "{code}");
        }
        assert!(is_kept(StatusCode::CREATED, None));
    }
}
