//! The endpoint: where messages go, and which.

use millwright_core::{
    ConnectionId, EndpointId, Error, ErrorCode, FieldError, Result, ScheduleTime, WorkspaceId,
};
use millwright_event::Message;
use millwright_outbound::Url;
use millwright_store::Document;
use millwright_vault::Sealed;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::pattern::EventPattern;

/// How many endpoints a workspace may have: a fan-out reads them all.
pub const ENDPOINTS_MAX: usize = 50;

const URL_MAX: usize = 2048;
const LIST_MAX: usize = 100;
const CUSTOMER_ID_MAX: usize = 256;
const METADATA_MAX: usize = 4096;
const TIMEOUT_SECONDS: u8 = 10;

/// A webhook URL of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Where messages are sent to, as it was given.
    pub url: String,
    /// Which types of events it gets.
    pub event_types: Vec<EventPattern>,
    /// The connections it gets events about; all when empty.
    pub connection_ids: Vec<ConnectionId>,
    /// The customers it gets events about; all when empty.
    pub customer_ids: Vec<String>,
    /// Whatever the workspace wants to keep with it.
    pub metadata: Map<String, Value>,
    /// How long a whole exchange may take.
    pub timeout_seconds: u8,
    /// Whether it also gets the rows that a first load brings.
    pub initial_load: bool,
    /// Whether deliveries are made.
    pub status: EndpointStatus,
    /// When it was made.
    pub created_at: ScheduleTime,
}

/// Whether deliveries are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    /// They are.
    Enabled,
}

impl Document for Endpoint {}

/// An endpoint's signing secret, in a row of its own so that no list can hold it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EndpointSecret {
    pub(crate) sealed: Sealed,
}

impl Document for EndpointSecret {}

/// What an endpoint is made from, as the caller gave it.
#[derive(Clone, Debug, Default)]
pub struct NewEndpoint {
    /// `url`.
    pub url: String,
    /// `event_types`; everything when empty.
    pub event_types: Vec<String>,
    /// `connection_ids`; all when empty.
    pub connection_ids: Vec<String>,
    /// `customer_ids`; all when empty.
    pub customer_ids: Vec<String>,
    /// `metadata`.
    pub metadata: Map<String, Value>,
    /// `timeout_seconds`, from 1 to 30; 10 when it is not given.
    pub timeout_seconds: Option<i64>,
    /// `initial_load`.
    pub initial_load: bool,
}

impl Endpoint {
    /// Whether it gets a message. An endpoint that names connections or customers gets only what is
    /// about one of them.
    #[must_use]
    pub fn wants(&self, message: &Message) -> bool {
        let scope = &message.scope;
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
}

impl NewEndpoint {
    /// The endpoint this makes, and its URL read; nothing is asked of the network.
    ///
    /// # Errors
    /// All the fields that are not valid.
    pub(crate) fn validate(
        self,
        workspace: &WorkspaceId,
        now: ScheduleTime,
    ) -> Result<(Endpoint, Url)> {
        let mut faults = Faults::default();
        let url = faults.url(&self.url);
        let event_types = faults.event_types(&self.event_types);
        let connection_ids = faults.connection_ids(&self.connection_ids);
        faults.customer_ids(&self.customer_ids);
        faults.metadata(&self.metadata);
        let timeout_seconds = faults.timeout_seconds(self.timeout_seconds);
        if let Some(error) = Error::from_fields(faults.0) {
            return Err(error);
        }
        let url = url.ok_or_else(|| Error::internal("a valid endpoint without a URL"))?;
        let endpoint = Endpoint {
            id: EndpointId::new_at(now.millis()),
            workspace: workspace.clone(),
            url: self.url,
            event_types,
            connection_ids,
            customer_ids: self.customer_ids,
            metadata: self.metadata,
            timeout_seconds,
            initial_load: self.initial_load,
            status: EndpointStatus::Enabled,
            created_at: now,
        };
        Ok((endpoint, url))
    }
}

/// The faults found so far.
#[derive(Default)]
struct Faults(Vec<FieldError>);

impl Faults {
    fn add(&mut self, path: impl Into<String>, message: &str) {
        self.0.push(FieldError::new(path, ErrorCode::ValidationFailed, message));
    }

    fn url(&mut self, text: &str) -> Option<Url> {
        if text.is_empty() {
            self.0.push(FieldError::new("url", ErrorCode::FieldRequired, "is required"));
            return None;
        }
        if text.len() > URL_MAX {
            self.add("url", "must have at most 2048 characters");
            return None;
        }
        let url = Url::parse(text).ok();
        if url.is_none() {
            self.add("url", "is not a URL");
        }
        url
    }

    fn event_types(&mut self, texts: &[String]) -> Vec<EventPattern> {
        if texts.is_empty() {
            return vec![EventPattern::everything()];
        }
        self.length("event_types", texts.len());
        let patterns = texts.iter().enumerate().filter_map(|(i, text)| {
            let pattern = EventPattern::parse(text);
            if pattern.is_none() {
                let message = "must be an event type such as purchase_orders.inserted, all below a \
                               part of one such as purchase_orders.*, or *";
                self.add(format!("event_types[{i}]"), message);
            }
            pattern
        });
        patterns.collect()
    }

    fn connection_ids(&mut self, texts: &[String]) -> Vec<ConnectionId> {
        self.length("connection_ids", texts.len());
        let ids = texts.iter().enumerate().filter_map(|(i, text)| {
            let id = text.parse().ok();
            if id.is_none() {
                self.add(format!("connection_ids[{i}]"), "is not the id of a connection");
            }
            id
        });
        ids.collect()
    }

    fn customer_ids(&mut self, texts: &[String]) {
        self.length("customer_ids", texts.len());
        for (i, text) in texts.iter().enumerate() {
            if text.is_empty() || text.len() > CUSTOMER_ID_MAX {
                self.add(format!("customer_ids[{i}]"), "must have 1 to 256 characters");
            }
        }
    }

    fn metadata(&mut self, metadata: &Map<String, Value>) {
        let length = serde_json::to_string(metadata).map_or(usize::MAX, |text| text.len());
        if length > METADATA_MAX {
            self.add("metadata", "must have at most 4096 characters as JSON");
        }
    }

    fn timeout_seconds(&mut self, seconds: Option<i64>) -> u8 {
        match seconds.map(u8::try_from) {
            None => TIMEOUT_SECONDS,
            Some(Ok(seconds @ 1..=30)) => seconds,
            Some(_) => {
                self.add("timeout_seconds", "must be from 1 to 30");
                TIMEOUT_SECONDS
            }
        }
    }

    fn length(&mut self, path: &str, length: usize) {
        if length > LIST_MAX {
            self.add(path, "must have at most 100 entries");
        }
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::{MessageId, WallTime};
    use millwright_event::{Body, Scope};

    use super::*;

    fn endpoint(change: impl FnOnce(&mut NewEndpoint)) -> Result<Endpoint> {
        let mut new =
            NewEndpoint { url: "https://example.com/hook".to_owned(), ..NewEndpoint::default() };
        change(&mut new);
        let now = ScheduleTime::from_millis(1_700_000_000_000);
        new.validate(&WorkspaceId::new_at(1), now).map(|(endpoint, _)| endpoint)
    }

    fn message(event_type: &str, scope: Scope) -> Message {
        Message {
            id: MessageId::new_at(1),
            workspace: WorkspaceId::new_at(1),
            event_type: event_type.to_owned(),
            created_at: ScheduleTime::from_millis(1),
            timestamp: WallTime::from_millis(1),
            body: Body::Inline("{}".to_owned()),
            scope,
            endpoints: None,
        }
    }

    #[test]
    fn an_endpoint_gets_everything_but_first_loads_unless_it_says_otherwise() {
        let endpoint = endpoint(|_| {}).unwrap();
        assert_eq!(endpoint.timeout_seconds, 10);
        assert!(endpoint.wants(&message("test.ping", Scope::default())));
        let first_load = Scope { initial_load: true, ..Scope::default() };
        assert!(!endpoint.wants(&message("vendors.inserted", first_load)));
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
            new.customer_ids = vec!["acme".to_owned()];
        });
        let endpoint = endpoint.unwrap();
        let about = |connection_id: Option<&ConnectionId>, customer: Option<&str>| Scope {
            connection_id: connection_id.cloned(),
            customer_id: customer.map(str::to_owned),
            initial_load: false,
        };
        let wants = |scope| endpoint.wants(&message("vendors.updated", scope));
        assert!(wants(about(Some(&mine), Some("acme"))));
        assert!(!wants(about(Some(&other), Some("acme"))));
        assert!(!wants(about(Some(&mine), Some("other"))));
        assert!(!wants(about(Some(&mine), None)));
        assert!(!wants(about(None, None)));
    }

    #[test]
    fn every_faulty_field_is_named() {
        let error = endpoint(|new| {
            new.url = "not a url".to_owned();
            new.event_types = vec!["*".to_owned(), "a..b".to_owned()];
            new.connection_ids = vec!["ep_x".to_owned()];
            new.customer_ids = vec![String::new()];
            new.timeout_seconds = Some(31);
            new.metadata.insert("big".to_owned(), Value::String("x".repeat(5000)));
        });
        let paths: Vec<String> =
            error.unwrap_err().fields.into_iter().map(|field| field.path).collect();
        let expected = [
            "url",
            "event_types[1]",
            "connection_ids[0]",
            "customer_ids[0]",
            "metadata",
            "timeout_seconds",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn a_timeout_is_from_1_to_30_seconds() {
        for (seconds, fine) in [(0, false), (1, true), (30, true), (31, false), (-1, false)] {
            let made = endpoint(|new| new.timeout_seconds = Some(seconds));
            assert_eq!(made.is_ok(), fine, "{seconds}");
        }
        assert_eq!(endpoint(|new| new.url.clear()).unwrap_err().code, ErrorCode::FieldRequired);
    }
}
