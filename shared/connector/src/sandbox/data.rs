//! The standard data set: 25 vendors, 60 materials, 40 purchase orders. Every value follows from a
//! row's position, so all sandboxes agree and a test can count on it.

use millwright_core::{WallTime, from_iso};
use serde_json::{Value, json};

use super::SandboxRow;

const VENDORS: u32 = 25;
const MATERIALS: u32 = 60;
const ORDERS: u32 = 40;

/// The statuses of the orders, in turn.
const STATUSES: [&str; 8] = [
    "draft",
    "pending_approval",
    "approved",
    "sent",
    "partially_received",
    "received",
    "closed",
    "cancelled",
];

const TOWNS: [(&str, &str, &str); 5] = [
    ("Rotterdam", "3011", "NL"),
    ("Hamburg", "20095", "DE"),
    ("Lyon", "69001", "FR"),
    ("Bilbao", "48001", "ES"),
    ("Gdansk", "80-001", "PL"),
];

const TRADES: [&str; 5] = ["Bearings", "Hydraulics", "Fasteners", "Electric", "Lubricants"];

const PARTS: [(&str, &str); 6] = [
    ("Deep groove ball bearing", "EA"),
    ("Hydraulic hose", "M"),
    ("Hex bolt", "EA"),
    ("Contactor", "EA"),
    ("Bearing grease", "KG"),
    ("V-belt", "EA"),
];

const DAY_MS: i64 = 86_400_000;
/// 2026-01-05T08:00:00Z, a Monday.
const FIRST_DAY_MS: i64 = 1_767_600_000_000;

/// The rows of an entity whose ids come after `after`, in the order of ids.
pub(super) fn after(entity: &str, after: Option<&str>) -> Vec<(String, SandboxRow)> {
    let (prefix, count) = shape(entity);
    (1..=count)
        .map(|number| id(prefix, number))
        .filter(|id| after.is_none_or(|after| id.as_str() > after))
        .filter_map(|id| row(entity, &id).map(|row| (id, row)))
        .collect()
}

/// One row.
pub(super) fn row(entity: &str, remote_id: &str) -> Option<SandboxRow> {
    let (prefix, count) = shape(entity);
    let number: u32 = remote_id.strip_prefix(prefix)?.strip_prefix('-')?.parse().ok()?;
    if number == 0 || number > count || id(prefix, number) != remote_id {
        return None;
    }
    let row = match entity {
        "vendors" => vendor(number),
        "materials" => material(number),
        _ => order(number),
    };
    match row {
        Value::Object(row) => Some(row),
        _ => None,
    }
}

/// Whether a row was changed at or after a time, in milliseconds since the epoch.
pub(super) fn changed_since(row: &SandboxRow, since: i64) -> bool {
    let changed = row.get("updatedAt").and_then(Value::as_str).and_then(from_iso);
    changed.is_none_or(|changed| changed >= since)
}

fn shape(entity: &str) -> (&'static str, u32) {
    match entity {
        "vendors" => ("ven", VENDORS),
        "materials" => ("mat", MATERIALS),
        "purchase-orders" => ("po", ORDERS),
        _ => ("none", 0),
    }
}

fn id(prefix: &str, number: u32) -> String {
    format!("{prefix}-{number:04}")
}

fn pick<T: Copy>(from: &[T], number: u32) -> T {
    from[number as usize % from.len()]
}

/// Eight in the morning of the day after so many days.
fn time(days: u32) -> String {
    WallTime::from_millis(FIRST_DAY_MS + i64::from(days) * DAY_MS).iso()
}

fn day(days: u32) -> String {
    time(days)[..10].to_owned()
}

/// Hundredths as decimal text.
fn money(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn vendor(number: u32) -> Value {
    let (city, postcode, country) = pick(&TOWNS, number);
    let trade = pick(&TRADES, number);
    json!({
        "id": id("ven", number),
        "code": format!("V{:05}", 10_000 + number),
        "name": format!("{city} {trade} {number}"),
        "emails": [format!("orders{number}@vendor.example")],
        "phones": [format!("+31 10 555 {number:04}")],
        "addresses": [{
            "street": format!("Dock Road {number}"), "postcode": postcode, "city": city,
            "country": country,
        }],
        "category": trade,
        "currency": "EUR",
        "terms": if number.is_multiple_of(2) { "30 days net" } else { "14 days net" },
        // The last vendor shows what one that is no longer used looks like.
        "active": number != VENDORS,
        "createdAt": time(0),
        "updatedAt": time(number),
    })
}

fn cost(number: u32) -> u64 {
    150 + u64::from(number) * 37
}

fn material(number: u32) -> Value {
    let (name, unit) = pick(&PARTS, number);
    json!({
        "id": id("mat", number),
        "code": format!("M-{number:04}"),
        "partNumber": format!("{}-{}", unit, 6200 + number),
        "name": format!("{name} {}", 6200 + number),
        "description": format!("{name}, size {}", 6200 + number),
        "category": pick(&TRADES, number),
        "unit": unit,
        "cost": money(cost(number)),
        "currency": "EUR",
        "vendors": [id("ven", 1 + number % VENDORS)],
        "minimum": (number % 10).to_string(),
        "active": number != MATERIALS,
        "createdAt": time(0),
        "updatedAt": time(number),
    })
}

fn order(number: u32) -> Value {
    let status = pick(&STATUSES, number - 1);
    let lines: Vec<(Value, u64)> =
        (1..=1 + number % 4).map(|line| order_line(number, line, status)).collect();
    let net: u64 = lines.iter().map(|(_, total)| total).sum();
    let tax = net * 21 / 100;
    json!({
        "id": id("po", number),
        "number": format!("PO-{:05}", 4_500 + number),
        "description": format!("Stock for week {number}"),
        "reference": format!("REQ-{number:03}"),
        "vendor": id("ven", 1 + number % VENDORS),
        "status": status,
        "orderDate": day(number),
        "dueAt": time(number + 14),
        "approvedAt": if number % 8 > 2 || number.is_multiple_of(8) { Some(time(number + 1)) } else { None },
        "currency": "EUR",
        "net": money(net),
        "tax": money(tax),
        "gross": money(net + tax),
        "terms": "30 days net",
        "notes": null,
        "lines": lines.into_iter().map(|(line, _)| line).collect::<Vec<_>>(),
        "createdAt": time(number),
        "updatedAt": time(number + 2),
    })
}

/// A line, and its total in hundredths.
fn order_line(order: u32, line: u32, status: &str) -> (Value, u64) {
    let material = 1 + (order * 3 + line * 7) % MATERIALS;
    let (name, unit) = pick(&PARTS, material);
    let quantity = u64::from(order % 5 + line);
    let received = match status {
        "received" | "closed" => quantity,
        "partially_received" => quantity / 2,
        _ => 0,
    };
    let total = quantity * cost(material);
    let value = json!({
        "id": format!("{}-{line}", id("po", order)),
        "no": line.to_string(),
        "material": id("mat", material),
        "code": format!("M-{material:04}"),
        "name": format!("{name} {}", 6200 + material),
        "quantity": quantity.to_string(),
        "received": received.to_string(),
        "unit": unit,
        "price": money(cost(material)),
        "total": money(total),
        "dueAt": time(order + 14),
    });
    (value, total)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_data_set_has_its_size_and_is_the_same_each_time() {
        for (entity, count) in [("vendors", 25), ("materials", 60), ("purchase-orders", 40)] {
            let rows = after(entity, None);
            assert_eq!(rows.len(), count);
            assert_eq!(rows, after(entity, None));
            assert!(rows.is_sorted_by(|left, right| left.0 < right.0));
            let half = rows[count / 2].0.clone();
            assert_eq!(after(entity, Some(&half)), rows[count / 2 + 1..]);
        }
        assert!(after("unicorns", None).is_empty());
    }

    #[test]
    fn every_reference_leads_to_a_row_and_every_status_is_there() {
        let mut seen = BTreeSet::new();
        for (_, order) in after("purchase-orders", None) {
            seen.insert(order["status"].as_str().unwrap().to_owned());
            assert!(row("vendors", order["vendor"].as_str().unwrap()).is_some());
            for line in order["lines"].as_array().unwrap() {
                assert!(row("materials", line["material"].as_str().unwrap()).is_some());
            }
        }
        assert_eq!(seen.len(), STATUSES.len());
    }

    #[test]
    fn an_id_that_is_not_one_of_the_set_has_no_row() {
        for id in ["ven-0000", "ven-0026", "ven-1", "ven-00001", "ven-x", "mat-0001", ""] {
            assert_eq!(row("vendors", id), None, "{id}");
        }
    }

    #[test]
    fn the_lines_add_up_to_the_order() {
        for (_, order) in after("purchase-orders", None) {
            let hundredths = |value: &Value| -> u64 {
                value.as_str().unwrap().replace('.', "").parse().unwrap()
            };
            let lines = order["lines"].as_array().unwrap();
            let sum: u64 = lines.iter().map(|line| hundredths(&line["total"])).sum();
            assert_eq!(hundredths(&order["net"]), sum);
            assert_eq!(hundredths(&order["gross"]), sum + hundredths(&order["tax"]));
        }
    }
}
