//! One write that is under way, and the calls it makes.

use millwright_connection::{Connection, ConnectionContext, note_answer, note_failure};
use millwright_connector::manifest::{EntityDef, Idempotency};
use millwright_connector::{
    DeleteMode, Element, Field, References, SourceRecord, System, SystemError, SystemErrorClass,
};
use millwright_core::{Error, Result, WallTime, WriteId};
use millwright_entities::{record_key, status_key};
use millwright_store::Store;
use serde_json::{Map, Value};

use super::{
    Operation, WriteTiming,
    commit::Place,
    doc::{Askers, Before, Sent, WriteDoc, WriteState},
    lock::Held,
};
use crate::{CommitId, Origin, RecordDoc, Scope, filter::is_record_key, unshown::filled};

/// A write that was checked, or that is taken up again.
pub(super) struct Work {
    pub context: ConnectionContext,
    pub connection: Connection,
    pub scope: Scope,
    pub system: System,
    pub times: WriteTiming,
    /// The write: also the token by which a system can know it again.
    pub id: WriteId,
    pub entity: String,
    pub operation: Operation,
    /// The new record, the merge patch, or what goes with an action.
    pub body: Map<String, Value>,
    pub references: References,
    /// The record as the system had it before; none for a new one.
    pub current: Option<SourceRecord>,
    /// What is kept of that.
    pub before: Option<Before>,
    /// The record, held for this write; nothing where there is none yet.
    pub held: Option<Held>,
}

impl Work {
    pub(super) fn store(&self) -> &Store {
        &self.context.store
    }

    pub(super) fn now(&self) -> WallTime {
        self.store().clock().wall()
    }

    /// The write's own commit.
    pub(super) fn commit(&self) -> CommitId {
        CommitId::of_write(self.id.as_str())
    }

    /// Where its record is kept.
    pub(super) fn place<'a>(&'a self, commit: &'a CommitId) -> Place<'a> {
        let Self { context, scope, entity, .. } = self;
        let (store, queue, origin) = (&context.store, &context.queue, Origin::Write);
        Place { store, queue, scope, entity, commit, origin }
    }

    /// Makes sure that the record stays held for as long as a call may take.
    ///
    /// # Errors
    /// `STATE_CONFLICT` when another write has it by now.
    pub(super) async fn hold_on(&mut self) -> Result<()> {
        match &mut self.held {
            Some(held) => held.outlast(self.times.call_within, self.times.claim).await,
            None => Ok(()),
        }
    }

    /// Lets the record go.
    pub(super) async fn let_go(&mut self) {
        if let Some(held) = self.held.take() {
            held.release().await;
        }
    }

    /// The row of this write before it is sent.
    pub(super) fn doc(&self, key: Option<String>, by_key: bool) -> WriteDoc {
        let now = self.now();
        let sent = Sent { attempts: 1, at: now, took_ms: None, accepted: None, unreached: 0 };
        WriteDoc {
            id: self.id.clone(),
            workspace: self.connection.workspace.clone(),
            connection: self.connection.id.clone(),
            entity: self.entity.clone(),
            operation: self.operation.clone(),
            key,
            before: self.before.clone(),
            state: WriteState::Pending(sent),
            askers: Askers { by_id: false, by_key },
            lease: millwright_store::Lease::default(),
            attempt_at: self.store().clock().schedule(),
            created_at: now,
            updated_at: now,
        }
    }

    /// Sends the write; the record's remote id.
    pub(super) async fn send(&self) -> Result<String, SystemError> {
        let Self { system, entity, body, references, .. } = self;
        let token = self.id.as_str();
        if self.operation == Operation::Create {
            return system.create(entity, body, references, token).await;
        }
        let gone = || SystemError::new(SystemErrorClass::NotFound, "the record was not read");
        let current = self.current.as_ref().ok_or_else(gone)?;
        match &self.operation {
            Operation::Create => {}
            Operation::Update => system.update(entity, current, body, references).await?,
            Operation::Action(name) => {
                system.act(entity, current, name, body, references).await?;
            }
            Operation::Delete => system.delete(entity, current).await?,
        }
        Ok(current.remote_id.clone())
    }

    /// Makes a write that was taken up again ready to be sent: its record is read, and what its keys
    /// stand for.
    ///
    /// # Errors
    /// When the system cannot be asked, or the record is no longer there.
    pub(super) async fn make_ready(&mut self) -> Result<(), SystemError> {
        let Some(before) = self.before.as_ref().filter(|_| self.current.is_none()) else {
            return Ok(());
        };
        let current = self.read(&before.remote_id).await?;
        let gone = || SystemError::new(SystemErrorClass::NotFound, "the record is no longer there");
        let current = current.ok_or_else(gone)?;
        let what = (&self.operation, &self.body);
        let (store, record) = (&self.context.store, Some(&current.record));
        let found = resolve(store, &self.scope, &self.system, &self.entity, what, record).await;
        self.references = found.map_err(|error| {
            tracing::warn!(write = %self.id, %error, "keys of a write cannot be resolved");
            SystemError::new(SystemErrorClass::Unreachable, "the keys could not be looked up")
        })?;
        self.current = Some(current);
        Ok(())
    }

    /// Whether the system itself knows a create that comes again: looking for it sends it again.
    pub(super) fn looks_by_sending(&self) -> bool {
        let def = self.system.manifest().entity(&self.entity);
        let native = |def: &EntityDef| matches!(def.write.idempotency, Idempotency::Native);
        self.operation == Operation::Create && def.is_some_and(native)
    }

    /// Whether a create leaves a token in the system by which its record, and no other, is found.
    pub(super) fn has_token(&self) -> bool {
        let def = self.system.manifest().entity(&self.entity);
        def.is_some_and(|def| !matches!(def.write.idempotency, Idempotency::Natural(_)))
    }

    /// Takes note of what a failed call says of the connection's health.
    pub(super) async fn note_failure(&self, error: &SystemError) {
        note_failure(&self.context, &self.connection, &self.system, error).await;
    }

    /// Takes note that the system answers.
    pub(super) async fn note_answer(&self) {
        note_answer(&self.context, &self.connection).await;
    }

    /// How the write deletes; nothing when it does not.
    pub(super) fn delete_mode(&self) -> Option<DeleteMode> {
        let deletes = self.operation == Operation::Delete;
        self.system.delete_mode(&self.entity).filter(|_| deletes)
    }

    /// Whether a field is read from this system; a line's as `lineItems.quantity`. Of custom fields
    /// only those count that show.
    pub(super) fn reads(&self, names: &str) -> bool {
        let Some(def) = self.system.manifest().entity(&self.entity) else { return false };
        let (name, inner) = names.split_once('.').unwrap_or((names, ""));
        match def.fields.get(name) {
            None => false,
            Some(Field::Each(list)) if !inner.is_empty() => match &list.element {
                Element::Object(fields) => fields.get(inner).is_some(),
                Element::Value(_) => true,
            },
            Some(_) => true,
        }
    }

    /// Whether the status of this key is one that ends a record.
    pub(super) fn is_final_status(&self, key: &str) -> bool {
        let Some(def) = self.system.manifest().entity(&self.entity) else { return false };
        let own = |code: &str| status_key(&self.connection.id, &self.entity, code);
        def.statuses.iter().any(|(code, status)| status.is_final && own(code) == key)
    }

    /// Reads a record of the write's entity; nothing when it is not there. What this reading does not
    /// show is as it is kept.
    pub(super) async fn read(&self, remote_id: &str) -> Result<Option<SourceRecord>, SystemError> {
        let ids = [remote_id.to_owned()];
        let Some(record) = self.system.get(&self.entity, &ids).await?.pop() else {
            return Ok(None);
        };
        let key = record_key(&self.connection.id, &self.entity, remote_id);
        let row = self.scope.record(&self.entity, &key);
        match filled(self.store(), &row, &record).await {
            Ok(filled) => Ok(Some(filled.into_owned())),
            Err(error) => {
                tracing::warn!(entity = self.entity, %error, "a record is not completed");
                Ok(Some(record))
            }
        }
    }
}

/// The remote ids behind the keys that a body names. A key that leads to nothing, or to a record that
/// is gone, is left out: the check names its field. So is the key of an entity that is not read from
/// this system, for nothing says what it stands for.
pub(super) async fn resolve(
    store: &Store,
    scope: &Scope,
    system: &System,
    entity: &str,
    (operation, body): (&Operation, &Map<String, Value>),
    current: Option<&Map<String, Value>>,
) -> Result<References> {
    let operation = operation.op();
    let mut references =
        system.references(entity, &operation, body, current).map_err(Error::from)?;
    // What cannot be a key would be refused by the table, in words of its own.
    references.retain(|one| is_record_key(&one.key));
    let keys: Vec<_> = references.iter().map(|one| scope.record(&one.entity, &one.key)).collect();
    let mut distinct = keys.clone();
    distinct.sort_unstable_by(|a, b| (&a.pk, &a.sk).cmp(&(&b.pk, &b.sk)));
    distinct.dedup();
    let rows = store.get_docs::<RecordDoc>(&distinct).await?;
    let mut found = References::new();
    for (reference, key) in references.into_iter().zip(keys) {
        let row = rows.iter().find(|row| row.key == key && row.doc.deleted_at.is_none());
        if let Some(row) = row {
            found.insert(reference.entity, reference.key, row.doc.remote_id.clone());
        }
    }
    Ok(found)
}
