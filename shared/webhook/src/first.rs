//! The first attempt of a message that goes to one endpoint: claimed in the message's own row.
//!
//! So a message that arrives at the first try takes two writes: its row, with the claim, and its
//! delivery's row, with what came of the attempt. Between them only the message tells of the delivery.
//! Whoever finds a message whose claim has ended and whose delivery has no row knows that its maker died,
//! and makes the row of an attempt that reads `unknown`.

use millwright_core::{DeliveryId, EndpointId, Result, WorkspaceId};
use millwright_event::{FirstAttempt, Message, message_key};
use millwright_store::{Expect, Row};

use crate::{
    Handled, Webhooks,
    admit::Pass,
    attempt::{Written, claimant, later},
    decide::{Now, Pace, Refusal},
    delivery::Delivery,
    endpoint::Endpoint,
    keys::delivery_key,
    post::Prepared,
    state::{Claim, Plan, State},
};

impl Webhooks {
    /// What it takes to make the first attempt at once, where a message goes to one endpoint that may
    /// be called now. What is about a connection is left out: when that is erased, so are its
    /// deliveries, and they are found by their rows.
    pub(crate) async fn begin_at_once(
        &self,
        message: &Message,
        endpoints: &[Endpoint],
    ) -> Result<Option<(Pass, Prepared)>> {
        let [endpoint] = endpoints else { return Ok(None) };
        if message.scope.connection_id.is_some() || !self.may_begin_here(endpoint) {
            return Ok(None);
        }
        let Ok(pass) = self.may_attempt(message, endpoint).await? else { return Ok(None) };
        Ok(Some((pass, self.prepare(message, endpoint.clone()).await?)))
    }

    /// A claim for the first attempt.
    pub(crate) fn first_claim(&self, prepared: &Prepared) -> FirstAttempt {
        let (now, by) = (Now::read(self.clock()), claimant(prepared));
        let (started_at, until) = (now.schedule, now.wall + by.term);
        FirstAttempt { holder: by.name, started_at, until }
    }

    /// Puts a message's row with its claim; false when there is another. A write whose answer was lost is
    /// sent again by the SDK and then meets itself.
    pub(crate) async fn claim_message(&self, message: &Message) -> Result<bool> {
        if self.store.create_together(&message.key(), message).await? {
            return Ok(true);
        }
        let there: Option<Row<Message>> = self.store.get_doc(&message.key()).await?;
        Ok(there.is_some_and(|row| row.doc.first == message.first))
    }

    /// Makes the attempt that a message's row claims, and makes the delivery's row of what came of it.
    pub(crate) async fn attempt_claimed(
        &self,
        message: &Message,
        first: &FirstAttempt,
        prepared: &Prepared,
        hop: u8,
    ) -> Result<Handled> {
        let delivery = Delivery::claimed_by(message, &prepared.endpoint().id, first);
        let key = delivery_key(&message.workspace, &delivery.id());
        let written = Written { key, doc: delivery, expect: Expect::Absent };
        self.post_and_record(written, prepared, hop).await
    }

    /// Goes on with a message whose first attempt somebody claimed: it was made, or is being made, or
    /// its maker died.
    pub(crate) async fn after_claim(&self, message: &Message, hop: u8) -> Result<Handled> {
        let now = Now::read(self.clock());
        let Some(mut delivery) = Delivery::told_by(message) else { return Ok(Handled::Dropped) };
        let task = delivery.task();
        let key = delivery_key(&message.workspace, &delivery.id());
        let there: Option<Row<Delivery>> = self.store.get_doc(&key).await?;
        if there.is_some() {
            return self.attempt(&task, hop).await;
        }
        if let Err(Refusal::Busy(until)) = delivery.claimable(task.number, now) {
            return Ok(later(until.since(now.wall)));
        }
        let found = self.find_endpoint(&message.workspace, &delivery.endpoint).await?;
        delivery.settle(now, &found.as_ref().map_or_else(Pace::promised, Pace::of));
        let mut written = Written { key, doc: delivery, expect: Expect::Absent };
        if !self.write_back(&mut written).await? {
            return self.attempt(&task, hop).await;
        }
        tracing::warn!(delivery = %written.doc.id(), "an interrupted attempt reads unknown");
        self.carry(&written.doc, hop).await;
        Ok(Handled::Done)
    }

    /// The delivery that only its message tells of: its first attempt is being made.
    pub(crate) async fn under_way(
        &self,
        workspace: &WorkspaceId,
        id: &DeliveryId,
    ) -> Result<Option<Delivery>> {
        let row: Option<Row<Message>> =
            self.store.get_doc(&message_key(workspace, &id.message)).await?;
        let delivery = row.as_ref().and_then(|row| Delivery::told_by(&row.doc));
        Ok(delivery.filter(|delivery| delivery.endpoint == id.endpoint))
    }
}

impl Delivery {
    /// The delivery whose first attempt a message's row claims, if it claims one.
    pub(crate) fn told_by(message: &Message) -> Option<Self> {
        let endpoint = message.endpoints.as_deref()?.first()?;
        Some(Self::claimed_by(message, endpoint, message.first.as_ref()?))
    }

    fn claimed_by(message: &Message, endpoint: &EndpointId, first: &FirstAttempt) -> Self {
        let claim = Claim {
            plan: Plan::Automatic,
            started_at: first.started_at,
            until: first.until,
            holder: first.holder.clone(),
        };
        Self {
            first_attempt_at: Some(first.started_at),
            state: State::Attempting(claim),
            ..Self::new(message, endpoint)
        }
    }
}
