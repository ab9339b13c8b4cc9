//! The endpoint: where messages go, and which.

use millwright_core::{ConnectionId, EndpointId, ScheduleTime, WorkspaceId};
use millwright_event::Message;
use millwright_store::Document;
use millwright_vault::Sealed;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    body_filter::BodyFilter, health::Health, pattern::EventPattern, schedule::RetrySchedule,
    sign::Signing,
};

/// How many endpoints a workspace may have: a fan-out reads them all.
pub const ENDPOINTS_MAX: usize = 50;

/// Where messages of a workspace go: a URL that they are sent to, or a place they are fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Where messages are sent to, as it was given; nothing for an endpoint that is polled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The workspace's words for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Which types of events it gets.
    pub event_types: Vec<EventPattern>,
    /// The connections it gets events about; all when empty.
    pub connection_ids: Vec<ConnectionId>,
    /// The customers it gets events about; all when empty.
    pub customer_ids: Vec<String>,
    /// What else a message must have in it; everything passes when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<BodyFilter>,
    /// The workspace's own headers of every attempt, by name, sealed: they may hold keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Sealed>,
    /// How much record events say.
    #[serde(default)]
    pub payload: Payload,
    /// Whatever the workspace wants to keep with it.
    pub metadata: Map<String, Value>,
    /// How long a whole exchange may take.
    pub timeout_seconds: u8,
    /// How many attempts begin in a second at most; as many as there are when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_per_second: Option<u32>,
    /// When deliveries are tried again.
    #[serde(default)]
    pub retry_schedule: RetrySchedule,
    /// How attempts are signed.
    #[serde(default)]
    pub signing: Signing,
    /// Whether it also gets the rows that a first load brings.
    pub initial_load: bool,
    /// Whether deliveries are made.
    pub status: EndpointStatus,
    /// How it has been doing. Written when that changes, never for each delivery.
    #[serde(default)]
    pub health: Health,
    /// Changes whenever its secrets do: what has been read under another number is not current.
    #[serde(default)]
    pub secret_version: u32,
    /// When it was made.
    pub created_at: ScheduleTime,
}

/// Whether deliveries are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    /// They are.
    Enabled,
    /// They are held, and made when it goes on.
    Paused {
        /// Since when.
        since: ScheduleTime,
    },
    /// They are held, and made only when somebody asks for it.
    Disabled {
        /// Since when.
        since: ScheduleTime,
        /// Why.
        reason: DisabledReason,
    },
}

/// Why an endpoint is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// Somebody did it.
    ByHand,
    /// It answered 410, or asked for it with the header `webhook-delivery: disable`.
    Refused,
    /// Nothing has arrived for days.
    Failing,
}

/// How much record events say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The keys of the records.
    #[default]
    Keys,
    /// The records themselves.
    Records,
}

impl Document for Endpoint {}

impl Endpoint {
    /// Whether it gets a message, as far as that can be told without the message's content: an
    /// endpoint that names connections or customers gets only what is about one of them. What passes
    /// here has yet to pass its [`filter`](Self::filter), if it has one
    /// ([`Webhooks::choose`](crate::Webhooks::choose)). A message for one endpoint alone goes there
    /// whatever that endpoint chooses.
    #[must_use]
    pub fn wants(&self, message: &Message) -> bool {
        let scope = &message.scope;
        if let Some(only) = &scope.only {
            return *only == self.id;
        }
        let chosen = |listed: &[String], id: Option<&str>| {
            listed.is_empty() || id.is_some_and(|id| listed.iter().any(|one| one == id))
        };
        let connection = scope.connection_id.as_ref();
        self.event_types.iter().any(|pattern| pattern.matches(&message.event_type))
            && (self.connection_ids.is_empty()
                || connection.is_some_and(|id| self.connection_ids.contains(id)))
            && chosen(&self.customer_ids, scope.customer_id.as_deref())
            && (self.initial_load || !scope.initial_load)
    }

    /// Whether its messages are fetched instead of sent.
    #[must_use]
    pub fn is_polled(&self) -> bool {
        self.url.is_none()
    }

    /// Whether a message that it wants passes its filter. The body is the one that it would get.
    #[must_use]
    pub fn passes(&self, message: &Message, body: &Value) -> bool {
        let filter = self.filter.as_ref().filter(|_| message.scope.only.is_none());
        filter.is_none_or(|filter| filter.passes(body))
    }
}

#[cfg(test)]
mod tests {
    use millwright_event::Scope;

    use super::*;
    use crate::examples::{endpoint_with as endpoint, message};

    #[test]
    fn an_endpoint_gets_everything_but_first_loads_unless_it_says_otherwise() {
        let endpoint = endpoint(|_| {}).unwrap();
        assert_eq!(endpoint.timeout_seconds, 10);
        assert!(endpoint.wants(&message("test.ping", Scope::default())));
        let first_load = Scope { initial_load: true, ..Scope::default() };
        assert!(!endpoint.wants(&message("vendors.inserted", first_load)));
    }

    #[test]
    fn a_message_for_one_endpoint_goes_there_alone_whatever_it_chooses() {
        let choosy = endpoint(|new| new.event_types = vec!["a.b".to_owned()]).unwrap();
        let only = |id: &EndpointId| {
            let scope = Scope { only: Some(id.clone()), ..Scope::default() };
            message("test.ping", scope)
        };
        assert!(choosy.wants(&only(&choosy.id)));
        assert!(!endpoint(|_| {}).unwrap().wants(&only(&choosy.id)));
    }

    #[test]
    fn an_endpoint_that_asks_for_first_loads_gets_them() {
        let endpoint = endpoint(|new| new.initial_load = true).unwrap();
        let first_load = Scope { initial_load: true, ..Scope::default() };
        assert!(endpoint.wants(&message("vendors.inserted", first_load)));
    }

    #[test]
    fn an_endpoint_that_names_connections_and_customers_gets_only_theirs() {
        let (mine, other) = (ConnectionId::new_at(1), ConnectionId::new_at(2));
        let endpoint = endpoint(|new| {
            new.connection_ids = vec![mine.to_string()];
            new.known_connections = [mine.clone()].into();
            new.customer_ids = vec!["acme".to_owned()];
        });
        let endpoint = endpoint.unwrap();
        let about = |connection_id: Option<&ConnectionId>, customer: Option<&str>| Scope {
            connection_id: connection_id.cloned(),
            customer_id: customer.map(str::to_owned),
            ..Scope::default()
        };
        let wants = |scope| endpoint.wants(&message("vendors.updated", scope));
        assert!(wants(about(Some(&mine), Some("acme"))));
        assert!(!wants(about(Some(&other), Some("acme"))));
        assert!(!wants(about(Some(&mine), Some("other"))));
        assert!(!wants(about(Some(&mine), None)));
        assert!(!wants(about(None, None)));
    }
}
