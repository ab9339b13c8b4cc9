//! Sorted lists.

use millwright_tests::faults::TableFaults;
use millwright_web::Settings;
use serde_json::{Value, json};

use super::scene::{Scene, ids_of};

/// Vendors with equal times, times of several precisions, and none.
fn vendors() -> Vec<(String, Value)> {
    let times = [
        ("a", Some("2026-03-01T12:00:00Z")),
        ("b", Some("2026-03-01T12:00:00.5Z")),
        ("c", Some("2026-03-01T12:00:00.000001Z")),
        ("d", None),
        ("e", Some("2025-12-31T23:59:59Z")),
        ("f", Some("2026-03-01T12:00:01Z")),
    ];
    let vendor = |(id, at): (&str, Option<&str>)| {
        (id.to_owned(), json!({"name": id, "createdAt": at, "updatedAt": at}))
    };
    times.into_iter().map(vendor).collect()
}

#[tokio::test]
async fn a_sorted_list_is_in_order_and_whole_whatever_the_size_of_its_pages() {
    let scene = Scene::calm().await;
    scene.found("vendors", vendors()).await;
    for limit in [1, 2, 5, 50] {
        let ids = scene.ids(&format!("/v1/vendors?sort=updatedAt&limit={limit}")).await;
        assert_eq!(ids.join(""), "deacbf", "without a time first, limit {limit}");
        let ids = scene.ids(&format!("/v1/vendors?sort=-createdAt&limit={limit}")).await;
        assert_eq!(ids.join(""), "fbcaed", "limit {limit}");
    }
    let query = "sort=-updatedAt&filter[updatedAt:gteq]=2026-03-01T12:00:00Z&filter[name:gt]=a";
    for limit in [1, 50] {
        assert_eq!(scene.ids(&format!("/v1/vendors?{query}&limit={limit}")).await.join(""), "fbc");
    }
}

#[tokio::test]
async fn many_records_of_one_time_are_listed_once_each() {
    let scene = Scene::calm().await;
    let vendor = |n: usize| {
        let at = format!("2026-03-01T12:00:0{}Z", n / 80);
        (format!("v{n:03}"), json!({"name": format!("{}", n % 7), "updatedAt": at}))
    };
    scene.found("vendors", (0..170).map(vendor)).await;
    for sort in ["updatedAt", "-updatedAt"] {
        let mut seen = Vec::new();
        for record in scene.api.all(&format!("/v1/vendors?sort={sort}&limit=13")).await {
            seen.push((record["updatedAt"].as_str().unwrap().to_owned(), record["key"].clone()));
        }
        let times: Vec<&String> = seen.iter().map(|(at, _)| at).collect();
        assert!(if sort.starts_with('-') {
            times.is_sorted_by(|a, b| a >= b)
        } else {
            times.is_sorted()
        });
        seen.sort_by_key(|(_, key)| key.to_string());
        seen.dedup();
        assert_eq!(seen.len(), 170);
    }
    let some = scene.ids("/v1/vendors?sort=updatedAt&filter[name]=3&limit=4").await;
    assert_eq!(some.len(), (0..170).filter(|n| n % 7 == 3).count());
}

/// An index that never shows what was written within the last moments.
const LATE: TableFaults = TableFaults { late_index: 1.0, ..TableFaults::NONE };

#[tokio::test]
async fn an_accepted_write_shows_in_the_next_sorted_list_though_the_index_is_late() {
    let lag = std::time::Duration::from_secs(5);
    let faults = TableFaults { index_lag: lag, ..LATE };
    let scene = Scene::start(faults, Settings::LIST_EFFORT).await;
    let since = scene.now().iso();
    for (entity, id) in [("vendors", "ven-0001"), ("materials", "mat-0001")] {
        scene.found(entity, [(id.to_owned(), json!({"name": id}))]).await;
    }
    let order = json!({
        "vendorKey": scene.key("vendors", "ven-0001"),
        "lineItems": [{ "materialKey": scene.key("materials", "mat-0001"), "quantity": "1", "price": "2" }],
    });
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(scene.api.post("/v1/purchase-orders", &order, 201).await["key"].clone());
    }
    for query in [
        "sort=-createdAt".to_owned(),
        "sort=createdAt&limit=2".to_owned(),
        "sort=-updatedAt&limit=1".to_owned(),
        format!("filter[updatedAt:gteq]={since}&limit=1"),
    ] {
        let mut listed: Vec<Value> = scene
            .api
            .all(&format!("/v1/purchase-orders?{query}"))
            .await
            .iter()
            .map(|record| record["key"].clone())
            .collect();
        listed.sort_by_key(Value::to_string);
        let mut expected = made.clone();
        expected.sort_by_key(Value::to_string);
        assert_eq!(listed, expected, "{query}");
    }
    let newest = scene.api.get("/v1/purchase-orders?sort=-createdAt&limit=1").await;
    assert_eq!(ids_of(newest["data"].as_array().unwrap()).len(), 1);
}
