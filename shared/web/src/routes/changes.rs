//! `/v1/changes`: the connection's change feed.

use std::time::Duration;

use axum::extract::State;
use millwright_connection::Connection;
use millwright_core::{ConnectionId, Cursor, Error, ErrorCode, Result};
use millwright_entities::Entity;
use millwright_records::{ChangePage, FeedHead, Op, Origin, Seq, read_changes};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::records::unknown_entity;
use crate::{
    App,
    data_answer::{DataAnswer, all_synced_at, synced_at},
    error::Answer,
    extract::{InformationScope, Params, records_of},
    page::{Limit, position},
};

/// The cursor that stands for now.
const LATEST: &str = "latest";
/// How often a waiting call looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What happened to a record.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChangeAction {
    /// It is new or different.
    Upserted,
    /// It is gone.
    Deleted,
}

/// Where a change came from.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChangeOrigin {
    /// A sync found it.
    Sync,
    /// It was written through the API.
    Write,
}

/// A change.
#[derive(Serialize, ToSchema)]
pub(crate) struct Change {
    /// Its place: read on from here as `cursor`.
    cursor: String,
    /// The entity.
    #[schema(example = "purchase-orders")]
    entity: String,
    /// The record's key.
    key: String,
    /// What happened.
    action: ChangeAction,
    /// When Millwright noticed.
    #[schema(format = DateTime)]
    changed_at: String,
    /// Where it came from.
    origin: ChangeOrigin,
    /// The record as it is now; null when it is gone.
    #[schema(required, value_type = Option<Object>)]
    record: Option<Value>,
}

/// A stretch of the feed.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangeList {
    /// The changes in their order. Each record shows in its latest state, once.
    data: Vec<Change>,
    /// Where to read on, now or later.
    next_cursor: String,
    /// Whether there is more at once.
    has_more: bool,
}

/// Which changes to read.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangeQuery {
    /// Where to read on: `next_cursor` of the answer before. None reads from the oldest change that
    /// is kept (90 days), `latest` begins now.
    cursor: Option<String>,
    /// Only changes of this entity.
    #[param(example = "purchase-orders")]
    entity: Option<String>,
    /// The most changes in the answer.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    limit: Limit<500>,
    /// How many seconds to wait for a change when there is none.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 0, maximum = 20, default = 0)]
    wait: Wait,
}

/// A wait of up to 20 seconds: API Gateway ends a request after 30.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wait(Duration);

impl Wait {
    /// How long.
    pub(super) fn duration(self) -> Duration {
        self.0
    }
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = String::deserialize(deserializer)?.parse().ok().filter(|s| *s <= 20);
        let message = "must be a whole number of seconds from 0 to 20";
        let seconds: u64 = seconds.ok_or_else(|| de::Error::custom(message))?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

/// Read changes
///
/// The connection's changes in one strict order, without a gap. Answers in every status but `pending`
/// and `disconnected`.
#[utoipa::path(
    get,
    path = "/v1/changes",
    operation_id = "list_changes",
    tag = crate::openapi::DATA,
    params(ChangeQuery),
    responses((status = 200, description = "A stretch of the feed.", body = ChangeList))
)]
pub(crate) async fn list_changes(
    InformationScope(connection): InformationScope,
    State(app): State<App>,
    Params(query): Params<ChangeQuery>,
) -> Answer<DataAnswer<ChangeList>> {
    let entity = query.entity.as_deref();
    let known = entity.is_none_or(|slug| Entity::find(slug).is_some());
    if !known {
        return Err(unknown_entity().into());
    }
    let after = start(&app, &connection, query.cursor.as_deref()).await?;
    let page = read_or_wait(&app, &connection, entity, after, &query).await?;
    let synced_at = match entity {
        Some(entity) => synced_at(&app.store, &connection, entity).await?,
        None => all_synced_at(&app.store, &connection).await?,
    };
    Ok(DataAnswer::new(&connection, synced_at, change_list(&list_of(&connection.id), page)?))
}

/// The cursors' list: those in webhook events are of the same.
fn list_of(connection: &ConnectionId) -> String {
    format!("changes/{connection}")
}

/// The place to read after; nothing is the beginning.
async fn start(app: &App, connection: &Connection, cursor: Option<&str>) -> Result<Option<Seq>> {
    if cursor != Some(LATEST) {
        let place: Option<Seq> = position(&list_of(&connection.id), cursor)?;
        let now = app.clock().wall();
        let message = "the cursor is not one the feed has given out";
        let invalid = || Error::new(ErrorCode::CursorInvalid, message);
        return place.filter(|place| !place.is_possible(now)).map_or(Ok(place), |_| Err(invalid()));
    }
    let head = app.store.get::<FeedHead>(&records_of(connection).head()).await?;
    Ok(Some(head.map_or(Seq::default(), |row| row.doc.last)))
}

async fn read_or_wait(
    app: &App,
    connection: &Connection,
    entity: Option<&str>,
    mut after: Option<Seq>,
    query: &ChangeQuery,
) -> Result<ChangePage> {
    let until = app.clock().wall() + query.wait.0;
    let scope = records_of(connection);
    loop {
        let page = read_changes(&app.store, &scope, entity, after, query.limit.get()).await?;
        let waited = app.clock().wall() >= until;
        if !page.changes.is_empty() || page.has_more || waited {
            return Ok(page);
        }
        after = Some(page.next);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn change_list(list: &str, page: ChangePage) -> Result<ChangeList> {
    Ok(ChangeList {
        data: page.changes.into_iter().map(|own| change(list, own)).collect::<Result<_>>()?,
        next_cursor: Cursor::encode(list, &page.next)?,
        has_more: page.has_more,
    })
}

fn change(list: &str, own: millwright_records::Change) -> Result<Change> {
    Ok(Change {
        cursor: Cursor::encode(list, &own.seq)?,
        entity: own.entity,
        key: own.key,
        action: match own.op {
            Op::Inserted | Op::Updated => ChangeAction::Upserted,
            Op::Deleted => ChangeAction::Deleted,
        },
        changed_at: own.changed_at.iso(),
        origin: match own.origin {
            Origin::Sync => ChangeOrigin::Sync,
            Origin::Write => ChangeOrigin::Write,
        },
        record: own.record,
    })
}
