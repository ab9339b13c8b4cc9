//! What the crate's tests begin with: an endpoint, a message, a delivery.

use millwright_core::{EndpointId, MessageId, Result, ScheduleTime, WallTime, WorkspaceId};
use millwright_event::{Body, Message, Scope};

use crate::{Delivery, Endpoint, NewEndpoint, State};

/// The moment at which tests begin, in milliseconds.
pub(crate) const START: i64 = 1_700_000_000_000;
/// That moment on the schedule clock.
pub(crate) const NOW: ScheduleTime = ScheduleTime::from_millis(START);

/// An endpoint as it is made when only its URL is given.
pub(crate) fn endpoint() -> Endpoint {
    endpoint_with(|_| {}).unwrap()
}

/// What is made of the same request, changed.
pub(crate) fn endpoint_with(change: impl FnOnce(&mut NewEndpoint)) -> Result<Endpoint> {
    let url = Some("https://example.com/hook".to_owned());
    let mut new = NewEndpoint { url, ..NewEndpoint::default() };
    change(&mut new);
    new.validate(&WorkspaceId::new_at(1), NOW).map(|checked| checked.endpoint)
}

/// A message of this type with an empty body.
pub(crate) fn message(event_type: &str, scope: Scope) -> Message {
    Message {
        id: MessageId::new_at(START),
        workspace: WorkspaceId::new_at(1),
        event_type: event_type.to_owned(),
        created_at: NOW,
        timestamp: WallTime::from_millis(START),
        body: Body::Inline("{}".to_owned()),
        full_body: None,
        scope,
        endpoints: None,
        first: None,
        abort_at: None,
        aborted_at: None,
        kept_days: None,
    }
}

/// A delivery of a `test.ping` in this state, without attempts.
pub(crate) fn delivery(state: State) -> Delivery {
    let message = message("test.ping", Scope::default());
    Delivery { state, ..Delivery::new(&message, &EndpointId::new_at(2)) }
}
