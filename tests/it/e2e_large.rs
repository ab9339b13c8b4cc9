//! A message too large for a row goes through the blob store and arrives as it was sent.

use millwright_tests::wait;
use serde_json::json;

use crate::scene::{LONG, Scene};

#[tokio::test]
async fn a_message_too_large_for_a_row_arrives_as_it_was_sent() {
    let scene = Scene::new(&[]).await;
    scene.endpoint("large", json!({ "event_types": ["order.*"] })).await;
    let data = json!({ "notes": "ä".repeat(100_000), "number": 7 });
    let message = json!({ "type": "order.shipped", "data": data });
    scene.api().post("/v1/webhook-messages", &message, 202).await;
    let delivery = wait::until("the message arrives", LONG, async || {
        scene.receiver.deliveries("large").into_iter().next()
    })
    .await;
    assert!(delivery.verified);
    assert!(delivery.data() == data, "the data is not what was sent");
    let kept = scene.millwright.data().join("blobs");
    let kept = std::fs::read_dir(&kept).expect("the blob store is a folder");
    assert!(kept.count() > 0, "the body went another way");
}
