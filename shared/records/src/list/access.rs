//! Which way a list goes through the records: a pure decision.

use millwright_core::WallTime;
use millwright_store::{Order, OrderStretch};

use super::{ListPlace, RecordQuery};
use crate::{FEED_RETENTION, Filters, Operator, Seq, filter::is_record_key, sortable_time};

/// Before every place of an order, and after.
const FIRST: &str = "!";
const LAST: &str = "~";
/// After every place of a record without the time, and before all others.
const FIRST_WITH_TIME: &str = "$";

/// A way through the records.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Straight to the one that the filters name.
    One,
    /// In the order of keys, after this one.
    Keys(Option<String>),
    /// In the order in which they changed, after this place.
    Feed(Seq),
    /// In the order of one of the source's times.
    Order(Ordered),
}

/// A stretch of an order that may have what is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ordered {
    pub order: Order,
    pub stretch: OrderStretch,
    /// Where to go on after.
    pub after: Option<String>,
}

/// The way: straight to a record that is named; as `sort` says; along the feed where only what is new
/// is wanted and the feed goes back so far; along a time that the filters have a lower bound for;
/// else by key. Nothing when the place to go on after cannot be of this list.
pub(super) fn choose(query: &RecordQuery<'_>, now: WallTime) -> Option<Access> {
    match (&query.after, begin(query, now)) {
        (None, begun) => Some(begun),
        // What began along the feed, or by key since the feed did not go back so far, goes on so.
        (Some(ListPlace::Feed(seq)), Access::Keys(_) | Access::Feed(_)) => {
            seq.is_possible(now).then_some(Access::Feed(*seq))
        }
        (Some(ListPlace::Key(key)), Access::Keys(_) | Access::Feed(_)) => {
            is_record_key(key).then(|| Access::Keys(Some(key.clone())))
        }
        (Some(ListPlace::Order(at)), Access::Order(ordered)) => {
            let after = Some(at.clone());
            is_place(at, &ordered.stretch).then_some(Access::Order(Ordered { after, ..ordered }))
        }
        _ => None,
    }
}

fn begin(query: &RecordQuery<'_>, now: WallTime) -> Access {
    let wanted = &query.wanted;
    let named = ["key", "remoteId"].iter().any(|name| wanted.filters.exactly(name).is_some());
    if named {
        return Access::One;
    }
    let along = |order, forward| {
        let stretch = stretch(order, &wanted.filters, forward);
        Access::Order(Ordered { order, stretch, after: None })
    };
    if let Some(sort) = query.sort {
        return along(sort.by, !sort.descending);
    }
    if let Some(since) = wanted.modified_after.max(wanted.created_after) {
        let kept = since > now - FEED_RETENTION;
        return if kept { Access::Feed(Seq::before(since)) } else { Access::Keys(None) };
    }
    let mut orders = [Order::Updated, Order::Created].into_iter();
    let bounded = orders.find(|order| has_lower_bound(*order, &wanted.filters));
    bounded.map_or(Access::Keys(None), |order| along(order, true))
}

/// The field with the time of an order.
const fn field(order: Order) -> &'static str {
    match order {
        Order::Created => "createdAt",
        Order::Updated => "updatedAt",
    }
}

fn has_lower_bound(order: Order, filters: &Filters) -> bool {
    use Operator::{Eq, Gt, Gteq};
    let mut conditions = filters.iter().filter(|own| own.field() == field(order));
    conditions.any(|own| matches!(own.operator(), Eq | Gt | Gteq))
}

/// The stretch outside of which no record meets the conditions on the order's own time. Inside they
/// are judged one by one.
fn stretch(order: Order, filters: &Filters, forward: bool) -> OrderStretch {
    use Operator::{Eq, Gt, Gteq, Lt, Lteq};
    let (mut from, mut to) = (FIRST.to_owned(), LAST.to_owned());
    for condition in filters.iter().filter(|own| own.field() == field(order)) {
        let Some(time) = sortable_time(condition.text()) else { continue };
        from = from.max(FIRST_WITH_TIME.to_owned());
        if matches!(condition.operator(), Eq | Gt | Gteq) {
            from = from.max(time.clone());
        }
        if matches!(condition.operator(), Eq | Lt | Lteq) {
            to = to.min(format!("{time}{LAST}"));
        }
    }
    OrderStretch { from, to, forward }
}

/// Whether a text can be a place of the stretch. What cannot be would be refused by the table, in
/// words of its own.
fn is_place(at: &str, stretch: &OrderStretch) -> bool {
    let within = stretch.from.as_str() <= at && at <= stretch.to.as_str();
    let shaped = at.split_once('#').is_some_and(|(time, key)| {
        is_record_key(key)
            && (time.is_empty() || sortable_time(time).is_some_and(|same| same == time))
    });
    within && shaped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use millwright_entities::Kind;

    use super::*;
    use crate::{FilterField, Sort, Wanted};

    const NOW: WallTime = WallTime::from_millis(1_800_000_000_000);
    const KEY: &str = "rec_0123456789abcdefghjkmnpqrs";

    fn filters(query: &[(&str, &str)]) -> Filters {
        let field = |name, kind| FilterField { name, kind, options: Vec::new() };
        let fields = [
            field("key", Kind::Key),
            field("remoteId", Kind::Text),
            field("updatedAt", Kind::Time),
            field("createdAt", Kind::Time),
        ];
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Filters::parse(&fields, &query.iter().map(own).collect::<Vec<_>>()).unwrap()
    }

    fn query(conditions: &[(&str, &str)]) -> RecordQuery<'static> {
        RecordQuery {
            entity: "vendors",
            wanted: Wanted { filters: filters(conditions), ..Wanted::default() },
            sort: None,
            after: None,
            limit: 50,
            effort: 100,
        }
    }

    fn order(access: Option<Access>) -> (Order, String, String, bool) {
        let Some(Access::Order(Ordered { order, stretch, .. })) = access else {
            panic!("{access:?}")
        };
        (order, stretch.from, stretch.to, stretch.forward)
    }

    #[test]
    fn a_record_that_is_named_is_gone_to_straight() {
        assert_eq!(choose(&query(&[("remoteId", "7")]), NOW), Some(Access::One));
        assert_eq!(choose(&query(&[("key", KEY)]), NOW), Some(Access::One));
        assert_eq!(choose(&query(&[("remoteId:gt", "7")]), NOW), Some(Access::Keys(None)));
    }

    #[test]
    fn what_is_new_is_found_along_the_feed_as_far_as_it_goes_back() {
        let since = |days: u64| NOW - Duration::from_secs(days * 86_400);
        let mut query = query(&[("updatedAt:gteq", "2026-03-01T12:00:00Z")]);
        query.wanted.modified_after = Some(since(89));
        assert_eq!(choose(&query, NOW), Some(Access::Feed(Seq::before(since(89)))));
        query.wanted.created_after = Some(since(3));
        assert_eq!(choose(&query, NOW), Some(Access::Feed(Seq::before(since(3)))));
        query.wanted = Wanted { modified_after: Some(since(91)), ..Wanted::default() };
        assert_eq!(choose(&query, NOW), Some(Access::Keys(None)));
    }

    #[test]
    fn a_lower_bound_of_a_time_is_found_in_its_order() {
        let (by, from, to, forward) =
            order(choose(&query(&[("updatedAt:gt", "2026-03-01T13:00:00+01:00")]), NOW));
        assert_eq!((by, forward, to.as_str()), (Order::Updated, true, LAST));
        assert_eq!(from, "2026-03-01T12:00:00.000000000Z");
        let upper = query(&[("updatedAt:lt", "2026-03-01T12:00:00Z")]);
        assert_eq!(choose(&upper, NOW), Some(Access::Keys(None)));
    }

    #[test]
    fn a_sorted_list_has_every_record_unless_its_time_is_asked_for() {
        let mut query = query(&[]);
        query.sort = Some(Sort { by: Order::Created, descending: true });
        let whole = (Order::Created, FIRST.to_owned(), LAST.to_owned(), false);
        assert_eq!(order(choose(&query, NOW)), whole);
        query.wanted.filters = filters(&[("createdAt:lteq", "2026-03-01T12:00:00.5Z")]);
        let (_, from, to, _) = order(choose(&query, NOW));
        assert_eq!(from, FIRST_WITH_TIME, "who has no time meets no condition on it");
        assert_eq!(to, "2026-03-01T12:00:00.500000000Z~");
        assert!(FIRST < "#" && "#" < FIRST_WITH_TIME && FIRST_WITH_TIME < "-");
    }

    #[test]
    fn a_forged_place_is_refused() {
        let at = |place: ListPlace, sort: Option<Sort>| {
            choose(&RecordQuery { after: Some(place), sort, ..query(&[]) }, NOW).is_some()
        };
        let key = |text: &str| at(ListPlace::Key(text.to_owned()), None);
        assert!(key(KEY) && !key("") && !key("rec_") && !key(&"x".repeat(2000)));
        let feed = |time| at(ListPlace::Feed(Seq::default().next(time)), None);
        assert!(feed(NOW) && !feed(NOW + Duration::from_secs(2 * 86_400)));
        let sort = Some(Sort { by: Order::Updated, descending: false });
        let place = |text: &str| at(ListPlace::Order(text.to_owned()), sort);
        assert!(
            place(&format!("2026-03-01T12:00:00.000000000Z#{KEY}")) && place(&format!("#{KEY}"))
        );
        assert!(!place("") && !place("~") && !place(&format!("2026#{KEY}")) && !place("#rec_"));
        assert!(!at(ListPlace::Key(KEY.to_owned()), sort), "a sorted list has other places");
    }
}
