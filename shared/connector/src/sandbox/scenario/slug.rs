//! The names: the same for a login, a connection and a single request.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::sandbox::data::DataSet;

/// How a sandbox behaves, by its name.
///
/// A name may end with a number of seconds where one is meant (`slow-5s`), and three digits are an
/// HTTP status that every call is answered with (`500`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scenario {
    /// As it should.
    #[default]
    Ok,
    /// The credentials have expired.
    Expired,
    /// The credentials are refused.
    Denied,
    /// The login asks for a second factor.
    Mfa,
    /// Every answer takes so long.
    Slow(Duration),
    /// No answer comes before the caller gives up.
    Timeout,
    /// Every third call fails, the first of them first.
    Flaky,
    /// Every other call is refused as one too many, the first one first; to be tried again after so
    /// long.
    RateLimit(Duration),
    /// Every call is answered with this HTTP status.
    Status(u16),
    /// Nobody can be reached: for so long, or until something else is told.
    Outage(Option<Duration>),
    /// The same as an outage without an end.
    Down,
    /// The account may do nothing but log in.
    PermissionDenied,
    /// Every answer is a page for people.
    Malformed,
    /// Rows have unknown words, missing fields, new fields, fields of another type.
    SchemaDrift,
    /// Some rows cannot be read, and a part of what is written is forgotten.
    PartialFailure,
    /// What is written is done, and nobody hears of it.
    LostAnswer,
    /// A write takes 25 seconds: longer than a call of the API waits.
    SlowWrite,
    /// Once in so long, in every entity: a new row, a changed one, a deleted one, in turn.
    Changes(Duration),
    /// Another data set.
    Data(DataSet),
}

/// Names without a number.
const PLAIN: [(&str, Scenario); 16] = [
    ("ok", Scenario::Ok),
    ("expired", Scenario::Expired),
    ("denied", Scenario::Denied),
    ("mfa", Scenario::Mfa),
    ("slow", Scenario::Slow(Duration::from_secs(3))),
    ("timeout", Scenario::Timeout),
    ("flaky", Scenario::Flaky),
    ("ratelimit", Scenario::RateLimit(Duration::from_secs(5))),
    ("outage", Scenario::Outage(None)),
    ("down", Scenario::Down),
    ("permission-denied", Scenario::PermissionDenied),
    ("malformed", Scenario::Malformed),
    ("schema-drift", Scenario::SchemaDrift),
    ("partial-failure", Scenario::PartialFailure),
    ("lost-answer", Scenario::LostAnswer),
    ("slow-write", Scenario::SlowWrite),
];

/// The number of seconds that a name may end with, at most.
const SECONDS_MAX: u64 = 86_400;
/// The longest delay of one answer.
pub(super) const DELAY_MAX: Duration = Duration::from_secs(60);

impl Scenario {
    /// The names, as a person is told which there are.
    #[must_use]
    pub fn names() -> Vec<String> {
        let plain = PLAIN.iter().map(|(name, _)| (*name).to_owned());
        let timed = ["slow-5s", "outage-60s", "ratelimit-60s", "changes-30s"].map(str::to_owned);
        let sets = DataSet::ALL.iter().map(|set| set.as_str().to_owned());
        plain.chain(timed).chain(["500".to_owned()]).chain(sets).collect()
    }

    /// The data set, if it is one that is meant.
    pub(crate) fn data_set(self) -> Option<DataSet> {
        match self {
            Self::Data(set) => Some(set),
            _ => None,
        }
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = PLAIN.iter().find(|(name, _)| *name == text).map(|(_, scenario)| *scenario);
        let found = plain
            .or_else(|| text.parse().ok().map(Self::Data))
            .or_else(|| status(text))
            .or_else(|| timed(text));
        found.ok_or_else(|| format!("must be one of {}", Self::names().join(", ")))
    }
}

/// `500`.
fn status(text: &str) -> Option<Scenario> {
    let status = text.parse().ok().filter(|_| text.len() == 3)?;
    (400..600).contains(&status).then_some(Scenario::Status(status))
}

/// `slow-5s`.
fn timed(text: &str) -> Option<Scenario> {
    let (name, number) = text.strip_suffix('s')?.rsplit_once('-')?;
    let plain_number = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    let seconds = number.parse().ok().filter(|n| plain_number && *n <= SECONDS_MAX)?;
    let duration = Duration::from_secs(seconds);
    match name {
        "slow" if duration <= DELAY_MAX => Some(Scenario::Slow(duration)),
        "outage" => Some(Scenario::Outage(Some(duration))),
        "ratelimit" => Some(Scenario::RateLimit(duration)),
        "changes" => Some(Scenario::Changes(duration)),
        _ => None,
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = PLAIN.iter().find(|(_, scenario)| scenario == self) {
            return f.write_str(name);
        }
        match self {
            Self::Slow(duration) => write!(f, "slow-{}s", duration.as_secs()),
            Self::Outage(Some(duration)) => write!(f, "outage-{}s", duration.as_secs()),
            Self::RateLimit(wait) => write!(f, "ratelimit-{}s", wait.as_secs()),
            Self::Changes(every) => write!(f, "changes-{}s", every.as_secs()),
            Self::Status(status) => write!(f, "{status}"),
            Self::Data(set) => f.write_str(set.as_str()),
            _ => Ok(()),
        }
    }
}

impl TryFrom<String> for Scenario {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Scenario> for String {
    fn from(scenario: Scenario) -> Self {
        scenario.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_written_as_it_is() {
        for name in Scenario::names() {
            let scenario: Scenario = name.parse().unwrap();
            assert_eq!(scenario.to_string(), name);
            assert_eq!(name.chars().filter(|c| c.is_uppercase()).count(), 0);
        }
    }

    #[test]
    fn a_number_of_seconds_and_a_status_may_stand_in_a_name() {
        let read = |name: &str| name.parse::<Scenario>().ok();
        assert_eq!(read("outage-60s"), Some(Scenario::Outage(Some(Duration::from_secs(60)))));
        assert_eq!(read("changes-1s"), Some(Scenario::Changes(Duration::from_secs(1))));
        assert_eq!(read("slow-60s"), Some(Scenario::Slow(DELAY_MAX)));
        assert_eq!(read("429"), Some(Scenario::Status(429)));
        for wrong in [
            "",
            "OK",
            "slow-61s",
            "slow-0s",
            "slow-s",
            "outage-86401s",
            "slow-+5s",
            "200",
            "600",
            "0500",
            "ok-5s",
            "changes--5s",
            "unicorn",
            "outage-05s",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
