//! Locations, and the assets that stand in them.

use serde_json::json;

use super::{
    spot::{Spot, address, first_day, id, iso, money, row},
    vendors,
};
use crate::sandbox::SandboxRow;

/// How many locations there are: a site, two buildings, and what is in them.
pub(super) const LOCATIONS: u32 = 16;
/// How many assets there are.
pub(super) const ASSETS: u32 = 24;

/// What the locations are, from the first one on.
const KINDS: [(&str, &str); 16] = [
    ("site", "Plant North"),
    ("building", "Hall A"),
    ("building", "Hall B"),
    ("area", "Pressing"),
    ("area", "Painting"),
    ("area", "Packing"),
    ("warehouse", "Main warehouse"),
    ("area", "Utilities"),
    ("area", "Workshop"),
    ("area", "Yard"),
    ("area", "Loading dock"),
    ("area", "Office"),
    ("storeroom", "Spare parts"),
    ("storeroom", "Consumables"),
    ("bin", "Shelf 1"),
    ("virtual", "In transit"),
];

const MACHINES: [(&str, &str); 6] = [
    ("Press", "HP-200"),
    ("Conveyor", "CV-12"),
    ("Compressor", "AC-75"),
    ("Pump", "CP-40"),
    ("Robot", "R6"),
    ("Boiler", "SB-3"),
];

/// The place where things are kept that number so and so of something else is about.
pub(super) fn storeroom(number: u32) -> String {
    id("loc", if number.is_multiple_of(2) { 13 } else { 14 })
}

/// The one site.
pub(super) fn site() -> String {
    id("loc", 1)
}

/// The asset that number so and so of something else is about.
pub(super) fn asset_of(number: u32) -> String {
    id("ast", 1 + number % ASSETS)
}

/// The location of the asset of a number.
pub(super) fn location_of(number: u32) -> String {
    id("loc", 4 + number % 6)
}

pub(super) fn location(spot: Spot) -> SandboxRow {
    let number = spot.number;
    let (kind, name) = Spot { number: number - 1, ..spot }.pick(&KINDS);
    row([json!({
        "id": id("loc", number),
        "name": name,
        "code": format!("L-{number:03}"),
        "kind": kind,
        "parent": (number > 1).then(|| id("loc", (number / 2).clamp(1, 7))),
        "site": site(),
        "address": (number <= 3).then(|| address(number)),
        "lat": (number == 1).then_some("51.9225"),
        "lng": (number == 1).then_some("4.47917"),
        "active": number != 12,
        "default": number == 13,
        "manager": super::people::of(number),
        "notes": null,
        "createdAt": iso(first_day()),
    })])
}

pub(super) fn asset(spot: Spot) -> SandboxRow {
    let number = spot.number;
    let (kind, model) = spot.pick(&MACHINES);
    row([
        json!({
            "id": id("ast", number),
            "name": format!("{kind} {number}"),
            "code": format!("A-{number:04}"),
            "description": format!("{kind}, model {model}"),
            "serial": format!("{model}-{:05}", 31_000 + number),
            "location": location_of(number - 1),
            "site": site(),
            "parent": number.is_multiple_of(4).then(|| id("ast", number - 1)),
            "category": kind,
            "criticality": spot.pick(&["A", "B", "C"]),
        }),
        json!({
            "active": number != ASSETS,
            "status": spot.pick(&["running", "running", "standby", "down", "retired", "lent"]),
            "make": spot.pick(&["Norwerk", "Hydrox", "Kessel"]),
            "model": model,
            "vendor": vendors::of(number),
            "barcode": format!("AST{number:06}"),
            "purchased": spot.day(-900),
            "installed": spot.day(-880),
            "warranty": spot.day(200),
            "physical": true,
            "currency": "EUR",
            "price": money(250_000 + u64::from(number) * 1_999),
            "notes": null,
            "createdAt": iso(first_day()),
        }),
    ])
}
