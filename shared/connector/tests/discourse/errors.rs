//! Keys that do not work, rights that are missing, limits, pages of proxies, and silence.

use std::time::Duration;

use millwright_connector::SystemErrorClass::{self, *};

use super::{forum::error, *};

async fn class(system: &System) -> SystemErrorClass {
    system.probe().await.unwrap_err().class
}

#[tokio::test]
async fn the_probe_proves_the_key_and_names_the_site() {
    let (forum, system) = start().await;
    let instance = system.probe().await.unwrap();
    assert_eq!(instance.id, "-1/2026-01-05T09:00:00.123Z");
    assert_eq!(forum.requests(), ["GET /admin/users/list/staff.json?order=created&asc=true"]);
}

#[tokio::test]
async fn a_wrong_key_and_one_of_a_plain_user_are_refused_credentials() {
    let (forum, system) = start().await;
    let wrong = support::engine().open(target(&forum.url, "wrong", true)).unwrap();
    assert_eq!(class(&wrong).await, Reauthorize);
    for entity in ["categories", "topics", "posts"] {
        let error = wrong.pull(entity, &Pull::default()).await.unwrap_err();
        assert_eq!(error.class, Reauthorize, "{entity}");
    }
    forum.site().plain_user = true;
    let error = system.probe().await.unwrap_err();
    assert_eq!(error.class, Reauthorize);
    assert!(error.message.contains("neither an administrator"), "{}", error.message);
}

#[tokio::test]
async fn a_right_that_is_missing_is_not_a_wrong_key() {
    // The header that names the user is not in a scripted answer: the forum adds it to its own.
    let (forum, system) = start().await;
    forum.site().plain_user = true;
    let error = system.pull("users", &Pull::default()).await.unwrap_err();
    assert_eq!(error.class, NotFound, "as Discourse answers to others than staff");
    let body = error_of("invalid_access");
    let (server, url) =
        support::http::Server::start([
            support::http::on("GET /site.json", 403, body).header("x-discourse-username", USERNAME)
        ])
        .await;
    let system = support::engine().open(target(&url, KEY, true)).unwrap();
    let error = system.pull("categories", &Pull::default()).await.unwrap_err();
    assert_eq!(error.class, Permission);
    assert_eq!(error.upstream.code.as_deref(), Some("invalid_access"));
    server.assert_played();
}

fn error_of(kind: &str) -> Value {
    serde_json::from_str(&error(kind, "No.")).unwrap()
}

#[tokio::test]
async fn a_limit_is_waited_out_as_discourse_says() {
    let limited = json!({"errors": ["Slow down."], "error_type": "rate_limit", "extras": {"wait_seconds": 1}});
    let (forum, system) = start().await;
    forum.site().instead = vec![(429, "application/json", limited.to_string())];
    let started = std::time::Instant::now();
    assert_eq!(pulled(&system, "categories", None).await.records.len(), 2);
    assert!(started.elapsed() >= Duration::from_millis(950), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_long_limit_keeps_everybody_off_until_its_end() {
    let limited = json!({"errors": ["Slow down."], "error_type": "rate_limit", "extras": {"wait_seconds": 20}});
    let answer = support::http::on("GET /site.json", 429, limited).header("retry-after", "40");
    let (server, url) = support::http::Server::start([answer]).await;
    let engine = support::engine();
    let system = engine.open(target(&url, KEY, true)).unwrap();
    let error = system.pull("categories", &Pull::default()).await.unwrap_err();
    assert_eq!((error.class, error.retry_after), (RateLimited, Some(Duration::from_secs(40))));
    assert_eq!(error.upstream.message.as_deref(), Some("Slow down."));
    let again = engine.open(target(&url, KEY, true)).unwrap();
    let error = again.pull("topics", &Pull::default()).await.unwrap_err();
    assert_eq!((error.class, server.asked().len()), (RateLimited, 1));
}

#[tokio::test]
async fn no_more_than_24_of_the_60_requests_a_minute_are_made() {
    let (forum, system) = start().await;
    for _ in 0..24 {
        system.pull("categories", &Pull::default()).await.unwrap();
    }
    let error = system.pull("categories", &Pull::default()).await.unwrap_err();
    assert_eq!((error.class, error.sent), (RateLimited, false));
    assert_eq!(forum.requests().len(), 24);
}

#[tokio::test]
async fn a_page_of_a_proxy_and_silence_say_nothing_of_the_key() {
    let (forum, system) = start().await;
    let page = |title: &str| format!("<html><head><title>{title}</title></head></html>");
    for (status, expected) in
        [(200, Malformed), (403, Permission), (502, Unreachable), (404, NotFound)]
    {
        forum.site().instead = vec![(status, "text/html; charset=utf-8", page("Just a moment"))];
        assert_eq!(class(&system).await, expected, "{status}");
    }
    let readonly = error("read_only", "The site is in read only mode.");
    forum.site().instead = vec![(503, "application/json", readonly)];
    assert_eq!(class(&system).await, Unreachable);
    let nobody = support::engine().open(target("http://127.0.0.1:1", KEY, true)).unwrap();
    assert_eq!(class(&nobody).await, Unreachable);
}
