//! What cannot be asked, and how that is told.

use http::Method;
use serde_json::{Value, json};

use super::scene::Scene;

#[tokio::test]
async fn every_bad_parameter_is_refused_by_name() {
    let scene = Scene::calm().await;
    scene.found("purchase-orders", [("po-1".to_owned(), json!({"state": "draft"}))]).await;
    let long = format!("filter[orderNo]={}", "x".repeat(201));
    let many: String = (0..11).map(|n| format!("filter[f{n}]=x&")).collect();
    for (query, field) in [
        ("filter[state]=lost", "filter[state]"),
        ("filter[state:gt]=draft", "filter[state:gt]"),
        ("filter[lineItems]=x", "filter[lineItems]"),
        ("filter[shippingMethod]=air", "filter[shippingMethod]"),
        ("filter[customFields.x]=1", "filter[customFields.x]"),
        ("filter[order_no]=1", "filter[order_no]"),
        ("filter[]=1", "filter[]"),
        ("filter[totalNetValue:lt]=ten", "filter[totalNetValue:lt]"),
        ("filter[totalNetValue:lt]=1e3", "filter[totalNetValue:lt]"),
        ("filter[updatedAt:gteq]=2026-03-01", "filter[updatedAt:gteq]"),
        ("filter[updatedAt:since]=2026-03-01T00:00:00Z", "filter[updatedAt:since]"),
        ("filter[updatedAt:gteq]=2026-03-01T00:00:00+01:00", "filter[updatedAt:gteq]"),
        ("filter[orderDate]=1.3.2026", "filter[orderDate]"),
        ("filter[vendorKey]=7", "filter[vendorKey]"),
        ("filter[key]=7", "filter[key]"),
        ("filter[state]=draft&filter[state]=sent", "filter[state]"),
        (long.as_str(), "filter[orderNo]"),
        (many.as_str(), "filter[f10]"),
        ("filter=x", "filter"),
        ("sort=orderNo", "sort"),
        ("sort=-", "sort"),
        ("sort=updatedAt&sort=createdAt", "sort"),
        ("include=lines", "include"),
        ("live=yes", "live"),
        ("allow_stale=1", "allow_stale"),
        ("limit=501", "limit"),
        ("modified_after=soon", "modified_after"),
        ("created_after=2026-13-01T00:00:00Z", "created_after"),
        ("created_before=2026-01-01T00:00:00Z", "created_before"),
        ("sort=updatedAt&modified_after=2026-01-01T00:00:00Z", "modified_after"),
        ("live=true&sort=updatedAt", "sort"),
        ("live=true&created_after=2026-01-01T00:00:00Z", "created_after"),
        ("live=true&include=deleted", "include"),
        ("live=true&allow_stale=true", "allow_stale"),
        ("include=raw&allow_stale=true", "allow_stale"),
    ] {
        let path = format!("/v1/purchase-orders?{query}");
        let refused = scene.answer(&path).await;
        let fields = refused.body["error"]["fields"].as_array().cloned().unwrap_or_default();
        let named = fields.iter().any(|own| own["path"] == field);
        assert!(named, "{query}: {:#}", refused.body);
        assert_eq!((refused.status, refused.code()), (400, Some("INVALID_REQUEST")), "{query}");
    }
    let record = format!("/v1/purchase-orders/{}", scene.key("purchase-orders", "po-1"));
    for query in
        ["include=x", "live=", "live=true&include=deleted", "filter[state]=draft", "limit=1"]
    {
        let refused = scene.answer(&format!("{record}?{query}")).await;
        assert_eq!((refused.status, refused.code()), (400, Some("INVALID_REQUEST")), "{query}");
    }
}

#[tokio::test]
async fn a_cursor_is_one_of_its_own_list() {
    let scene = Scene::calm().await;
    let vendor =
        |n: usize| (format!("v{n}"), json!({"name": "x", "updatedAt": "2026-03-01T12:00:00Z"}));
    scene.found("vendors", (0..9).map(vendor)).await;
    let cursor = async |query: &str| -> String {
        let page = scene.api.get(&format!("/v1/vendors?limit=2&{query}")).await;
        page["next_cursor"].as_str().unwrap().to_owned()
    };
    let (plain, filtered) = (cursor("").await, cursor("filter[name]=x").await);
    let (sorted, live) = (cursor("sort=-updatedAt").await, cursor("live=true").await);
    let forged = millwright_core::Cursor::encode(
        &format!("records/{}/vendors", scene.connection.id),
        &json!({"place": {"kept": {"key": "x".repeat(3000)}}, "asked": {"filter": []}}),
    );
    for query in [
        format!("cursor={plain}&filter[name]=x"),
        format!("cursor={filtered}&filter[name]=y"),
        format!("cursor={filtered}&filter[name]=x&filter[name:gt]=a"),
        format!("cursor={sorted}&sort=updatedAt"),
        format!("cursor={sorted}&include=deleted"),
        format!("cursor={live}&live=false"),
        format!("cursor={plain}&live=true"),
        format!("cursor={}", forged.unwrap()),
        "cursor=x".to_owned(),
    ] {
        let refused = scene.answer(&format!("/v1/vendors?{query}")).await;
        assert_eq!((refused.status, refused.code()), (400, Some("CURSOR_INVALID")), "{query}");
    }
    let other = scene.answer(&format!("/v1/materials?cursor={plain}")).await;
    assert_eq!(other.code(), Some("CURSOR_INVALID"));
    for (cursor, query) in
        [(&filtered, "filter[name]=x"), (&sorted, "sort=-updatedAt"), (&live, "live=true")]
    {
        let again = scene.api.get(&format!("/v1/vendors?cursor={cursor}&{query}&limit=3")).await;
        let alone = scene.api.get(&format!("/v1/vendors?cursor={cursor}&limit=3")).await;
        assert_eq!(again["data"], alone["data"], "a cursor knows what its list was asked for");
        assert_eq!(again["data"].as_array().map(Vec::len), Some(3));
    }
}

#[tokio::test]
async fn what_a_system_does_not_have_is_told_from_what_does_not_exist() {
    let scene = Scene::calm().await;
    assert_eq!(scene.answer("/v1/unicorns").await.code(), Some("NOT_FOUND"));
    for path in ["/v1/topics", "/v1/topics/rec_00000000000000000000000000"] {
        let refused = scene.answer(path).await;
        assert_eq!((refused.status, refused.code()), (405, Some("OPERATION_NOT_SUPPORTED")));
        assert_eq!(refused.headers["allow"], "", "{path}");
        assert!(refused.body["error"]["message"].as_str().unwrap().contains("topics"));
    }
    for path in [format!("/v1/vendors/{}", "x".repeat(3000)), "/v1/vendors/7".to_owned()] {
        assert_eq!(scene.answer(&path).await.code(), Some("NOT_FOUND"));
    }
}

#[tokio::test]
async fn statuses_are_listed_filtered_and_read_like_records() {
    let scene = Scene::calm().await;
    let all = scene.api.all("/v1/statuses?entity=purchase-orders&limit=3").await;
    assert_eq!(all.len(), 11);
    let last =
        scene.api.all("/v1/statuses?filter[isFinal]=true&filter[entity]=purchase-orders").await;
    let codes: Vec<&Value> = last.iter().map(|status| &status["code"]).collect();
    assert_eq!(codes, ["closed", "cancelled", "rejected"]);
    let key = all[2]["key"].as_str().unwrap();
    assert_eq!(scene.api.get(&format!("/v1/statuses/{key}")).await, all[2]);
    for (path, status) in [
        ("/v1/statuses/rec_00000000000000000000000000", 404),
        ("/v1/statuses?entity=unicorns", 400),
        ("/v1/statuses?filter[category]=x", 400),
        ("/v1/statuses?sort=order", 400),
        ("/v1/statuses?entity=vendors", 200),
    ] {
        assert_eq!(scene.answer(path).await.status, status, "{path}");
    }
    let page = scene.api.get("/v1/statuses?entity=purchase-orders&limit=3").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let other = scene.answer(&format!("/v1/statuses?entity=vendors&cursor={cursor}")).await;
    assert_eq!(other.code(), Some("CURSOR_INVALID"));
}

#[tokio::test]
async fn what_cannot_be_a_key_leads_nowhere_in_a_write_too() {
    let scene = Scene::calm().await;
    for key in [String::new(), "x".repeat(1100)] {
        let order = json!({"vendorKey": key, "lineItems": [{"materialKey": key, "quantity": "1"}]});
        let path = "/v1/purchase-orders";
        let refused = scene.api.call(Method::POST, path, Some(&order)).await;
        assert_eq!(refused.status, 422, "{:#}", refused.body);
        let fields = refused.body["error"]["fields"].as_array().unwrap();
        for path in ["vendorKey", "lineItems[0].materialKey"] {
            assert!(fields.iter().any(|field| field["path"] == path), "{:#}", refused.body);
        }
    }
    let path = format!("/v1/purchase-orders/{}", "x".repeat(1100));
    let receive = format!("{path}/actions/receive");
    for (method, path) in
        [(Method::PATCH, &path), (Method::DELETE, &path), (Method::POST, &receive)]
    {
        let refused = scene.api.call(method.clone(), path, Some(&json!({}))).await;
        assert_eq!((refused.status, refused.code()), (404, Some("NOT_FOUND")), "{method}");
    }
}
