//! A data set at a time: which rows there are, and what they look like.

use std::time::Duration;

use millwright_core::{ScheduleTime, from_iso};
use millwright_store::Document;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    DataSet, equipment, goods, orders, people,
    spot::{DAY_MS, Spot, id, iso},
    stock, vendors, work,
};
use crate::sandbox::SandboxRow;

/// A data set, and what the clock of changes has done to it.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct World {
    set: DataSet,
    records: u32,
    changes: Changes,
    /// How many changes there have been.
    done: u64,
}

/// A clock of changes. Every so often each entity has one: a new row, a changed one, a deleted one, in
/// turn. What has happened follows from the time alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Changes {
    /// The changes before it was last started.
    before: u64,
    /// When it was last started.
    began: ScheduleTime,
    /// How often there is a change; zero for never.
    every_ms: u64,
    /// When it was stopped.
    ended: Option<ScheduleTime>,
}

impl Document for Changes {}

impl Changes {
    /// The clock started anew, with what has happened until now.
    pub(in crate::sandbox) fn started(&self, now: ScheduleTime, every: Duration) -> Self {
        let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1);
        Self { before: self.done(now), began: now, every_ms, ended: None }
    }

    /// The clock stopped: what has happened stays.
    pub(in crate::sandbox) fn stopped(&self, now: ScheduleTime) -> Self {
        Self { ended: Some(self.ended.unwrap_or(now)), ..self.clone() }
    }

    /// How many changes there have been.
    fn done(&self, now: ScheduleTime) -> u64 {
        let until = self.ended.map_or(now, |ended| ended.min(now));
        let ms = u64::try_from(until.since(self.began).as_millis()).unwrap_or(u64::MAX);
        self.before + ms.checked_div(self.every_ms).unwrap_or(0)
    }

    /// When a change happened, in milliseconds since the epoch; 0 is the first. Those before the last
    /// start count as having happened then: who reads what is new sees them once more, and misses
    /// none.
    fn at(&self, change: u64) -> i64 {
        let after_start = (change + 1).saturating_sub(self.before);
        let ms = i64::try_from(after_start.saturating_mul(self.every_ms)).unwrap_or(i64::MAX);
        self.began.millis().saturating_add(ms)
    }
}

/// An entity of the data sets.
struct Shape {
    prefix: &'static str,
    count: u32,
    /// How many days after it was made a row was last touched.
    touched: i64,
    make: fn(Spot, &str) -> SandboxRow,
}

impl Shape {
    fn of(entity: &str) -> Option<Self> {
        let shape = |prefix, count, touched, make| Some(Self { prefix, count, touched, make });
        match entity {
            "vendors" => shape("ven", vendors::VENDORS, 0, |spot, _| vendors::vendor(spot)),
            "materials" => shape("mat", goods::MATERIALS, 0, |spot, _| goods::material(spot)),
            "products" => shape("prod", goods::PRODUCTS, 0, |spot, _| goods::product(spot)),
            "purchase-orders" => shape("po", orders::ORDERS, 2, orders::order),
            "receivings" => shape("rcv", orders::RECEIVINGS, 7, |spot, _| orders::receiving(spot)),
            "work-orders" => shape("wo", work::WORK_ORDERS, 2, |spot, _| work::work_order(spot)),
            "service-requests" => shape("req", work::REQUESTS, 1, |spot, _| work::request(spot)),
            "assets" => shape("ast", equipment::ASSETS, 0, |spot, _| equipment::asset(spot)),
            "locations" => {
                shape("loc", equipment::LOCATIONS, 0, |spot, _| equipment::location(spot))
            }
            "stocks" => shape("stk", stock::STOCKS, 0, |spot, _| stock::stock(spot)),
            "inventories" => shape("inv", goods::MATERIALS, 0, |spot, _| stock::inventory(spot)),
            "users" => shape("usr", people::USERS, 0, |spot, _| people::user(spot)),
            _ => None,
        }
    }
}

/// What the ids of an entity begin with.
pub(in crate::sandbox) fn prefix(entity: &str) -> &'static str {
    Shape::of(entity).map_or("row", |shape| shape.prefix)
}

/// What is not in the data set of maintenance, and not in that of a warehouse.
const NO_MAINTENANCE: [&str; 5] =
    ["purchase-orders", "receivings", "products", "stocks", "inventories"];
const NO_WAREHOUSE: [&str; 5] =
    ["purchase-orders", "receivings", "work-orders", "service-requests", "assets"];

impl World {
    pub(in crate::sandbox) fn new(
        set: DataSet,
        records: u32,
        changes: Changes,
        now: ScheduleTime,
    ) -> Self {
        let done = changes.done(now);
        Self { set, records, changes, done }
    }

    /// An entity's rows; nothing for an entity that no data set has.
    pub(in crate::sandbox) fn entity(&self, entity: &str) -> Option<Rows<'_>> {
        let shape = Shape::of(entity)?;
        let huge = self.set == DataSet::Huge && entity == "purchase-orders";
        let count = match self.set {
            DataSet::Empty => 0,
            DataSet::WorkOrders if NO_MAINTENANCE.contains(&entity) => 0,
            DataSet::Stock if NO_WAREHOUSE.contains(&entity) => 0,
            DataSet::Draft | DataSet::Approved if entity == "receivings" => 0,
            DataSet::Huge if huge => self.records,
            _ => shape.count,
        };
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX / 2);
        let first = 1 + number(self.done / 3);
        let last = count.saturating_add(number(self.done.div_ceil(3)));
        Some(Rows { world: self, shape, huge, count, first, last })
    }

    /// The row of an id.
    pub(in crate::sandbox) fn row(&self, entity: &str, remote_id: &str) -> Option<SandboxRow> {
        self.entity(entity)?.row(remote_id)
    }
}

/// An entity's rows. They are numbered; new ones come at the end, and old ones go at the beginning.
pub(in crate::sandbox) struct Rows<'a> {
    world: &'a World,
    shape: Shape,
    /// Whether there are more rows than four digits number.
    huge: bool,
    /// How many rows there are to begin with.
    count: u32,
    first: u32,
    last: u32,
}

impl Rows<'_> {
    /// The ids and numbers of the rows whose ids come after `after`, in the order of ids; with
    /// `since`, a time in milliseconds since the epoch, only of those changed then or later. A page
    /// costs no more at the end than at the beginning.
    pub(in crate::sandbox) fn after(
        &self,
        after: Option<&str>,
        since: Option<i64>,
    ) -> impl Iterator<Item = (String, u32)> {
        let start = after.map_or(self.first, |after| self.first_after(after));
        let recent =
            move |number: &u32| since.is_none_or(|since| self.changed_at(*number) >= since);
        (start..=self.last).filter(recent).map(|number| (self.id(number), number))
    }

    /// The row of a number.
    pub(in crate::sandbox) fn numbered(&self, number: u32) -> SandboxRow {
        let spot = self.spot(number);
        let mut row = (self.shape.make)(spot, &self.id(number));
        if spot.set == DataSet::CustomFields {
            row.insert("custom".to_owned(), custom(spot));
        }
        row.insert("id".to_owned(), Value::String(self.id(number)));
        row.insert("updatedAt".to_owned(), Value::String(iso(self.changed_at(number))));
        if let Some(at) = self.inserted_at(number) {
            row.insert("createdAt".to_owned(), Value::String(iso(at)));
        }
        if let Some(at) = self.updated_at(number) {
            row.insert("notes".to_owned(), Value::String(format!("changed at {}", iso(at))));
        }
        row
    }

    fn row(&self, remote_id: &str) -> Option<SandboxRow> {
        let number = self.number(remote_id)?;
        (self.first..=self.last).contains(&number).then(|| self.numbered(number))
    }

    fn spot(&self, number: u32) -> Spot {
        Spot { number, set: self.world.set }
    }

    /// Ids are in the order of numbers, also as text.
    fn id(&self, number: u32) -> String {
        let prefix = self.shape.prefix;
        match number.checked_sub(self.count) {
            None | Some(0) if self.huge => format!("{prefix}-{number:07}"),
            None | Some(0) => id(prefix, number),
            Some(later) => format!("{prefix}-t{later:07}"),
        }
    }

    /// The number of an id; nothing when it is none of this data set.
    fn number(&self, remote_id: &str) -> Option<u32> {
        let digits = remote_id.strip_prefix(self.shape.prefix)?.strip_prefix('-')?;
        let number = match digits.strip_prefix('t') {
            Some(later) => later.parse::<u32>().ok()?.checked_add(self.count)?,
            None => digits.parse().ok()?,
        };
        (number > 0 && self.id(number) == remote_id).then_some(number)
    }

    /// The first number whose id comes after `after`.
    fn first_after(&self, after: &str) -> u32 {
        let (mut low, mut high) = (self.first, self.last.saturating_add(1));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.id(middle).as_str() > after {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// When a row came, if it was not there from the beginning: with every third change.
    fn inserted_at(&self, number: u32) -> Option<i64> {
        let cycle = number.checked_sub(self.count + 1)?;
        Some(self.world.changes.at(u64::from(cycle) * 3))
    }

    /// When a row was changed, if it was: each is, once, when it is in the middle of those there are.
    fn updated_at(&self, number: u32) -> Option<i64> {
        let cycle = number.checked_sub(self.count / 2 + 1)?;
        let change = u64::from(cycle) * 3 + 1;
        (change < self.world.done).then(|| self.world.changes.at(change))
    }

    fn changed_at(&self, number: u32) -> i64 {
        let touched = || self.spot(number).born() + self.shape.touched * DAY_MS;
        let changed = self.updated_at(number).or_else(|| self.inserted_at(number));
        changed.unwrap_or_else(touched)
    }
}

/// Whether a row was changed at or after a time, in milliseconds since the epoch.
pub(in crate::sandbox) fn changed_since(row: &SandboxRow, since: i64) -> bool {
    let changed = row.get("updatedAt").and_then(Value::as_str).and_then(from_iso);
    changed.is_none_or(|changed| changed >= since)
}

/// What a customer has added to the rows.
fn custom(spot: Spot) -> Value {
    json!({
        "cost_centre": format!("CC-{:03}", 100 + spot.number % 7),
        "inspected": spot.number.is_multiple_of(2),
        "weight_kg": format!("{}.5", spot.number),
        "delivery_zone": spot.pick(&["north", "south", "east"]),
        "inspected_on": spot.day(3),
        "system_ref": format!("X-{:06}", spot.number),
    })
}
