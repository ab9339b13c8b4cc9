//! A vendor that does not exist, where the database itself minds: Tryton on PostgreSQL.

use millwright_connector::WriteOp;
use millwright_core::{ConnectionId, ErrorCode};
use millwright_tests::{api::Api, tryton::Tryton};
use serde_json::{Value, json};

use crate::{
    scene::{Scene, text, tryton_connection, wait_until_synced},
    tryton_rules::past::Past,
};

#[tokio::test]
#[ignore = "needs PostgreSQL: tests/long postgresql"]
async fn an_order_for_a_vendor_that_does_not_exist_is_refused_by_name() {
    let scene = Scene::new(&[]).await;
    let tryton = Tryton::start_on_postgresql(scene.folder.path()).await;
    let made = scene.api().post("/v1/connections", &tryton_connection(&tryton), 201).await;
    let connection: ConnectionId = text(&made, "id").parse().unwrap();
    let api = scene.api().about(connection.as_str());
    wait_until_synced(&api).await;

    let acme = one(&api, "vendors", "Acme Bearings").await;
    let fine = order(&api, &acme["key"]).await;
    assert_eq!(api.post("/v1/purchase-orders", &fine, 201).await["vendorKey"], acme["key"]);
    refused(&api, &json!("a vendor that never was")).await;

    // One that was there when it was last read.
    let gone = api.post("/v1/vendors", &json!({ "name": "Gone Ltd" }), 201).await;
    tryton.does(&["delete-party", text(&gone, "remoteId")]);
    refused(&api, &gone["key"]).await;

    // One that goes between our look and the write: the database refuses it.
    let past = Past::new(&tryton, &connection);
    let body = json!({ "vendorKey": gone["key"], "vendorReference": "PAST-1" });
    let body = body.as_object().unwrap();
    let error = past.refusal(&[], "purchase-orders", &WriteOp::Create, None, body).await;
    let error = error.expect("PostgreSQL keeps no id that leads nowhere").into_write_error();
    println!("{:?}", error.upstream);
    assert_eq!(error.code, ErrorCode::ReferenceNotFound, "{error:?}");
    assert_eq!(error.fields[0].path, "vendorKey");
    let said = error.upstream.unwrap().message.unwrap();
    assert_eq!(said, r#"The value "999999" for field "Party" in "Purchase" does not exist."#);
}

async fn one(api: &Api, entity: &str, name: &str) -> Value {
    let all = api.all(&format!("/v1/{entity}?limit=500")).await;
    all.into_iter().find(|record| record["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

async fn order(api: &Api, vendor: &Value) -> Value {
    let bearing = one(api, "materials", "Bearing 6204").await;
    let line = json!({ "materialKey": bearing["key"], "quantity": "4", "price": "4.25" });
    json!({ "vendorKey": vendor, "lineItems": [line] })
}

async fn refused(api: &Api, vendor: &Value) {
    let order = order(api, vendor).await;
    let answer = api.call(http::Method::POST, "/v1/purchase-orders", Some(&order)).await;
    assert_eq!((answer.status, answer.code()), (422, Some("REFERENCE_NOT_FOUND")), "{answer:?}");
    assert_eq!(answer.body["error"]["fields"][0]["path"], "vendorKey", "{:#}", answer.body);
}
