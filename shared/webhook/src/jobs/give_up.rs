//! Giving up what an endpoint that was deleted was still to get: deliveries that are held, or on offer to
//! whoever polls it. Nobody would ever come for them. What waits for an attempt needs no job: it is given
//! up when its time comes.

use std::time::Duration;

use millwright_core::{DeliveryId, EndpointId, Result, WorkspaceId};
use serde::{Deserialize, Serialize};

use super::{JobEnd, PAGE, Step};
use crate::{
    Webhooks,
    delivery::Delivery,
    failed_list::Place,
    keys::{delivery_key, held_of, offered_of},
    state::AbortReason,
};

/// How long the job looks again: who read the endpoint just before it was deleted may put a delivery
/// aside as long as their invocation lasts, two minutes at most, and the index trails.
const LINGER: Duration = Duration::from_secs(180);

/// Where the job goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LeftPlace {
    lane: Lane,
    after: Option<Place>,
}

/// The lists of what rests for an endpoint and has not ended, in the order of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Lane {
    Held,
    Offered,
}

impl LeftPlace {
    fn begin(lane: Lane) -> Self {
        Self { lane, after: None }
    }

    /// Where to go on after a page; nothing when the lists have come to their end. `last` is the last of a
    /// full page.
    fn after(&self, last: Option<Place>) -> Option<Self> {
        match (last, self.lane) {
            (Some(last), lane) => Some(Self { lane, after: Some(last) }),
            (None, Lane::Held) => Some(Self::begin(Lane::Offered)),
            (None, Lane::Offered) => None,
        }
    }

    fn of(&self, workspace: &WorkspaceId, endpoint: &EndpointId) -> String {
        match self.lane {
            Lane::Held => held_of(workspace, endpoint),
            Lane::Offered => offered_of(workspace, endpoint),
        }
    }
}

impl Webhooks {
    pub(super) async fn run_give_up(
        &self,
        mut step: Step<'_>,
        endpoint: &EndpointId,
    ) -> Result<JobEnd> {
        let mut place = step.place()?.unwrap_or(LeftPlace::begin(Lane::Held));
        loop {
            let of = place.of(&step.job.workspace, endpoint);
            let mut found =
                self.resting_of_endpoint(&of, endpoint, place.after.as_ref(), PAGE).await?;
            let full = found.len() >= PAGE;
            found.truncate(PAGE);
            let last = found.last().map(|(place, _)| place.clone()).filter(|_| full);
            let ids: Vec<DeliveryId> = found.into_iter().map(|(_, id)| id).collect();
            let given_up = step.give_up_all(&ids).await?;
            let Some(next) = place.after(last) else {
                return step.linger(given_up, LINGER).await;
            };
            if let Some(end) = step.got_on(given_up, &next).await? {
                return Ok(end);
            }
            place = next;
        }
    }

    /// Gives up a delivery whose endpoint is gone, unless it has ended or somebody is making an attempt:
    /// that one is recorded, and what would follow it is given up when its time comes. Answers whether it
    /// was given up just now.
    pub(crate) async fn give_up_orphan(
        &self,
        workspace: &WorkspaceId,
        id: &DeliveryId,
    ) -> Result<bool> {
        let now = self.clock().schedule();
        let decide =
            |delivery: &mut Delivery| Ok(delivery.abort(AbortReason::EndpointDeleted, now).is_ok());
        let changed = self.store.modify(&delivery_key(workspace, id), decide).await?;
        Ok(changed.is_some_and(|(_, given_up)| given_up))
    }
}

impl Step<'_> {
    async fn give_up_all(&self, ids: &[DeliveryId]) -> Result<u32> {
        self.each(ids, |_, id| {
            let id = id.clone();
            async move { self.webhooks.give_up_orphan(&self.job.workspace, &id).await }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_through_what_is_held_and_then_through_what_is_on_offer() {
        let begun = LeftPlace::begin(Lane::Held);
        let last = serde_json::json!({ "failed_at": 5, "id": "a" });
        let last: Place = serde_json::from_value(last).unwrap();
        let next = begun.after(Some(last.clone())).unwrap();
        assert_eq!((next.lane, &next.after), (Lane::Held, &Some(last)));
        let offered = next.after(None).unwrap();
        assert_eq!(offered, LeftPlace::begin(Lane::Offered));
        assert_eq!(offered.after(None), None);
    }

    #[test]
    fn its_place_survives_the_row_of_the_job() {
        let place = LeftPlace::begin(Lane::Offered);
        let text = serde_json::to_string(&place).unwrap();
        assert_eq!(serde_json::from_str::<LeftPlace>(&text).unwrap(), place);
    }
}
