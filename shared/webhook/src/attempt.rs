//! Making an attempt: claim, send, record, plan the next.
//!
//! Between any two of these steps the process may die, and the queue message that asked for the
//! attempt then comes back. What it finds says how far the attempt got:
//!
//! - died before the claim: nothing has happened, and it starts anew;
//! - died between claim and record: the claim is found alive, and the message is given back until
//!   it ends, or found dead: the attempt is recorded as `unknown`, counts, and the next is planned.
//!   Whether the receiver got it nobody knows, so it may get it twice, under the same `webhook-id`;
//! - died after the record and before the next attempt was sent: the row waits in the due index,
//!   and the sweep sends what was not sent, late by its grace;
//! - died after everything: the number has been used up, and the message is dropped.

use std::time::Duration;

use millwright_core::{Error, QueueName, Result, random_token};
use millwright_event::{Message, message_key};
use millwright_queue::MAX_HOPS;
use millwright_store::{Expect, Key, Row, StoreError, Version, Wait, Write};

use crate::{
    Handled, Webhooks,
    attempt_log::AttemptEnd,
    decide::{Claimant, Now, Pace, Refusal},
    delivery::{AttemptTask, Delivery},
    endpoint::Endpoint,
    instead::Instead,
    keys::delivery_key,
    note_outcome::measure_waiting,
    post::Prepared,
    state::{AbortReason, State},
};

/// What a claim has beyond the exchange itself: time to write the outcome.
const CLAIM_MARGIN: Duration = Duration::from_secs(15);
/// A task that comes earlier than this before its time is dropped: the due index has the wait.
const EARLY_MAX: Duration = Duration::from_secs(60);
/// How often a claim is tried again when the row was changed by somebody else.
const CLAIM_TRIES: u32 = 5;

impl Webhooks {
    /// Does what a task of the delivery or retry queue asks for. `hop` is the count its message
    /// carried.
    ///
    /// # Errors
    /// When Millwright failed: the message must come back.
    pub async fn attempt(&self, task: &AttemptTask, hop: u8) -> Result<Handled> {
        let key = delivery_key(&task.workspace, &task.delivery);
        for _ in 0..CLAIM_TRIES {
            let Some(row) = self.store.get_doc::<Delivery>(&key).await? else {
                return Ok(Handled::Dropped);
            };
            if let Some(handled) = self.attempt_row(row, task.number, hop).await? {
                return Ok(handled);
            }
        }
        Err(Error::internal(StoreError::Conflict(0)))
    }

    /// One try at the attempt; nothing when the row was changed by somebody else in between.
    async fn attempt_row(
        &self,
        row: Row<Delivery>,
        number: u32,
        hop: u8,
    ) -> Result<Option<Handled>> {
        let now = Now::read(self.clock());
        match row.doc.claimable(number, now) {
            Ok(_) => self.attempt_or_instead(row, number, hop).await,
            Err(Refusal::Superseded) => Ok(Some(Handled::Dropped)),
            Err(Refusal::Busy(until)) => Ok(Some(later(until.since(now.wall)))),
            Err(Refusal::Early(at)) => Ok(Some(self.early(at.since(now.schedule)))),
            Err(Refusal::Interrupted) => self.settle(row, hop).await,
            Err(Refusal::Held) => self.look_again(row, hop).await.map(Some),
            Err(Refusal::Expired) => {
                self.take(row, number, Instead::Abort(AbortReason::Expired), hop).await
            }
        }
    }

    /// A queue's delay may end a little early; a task that is far too early is a leftover.
    fn early(&self, wait: Duration) -> Handled {
        if wait > EARLY_MAX {
            return Handled::Dropped;
        }
        later(wait.div_f64(self.clock().speed()))
    }

    async fn settle(&self, mut row: Row<Delivery>, hop: u8) -> Result<Option<Handled>> {
        let endpoint = self.find_endpoint(&row.doc.workspace, &row.doc.endpoint).await?;
        let pace = endpoint.as_ref().map_or_else(Pace::promised, Pace::of);
        row.doc.settle(Now::read(self.clock()), &pace);
        if !self.replace(&mut row).await? {
            return Ok(None);
        }
        tracing::warn!(delivery = %row.doc.id(), "an interrupted attempt reads unknown");
        self.carry(&row.doc, hop).await;
        Ok(Some(Handled::Done))
    }

    /// Makes the attempt, or does what its endpoint and message call for instead.
    async fn attempt_or_instead(
        &self,
        mut row: Row<Delivery>,
        number: u32,
        hop: u8,
    ) -> Result<Option<Handled>> {
        let abort = Instead::Abort;
        let (endpoint, message) = self.read_both(&row.doc).await?;
        let Some(endpoint) = endpoint else {
            return self.take(row, number, abort(AbortReason::EndpointDeleted), hop).await;
        };
        let Some(message) = message else {
            return self.take(row, number, abort(AbortReason::MessageAborted), hop).await;
        };
        let _pass = match self.may_attempt(&message, &endpoint).await? {
            Ok(pass) => pass,
            Err(instead) => return self.take(row, number, instead, hop).await,
        };
        let prepared = self.prepare(&message, endpoint).await?;
        let (now, by) = (Now::read(self.clock()), claimant(&prepared));
        if row.doc.claim(number, now, by).is_err() || !self.replace(&mut row).await? {
            return Ok(None);
        }
        self.post_and_record(row.into(), &prepared, hop).await.map(Some)
    }

    /// The endpoint and the message of a delivery, as far as they are still there.
    async fn read_both(&self, delivery: &Delivery) -> Result<(Option<Endpoint>, Option<Message>)> {
        let message = message_key(&delivery.workspace, &delivery.message);
        futures::try_join!(self.find_endpoint(&delivery.workspace, &delivery.endpoint), async {
            let row: Option<Row<Message>> = self.store.get(&message).await?;
            Ok(row.map(|row| row.doc))
        })
    }

    /// Does something instead of an attempt; nothing when the row was changed in between.
    async fn take(
        &self,
        mut row: Row<Delivery>,
        number: u32,
        instead: Instead,
        hop: u8,
    ) -> Result<Option<Handled>> {
        let taken = row.doc.take(instead, number, Now::read(self.clock()));
        if taken.is_err() || !self.replace(&mut row).await? {
            return Ok(None);
        }
        self.settled(row, hop).await.map(Some)
    }

    /// Sees to a delivery that has just been held or put off.
    pub(crate) async fn settled(&self, row: Row<Delivery>, hop: u8) -> Result<Handled> {
        if let State::Held(_) = row.doc.state {
            return self.look_again(row, hop).await;
        }
        measure_waiting(&row.doc, self.clock().schedule());
        self.carry(&row.doc, hop).await;
        Ok(Handled::Done)
    }

    /// Lets a held delivery go if its endpoint goes on already, and gives it up if that is gone. Whoever lets an endpoint go on then
    /// looks for what is held: either they find this one, or it was written after the endpoint, and
    /// then the endpoint is found open here. The queue message that led here comes back if this
    /// fails.
    async fn look_again(&self, mut row: Row<Delivery>, hop: u8) -> Result<Handled> {
        let endpoint = self.find_endpoint(&row.doc.workspace, &row.doc.endpoint).await?;
        let Some(endpoint) = endpoint else {
            self.give_up_orphan(&row.doc.workspace, &row.doc.id()).await?;
            return Ok(Handled::Done);
        };
        if !endpoint.is_enabled() {
            return Ok(Handled::Done);
        }
        if row.doc.release(self.clock().schedule()) && self.replace(&mut row).await? {
            self.carry(&row.doc, hop).await;
        }
        Ok(Handled::Done)
    }

    /// Makes the attempt that is claimed, and records what came of it. Only then may the message that
    /// asked for it go.
    pub(crate) async fn post_and_record(
        &self,
        mut claimed: Written,
        prepared: &Prepared,
        hop: u8,
    ) -> Result<Handled> {
        let (number, holder) = (claimed.doc.next_number(), claimed.doc.holder());
        let tried = self.post(prepared).await?;
        let (now, pace) = (self.clock().schedule(), Pace::of(prepared.endpoint()));
        claimed.doc.record(tried.clone(), now, &pace);
        while !self.write_back(&mut claimed).await? {
            match self.still_claimed(&claimed.key, holder.as_deref()).await? {
                Some(row) => claimed = row.into(),
                None => return self.record_late(&claimed.key, number, tried.end()).await,
            }
            claimed.doc.record(tried.clone(), now, &pace);
        }
        log_outcome(&claimed.doc, tried.end());
        measure_waiting(&claimed.doc, now);
        self.carry(&claimed.doc, hop).await;
        self.tell_endpoint(prepared.endpoint(), tried.end()).await;
        Ok(Handled::Done)
    }

    /// The delivery as it stands by now, if the attempt is still this holder's: something else of it was
    /// changed while the attempt was made.
    async fn still_claimed(
        &self,
        key: &Key,
        holder: Option<&str>,
    ) -> Result<Option<Row<Delivery>>> {
        let there: Option<Row<Delivery>> = self.store.get(key).await?;
        Ok(there.filter(|row| holder.is_some() && row.doc.holder().as_deref() == holder))
    }

    /// Notes at the endpoint what came of an attempt. The attempt is recorded, so nothing would be won
    /// by coming back if this fails: the next attempt tells the same.
    async fn tell_endpoint(&self, endpoint: &Endpoint, end: &AttemptEnd) {
        if let Err(error) = self.note_outcome(endpoint, end).await {
            tracing::warn!(endpoint = %endpoint.id, %error, "an outcome was not noted");
        }
    }

    /// The claim had ended before the outcome was known, and somebody else went on. What came of
    /// the attempt still counts: an arrival ends the delivery.
    async fn record_late(&self, key: &Key, number: u32, end: &AttemptEnd) -> Result<Handled> {
        let now = self.clock().schedule();
        let decide = |delivery: &mut Delivery| {
            delivery.record_late(number, end.clone(), now);
            Ok(())
        };
        self.store.modify(key, decide).await?;
        Ok(Handled::Done)
    }

    /// Sends the task of a wait that a queue can carry. It may fail: the row is in the due index
    /// already, and the sweep sends what was not sent.
    pub(crate) async fn carry(&self, delivery: &Delivery, hop: u8) {
        let State::Waiting(waiting) = &delivery.state else { return };
        let now = self.clock().schedule();
        let Wait::Carried(delay) = Wait::until(now, waiting.at) else { return };
        if hop >= MAX_HOPS {
            return;
        }
        let sent = match delivery.task().work() {
            Ok(work) => self.queue.send_after(QueueName::Retry, &work, delay, hop + 1).await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::warn!(delivery = %delivery.id(), %error, "a retry is left to the sweep");
        }
    }

    /// Writes a delivery back and takes up its new version; false when somebody else was first.
    async fn replace(&self, row: &mut Row<Delivery>) -> Result<bool> {
        let mut written = Written::from(row.clone());
        let done = self.write_back(&mut written).await?;
        if let Expect::Version(version) = written.expect {
            row.version = version;
        }
        Ok(done)
    }

    /// Writes a delivery, and tells of it if it has failed for good; false when somebody else was
    /// first.
    pub(crate) async fn write_back(&self, written: &mut Written) -> Result<bool> {
        if let Some(message) = self.failure_event(&written.doc).await? {
            return self.write_and_tell(written, message).await;
        }
        let Some(version) = self.put(&written.key, &written.doc, written.expect).await? else {
            return Ok(false);
        };
        written.expect = Expect::Version(version);
        Ok(true)
    }

    /// Writes a delivery; nothing when somebody else was first. A write whose answer was lost is
    /// sent again by the SDK and then meets itself, so what stands there is looked at before giving
    /// way: a claim of our own that nobody used would count as an attempt that was never made.
    pub(crate) async fn put(
        &self,
        key: &Key,
        delivery: &Delivery,
        expect: Expect,
    ) -> Result<Option<Version>> {
        let write = Write::put(key, delivery, expect)?;
        let version = write.version();
        let written = match expect {
            Expect::Absent => self.store.insert_together(write).await,
            _ => self.store.write(write).await.map(drop),
        };
        match written {
            Ok(()) => Ok(Some(version)),
            Err(StoreError::Conflict(_)) => {
                let there: Option<Row<Delivery>> = self.store.get_doc(key).await?;
                Ok(there.filter(|row| row.doc == *delivery).map(|row| row.version))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A delivery to be written, and what must be true of its row.
pub(crate) struct Written {
    pub(crate) key: Key,
    pub(crate) doc: Delivery,
    pub(crate) expect: Expect,
}

impl From<Row<Delivery>> for Written {
    fn from(row: Row<Delivery>) -> Self {
        Self { key: row.key, doc: row.doc, expect: Expect::Version(row.version) }
    }
}

/// A claim for one attempt, under a name that nobody else has.
pub(crate) fn claimant(prepared: &Prepared) -> Claimant {
    Claimant { name: random_token(12), term: prepared.timeout() + CLAIM_MARGIN }
}

/// The message comes back when `after` has passed.
pub(crate) fn later(after: Duration) -> Handled {
    // A little more, so that the message does not come back a moment too soon once more.
    Handled::Later { after: after + Duration::from_millis(200) }
}

fn log_outcome(delivery: &Delivery, end: &AttemptEnd) {
    let (id, attempts) = (delivery.id(), delivery.attempts.len());
    match &delivery.state {
        State::Failed { .. } => {
            tracing::info!(delivery = %id, attempts, class = end.error_class(), "delivery failed");
        }
        state => tracing::debug!(delivery = %id, attempts, ?state, "attempt recorded"),
    }
}
