//! The write's row while it is worked on: every step is in it before the step is taken, and whoever has
//! lost the claim to another finds out before sending anything more.

use std::time::Duration;

use millwright_connection::connection_key;
use millwright_core::{Error, ErrorCode, Result, WallTime};
use millwright_store::{Expect, Key, Row, Store, StoreError, Version, Write};
use tokio::sync::Mutex;

use super::{
    WriteTiming,
    doc::{Sent, WriteDoc, WriteState},
};

/// How often a change is begun again when the row was written meanwhile.
const TRIES: usize = 8;

/// Why a step must not be taken.
#[derive(Debug)]
pub(super) enum Lost {
    /// Somebody else works on the write now.
    Taken,
    /// The row cannot be written.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Lost {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The row of a write, held under a claim.
#[derive(Debug)]
pub(super) struct Journal {
    store: Store,
    times: WriteTiming,
    fence: u64,
    key: Key,
    row: Mutex<Option<Row<WriteDoc>>>,
}

impl Journal {
    /// Puts the row of a write that is about to be sent for the first time.
    ///
    /// # Errors
    /// `IDEMPOTENCY_IN_PROGRESS` when there is one already; when the connection is being erased.
    pub(super) async fn begin(
        store: &Store,
        times: WriteTiming,
        mut doc: WriteDoc,
        body: String,
    ) -> Result<Self> {
        let now = store.clock().wall();
        let fence = claim(&mut doc, now, store, times).map_err(|_| in_progress())?;
        let key = doc.row();
        let put = Write::put_with_body(&key, &doc, Some(&body), Expect::Absent)?;
        let connection = connection_key(&doc.workspace, &doc.connection);
        let there = Write::check(&connection, Expect::Present);
        match store.transact(vec![put, there]).await {
            Ok(()) => {}
            Err(StoreError::Conflict(0)) => return Err(in_progress()),
            Err(StoreError::Conflict(_)) => return Err(Error::not_found("connection")),
            Err(error) => return Err(error.into()),
        }
        let row = Row { key, doc, body: Some(body), version: Version::FIRST };
        Ok(Self::holding(store, times, fence, row))
    }

    /// Takes over a write that nobody works on.
    ///
    /// # Errors
    /// The end of the claim of whoever does.
    pub(super) async fn take_over(
        store: &Store,
        times: WriteTiming,
        mut row: Row<WriteDoc>,
    ) -> Result<Result<Self, WallTime>> {
        let now = store.clock().wall();
        let fence = match claim(&mut row.doc, now, store, times) {
            Ok(fence) => fence,
            Err(until) => return Ok(Err(until)),
        };
        match store.write(Write::replace(&row)?).await {
            Ok(version) => row.version = version,
            Err(StoreError::Conflict(_)) => return Ok(Err(now + times.claim)),
            Err(error) => return Err(error.into()),
        }
        Ok(Ok(Self::holding(store, times, fence, row)))
    }

    fn holding(store: &Store, times: WriteTiming, fence: u64, row: Row<WriteDoc>) -> Self {
        let key = row.key.clone();
        Self { store: store.clone(), times, fence, key, row: Mutex::new(Some(row)) }
    }

    /// Where the row is.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Whether the system has said yes.
    pub(super) async fn is_accepted(&self) -> bool {
        self.sent().await.is_some_and(|sent| sent.accepted.is_some())
    }

    /// What the row says of the sending; nothing once the write has ended.
    pub(super) async fn sent(&self) -> Option<Sent> {
        self.row.lock().await.as_ref().and_then(|row| row.doc.sent().cloned())
    }

    /// The row as this claim knows it.
    pub(super) async fn row(&self) -> Option<Row<WriteDoc>> {
        self.row.lock().await.clone()
    }

    /// Notes that the write is about to be sent once more, under a fresh claim.
    ///
    /// # Errors
    /// When it must not be sent.
    pub(super) async fn sending_again(&self) -> Result<(), Lost> {
        let now = self.store.clock().wall();
        let before = self.sent().await.ok_or(Lost::Taken)?;
        let sent = Sent { attempts: before.attempts + 1, at: now, took_ms: None, ..before };
        self.change(move |row, journal| {
            row.doc.state = WriteState::Pending(sent.clone());
            row.doc.lease.until = Some(now + journal.times.claim);
            row.doc.attempt_at = journal.store.clock().schedule() + journal.times.claim;
            Change::Keep
        })
        .await
    }

    /// Notes what has become known of the sending.
    ///
    /// # Errors
    /// When somebody else works on the write.
    pub(super) async fn note(&self, note: impl FnOnce(&mut Sent)) -> Result<(), Lost> {
        let mut sent = self.sent().await.ok_or(Lost::Taken)?;
        note(&mut sent);
        self.change(move |row, _| {
            row.doc.state = WriteState::Pending(sent.clone());
            Change::Keep
        })
        .await
    }

    /// Lets the caller ask by id from now on: the row, or nothing when the write has just ended.
    ///
    /// # Errors
    /// When the row cannot be written.
    pub(super) async fn show(&self) -> Result<Option<Row<WriteDoc>>> {
        let shown = self.change(|row, _| {
            row.doc.askers.by_id = true;
            Change::Keep
        });
        match shown.await {
            Ok(()) => Ok(self.row().await),
            Err(Lost::Taken) => Ok(None),
            Err(Lost::Failed(error)) => Err(error),
        }
    }

    /// Leaves the write to whoever comes after `wait`.
    ///
    /// # Errors
    /// When somebody else works on the write.
    pub(super) async fn leave(&self, wait: Duration) -> Result<(), Lost> {
        self.change(|row, journal| {
            row.doc.lease.release();
            row.doc.attempt_at = journal.store.clock().schedule() + wait;
            Change::Keep
        })
        .await
    }

    /// Ends the write: its row says how, with the record as it is answered, or goes when nobody may
    /// ask.
    ///
    /// # Errors
    /// When somebody else works on the write.
    pub(super) async fn end(&self, ending: &Ending) -> Result<(), Lost> {
        self.change(|row, _| {
            if !row.doc.stays(&ending.state) {
                return Change::Remove;
            }
            row.doc.state = ending.state.clone();
            row.doc.key = ending.key.clone().or_else(|| row.doc.key.clone());
            row.doc.lease.release();
            row.body.clone_from(&ending.body);
            Change::Keep
        })
        .await
    }

    async fn change(
        &self,
        decide: impl Fn(&mut Row<WriteDoc>, &Self) -> Change + Send + Sync,
    ) -> Result<(), Lost> {
        let mut held = self.row.lock().await;
        for _ in 0..TRIES {
            let mut row = held.clone().filter(|row| row.doc.sent().is_some()).ok_or(Lost::Taken)?;
            row.doc.updated_at = self.store.clock().wall();
            let keep = decide(&mut row, self);
            let write = match keep {
                Change::Keep => Write::replace(&row)?,
                Change::Remove => Write::delete(&row.key, Expect::Version(row.version)),
            };
            match self.store.write(write).await {
                Ok(version) => {
                    *held = (keep == Change::Keep).then_some(Row { version, ..row });
                    return Ok(());
                }
                Err(StoreError::Conflict(_)) => *held = Some(self.mine(&row).await?),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Lost::Failed(Error::internal("a write's row changed too often")))
    }

    /// The row as it stands, if it is still under this claim.
    async fn mine(&self, row: &Row<WriteDoc>) -> Result<Row<WriteDoc>, Lost> {
        let stands = self.store.get::<WriteDoc>(&row.key).await?;
        stands.filter(|row| row.doc.lease.fence == self.fence).ok_or(Lost::Taken)
    }
}

/// What becomes of the row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Keep,
    Remove,
}

/// How a write ended.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub state: WriteState,
    /// The record's key, where it became known.
    pub key: Option<String>,
    /// The record as it is answered.
    pub body: Option<String>,
}

/// Takes the claim on a write: its fence, or the end of the one in the way.
fn claim(
    doc: &mut WriteDoc,
    now: WallTime,
    store: &Store,
    times: WriteTiming,
) -> Result<u64, WallTime> {
    let fence = doc.lease.take(now, times.claim)?;
    doc.attempt_at = store.clock().schedule() + times.claim;
    Ok(fence)
}

fn in_progress() -> Error {
    let message = "the first request with this idempotency key is still running";
    Error::new(ErrorCode::IdempotencyInProgress, message)
}
