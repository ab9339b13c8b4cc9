//! Sending an endpoint everything of a time that it never got.

use millwright_core::{DeliveryId, Result, ScheduleTime};
use millwright_event::Message;
use millwright_job::{DeliveryScope, ReplayScope};

use super::{JobEnd, PAGE, Step};
use crate::{
    MessageFilter, Webhooks,
    delivery::Delivery,
    endpoint::Endpoint,
    keys::delivery_key,
    pattern::EventPattern,
    state::{Plan, State, Waiting},
};

impl Webhooks {
    pub(super) async fn run_replay(
        &self,
        mut step: Step<'_>,
        scope: &ReplayScope,
    ) -> Result<JobEnd> {
        let workspace = &step.job.workspace;
        let found = self.find_endpoint(workspace, &scope.endpoint).await?;
        let Some(endpoint) = found.filter(Endpoint::is_enabled) else {
            return step.finish(0).await;
        };
        let filter = MessageFilter {
            since: Some(scope.since),
            until: Some(scope.until),
            ..MessageFilter::default()
        };
        let mut cursor: Option<String> = step.place()?;
        loop {
            let page = self.list_messages(workspace, &filter, cursor.as_deref(), PAGE).await?;
            let mut messages = page.data;
            let now = self.clock().schedule();
            messages.retain(|message| is_meant(scope, message, now));
            let sent = step.send_all(&messages, &endpoint).await?;
            let Some(next) = page.next_cursor else { return step.finish(sent).await };
            if let Some(end) = step.got_on(sent, &next).await? {
                return Ok(end);
            }
            cursor = Some(next);
        }
    }

    /// Lists the endpoint among those of the message: by that, lists find the delivery.
    async fn list_endpoint(&self, message: &Message, endpoint: &Endpoint) -> Result<()> {
        let decide = |message: &mut Message| {
            if let Some(endpoints) = &mut message.endpoints
                && !endpoints.contains(&endpoint.id)
            {
                endpoints.push(endpoint.id.clone());
            }
            Ok(())
        };
        self.store.modify(&message.key(), decide).await.map(drop)
    }
}

impl Step<'_> {
    /// Plans a delivery of each message that the endpoint never got; answers how many.
    async fn send_all(&self, messages: &[Message], endpoint: &Endpoint) -> Result<u32> {
        self.each(messages, |n, message| {
            let (message, at) = (message.clone(), self.turn(n));
            async move { self.send(&message, endpoint, at).await }
        })
        .await
    }

    async fn send(&self, message: &Message, endpoint: &Endpoint, at: ScheduleTime) -> Result<bool> {
        let id = DeliveryId { endpoint: endpoint.id.clone(), message: message.id.clone() };
        let key = delivery_key(&message.workspace, &id);
        let webhooks = self.webhooks;
        if webhooks.store.get_doc::<Delivery>(&key).await?.is_some() {
            return self.wake(&id, &DeliveryScope::default(), at).await;
        }
        if Delivery::told_by(message).is_some_and(|one| one.endpoint == endpoint.id) {
            // Its first attempt is being made.
            return Ok(false);
        }
        if webhooks.choose(message, vec![endpoint.clone()]).await?.is_empty() {
            return Ok(false);
        }
        webhooks.list_endpoint(message, endpoint).await?;
        let delivery = late(message, endpoint, at, webhooks.clock().schedule());
        let made = webhooks.store.create(&key, &delivery).await?;
        if made {
            webhooks.carry(&delivery, 0).await;
        }
        Ok(made)
    }
}

/// A delivery of a message that went to others long ago: with all its attempts before it.
fn late(message: &Message, endpoint: &Endpoint, at: ScheduleTime, now: ScheduleTime) -> Delivery {
    let mut delivery = Delivery::new(message, &endpoint.id);
    let waiting = Waiting { at, since: now, plan: Plan::Automatic };
    delivery.state = match endpoint.is_polled() {
        true => State::Offered { since: now },
        false => State::Waiting(waiting),
    };
    delivery
}

/// Whether a message may be one of those that are replayed. One that has yet to be fanned out gets
/// there by itself; one that was aborted, or whose time is up, is not sent any more.
fn is_meant(scope: &ReplayScope, message: &Message, now: ScheduleTime) -> bool {
    let meant = |text: &String| {
        EventPattern::parse(text).is_some_and(|pattern| pattern.matches(&message.event_type))
    };
    message.endpoints.is_some()
        && message.stopped(now).is_none()
        && (scope.event_types.is_empty() || scope.event_types.iter().any(meant))
}
