//! After the system has done it: the record is read back, compared with what was given, committed, and
//! answered. Whatever fails here is a warning: an error would make the caller write a second time.

use std::time::Duration;

use millwright_connector::{DeleteMode, SourceRecord};
use millwright_core::{Error, WallTime};
use millwright_entities::record_key;

use super::{
    Operation,
    answer::Outcome,
    carry::Done,
    commit::Committed,
    doc::WriteState,
    journal::{Ending, Journal, Lost},
    read_back::{Reading, compared, guessed, read_back},
    stuck::Warning,
    work::Work,
};

/// How often a record is read again because its row was put meanwhile.
const READINGS: usize = 4;
/// How soon a record that could not be read back or kept is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Ends a write that the system has done. What was `said` on the way is told with it.
pub(super) async fn finish(
    work: &Work,
    journal: &Journal,
    remote_id: &str,
    said: Option<Warning>,
) -> Done {
    let noted = journal.note(|sent| sent.accepted = Some(remote_id.to_owned()));
    let (noted, outcome) = tokio::join!(noted, outcome(work, remote_id));
    unless_written(work, noted);
    work.note_answer().await;
    let outcome = outcome.and(said);
    let (whole, key) = (outcome.whole, outcome.key().map(str::to_owned));
    let record = outcome.into_json(work);
    tracing::info!(
        connection = %work.connection.id,
        entity = work.entity,
        operation = work.operation.as_str(),
        remote_id,
        write = %work.id,
        "record written"
    );
    let row = journal.row().await;
    let over = row.is_none_or(|row| work.now() >= row.doc.created_at + work.times.give_up_after);
    if !whole && !over {
        // What is missing is made up for by whoever takes the write up.
        unless_written(work, journal.leave(LOOK_AGAIN).await);
    } else {
        let ending = Ending { state: WriteState::Succeeded, key, body: Some(record.to_string()) };
        unless_written(work, journal.end(&ending).await);
    }
    Done::Succeeded(record)
}

/// The record is written whatever becomes of the write's row: the next one to take it up finds out.
fn unless_written(work: &Work, written: Result<(), Lost>) {
    if let Err(Lost::Failed(error)) = written {
        tracing::error!(write = %work.id, %error, "a write that was accepted is not so in its row");
    }
}

/// Keeps a record as it stands after a part of a write.
pub(super) async fn keep_what_stands(work: &Work, remote_id: &str) {
    let read_at = work.now();
    if let Reading::Found(record) = read_back(work, remote_id).await
        && !work.system.simulated()
    {
        kept(work, *record, Vec::new(), read_at).await;
    }
}

async fn outcome(work: &Work, remote_id: &str) -> Outcome {
    if work.system.simulated() {
        return played(work, remote_id).await;
    }
    for _ in 0..READINGS {
        let read_at = work.now();
        let outcome = match (read_back(work, remote_id).await, work.delete_mode()) {
            (Reading::Found(record), Some(DeleteMode::Hard)) => {
                let warning = Warning::of_record("the system still shows the record");
                kept(work, *record, vec![warning], read_at).await
            }
            (_, Some(DeleteMode::Hard | DeleteMode::Soft)) => Some(gone(work, remote_id).await),
            (Reading::Found(record), _) => {
                let warnings = compared(work, &record.record);
                kept(work, *record, warnings, read_at).await
            }
            (Reading::Gone, _) if work.operation != Operation::Create => {
                Some(gone(work, remote_id).await)
            }
            (Reading::Gone | Reading::Unread, _) => unread(work, remote_id, read_at).await,
        };
        if let Some(outcome) = outcome {
            return outcome;
        }
    }
    tracing::warn!(write = %work.id, "a written record changes too often to be read back");
    let record = guessed(work, remote_id).unwrap_or_default();
    Outcome::incomplete(record, "the record shows here after the next sync")
}

/// Keeps what was read; nothing when it has to be read again.
async fn kept(
    work: &Work,
    record: SourceRecord,
    warnings: Vec<Warning>,
    read_at: WallTime,
) -> Option<Outcome> {
    match work.place(&work.commit()).keep(&record, read_at).await {
        Ok(Committed::Kept(row)) => Some(Outcome::kept(record.record, *row, warnings)),
        Ok(Committed::Overtaken) => None,
        Err(error) => Some(Outcome::incomplete(record.record, not_committed(work, &error))),
    }
}

/// What was given stands for a record that could not be read back.
async fn unread(work: &Work, remote_id: &str, read_at: WallTime) -> Option<Outcome> {
    let message = "the system has done this; the record could not be read back yet";
    let guess =
        guessed(work, remote_id).filter(|_| !matches!(work.operation, Operation::Action(_)));
    let Some(record) = guess else {
        let record = guessed(work, remote_id).unwrap_or_default();
        return Some(Outcome::incomplete(record, message));
    };
    let record = SourceRecord {
        remote_id: remote_id.to_owned(),
        record,
        unshown: Vec::new(),
        raw: None,
        print: None,
    };
    let outcome = kept(work, record, Vec::new(), read_at).await?;
    Some(outcome.saying(message).unfinished())
}

async fn gone(work: &Work, remote_id: &str) -> Outcome {
    let key = record_key(&work.scope.connection, &work.entity, remote_id);
    match work.place(&work.commit()).gone(&key).await {
        Ok(Some(row)) => Outcome::gone(row),
        // Nothing to keep it in: the connection is being erased.
        Ok(None) => Outcome::deleted(guessed(work, remote_id).unwrap_or_default(), work.now()),
        Err(error) => {
            let message = not_committed(work, &error);
            let record = guessed(work, remote_id).unwrap_or_default();
            Outcome::deleted(record, work.now()).saying(message).unfinished()
        }
    }
}

/// A write that was only played through.
async fn played(work: &Work, remote_id: &str) -> Outcome {
    let record = match read_back(work, remote_id).await {
        Reading::Found(record) => record.record,
        Reading::Gone | Reading::Unread => guessed(work, remote_id).unwrap_or_default(),
    };
    match work.delete_mode() {
        Some(DeleteMode::Hard | DeleteMode::Soft) => Outcome::deleted(record, work.now()),
        _ => Outcome::played(record),
    }
}

fn not_committed(work: &Work, error: &Error) -> &'static str {
    tracing::error!(write = %work.id, %error, "written record not kept");
    "the system has done this; the record shows here after the next sync"
}
