//! From when on is read, and what of a listing that is sorted by time is new. Pure.

use millwright_core::{WallTime, from_iso};
use serde_json::Value;

use crate::{
    error::SystemError,
    json::Row,
    manifest::{EntityDef, Filter, Incremental},
    mapping::{Conditions, Field, Mapper},
    template::Scope,
};

/// The time that a request is told, in milliseconds since the epoch: `from` less the overlap, cut down
/// to what the system compares, and one unit earlier where it leaves out what is exactly then.
fn since_of(filter: &Filter, from: i64) -> i64 {
    let unit = filter.precision.millis();
    let at = from - i64::from(filter.overlap_seconds) * 1_000;
    let at = at - at.rem_euclid(unit);
    if filter.inclusive { at } else { at - unit }
}

/// From when on an entity's changes are read.
pub(super) fn since(def: &EntityDef, from: Option<i64>) -> Option<i64> {
    let from = from?;
    match &def.incremental {
        Incremental::Full => None,
        Incremental::Filter(filter) => Some(since_of(filter, from)),
        Incremental::Feed(feed) => Some(from - i64::from(feed.overlap_seconds) * 1_000),
        Incremental::Log(_) => Some(from),
    }
}

/// `{since}`.
pub(super) fn named(since: Option<i64>) -> Value {
    since.map_or(Value::Null, |ms| Value::from(WallTime::from_millis(ms).iso()))
}

/// `{window}`.
pub(super) fn window(def: &EntityDef, since: &Value) -> Result<Value, SystemError> {
    let Incremental::Filter(filter) = &def.incremental else { return Ok(Value::Null) };
    let template = if since.is_null() { &filter.everything } else { &filter.window };
    let scope = Scope::default().with("since", since.clone());
    match template {
        None => Ok(Value::Null),
        Some(template) => template.render(&scope).map_err(SystemError::malformed),
    }
}

/// A listing's order by time, newest first.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    pub time: &'a Field,
    pub out_of_order: Option<&'a Conditions>,
}

impl Order<'_> {
    /// The rows of a page that are new, and whether the page has come to old ones. A row whose time
    /// cannot be read is new, and tells nothing.
    pub fn new_rows(
        &self,
        mapper: &Mapper<'_>,
        since: i64,
        rows: Vec<(String, Row)>,
    ) -> (Vec<(String, Row)>, bool) {
        let mut old = false;
        let mut new = Vec::with_capacity(rows.len());
        for (id, row) in rows {
            let time = mapper.text(self.time, row.json()).and_then(|text| from_iso(&text));
            if time.is_none_or(|time| time >= since) {
                new.push((id, row));
            } else if !self.out_of_order.is_some_and(|when| when.hold(row.json(), mapper.keys)) {
                old = true;
            }
        }
        (new, old)
    }
}

#[cfg(test)]
mod tests {
    use millwright_core::ConnectionId;
    use serde_json::json;

    use super::*;
    use crate::{manifest::Feed, path::NestedKeys};

    fn filter(yaml: &str) -> Filter {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn the_time_is_cut_down_to_what_the_system_compares() {
        let from = from_iso("2026-11-21T10:20:30.456Z").unwrap();
        for (yaml, since) in [
            ("{}", "2026-11-21T10:20:30.456Z"),
            ("inclusive: false", "2026-11-21T10:20:30.455Z"),
            ("precision: second", "2026-11-21T10:20:30.000Z"),
            ("{ precision: second, inclusive: false }", "2026-11-21T10:20:29.000Z"),
            ("{ precision: minute, overlap_seconds: 31 }", "2026-11-21T10:19:00.000Z"),
            ("precision: day", "2026-11-21T00:00:00.000Z"),
            ("{ precision: day, inclusive: false }", "2026-11-20T00:00:00.000Z"),
        ] {
            assert_eq!(Some(since_of(&filter(yaml), from)), from_iso(since), "{yaml}");
        }
        assert_eq!(since_of(&filter("precision: second"), -1), -1_000, "before the epoch too");
    }

    fn judged(rows: Value) -> (Vec<String>, bool) {
        let feed: Feed = serde_saphyr::from_str(
            "time: { path: at, codec: unix_seconds }\nout_of_order: { pinned: [true] }",
        )
        .unwrap();
        let connection = ConnectionId::derived(&["test"]);
        let mapper = Mapper {
            naming: crate::mapping::Naming::Of(&connection),
            entity: "topics",
            keys: NestedKeys::Plain,
            zone: None,
            nothing: &[],
        };
        let order = Order { time: &feed.time, out_of_order: feed.out_of_order.as_ref() };
        let rows = rows.as_array().unwrap().iter().enumerate();
        let rows = rows.map(|(number, row)| (number.to_string(), Row::from(row))).collect();
        let (new, old) = order.new_rows(&mapper, 100_000, rows);
        (new.into_iter().map(|(id, _)| id).collect(), old)
    }

    #[test]
    fn a_feed_ends_at_the_first_old_row_that_stands_in_order() {
        let (new, old) = judged(json!([{"at": 105}, {"at": 100}, {"at": 99}]));
        assert_eq!((new, old), (vec!["0".to_owned(), "1".to_owned()], true), "equal is new");
        let (new, old) = judged(json!([{"at": 5, "pinned": true}, {"at": 105, "pinned": false}]));
        assert_eq!((new, old), (vec!["1".to_owned()], false), "a pinned row ends nothing");
        let (new, old) = judged(json!([{"at": 105, "pinned": true}, {"at": null}, {}]));
        assert_eq!((new.len(), old), (3, false), "what has no time is read, and ends nothing");
    }
}
