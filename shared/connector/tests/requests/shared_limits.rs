//! Limits that instances share: two engines, each as in a process of its own, over one table.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use millwright_connector::SystemErrorClass;

use super::*;

/// Two instances over one table.
async fn two(limits: &str) -> [Engine; 2] {
    let table = support::table::start().await;
    let instance = || {
        let yaml = with(limits);
        let catalog = Catalog::of([yaml.as_str()]).unwrap();
        Engine::new(catalog, support::outbound(), support::store_at(&table))
    };
    [instance(), instance()]
}

/// A server whose answers take a while, and how many calls were under way at the same time at most.
async fn slow(pause: Duration) -> (String, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let app = axum::Router::new().fallback(move || {
        let (now, most) = (now.clone(), most.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(pause).await;
            now.fetch_sub(1, Ordering::SeqCst);
            axum::Json(json!({"id": 1}))
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_together_make_no_more_calls_at_once_than_the_system_takes() {
    let engines = two("limits: { concurrency: 3, wait_seconds_max: 30 }\n").await;
    let (url, most) = slow(Duration::from_millis(30)).await;
    let calls = (0..24).map(|number| {
        let system = open(&engines[number % 2], &url);
        tokio::spawn(async move { system.probe().await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    let most = most.load(Ordering::SeqCst);
    assert!((2..=3).contains(&most), "{most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_a_minute_are_shared_by_twenty_callers_in_two_instances() {
    let limits = "limits: { concurrency: 10, wait_seconds_max: 0, \
                  budgets: [{ requests: 60, per_seconds: 60 }] }\n";
    let engines = two(limits).await;
    let (server, url) = Server::start([]).await;
    server.always(me());
    let callers = (0..20).map(|number| {
        let system = open(&engines[number % 2], &url);
        tokio::spawn(async move {
            // Who finds all places taken comes again; who finds the budget used up soon gives up.
            for _ in 0..40 {
                if let Err(error) = system.probe().await {
                    assert_eq!((error.class, error.sent), (SystemErrorClass::RateLimited, false));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let asked = server.asked().len();
    assert!((45..=60).contains(&asked), "{asked} of 60");
}

#[tokio::test]
async fn a_limit_that_one_instance_is_told_of_keeps_the_other_off() {
    let limits = "limits: { rate_headers: { remaining: x-left, \
                  reset: { header: x-reset, form: seconds } } }\n";
    let engines = two(limits).await;
    let answer = me().header("x-left", "0").header("x-reset", "50");
    let (server, url) = Server::start([answer]).await;
    open(&engines[0], &url).probe().await.unwrap();
    let error = open(&engines[1], &url).probe().await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::RateLimited);
    assert!(error.retry_after.unwrap() > Duration::from_secs(45));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn the_places_of_an_instance_that_died_come_back() {
    let [one, other] = two("limits: { concurrency: 1, wait_seconds_max: 12 }\n").await;
    let (url, _) = slow(Duration::from_secs(3)).await;
    let system = open(&one, &url);
    let call = tokio::spawn(async move { system.probe().await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    call.abort();
    drop(one);
    let (_, answers) = Server::start([me()]).await;
    let started = Instant::now();
    open(&other, &answers).probe().await.unwrap();
    let waited = started.elapsed();
    assert!(waited > Duration::from_secs(3) && waited < Duration::from_secs(9), "{waited:?}");
}
