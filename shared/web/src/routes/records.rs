//! What reading records has in common, whatever the entity.

use std::time::Duration;

use millwright_connection::Connection;
use millwright_core::{Error, ErrorCode, FieldError, Result, WallTime};
use millwright_entities::Entity;
use millwright_records::{Place, RecordQuery, Seq, get_record, list_records};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use crate::{
    App,
    data_answer::{DataAnswer, synced_at},
    error::Answer,
    extract::{Moment, records_of},
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

/// A page of an entity's records.
pub(crate) async fn list(
    app: &App,
    connection: &Connection,
    entity: &str,
    list: &RecordList,
) -> Answer<DataAnswer<Page<Value>>> {
    let name = format!("records/{}/{entity}", connection.id);
    let at: Option<At> = position(&name, list.cursor.as_deref())?;
    let asked = list.modified_after.map(Moment::wall);
    let modified_after = same_list(at.as_ref(), asked)?;
    if let Some((place, _)) = &at {
        refuse_forged(place, app.clock().wall())?;
    }
    let after = at.map(|(place, _)| place);
    let query = RecordQuery { entity, modified_after, after, limit: list.limit.get() };
    let page = list_records(&app.store, &records_of(connection), &query).await?;
    let next = page.next.map(|place| (place, modified_after));
    let page = Page::at(&name, page.records, next)?;
    let synced_at = synced_at(&app.store, connection, entity).await?;
    Ok(DataAnswer::new(connection, synced_at, page))
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

/// One record.
pub(crate) async fn get(
    app: &App,
    connection: &Connection,
    entity: &str,
    key: &str,
) -> Answer<DataAnswer<Value>> {
    let not_found = || Error::not_found("record");
    if !is_record_key(key) {
        return Err(not_found().into());
    }
    let record = get_record(&app.store, &records_of(connection), entity, key).await?;
    let record = record.ok_or_else(not_found)?;
    let synced_at = synced_at(&app.store, connection, entity).await?;
    Ok(DataAnswer::new(connection, synced_at, record))
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
