//! The steps of an order's and a work order's life.

use millwright_core::ScheduleTime;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    SandboxRow,
    order::{decimal, too_large},
    scene::Failure,
};
use crate::manifest::Action;

/// The times that steps leave behind.
const TIMES: [(&str, &str); 5] = [
    ("approve", "approvedAt"),
    ("send", "sentAt"),
    ("start", "startedAt"),
    ("complete", "completedAt"),
    ("close", "completedAt"),
];

/// Takes a step with a row. What came with it is laid over the row; of goods that came, a receipt is
/// answered.
pub(super) fn take(
    name: &str,
    action: &Action,
    row: &mut SandboxRow,
    given: SandboxRow,
    now: ScheduleTime,
) -> Result<Option<SandboxRow>, Failure> {
    if let Some(to) = &action.to {
        row.insert("status".to_owned(), json!(to));
    }
    if name == "reopen" {
        row.insert("completedAt".to_owned(), Value::Null);
    }
    if let Some((_, field)) = TIMES.iter().find(|(of, _)| *of == name) {
        let before = row.get(*field).filter(|at| !at.is_null()).cloned();
        row.insert((*field).to_owned(), before.unwrap_or_else(|| json!(now.iso())));
    }
    if name == "receive" {
        return receive(row, given, now).map(Some);
    }
    row.extend(given);
    Ok(None)
}

/// Books goods that came: those of the given lines, or all that is missing. The order is received when
/// nothing is missing any more.
fn receive(
    order: &mut SandboxRow,
    given: SandboxRow,
    now: ScheduleTime,
) -> Result<SandboxRow, Failure> {
    let came = given.get("lines").and_then(Value::as_array).cloned();
    let mut missing = false;
    let mut booked = Vec::new();
    let lines = order.get_mut("lines").and_then(Value::as_array_mut);
    for line in lines.into_iter().flatten() {
        let (ordered, before) = (decimal(&line["quantity"])?, decimal(&line["received"])?);
        let quantity = match &came {
            None => ordered - before,
            Some(came) => match came.iter().find(|one| one["id"] == line["id"]) {
                Some(one) => decimal(&one["quantity"])?,
                None => Decimal::ZERO,
            },
        };
        let after = before.checked_add(quantity).ok_or_else(too_large)?;
        if after > ordered {
            let message = "more came than was ordered";
            return Err(Failure::refused(422, "OVER_DELIVERY", message));
        }
        missing |= after < ordered;
        line["received"] = json!(after.normalize().to_string());
        if !quantity.is_zero() {
            booked.push(booked_line(line, quantity, booked.len() + 1));
        }
    }
    let status = if missing { "partially_received" } else { "received" };
    order.insert("status".to_owned(), json!(status));
    let mut receipt = given;
    receipt.insert("vendor".to_owned(), order.get("vendor").cloned().unwrap_or_default());
    receipt.insert("status".to_owned(), json!("received"));
    receipt.insert("lines".to_owned(), Value::Array(booked));
    receipt.entry("receivedAt").or_insert_with(|| json!(now.iso()));
    Ok(receipt)
}

fn booked_line(line: &Value, quantity: Decimal, number: usize) -> Value {
    json!({
        "id": format!("{}-r{number}", line["id"].as_str().unwrap_or_default()),
        "orderLine": line["id"],
        "material": line["material"],
        "quantity": quantity.normalize().to_string(),
        "accepted": quantity.normalize().to_string(),
        "rejected": "0",
        "unit": line["unit"],
        "cost": line["price"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> SandboxRow {
        let order = json!({
            "vendor": "ven-0001", "status": "sent",
            "lines": [
                {"id": "1", "quantity": "5", "received": "0", "material": "mat-0001"},
                {"id": "2", "quantity": "1.5", "received": "0.5", "material": "mat-0002"},
            ],
        });
        order.as_object().cloned().unwrap()
    }

    fn receive(order: &mut SandboxRow, lines: Option<Value>) -> Result<SandboxRow, Failure> {
        let given = lines.map(|lines| ("lines".to_owned(), lines)).into_iter().collect();
        let now = ScheduleTime::from_millis(0);
        let receipt = take("receive", &Action::default(), order, given, now)?;
        Ok(receipt.unwrap())
    }

    #[test]
    fn an_order_is_received_when_nothing_is_missing_any_more() {
        let mut order = order();
        let receipt = receive(&mut order, Some(json!([{"id": "1", "quantity": "3"}]))).unwrap();
        assert_eq!(order["status"], "partially_received");
        assert_eq!(order["lines"][0]["received"], "3");
        assert_eq!(receipt["lines"].as_array().unwrap().len(), 1);
        let receipt = receive(&mut order, None).unwrap();
        assert_eq!(order["status"], "received");
        let quantities: Vec<_> =
            receipt["lines"].as_array().unwrap().iter().map(|line| &line["quantity"]).collect();
        assert_eq!(quantities, ["2", "1"]);
    }

    #[test]
    fn more_than_was_ordered_is_refused() {
        let Err(Failure::Refused(reply)) =
            receive(&mut order(), Some(json!([{"id": "1", "quantity": "5.01"}])))
        else {
            panic!("taken")
        };
        assert!(reply.says("OVER_DELIVERY"));
    }

    #[test]
    fn a_step_leaves_its_time_once() {
        let mut row = SandboxRow::new();
        let action = Action { to: Some("completed".to_owned()), ..Action::default() };
        for ms in [1000, 2000] {
            let now = ScheduleTime::from_millis(ms);
            take("complete", &action, &mut row, SandboxRow::new(), now).unwrap();
        }
        assert_eq!(row["status"], "completed");
        assert_eq!(row["completedAt"], "1970-01-01T00:00:01.000Z");
        let reopened = Action { to: Some("in_progress".to_owned()), ..Action::default() };
        let now = ScheduleTime::from_millis(3000);
        take("reopen", &reopened, &mut row, SandboxRow::new(), now).unwrap();
        assert_eq!((&row["status"], &row["completedAt"]), (&json!("in_progress"), &Value::Null));
    }
}
