//! Going through what has come to rest: deliveries that have failed or are held, endpoint by endpoint,
//! the latest first. What comes to rest while the job runs lies before its place and is not met.

use std::time::Duration;

use millwright_core::{DeliveryId, EndpointId, Result, ScheduleTime, WorkspaceId};
use millwright_job::{DeliveryScope, RestState};
use serde::{Deserialize, Serialize};

use super::{JobEnd, PAGE, Step};
use crate::{
    Endpoint, Webhooks,
    failed_list::Place,
    keys::{failed_of, held_of},
};

/// How long after an endpoint goes on its release looks again, by the wall clock: somebody may just be
/// putting a delivery aside because they read before that the endpoint is paused, and the index trails.
const LINGER: Duration = Duration::from_secs(20);

/// Where a job goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RestPlace {
    endpoint: EndpointId,
    state: RestState,
    after: Option<Place>,
}

/// Some of the deliveries, and where to go on.
struct RestPage {
    ids: Vec<DeliveryId>,
    next: Option<RestPlace>,
}

impl Webhooks {
    pub(super) async fn run_rest(
        &self,
        mut step: Step<'_>,
        scope: &DeliveryScope,
    ) -> Result<JobEnd> {
        let mut place = step.place()?;
        loop {
            let page = self.resting(&step.job.workspace, scope, place.as_ref()).await?;
            let woken = step.wake_all(&page.ids, scope).await?;
            let Some(next) = page.next else { return step.finish(woken).await };
            if let Some(end) = step.got_on(woken, &next).await? {
                return Ok(end);
            }
            place = Some(next);
        }
    }

    /// Releases what was held while an endpoint was paused, again and again for a while.
    pub(super) async fn run_release(
        &self,
        mut step: Step<'_>,
        endpoint: &EndpointId,
    ) -> Result<JobEnd> {
        let held = Some(RestState::Held);
        let scope = DeliveryScope {
            endpoint: Some(endpoint.clone()),
            state: held,
            ..DeliveryScope::default()
        };
        let mut place = step.place()?;
        loop {
            let page = self.resting(&step.job.workspace, &scope, place.as_ref()).await?;
            let woken = step.wake_all(&page.ids, &scope).await?;
            let Some(next) = page.next else { return step.linger(woken, LINGER).await };
            if let Some(end) = step.got_on(woken, &next).await? {
                return Ok(end);
            }
            place = Some(next);
        }
    }

    /// The next deliveries that rest where the scope says. Endpoints that get nothing are left out.
    async fn resting(
        &self,
        workspace: &WorkspaceId,
        scope: &DeliveryScope,
        from: Option<&RestPlace>,
    ) -> Result<RestPage> {
        let lanes = self.lanes(workspace, scope).await?;
        let mut rest =
            lanes.iter().skip_while(|lane| from.is_some_and(|from| !from.is_before(lane)));
        let Some((endpoint, state)) = rest.next() else {
            return Ok(RestPage { ids: Vec::new(), next: None });
        };
        let here = from.filter(|from| from.endpoint == *endpoint && from.state == *state);
        let after = here.and_then(|from| from.after.as_ref());
        let of = match state {
            RestState::Failed => failed_of(workspace, endpoint),
            RestState::Held => held_of(workspace, endpoint),
        };
        let mut found = self.resting_of_endpoint(&of, endpoint, after, PAGE).await?;
        let full = found.len() >= PAGE;
        found.retain(|(place, _)| is_since(scope, place.failed_at));
        let last = found.last().map(|(place, _)| place.clone());
        let next = match last.filter(|_| full) {
            Some(last) => Some((endpoint, state, Some(last))),
            None => rest.next().map(|(endpoint, state)| (endpoint, state, None)),
        };
        let place = |(endpoint, state, after): (&EndpointId, &RestState, Option<Place>)| {
            RestPlace { endpoint: endpoint.clone(), state: *state, after }
        };
        let ids = found.into_iter().map(|(_, id)| id).collect();
        Ok(RestPage { ids, next: next.map(place) })
    }

    /// The partitions of the index to go through, in the order of their names.
    async fn lanes(
        &self,
        workspace: &WorkspaceId,
        scope: &DeliveryScope,
    ) -> Result<Vec<(EndpointId, RestState)>> {
        let mut endpoints = match &scope.endpoint {
            Some(one) => self.find_endpoint(workspace, one).await?.into_iter().collect(),
            None => Vec::clone(&*self.endpoints_of(workspace).await?),
        };
        endpoints.retain(Endpoint::is_enabled);
        endpoints.sort_by(|a, b| a.id.cmp(&b.id));
        let states = [RestState::Failed, RestState::Held];
        let wanted = states.into_iter().filter(|state| scope.state.is_none_or(|one| one == *state));
        let wanted: Vec<RestState> = wanted.collect();
        let lane = |id: &EndpointId| wanted.iter().map(|state| (id.clone(), *state)).collect();
        Ok(endpoints.iter().flat_map(|endpoint| -> Vec<_> { lane(&endpoint.id) }).collect())
    }
}

impl RestPlace {
    /// Whether it lies in this lane or before it.
    fn is_before(&self, (endpoint, state): &(EndpointId, RestState)) -> bool {
        (&self.endpoint, &self.state) <= (endpoint, state)
    }
}

fn is_since(scope: &DeliveryScope, at: ScheduleTime) -> bool {
    scope.since.is_none_or(|since| at >= since)
}
