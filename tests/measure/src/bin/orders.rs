//! A server of purchase orders for measurements. Its pages are written once, before it answers, so
//! that it is never what limits.
//!
//! `orders TOTAL PAGE`: prints its port, and answers `GET /po?page=N` until it is stopped.

use std::{collections::HashMap, error::Error, sync::Arc};

use axum::{
    Router,
    extract::{Query, State},
    http::header::CONTENT_TYPE,
    response::IntoResponse,
    routing::get,
};
use bytes::Bytes;
use millwright_core::WallTime;
use tokio::net::TcpListener;

/// When the first order was made: 2026-01-01, in milliseconds since the epoch.
const FIRST: i64 = 1_767_225_600_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let mut number = || words.next().ok_or("orders TOTAL PAGE")?.parse::<usize>().map_err(wrong);
    let (total, size) = (number()?, number()?);
    let pages: Arc<Vec<Bytes>> = Arc::new(pages(total, size));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let router = Router::new().route("/po", get(page)).with_state(pages);
    axum::serve(listener, router).await?;
    Ok(())
}

fn wrong(why: impl Error) -> String {
    format!("orders TOTAL PAGE: {why}")
}

async fn page(
    State(pages): State<Arc<Vec<Bytes>>>,
    Query(query): Query<HashMap<String, String>>,
) -> impl IntoResponse {
    let number: usize = query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let none = Bytes::from_static(br#"{"data":[],"meta":{},"next_page":null}"#);
    let page = number.checked_sub(1).and_then(|at| pages.get(at)).cloned();
    ([(CONTENT_TYPE, "application/json")], page.unwrap_or(none))
}

fn pages(total: usize, size: usize) -> Vec<Bytes> {
    let count = total.div_ceil(size.max(1));
    let page = |number: usize| {
        let orders: Vec<String> =
            (number * size..total.min((number + 1) * size)).map(order).collect();
        let next = if number + 1 < count { (number + 2).to_string() } else { "null".to_owned() };
        let (data, number) = (orders.join(","), number + 1);
        Bytes::from(format!(
            r#"{{"data":[{data}],"meta":{{"page":{number},"total":{total}}},"next_page":{next}}}"#
        ))
    };
    (0..count).map(page).collect()
}

/// About 600 bytes: an order with its vendor and three lines.
fn order(id: usize) -> String {
    let (vendor, status) = (id % 997, ["draft", "open", "received", "closed"][id % 4]);
    #[expect(clippy::cast_precision_loss, reason = "below 10,000; the many digits are wanted")]
    let total = (id % 10_000) as f64 / 7.0;
    let lines: Vec<String> = (1..=3).map(|number| line(id, number)).collect();
    let (lines, notes) = (lines.join(","), "x".repeat(120));
    let at = WallTime::from_millis(FIRST + i64::try_from(id).unwrap_or(0) * 1_000).iso();
    format!(
        r#"{{"id":{id},"number":"PO-{id:07}","status":"{status}","vendor":{{"id":{vendor},"name":"Vendor {vendor}"}},"currency":"USD","total":{total},"notes":"{notes}","lines":[{lines}],"created_at":"{at}","updated_at":"{at}"}}"#
    )
}

fn line(id: usize, number: usize) -> String {
    let (product, price) = (id * number % 5_003, id % 500);
    format!(
        r#"{{"line":{number},"product_id":{product},"description":"Item {product}","quantity":{number},"unit_price":{price}.25}}"#
    )
}
