//! Finding out which instance answers, and what its account may do.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Condition, Request};
use crate::{mapping::Field, table::Table};

/// How to find out that the system answers and which instance it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The request.
    pub request: Request,
    /// What identifies the instance.
    pub instance: InstanceRule,
}

/// What identifies an instance, found in the answer to the probe.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceRule {
    /// What never changes for one instance and differs between instances.
    pub id: Vec<Field>,
    /// What people call it.
    pub name: Option<Field>,
    /// What to say when the answer does not hold it.
    pub none: Option<String>,
}

/// How to find out what the connected account may do with an entity.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionProbe {
    /// The request. Where the system answers that this is not permitted, nothing of `granted` is.
    pub request: Request,
    /// What the answer is where the account may do it, by operation: `read`, `create`, `update`,
    /// `delete`, or `actions.` and an action's name. Where the answer is another, it may not.
    pub granted: Table<Condition>,
}
