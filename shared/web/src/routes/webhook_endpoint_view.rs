//! A webhook endpoint as answers show it.

use std::collections::BTreeMap;

use millwright_access::{Caller, Need, Role};
use millwright_core::{ConnectionId, EndpointId, ExposeSecret, Result, ScheduleTime};
use millwright_webhook::{self as webhook, OwnHeaders};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::webhook_secrets::SignatureScheme;
use crate::App;

/// What stands for a header's value before those who may not see it.
const HIDDEN: &str = "***";

/// How messages come to whoever gets them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryMode {
    /// They are sent to the URL.
    #[default]
    Push,
    /// They are fetched from `GET /v1/webhook-endpoints/{id}/poll`.
    Poll,
}

/// How much events about records say.
#[derive(Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Payload {
    /// The keys of the records.
    #[default]
    Keys,
    /// The records themselves beside their keys.
    Records,
}

impl From<Payload> for webhook::Payload {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Keys => Self::Keys,
            Payload::Records => Self::Records,
        }
    }
}

impl From<webhook::Payload> for Payload {
    fn from(payload: webhook::Payload) -> Self {
        match payload {
            webhook::Payload::Keys => Self::Keys,
            webhook::Payload::Records => Self::Records,
        }
    }
}

/// Whether an endpoint gets deliveries.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndpointStatus {
    /// It does.
    Enabled,
    /// They are held, and made when it goes on.
    Paused,
    /// They are held, and made only when somebody asks for it.
    Disabled,
}

/// Why an endpoint is disabled.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DisabledReason {
    /// Somebody did it.
    ByHand,
    /// It answered 410, or asked for it with the header `webhook-delivery: disable`.
    Refused,
    /// Nothing has arrived for days.
    Failing,
}

impl From<webhook::DisabledReason> for DisabledReason {
    fn from(reason: webhook::DisabledReason) -> Self {
        match reason {
            webhook::DisabledReason::ByHand => Self::ByHand,
            webhook::DisabledReason::Refused => Self::Refused,
            webhook::DisabledReason::Failing => Self::Failing,
        }
    }
}

/// Where webhook messages go.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookEndpoint {
    /// Its id.
    #[schema(value_type = String, example = "ep_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: EndpointId,
    /// How messages come to whoever gets them.
    delivery: DeliveryMode,
    /// Where messages are sent to; null for one that is polled.
    #[schema(required)]
    url: Option<String>,
    /// The workspace's words for it.
    #[schema(required)]
    description: Option<String>,
    /// The event types it gets.
    event_types: Vec<String>,
    /// The connections it gets events about; all when empty.
    #[schema(value_type = Vec<String>)]
    connection_ids: Vec<ConnectionId>,
    /// The customers it gets events about; all when empty.
    customer_ids: Vec<String>,
    /// What a body must have in it, if anything.
    #[schema(required)]
    filter: Option<Map<String, Value>>,
    /// The headers that are sent with every attempt, by their names in lower case. Their values are
    /// shown to keys with the role `admin`, and as `***` to others.
    headers: BTreeMap<String, String>,
    /// How much events about records say.
    payload: Payload,
    /// The workspace's own notes on it.
    metadata: Map<String, Value>,
    /// How many seconds the whole exchange may take.
    timeout_seconds: u8,
    /// How many attempts begin in a second at most, if there is a limit.
    #[schema(required)]
    rate_limit_per_second: Option<u32>,
    /// Its own waits in seconds between attempts; null for the promised schedule.
    #[schema(required)]
    retry_schedule: Option<Vec<u32>>,
    /// Whether it also gets the records that a first load brings.
    initial_load: bool,
    /// How messages are signed.
    signature: SignatureScheme,
    /// Whether `X-Webhook-Signature` is sent too.
    body_signature: bool,
    /// Whether it gets deliveries.
    status: EndpointStatus,
    /// Since when it is paused or disabled.
    #[schema(required, format = DateTime)]
    status_since: Option<String>,
    /// Why it is disabled, if it is.
    #[schema(required)]
    disabled_reason: Option<DisabledReason>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

impl WebhookEndpoint {
    /// The endpoint as a caller may see it.
    pub(crate) async fn shown(app: &App, caller: &Caller, own: webhook::Endpoint) -> Result<Self> {
        let headers = app.webhooks().headers_of(&own).await?;
        let admin = caller.require(Need::Role(Role::Admin)).is_ok();
        Ok(Self::of(own, shown_headers(&headers, admin)))
    }

    fn of(own: webhook::Endpoint, headers: BTreeMap<String, String>) -> Self {
        let (status, status_since, disabled_reason) = match own.status {
            webhook::EndpointStatus::Enabled => (EndpointStatus::Enabled, None, None),
            webhook::EndpointStatus::Paused { since } => {
                (EndpointStatus::Paused, Some(since), None)
            }
            webhook::EndpointStatus::Disabled { since, reason } => {
                (EndpointStatus::Disabled, Some(since), Some(reason.into()))
            }
        };
        Self {
            delivery: if own.is_polled() { DeliveryMode::Poll } else { DeliveryMode::Push },
            id: own.id,
            url: own.url,
            description: own.description,
            event_types: own.event_types.iter().map(|own| own.as_str().to_owned()).collect(),
            connection_ids: own.connection_ids,
            customer_ids: own.customer_ids,
            filter: own.filter.map(|filter| filter.as_map().clone()),
            headers,
            payload: own.payload.into(),
            metadata: own.metadata,
            timeout_seconds: own.timeout_seconds,
            rate_limit_per_second: own.rate_limit_per_second,
            retry_schedule: own.retry_schedule.own().map(<[u32]>::to_vec),
            initial_load: own.initial_load,
            signature: own.signing.scheme.into(),
            body_signature: own.signing.body_signature,
            status,
            status_since: status_since.map(ScheduleTime::iso),
            disabled_reason,
            created_at: own.created_at.iso(),
        }
    }
}

fn shown_headers(headers: &OwnHeaders, admin: bool) -> BTreeMap<String, String> {
    let shown = headers.iter().map(|(name, value)| {
        let value = if admin { value.expose_secret() } else { HIDDEN };
        (name.to_owned(), value.to_owned())
    });
    shown.collect()
}
