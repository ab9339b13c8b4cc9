//! What becomes of a call: decided from what was told, what was counted, and the time.

use std::time::Duration;

use millwright_core::ScheduleTime;

use super::{
    call::Call,
    reply::Reply,
    scenario::{Counted, Named, Rule, Scenario, Told, Window},
};

/// How long a write takes that is slower than a call of the API waits (20 seconds).
const SLOW_WRITE: Duration = Duration::from_secs(25);
/// Longer than any caller waits for an answer.
const FOR_EVER: Duration = Duration::from_secs(3600);
/// What a login with a second factor takes.
pub(super) const SECOND_FACTOR: &str = "123456";

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Play {
    /// How long it takes.
    pub delay: Duration,
    /// What it comes to.
    pub course: Course,
}

/// What a call comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Course {
    /// What it should.
    Own,
    /// Nothing: there is nobody to call.
    Unreachable,
    /// Another answer, in place of doing anything.
    Instead(Reply),
    /// What it should, but for faults in the rows.
    Faulty(Faults),
    /// It is done, and the answer is lost.
    Unheard,
}

/// Which faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Faults {
    /// Rows of another form than agreed.
    Drift,
    /// Some rows that cannot be read; a part of what is written is forgotten.
    Some,
}

impl Play {
    pub(super) const OWN: Self = Self { delay: Duration::ZERO, course: Course::Own };

    fn of(course: Course) -> Self {
        Self { delay: Duration::ZERO, course }
    }

    fn delayed(delay: Duration) -> Self {
        Self { delay, course: Course::Own }
    }

    fn refused(status: u16, code: &str, message: &str) -> Self {
        Self::of(Course::Instead(Reply::refusal(status, code, message)))
    }
}

/// Which of what was told counts the call. Empty when it does not matter how many there were.
pub(super) fn counting(told: &Told, call: &Call<'_>) -> Vec<bool> {
    match told {
        Told::Rules(rules) => rules.iter().map(|rule| rule.counts(call)).collect(),
        Told::Named(Named { name: Scenario::Flaky | Scenario::RateLimit(_), .. }) => {
            vec![!call.is_probe()]
        }
        Told::Named(_) => Vec::new(),
    }
}

/// What becomes of a call by what was told.
pub(super) fn play(told: &Told, call: &Call<'_>, counted: &Counted, now: ScheduleTime) -> Play {
    match told {
        Told::Rules(rules) => by_rules(rules, call, &counted.before),
        Told::Named(Named { name, window }) => match window {
            Some(window) if !window.holds(now) => Play::OWN,
            _ => by_name(*name, call, counted.before.first().copied().unwrap_or(0)),
        },
    }
}

/// The outage of a login begins with the first call that reads something, so that connecting works.
pub(super) fn outage_of_login(lasts: Duration, began: ScheduleTime) -> Told {
    let window = Window { from: began, to: Some(began + lasts) };
    Told::Named(Named { name: Scenario::Outage(Some(lasts)), window: Some(window) })
}

fn by_rules(rules: &[Rule], call: &Call<'_>, before: &[u64]) -> Play {
    let mut counted = rules.iter().zip(before);
    let answering = counted.find(|(rule, before)| rule.counts(call) && rule.answers(**before));
    let Some((rule, _)) = answering else { return Play::OWN };
    let course = Reply::of_rule(&rule.respond).map_or(Course::Own, Course::Instead);
    Play { delay: Duration::from_millis(rule.respond.delay_ms), course }
}

/// `before` is how many calls there have been, where that is counted.
fn by_name(name: Scenario, call: &Call<'_>, before: u64) -> Play {
    match name {
        Scenario::Expired => Play::refused(401, "EXPIRED", "the credentials have expired"),
        Scenario::Denied => Play::refused(401, "DENIED", "wrong user name or password"),
        Scenario::Mfa => Play::refused(401, "MFA_REQUIRED", "a second factor is needed"),
        Scenario::Slow(delay) => Play::delayed(delay),
        Scenario::Timeout => Play::delayed(FOR_EVER),
        Scenario::Status(429) => Play::of(Course::Instead(too_many(Duration::from_secs(5)))),
        Scenario::Status(status) => Play::of(Course::Instead(Reply::status(status))),
        Scenario::Outage(_) | Scenario::Down => Play::of(Course::Unreachable),
        _ if call.is_probe() => Play::OWN,
        Scenario::Flaky if before.is_multiple_of(3) => {
            Play::of(Course::Instead(Reply::status(503)))
        }
        Scenario::RateLimit(wait) if before.is_multiple_of(2) => {
            Play::of(Course::Instead(too_many(wait)))
        }
        Scenario::PermissionDenied => {
            Play::refused(403, "FORBIDDEN", "the account may not do this")
        }
        Scenario::Malformed => Play::of(Course::Instead(Reply::page())),
        Scenario::SchemaDrift => Play::of(Course::Faulty(Faults::Drift)),
        Scenario::PartialFailure => Play::of(Course::Faulty(Faults::Some)),
        Scenario::LostAnswer if call.is_write() => Play::of(Course::Unheard),
        Scenario::SlowWrite if call.is_write() => Play::delayed(SLOW_WRITE),
        Scenario::Ok
        | Scenario::Flaky
        | Scenario::RateLimit(_)
        | Scenario::LostAnswer
        | Scenario::SlowWrite
        | Scenario::Changes(_)
        | Scenario::Data(_) => Play::OWN,
    }
}

fn too_many(wait: Duration) -> Reply {
    let reply = Reply::refusal(429, "TOO_MANY_REQUESTS", "too many requests");
    reply.with("retry-after", wait.as_secs().to_string())
}
