//! A purchase from draft to receipt in a real ERP, through the API alone.

use http::Method;
use millwright_tests::{
    api::{Answer, Api},
    tryton::Tryton,
};
use serde_json::{Value, json};

use crate::scene::{Scene, text, wait_until_synced};

#[tokio::test]
async fn a_purchase_goes_from_draft_to_receipt_and_another_is_cancelled_and_deleted() {
    let scene = Scene::new(&[]).await;
    let tryton = Tryton::start(scene.folder.path(), "orders").await;
    let api = scene.connect(&tryton).await;
    wait_until_synced(&api).await;
    let buyer = Buyer { api };

    let order = buyer.a_draft("CYCLE-1").await;
    let order = buyer.its_lines_change(&order).await;
    buyer.act("purchase-orders", &order, "confirm").await.refused(409, "STATE_CONFLICT");
    let quoted = buyer.done("purchase-orders", &order, "quote").await;
    assert_eq!(buyer.status(&quoted).await, "quotation");
    assert!(quoted["orderNo"].is_string(), "{quoted:#}");
    buyer.only_what_stays_open_can_be_changed(&order).await;
    let confirmed = buyer.done("purchase-orders", &order, "confirm").await;
    assert_eq!(buyer.status(&confirmed).await, "processing");
    buyer.delete(&order).await.refused(409, "STATE_CONFLICT");
    buyer.what_was_ordered_is_received(&order).await;

    let second = buyer.a_draft("CYCLE-2").await;
    let cancelled = buyer.done("purchase-orders", &second, "cancel").await;
    assert_eq!(cancelled["state"], "cancelled");
    buyer.act("purchase-orders", &second, "quote").await.refused(409, "STATE_CONFLICT");
    buyer.it_is_deleted(&second).await;
    let left = tryton.does(&["orders"]);
    let references: Vec<&str> =
        left.as_array().unwrap().iter().map(|order| text(order, "reference")).collect();
    assert!(references.contains(&"CYCLE-1-B") && !references.contains(&"CYCLE-2"));
}

#[tokio::test]
async fn stock_places_units_and_products_are_read_too() {
    let scene = Scene::new(&[]).await;
    let tryton = Tryton::start(scene.folder.path(), "orders").await;
    let api = scene.connect(&tryton).await;
    wait_until_synced(&api).await;
    let first = async |entity: &str| {
        let all = api.all(&format!("/v1/{entity}?limit=500")).await;
        assert!(!all.is_empty(), "{entity}");
        all.into_iter().next().unwrap()
    };
    for entity in ["products", "uom", "locations", "currencies", "organizations"] {
        assert!(first(entity).await["name"].is_string(), "{entity}");
    }
    let stock = first("stocks").await;
    assert!(stock["quantity"].is_string(), "{stock:#}");
    let material = text(&stock, "materialKey");
    assert_eq!(api.get(&format!("/v1/materials/{material}")).await["key"], material);
    let unit = text(&stock, "uomKey");
    assert_eq!(api.get(&format!("/v1/uom/{unit}")).await["key"], unit);
    assert_eq!(api.all("/v1/production-orders").await, Vec::<Value>::new());
}

/// Somebody who buys.
struct Buyer {
    api: Api,
}

/// What is expected of a refusal.
trait Refused {
    fn refused(self, status: u16, code: &str);
}

impl Refused for Answer {
    fn refused(self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, Some(code)), "{:#}", self.body);
    }
}

impl Buyer {
    async fn one(&self, entity: &str, member: &str, value: &str) -> String {
        let all = self.api.all(&format!("/v1/{entity}?limit=500")).await;
        let found = all.iter().find(|record| record[member] == value);
        text(found.unwrap_or_else(|| panic!("no {value} among {entity}")), "key").to_owned()
    }

    async fn a_draft(&self, reference: &str) -> String {
        let order = json!({
            "vendorKey": self.one("vendors", "name", "Acme Bearings").await,
            "locationKey": self.one("locations", "type", "warehouse").await,
            "vendorReference": reference,
            "lineItems": [
                {
                    "materialKey": self.one("materials", "name", "Bearing 6204").await,
                    "quantity": "4",
                    "price": "4.25",
                },
                {
                    "materialKey": self.one("materials", "name", "Hex bolt M10 × 40").await,
                    "quantity": "100",
                    "price": "0.1875",
                },
            ],
        });
        let made = self.api.post("/v1/purchase-orders", &order, 201).await;
        assert_eq!(self.status(&made).await, "draft");
        assert_eq!(made["totalNetValue"], "35.75", "{made:#}");
        text(&made, "key").to_owned()
    }

    async fn its_lines_change(&self, order: &str) -> String {
        let path = format!("/v1/purchase-orders/{order}");
        let before = self.api.get(&path).await;
        let lines = before["lineItems"].as_array().unwrap();
        let named = |name: &str| {
            let line = lines.iter().find(|line| text(line, "name").starts_with(name));
            text(line.unwrap(), "key").to_owned()
        };
        let change = json!({
            "description": "Spare parts",
            "lineItems": [
                { "key": named("Bearing"), "quantity": "6" },
                { "key": named("Hex"), "deleted": true },
                {
                    "materialKey": self.one("materials", "name", "V-belt A42").await,
                    "quantity": "1",
                    "price": "11.3",
                },
            ],
        });
        let changed = self.api.call(Method::PATCH, &path, Some(&change)).await.expect(200);
        assert_eq!(changed["description"], "Spare parts");
        let mut seen: Vec<(&str, &str)> = changed["lineItems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| (text(line, "quantity"), text(line, "price")))
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, [("1", "11.3"), ("6", "4.25")], "{changed:#}");
        assert!(changed["meta"]["warnings"].is_null(), "{changed:#}");
        assert_eq!(self.api.get(&path).await, changed, "it shows in the next read");
        order.to_owned()
    }

    async fn only_what_stays_open_can_be_changed(&self, order: &str) {
        let path = format!("/v1/purchase-orders/{order}");
        let locked = json!({ "description": "Other" });
        self.api
            .call(Method::PATCH, &path, Some(&locked))
            .await
            .refused(422, "BUSINESS_RULE_VIOLATED");
        let open = json!({ "vendorReference": "CYCLE-1-B" });
        let changed = self.api.call(Method::PATCH, &path, Some(&open)).await.expect(200);
        assert_eq!(changed["vendorReference"], "CYCLE-1-B");
    }

    async fn what_was_ordered_is_received(&self, order: &str) {
        let receipt = json!({ "purchaseOrderKey": order, "deliveryNoteNo": "DN-77" });
        let receipt = self.api.post("/v1/receivings", &receipt, 201).await;
        assert_eq!(receipt["lineItems"].as_array().unwrap().len(), 2, "{receipt:#}");
        let key = text(&receipt, "key").to_owned();
        self.act("receivings", &key, "complete").await.refused(409, "STATE_CONFLICT");
        assert_eq!(self.done("receivings", &key, "receive").await["state"], "received");
        assert_eq!(self.done("receivings", &key, "complete").await["state"], "posted");
        let order = self.api.get(&format!("/v1/purchase-orders/{order}?live=true")).await;
        assert_eq!(order["state"], "received", "{order:#}");
    }

    async fn it_is_deleted(&self, order: &str) {
        let gone = self.delete(order).await.expect(200);
        assert_eq!(gone["meta"]["delete_mode"], "hard", "{gone:#}");
        let path = format!("/v1/purchase-orders/{order}");
        self.api.call(Method::GET, &path, None).await.refused(404, "NOT_FOUND");
        let shown = self.api.get(&format!("{path}?include=deleted")).await;
        assert!(shown["deletedAt"].is_string(), "{shown:#}");
        let changes = self.api.all("/v1/changes?limit=500").await;
        let last = changes.iter().rfind(|change| change["key"] == order).unwrap();
        assert_eq!((text(last, "action"), text(last, "origin")), ("deleted", "write"));
    }

    async fn delete(&self, order: &str) -> Answer {
        self.api.call(Method::DELETE, &format!("/v1/purchase-orders/{order}"), None).await
    }

    async fn act(&self, entity: &str, key: &str, action: &str) -> Answer {
        let path = format!("/v1/{entity}/{key}/actions/{action}");
        self.api.call(Method::POST, &path, Some(&json!({}))).await
    }

    async fn done(&self, entity: &str, key: &str, action: &str) -> Value {
        self.act(entity, key, action).await.expect(200)
    }

    /// The code of an order's status.
    async fn status(&self, order: &Value) -> String {
        let key = text(order, "statusKey");
        text(&self.api.get(&format!("/v1/statuses/{key}")).await, "code").to_owned()
    }
}
