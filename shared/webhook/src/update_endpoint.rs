//! Changing an endpoint: a JSON merge patch (RFC 7396), field by field.

use std::collections::{BTreeMap, BTreeSet};

use millwright_core::{
    ConnectionId, EndpointId, Error, ExposeSecret, Result, SecretString, WorkspaceId,
};
use millwright_store::{Row, StoreError, Write};
use serde_json::{Map, Value};

use crate::{
    NewEndpoint, Webhooks,
    endpoint::{Endpoint, Payload},
    keys::endpoint_key,
    new_endpoint::Checked,
    own_headers::OwnHeaders,
};

/// How often a change is begun again when somebody else changed the endpoint in between.
const TRIES: u32 = 8;

/// What to change of an endpoint. What is not given stays; `Some(None)` is null, which is what a new
/// endpoint has when the field is not given.
#[derive(Clone, Debug, Default)]
pub struct EndpointChange {
    /// `url`.
    pub url: Option<String>,
    /// `description`.
    pub description: Option<Option<String>>,
    /// `event_types`: all of them.
    pub event_types: Option<Option<Vec<String>>>,
    /// `connection_ids`: all of them.
    pub connection_ids: Option<Option<Vec<String>>>,
    /// Those of `connection_ids` that the workspace has.
    pub known_connections: BTreeSet<ConnectionId>,
    /// `customer_ids`: all of them.
    pub customer_ids: Option<Option<Vec<String>>>,
    /// `filter`, merged member by member.
    pub filter: Option<Option<Map<String, Value>>>,
    /// `headers`, by name; null takes one away.
    pub headers: Option<Option<BTreeMap<String, Option<SecretString>>>>,
    /// `payload`.
    pub payload: Option<Option<Payload>>,
    /// `metadata`, merged member by member.
    pub metadata: Option<Option<Map<String, Value>>>,
    /// `timeout_seconds`.
    pub timeout_seconds: Option<Option<i64>>,
    /// `rate_limit_per_second`.
    pub rate_limit_per_second: Option<Option<i64>>,
    /// `retry_schedule`: all of it.
    pub retry_schedule: Option<Option<Vec<i64>>>,
    /// `initial_load`.
    pub initial_load: Option<Option<bool>>,
    /// `body_signature`.
    pub body_signature: Option<Option<bool>>,
}

impl Webhooks {
    /// Changes an endpoint. Nothing is written when that leaves it as it was. Deliveries that are
    /// under way go on; the next attempt of each is made by the new settings.
    ///
    /// # Errors
    /// `NOT_FOUND`; otherwise as [`Self::create_endpoint`].
    pub async fn update_endpoint(
        &self,
        workspace: &WorkspaceId,
        id: &EndpointId,
        change: &EndpointChange,
    ) -> Result<Endpoint> {
        let key = endpoint_key(workspace, id);
        for _ in 0..TRIES {
            let row: Option<Row<Endpoint>> = self.store.get(&key).await?;
            let mut row = row.ok_or_else(|| Error::not_found("webhook endpoint"))?;
            let changed = self.changed(&row.doc, change).await?;
            if changed == row.doc {
                return Ok(changed);
            }
            row.doc = changed;
            match self.store.write(Write::replace(&row)?).await {
                Ok(_) => return Ok(row.doc),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::internal(StoreError::Conflict(0)))
    }

    async fn changed(&self, own: &Endpoint, change: &EndpointChange) -> Result<Endpoint> {
        let before = self.headers_of(own).await?;
        let new = change.applied_to(NewEndpoint::of(own, &before));
        let Checked { endpoint, url, headers } = new.validate(&own.workspace, own.created_at)?;
        if endpoint.url != own.url {
            self.check_target(url.as_ref()).await?;
        }
        let sealed = if headers.same_as(&before) {
            own.headers.clone()
        } else {
            self.seal_headers(&own.workspace, &own.id, &headers).await?
        };
        Ok(Endpoint {
            id: own.id.clone(),
            headers: sealed,
            status: own.status.clone(),
            health: own.health.clone(),
            secret_version: own.secret_version,
            ..endpoint
        })
    }
}

impl EndpointChange {
    fn applied_to(&self, mut new: NewEndpoint) -> NewEndpoint {
        // A given null reads as the default of a new endpoint.
        set(&mut new.event_types, &self.event_types);
        set(&mut new.connection_ids, &self.connection_ids);
        set(&mut new.customer_ids, &self.customer_ids);
        set(&mut new.payload, &self.payload);
        set(&mut new.initial_load, &self.initial_load);
        set(&mut new.signing.body_signature, &self.body_signature);
        replace(&mut new.description, &self.description);
        replace(&mut new.timeout_seconds, &self.timeout_seconds);
        replace(&mut new.rate_limit_per_second, &self.rate_limit_per_second);
        replace(&mut new.retry_schedule, &self.retry_schedule);
        if let Some(url) = &self.url {
            new.url = Some(url.clone());
        }
        if let Some(patch) = &self.filter {
            let filter = patched(new.filter.take().unwrap_or_default(), patch.as_ref());
            new.filter = patch.is_some().then_some(filter);
        }
        if let Some(patch) = &self.metadata {
            new.metadata = patched(std::mem::take(&mut new.metadata), patch.as_ref());
        }
        if let Some(patch) = &self.headers {
            new.headers = patched_headers(new.headers, patch.as_ref());
        }
        new.known_connections.extend(self.known_connections.iter().cloned());
        new
    }
}

fn set<T: Clone + Default>(target: &mut T, given: &Option<Option<T>>) {
    if let Some(given) = given {
        *target = given.clone().unwrap_or_default();
    }
}

fn replace<T: Clone>(target: &mut Option<T>, given: &Option<Option<T>>) {
    if let Some(given) = given {
        target.clone_from(given);
    }
}

fn patched(own: Map<String, Value>, patch: Option<&Map<String, Value>>) -> Map<String, Value> {
    let Some(patch) = patch else { return Map::new() };
    let mut merged = own;
    merge(&mut merged, patch);
    merged
}

/// RFC 7396, 2, for two objects.
fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                // `shift_remove` keeps the order of the others.
                target.shift_remove(name);
            }
            Value::Object(patch) => {
                let inner = target.entry(name.clone()).or_insert(Value::Null);
                if !inner.is_object() {
                    *inner = Value::Object(Map::new());
                }
                if let Value::Object(inner) = inner {
                    merge(inner, patch);
                }
            }
            plain => {
                target.insert(name.clone(), plain.clone());
            }
        }
    }
}

fn patched_headers(
    own: Vec<(String, SecretString)>,
    patch: Option<&BTreeMap<String, Option<SecretString>>>,
) -> Vec<(String, SecretString)> {
    let Some(patch) = patch else { return Vec::new() };
    let named = |name: &str| patch.keys().any(|one| one.eq_ignore_ascii_case(name));
    let kept = own.into_iter().filter(|(name, _)| !named(name));
    let given = patch.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    kept.chain(given).collect()
}

impl OwnHeaders {
    fn same_as(&self, other: &Self) -> bool {
        let plain = |(name, value): (&str, &SecretString)| {
            (name.to_owned(), value.expose_secret().to_owned())
        };
        self.iter().map(plain).eq(other.iter().map(plain))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_merge_patch_does_as_the_examples_of_its_standard() {
        for (target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let merged = patched(object(target.clone()), Some(&object(patch.clone())));
            assert_eq!(Value::Object(merged), expected, "{target} with {patch}");
        }
    }

    #[test]
    fn what_is_not_given_stays_and_null_is_as_if_it_never_was() {
        let new = || NewEndpoint {
            url: Some("https://a.example".to_owned()),
            description: Some("orders".to_owned()),
            filter: Some(object(json!({ "data": { "a": 1, "b": 2 } }))),
            timeout_seconds: Some(20),
            retry_schedule: Some(vec![1]),
            ..NewEndpoint::default()
        };
        let same = EndpointChange::default().applied_to(new());
        assert_eq!((same.url, same.timeout_seconds), (new().url, Some(20)));
        let change = EndpointChange {
            description: Some(None),
            filter: Some(Some(object(json!({ "data": { "a": null } })))),
            timeout_seconds: Some(None),
            retry_schedule: Some(None),
            ..EndpointChange::default()
        };
        let changed = change.applied_to(new());
        assert_eq!((changed.description, changed.timeout_seconds), (None, None));
        assert_eq!(changed.retry_schedule, None);
        assert_eq!(changed.filter, Some(object(json!({ "data": { "b": 2 } }))));
        let none = EndpointChange { filter: Some(None), ..EndpointChange::default() };
        assert_eq!(none.applied_to(new()).filter, None);
    }

    #[test]
    fn headers_are_replaced_and_taken_away_by_name_in_any_case() {
        let own = || {
            let pair = |name: &str| (name.to_owned(), SecretString::from("old"));
            vec![pair("x-a"), pair("x-b"), pair("x-c")]
        };
        let patch = BTreeMap::from([
            ("X-A".to_owned(), Some(SecretString::from("new"))),
            ("X-B".to_owned(), None),
        ]);
        let headers = OwnHeaders::new(patched_headers(own(), Some(&patch))).unwrap();
        let plain: Vec<_> =
            headers.iter().map(|(name, value)| (name, value.expose_secret())).collect();
        assert_eq!(plain, [("x-a", "new"), ("x-c", "old")]);
        assert!(patched_headers(own(), None).is_empty());
    }
}
