//! Giving a delivery up.

use millwright_core::{DeliveryId, Error, ErrorCode, Result, WorkspaceId};

use crate::{
    Webhooks,
    decide::{AbortRefusal, Now, Pace},
    delivery::Delivery,
    keys::delivery_key,
    state::AbortReason,
};

impl Webhooks {
    /// Gives up a delivery that waits, is held or is offered: nothing of it will be tried any more.
    ///
    /// # Errors
    /// `NOT_FOUND`; `STATE_CONFLICT` when it has ended or is being tried.
    pub async fn abort_delivery(
        &self,
        workspace: &WorkspaceId,
        id: &DeliveryId,
    ) -> Result<Delivery> {
        let endpoint = self.find_endpoint(workspace, &id.endpoint).await?;
        let pace = endpoint.as_ref().map_or_else(Pace::promised, Pace::of);
        let now = Now::read(self.clock());
        let decide = |delivery: &mut Delivery| {
            delivery.settle(now, &pace);
            delivery.abort(AbortReason::ByHand, now.schedule).map_err(refused)
        };
        let aborted = self.store.modify(&delivery_key(workspace, id), decide).await?;
        match aborted {
            Some((row, ())) => Ok(row.doc),
            None if self.under_way(workspace, id).await?.is_some() => {
                Err(refused(AbortRefusal::Busy))
            }
            None => Err(Error::not_found("webhook delivery")),
        }
    }
}

fn refused(refusal: AbortRefusal) -> Error {
    let why = match refusal {
        AbortRefusal::Ended => "it has ended",
        AbortRefusal::Busy => "an attempt is being made",
    };
    Error::new(ErrorCode::StateConflict, format!("the delivery cannot be aborted: {why}"))
}
