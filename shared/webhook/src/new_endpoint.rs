//! Checking what an endpoint is made from.

use std::collections::BTreeSet;

use millwright_core::{
    ConnectionId, EndpointId, Error, ErrorCode, FieldError, Result, ScheduleTime, WorkspaceId,
};
use millwright_outbound::Url;
use serde_json::{Map, Value};

use crate::{
    endpoint::{Endpoint, EndpointStatus, Payload},
    health::Health,
    pattern::EventPattern,
    schedule::RetrySchedule,
    sign::Signing,
};

const URL_MAX: usize = 2048;
const LIST_MAX: usize = 100;
const CUSTOMER_ID_MAX: usize = 256;
const METADATA_MAX: usize = 4096;
const TIMEOUT_SECONDS: u8 = 10;

/// What an endpoint is made from, as the caller gave it.
#[derive(Clone, Debug, Default)]
pub struct NewEndpoint {
    /// `url`.
    pub url: String,
    /// `event_types`; everything when empty.
    pub event_types: Vec<String>,
    /// `connection_ids`; all when empty.
    pub connection_ids: Vec<String>,
    /// Those of `connection_ids` that the workspace has.
    pub known_connections: BTreeSet<ConnectionId>,
    /// `customer_ids`; all when empty.
    pub customer_ids: Vec<String>,
    /// `metadata`.
    pub metadata: Map<String, Value>,
    /// `timeout_seconds`, from 1 to 30; 10 when it is not given.
    pub timeout_seconds: Option<i64>,
    /// `initial_load`.
    pub initial_load: bool,
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
        let connection_ids = faults.connection_ids(&self.connection_ids, &self.known_connections);
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
            url: Some(self.url),
            description: None,
            event_types,
            connection_ids,
            customer_ids: self.customer_ids,
            filter: None,
            headers: None,
            payload: Payload::default(),
            metadata: self.metadata,
            timeout_seconds,
            rate_limit_per_second: None,
            retry_schedule: RetrySchedule::default(),
            signing: Signing::default(),
            initial_load: self.initial_load,
            status: EndpointStatus::Enabled,
            health: Health::default(),
            secret_version: 0,
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

    fn connection_ids(
        &mut self,
        texts: &[String],
        known: &BTreeSet<ConnectionId>,
    ) -> Vec<ConnectionId> {
        self.length("connection_ids", texts.len());
        let mut ids = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            let path = format!("connection_ids[{i}]");
            match text.parse() {
                Ok(id) if known.contains(&id) => ids.push(id),
                Ok(_) => {
                    let message = "there is no such connection in this workspace";
                    self.0.push(FieldError::new(path, ErrorCode::ReferenceNotFound, message));
                }
                Err(_) => self.add(path, "is not the id of a connection"),
            }
        }
        ids
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
    use super::*;

    fn endpoint(change: impl FnOnce(&mut NewEndpoint)) -> Result<Endpoint> {
        let mut new =
            NewEndpoint { url: "https://example.com/hook".to_owned(), ..NewEndpoint::default() };
        change(&mut new);
        let now = ScheduleTime::from_millis(1_700_000_000_000);
        new.validate(&WorkspaceId::new_at(1), now).map(|(endpoint, _)| endpoint)
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
    fn a_connection_that_the_workspace_does_not_have_is_named() {
        let (known, strange) = (ConnectionId::new_at(1), ConnectionId::new_at(2));
        let error = endpoint(|new| {
            new.connection_ids = vec![known.to_string(), strange.to_string()];
            new.known_connections = [known.clone()].into();
        });
        let error = error.unwrap_err();
        assert_eq!(error.code, ErrorCode::ReferenceNotFound);
        assert_eq!(error.fields[0].path, "connection_ids[1]");
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
