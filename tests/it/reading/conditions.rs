//! Filters, and what is new.

use std::time::Duration;

use serde_json::{Value, json};

use super::scene::{Scene, ids_of};

/// Twelve orders, two a day.
fn orders() -> Vec<(String, Value)> {
    let order = |n: i64| {
        let state = ["draft", "sent", "received"][(n % 3) as usize];
        (
            format!("po-{n:02}"),
            json!({
                "orderNo": format!("{}-{n:03}", if n < 6 { "PO" } else { "EX" }),
                "state": state,
                "totalNetValue": format!("{}.50", n - 2),
                "orderDate": format!("2026-03-{:02}", 1 + n / 2),
                "dueAt": if n == 4 { Value::Null } else { json!(format!("2026-04-{:02}T10:00:00Z", 1 + n)) },
                "createdAt": format!("2026-01-{:02}T08:00:00Z", 1 + n),
                "updatedAt": format!("2026-02-{:02}T08:00:00.25Z", 28 - n),
            }),
        )
    };
    (0..12).map(order).collect()
}

async fn matching(scene: &Scene, query: &str) -> Vec<u32> {
    let mut ids: Vec<u32> = scene
        .ids(&format!("/v1/purchase-orders?{query}"))
        .await
        .iter()
        .map(|id| id.trim_start_matches("po-").parse().unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_filter_leaves_what_meets_it_and_nothing_else() {
    let scene = Scene::calm().await;
    scene.found("purchase-orders", orders()).await;
    for (query, expected) in [
        ("filter[state]=draft", vec![0, 3, 6, 9]),
        ("filter[state:eq]=sent&filter[orderNo:starts_with]=EX", vec![7, 10]),
        ("filter[orderNo:contains]=-00", (0..10).collect()),
        ("filter[orderNo]=PO-003", vec![3]),
        ("filter[orderNo:lt]=EX-008", vec![6, 7]),
        ("filter[totalNetValue:gteq]=9", vec![11]),
        ("filter[totalNetValue:lt]=-0.50", vec![0, 1]),
        ("filter[totalNetValue]=0.5", vec![2]),
        ("filter[orderDate]=2026-03-03", vec![4, 5]),
        ("filter[orderDate:gt]=2026-03-05", vec![10, 11]),
        ("filter[dueAt:lteq]=2026-04-05T10%3A00%3A00Z", vec![0, 1, 2, 3]),
        ("filter[dueAt:lt]=2026-04-02T12%3A00%3A00%2B02:00", vec![0]),
        ("filter[updatedAt:gteq]=2026-02-27T08:00:00.25Z", vec![0, 1]),
        ("filter[updatedAt:gt]=2026-02-27T08:00:00.25Z", vec![0]),
        ("filter[updatedAt:gteq]=2026-02-27T08:00:00.26Z", vec![0]),
        ("filter[updatedAt]=2026-02-20T09:00:00.250%2B01:00", vec![8]),
        (
            "filter[createdAt:gteq]=2026-01-05T00:00:00Z&filter[createdAt:lt]=2026-01-07T00:00:00Z",
            vec![4, 5],
        ),
        ("filter[createdAt:gt]=2027-01-05T00:00:00Z", vec![]),
        (
            "filter[createdAt:gt]=2026-01-05T00:00:00Z&filter[createdAt:lt]=2026-01-01T00:00:00Z",
            vec![],
        ),
        ("filter[updatedAt:lt]=2026-02-18T08:00:00Z", vec![11]),
        ("filter[remoteId]=po-07", vec![7]),
        ("filter[remoteId]=po-07&filter[state]=draft", vec![]),
        ("filter[remoteId]=nobody", vec![]),
        ("filter[remoteId:starts_with]=po-1", vec![10, 11]),
        ("", (0..12).collect()),
    ] {
        for limit in [3, 50] {
            let found = matching(&scene, &format!("{query}&limit={limit}")).await;
            assert_eq!(found, expected, "{query}");
        }
    }
    let key = scene.key("purchase-orders", "po-04");
    assert_eq!(matching(&scene, &format!("filter[key]={key}")).await, [4]);
    let both = format!("filter[key]={key}&filter[remoteId]=po-05");
    assert!(matching(&scene, &both).await.is_empty());
}

#[tokio::test]
async fn what_is_new_is_found_by_our_own_clock_in_the_order_of_changes() {
    let scene = Scene::calm().await;
    scene.found("purchase-orders", orders()).await;
    let wait = Duration::from_millis(5);
    tokio::time::sleep(wait).await;
    let since = scene.now().iso();
    let changed = [("po-08", "sent"), ("po-02", "draft"), ("po-12", "draft")];
    for (id, state) in changed {
        scene.found("purchase-orders", [(id.to_owned(), json!({"state": state}))]).await;
        tokio::time::sleep(wait).await;
    }
    let list = async |query: &str| scene.ids(&format!("/v1/purchase-orders?limit=1&{query}")).await;
    let modified = format!("modified_after={since}");
    assert_eq!(list(&modified).await, ["po-08", "po-02", "po-12"]);
    assert_eq!(list(&format!("created_after={since}")).await, ["po-12"]);
    assert_eq!(list(&format!("{modified}&filter[state]=draft")).await, ["po-02", "po-12"]);
    assert_eq!(list(&format!("{modified}&created_after={since}")).await, ["po-12"]);
    let long_ago = "2020-01-01T00:00:00Z";
    assert_eq!(list(&format!("modified_after={long_ago}")).await.len(), 13);
    assert_eq!(list(&format!("created_after={long_ago}&modified_after={since}")).await.len(), 3);
}

#[tokio::test]
async fn what_is_gone_is_hidden_unless_it_is_asked_for() {
    let scene = Scene::calm().await;
    scene.found("purchase-orders", orders()).await;
    let since = scene.now().iso();
    scene.missed("purchase-orders", &["po-03", "po-06"]).await;
    let all = scene.ids("/v1/purchase-orders").await;
    assert!(all.len() == 10 && !all.contains(&"po-03".to_owned()), "{all:?}");
    let gone = scene.key("purchase-orders", "po-03");
    let path = format!("/v1/purchase-orders/{gone}");
    assert_eq!(scene.answer(&path).await.status, 404);
    let shown = scene.api.get(&format!("{path}?include=deleted")).await;
    assert!(shown["deletedAt"].as_str().is_some_and(|at| at >= since.as_str()), "{shown:#}");
    assert_eq!(shown["orderNo"], "PO-003");
    for (query, count) in [
        ("include=deleted", 12),
        ("include=deleted&filter[state]=draft", 4),
        ("include=deleted&sort=updatedAt", 12),
        (format!("include=deleted&filter[key]={gone}").as_str(), 1),
        (format!("filter[key]={gone}").as_str(), 0),
        (format!("include=deleted&modified_after={since}").as_str(), 2),
        (format!("modified_after={since}").as_str(), 0),
    ] {
        let records = scene.api.all(&format!("/v1/purchase-orders?{query}&limit=5")).await;
        assert_eq!(records.len(), count, "{query}: {:?}", ids_of(&records));
    }
}
