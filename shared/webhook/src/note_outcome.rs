//! What an attempt's end means for its endpoint.

use millwright_core::{Result, ScheduleTime};
use millwright_outbound::FailureClass;
use millwright_telemetry::{Measured, Unit, measure};

use crate::{
    Webhooks,
    attempt_log::{AttemptEnd, Outcome},
    delivery::Delivery,
    endpoint::Endpoint,
    health::Health,
    keys::endpoint_key,
    pulse::Beat,
    stats::{latency, waited},
    wish::Wish,
};

impl Webhooks {
    /// Notes what came of an attempt that has been recorded. `endpoint` is the row as the attempt found
    /// it. For an endpoint that keeps delivering nothing is written.
    ///
    /// # Errors
    /// When the table fails. The attempt stays recorded; the next one notes the same again.
    pub async fn note_outcome(&self, endpoint: &Endpoint, end: &AttemptEnd) -> Result<()> {
        measure_attempt(endpoint, end);
        let now = self.clock().schedule();
        let beat = match end.outcome() {
            Outcome::Delivered => Beat::Arrived,
            Outcome::Failed if timed_out(end) => Beat::TimedOut,
            Outcome::Failed => Beat::Failed,
            Outcome::Unknown => return Ok(()),
        };
        let up = self.arrived_lately(&endpoint.id, now);
        let opens = self.beat(&endpoint.id, beat, now);
        let slow_until = match end.wish() {
            Wish::SlowDown { pause } => Some(now + pause),
            Wish::None | Wish::Disable | Wish::AbortMessage => None,
        };
        let note = Note { beat, opens, up, slow_until };
        let health = self.note(endpoint, note, now).await?;
        if end.wish() == Wish::Disable {
            return self.disable_refused(endpoint).await;
        }
        if beat == Beat::Arrived { Ok(()) } else { self.follow_failure(endpoint, &health).await }
    }

    /// Notes in the row that something has arrived after all.
    pub(crate) async fn note_arrival(&self, endpoint: &Endpoint) -> Result<()> {
        let note = Note { beat: Beat::Arrived, opens: false, up: true, slow_until: None };
        self.note(endpoint, note, self.clock().schedule()).await.map(drop)
    }

    /// Writes what is new into the row, if anything is; answers how the endpoint has been doing.
    async fn note(&self, endpoint: &Endpoint, note: Note, now: ScheduleTime) -> Result<Health> {
        let mut health = endpoint.health.clone();
        note.on(&mut health, now);
        if health == endpoint.health {
            return Ok(health);
        }
        let key = endpoint_key(&endpoint.workspace, &endpoint.id);
        let decide = |row: &mut Endpoint| {
            note.on(&mut row.health, now);
            Ok(())
        };
        let written = self.store.modify(&key, decide).await?;
        Ok(written.map(|(row, ())| row.doc.health).unwrap_or_default())
    }
}

/// What an attempt says about its endpoint.
#[derive(Clone, Copy, Debug)]
struct Note {
    beat: Beat,
    /// Whether it was the last of too many failures.
    opens: bool,
    /// Whether something arrived a short while before.
    up: bool,
    /// Until when the endpoint asked to be left alone.
    slow_until: Option<ScheduleTime>,
}

impl Note {
    fn on(self, health: &mut Health, now: ScheduleTime) {
        if let Some(until) = self.slow_until {
            health.slow_down(until);
        }
        if self.beat == Beat::Arrived {
            health.arrived();
            return;
        }
        if !self.up {
            health.failed(now);
        }
        health.trial_failed(now);
        if self.opens {
            health.open(now);
        }
    }
}

fn timed_out(end: &AttemptEnd) -> bool {
    matches!(end, AttemptEnd::Unanswered { class: FailureClass::Timeout, .. })
}

/// One attempt for the metrics of its endpoint and of all together. Nothing of the message is in them.
fn measure_attempt(endpoint: &Endpoint, end: &AttemptEnd) {
    let arrived = if end.outcome() == Outcome::Delivered { 1 } else { 0 };
    let mut values = vec![
        Measured { name: "WebhookAttempts", unit: Unit::Count, value: 1 },
        Measured { name: "WebhookArrivals", unit: Unit::Count, value: arrived },
    ];
    if let Some(value) = latency(end) {
        values.push(Measured { name: "WebhookLatency", unit: Unit::Milliseconds, value });
    }
    measure(("endpoint", endpoint.id.as_str()), &values);
}

/// How long a delivery has been waiting, if it waits, for the metrics of its endpoint and of all together: the
/// most of it is the age of the oldest one.
pub(crate) fn measure_waiting(delivery: &Delivery, now: ScheduleTime) {
    if let Some(value) = waited(delivery, now) {
        let waiting = Measured { name: "WebhookWaiting", unit: Unit::Milliseconds, value };
        measure(("endpoint", delivery.endpoint.as_str()), &[waiting]);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::examples::NOW;

    fn note(beat: Beat) -> Note {
        Note { beat, opens: false, up: false, slow_until: None }
    }

    #[test]
    fn an_arrival_at_an_endpoint_that_is_well_changes_nothing() {
        let mut health = Health::default();
        note(Beat::Arrived).on(&mut health, NOW);
        assert_eq!(health, Health::default());
    }

    #[test]
    fn a_failure_is_noted_once_and_not_at_all_where_something_has_just_arrived() {
        let mut health = Health::default();
        Note { up: true, ..note(Beat::Failed) }.on(&mut health, NOW);
        assert_eq!(health, Health::default());
        note(Beat::Failed).on(&mut health, NOW);
        let noted = health.clone();
        note(Beat::TimedOut).on(&mut health, NOW + Duration::from_secs(60));
        assert_eq!(health, noted);
    }

    #[test]
    fn who_asks_to_be_left_alone_is_left_alone_even_by_an_answer_that_arrived() {
        let mut health = Health::default();
        let until = NOW + Duration::from_secs(30);
        Note { slow_until: Some(until), ..note(Beat::Arrived) }.on(&mut health, NOW);
        assert_eq!(health.slow_until, Some(until));
    }
}
