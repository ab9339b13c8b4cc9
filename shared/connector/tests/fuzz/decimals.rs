//! Numbers that a float would spoil: from a system's wire to the record and back to the wire, to the
//! digit.

use millwright_connector::{Catalog, Pull, References, System};
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::{
    hold,
    support::{
        self,
        http::{Exchange, Server, on, page},
    },
};

const ORDERS: &str = "
format: 1
id: digits
name: Digits
vendor: Digits
categories: [erp]
tier: 1
maturity: documented
settings:
  url: { title: Address, type: url, required: true }
protocol: { http: { base_url: \"{settings.url}\" } }
probe:
  request: { method: GET, path: me }
  instance: { id: [id] }
entities:
  purchase-orders:
    read: { request: { method: GET, path: po }, rows: rows, paging: none }
    get: { request: { method: GET, path: po, query: { ids: \"{ids}\" } }, rows: rows }
    fields:
      totalNetValue: { path: number, codec: decimal }
      taxValue: { path: text, codec: decimal_text }
      totalGrossValue: { path: typed, codec: tryton_decimal }
      lineItems:
        each: lines
        fields: { quantity: { path: n, codec: decimal } }
    write:
      docs: https://digits.example/orders
      fields:
        totalNetValue: { to: number, codec: decimal }
        taxValue: { to: text, codec: decimal_text }
        totalGrossValue: { to: typed, codec: tryton_decimal }
      create: { request: { method: POST, path: po, json: \"{record}\" }, id: id }
      idempotency: none
";

/// The most digits that are kept on a side of the point, as docs/connectors.md says.
const SIDE_MAX: usize = 38;

fn open(url: &str) -> System {
    let engine = support::engine_with(Catalog::of([ORDERS]).unwrap());
    engine.open(support::target("digits", json!({"url": url}), &[])).unwrap()
}

/// Numbers as JSON writes them: small and large, with exponents, zeros at the end, and a negative zero.
fn numbers() -> impl Strategy<Value = Vec<String>> {
    let number = prop_oneof![
        4 => "-?(0|[1-9][0-9]{0,37})(\\.[0-9]{1,38})?",
        4 => "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?[eE][+-]?[0-9]{1,2}",
        2 => "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{0,2}0{1,30})?",
        1 => "-?[1-9][0-9]{30,60}(\\.[0-9]{30,60})?",
        1 => "-?0(\\.0{1,5})?([eE]-?[0-9])?",
    ];
    let number = number.prop_filter("JSON wants a digit behind a point", |text| {
        serde_json::from_str::<Value>(text).is_ok()
    });
    vec(number, 1..40)
}

/// The number without an exponent and without zeros that mean nothing; nothing when a side of the
/// point is too long. Reckoned otherwise than the engine does.
fn exact(text: &str) -> Option<String> {
    let sign = if text.starts_with('-') { "-" } else { "" };
    let lower = text.trim_start_matches('-').to_ascii_lowercase();
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().unwrap();
    // Enough zeros on both sides for the point to move over.
    let zeros = "0".repeat(120);
    let all = format!("{zeros}{whole}{fraction}{zeros}");
    let point = i32::try_from(zeros.len() + whole.len()).unwrap() + exponent;
    let (whole, fraction) = all.split_at(usize::try_from(point).unwrap());
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    if whole.len() > SIDE_MAX || fraction.len() > SIDE_MAX {
        return None;
    }
    Some(match (whole, fraction) {
        ("", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        ("", fraction) => format!("{sign}0.{fraction}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    })
}

/// A page with a row for each number, in every form.
fn listed(numbers: &[String]) -> Exchange {
    let row = |(id, number): (usize, &String)| {
        let typed = format!(r#"{{"__class__":"Decimal","decimal":"{number}"}}"#);
        format!(
            r#"{{"id":{id},"number":{number},"text":"{number}","typed":{typed},"lines":[{{"n":{number}}}]}}"#
        )
    };
    let rows: Vec<String> = numbers.iter().enumerate().map(row).collect();
    page("GET /po", 200, "application/json", &format!(r#"{{"rows":[{}]}}"#, rows.join(",")))
}

#[test]
fn a_number_is_read_to_the_digit_or_refused() {
    let runtime = Runtime::new().unwrap();
    hold(60, &numbers(), |numbers| {
        let pulled = runtime.block_on(async {
            let (_server, url) = Server::start([listed(&numbers)]).await;
            open(&url).pull("purchase-orders", &Pull::default()).await.unwrap()
        });
        for (id, number) in numbers.iter().enumerate() {
            let id = id.to_string();
            let found = pulled.records.iter().find(|record| record.remote_id == id);
            let Some(exact) = exact(number) else {
                prop_assert!(found.is_none(), "{number} was read");
                prop_assert!(pulled.faults.iter().any(|fault| fault.remote_id == id));
                continue;
            };
            prop_assert!(found.is_some(), "{number} was not read: {:?}", pulled.faults);
            let shown = serde_json::to_string(&found.unwrap().record).unwrap();
            for field in ["totalNetValue", "taxValue", "totalGrossValue", "quantity"] {
                let text = format!(r#""{field}":"{exact}""#);
                prop_assert!(shown.contains(&text), "{number}: no {text} in {shown}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_number_is_written_to_the_digit() {
    let runtime = Runtime::new().unwrap();
    let plain = "-?(0|[1-9][0-9]{0,37})(\\.[0-9]{1,38})?";
    hold(150, &plain, |given| {
        let exact = exact(&given).unwrap();
        let mut record = Map::new();
        for field in ["totalNetValue", "taxValue", "totalGrossValue"] {
            record.insert(field.to_owned(), Value::from(given.as_str()));
        }
        let body = runtime.block_on(async {
            let made = on("POST /po", 201, json!({"id": 5}));
            let (server, url) = Server::start([made]).await;
            let references = References::default();
            let system = open(&url);
            system.create("purchase-orders", &record, &references, "t").await.unwrap();
            server.asked()[0].text.clone()
        });
        for part in [
            format!(r#""number":{exact}"#),
            format!(r#""text":"{exact}""#),
            format!(r#""decimal":"{exact}""#),
        ] {
            let at = body.find(&part).map(|at| at + part.len());
            let behind = at.and_then(|at| body[at..].chars().next());
            prop_assert!(matches!(behind, Some(',' | '}')), "{given}: no {part} in {body}");
        }
        Ok(())
    });
}
