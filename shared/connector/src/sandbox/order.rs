//! What the sandbox makes of a new purchase order.

use std::collections::BTreeMap;

use millwright_core::WallTime;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::SandboxRow;
use crate::error::{SystemError, SystemErrorClass};

/// The order with what a system adds: number, status, names, totals, times. `named` has the vendors and
/// materials that it refers to.
pub(super) fn completed(
    mut order: SandboxRow,
    id: &str,
    now: WallTime,
    named: &BTreeMap<String, Value>,
) -> Result<SandboxRow, SystemError> {
    known(named, order.get("vendor"), "INVALID_VENDOR", "the vendor does not exist")?;
    let mut net = Decimal::ZERO;
    if let Some(Value::Array(lines)) = order.get_mut("lines") {
        for (line, number) in lines.iter_mut().zip(1..) {
            let total = complete_line(line, id, number, named)?;
            net = net.checked_add(total).ok_or_else(too_large)?;
        }
    }
    let amount = net.normalize().to_string();
    for (name, value) in [
        ("id", json!(id)),
        ("number", json!(format!("PO-{}", now.millis()))),
        ("status", json!("draft")),
        ("net", json!(amount)),
        ("tax", json!("0")),
        ("gross", json!(amount)),
        ("createdAt", json!(now.iso())),
        ("updatedAt", json!(now.iso())),
    ] {
        order.insert(name.to_owned(), value);
    }
    order.entry("currency").or_insert_with(|| json!("EUR"));
    order.entry("orderDate").or_insert_with(|| json!(now.iso()[..10]));
    Ok(order)
}

fn complete_line(
    line: &mut Value,
    order: &str,
    number: u32,
    named: &BTreeMap<String, Value>,
) -> Result<Decimal, SystemError> {
    let material =
        known(named, line.get("material"), "INVALID_MATERIAL", "the material does not exist")?;
    let price = line.get("price").filter(|price| !price.is_null()).unwrap_or(&material["cost"]);
    let price = price.clone();
    let total = decimal(&line["quantity"])?.checked_mul(decimal(&price)?).ok_or_else(too_large)?;
    let given_unit = line.get("unit").filter(|unit| !unit.is_null()).cloned();
    line["id"] = json!(format!("{order}-{number}"));
    line["no"] = json!(number.to_string());
    line["code"] = material["code"].clone();
    line["name"] = material["name"].clone();
    line["unit"] = given_unit.unwrap_or_else(|| material["unit"].clone());
    line["received"] = json!("0");
    line["price"] = price;
    line["total"] = json!(total.normalize().to_string());
    Ok(total)
}

fn known<'a>(
    named: &'a BTreeMap<String, Value>,
    id: Option<&Value>,
    code: &str,
    message: &str,
) -> Result<&'a Value, SystemError> {
    let found = id.and_then(Value::as_str).and_then(|id| named.get(id));
    found.ok_or_else(|| refused(code, message))
}

fn decimal(value: &Value) -> Result<Decimal, SystemError> {
    let number = value.as_str().and_then(|text| Decimal::from_str_exact(text).ok());
    number.ok_or_else(too_large)
}

fn too_large() -> SystemError {
    refused("TOO_LARGE", "the sandbox cannot reckon with this number")
}

fn refused(code: &str, message: &str) -> SystemError {
    let mut error = SystemError::new(SystemErrorClass::Validation, "the system refuses this");
    error.upstream.status = Some(422);
    error.upstream.code = Some(code.to_owned());
    error.upstream.message = Some(message.to_owned());
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::data;

    fn make(vendor: &str, lines: Value) -> Result<SandboxRow, SystemError> {
        let order = json!({"vendor": vendor, "lines": lines});
        let named = ["ven-0001", "mat-0001"].into_iter().filter_map(|id| {
            let entity = if id.starts_with("ven") { "vendors" } else { "materials" };
            Some((id.to_owned(), Value::Object(data::row(entity, id)?)))
        });
        let now = WallTime::from_millis(1_800_000_000_000);
        completed(order.as_object().unwrap().clone(), "po-new", now, &named.collect())
    }

    #[test]
    fn a_new_order_is_a_draft_whose_totals_are_exact() {
        let lines = json!([
            {"material": "mat-0001", "quantity": "3", "price": "0.1"},
            {"material": "mat-0001", "quantity": "0.5"},
        ]);
        let order = make("ven-0001", lines).unwrap();
        assert_eq!(order["status"], "draft");
        assert_eq!(order["lines"][0]["total"], "0.3");
        assert_eq!(order["lines"][1]["price"], "1.87");
        assert_eq!(order["net"], "1.235");
        assert_eq!(order["lines"][1]["id"], "po-new-2");
    }

    #[test]
    fn a_vendor_and_a_material_must_exist() {
        let code = |result: Result<SandboxRow, SystemError>| result.unwrap_err().upstream.code;
        let line = |material: &str| json!([{"material": material, "quantity": "1"}]);
        assert_eq!(code(make("ven-9", line("mat-0001"))).unwrap(), "INVALID_VENDOR");
        assert_eq!(code(make("ven-0001", line("mat-9"))).unwrap(), "INVALID_MATERIAL");
    }
}
