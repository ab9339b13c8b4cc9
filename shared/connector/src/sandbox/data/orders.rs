//! Purchase orders and what has come of them.

use serde_json::{Value, json};

use super::{
    DataSet, goods,
    spot::{Spot, address, id, money, row},
    vendors, work,
};
use crate::sandbox::SandboxRow;

/// How many orders there are where nothing else is said.
pub(super) const ORDERS: u32 = 40;
/// How many receipts there are.
pub(super) const RECEIVINGS: u32 = 12;

/// The statuses of the orders, in turn: every one that the model knows, and one that it does not.
const STATUSES: [&str; 11] = [
    "draft",
    "pending_approval",
    "approved",
    "sent",
    "partially_received",
    "received",
    "invoiced",
    "closed",
    "cancelled",
    "rejected",
    "in_dispute",
];

fn status(spot: Spot) -> &'static str {
    match spot.set {
        DataSet::Draft => "draft",
        DataSet::Approved => "approved",
        DataSet::Completed => "closed",
        _ => Spot { number: spot.number - 1, ..spot }.pick(&STATUSES),
    }
}

/// The vendor: in the data set of invalid ones, every other order names one that is not there.
fn vendor(spot: Spot) -> String {
    let gone = spot.set == DataSet::InvalidVendor && spot.number.is_multiple_of(2);
    if gone { "ven-9999".to_owned() } else { vendors::of(spot.number) }
}

pub(super) fn order(spot: Spot, id: &str) -> SandboxRow {
    let number = spot.number;
    let status = status(spot);
    let lines: Vec<(Value, u64)> =
        (1..=1 + number % 4).map(|line| order_line(spot, id, line, status)).collect();
    let net: u64 = lines.iter().map(|(_, total)| total).sum();
    let tax = net * 21 / 100;
    let approved = !["draft", "pending_approval", "rejected"].contains(&status);
    let done = ["received", "invoiced", "closed"].contains(&status);
    row([
        json!({
            "id": id,
            "number": format!("PO-{:05}", 4_500 + number),
            "title": format!("Stock for week {number}"),
            "description": format!("Stock for week {number}"),
            "reference": format!("REQ-{number:03}"),
            "vendor": vendor(spot),
            "status": status,
            "orderDate": spot.day(0),
            "dueAt": spot.time(14),
            "approvedAt": approved.then(|| spot.time(1)),
            "completedAt": done.then(|| spot.time(2)),
        }),
        json!({
            "requestedBy": super::people::of(number),
            "approvedBy": approved.then(|| super::people::of(number + 1)),
            "currency": "EUR",
            "net": money(net),
            "tax": money(tax),
            "gross": money(net + tax),
            "shipping": spot.pick(&["Truck", "Parcel", "Pick-up"]),
            "deliverTo": address(3),
            "billTo": address(1),
            "terms": "30 days net",
        }),
        json!({
            "workOrder": number.is_multiple_of(5).then(|| work::of(number)),
            "notes": null,
            "lines": lines.into_iter().map(|(line, _)| line).collect::<Vec<_>>(),
            "createdAt": spot.time(0),
        }),
    ])
}

/// A line, and its total in hundredths.
fn order_line(spot: Spot, order: &str, line: u32, status: &str) -> (Value, u64) {
    let number = spot.number;
    let part = goods::part(1 + number * 3 + line * 7);
    let quantity = u64::from(number % 5 + line);
    let received = match status {
        "received" | "invoiced" | "closed" => quantity,
        "partially_received" => quantity / 2,
        _ => 0,
    };
    let total = quantity * part.cost;
    let value = json!({
        "id": format!("{order}-{line}"),
        "no": line.to_string(),
        "material": part.id,
        "code": part.code,
        "name": part.name,
        "quantity": quantity.to_string(),
        "received": received.to_string(),
        "unit": part.unit,
        "price": money(part.cost),
        "total": money(total),
        "dueAt": spot.time(14),
    });
    (value, total)
}

/// A receipt: of the first line of an order that something has come of.
pub(super) fn receiving(spot: Spot) -> SandboxRow {
    // Orders 5, 16, 27, ... are partially received.
    let of = Spot { number: 5 + (spot.number - 1) % 3 * 11, ..spot };
    let order_id = id("po", of.number);
    let (line, _) = order_line(of, &order_id, 1, "partially_received");
    let status = spot.pick(&["posted", "draft", "in_transit", "received", "cancelled", "blocked"]);
    row([
        json!({
            "id": id("rcv", spot.number),
            "code": format!("GR-{:05}", 900 + spot.number),
            "order": order_id,
            "vendor": vendor(of),
            "location": super::equipment::storeroom(spot.number),
            "deliveryNote": format!("DN-{:06}", 70_000 + spot.number),
            "status": status,
            "receivedAt": (status != "draft").then(|| spot.time(6)),
            "postedAt": (status == "posted").then(|| spot.time(7)),
            "receivedBy": super::people::of(spot.number),
        }),
        json!({
            "notes": null,
            "lines": [{
                "id": format!("{}-1", id("rcv", spot.number)),
                "orderLine": line["id"],
                "material": line["material"],
                "quantity": "1",
                "accepted": if spot.number.is_multiple_of(4) { "0" } else { "1" },
                "rejected": if spot.number.is_multiple_of(4) { "1" } else { "0" },
                "unit": line["unit"],
                "cost": line["price"],
                "lot": format!("L{:04}", spot.number),
                "bin": format!("R{}-01", 1 + spot.number % 4),
                "expiresAt": spot.day(365),
            }],
            "createdAt": spot.time(6),
        }),
    ])
}
