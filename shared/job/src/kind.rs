//! What jobs do.

use millwright_core::{ConnectionId, EndpointId, ScheduleTime, WallTime};
use serde::{Deserialize, Serialize};

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Erases a connection and everything that belongs to it.
    DeleteConnection(ConnectionId),
    /// Seals every secret of the workspace anew whose data key was made before this time.
    RotateSecrets(WallTime),
    /// Tries deliveries again that have failed or are held.
    RetryDeliveries(DeliveryScope),
    /// Tries everything again that has failed or is held at one endpoint since a time.
    RecoverEndpoint(DeliveryScope),
    /// Sends one endpoint what it never got.
    ReplayEndpoint(ReplayScope),
    /// Sends one endpoint what was held while it was paused.
    ReleaseEndpoint(EndpointId),
    /// Gives up what an endpoint that was deleted was still to get.
    AbortDeliveries(EndpointId),
    /// Writes a connection's records into files.
    ExportRecords(ExportScope),
}

/// Records to be written into files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportScope {
    /// Whose.
    pub connection: ConnectionId,
    /// Of which entities, in this order.
    pub entities: Vec<String>,
    /// Whether those too that are gone.
    pub deleted: bool,
}

/// Deliveries that have come to rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryScope {
    /// Only those to this endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointId>,
    /// Only those that rest in this state; failed and held ones when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RestState>,
    /// Only those of messages of this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Only those that have rested since this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<ScheduleTime>,
    /// Only those that have rested since before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<ScheduleTime>,
}

/// How a delivery rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestState {
    /// Its automatic attempts have failed.
    Failed,
    /// Its endpoint was paused or disabled.
    Held,
}

/// Messages that an endpoint may not have got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayScope {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// Only messages of this time or later.
    pub since: ScheduleTime,
    /// Only messages from before this time.
    pub until: ScheduleTime,
    /// Only messages of types that one of these patterns names; of all types when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_types: Vec<String>,
}

impl JobKind {
    /// The endpoint it is about, if it is about one.
    #[must_use]
    pub fn endpoint(&self) -> Option<&EndpointId> {
        match self {
            Self::DeleteConnection(_) | Self::RotateSecrets(_) | Self::ExportRecords(_) => None,
            Self::RetryDeliveries(scope) | Self::RecoverEndpoint(scope) => scope.endpoint.as_ref(),
            Self::ReplayEndpoint(scope) => Some(&scope.endpoint),
            Self::ReleaseEndpoint(endpoint) | Self::AbortDeliveries(endpoint) => Some(endpoint),
        }
    }

    /// Whether it may stop half way: what is erased, sealed or given up by half is of no use to anybody.
    pub(crate) fn may_be_cancelled(&self) -> bool {
        !matches!(
            self,
            Self::DeleteConnection(_) | Self::RotateSecrets(_) | Self::AbortDeliveries(_)
        )
    }
}
