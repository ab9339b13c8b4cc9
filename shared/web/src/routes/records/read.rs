//! `GET /v1/<entity>` and `GET /v1/<entity>/{key}`.

use std::time::Duration;

use axum::extract::State;
use http::Method;
use millwright_connection::Connection;
use millwright_core::{Error, ErrorCode, FieldError, Result, WallTime};
use millwright_entities::Entity;
use millwright_records::{Place, RecordQuery, Seq, get_record, list_records};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, openapi::path::ParameterIn};

use super::{OfEntity, RecordOperation, words};
use crate::{
    App,
    data_answer::{DataAnswer, synced_at},
    error::Answer,
    extract::{DataScope, Moment, Params, TextPath, records_of},
    page::{Limit, Page, position},
};

/// Which records to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecordList {
    /// Only records that changed at this time or later, by Millwright's own clock
    /// (`meta.changed_at`), in the order in which they changed.
    #[param(value_type = String, required = false, format = DateTime)]
    modified_after: Option<Moment>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most records in the page.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    limit: Limit<500>,
}

/// A list's cursor: its place, and what was asked for, which holds for all of its pages.
type At = (Place, Option<WallTime>);

pub(super) fn list_operation(entity: &'static Entity) -> RecordOperation {
    let several = words::several(entity);
    let id = format!("list_{}", entity.event_name);
    RecordOperation::on_list(entity, &Method::GET, &id, &format!("List {several}"), list)
        .with_parameters(RecordList::into_params(|| Some(ParameterIn::Query)))
        .answering(
            200,
            &format!("A page of {several}."),
            &format!("{}Page", words::component(entity)),
        )
}

pub(super) fn get_operation(entity: &'static Entity) -> RecordOperation {
    let id = format!("get_{}", words::one_in_a_name(entity));
    let summary = format!("Get {}", words::a_record(entity));
    let answer = format!("The {}.", words::one(entity));
    RecordOperation::on_record(entity, &Method::GET, &id, &summary, get).answering(
        200,
        &answer,
        &words::component(entity),
    )
}

async fn list(
    OfEntity(entity): OfEntity,
    DataScope(connection): DataScope,
    State(app): State<App>,
    Params(list): Params<RecordList>,
) -> Answer<DataAnswer<Page<Value>>> {
    must_have(&app, &connection, entity)?;
    let entity = entity.slug;
    let name = format!("records/{}/{entity}", connection.id);
    let at: Option<At> = position(&name, list.cursor.as_deref())?;
    let asked = list.modified_after.map(Moment::wall);
    let modified_after = same_list(at.as_ref(), asked)?;
    if let Some((place, _)) = &at {
        refuse_forged(place, app.clock().wall())?;
    }
    let after = at.map(|(place, _)| place);
    let query = RecordQuery { entity, modified_after, after, limit: list.limit.get() };
    let page = list_records(&app.store, &records_of(&connection), &query).await?;
    let next = page.next.map(|place| (place, modified_after));
    let page = Page::at(&name, page.records, next)?;
    let synced_at = synced_at(&app.store, &connection, entity).await?;
    Ok(DataAnswer::new(&connection, synced_at, page))
}

/// The list's `modified_after`: the cursor's own, which need not be said again.
fn same_list(at: Option<&At>, asked: Option<WallTime>) -> Result<Option<WallTime>> {
    match (at, asked) {
        (None, asked) => Ok(asked),
        (Some((_, began_with)), Some(asked)) if *began_with != Some(asked) => {
            let message = "the cursor belongs to a list with another modified_after";
            Err(Error::new(ErrorCode::CursorInvalid, message))
        }
        (Some((_, began_with)), _) => Ok(*began_with),
    }
}

/// Refuses what looks like a cursor and cannot be one: the table would, in words of its own.
fn refuse_forged(place: &Place, now: WallTime) -> Result<()> {
    let fine = match place {
        Place::Key(key) => is_record_key(key),
        Place::Feed(seq) => is_possible(*seq, now),
    };
    let message = "the cursor is not one this list has given out";
    if fine { Ok(()) } else { Err(Error::new(ErrorCode::CursorInvalid, message)) }
}

/// Whether a place in the feed can have been given out: none lies a day ahead.
pub(crate) fn is_possible(seq: Seq, now: WallTime) -> bool {
    seq.time() < now + Duration::from_secs(24 * 3600)
}

/// Whether the text can be the key of a record.
fn is_record_key(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.strip_prefix("rec_").is_some_and(|rest| rest.len() == 26 && rest.bytes().all(letter))
}

/// Refuses a query's `entity` that is none.
pub(crate) fn unknown_entity() -> Error {
    let known: Vec<&str> = Entity::ALL.iter().map(|entity| entity.slug).collect();
    let message = format!("must be one of {}", known.join(", "));
    let mut error =
        Error::new(ErrorCode::InvalidRequest, format!("the query parameter entity {message}"));
    error.fields = vec![FieldError::new("entity", ErrorCode::InvalidRequest, message)];
    error
}

/// Refuses an entity that the connection's system does not have. The path exists and allows no method
/// there, so `Allow` is empty (RFC 9110, 10.2.1).
pub(crate) fn must_have(app: &App, connection: &Connection, entity: &Entity) -> Result<()> {
    let manifest = app.engine.catalog().get(&connection.connector_id);
    let manifest = manifest.ok_or_else(|| Error::internal("a connection of no known connector"))?;
    if manifest.entity(entity.slug).is_some() {
        return Ok(());
    }
    let message = format!("the connector {} has no {}", manifest.id, words::several(entity));
    let mut error = Error::new(ErrorCode::OperationNotSupported, message);
    error.allow = Some(String::new());
    Err(error)
}

async fn get(
    OfEntity(entity): OfEntity,
    DataScope(connection): DataScope,
    State(app): State<App>,
    TextPath(key): TextPath,
) -> Answer<DataAnswer<Value>> {
    must_have(&app, &connection, entity)?;
    let not_found = || Error::not_found("record");
    if !is_record_key(&key) {
        return Err(not_found().into());
    }
    let record = get_record(&app.store, &records_of(&connection), entity.slug, &key).await?;
    let record = record.ok_or_else(not_found)?;
    let synced_at = synced_at(&app.store, &connection, entity.slug).await?;
    Ok(DataAnswer::new(&connection, synced_at, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_cursor_is_refused() {
        let now = WallTime::from_millis(1_700_000_000_000);
        let key = |text: &str| refuse_forged(&Place::Key(text.to_owned()), now);
        assert!(key("rec_0123456789abcdefghjkmnpqrs").is_ok());
        assert!(key("").is_err() && key("rec_").is_err() && key(&"x".repeat(2000)).is_err());
        let feed = |time| refuse_forged(&Place::Feed(Seq::default().next(time)), now);
        assert!(feed(now).is_ok() && feed(now + Duration::from_secs(2 * 86_400)).is_err());
    }

    #[test]
    fn a_cursor_holds_what_its_list_was_asked_for() {
        let time = |ms| Some(WallTime::from_millis(ms));
        let at = |since| (Place::Key("rec_1".to_owned()), since);
        assert_eq!(same_list(None, time(5)).unwrap(), time(5));
        assert_eq!(same_list(Some(&at(time(5))), None).unwrap(), time(5));
        assert_eq!(same_list(Some(&at(time(5))), time(5)).unwrap(), time(5));
        for (began_with, asked) in [(time(5), time(6)), (None, time(6))] {
            let refused = same_list(Some(&at(began_with)), asked).unwrap_err();
            assert_eq!(refused.code, ErrorCode::CursorInvalid);
        }
    }
}
