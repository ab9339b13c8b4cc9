//! How long each part of a write may take.

use std::time::Duration;

/// The times of a write. They must fit into an HTTP request: API Gateway gives up after 30 s, and the
/// function's own limit in the template is 29 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteTiming {
    /// A write that the system has not answered by then is answered with 202 and its id: 20 s (the
    /// contract, section 2).
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
            claim: seconds(55),
            wait_for_other: seconds(10),
            patience: seconds(2),
            patience_unknown: seconds(60),
            patience_max: seconds(300),
            give_up_after: seconds(24 * 3600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_before_the_functions_limit_and_a_claim_outlasts_its_call() {
        let times = WriteTiming::default();
        assert!(times.answer_within + times.read_back_within < Duration::from_secs(28));
        assert!(times.claim > times.call_within);
        // A claim on an idempotency key lasts 60 s: its repeat finds the write free.
        assert!(times.claim < Duration::from_secs(60));
    }
}
