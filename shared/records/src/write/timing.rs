//! How long each part of a write may take.

use std::time::Duration;

use millwright_core::config::{ConfigError, Source, parsed_in};

/// How much longer a claim lasts than the call that it is for.
const CLAIM_OUTLASTS_CALL: Duration = Duration::from_secs(15);

/// The times of a write. They must fit into an HTTP request: API Gateway gives up after 30 s, and the
/// function's own limit in the template is 29 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteTiming {
    /// A write that the system has not answered by then is answered with 202 and its id, as the API
    /// promises: 20 s.
    pub answer_within: Duration,
    /// How much longer the caller waits when the system has said yes and the record is being read
    /// back.
    pub read_back_within: Duration,
    /// The longest a single call of a write may run.
    pub call_within: Duration,
    /// How long whoever works on a write has it to themselves after each send: longer than a call.
    pub claim: Duration,
    /// How long another write to the same record is waited for.
    pub wait_for_other: Duration,
    /// How long a system that lost an answer is given, at least, before "it is not there" counts.
    pub patience: Duration,
    /// How long it is given when nobody knows how long the call took.
    pub patience_unknown: Duration,
    /// How long it is given at most.
    pub patience_max: Duration,
    /// How long a write whose system cannot be asked stays pending.
    pub give_up_after: Duration,
}

impl Default for WriteTiming {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            answer_within: seconds(20),
            read_back_within: seconds(6),
            call_within: seconds(40),
            claim: seconds(40) + CLAIM_OUTLASTS_CALL,
            wait_for_other: seconds(10),
            patience: seconds(2),
            patience_unknown: seconds(60),
            patience_max: seconds(300),
            give_up_after: seconds(24 * 3600),
        }
    }
}

impl WriteTiming {
    /// From `MILLWRIGHT_WRITE_ANSWER_SECONDS` (20 unless set, 1 to 20), `MILLWRIGHT_WRITE_CALL_SECONDS`
    /// (40 unless set, 1 to 40) and `MILLWRIGHT_WRITE_GIVE_UP_HOURS` (24 unless set, 1 to 168). All
    /// functions that write must have the same: whoever takes a write up goes by what the first one
    /// left.
    ///
    /// # Errors
    /// When one of them cannot be read, or lies outside.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        let seconds =
            |name, default, range| parsed_in(source, name, default, range).map(Duration::from_secs);
        let call_within = seconds("MILLWRIGHT_WRITE_CALL_SECONDS", 40, &(1..=40))?;
        let hours = parsed_in(source, "MILLWRIGHT_WRITE_GIVE_UP_HOURS", 24, &(1..=168))?;
        Ok(Self {
            answer_within: seconds("MILLWRIGHT_WRITE_ANSWER_SECONDS", 20, &(1..=20))?,
            call_within,
            claim: call_within + CLAIM_OUTLASTS_CALL,
            give_up_after: Duration::from_secs(hours * 3600),
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn what_is_not_set_is_as_the_contract_says() {
        let none: HashMap<&str, &str> = HashMap::new();
        assert_eq!(WriteTiming::from_source(&none).unwrap(), WriteTiming::default());
    }

    #[test]
    fn a_claim_outlasts_the_call_that_was_set_and_what_is_too_long_is_refused_by_name() {
        let set = HashMap::from([
            ("MILLWRIGHT_WRITE_CALL_SECONDS", "5"),
            ("MILLWRIGHT_WRITE_ANSWER_SECONDS", "3"),
            ("MILLWRIGHT_WRITE_GIVE_UP_HOURS", "1"),
        ]);
        let times = WriteTiming::from_source(&set).unwrap();
        assert!(times.claim > times.call_within);
        assert_eq!((times.answer_within, times.call_within), (3 * SECOND, 5 * SECOND));
        assert_eq!(times.give_up_after, 3600 * SECOND);
        for (name, text) in [
            ("MILLWRIGHT_WRITE_CALL_SECONDS", "41"),
            ("MILLWRIGHT_WRITE_ANSWER_SECONDS", "21"),
            ("MILLWRIGHT_WRITE_GIVE_UP_HOURS", "0"),
        ] {
            let refused = WriteTiming::from_source(&HashMap::from([(name, text)])).unwrap_err();
            assert!(refused.to_string().starts_with(name), "{refused}");
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_answer_comes_before_the_functions_limit_and_a_claim_outlasts_its_call() {
        let times = WriteTiming::default();
        assert!(times.answer_within + times.read_back_within < Duration::from_secs(28));
        assert!(times.claim > times.call_within);
        // A claim on an idempotency key lasts 60 s: its repeat finds the write free.
        assert!(times.claim < Duration::from_secs(60));
    }
}
