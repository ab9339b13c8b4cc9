use serde_json::json;

use super::*;

fn paths_with(
    given: &Value,
    before: Option<&Value>,
    after: &Value,
    reads: &dyn Fn(&str) -> bool,
) -> Vec<String> {
    let warnings = not_kept(&Comparison {
        entity: "purchase-orders",
        given: given.as_object().unwrap(),
        before: before.map(|before| before.as_object().unwrap()),
        after: after.as_object().unwrap(),
        reads,
    });
    warnings.into_iter().map(|warning| warning.path).collect()
}

fn paths(given: Value, after: Value) -> Vec<String> {
    paths_with(&given, None, &after, &|_| true)
}

fn paths_after(given: Value, before: Value, after: Value) -> Vec<String> {
    paths_with(&given, Some(&before), &after, &|_| true)
}

#[test]
fn values_that_mean_the_same_are_kept() {
    let given = json!({"totalNetValue": "10.50", "dueAt": "2026-03-01T12:00:00.250Z",
        "notes": " a\r\nb ", "terms": null, "description": "", "orderDate": "2026-03-01"});
    let after = json!({"totalNetValue": "10.5", "dueAt": "2026-03-01T12:00:00Z",
        "notes": "a\nb", "terms": "", "orderDate": "2026-03-01"});
    assert!(paths(given, after).is_empty());
}

#[test]
fn a_value_that_is_another_or_gone_is_named() {
    let given = json!({"totalNetValue": "10.50", "dueAt": "2026-03-01T12:00:00Z",
        "notes": "a", "terms": null, "orderNo": "007"});
    let after = json!({"totalNetValue": "10.51", "dueAt": "2026-03-01T12:00:01Z",
        "terms": "30 days", "orderNo": "7"});
    let expected = ["totalNetValue", "dueAt", "notes", "terms", "orderNo"];
    assert_eq!(paths(given, after), expected);
}

#[test]
fn of_what_is_not_read_nothing_is_said() {
    let (given, after) = (json!({"notes": "a", "terms": "b"}), json!({}));
    assert_eq!(paths_with(&given, None, &after, &|name| name == "terms"), ["terms"]);
}

#[test]
fn the_given_fields_of_an_object_are_compared_and_no_others() {
    let given = json!({"billingAddress": {"city": "X", "street": "Y"}});
    let after = json!({"billingAddress": {"city": "X", "street": "Z", "country": "DE"}});
    assert_eq!(paths(given.clone(), after), ["billingAddress.street"]);
    assert_eq!(paths(given, json!({})), ["billingAddress.city", "billingAddress.street"]);
}

#[test]
fn of_an_object_in_a_list_the_given_fields_are_compared_and_no_others() {
    let given = json!({"addresses": [{"street": "1 Main", "city": "Ulm"}]});
    let of =
        |city: &str| json!({"addresses": [{"street": "1 Main", "city": city, "country": null}]});
    assert_eq!(paths(given.clone(), of("Ulm")), [""; 0]);
    assert_eq!(paths(given, of("Bonn")), ["addresses"]);
}

#[test]
fn new_lines_are_found_by_what_they_hold_and_then_by_their_order() {
    let given = json!({"lineItems": [{"quantity": "1"}, {"quantity": "2.0"}, {"quantity": "3"}]});
    let line = |key: &str, quantity: &str| json!({"key": key, "quantity": quantity});
    let after = json!({"lineItems": [line("rec_2", "2"), line("rec_1", "1"), line("rec_3", "4")]});
    assert_eq!(paths(given.clone(), after), ["lineItems[2].quantity"]);
    let fewer = json!({"lineItems": [line("rec_1", "1"), line("rec_2", "2")]});
    assert_eq!(paths(given.clone(), fewer), ["lineItems[2]"]);
    assert_eq!(paths(given, json!({})), ["lineItems"]);
}

#[test]
fn lines_that_were_there_are_compared_by_key() {
    let before = json!({"lineItems": [
        {"key": "rec_1", "quantity": "1"}, {"key": "rec_2", "quantity": "2"},
        {"key": "rec_3", "quantity": "3"}]});
    let given = json!({"lineItems": [{"key": "rec_1", "quantity": "5"},
        {"key": "rec_2", "deleted": true}, {"quantity": "7"}, {"key": "rec_3", "notes": "x"}]});
    let after = json!({"lineItems": [{"key": "rec_1", "quantity": "5"},
        {"key": "rec_2", "quantity": "2"}, {"key": "rec_4", "quantity": "8"}]});
    let expected = ["lineItems[1]", "lineItems[3]", "lineItems[2].quantity"];
    assert_eq!(paths_after(given, before, after), expected);
}
