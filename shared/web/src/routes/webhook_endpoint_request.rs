//! What a webhook endpoint is made from and changed by.

use std::collections::{BTreeMap, BTreeSet};

use millwright_core::{ConnectionId, SecretString};
use millwright_webhook::{EndpointChange, NewEndpoint, Signing};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    webhook_endpoint_view::{DeliveryMode, Payload},
    webhook_secrets::SignatureScheme,
};

/// The endpoint to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointRequest {
    /// How messages come to whoever gets them.
    #[serde(default)]
    delivery: DeliveryMode,
    /// Where messages are sent to. Required, unless they are polled.
    #[serde(default)]
    #[schema(max_length = 2048, example = "https://example.com/webhooks")]
    url: Option<String>,
    /// The workspace's words for it.
    #[serde(default)]
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// The event types it gets: `purchase_orders.inserted`, `purchase_orders.*` or `*`. All when not
    /// given.
    #[serde(default)]
    #[schema(max_items = 100)]
    event_types: Vec<String>,
    /// The connections it gets events about. All when not given.
    #[serde(default)]
    #[schema(max_items = 100)]
    connection_ids: Vec<String>,
    /// The customers it gets events about. All when not given.
    #[serde(default)]
    #[schema(max_items = 100)]
    customer_ids: Vec<String>,
    /// What a body must have in it: an object in the body's shape, with plain values or operators such
    /// as `$gt` and `$in` at its ends.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({"data": {"amount": {"$gte": 100}}}))]
    filter: Option<Map<String, Value>>,
    /// Headers to send with every attempt, an API key say: at most 20, with 8 KB in all.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// How much events about records say.
    #[serde(default)]
    payload: Payload,
    /// The workspace's own notes on it.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// How many seconds the whole exchange may take.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 30, default = 10)]
    timeout_seconds: u8,
    /// How many attempts begin in a second at most. As many as there are when not given.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    rate_limit_per_second: Option<u32>,
    /// Its own waits in seconds, each from 1 to 86,400, between one attempt and the next: as many
    /// retries as there are waits. The promised schedule, 13 attempts in 24 hours, when not given.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 20, example = json!([5, 60, 3600]))]
    retry_schedule: Option<Vec<u32>>,
    /// Whether it also gets the records that a first load brings.
    #[serde(default)]
    initial_load: bool,
    /// How messages are signed.
    #[serde(default)]
    signature: SignatureScheme,
    /// Whether `X-Webhook-Signature` is sent too: the base64 of an HMAC-SHA256 of the body alone, keyed
    /// with the text of the newest secret. For receivers that were written for it, and not with `v1a`.
    #[serde(default)]
    body_signature: bool,
    /// A secret of your own: `whsec_` and the base64 of 24 to 64 bytes, or for `v1a` `whsk_` and the
    /// base64 of seed and public key. A new one is made when not given.
    #[serde(default)]
    #[schema(max_length = 200)]
    secret: Option<String>,
}

fn ten() -> u8 {
    10
}

impl EndpointRequest {
    pub(crate) fn connection_ids(&self) -> &[String] {
        &self.connection_ids
    }

    pub(crate) fn into_new(self, known_connections: BTreeSet<ConnectionId>) -> NewEndpoint {
        let secret = |(name, value): (String, String)| (name, SecretString::from(value));
        NewEndpoint {
            url: self.url,
            polled: self.delivery == DeliveryMode::Poll,
            description: self.description,
            event_types: self.event_types,
            connection_ids: self.connection_ids,
            known_connections,
            customer_ids: self.customer_ids,
            filter: self.filter,
            headers: self.headers.into_iter().map(secret).collect(),
            payload: self.payload.into(),
            metadata: self.metadata,
            timeout_seconds: Some(self.timeout_seconds.into()),
            rate_limit_per_second: self.rate_limit_per_second.map(Into::into),
            retry_schedule: self.retry_schedule.map(wide),
            initial_load: self.initial_load,
            signing: Signing { scheme: self.signature.into(), body_signature: self.body_signature },
            secret: self.secret.map(SecretString::from),
        }
    }
}

fn wide(waits: Vec<u32>) -> Vec<i64> {
    waits.into_iter().map(Into::into).collect()
}

/// What to change of an endpoint: what is not given stays, null is what a new one has when the field
/// is not given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointPatch {
    /// Where messages are sent to.
    #[serde(default)]
    #[schema(max_length = 2048, nullable = false)]
    url: Option<String>,
    /// The workspace's words for it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    description: Option<Option<String>>,
    /// The event types it gets: all of them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    event_types: Option<Option<Vec<String>>>,
    /// The connections it gets events about: all of them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    connection_ids: Option<Option<Vec<String>>>,
    /// The customers it gets events about: all of them.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    customer_ids: Option<Option<Vec<String>>>,
    /// What a body must have in it, member by member.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    filter: Option<Option<Map<String, Value>>>,
    /// Headers to send with every attempt, one by one; null takes one away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    headers: Option<Option<BTreeMap<String, Option<String>>>>,
    /// How much events about records say.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Payload>)]
    payload: Option<Option<Payload>>,
    /// The workspace's own notes on it, member by member.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Option<Map<String, Value>>>,
    /// How many seconds the whole exchange may take.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 30)]
    timeout_seconds: Option<Option<u8>>,
    /// How many attempts begin in a second at most; null for as many as there are.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    rate_limit_per_second: Option<Option<u32>>,
    /// Its own waits in seconds: all of them; null for the promised schedule.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<u32>>, min_items = 1, max_items = 20)]
    retry_schedule: Option<Option<Vec<u32>>>,
    /// Whether it also gets the records that a first load brings.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    initial_load: Option<Option<bool>>,
    /// Whether `X-Webhook-Signature` is sent too.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    body_signature: Option<Option<bool>>,
}

/// A field that is given, perhaps as null.
fn given<'de, T, D>(value: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(value).map(Some)
}

impl EndpointPatch {
    pub(crate) fn connection_ids(&self) -> &[String] {
        self.connection_ids.as_ref().and_then(Option::as_deref).unwrap_or_default()
    }

    pub(crate) fn into_change(self, known_connections: BTreeSet<ConnectionId>) -> EndpointChange {
        let secret =
            |(name, value): (String, Option<String>)| (name, value.map(SecretString::from));
        let headers = |own: BTreeMap<_, _>| own.into_iter().map(secret).collect();
        EndpointChange {
            url: self.url,
            description: self.description,
            event_types: self.event_types,
            connection_ids: self.connection_ids,
            known_connections,
            customer_ids: self.customer_ids,
            filter: self.filter,
            headers: self.headers.map(|given| given.map(headers)),
            payload: self.payload.map(|given| given.map(Into::into)),
            metadata: self.metadata,
            timeout_seconds: self.timeout_seconds.map(|given| given.map(Into::into)),
            rate_limit_per_second: self.rate_limit_per_second.map(|given| given.map(Into::into)),
            retry_schedule: self.retry_schedule.map(|given| given.map(wide)),
            initial_load: self.initial_load,
            body_signature: self.body_signature,
        }
    }
}
