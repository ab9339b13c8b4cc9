//! Events about endpoints and deliveries themselves: that an endpoint has long been failing, that it was
//! disabled, that a delivery has failed for good. Each is written in the transaction of what it tells of.

use millwright_core::{Error, MessageId, Result, ScheduleTime};
use millwright_event::{Message, NewMessage, Scope, announce};
use millwright_store::{Key, Row, StoreError, Write};
use serde_json::{Value, json};

use crate::{
    Webhooks,
    attempt::Written,
    attempt_log::{Attempt, AttemptEnd, Trigger},
    delivery::Delivery,
    endpoint::Endpoint,
    keys::endpoint_key,
    state::State,
};

/// Nothing has arrived at an endpoint for half of the time after which it is disabled.
pub(crate) const ENDPOINT_FAILING: &str = "endpoint.failing";
/// An endpoint was disabled: by somebody, by what its receiver answered, or as nothing arrived.
pub(crate) const ENDPOINT_DISABLED: &str = "endpoint.disabled";
/// All automatic attempts of a delivery have failed.
pub(crate) const DELIVERY_FAILED: &str = "delivery.failed";

/// How often a change is begun again when somebody else writes the row.
const TRIES: u32 = 5;

/// What is told, and of when.
pub(crate) struct Told {
    pub(crate) event_type: &'static str,
    pub(crate) at: ScheduleTime,
    pub(crate) data: Value,
}

impl Webhooks {
    /// Changes an endpoint's row and tells of it, both or neither. `decide` answers what there is to
    /// tell, or nothing when there is nothing to change any more. Answers the endpoint as it was written,
    /// if it was.
    pub(crate) async fn change_and_tell<F>(
        &self,
        endpoint: &Endpoint,
        decide: F,
    ) -> Result<Option<Endpoint>>
    where
        F: Fn(&mut Endpoint) -> Option<Told> + Send + Sync,
    {
        let key = endpoint_key(&endpoint.workspace, &endpoint.id);
        for _ in 0..TRIES {
            let found: Option<Row<Endpoint>> = self.store.get(&key).await?;
            let Some(mut row) = found else { return Ok(None) };
            let Some(told) = decide(&mut row.doc) else { return Ok(None) };
            let about = [row.doc.id.as_str(), told.event_type];
            let message = self.render(&row.doc.workspace, &about, told).await?;
            match self.store.transact(vec![Write::replace(&row)?, message.as_write()?]).await {
                Ok(()) => {
                    announce(&self.queue, &[message]).await;
                    return Ok(Some(row.doc));
                }
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::internal(StoreError::Conflict(0)))
    }

    /// The event that a delivery has failed for good, if it has, and if that is to be told. One about
    /// these events themselves is not: it would only fail again.
    pub(crate) async fn failure_event(&self, delivery: &Delivery) -> Result<Option<Message>> {
        let State::Failed { at } = delivery.state else { return Ok(None) };
        let ours = [ENDPOINT_FAILING, ENDPOINT_DISABLED, DELIVERY_FAILED];
        // A second try upon a broken connection belongs to the attempt before it.
        let cause = delivery.attempts.iter().rfind(|one| one.trigger != Trigger::Reconnect);
        if cause.is_some_and(|cause| cause.trigger == Trigger::Manual) {
            return Ok(None);
        }
        let Some(last) =
            delivery.attempts.last().filter(|_| !ours.contains(&delivery.event_type.as_str()))
        else {
            return Ok(None);
        };
        let data = failure_data(delivery, last, at);
        let about = [delivery.endpoint.as_str(), delivery.message.as_str(), DELIVERY_FAILED];
        let told = Told { event_type: DELIVERY_FAILED, at, data };
        self.render(&delivery.workspace, &about, told).await.map(Some)
    }

    /// Writes a delivery together with the event that it has failed; false when somebody else was
    /// first.
    pub(crate) async fn write_and_tell(&self, row: &Written, message: Message) -> Result<bool> {
        let write = Write::put(&row.key, &row.doc, row.expect)?;
        match self.store.transact(vec![write, message.as_write()?]).await {
            Ok(()) => {}
            Err(StoreError::Conflict(_)) if self.stands(&row.key, &row.doc).await? => {}
            Err(StoreError::Conflict(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        announce(&self.queue, &[message]).await;
        Ok(true)
    }

    /// Whether the row is as we wanted it: a write whose answer was lost meets itself.
    async fn stands(&self, key: &Key, delivery: &Delivery) -> Result<bool> {
        let there: Option<Row<Delivery>> = self.store.get_doc(key).await?;
        Ok(there.is_some_and(|row| row.doc == *delivery))
    }

    async fn render(
        &self,
        workspace: &millwright_core::WorkspaceId,
        about: &[&str],
        told: Told,
    ) -> Result<Message> {
        let at = told.at.millis();
        let moment = at.to_string();
        let parts: Vec<&str> = [workspace.as_str()]
            .into_iter()
            .chain(about.iter().copied())
            .chain([&*moment])
            .collect();
        let new = NewMessage {
            workspace,
            id: MessageId::derived_at(at, &parts),
            event_type: told.event_type,
            data: &told.data,
            scope: Scope::default(),
        };
        Message::render(&self.blob, self.clock(), new).await
    }
}

fn failure_data(delivery: &Delivery, last: &Attempt, at: ScheduleTime) -> Value {
    json!({
        "delivery_id": delivery.id().to_string(),
        "endpoint_id": delivery.endpoint,
        "message_id": delivery.message,
        "event_type": delivery.event_type,
        "attempts": delivery.attempts.len(),
        "failed_at": at.iso(),
        "last_error": last_error(&last.end),
    })
}

/// An attempt's failure as events tell it: without what the receiver answered, which is its own.
fn last_error(end: &AttemptEnd) -> Value {
    match end {
        AttemptEnd::Answered(answer) => json!({ "class": "status", "status": answer.status }),
        AttemptEnd::Unanswered { class, message, .. } => {
            json!({ "class": class.as_str(), "message": message })
        }
        _ => json!({ "class": "unknown" }),
    }
}
