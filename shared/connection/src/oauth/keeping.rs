//! Who renews the tokens of a connection just now, what became of the last tries, and what to do next:
//! decided without I/O.

use std::time::Duration;

use millwright_connector::{SystemError, SystemErrorClass, manifest::TokenRules, oauth::Tokens};
use millwright_core::{ScheduleTime, SecretString, WallTime, random_token};
use millwright_store::Lease;
use serde::{Deserialize, Serialize};

/// How long one may take to renew: longer than any exchange with the server, and its write.
pub(crate) const TERM: Duration = Duration::from_secs(30);
/// Tokens to renew with are used at least so often: many die of disuse, and a dead one is found early.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The wait after the second try in vain; doubled for each further one.
const COOL_DOWN: Duration = Duration::from_secs(30);
const COOL_DOWN_MAX: Duration = Duration::from_secs(15 * 60);
/// A token that was renewed because the system refused the one before is not renewed for the same cause
/// again so soon: what the system says must then stand.
const FORCED_EVERY: Duration = Duration::from_secs(60);

/// What is kept beside the sealed credentials. No secret is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Keeping {
    /// Who renews just now.
    pub(crate) lease: Lease,
    /// Names the tokens that are stored: another name for each set of them.
    pub(crate) set: String,
    /// When they were got; nothing until somebody has looked.
    pub(crate) renewed_at: Option<ScheduleTime>,
    /// When a renewal was last forced by the system's refusal.
    forced_at: Option<WallTime>,
    /// The tries in vain since.
    pub(crate) trouble: Option<Trouble>,
}

/// Tries in vain, one after the other, of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    kind: Kind,
    /// Whether there was no good token any more.
    ended: bool,
    /// How many tries.
    pub(crate) times: u32,
    /// How many of them count: at most one a day.
    pub(crate) counted: u32,
    counted_at: ScheduleTime,
    /// When to try again, where that is not at once.
    retry_at: Option<ScheduleTime>,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// The authorization server says no.
    Refused,
    /// It does not answer.
    Unreachable,
    /// It answers with something else.
    Unusable,
}

/// What is known when a token is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub tokens: Option<&'a Tokens>,
    pub keeping: &'a Keeping,
    pub rules: &'a TokenRules,
    /// Whether there is anything to renew with.
    pub renewable: bool,
    pub wall: WallTime,
    pub schedule: ScheduleTime,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Next {
    /// The stored token is good.
    Use,
    /// No other token is to be had: what the system says stands.
    Stands,
    /// Renew it. `ended`: there is no good token any more.
    Renew { ended: bool },
    /// The last tries were in vain, and the next is not due.
    Wait(SystemError),
}

impl Known<'_> {
    /// What to do when a token is wanted; `dead` is one that the system has just refused.
    pub(crate) fn next(self, dead: Option<&SecretString>) -> Next {
        let Some(tokens) = self.tokens else { return self.renewal(true) };
        let refused = dead.is_some_and(|dead| tokens.carries(dead));
        if refused {
            let forced = self.keeping.forced_at;
            let lately = forced.is_some_and(|at| self.wall.since(at) < FORCED_EVERY);
            return if lately || !self.renewable { Next::Stands } else { self.renewal(true) };
        }
        let time = tokens.renew_at(self.rules).is_some_and(|at| at <= self.wall);
        if time && self.renewable {
            return self.renewal(tokens.have_ended(self.wall));
        }
        // One that has ended and cannot be renewed: let the system say so.
        Next::Use
    }

    fn renewal(self, ended: bool) -> Next {
        let held =
            self.keeping.trouble.as_ref().filter(|trouble| trouble.holds(ended, self.schedule));
        match held {
            None => Next::Renew { ended },
            Some(trouble) if ended => Next::Wait(trouble.error(self.schedule)),
            Some(_) => Next::Use,
        }
    }
}

impl Keeping {
    /// For tokens that are stored now.
    pub(crate) fn new() -> Self {
        Self { set: random_token(12), ..Self::default() }
    }

    /// After a renewal; `forced` when the system had refused the token before.
    pub(crate) fn renewed(&self, forced: bool, wall: WallTime, now: ScheduleTime) -> Self {
        let mut lease = self.lease.clone();
        lease.release();
        let forced_at = if forced { Some(wall) } else { self.forced_at };
        Self { lease, renewed_at: Some(now), forced_at, ..Self::new() }
    }

    /// After a try in vain. `ended`: there was no good token any more.
    pub(crate) fn failed(&mut self, error: &SystemError, ended: bool, now: ScheduleTime) {
        self.lease.release();
        let kind = Kind::of(error.class);
        let before = self.trouble.take();
        let goes_on = before.as_ref().is_some_and(|old| old.kind == kind && old.ended == ended);
        let times =
            before.as_ref().filter(|_| goes_on).map_or(1, |old| old.times.saturating_add(1));
        let (counted, counted_at) = match &before {
            Some(old) if now.since(old.counted_at) < DAY => (old.counted, old.counted_at),
            Some(old) => (old.counted.saturating_add(1), now),
            None => (1, now),
        };
        let pause = pause_after(kind, ended, times)
            .max(error.retry_after.filter(|_| kind != Kind::Refused));
        let retry_at = pause.map(|pause| now + pause);
        let message = error.message.clone();
        self.trouble = Some(Trouble { kind, ended, times, counted, counted_at, retry_at, message });
    }

    /// When tokens that nobody uses are renewed.
    pub(crate) fn due_at(&self, rules: &TokenRules) -> Option<ScheduleTime> {
        let idle = rules.idle_days.map(|days| DAY * days / 2);
        let usual = self.renewed_at? + idle.map_or(DAY, |idle| idle.min(DAY));
        let held = self.trouble.as_ref().and_then(|trouble| trouble.retry_at);
        Some(held.map_or(usual, |held| usual.max(held)))
    }
}

/// How long after a try to wait. After the first one in vain nobody waits: a second opinion is wanted
/// before anything is concluded.
fn pause_after(kind: Kind, ended: bool, times: u32) -> Option<Duration> {
    match kind {
        // The token is still good: what renews it is asked again tomorrow.
        Kind::Refused if !ended => Some(DAY),
        _ if times < 2 => None,
        Kind::Refused => Some(DAY),
        Kind::Unreachable | Kind::Unusable => {
            Some((COOL_DOWN * 2_u32.saturating_pow((times - 2).min(10))).min(COOL_DOWN_MAX))
        }
    }
}

impl Kind {
    fn of(class: SystemErrorClass) -> Self {
        match class {
            SystemErrorClass::Reauthorize => Self::Refused,
            SystemErrorClass::Unreachable => Self::Unreachable,
            _ => Self::Unusable,
        }
    }

    fn class(self) -> SystemErrorClass {
        match self {
            Self::Refused => SystemErrorClass::Reauthorize,
            Self::Unreachable => SystemErrorClass::Unreachable,
            Self::Unusable => SystemErrorClass::Malformed,
        }
    }
}

impl Trouble {
    /// Whether nobody tries again yet. What was tried while there was a good token says nothing about
    /// the time when there is none.
    fn holds(&self, ended: bool, now: ScheduleTime) -> bool {
        self.retry_at.is_some_and(|at| at > now) && (self.ended || !ended)
    }

    fn error(&self, now: ScheduleTime) -> SystemError {
        let mut error = SystemError::new(self.kind.class(), self.message.clone());
        if self.kind != Kind::Refused {
            error.retry_after = self.retry_at.map(|at| at.since(now));
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const START: WallTime = WallTime::from_millis(1_000_000_000);
    const DUE: ScheduleTime = ScheduleTime::from_millis(1_000_000_000);

    fn rules() -> TokenRules {
        serde_json::from_str(r#"{"url": "https://x.example"}"#).unwrap()
    }

    /// A token of an hour's life, given at the start.
    fn tokens() -> Tokens {
        Tokens {
            access_token: "a1".into(),
            refresh_token: Some("r1".into()),
            expires_at: Some(START + HOUR),
            obtained_at: START,
            kept: Map::new(),
            grant: "g".to_owned(),
        }
    }

    fn said(class: SystemErrorClass) -> SystemError {
        SystemError::new(class, "no")
    }

    fn next(keeping: &Keeping, dead: Option<&str>, after: Duration) -> Next {
        let (tokens, rules) = (tokens(), rules());
        let known = Known {
            tokens: Some(&tokens),
            keeping,
            rules: &rules,
            renewable: true,
            wall: START + after,
            schedule: DUE + after,
        };
        known.next(dead.map(SecretString::from).as_ref())
    }

    #[test]
    fn a_token_is_renewed_before_its_end_and_when_the_system_refuses_it() {
        let keeping = Keeping::new();
        assert!(matches!(next(&keeping, None, HOUR / 2), Next::Use));
        assert!(matches!(
            next(&keeping, None, HOUR - 300 * Duration::from_secs(1)),
            Next::Renew { ended: false }
        ));
        assert!(matches!(next(&keeping, None, HOUR), Next::Renew { ended: true }));
        assert!(matches!(next(&keeping, Some("a1"), HOUR / 2), Next::Renew { ended: true }));
        assert!(
            matches!(next(&keeping, Some("a0"), HOUR / 2), Next::Use),
            "another is stored already"
        );
    }

    #[test]
    fn a_refusal_forces_one_renewal_a_minute() {
        let keeping = Keeping::new().renewed(true, START, DUE);
        assert!(matches!(next(&keeping, Some("a1"), Duration::from_secs(59)), Next::Stands));
        assert!(matches!(next(&keeping, Some("a1"), Duration::from_secs(60)), Next::Renew { .. }));
        assert!(keeping.lease.until.is_none() && keeping.trouble.is_none());
    }

    #[test]
    fn without_anything_to_renew_with_the_system_has_the_last_word() {
        let (tokens, rules, keeping) = (tokens(), rules(), Keeping::new());
        let known = Known {
            tokens: Some(&tokens),
            keeping: &keeping,
            rules: &rules,
            renewable: false,
            wall: START + HOUR,
            schedule: DUE + HOUR,
        };
        assert!(matches!(known.next(None), Next::Use));
        assert!(matches!(known.next(Some(&"a1".into())), Next::Stands));
    }

    #[test]
    fn a_refused_renewal_is_confirmed_once_and_then_left_alone_for_a_day() {
        let mut keeping = Keeping::new();
        keeping.failed(&said(SystemErrorClass::Reauthorize), true, DUE + HOUR);
        assert!(matches!(next(&keeping, None, HOUR), Next::Renew { .. }), "a second opinion");
        keeping.failed(&said(SystemErrorClass::Reauthorize), true, DUE + HOUR);
        let Next::Wait(error) = next(&keeping, None, 2 * HOUR) else { panic!("it waits") };
        assert_eq!(error.class, SystemErrorClass::Reauthorize);
        assert!(matches!(next(&keeping, None, 26 * HOUR), Next::Renew { .. }));
    }

    #[test]
    fn failures_count_once_a_day() {
        let mut keeping = Keeping::new();
        let mut at = DUE;
        for day in 0..3_u32 {
            for _ in 0..5 {
                keeping.failed(&said(SystemErrorClass::Reauthorize), false, at);
            }
            assert_eq!(keeping.trouble.as_ref().unwrap().counted, day + 1);
            at = at + DAY;
        }
    }

    #[test]
    fn a_good_token_is_used_while_its_renewal_is_refused_and_its_end_begins_anew() {
        let mut keeping = Keeping::new();
        let soon = HOUR - Duration::from_secs(200);
        keeping.failed(&said(SystemErrorClass::Reauthorize), false, DUE + soon);
        assert!(matches!(next(&keeping, None, soon), Next::Use), "asked again tomorrow");
        assert!(matches!(next(&keeping, None, HOUR), Next::Renew { ended: true }));
        keeping.failed(&said(SystemErrorClass::Reauthorize), true, DUE + HOUR);
        assert_eq!(keeping.trouble.as_ref().unwrap().times, 1, "a refusal of its own");
    }

    #[test]
    fn a_silent_server_is_asked_twice_and_then_less_and_less_often() {
        let mut keeping = Keeping::new();
        let mut waits = Vec::new();
        for _ in 0..9 {
            keeping.failed(&said(SystemErrorClass::Unreachable), true, DUE + HOUR);
            waits.push(match next(&keeping, None, HOUR) {
                Next::Wait(error) => error.retry_after.unwrap().as_secs(),
                _ => 0,
            });
        }
        assert_eq!(waits, [0, 30, 60, 120, 240, 480, 900, 900, 900]);
        let mut keeping = Keeping::new();
        let mut told = said(SystemErrorClass::Unreachable);
        told.retry_after = Some(Duration::from_secs(7));
        keeping.failed(&told, true, DUE + HOUR);
        assert!(
            matches!(next(&keeping, None, HOUR), Next::Wait(_)),
            "the server's own wait counts"
        );
    }

    #[test]
    fn unused_tokens_are_renewed_daily_or_before_they_die_of_disuse() {
        let keeping = Keeping::new().renewed(false, START, DUE);
        assert_eq!(keeping.due_at(&rules()), Some(DUE + DAY));
        let mut short = rules();
        short.idle_days = Some(1);
        assert_eq!(keeping.due_at(&short), Some(DUE + DAY / 2));
        assert_eq!(Keeping::new().due_at(&rules()), None);
    }
}
