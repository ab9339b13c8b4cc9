//! What the routes of field mappings and of custom fields share: the entity of a connection, and what
//! a change to how its records are made comes to.

use millwright_connection::{Connection, Patience, allow_data, find_connection, find_overlay};
use millwright_connector::{Overlay, RowFault};
use millwright_core::{Error, ErrorCode, FieldError, Result};
use millwright_records::{Live, Previewed};
use millwright_sync::{SyncState, change_overlay, sync_key};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{records::must_have, remapping::Remapping, syncs::EntitySync};
use crate::{
    App,
    extract::{ConnectionEntityPath, records_of},
};

/// How often a change is tried anew when others make theirs meanwhile.
const TRIES: usize = 3;

/// How to change how records are made.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangeParams {
    /// Only show on real records what would change; nothing is changed.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub(crate) dry_run: bool,
    /// The record to show it on; the first few of the system's list when not given.
    #[param(example = "rec_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    pub(crate) key: Option<String>,
}

/// What a change comes to.
#[derive(Serialize, ToSchema)]
pub(crate) struct OverlayChange {
    /// Whether nothing was changed: it was only tried.
    dry_run: bool,
    /// Whether it is another than before.
    different: bool,
    /// The fields that are different on the records that were looked at.
    fields: Vec<String>,
    /// The records that were looked at, read from the system for this: none where it has none.
    records: Vec<PreviewedRecord>,
    /// The sync that reads all records again, since rows are kept nowhere. What is different shows in
    /// lists, in `/v1/changes` and by webhook as it goes on; `live=true` shows it at once.
    #[schema(required)]
    sync: Option<EntitySync>,
}

/// A record as it is made now, and as it is made after the change.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewedRecord {
    /// Its key.
    #[schema(example = "rec_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    key: String,
    /// The system's own id.
    remote_id: String,
    /// The fields that are different.
    fields: Vec<String>,
    /// The record before; null where its row cannot be read so.
    #[schema(required)]
    before: Option<Map<String, Value>>,
    /// The record after; null where its row cannot be read so, and would be left out.
    #[schema(required)]
    after: Option<Map<String, Value>>,
    /// Why its row cannot be read so.
    #[schema(required)]
    fault: Option<PreviewFault>,
}

/// Why a row cannot be read.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewFault {
    /// The field that cannot be read.
    field: String,
    /// What is wrong with it.
    message: String,
}

impl From<Previewed> for PreviewedRecord {
    fn from(own: Previewed) -> Self {
        let fields = own.fields();
        let fault = |RowFault { field, message, .. }| PreviewFault { field, message };
        Self {
            key: own.key,
            remote_id: own.remote_id,
            fields,
            before: own.before,
            after: own.after,
            fault: own.fault.map(fault),
        }
    }
}

/// An entity of a connection of the caller's workspace.
pub(super) struct Place<'a> {
    pub app: &'a App,
    pub connection: Connection,
    pub entity: &'static str,
    /// The time that the request has for the system.
    pub patience: Patience,
}

impl<'a> Place<'a> {
    /// The entity of the path, if the connection has it.
    ///
    /// # Errors
    /// `NOT_FOUND` for what the workspace does not have; `OPERATION_NOT_SUPPORTED` for an entity that
    /// the connector does not read; what the connection's status says.
    pub async fn of(
        app: &'a App,
        workspace: &millwright_core::WorkspaceId,
        path: &ConnectionEntityPath,
    ) -> Result<Self> {
        let patience = Patience::begin(app.store.clock());
        let connection = find_connection(&app.store, workspace, &path.connection).await?.doc;
        connection.status().allow_information()?;
        must_have(app, &connection, path.entity)?;
        Ok(Self { app, connection, entity: path.entity.slug, patience })
    }

    /// What holds now.
    pub async fn overlay(&self) -> Result<Overlay> {
        let row = find_overlay(&self.app.store, &self.connection, self.entity).await?;
        Ok(row.map(|row| row.doc.overlay).unwrap_or_default())
    }

    /// What has become of the last change.
    pub async fn remapping(&self) -> Result<Option<Remapping>> {
        let Connection { workspace, id, .. } = &self.connection;
        let key = sync_key(workspace, id, self.entity);
        let state = self.app.store.get_doc::<SyncState>(&key).await?;
        Ok(state.and_then(|row| row.doc.remap).map(Remapping::from))
    }

    /// Tries a change on real records and, unless it was to be tried only, makes it. What the system
    /// refuses to be asked for is refused here, before anything is changed; what is made is what was
    /// tried.
    ///
    /// # Errors
    /// The faulty fields, by their places in the body; what the system says; what data calls answer
    /// with in the connection's status; `STATE_CONFLICT` when others change it all the time.
    pub async fn change(
        &self,
        params: &ChangeParams,
        change: impl Fn(&mut Overlay) + Send + Sync,
    ) -> Result<OverlayChange> {
        allow_data(&self.app.connections(), &self.connection).await?;
        for _ in 0..TRIES {
            if let Some(changed) = self.try_change(params, &change).await? {
                return Ok(changed);
            }
        }
        let message = "others change it at the same time; try again";
        Err(Error::new(ErrorCode::StateConflict, message))
    }

    /// As [`Self::change`]; nothing when it was changed by others since it was read.
    async fn try_change(
        &self,
        params: &ChangeParams,
        change: &(impl Fn(&mut Overlay) + Send + Sync),
    ) -> Result<Option<OverlayChange>> {
        let before = self.overlay().await?;
        let mut after = before.clone();
        change(&mut after);
        let records = self.tried(&after, params).await?;
        let different = after != before;
        let fields: std::collections::BTreeSet<String> =
            records.iter().flat_map(Previewed::fields).collect();
        let mut sync = None;
        if !params.dry_run && different {
            refuse_what_reads_nothing(&records)?;
            let Some(made) = self.make(&before, &after).await? else { return Ok(None) };
            let now = self.app.store.clock().wall();
            sync = made.map(|own| EntitySync::at(own, now));
        }
        Ok(Some(OverlayChange {
            dry_run: params.dry_run,
            different,
            fields: fields.into_iter().collect(),
            records: records.into_iter().map(PreviewedRecord::from).collect(),
            sync,
        }))
    }

    /// Puts what was tried in the place of what was there then, and answers with the sync that reads
    /// everything anew; nothing when something else is there by now.
    async fn make(&self, before: &Overlay, after: &Overlay) -> Result<Option<Option<SyncState>>> {
        let change = |now: &mut Overlay| put_if(now, before, after);
        let context = self.app.connections();
        let made = change_overlay(&context, &self.connection, self.entity, change).await?;
        Ok((made.overlay == *after).then_some(made.sync))
    }

    async fn tried(&self, overlay: &Overlay, params: &ChangeParams) -> Result<Vec<Previewed>> {
        let (context, scope) = (self.app.connections(), records_of(&self.connection));
        let live = Live::new(&context, &self.connection, &scope, self.patience);
        let tried = live.preview(self.entity, overlay, params.key.as_deref()).await?;
        tried.ok_or_else(|| Error::not_found("record"))
    }
}

/// Puts what was tried in the place of what it was tried instead of, and of nothing else.
fn put_if(now: &mut Overlay, before: &Overlay, after: &Overlay) {
    if now == before {
        now.clone_from(after);
    }
}

/// A change after which no record could be read that can be now is a mistake.
fn refuse_what_reads_nothing(records: &[Previewed]) -> Result<()> {
    let lost = |record: &&Previewed| record.before.is_some() && record.after.is_none();
    let Some(fault) = records.first().and_then(|record| record.fault.as_ref()) else {
        return Ok(());
    };
    if records.iter().filter(lost).count() < records.len() {
        return Ok(());
    }
    let message = format!("no record can be read so: {} {}", fault.field, fault.message);
    let field = FieldError::new("fields", ErrorCode::ValidationFailed, message);
    Error::from_fields(vec![field]).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_tried_replaces_only_what_it_was_tried_instead_of() {
        let named =
            |name: &str| Overlay { custom_fields: vec![name.to_owned()], ..Overlay::default() };
        let (before, after, others) = (named("a"), named("b"), named("c"));
        let mut now = others.clone();
        put_if(&mut now, &before, &after);
        assert_eq!(now, others);
        now = before.clone();
        put_if(&mut now, &before, &after);
        assert_eq!(now, after);
    }
}
