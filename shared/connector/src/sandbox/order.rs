//! What the sandbox makes of a purchase order.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{SandboxRow, scene::Failure};

/// Fills in what the sandbox adds to an order: names, numbers of lines, totals. `named` has the vendors
/// and materials that it refers to.
pub(super) fn complete(
    order: &mut SandboxRow,
    id: &str,
    named: &BTreeMap<String, SandboxRow>,
) -> Result<(), Failure> {
    let refused = |message: &str| Failure::of_field("INVALID_VENDOR", "vendor", message);
    let vendor =
        known(named, order.get("vendor")).ok_or_else(|| refused("the vendor does not exist"))?;
    if is(vendor, "blocked") {
        return Err(refused("the vendor cannot be ordered from"));
    }
    let mut net = Decimal::ZERO;
    if let Some(Value::Array(lines)) = order.get_mut("lines") {
        let mut last = lines.iter().filter_map(number_of).max().unwrap_or(0);
        for (line, position) in lines.iter_mut().zip(0_u32..) {
            if number_of(line).is_none() {
                last += 1;
                line["no"] = json!(last.to_string());
                line["id"] = json!(format!("{id}-{last}"));
                line["received"] = json!("0");
            }
            net = net.checked_add(complete_line(line, position, named)?).ok_or_else(too_large)?;
        }
    }
    let amount = json!(net.normalize().to_string());
    for (name, value) in [("net", amount.clone()), ("tax", json!("0")), ("gross", amount)] {
        order.insert(name.to_owned(), value);
    }
    order.entry("currency").or_insert_with(|| json!("EUR"));
    let today = order.get("createdAt").and_then(Value::as_str).map(|at| json!(at[..10]));
    if let Some(today) = today {
        order.entry("orderDate").or_insert(today);
    }
    Ok(())
}

/// The number of a line that has one.
fn number_of(line: &Value) -> Option<u32> {
    line.get("no")?.as_str()?.parse().ok()
}

fn complete_line(
    line: &mut Value,
    position: u32,
    named: &BTreeMap<String, SandboxRow>,
) -> Result<Decimal, Failure> {
    let refused = |code: &str, message: &str| {
        Failure::of_field(code, &format!("lines.{position}.material"), message)
    };
    let material = known(named, line.get("material"))
        .ok_or_else(|| refused("INVALID_MATERIAL", "the material does not exist"))?;
    if is(material, "unavailable") {
        return Err(refused("OUT_OF_STOCK", "the material is out of stock"));
    }
    let price = line.get("price").filter(|price| !price.is_null()).unwrap_or(&material["cost"]);
    let price = price.clone();
    let total = decimal(&line["quantity"])?.checked_mul(decimal(&price)?).ok_or_else(too_large)?;
    let given_unit = line.get("unit").filter(|unit| !unit.is_null()).cloned();
    line["code"] = material["code"].clone();
    line["name"] = material["name"].clone();
    line["unit"] = given_unit.unwrap_or_else(|| material["unit"].clone());
    line["price"] = price;
    line["total"] = json!(total.normalize().to_string());
    Ok(total)
}

fn known<'a>(
    named: &'a BTreeMap<String, SandboxRow>,
    id: Option<&Value>,
) -> Option<&'a SandboxRow> {
    named.get(id?.as_str()?)
}

/// Whether a mark is set in a row.
fn is(row: &SandboxRow, mark: &str) -> bool {
    row.get(mark).and_then(Value::as_bool).unwrap_or(false)
}

pub(super) fn decimal(value: &Value) -> Result<Decimal, Failure> {
    let number = value.as_str().and_then(|text| Decimal::from_str_exact(text).ok());
    number.ok_or_else(too_large)
}

pub(super) fn too_large() -> Failure {
    Failure::refused(422, "TOO_LARGE", "the sandbox cannot reckon with this number")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::data::{Changes, DataSet, World};

    fn make(vendor: &str, lines: Value) -> Result<SandboxRow, Failure> {
        let order = json!({"vendor": vendor, "lines": lines});
        let now = millwright_core::ScheduleTime::from_millis(1_800_000_000_000);
        let world = World::new(DataSet::Standard, 0, Changes::default(), now);
        let named = ["ven-0001", "ven-0025", "mat-0001", "mat-0059"].into_iter().filter_map(|id| {
            let entity = if id.starts_with("ven") { "vendors" } else { "materials" };
            Some((id.to_owned(), world.row(entity, id)?))
        });
        let mut order = order.as_object().unwrap().clone();
        complete(&mut order, "po-new", &named.collect()).map(|()| order)
    }

    #[test]
    fn the_totals_of_an_order_are_exact() {
        let lines = json!([
            {"material": "mat-0001", "quantity": "3", "price": "0.1"},
            {"material": "mat-0001", "quantity": "0.5"},
        ]);
        let order = make("ven-0001", lines).unwrap();
        assert_eq!(order["lines"][1]["received"], "0");
        assert_eq!(order["lines"][0]["total"], "0.3");
        assert_eq!(order["lines"][1]["price"], "1.87");
        assert_eq!(order["net"], "1.235");
        assert_eq!(order["lines"][1]["id"], "po-new-2");
    }

    #[test]
    fn a_vendor_and_a_material_must_exist_and_be_to_be_had() {
        let refused = |vendor: &str, material: &str, code: &str| {
            let lines = json!([{"material": material, "quantity": "1"}]);
            let Err(Failure::Refused(reply)) = make(vendor, lines) else { panic!("not refused") };
            assert!(reply.says(code), "{reply:?}");
        };
        refused("ven-9", "mat-0001", "INVALID_VENDOR");
        refused("ven-0001", "mat-9", "INVALID_MATERIAL");
        refused("ven-0025", "mat-0001", "INVALID_VENDOR");
        refused("ven-0001", "mat-0059", "OUT_OF_STOCK");
    }
}
