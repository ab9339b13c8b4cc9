//! Users.

use serde_json::json;

use super::{
    equipment,
    spot::{Spot, first_day, id, iso, row},
};
use crate::sandbox::SandboxRow;

/// How many users there are.
pub(super) const USERS: u32 = 8;

const NAMES: [(&str, &str); 8] = [
    ("Ana", "Silva"),
    ("Bram", "de Vries"),
    ("Chloe", "Martin"),
    ("Dieter", "Klein"),
    ("Eva", "Nowak"),
    ("Faruk", "Yilmaz"),
    ("Greta", "Lund"),
    ("Hugo", "Costa"),
];

/// The user who has to do with number so and so of something else.
pub(super) fn of(number: u32) -> String {
    id("usr", 1 + number % USERS)
}

pub(super) fn user(spot: Spot) -> SandboxRow {
    let (first, last) = spot.pick(&NAMES);
    row([json!({
        "id": id("usr", spot.number),
        "name": format!("{first} {last}"),
        "username": format!("{}{}", first.to_lowercase(), spot.number),
        "first": first,
        "last": last,
        "email": format!("{}.{}@plant.example", first.to_lowercase(), spot.number),
        "phone": format!("+31 10 556 {:04}", spot.number),
        "role": spot.pick(&["Technician", "Planner", "Buyer", "Manager"]),
        "locations": [equipment::storeroom(spot.number)],
        "sites": [equipment::site()],
        "currency": "EUR",
        "rate": spot.pick(&["42.50", "55", "61.75"]),
        "active": spot.number != USERS,
        "lastLogin": spot.time(30),
        "notes": null,
        "createdAt": iso(first_day()),
    })])
}
