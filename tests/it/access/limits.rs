//! Rate limits at the edge.

use http::Method;
use millwright_tests::api::{Answer, Api};
use millwright_web::RateLimits;
use serde_json::json;

use super::scene::Scene;

async fn call(api: &Api, path: &str) -> Answer {
    api.call(Method::GET, path, None).await
}

fn header(answer: &Answer, name: &str) -> String {
    answer.headers.get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn nothing_is_limited_unless_it_is_set() {
    let scene = Scene::new().await;
    let answer = call(&scene.admin, "/v1/api-keys").await;
    assert_eq!((answer.status, header(&answer, "ratelimit")), (200, String::new()));
}

#[tokio::test]
async fn a_key_is_told_how_it_stands_and_refused_when_it_calls_too_often() {
    let limits = RateLimits { per_key: 5, per_connection: 0, messages: 2 };
    let scene = Scene::with(|settings| settings.rate_limits = limits).await;
    for left in (0..5).rev() {
        let answer = call(&scene.admin, "/v1/api-keys").await;
        assert_eq!(answer.status, 200);
        assert_eq!(header(&answer, "ratelimit-policy"), "\"key\";q=5;w=60");
        assert!(header(&answer, "ratelimit").starts_with(&format!("\"key\";r={left};t=")));
    }
    let refused = call(&scene.admin, "/v1/api-keys").await;
    assert_eq!((refused.status, refused.code()), (429, Some("RATE_LIMIT_EXCEEDED")));
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=67).contains(&wait), "{wait}");
    assert_eq!(header(&refused, "ratelimit"), format!("\"key\";r=0;t={wait}"));
    assert_eq!(refused.body["error"]["retryable"], true);

    // Messages are counted apart.
    let message = json!({ "type": "order.shipped", "data": {} });
    for (status, left) in [(202, 1), (202, 0), (429, 0)] {
        let path = "/v1/webhook-messages";
        let answer = scene.admin.call(Method::POST, path, Some(&message)).await;
        assert_eq!(answer.status, status);
        let state = header(&answer, "ratelimit");
        assert!(state.starts_with(&format!("\"messages\";r={left};t=")), "{state}");
    }
    // What needs no key is not limited, and what has a wrong one does not count for anybody.
    assert_eq!(call(&Api::new(&scene.base, None), "/health").await.status, 200);
    assert_eq!(call(&Api::new(&scene.base, None), "/v1/api-keys").await.status, 401);
}

#[tokio::test]
async fn a_connection_is_limited_whoever_calls_about_it() {
    let scene = Scene::new().await;
    let (own, other) = (scene.connect().await, scene.connect().await);
    let limits = RateLimits { per_key: 100, per_connection: 3, messages: 0 };
    let base = scene.another_instance(|settings| settings.rate_limits = limits).await;
    let (first, second) = (scene.key("read").await, scene.key("read").await);
    let at = |api: &Api| api.at(&base);
    let about = call(&at(&first).about(&own), "/v1/connection").await;
    let state = header(&about, "ratelimit");
    assert!(state.starts_with("\"key\";r=99;t=") && state.contains(", \"connection\";r=2;t="));
    assert_eq!(call(&at(&second).about(&own), "/v1/connection").await.status, 200);
    assert_eq!(call(&at(&second), &format!("/v1/connections/{own}")).await.status, 200);
    let refused = call(&at(&first).about(&own), "/v1/connection").await;
    assert_eq!((refused.status, refused.code()), (429, Some("RATE_LIMIT_EXCEEDED")));
    assert_eq!(call(&at(&first).about(&other), "/v1/connection").await.status, 200);
}

#[tokio::test]
async fn instances_share_a_limit_and_never_let_more_through() {
    let limits = RateLimits { per_key: 60, per_connection: 0, messages: 0 };
    let set = |settings: &mut millwright_web::Settings| settings.rate_limits = limits;
    let scene = Scene::with(set).await;
    let mut instances = vec![scene.admin.clone()];
    for _ in 0..3 {
        instances.push(scene.admin.at(&scene.another_instance(set).await));
    }
    let calls = (0..240).map(|n| call(&instances[n % 4], "/v1/api-keys"));
    let answers = futures::future::join_all(calls).await;
    let through = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!(through + refused, 240);
    assert!((50..=60).contains(&through), "{through} of 60");
}

#[tokio::test]
async fn a_refused_call_can_be_made_again_under_its_idempotency_key() {
    let limits = RateLimits { per_key: 1, per_connection: 0, messages: 0 };
    let scene = Scene::new().await;
    let limited = scene.another_instance(|settings| settings.rate_limits = limits).await;
    let keyed = scene.admin.with_header("Idempotency-Key", "once");
    let body = json!({ "name": "x", "role": "read" });
    let post = async |api: &Api| api.call(Method::POST, "/v1/api-keys", Some(&body)).await;
    assert_eq!(call(&scene.admin.at(&limited), "/v1/api-keys").await.status, 200);
    assert_eq!(post(&keyed.at(&limited)).await.status, 429);
    assert_eq!(post(&keyed).await.status, 201);
}
