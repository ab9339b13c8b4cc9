//! Work orders, and the requests that some of them come from.

use serde_json::{Value, json};

use super::{
    DataSet, equipment, goods, people,
    spot::{Spot, id, money, pick, row},
    vendors,
};
use crate::sandbox::SandboxRow;

/// How many work orders there are.
pub(super) const WORK_ORDERS: u32 = 36;
/// How many requests there are.
pub(super) const REQUESTS: u32 = 12;

/// The statuses of the work orders, in turn.
const STATUSES: [&str; 10] = [
    "requested",
    "draft",
    "open",
    "scheduled",
    "in_progress",
    "on_hold",
    "completed",
    "closed",
    "cancelled",
    "awaiting_shutdown",
];

/// The statuses of the requests, in turn.
const REQUEST_STATUSES: [&str; 9] = [
    "open",
    "approved",
    "in_progress",
    "waiting",
    "completed",
    "closed",
    "cancelled",
    "rejected",
    "referred",
];

const JOBS: [&str; 6] = [
    "Replace bearing",
    "Lubricate",
    "Inspect guards",
    "Repair leak",
    "Calibrate sensor",
    "Change filter",
];

/// The work order that number so and so of something else belongs to.
pub(super) fn of(number: u32) -> String {
    id("wo", 1 + number % WORK_ORDERS)
}

fn status(spot: Spot) -> &'static str {
    match spot.set {
        DataSet::Draft => "draft",
        DataSet::Approved => "open",
        DataSet::Completed => "completed",
        _ => Spot { number: spot.number - 1, ..spot }.pick(&STATUSES),
    }
}

pub(super) fn work_order(spot: Spot) -> SandboxRow {
    let number = spot.number;
    let status = status(spot);
    let done = ["completed", "closed"].contains(&status);
    let started = done || ["in_progress", "on_hold"].contains(&status);
    let approved = !["requested", "draft"].contains(&status);
    row([
        json!({
            "id": id("wo", number),
            "code": format!("WO-{:05}", 12_000 + number),
            "title": format!("{} {number}", spot.pick(&JOBS)),
            "description": format!("{} on {}", spot.pick(&JOBS), equipment::asset_of(number)),
            "status": status,
            "kind": spot.pick(&["reactive", "preventive", "inspection", "project", "other"]),
            "priority": spot.pick(&["none", "low", "medium", "high", "urgent"]),
            "asset": equipment::asset_of(number),
            "location": equipment::location_of(number),
            "site": equipment::site(),
            "parent": number.is_multiple_of(6).then(|| id("wo", number - 1)),
        }),
        json!({
            "request": number.is_multiple_of(3).then(|| id("req", 1 + number / 3 % REQUESTS)),
            "assignees": [people::of(number), people::of(number + 3)],
            "requestedBy": people::of(number + 1),
            "approvedBy": approved.then(|| people::of(number + 2)),
            "approvedAt": approved.then(|| spot.time(1)),
            "scheduledAt": (status != "draft").then(|| spot.time(3)),
            "dueAt": spot.time(7),
            "startedAt": started.then(|| spot.time(3)),
            "completedAt": done.then(|| spot.time(4)),
            "estimated": (3_600 * (1 + number % 4)).to_string(),
            "actual": done.then(|| (3_000 * (1 + number % 5)).to_string()),
        }),
        detail(spot, started, done),
    ])
}

fn detail(spot: Spot, started: bool, done: bool) -> Value {
    let number = spot.number;
    let wo = id("wo", number);
    let (labor, parts) = (u64::from(number) * 425, goods::part(number).cost * 2);
    json!({
        "downFrom": started.then(|| spot.time(3)),
        "downTo": done.then(|| spot.time(4)),
        "remarks": done.then_some("Done and tested."),
        "failure": number.is_multiple_of(2).then(|| spot.pick(&["WEAR", "LEAK", "ALIGN"])),
        "category": spot.pick(&goods::TRADES),
        "tasks": tasks(&wo, done),
        "resources": [{
            "id": format!("{wo}-r1"), "name": "Mechanic", "vendor": vendors::of(number),
            "planned": "3600", "time": if done { "3900" } else { "0" }, "rate": "42.50",
            "cost": money(labor), "currency": "EUR",
        }],
        "parts": [{
            "id": format!("{wo}-p1"), "material": goods::part(number).id, "quantity": "2",
            "used": if done { "2" } else { "0" }, "name": goods::part(number).name,
            "unit": goods::part(number).unit, "cost": money(goods::part(number).cost),
        }],
        "costs": {
            "labor": money(labor), "material": money(parts), "other": "0",
            "total": money(labor + parts),
        },
        "currency": "EUR",
        "notes": null,
        "createdAt": spot.time(0),
    })
}

fn tasks(work_order: &str, done: bool) -> Value {
    let task = |number: u32| {
        json!({
            "id": format!("{work_order}-t{number}"),
            "no": number.to_string(),
            "title": pick(&["Lock out", "Do the work", "Test"], number - 1),
            "done": done,
        })
    };
    (1..=3).map(task).collect()
}

pub(super) fn request(spot: Spot) -> SandboxRow {
    let number = spot.number;
    let work_order = number.is_multiple_of(2).then(|| of(number * 3));
    row([json!({
        "id": id("req", number),
        "code": format!("SR-{number:05}"),
        "title": format!("{} please", spot.pick(&JOBS)),
        "description": "It makes a noise.",
        "priority": spot.pick(&["none", "low", "medium", "high", "urgent"]),
        "status": spot.pick(&REQUEST_STATUSES),
        "asset": equipment::asset_of(number),
        "location": equipment::location_of(number),
        "requester": format!("Operator {number}"),
        "email": format!("operator{number}@plant.example"),
        "phone": format!("+31 10 557 {number:04}"),
        "workOrder": work_order,
        "notes": null,
        "createdAt": spot.time(0),
    })])
}
