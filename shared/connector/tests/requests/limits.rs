//! Limits of systems: what they tell is obeyed, by everybody; what is known beforehand is kept to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use millwright_connector::SystemErrorClass;

use super::*;

const ALL: &str = "passthrough: { allow: [{ methods: [GET, POST], path: \"/**\" }] }\n";

fn too_often(request: &str, wait: &str) -> Exchange {
    on(request, 429, json!({"error": "slow down"})).header("retry-after", wait)
}

#[tokio::test]
async fn a_short_wait_is_waited_out_inside_the_call() {
    let (server, system) = play("", [too_often("GET /api/me", "1"), me()]).await;
    let started = Instant::now();
    assert_eq!(system.probe().await.unwrap().id, "1");
    assert!(started.elapsed() >= Duration::from_millis(950), "{:?}", started.elapsed());
    server.assert_played();
}

#[tokio::test]
async fn a_write_that_was_asked_to_wait_is_made_again_as_it_was() {
    let answers = [too_often("POST /api/x", "1"), on("POST /api/x", 201, json!({"id": 2}))];
    let (server, system) = play(ALL, answers).await;
    assert_eq!(post(&system, "/x", json!({"n": 1})).await.unwrap().status, 201);
    let bodies: Vec<_> = server.bodies().into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, [json!({"n": 1}), json!({"n": 1})]);
}

#[tokio::test]
async fn a_long_wait_ends_the_call_and_keeps_the_next_ones_off() {
    let (server, url) = Server::start([too_often("GET /api/me", "60")]).await;
    let engine = engine("");
    let error = open(&engine, &url).probe().await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::RateLimited);
    assert_eq!(error.retry_after, Some(Duration::from_secs(60)));
    let error = open(&engine, &url).probe().await.unwrap_err();
    assert_eq!((error.class, error.sent), (SystemErrorClass::RateLimited, false));
    let wait = error.retry_after.unwrap();
    assert!(wait > Duration::from_secs(55) && wait <= Duration::from_secs(60), "{wait:?}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_wait_that_is_told_as_a_date_is_obeyed() {
    let told = too_often("GET /api/me", "Sat, 21 Nov 2026 22:19:40 GMT")
        .header("date", "Sat, 21 Nov 2026 22:18:55 GMT");
    let (_, system) = play("", [told]).await;
    let error = system.probe().await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(45)));
    assert!(system.probe().await.unwrap_err().retry_after.unwrap() > Duration::from_secs(40));
}

#[tokio::test]
async fn a_wait_that_only_the_rate_headers_tell_is_obeyed() {
    let told = on("GET /api/me", 429, json!({})).header("x-rate-limit-limit", "100");
    let told = told.header("x-rate-limit-remaining", "0").header("x-rate-limit-reset", "33");
    let (_, system) = play(HEADERS, [told]).await;
    let error = system.probe().await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::RateLimited);
    let wait = error.retry_after.unwrap();
    assert!(wait > Duration::from_secs(31) && wait <= Duration::from_secs(33), "{wait:?}");
}

#[tokio::test]
async fn a_wait_beyond_all_measure_is_believed_for_an_hour() {
    let (_, system) = play("", [too_often("GET /api/me", "18446744073709551615")]).await;
    for _ in 0..2 {
        let wait = system.probe().await.unwrap_err().retry_after.unwrap();
        assert!(wait <= Duration::from_secs(3_600), "{wait:?}");
    }
}

#[tokio::test]
async fn who_waits_for_a_place_in_this_process_waits_no_longer_than_for_any_turn() {
    let app = axum::Router::new().fallback(|| async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        axum::Json(json!({"id": 1}))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let engine = engine("limits: { concurrency: 1, wait_seconds_max: 1 }\n");
    let (first, second) = (open(&engine, &url), open(&engine, &url));
    let slow = tokio::spawn(async move { first.probe().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    let error = second.probe().await.unwrap_err();
    assert_eq!((error.class, error.sent), (SystemErrorClass::RateLimited, false));
    assert!(error.retry_after.is_some() && started.elapsed() < Duration::from_secs(2));
    slow.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_wait_that_only_the_body_tells_is_obeyed() {
    let rules = r#"
errors:
  - when: { status: [429], path: error_type, equals: rate_limit }
    class: rate_limited
    message: errors
    wait_seconds: extras.wait_seconds
"#;
    let told = json!({"errors": ["slow down"], "error_type": "rate_limit",
        "extras": {"wait_seconds": 23}});
    let (_, system) = play(rules, [on("GET /api/me", 429, told)]).await;
    let error = system.probe().await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::RateLimited);
    assert_eq!(error.retry_after, Some(Duration::from_secs(23)));
    assert_eq!(error.upstream.message.as_deref(), Some("slow down"));
}

#[tokio::test]
async fn who_never_stops_asking_to_wait_is_not_asked_for_ever() {
    let answers = (0..5).map(|_| too_often("GET /api/me", "0"));
    let (server, system) = play("", answers).await;
    let error = system.probe().await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::RateLimited);
    assert_eq!(server.asked().len(), 3);
}

const HEADERS: &str = r#"
limits:
  wait_seconds_max: 3
  rate_headers:
    limit: X-Rate-Limit-Limit
    remaining: X-Rate-Limit-Remaining
    reset: { header: X-Rate-Limit-Reset, form: seconds }
"#;

fn with_rest(remaining: &str, reset: &str) -> Exchange {
    me().header("x-rate-limit-limit", "100")
        .header("x-rate-limit-remaining", remaining)
        .header("x-rate-limit-reset", reset)
}

#[tokio::test]
async fn a_limit_that_is_used_up_is_waited_out_before_the_next_call() {
    let answers = [with_rest("1", "60"), with_rest("0", "1"), me()];
    let (server, system) = play(HEADERS, answers).await;
    system.probe().await.unwrap();
    let started = Instant::now();
    system.probe().await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(700));
    system.probe().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(900), "{:?}", started.elapsed());
    server.assert_played();
}

#[tokio::test]
async fn a_limit_that_is_used_up_for_long_ends_the_next_call_before_it_is_sent() {
    let (server, system) = play(HEADERS, [with_rest("0", "40")]).await;
    system.probe().await.unwrap();
    let error = system.probe().await.unwrap_err();
    assert_eq!((error.class, error.sent), (SystemErrorClass::RateLimited, false));
    assert!(error.retry_after.unwrap() > Duration::from_secs(35));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn no_more_is_asked_than_our_share_of_the_budget() {
    let limits = "limits: { budgets: [{ requests: 10, per_seconds: 60, share: 0.5 }] }\n";
    let (server, url) = Server::start((0..20).map(|_| me())).await;
    let engine = engine(limits);
    let mut let_in = 0;
    for _ in 0..9 {
        let_in += usize::from(open(&engine, &url).probe().await.is_ok());
    }
    assert_eq!((let_in, server.asked().len()), (5, 5));
    let error = open(&engine, &url).probe().await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::RateLimited);
    assert!(error.retry_after.unwrap() > Duration::from_secs(50));
}

#[tokio::test]
async fn a_hosts_budget_is_one_for_all_connections_to_it() {
    let limits = "limits: { budgets: [{ requests: 4, per_seconds: 60, scope: host }] }\n";
    let (server, url) = Server::start((0..20).map(|_| me())).await;
    let engine = engine(limits);
    let mut let_in = 0;
    for number in 0..8 {
        let mut target = support::target("made-up", json!({"url": url}), &CREDENTIALS);
        target.connection = millwright_core::ConnectionId::derived(&[&number.to_string()]);
        let_in += usize::from(engine.open(target).unwrap().probe().await.is_ok());
    }
    assert_eq!((let_in, server.asked().len()), (4, 4));
    let (_, other) = Server::start([me()]).await;
    assert!(open(&engine, &other).probe().await.is_ok(), "another host has its own");
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_the_system_takes() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let app = axum::Router::new().fallback(move || {
        let (now, most) = (now.clone(), most.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            axum::Json(json!({"id": 1}))
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let engine = engine("limits: { concurrency: 3 }\n");
    let calls = (0..15).map(|_| {
        let system = open(&engine, &url);
        tokio::spawn(async move { system.probe().await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}

#[test]
fn what_cannot_be_meant_of_limits_is_refused() {
    for (limits, said) in [
        ("{ budgets: [{ requests: 0, per_seconds: 60 }] }", "at least one request"),
        ("{ budgets: [{ requests: 5, per_seconds: 60, share: 0 }] }", "above 0, at most 1"),
        ("{ budgets: [{ requests: 5, per_seconds: 60, share: 1.5 }] }", "above 0, at most 1"),
        (
            "{ budgets: [{ requests: 5, per_seconds: 60 }, { requests: 9, per_seconds: 60 }] }",
            "differ in their seconds",
        ),
        ("{ rate_headers: { remaining: X-Left } }", "both `remaining` and `reset`"),
        ("{ rate_headers: { reset: { header: X-R, form: soon } } }", "soon"),
        ("{ concurrency: 0 }", "at least 1"),
        ("{ timeout_seconds: 0 }", "at least 1"),
    ] {
        let why = refused(&format!("limits: {limits}\n"));
        assert!(why.contains(said), "{limits}: {why}");
    }
}
