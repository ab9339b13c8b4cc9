//! From a message to its deliveries.
//!
//! A message that only the queue holds is put into its row with its endpoints chosen: the queue
//! message stands for the work until it is done, and a copy of it works through the same endpoints
//! again. A message that was written as a row is marked with its endpoints only when its deliveries
//! are there: until then the row itself is due. Either way each delivery is made once, as its key
//! follows from endpoint and message.

use std::time::Duration;

use futures::{StreamExt, stream};
use millwright_core::{EndpointId, MessageId, QueueName, Result, WorkspaceId};
use millwright_event::{Message, message_key};
use millwright_store::{Expect, Row};

use crate::{
    Handled, Webhooks,
    attempt::{Written, claimant},
    decide::Now,
    delivery::Delivery,
    endpoint::Endpoint,
    instead::Instead,
    keys::delivery_key,
    state::State,
};

/// Up to this many first attempts are made on the spot; more go to the delivery queue, so that one
/// message cannot hold an invocation for long.
const ON_THE_SPOT: usize = 4;
/// How many deliveries are handed to the queue at a time.
const AT_A_TIME: usize = 8;

impl Webhooks {
    /// Fans out a message that only the queue holds as yet. `hop` is the count its queue message
    /// carried.
    ///
    /// # Errors
    /// When Millwright failed: the queue message must come back.
    pub async fn fan_out(&self, mut message: Message, hop: u8) -> Result<Handled> {
        let endpoints = self.endpoints_for(&message).await?;
        message.endpoints = Some(ids_of(&endpoints));
        message.kept_days = self.kept_days(&message.workspace).await?;
        self.plan_body_sweep(&message).await?;
        if let Some((_pass, prepared)) = self.begin_at_once(&message, &endpoints).await? {
            let first = self.first_claim(&prepared);
            message.first = Some(first.clone());
            return match self.claim_message(&message).await? {
                true => self.attempt_claimed(&message, &first, &prepared, hop).await,
                false => self.fan_out_again(&message, hop).await,
            };
        }
        match self.store.create(&message.key(), &message).await? {
            true => self.distribute(&message, &endpoints, hop).await,
            false => self.fan_out_again(&message, hop).await,
        }
    }

    /// Goes on with a message whose row an earlier copy has made.
    async fn fan_out_again(&self, message: &Message, hop: u8) -> Result<Handled> {
        let row: Option<Row<Message>> = self.store.get(&message.key()).await?;
        match row.map(|row| row.doc) {
            None => Ok(Handled::Dropped),
            Some(message @ Message { first: Some(_), .. }) => self.after_claim(&message, hop).await,
            // An earlier copy chose already, and may have died half way: its choice stands.
            Some(Message { endpoints: Some(chosen), .. }) => {
                let endpoints = self.endpoints_by_id(&message.workspace, &chosen).await?;
                self.distribute(message, &endpoints, hop).await
            }
            Some(recorded) => self.fan_out_row(recorded, hop).await,
        }
    }

    /// Fans out a message whose row is there. `hop` is the count its queue message carried.
    ///
    /// # Errors
    /// When Millwright failed: the queue message must come back.
    pub async fn fan_out_recorded(
        &self,
        workspace: &WorkspaceId,
        id: &MessageId,
        hop: u8,
    ) -> Result<Handled> {
        let row: Option<Row<Message>> = self.store.get(&message_key(workspace, id)).await?;
        match row {
            Some(row) if row.doc.endpoints.is_none() => self.fan_out_row(row.doc, hop).await,
            _ => Ok(Handled::Dropped),
        }
    }

    async fn fan_out_row(&self, mut message: Message, hop: u8) -> Result<Handled> {
        message.kept_days = self.kept_days(&message.workspace).await?;
        self.plan_body_sweep(&message).await?;
        let endpoints = self.endpoints_for(&message).await?;
        let handled = self.distribute(&message, &endpoints, hop).await?;
        if handled == Handled::Done {
            self.mark(&message, &ids_of(&endpoints)).await?;
        }
        Ok(handled)
    }

    /// Takes the message out of the due index. Its deliveries carry on by themselves.
    async fn mark(&self, message: &Message, endpoints: &[EndpointId]) -> Result<()> {
        let decide = |row: &mut Message| {
            row.endpoints.get_or_insert_with(|| endpoints.to_vec());
            row.kept_days = message.kept_days;
            Ok(())
        };
        self.store.modify(&message.key(), decide).await.map(drop)
    }

    /// Sees to it that every endpoint's delivery is made or under way.
    async fn distribute(
        &self,
        message: &Message,
        endpoints: &[Endpoint],
        hop: u8,
    ) -> Result<Handled> {
        let on_the_spot = endpoints.len() <= ON_THE_SPOT;
        let start = |endpoint| async move {
            if on_the_spot && self.may_begin_here(endpoint) {
                self.attempt_first(message, endpoint, hop).await
            } else {
                self.enqueue_first(message, endpoint, hop).await
            }
        };
        // Each is begun whatever becomes of the others; one failure then brings the message back.
        let starts: Vec<_> = endpoints.iter().map(start).collect();
        let started: Vec<Result<Handled>> =
            stream::iter(starts).buffer_unordered(AT_A_TIME).collect().await;
        let handled = started.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(summary(&handled))
    }

    /// Makes the first attempt here and now. The row appears with the attempt claimed in it.
    async fn attempt_first(
        &self,
        message: &Message,
        endpoint: &Endpoint,
        hop: u8,
    ) -> Result<Handled> {
        let _pass = match self.may_attempt(message, endpoint).await? {
            Ok(pass) => pass,
            Err(instead) => return self.rest_first(message, endpoint, instead, hop).await,
        };
        let prepared = self.prepare(message, endpoint.clone()).await?;
        let pending = Delivery::new(message, &endpoint.id);
        let task = pending.task();
        let delivery = pending.claimed(Now::read(self.clock()), claimant(&prepared));
        let key = delivery_key(&message.workspace, &delivery.id());
        match self.put(&key, &delivery, Expect::Absent).await? {
            Some(version) => {
                let claimed = Written { key, doc: delivery, expect: Expect::Version(version) };
                self.post_and_record(claimed, &prepared, hop).await
            }
            // A copy of the queue message was here before: go on from what it left.
            None => self.attempt(&task, hop).await,
        }
    }

    /// Makes a delivery of which nothing is attempted now: it is held, put off, offered or given up
    /// from the start.
    async fn rest_first(
        &self,
        message: &Message,
        endpoint: &Endpoint,
        instead: Instead,
        hop: u8,
    ) -> Result<Handled> {
        let mut doc = Delivery::new(message, &endpoint.id);
        let task = doc.task();
        // Nothing stands against it: it is new.
        let _ = doc.take(instead, task.number, Now::read(self.clock()));
        let key = delivery_key(&message.workspace, &doc.id());
        match self.put(&key, &doc, Expect::Absent).await? {
            Some(version) => self.settled(Row { key, doc, body: None, version }, hop).await,
            None => self.attempt(&task, hop).await,
        }
    }

    /// Hands the first attempt to the delivery queue. A copy may be sent twice; the attempt's
    /// number makes them one.
    async fn enqueue_first(
        &self,
        message: &Message,
        endpoint: &Endpoint,
        hop: u8,
    ) -> Result<Handled> {
        if let Some(instead) = self.instead_of_queue(message, endpoint) {
            return self.rest_first(message, endpoint, instead, hop).await;
        }
        let delivery = Delivery::new(message, &endpoint.id);
        let task = delivery.task();
        let key = delivery_key(&message.workspace, &delivery.id());
        if !self.store.create(&key, &delivery).await? {
            let row: Option<Row<Delivery>> = self.store.get(&key).await?;
            match row.map(|row| row.doc.state) {
                Some(State::Pending) => {}
                // An earlier copy may have begun on the spot, when the endpoint seemed well, and died:
                // then this queue message alone still stands for the attempt.
                Some(State::Attempting(_)) => return self.attempt(&task, hop).await,
                _ => return Ok(Handled::Dropped),
            }
        }
        let work = task.work()?;
        self.queue.send_after(QueueName::Delivery, &work, Duration::ZERO, hop + 1).await?;
        Ok(Handled::Done)
    }
}

fn ids_of(endpoints: &[Endpoint]) -> Vec<EndpointId> {
    endpoints.iter().map(|endpoint| endpoint.id.clone()).collect()
}

/// While one first attempt is in somebody's hands, the message stays until that is known to be
/// over.
fn summary(handled: &[Handled]) -> Handled {
    let wait = |one: &Handled| match one {
        Handled::Later { after } => Some(*after),
        Handled::Done | Handled::Dropped => None,
    };
    handled.iter().filter_map(wait).max().map_or(Handled::Done, |after| Handled::Later { after })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_when_the_last_attempt_in_other_hands_is_over() {
        let later = |seconds| Handled::Later { after: Duration::from_secs(seconds) };
        assert_eq!(summary(&[]), Handled::Done);
        assert_eq!(summary(&[Handled::Done, Handled::Dropped]), Handled::Done);
        assert_eq!(summary(&[later(2), Handled::Done, later(7)]), later(7));
    }
}
