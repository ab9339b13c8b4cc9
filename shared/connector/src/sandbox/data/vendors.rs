//! Vendors.

use serde_json::json;

use super::{
    DataSet,
    goods::TRADES,
    spot::{Spot, address, first_day, id, iso, row},
};
use crate::sandbox::SandboxRow;

/// How many there are.
pub(super) const VENDORS: u32 = 25;
/// The code of the vendor that cannot be ordered from.
const INVALID: &str = "invalid-vendor";

/// The id of a vendor that stands beside number so and so of something else.
pub(super) fn of(number: u32) -> String {
    id("ven", 1 + number % VENDORS)
}

pub(super) fn vendor(spot: Spot) -> SandboxRow {
    let number = spot.number;
    let trade = spot.pick(&TRADES);
    let address = address(number);
    let city = address["city"].as_str().unwrap_or_default().to_owned();
    // The last vendor is one that is no longer used.
    let closed = number == VENDORS;
    let code = if closed { INVALID.to_owned() } else { format!("V{:05}", 10_000 + number) };
    row([
        json!({
            "id": id("ven", number),
            "code": code,
            "name": format!("{city} {trade} {number}"),
            "emails": [format!("orders{number}@vendor.example")],
            "phones": [format!("+31 10 555 {number:04}")],
            "addresses": [address],
            "contacts": [{ "name": format!("Desk {number}"), "position": "Sales" }],
            "taxNumber": format!("NL{:09}B01", 850_000_000 + number),
            "category": trade,
            "currency": "EUR",
        }),
        json!({
            "terms": if number.is_multiple_of(2) { "30 days net" } else { "14 days net" },
            "notes": null,
            "active": !closed,
            "blocked": closed || spot.set == DataSet::InvalidVendor,
            "createdAt": iso(first_day()),
        }),
    ])
}
