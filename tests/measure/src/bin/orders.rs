//! A server of purchase orders for measurements. Its pages are written before they are asked for, so
//! that it is never what limits.
//!
//! `orders TOTAL PAGE`: prints its port, and answers until it is stopped.
//!
//! - `GET /po?page=N`: a page; `GET /po?ids=1,2`: these orders.
//! - `POST /touch?every=N`: every Nth order gets another total and another time of change.
//! - `POST /slow?ms=N`: from now on each answer to a `GET` comes so much later.
//! - `POST /calls`: how many `GET`s there have been since this was last asked.

use std::{
    collections::HashMap,
    error::Error,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use millwright_core::WallTime;
use tokio::net::TcpListener;

/// When the first order was made: 2026-01-01, in milliseconds since the epoch.
const FIRST: i64 = 1_767_225_600_000;

type Asked = Query<HashMap<String, String>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let mut number = || words.next().ok_or("orders TOTAL PAGE")?.parse::<usize>().map_err(wrong);
    let source = Arc::new(Source::new(number()?, number()?));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let router = Router::new()
        .route("/po", get(orders))
        .route("/touch", post(touch))
        .route("/slow", post(slow))
        .route("/calls", post(calls))
        .with_state(source);
    axum::serve(listener, router).await?;
    Ok(())
}

fn wrong(why: impl Error) -> String {
    format!("orders TOTAL PAGE: {why}")
}

/// The orders and how they are told.
struct Source {
    /// How many orders are on a page.
    size: usize,
    orders: RwLock<Orders>,
    /// How many milliseconds an answer is held back.
    slow: AtomicU64,
    calls: AtomicU64,
}

/// How often each order has been changed, and the pages as they are then.
struct Orders {
    changed: Vec<u32>,
    pages: Vec<Bytes>,
}

impl Source {
    fn new(total: usize, size: usize) -> Self {
        let changed = vec![0; total];
        let size = size.max(1);
        let pages = pages(&changed, size);
        let orders = RwLock::new(Orders { changed, pages });
        Self { size, orders, slow: AtomicU64::new(0), calls: AtomicU64::new(0) }
    }

    fn page(&self, number: usize) -> Option<Bytes> {
        let orders = self.orders.read().ok()?;
        number.checked_sub(1).and_then(|at| orders.pages.get(at)).cloned()
    }

    fn these(&self, ids: &str) -> Option<Bytes> {
        let orders = self.orders.read().ok()?;
        let ids = ids.split(',').filter_map(|id| id.parse::<usize>().ok());
        let found: Vec<String> =
            ids.filter_map(|id| Some(order(id, *orders.changed.get(id)?))).collect();
        Some(Bytes::from(format!(
            r#"{{"data":[{}],"meta":{{}},"next_page":null}}"#,
            found.join(",")
        )))
    }
}

/// A number that was asked for.
fn asked(query: &HashMap<String, String>, name: &str) -> Option<u64> {
    query.get(name)?.parse().ok()
}

async fn orders(State(source): State<Arc<Source>>, Query(query): Asked) -> Response {
    source.calls.fetch_add(1, Ordering::Relaxed);
    let slow = source.slow.load(Ordering::Relaxed);
    if slow > 0 {
        tokio::time::sleep(Duration::from_millis(slow)).await;
    }
    let found = match query.get("ids") {
        Some(ids) => source.these(ids),
        None => source.page(asked(&query, "page").map_or(1, |page| page as usize)),
    };
    let none = Bytes::from_static(br#"{"data":[],"meta":{},"next_page":null}"#);
    ([(CONTENT_TYPE, "application/json")], found.unwrap_or(none)).into_response()
}

async fn touch(State(source): State<Arc<Source>>, Query(query): Asked) -> Response {
    let Some(every) = asked(&query, "every").filter(|every| *every > 0) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Ok(mut orders) = source.orders.write() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut touched = 0;
    for changed in orders.changed.iter_mut().step_by(every as usize) {
        *changed += 1;
        touched += 1;
    }
    orders.pages = pages(&orders.changed, source.size);
    touched.to_string().into_response()
}

async fn slow(State(source): State<Arc<Source>>, Query(query): Asked) -> StatusCode {
    source.slow.store(asked(&query, "ms").unwrap_or(0), Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

async fn calls(State(source): State<Arc<Source>>) -> String {
    source.calls.swap(0, Ordering::Relaxed).to_string()
}

fn pages(changed: &[u32], size: usize) -> Vec<Bytes> {
    let (total, count) = (changed.len(), changed.len().div_ceil(size));
    let page = |(number, page): (usize, &[u32])| {
        let ids = number * size..;
        let orders: Vec<String> = ids.zip(page).map(|(id, changed)| order(id, *changed)).collect();
        let next = if number + 1 < count { (number + 2).to_string() } else { "null".to_owned() };
        let (data, number) = (orders.join(","), number + 1);
        Bytes::from(format!(
            r#"{{"data":[{data}],"meta":{{"page":{number},"total":{total}}},"next_page":{next}}}"#
        ))
    };
    changed.chunks(size).enumerate().map(page).collect()
}

/// About 600 bytes: an order with its vendor and three lines, after so many changes.
fn order(id: usize, changed: u32) -> String {
    let (vendor, status) = (id % 997, ["draft", "open", "received", "closed"][id % 4]);
    #[expect(clippy::cast_precision_loss, reason = "below 10,000; the many digits are wanted")]
    let total = (id % 10_000) as f64 / 7.0 + f64::from(changed);
    let lines: Vec<String> = (1..=3).map(|number| line(id, number)).collect();
    let (lines, notes) = (lines.join(","), "x".repeat(120));
    let at = |seconds: i64| WallTime::from_millis(FIRST + seconds * 1_000).iso();
    let made = i64::try_from(id).unwrap_or(0);
    let (created, updated) = (at(made), at(made + i64::from(changed)));
    format!(
        r#"{{"id":{id},"number":"PO-{id:07}","status":"{status}","vendor":{{"id":{vendor},"name":"Vendor {vendor}"}},"currency":"USD","total":{total:?},"notes":"{notes}","lines":[{lines}],"created_at":"{created}","updated_at":"{updated}"}}"#
    )
}

fn line(id: usize, number: usize) -> String {
    let (product, price) = (id * number % 5_003, id % 500);
    format!(
        r#"{{"line":{number},"product_id":{product},"description":"Item {product}","quantity":{number},"unit_price":{price}.25}}"#
    )
}
