//! What the connected account may do.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{Source, System};
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{EntityDef, Operation, PermissionProbe, Seen, WriteOp},
    remote::{Remote, Said},
};

/// How long it is believed that the account may do everything.
const BELIEVED_FOR: Duration = Duration::from_secs(300);
/// How long it is not asked again where something is missing, which is soon made good, or the system
/// did not say.
const DOUBTED_FOR: Duration = Duration::from_secs(30);

/// Whether the connected account may do something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// It may.
    Granted,
    /// It may not.
    Missing,
    /// The system does not say.
    #[default]
    Unknown,
}

/// What the connected account may do with an entity, by operation: `read`, `create`, `update`,
/// `delete`, `actions.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Permissions(BTreeMap<String, Permission>);

impl Permissions {
    /// Whether an operation is allowed; unknown where nothing is known of it.
    #[must_use]
    pub fn of(&self, operation: &str) -> Permission {
        self.0.get(operation).copied().unwrap_or(Permission::Unknown)
    }

    /// The operations that something is known of.
    pub fn known(&self) -> impl Iterator<Item = (&str, Permission)> {
        self.0.iter().map(|(operation, permission)| (operation.as_str(), *permission))
    }

    fn note(&mut self, probe: &PermissionProbe, said: &Said) {
        for (operation, condition) in probe.granted.iter() {
            let found = match said {
                Said::Answer { status, headers, value } => {
                    let seen = Seen {
                        operation: Some(Operation::Read),
                        status: *status,
                        headers,
                        body: value.json(),
                        raw: &[],
                    };
                    if condition.holds(&seen) { Permission::Granted } else { Permission::Missing }
                }
                Said::Error(SystemErrorClass::Permission) => Permission::Missing,
                Said::Error(_) => Permission::Unknown,
            };
            // Where several probes speak of one operation, one that is missing decides.
            let known = self.0.entry(operation.to_owned()).or_insert(found);
            if *known != Permission::Missing {
                *known = if found == Permission::Granted { *known } else { found };
            }
        }
    }

    fn is_all(&self) -> bool {
        self.0.values().all(|permission| *permission == Permission::Granted)
    }
}

impl System {
    /// What the connected account may do with an entity, as far as the system tells it. That it may do
    /// everything is believed for five minutes, anything else for half a minute.
    pub async fn permissions(&self, entity: &str) -> Permissions {
        let Some(def) = self.manifest().entity(entity) else { return Permissions::default() };
        match &self.inner.source {
            Source::Sandbox(_) => Permissions::default(),
            Source::Remote(remote) => remote.permissions(entity, def).await,
        }
    }

    /// Whether the connected account may do this, as far as the system tells it: what is not known
    /// passes.
    ///
    /// # Errors
    /// `unsupported` when the connector does not have the operation, `permission` when the account is
    /// known to lack what it needs.
    pub async fn permitted(&self, entity: &str, operation: &WriteOp) -> Result<(), SystemError> {
        let needs = self.needs(entity, operation)?;
        let name = match operation {
            WriteOp::Action(name) => format!("actions.{name}"),
            other => other.name().to_owned(),
        };
        if self.permissions(entity).await.of(&name) != Permission::Missing {
            return Ok(());
        }
        let what = operation.name();
        let mut message = format!("the connected account may not {what} {entity}");
        if let Some(needs) = needs {
            message = format!("{message}: it needs {needs}");
        }
        Err(SystemError::new(SystemErrorClass::Permission, message))
    }

    /// What the account must be allowed for an operation, in the system's words.
    fn needs(&self, entity: &str, operation: &WriteOp) -> Result<Option<&str>, SystemError> {
        let write = &self.def(entity, operation.name())?.write;
        let needs = match operation {
            WriteOp::Create => write.create.as_ref().map(|one| &one.permission),
            WriteOp::Update => write.update.as_ref().map(|one| &one.permission),
            WriteOp::Delete => write.delete.as_ref().map(|one| &one.permission),
            WriteOp::Action(name) => write.actions.get(name).map(|one| &one.permission),
        };
        let unsupported = || SystemError::unsupported_write(entity, operation);
        Ok(needs.ok_or_else(unsupported)?.as_deref())
    }
}

impl Remote {
    async fn permissions(&self, entity: &str, def: &EntityDef) -> Permissions {
        let now = self.clock().wall();
        if let Some(known) = self.kept().permissions(entity, now) {
            return known;
        }
        let mut found = Permissions::default();
        for probe in &def.permissions {
            found.note(probe, &self.said(&probe.request).await);
        }
        let believed = if found.is_all() { BELIEVED_FOR } else { DOUBTED_FOR };
        self.kept().keep_permissions(entity, now + believed, found.clone());
        found
    }
}
