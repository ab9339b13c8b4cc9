//! Trying a delivery again by hand.

use millwright_core::{DeliveryId, Error, ErrorCode, Result, WorkspaceId};

use crate::{
    Webhooks,
    decide::{ATTEMPTS_MAX, Now, Pace, RetryRefusal},
    delivery::Delivery,
    keys::delivery_key,
};

impl Webhooks {
    /// Plans an attempt at once of a delivery that has failed or waits. It takes the place of a
    /// waiting attempt, which keeps its time if this one fails; a failed delivery stays failed. It
    /// uses up none of the 13 automatic attempts.
    ///
    /// # Errors `NOT_FOUND`; `STATE_CONFLICT` when it has arrived, was aborted, is being tried, was
    /// tried too often, or its endpoint is gone.
    pub async fn retry_delivery(
        &self,
        workspace: &WorkspaceId,
        id: &DeliveryId,
    ) -> Result<Delivery> {
        let endpoint = self.find_endpoint(workspace, &id.endpoint).await?;
        let now = Now::read(self.clock());
        let decide = move |delivery: &mut Delivery| {
            let Some(endpoint) = &endpoint else {
                return Err(conflict("its endpoint has been deleted"));
            };
            if !endpoint.is_enabled() {
                return Err(refused(RetryRefusal::Held));
            }
            delivery.retry(now, &Pace::of(endpoint)).map_err(refused)
        };
        let planned = self.store.modify(&delivery_key(workspace, id), decide).await?;
        let Some((row, ())) = planned else {
            return Err(match self.under_way(workspace, id).await? {
                Some(_) => refused(RetryRefusal::Busy),
                None => Error::not_found("webhook delivery"),
            });
        };
        // The row is due from here on; this send only spares it the wait for the sweep.
        self.carry(&row.doc, 0).await;
        Ok(row.doc)
    }
}

fn refused(refusal: RetryRefusal) -> Error {
    match refusal {
        RetryRefusal::Delivered => conflict("it has been delivered"),
        RetryRefusal::Aborted => conflict("it was aborted"),
        RetryRefusal::Busy => conflict("an attempt is being made"),
        RetryRefusal::Held => conflict("its endpoint is paused or disabled"),
        RetryRefusal::Offered => conflict("its endpoint is polled"),
        RetryRefusal::Expired => conflict("the message's time is up"),
        RetryRefusal::TooMany => {
            conflict(&format!("it has been tried {ATTEMPTS_MAX} times, which is the limit"))
        }
    }
}

fn conflict(why: &str) -> Error {
    Error::new(ErrorCode::StateConflict, format!("the delivery cannot be retried: {why}"))
}
