//! What is bought, kept and sold: materials and products.

use serde_json::{Value, json};

use super::{
    DataSet,
    spot::{Spot, first_day, id, iso, money, pick, row},
    vendors,
};
use crate::sandbox::SandboxRow;

/// How many materials there are.
pub(super) const MATERIALS: u32 = 60;
/// How many products there are.
pub(super) const PRODUCTS: u32 = 30;
/// The code of the material that cannot be ordered.
const OUT_OF_STOCK: &str = "out-of-stock";

pub(super) const TRADES: [&str; 5] =
    ["Bearings", "Hydraulics", "Fasteners", "Electric", "Lubricants"];

const PARTS: [(&str, &str); 6] = [
    ("Deep groove ball bearing", "EA"),
    ("Hydraulic hose", "M"),
    ("Hex bolt", "EA"),
    ("Contactor", "EA"),
    ("Bearing grease", "KG"),
    ("V-belt", "EA"),
];

/// A material, as far as those who use it show it.
pub(super) struct Part {
    pub id: String,
    pub code: String,
    pub name: String,
    pub unit: &'static str,
    /// In hundredths.
    pub cost: u64,
}

/// The material of a number; beyond the last they begin anew.
pub(super) fn part(number: u32) -> Part {
    let number = 1 + (number + MATERIALS - 1) % MATERIALS;
    let (name, unit) = pick(&PARTS, number);
    Part {
        id: id("mat", number),
        code: code(number),
        name: format!("{name} {}", 6200 + number),
        unit,
        cost: cost(number),
    }
}

fn cost(number: u32) -> u64 {
    150 + u64::from(number) * 37
}

/// The last but one is never in stock.
pub(super) fn is_out(number: u32, set: DataSet) -> bool {
    number == MATERIALS - 1 || set == DataSet::OutOfStock
}

fn code(number: u32) -> String {
    if number == MATERIALS - 1 { OUT_OF_STOCK.to_owned() } else { format!("M-{number:04}") }
}

pub(super) fn material(spot: Spot) -> SandboxRow {
    let number = spot.number;
    let (kind, unit) = spot.pick(&PARTS);
    let size = 6200 + number;
    row([
        json!({
            "id": id("mat", number),
            "code": code(number),
            "partNumber": format!("{unit}-{size}"),
            "name": format!("{kind} {size}"),
            "description": format!("{kind}, size {size}"),
            "category": spot.pick(&TRADES),
            "unit": unit,
            "cost": money(cost(number)),
            "currency": "EUR",
            "barcode": format!("400{:010}", 1_000_000 + number),
            "manufacturer": spot.pick(&["Norbear", "Hydrox", "Boltwerk"]),
            "criticality": spot.pick(&["low", "medium", "high"]),
        }),
        json!({
            "assembly": number.is_multiple_of(12),
            "vendors": [vendors::of(number)],
            "supply": supply(number, unit),
            "minimum": (number % 10).to_string(),
            "notes": null,
            // The last material shows what one that is no longer used looks like.
            "active": number != MATERIALS,
            "unavailable": is_out(number, spot.set),
            "createdAt": iso(first_day()),
        }),
    ])
}

fn supply(number: u32, unit: &str) -> Value {
    json!([{
        "vendor": vendors::of(number),
        "partNumber": format!("S-{}", 6200 + number),
        "price": money(cost(number) * 9 / 10),
        "currency": "EUR",
        "unit": unit,
        "packed": "1",
        "reorder": (number % 10).to_string(),
        "days": (3 + number % 12).to_string(),
    }])
}

pub(super) fn product(spot: Spot) -> SandboxRow {
    let number = spot.number;
    let part = part(number);
    row([
        json!({
            "id": id("prod", number),
            "code": format!("P-{number:04}"),
            "sku": format!("SKU-{number:05}"),
            "upc": format!("0{:011}", 36_000_000 + number),
            "ean": format!("871{:010}", 2_000_000 + number),
            "name": format!("{} kit", part.name),
            "description": format!("{}, packed for sale", part.name),
            "price": money(part.cost * 3 / 2),
            "cost": money(part.cost),
            "currency": "EUR",
            "unit": part.unit,
        }),
        json!({
            "category": spot.pick(&TRADES),
            "kind": spot.pick(&["goods", "service", "kit"]),
            "active": number != PRODUCTS,
            "tracked": spot.pick(&["none", "lot", "serial"]),
            "weight": money(u64::from(number) * 25),
            "notes": null,
            "createdAt": iso(first_day()),
        }),
    ])
}
