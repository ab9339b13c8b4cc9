//! How long a request waits for a system.

use std::time::Duration;

use millwright_connector::{System, SystemError};
use millwright_core::{Clock, Error, ErrorCode, Result, WallTime};
use tokio::time::timeout;

use crate::{Connection, ConnectionContext, note_answer, note_failure_within};

/// How long a system may take for all calls of one request: the rest of its time (29 s) is ours.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How long the probe after a failed call may take beyond that.
const PROBE_BEYOND: Duration = Duration::from_secs(5);

/// The time that one request has for its system, however many calls it makes.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    answer_by: WallTime,
}

impl Patience {
    /// All of it, from now on.
    #[must_use]
    pub fn begin(clock: &Clock) -> Self {
        Self { answer_by: clock.wall() + ANSWER_WITHIN }
    }

    /// What is left of it for calls.
    pub(crate) fn left(self, clock: &Clock) -> Duration {
        self.answer_by.since(clock.wall())
    }

    /// What is left of it for the probe after a failed call.
    pub(crate) fn left_for_probe(self, clock: &Clock) -> Duration {
        (self.answer_by + PROBE_BEYOND).since(clock.wall())
    }

    /// The system's answer to a call that reads, if it comes in time. What it says of the connection's
    /// health counts.
    ///
    /// # Errors
    /// What the system says; `CONNECTION_UNAVAILABLE` when it says nothing in time.
    pub async fn answer<T>(
        self,
        context: &ConnectionContext,
        connection: &Connection,
        system: &System,
        call: impl Future<Output = Result<T, SystemError>>,
    ) -> Result<T> {
        let clock = context.store.clock();
        let Ok(answer) = timeout(self.left(clock), call).await else {
            return Err(unanswered(ErrorCode::ConnectionUnavailable));
        };
        match answer {
            Ok(answer) => {
                note_answer(context, connection).await;
                Ok(answer)
            }
            Err(error) => {
                let within = self.left_for_probe(clock);
                note_failure_within(context, connection, system, &error, within).await;
                Err(error.into())
            }
        }
    }
}

pub(crate) fn unanswered(code: ErrorCode) -> Error {
    Error::new(code, "the system did not answer within 20 seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_over_before_its_function_is_and_its_calls_share_the_time() {
        let clock = Clock::system();
        let (whole, second) = (Patience::begin(&clock), Duration::from_secs(1));
        assert!(whole.left_for_probe(&clock) <= 25 * second);
        let later = Patience { answer_by: clock.wall() + 3 * second };
        assert!(later.left(&clock) <= 3 * second, "what an earlier call took is gone");
        assert!(later.left_for_probe(&clock) > 5 * second);
        let over = Patience { answer_by: WallTime::from_millis(0) };
        assert_eq!((over.left(&clock), over.left_for_probe(&clock)), Default::default());
    }
}
