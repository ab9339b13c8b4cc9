//! Ending a message early: aborting what is left of it, or removing its content for good.

use millwright_core::{DeliveryId, Error, MessageId, Result, ScheduleTime, WorkspaceId};
use millwright_event::{Body, Message, message_key};

use crate::{Webhooks, delivery::Delivery, keys::delivery_key, state::AbortReason};

impl Webhooks {
    /// Aborts a message: what is not delivered of it will not be. An attempt that is being made goes
    /// on, and none follows it. Doing it again changes nothing.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such message.
    pub async fn abort_message(&self, workspace: &WorkspaceId, id: &MessageId) -> Result<Message> {
        let now = self.clock().schedule();
        let message = self.stop(workspace, id, |message| stop_at(message, now)).await?;
        self.end_deliveries(&message, |delivery| {
            // One that has ended stays as it is; one that is being tried ends when it comes back.
            let _ = delivery.abort(AbortReason::MessageAborted, now);
        })
        .await?;
        Ok(message)
    }

    /// Removes a message's content, and what receivers answered to it, which may repeat it. That it
    /// was sent, when and with what outcome stays. What is not delivered is aborted. Doing it again
    /// changes nothing.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such message; when the blob store fails: then it must be done
    /// again.
    pub async fn expunge_message(
        &self,
        workspace: &WorkspaceId,
        id: &MessageId,
    ) -> Result<Message> {
        let now = self.clock().schedule();
        let stopped = self.stop(workspace, id, |message| stop_at(message, now)).await?;
        // The blobs first: while the row names them, a call that broke off can be made again.
        for body in [Some(&stopped.body), stopped.full_body.as_ref()].into_iter().flatten() {
            if let Body::Blob(path) = body {
                self.blob.delete(path).await?;
            }
        }
        self.end_deliveries(&stopped, |delivery| {
            // One that has ended stays as it is; one that is being tried ends when it comes back.
            let _ = delivery.abort(AbortReason::MessageAborted, now);
            delivery.expunged = true;
            delivery.forget_answers_of_expunged();
        })
        .await?;
        self.stop(workspace, id, |message| {
            message.body = Body::Expunged;
            message.full_body = None;
        })
        .await
    }

    async fn stop(
        &self,
        workspace: &WorkspaceId,
        id: &MessageId,
        change: impl Fn(&mut Message) + Send + Sync,
    ) -> Result<Message> {
        let decide = |message: &mut Message| {
            change(message);
            Ok(())
        };
        let changed = self.store.modify(&message_key(workspace, id), decide).await?;
        changed.map(|(row, ())| row.doc).ok_or_else(|| Error::not_found("webhook message"))
    }

    /// Changes each delivery of a message that there is. One that only the message tells of, whose first
    /// attempt is being made, has its row made: whoever makes the attempt finds it and records there.
    async fn end_deliveries(
        &self,
        message: &Message,
        change: impl Fn(&mut Delivery) + Send + Sync,
    ) -> Result<()> {
        if let Some(mut delivery) = Delivery::told_by(message) {
            change(&mut delivery);
            let key = delivery_key(&message.workspace, &delivery.id());
            self.store.create(&key, &delivery).await?;
        }
        for endpoint in message.endpoints.iter().flatten() {
            let id = DeliveryId { endpoint: endpoint.clone(), message: message.id.clone() };
            let decide = |delivery: &mut Delivery| {
                change(delivery);
                Ok(())
            };
            self.store.modify(&delivery_key(&message.workspace, &id), decide).await?;
        }
        Ok(())
    }
}

fn stop_at(message: &mut Message, now: ScheduleTime) {
    message.aborted_at.get_or_insert(now);
}
