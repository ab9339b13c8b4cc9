//! What is in stock: levels by place and lot, and the items as they are stocked.

use serde_json::json;

use super::{
    equipment,
    goods::{self, MATERIALS},
    spot::{Spot, first_day, id, iso, money, row},
};
use crate::sandbox::SandboxRow;

/// How many levels there are: two places for each material.
pub(super) const STOCKS: u32 = MATERIALS * 2;

fn quantity(spot: Spot) -> u32 {
    let material = 1 + (spot.number - 1) % MATERIALS;
    if goods::is_out(material, spot.set) { 0 } else { 20 + spot.number % 37 }
}

pub(super) fn stock(spot: Spot) -> SandboxRow {
    let number = spot.number;
    let part = goods::part(number);
    let there = quantity(spot);
    let reserved = there.min(number % 5);
    row([
        json!({
            "id": id("stk", number),
            "material": part.id,
            "location": equipment::storeroom(number / MATERIALS),
            "bin": format!("R{}-{:02}", 1 + number % 4, number % 20),
            "lot": number.is_multiple_of(3).then(|| format!("L{number:05}")),
            "serial": null,
            "quantity": there.to_string(),
            "reserved": reserved.to_string(),
            "available": (there - reserved).to_string(),
            "incoming": (number % 3 * 10).to_string(),
        }),
        json!({
            "unit": part.unit,
            "cost": money(part.cost),
            "currency": "EUR",
            "expiresAt": number.is_multiple_of(3).then(|| spot.day(365)),
            "reorder": (number % 10).to_string(),
            "batch": "25",
            "countedAt": spot.time(-7),
            "notes": null,
            "createdAt": iso(first_day()),
        }),
    ])
}

pub(super) fn inventory(spot: Spot) -> SandboxRow {
    let number = spot.number;
    let part = goods::part(number);
    let there = quantity(spot);
    row([json!({
        "id": id("inv", number),
        "code": part.code,
        "name": part.name,
        "material": part.id,
        "unit": part.unit,
        "location": equipment::storeroom(number),
        "quantity": there.to_string(),
        "cost": money(part.cost),
        "currency": "EUR",
        "reorder": (number % 10).to_string(),
        "least": (number % 10).to_string(),
        "most": (50 + number).to_string(),
        "active": number != MATERIALS,
        "notes": null,
        "createdAt": iso(first_day()),
    })])
}
