//! Making, changing and deleting records, and the actions on them.

mod course;
mod find;
mod lookups;

use millwright_core::{Error, ErrorCode, FieldError};
use serde_json::{Map, Value};

pub use find::LookUp;

use self::course::Course;
use super::{Source, SourceRecord, System};
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{DeleteMode, WriteField, WriteOp},
    mapping::{Lookups, Plan, Reference, References, Writer, unified_name},
    table::Table,
};

impl System {
    /// The keys that a write needs the remote ids of: those in the body, and those of `current` that
    /// are sent with it.
    ///
    /// # Errors
    /// When the connector does not have this operation.
    pub fn references(
        &self,
        entity: &str,
        operation: &WriteOp,
        record: &Map<String, Value>,
        current: Option<&Map<String, Value>>,
    ) -> Result<Vec<Reference>, SystemError> {
        Ok(self.writer(entity, operation)?.references(operation, record, current))
    }

    /// Checks a body against the manifest's rules: a record for a create, a merge patch for an update,
    /// what goes with an action. `current` is the unified record as it is, for all but a create.
    /// Nothing is sent.
    ///
    /// # Errors
    /// Every faulty field, those with an unresolved reference too when `references` is given.
    /// `STATE_CONFLICT` when the record's state allows nothing of it, with the faulty fields beside.
    pub fn check_write(
        &self,
        entity: &str,
        operation: &WriteOp,
        record: &Map<String, Value>,
        current: Option<&Map<String, Value>>,
        references: Option<&References>,
    ) -> Result<(), Error> {
        let writer = Writer { references, ..self.writer(entity, operation)? };
        match writer.plan(operation, record, current).1.into_error() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Makes a record, with its lines, and answers with its remote id. `references` has the remote id
    /// of every key in it. `token` is the same each time this one record is made, and no other's.
    ///
    /// # Errors
    /// Every faulty field before anything is sent; what the system says. Where it is not known whether
    /// the record was made, `sent` is true; where it was made and a later step failed, `partial` has
    /// its remote id.
    pub async fn create(
        &self,
        entity: &str,
        record: &Map<String, Value>,
        references: &References,
        token: &str,
    ) -> Result<String, SystemError> {
        let operation = &WriteOp::Create;
        let lookups = self.look_up(entity, operation, record, None, references).await?;
        let plan = self.plan(entity, operation, (record, None), references, &lookups)?;
        let plan = self.with_token(entity, plan, token)?;
        let made = match &self.inner.source {
            Source::Sandbox(sandbox) => sandbox.create(entity, whole(&plan)?, token).await,
            Source::Remote(remote) => Course::new(remote, &plan).create(self, entity, token).await,
        };
        made.map_err(|error| self.told(entity, operation, error))
    }

    /// Changes a record: only what differs from `current` is sent, nothing when nothing does. `patch`
    /// is a merge patch (RFC 7396) whose `lineItems` are matched by `key`.
    ///
    /// # Errors
    /// Like [`Self::create`].
    pub async fn update(
        &self,
        entity: &str,
        current: &SourceRecord,
        patch: &Map<String, Value>,
        references: &References,
    ) -> Result<(), SystemError> {
        let (operation, before) = (&WriteOp::Update, Some(&current.record));
        let lookups = self.look_up(entity, operation, patch, before, references).await?;
        let plan = self.plan(entity, operation, (patch, before), references, &lookups)?;
        if plan.is_empty() {
            return Ok(());
        }
        let changed = match &self.inner.source {
            Source::Sandbox(sandbox) => {
                sandbox.update(entity, &current.remote_id, whole(&plan)?).await
            }
            Source::Remote(remote) => {
                Course::new(remote, &plan).of_record(self, entity, operation, current).await
            }
        };
        changed.map_err(|error| self.told(entity, operation, error))
    }

    /// Does an action to a record.
    ///
    /// # Errors
    /// Like [`Self::create`]; class `Conflict` when the record's state does not allow it.
    pub async fn act(
        &self,
        entity: &str,
        current: &SourceRecord,
        action: &str,
        body: &Map<String, Value>,
        references: &References,
    ) -> Result<(), SystemError> {
        let operation = &WriteOp::Action(action.to_owned());
        let (before, lookups) = (Some(&current.record), Lookups::new());
        let plan = self.plan(entity, operation, (body, before), references, &lookups)?;
        let done = match &self.inner.source {
            Source::Sandbox(sandbox) => {
                sandbox.act(entity, &current.remote_id, action, whole(&plan)?).await
            }
            Source::Remote(remote) => {
                Course::new(remote, &plan).of_record(self, entity, operation, current).await
            }
        };
        done.map_err(|error| self.told(entity, operation, error))
    }

    /// Deletes a record.
    ///
    /// # Errors
    /// Like [`Self::act`].
    pub async fn delete(&self, entity: &str, current: &SourceRecord) -> Result<(), SystemError> {
        let (operation, nothing) = (&WriteOp::Delete, Map::new());
        let before = Some(&current.record);
        let (none, lookups) = (References::new(), Lookups::new());
        let plan = self.plan(entity, operation, (&nothing, before), &none, &lookups)?;
        let gone = match &self.inner.source {
            Source::Sandbox(sandbox) => sandbox.remove(entity, &current.remote_id).await,
            Source::Remote(remote) => {
                Course::new(remote, &plan).of_record(self, entity, operation, current).await
            }
        };
        gone.map_err(|error| self.told(entity, operation, error))
    }

    /// What a deletion is in this system; nothing when records of the entity cannot be deleted.
    #[must_use]
    pub fn delete_mode(&self, entity: &str) -> Option<DeleteMode> {
        let delete = self.manifest().entity(entity)?.write.delete.as_ref()?;
        Some(delete.mode)
    }

    fn writer<'a>(
        &'a self,
        entity: &'a str,
        operation: &WriteOp,
    ) -> Result<Writer<'a>, SystemError> {
        let def = self.def(entity, operation.name())?;
        let write = &def.write;
        let known = match operation {
            WriteOp::Create => write.create.is_some(),
            WriteOp::Update => write.update.is_some(),
            WriteOp::Delete => write.delete.is_some(),
            WriteOp::Action(name) => write.actions.get(name).is_some(),
        };
        if !known {
            return Err(SystemError::unsupported_write(entity, operation));
        }
        let connection = &self.inner.connection;
        let (zone, references, lookups) = (self.zone(), None, None);
        Ok(Writer { connection, entity, def, zone, references, lookups, connected: true })
    }

    /// What is to be sent, once nothing is wrong with it.
    fn plan<'a>(
        &'a self,
        entity: &'a str,
        operation: &WriteOp,
        (body, current): (&Map<String, Value>, Option<&Map<String, Value>>),
        references: &'a References,
        lookups: &'a Lookups,
    ) -> Result<Plan<'a>, SystemError> {
        let writer = self.writer(entity, operation)?;
        let writer = Writer { references: Some(references), lookups: Some(lookups), ..writer };
        let (plan, trail) = writer.plan(operation, body, current);
        match trail.into_error() {
            None => Ok(plan),
            Some(error) => Err(refused(error)),
        }
    }

    /// An error of the system, with the unified name of the field that it is about.
    fn told(&self, entity: &str, operation: &WriteOp, mut error: SystemError) -> SystemError {
        let Some(name) = &error.upstream_field else { return error };
        if error.class != SystemErrorClass::Validation || !error.fields.is_empty() {
            return error;
        }
        let Some(def) = self.manifest().entity(entity) else { return error };
        let none = Table::default();
        let fields: &Table<WriteField> = match operation {
            WriteOp::Action(name) => {
                def.write.actions.get(name).map_or(&none, |action| &action.fields)
            }
            _ => &def.write.fields,
        };
        let message = error.upstream.message.clone().unwrap_or_else(|| error.message.clone());
        let code = error.contract.unwrap_or(ErrorCode::BusinessRuleViolated);
        let fault = |path| FieldError::new(path, code, message.clone());
        // Several names come parted by semicolons.
        let names = name.split("; ").filter_map(|name| unified_name(fields, name));
        error.fields = names.map(fault).collect();
        error
    }
}

/// The whole of a plan as the system's record.
fn whole(plan: &Plan<'_>) -> Result<Value, SystemError> {
    plan.row(|_| true).map_err(unfit)
}

/// A plan that cannot be put into the system's form.
fn unfit(why: String) -> SystemError {
    SystemError::malformed(format!("the request cannot be made: {why}"))
}

/// A write that the manifest's rules refuse.
fn refused(error: Error) -> SystemError {
    let class = match error.code {
        ErrorCode::StateConflict => SystemErrorClass::Conflict,
        _ => SystemErrorClass::Validation,
    };
    let mut refused = SystemError::new(class, error.message);
    refused.fields = error.fields;
    refused
}
