//! Logs: from events to records.

use std::collections::HashMap;

use super::{listing::ids_at, since::Order};
use crate::{
    json::Row,
    manifest::{Events, Log, NewestFirst, Reach},
    mapping::Mapper,
    path::NestedKeys,
};

/// What events say of the records that they name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Made or changed.
    pub changed: Vec<String>,
    /// Gone.
    pub gone: Vec<String>,
}

/// The last word of a page's events on each record, in the order in which records are first named.
pub(super) fn told(log: &Log, rows: &[(String, Row)], keys: NestedKeys) -> Told {
    let newest_first = matches!(log.events.reach, Reach::NewestFirst(_));
    let mut order = Vec::new();
    let mut last: HashMap<String, bool> = HashMap::new();
    for (_, event) in rows {
        let gone = log.deleted.as_ref().is_some_and(|deleted| deleted.hold(event.json(), keys));
        for id in ids_at(&log.events.record, event) {
            match last.get_mut(&id) {
                None => {
                    last.insert(id.clone(), gone);
                    order.push(id);
                }
                Some(_) if newest_first => {}
                Some(word) => *word = gone,
            }
        }
    }
    let (gone, changed) = order.into_iter().partition(|id| last.get(id) == Some(&true));
    Told { changed, gone }
}

impl Events {
    /// From when on it is read, in milliseconds since the epoch.
    pub(super) fn since(&self, from: Option<i64>) -> Option<i64> {
        from.map(|from| from - i64::from(self.overlap_seconds) * 1_000)
    }
}

impl NewestFirst {
    pub(super) fn order(&self) -> Order<'_> {
        Order { time: &self.time, out_of_order: self.out_of_order.as_ref() }
    }
}

/// The rows of a page that are new, and whether it has come to old ones.
pub(super) fn new_events(
    order: Option<&NewestFirst>,
    mapper: &Mapper<'_>,
    since: Option<i64>,
    rows: Vec<(String, Row)>,
) -> (Vec<(String, Row)>, bool) {
    match (order, since) {
        (Some(order), Some(since)) => order.order().new_rows(mapper, since, rows),
        _ => (rows, false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn log(reach: &str) -> Log {
        let yaml = format!(
            "request: {{ method: GET, path: events, query: {{ since: '{{since}}' }} }}\n\
             record: order\ndeleted: {{ what: [deleted] }}\n{reach}"
        );
        serde_saphyr::from_str(&yaml).unwrap()
    }

    fn judged(reach: &str, events: Value) -> (Vec<String>, Vec<String>) {
        let rows: Vec<(String, Row)> =
            events.as_array().unwrap().iter().map(|row| (String::new(), Row::from(row))).collect();
        let Told { changed, gone } = told(&log(reach), &rows, NestedKeys::Plain);
        (changed, gone)
    }

    #[test]
    fn the_last_event_of_a_record_counts_in_either_order() {
        let events = json!([
            {"order": 1, "what": "made"}, {"order": 2, "what": "deleted"},
            {"order": 1, "what": "deleted"}, {"order": 2, "what": "restored"},
        ]);
        let one = |id: &str| vec![id.to_owned()];
        assert_eq!(judged("", events.clone()), (one("2"), one("1")));
        let newest_first = "newest_first: { time: { path: at, codec: time } }";
        assert_eq!(judged(newest_first, events), (one("1"), one("2")));
    }

    #[test]
    fn an_event_may_name_several_records_or_none() {
        let events = json!([{"order": [1, 2]}, {"order": null}, {"what": "deleted"}]);
        assert_eq!(judged("", events), (vec!["1".to_owned(), "2".to_owned()], vec![]));
    }
}
