//! Checking what an endpoint is made from.

mod faults;

use std::collections::BTreeSet;

use faults::Faults;
use millwright_core::{
    ConnectionId, EndpointId, Error, Result, ScheduleTime, SecretString, WorkspaceId,
};
use millwright_outbound::Url;
use serde_json::{Map, Value};

use crate::{
    endpoint::{Endpoint, EndpointStatus, Payload},
    health::Health,
    own_headers::OwnHeaders,
    schedule::RetrySchedule,
    sign::Signing,
};

/// What an endpoint is made from, as the caller gave it.
#[derive(Clone, Debug, Default)]
pub struct NewEndpoint {
    /// `url`: nothing for an endpoint that is polled, and required for any other.
    pub url: Option<String>,
    /// Whether messages are fetched from it instead of sent (`delivery`).
    pub polled: bool,
    /// `description`.
    pub description: Option<String>,
    /// `event_types`; everything when empty.
    pub event_types: Vec<String>,
    /// `connection_ids`; all when empty.
    pub connection_ids: Vec<String>,
    /// Those of `connection_ids` that the workspace has.
    pub known_connections: BTreeSet<ConnectionId>,
    /// `customer_ids`; all when empty.
    pub customer_ids: Vec<String>,
    /// `filter`.
    pub filter: Option<Map<String, Value>>,
    /// `headers`.
    pub headers: Vec<(String, SecretString)>,
    /// `payload`.
    pub payload: Payload,
    /// `metadata`.
    pub metadata: Map<String, Value>,
    /// `timeout_seconds`, from 1 to 30; 10 when it is not given.
    pub timeout_seconds: Option<i64>,
    /// `rate_limit_per_second`, from 1 to 1000.
    pub rate_limit_per_second: Option<i64>,
    /// `retry_schedule`: 1 to 20 waits of 1 second to 24 hours; the promised ones when not given.
    pub retry_schedule: Option<Vec<i64>>,
    /// `initial_load`.
    pub initial_load: bool,
    /// `signature` and `body_signature`.
    pub signing: Signing,
    /// `secret`; a new one is made when it is not given.
    pub secret: Option<SecretString>,
}

/// What can be made of a [`NewEndpoint`]. Its headers have yet to be sealed.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The endpoint, without its headers.
    pub(crate) endpoint: Endpoint,
    /// Its URL, read; nothing for one that is polled.
    pub(crate) url: Option<Url>,
    /// Its headers.
    pub(crate) headers: OwnHeaders,
}

impl NewEndpoint {
    /// What it is made from to be as it is.
    pub(crate) fn of(endpoint: &Endpoint, headers: &OwnHeaders) -> Self {
        let pair = |(name, value): (&str, &SecretString)| (name.to_owned(), value.clone());
        Self {
            url: endpoint.url.clone(),
            polled: endpoint.is_polled(),
            description: endpoint.description.clone(),
            event_types: endpoint.event_types.iter().map(|one| one.as_str().to_owned()).collect(),
            connection_ids: endpoint.connection_ids.iter().map(ToString::to_string).collect(),
            // It may outlive a connection that it names.
            known_connections: endpoint.connection_ids.iter().cloned().collect(),
            customer_ids: endpoint.customer_ids.clone(),
            filter: endpoint.filter.as_ref().map(|filter| filter.as_map().clone()),
            headers: headers.iter().map(pair).collect(),
            payload: endpoint.payload,
            metadata: endpoint.metadata.clone(),
            timeout_seconds: Some(endpoint.timeout_seconds.into()),
            rate_limit_per_second: endpoint.rate_limit_per_second.map(Into::into),
            retry_schedule: endpoint
                .retry_schedule
                .own()
                .map(|waits| waits.iter().map(|wait| i64::from(*wait)).collect()),
            initial_load: endpoint.initial_load,
            signing: endpoint.signing,
            secret: None,
        }
    }

    /// The endpoint this makes; nothing is asked of the network.
    ///
    /// # Errors
    /// All the fields that are not valid.
    pub(crate) fn validate(self, workspace: &WorkspaceId, now: ScheduleTime) -> Result<Checked> {
        let mut faults = Faults::default();
        let url = faults.target(self.url.as_deref(), self.polled);
        faults.description(self.description.as_deref());
        let event_types = faults.event_types(&self.event_types);
        let connection_ids = faults.connection_ids(&self.connection_ids, &self.known_connections);
        faults.customer_ids(&self.customer_ids);
        let filter = faults.filter(self.filter);
        let headers = faults.headers(self.headers);
        faults.metadata(&self.metadata);
        let timeout_seconds = faults.timeout_seconds(self.timeout_seconds);
        let rate_limit_per_second = faults.rate_limit(self.rate_limit_per_second);
        let retry_schedule = faults.retry_schedule(self.retry_schedule);
        faults.signing(self.signing, self.secret.as_ref());
        if let Some(error) = Error::from_fields(faults.0) {
            return Err(error);
        }
        let endpoint = Endpoint {
            url: self.url,
            description: self.description,
            event_types,
            connection_ids,
            customer_ids: self.customer_ids,
            filter,
            payload: self.payload,
            metadata: self.metadata,
            timeout_seconds,
            rate_limit_per_second,
            retry_schedule,
            signing: self.signing,
            initial_load: self.initial_load,
            ..blank(workspace, now)
        };
        Ok(Checked { endpoint, url, headers })
    }
}

/// A new endpoint of which nothing has been said.
fn blank(workspace: &WorkspaceId, now: ScheduleTime) -> Endpoint {
    Endpoint {
        id: EndpointId::new_at(now.millis()),
        workspace: workspace.clone(),
        url: None,
        description: None,
        event_types: Vec::new(),
        connection_ids: Vec::new(),
        customer_ids: Vec::new(),
        filter: None,
        headers: None,
        payload: Payload::default(),
        metadata: Map::new(),
        timeout_seconds: 0,
        rate_limit_per_second: None,
        retry_schedule: RetrySchedule::default(),
        signing: Signing::default(),
        initial_load: false,
        status: EndpointStatus::Enabled,
        health: Health::default(),
        secret_version: 0,
        created_at: now,
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::ErrorCode;
    use serde_json::json;

    use super::*;
    use crate::examples::endpoint_with as endpoint;

    #[test]
    fn all_faulty_fields_are_named() {
        let error = endpoint(|new| {
            new.url = Some("no url".to_owned());
            new.description = Some("x".repeat(1001));
            new.event_types = vec!["fine.*".to_owned(), "not fine".to_owned()];
            new.connection_ids = vec!["ep_1".to_owned()];
            new.customer_ids = vec![String::new()];
            new.filter = json!({ "amount": 5 }).as_object().cloned();
            new.headers = vec![("host".to_owned(), SecretString::from("x"))];
            new.metadata.insert("note".to_owned(), "x".repeat(5000).into());
            new.timeout_seconds = Some(31);
            new.rate_limit_per_second = Some(0);
            new.retry_schedule = Some(vec![]);
        });
        let error = error.unwrap_err();
        let mut paths: Vec<&str> = error.fields.iter().map(|field| field.path.as_str()).collect();
        paths.sort_unstable();
        let expected = [
            "connection_ids[0]",
            "customer_ids[0]",
            "description",
            "event_types[1]",
            "filter.amount",
            "headers.host",
            "metadata",
            "rate_limit_per_second",
            "retry_schedule",
            "timeout_seconds",
            "url",
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
    fn a_timeout_is_from_1_to_30_seconds_and_a_rate_from_1_to_1000() {
        for (seconds, fine) in [(0, false), (1, true), (30, true), (31, false), (-1, false)] {
            let made = endpoint(|new| new.timeout_seconds = Some(seconds));
            assert_eq!(made.is_ok(), fine, "{seconds}");
        }
        for (rate, fine) in [(0, false), (1, true), (1000, true), (1001, false)] {
            let made = endpoint(|new| new.rate_limit_per_second = Some(rate));
            assert_eq!(made.is_ok(), fine, "{rate}");
        }
    }

    #[test]
    fn an_own_retry_schedule_has_1_to_20_waits_of_1_second_to_24_hours() {
        let own = |waits: Vec<i64>| endpoint(|new| new.retry_schedule = Some(waits));
        assert_eq!(own(vec![5]).unwrap().retry_schedule, RetrySchedule::Own(vec![5]));
        assert!(own(vec![86_400; 20]).is_ok());
        let path = |waits| own(waits).unwrap_err().fields[0].path.clone();
        assert_eq!(path(vec![]), "retry_schedule");
        assert_eq!(path(vec![1; 21]), "retry_schedule");
        assert_eq!(path(vec![1, 0]), "retry_schedule[1]");
        assert_eq!(path(vec![86_401]), "retry_schedule[0]");
        assert_eq!(endpoint(|_| {}).unwrap().retry_schedule, RetrySchedule::Promised);
    }

    #[test]
    fn a_polled_endpoint_has_no_url_and_any_other_has_one() {
        let of = |url: Option<&str>, polled| {
            endpoint(|new| {
                new.url = url.map(str::to_owned);
                new.polled = polled;
            })
        };
        assert!(of(None, true).unwrap().is_polled());
        assert_eq!(of(None, false).unwrap_err().code, ErrorCode::FieldRequired);
        assert_eq!(of(Some(""), false).unwrap_err().code, ErrorCode::FieldRequired);
        assert_eq!(of(Some("https://a.example"), true).unwrap_err().fields[0].path, "url");
    }

    #[test]
    fn an_endpoint_is_made_anew_from_what_it_was_made_from() {
        let made = endpoint(|new| {
            new.description = Some("orders".to_owned());
            new.event_types = vec!["a.*".to_owned()];
            new.filter = json!({ "data": { "n": 1 } }).as_object().cloned();
            new.payload = Payload::Records;
            new.rate_limit_per_second = Some(7);
            new.retry_schedule = Some(vec![1, 2]);
        });
        let made = made.unwrap();
        let again = NewEndpoint::of(&made, &OwnHeaders::default());
        let again = again.validate(&made.workspace, made.created_at).unwrap().endpoint;
        assert_eq!(Endpoint { id: made.id.clone(), ..again }, made);
    }
}
