//! Carrying a write out: send, and when the answer is lost look before anything is sent again. Each
//! step is in the journal before it is taken, so that whoever comes after a crash goes on from there.

use std::time::Duration;

use millwright_connector::{SystemError, SystemErrorClass};
use millwright_core::{Error, ErrorCode, WallTime};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    Operation, Warning,
    decide::{Step, Waiting, next},
    doc::{WriteFault, WriteState},
    evidence::look,
    finish::{finish, keep_what_stands},
    journal::{Ending, Journal, Lost},
    work::Work,
};

/// The longest wait before a system that could not be asked is asked again.
const ASK_AGAIN_MAX: Duration = Duration::from_secs(900);

/// How a write ended, or that it goes on without us.
#[derive(Debug)]
pub(super) enum Done {
    /// The system did it: the record as it is answered.
    Succeeded(Value),
    /// It did not happen, or nobody knows.
    Failed(Error),
    /// It is left to a later look.
    Left,
}

/// What is to be done next.
pub(super) enum Turn {
    /// Send it: the journal says so already.
    Send,
    /// Send it once more: it has not happened.
    SendAgain,
    /// Find out whether it happened.
    Look,
    /// The system has done it, or the first steps of it.
    Accept(String, Option<Warning>),
    /// Wait, then look again.
    Wait(Duration),
    /// The system has refused it.
    Refused(SystemError),
    /// It is over without success.
    End(Error),
}

/// Carries a write out from `turn` on. Waits that would end after `until` are left to whoever comes
/// later.
///
/// # Errors
/// When somebody else works on the write, or the journal cannot be written.
pub(super) async fn carry_out(
    work: &mut Work,
    journal: &Journal,
    mut turn: Turn,
    wanted: bool,
    until: WallTime,
) -> Result<Done, Lost> {
    loop {
        turn = match turn {
            Turn::Send => send(work, journal).await?,
            Turn::Look => look_once(work, journal, wanted).await?,
            Turn::SendAgain => send_again(work, journal).await?,
            Turn::Accept(remote_id, said) => {
                return Ok(finish(work, journal, &remote_id, said).await);
            }
            Turn::Wait(wait) if work.now() + wait > until => {
                journal.leave(wait).await?;
                return Ok(Done::Left);
            }
            Turn::Wait(wait) => {
                tokio::time::sleep(wait).await;
                Turn::Look
            }
            Turn::Refused(refused) => return Ok(refuse(work, journal, refused).await),
            Turn::End(error) => {
                let unknown = error.code == ErrorCode::WriteOutcomeUnknown;
                let kept = WriteFault::from(&error);
                let state =
                    if unknown { WriteState::Unknown(kept) } else { WriteState::Failed(kept) };
                ended(work, journal, state).await;
                return Ok(Done::Failed(error));
            }
        }
    }
}

async fn send(work: &mut Work, journal: &Journal) -> Result<Turn, Lost> {
    if let Err(error) = work.hold_on().await {
        // Nothing has been sent that may still arrive: the one before was looked for.
        return Ok(Turn::End(error));
    }
    let began = work.now();
    let sent = journal.sent().await.ok_or(Lost::Taken)?;
    if began >= sent.at + work.times.claim {
        // The process was frozen on the way: others may be at it.
        return Err(Lost::Taken);
    }
    let lost = match timeout(work.times.call_within, work.send()).await {
        Ok(Ok(remote_id)) => return Ok(Turn::Accept(remote_id, None)),
        Ok(Err(error)) => match (&work.operation, error.partial.clone()) {
            (Operation::Create, Some(remote_id)) => {
                return Ok(Turn::Accept(remote_id, Some(partly(&error))));
            }
            _ if !error.sent => return Ok(Turn::Refused(error)),
            _ => error.to_string(),
        },
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(write = %work.id, entity = work.entity, lost, "the answer to a write was lost");
    let took = u64::try_from(work.now().since(began).as_millis()).unwrap_or(u64::MAX);
    journal.note(|sent| sent.took_ms = Some(took)).await?;
    Ok(Turn::Look)
}

/// A record that was made while a later step of making it failed: an error would make the caller make
/// another.
fn partly(error: &SystemError) -> Warning {
    let words = error.upstream.message.as_deref().unwrap_or(&error.message);
    Warning::of_record(&format!(
        "the record was made, and the system did not do all of it: {words}"
    ))
}

async fn send_again(work: &mut Work, journal: &Journal) -> Result<Turn, Lost> {
    match timeout(work.times.call_within, work.make_ready()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return unreached(work, journal, &error).await,
        Err(_) => return unreached(work, journal, &no_answer()).await,
    }
    journal.sending_again().await?;
    Ok(Turn::Send)
}

async fn look_once(work: &Work, journal: &Journal, wanted: bool) -> Result<Turn, Lost> {
    let row = journal.row().await.ok_or(Lost::Taken)?;
    let sent = row.doc.sent().cloned().ok_or(Lost::Taken)?;
    if let Some(remote_id) = sent.accepted {
        return Ok(Turn::Accept(remote_id, None));
    }
    let by_id = row.doc.askers.by_id;
    let waiting = Waiting { wanted: wanted || by_id, slow: by_id };
    if work.looks_by_sending() && !waiting.wanted {
        // The token makes it harmless to send it anew: whoever has the key may.
        return Ok(Turn::End(not_done()));
    }
    let evidence = match timeout(work.times.call_within, look(work, row.doc.created_at)).await {
        Ok(Ok(evidence)) => evidence,
        Ok(Err(error)) => return unreached(work, journal, &error).await,
        Err(_) => return unreached(work, journal, &no_answer()).await,
    };
    work.note_answer().await;
    Ok(match next(evidence, &sent, waiting, work.now(), &work.times) {
        Step::Accept(remote_id) => Turn::Accept(remote_id, None),
        Step::LookAgain(wait) => Turn::Wait(wait),
        Step::SendAgain => Turn::SendAgain,
        Step::NotDone => Turn::End(not_done()),
        Step::Unknown => Turn::End(unknown()),
    })
}

/// The system could not be asked: again later, for a day at most.
async fn unreached(work: &Work, journal: &Journal, error: &SystemError) -> Result<Turn, Lost> {
    use SystemErrorClass::{RateLimited, Reauthorize, Unreachable};
    let row = journal.row().await.ok_or(Lost::Taken)?;
    let passing = matches!(error.class, Unreachable | RateLimited | Reauthorize);
    if work.looks_by_sending() {
        if let Some(remote_id) = error.partial.clone() {
            return Ok(Turn::Accept(remote_id, Some(partly(error))));
        }
        if !passing && !error.sent {
            return Ok(Turn::Refused(error.clone()));
        }
    }
    let over = work.now() >= row.doc.created_at + work.times.give_up_after;
    if !passing || over {
        tracing::warn!(write = %work.id, %error, "nobody can find out what became of a write");
        return Ok(Turn::End(unknown()));
    }
    work.note_failure(error).await;
    let times = row.doc.sent().map_or(0, |sent| sent.unreached);
    journal.note(|sent| sent.unreached += 1).await?;
    let doubling = Duration::from_secs(1 << times.min(10));
    Ok(Turn::Wait(error.retry_after.unwrap_or(doubling).min(ASK_AGAIN_MAX)))
}

/// The system has refused the write. Where it did a part of it first, that is read back: the next read
/// must show it.
async fn refuse(work: &Work, journal: &Journal, refused: SystemError) -> Done {
    work.note_failure(&refused).await;
    let partial = refused.partial.clone();
    let mut error: Error = refused.into();
    if let Some(remote_id) = partial {
        error.message = format!("{}; the system has done a part of it", error.message);
        keep_what_stands(work, &remote_id).await;
    }
    ended(work, journal, WriteState::Failed(WriteFault::from(&error))).await;
    Done::Failed(error)
}

/// Writes down how it ended. Should this fail, the next one to take the write up finds out the same.
async fn ended(work: &Work, journal: &Journal, state: WriteState) {
    match journal.end(&Ending { state, key: None, body: None }).await {
        Ok(()) | Err(Lost::Taken) => {}
        Err(Lost::Failed(error)) => {
            tracing::error!(write = %work.id, %error, "the end of a write is not in its row");
        }
    }
}

fn no_answer() -> SystemError {
    SystemError::new(SystemErrorClass::Unreachable, "the system did not answer in time")
}

fn not_done() -> Error {
    let message = "the system gave no answer, and has not done this: try again";
    Error::new(ErrorCode::ConnectionUnavailable, message)
}

fn unknown() -> Error {
    let message = "the system did not say whether it did this, and its records do not show it: look \
                   there before you try again";
    Error::new(ErrorCode::WriteOutcomeUnknown, message)
}
