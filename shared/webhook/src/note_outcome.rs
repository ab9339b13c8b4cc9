//! What an attempt's end means for its endpoint.

use millwright_core::{Result, ScheduleTime};
use millwright_outbound::FailureClass;

use crate::{
    Webhooks,
    attempt_log::{AttemptEnd, Outcome},
    endpoint::Endpoint,
    health::Health,
    keys::endpoint_key,
    pulse::Beat,
};

impl Webhooks {
    /// Notes what came of an attempt that has been recorded. `endpoint` is the row as the attempt found
    /// it. For an endpoint that keeps delivering nothing is written.
    ///
    /// # Errors
    /// When the table fails. The attempt stays recorded; the next one notes the same again.
    pub async fn note_outcome(&self, endpoint: &Endpoint, end: &AttemptEnd) -> Result<()> {
        let now = self.clock().schedule();
        let beat = match end.outcome() {
            Outcome::Delivered => Beat::Arrived,
            Outcome::Failed if timed_out(end) => Beat::TimedOut,
            Outcome::Failed => Beat::Failed,
            Outcome::Unknown => return Ok(()),
        };
        let up = self.arrived_lately(&endpoint.id, now);
        let opens = self.beat(&endpoint.id, beat, now);
        let note = Note { beat, opens, up };
        let mut after = endpoint.health.clone();
        note.on(&mut after, now);
        if after == endpoint.health {
            return Ok(());
        }
        self.note(endpoint, note, now).await
    }

    async fn note(&self, endpoint: &Endpoint, note: Note, now: ScheduleTime) -> Result<()> {
        let key = endpoint_key(&endpoint.workspace, &endpoint.id);
        let decide = |row: &mut Endpoint| {
            note.on(&mut row.health, now);
            Ok(())
        };
        self.store.modify(&key, decide).await.map(drop)
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
}

impl Note {
    fn on(self, health: &mut Health, now: ScheduleTime) {
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
