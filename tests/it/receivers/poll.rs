//! A polled endpoint: what is not acknowledged comes again, and nothing is passed over.

use std::collections::BTreeSet;

use http::Method;
use millwright_tests::{api::Api, millwright::Millwright, wait};
use serde_json::{Value, json};

use super::{ids, polled, send};
use crate::scene::{LONG, text};

/// A poller of one endpoint.
struct Poller {
    api: Api,
    path: String,
}

impl Poller {
    async fn new(api: &Api, event_type: &str) -> Self {
        let id = polled(api, json!({ "event_types": [event_type] })).await;
        Self { api: api.clone(), path: format!("/v1/webhook-endpoints/{id}/poll") }
    }

    async fn poll(&self, query: &str) -> Value {
        self.api.get(&format!("{}?{query}", self.path)).await
    }

    /// Acknowledges the page and fetches the next.
    async fn after(&self, page: &Value, query: &str) -> Value {
        self.poll(&format!("{query}&cursor={}", text(page, "next_cursor"))).await
    }

    /// The first page once it holds as many messages.
    async fn page_of(&self, count: usize) -> Value {
        wait::until("the messages are on offer", LONG, async || {
            let page = self.poll("limit=100").await;
            (ids(&page).len() >= count).then_some(page)
        })
        .await
    }

    async fn deliveries(&self) -> Vec<Value> {
        let id = self.path.split('/').nth(3).unwrap();
        self.api.all(&format!("/v1/webhook-deliveries?endpoint_id={id}")).await
    }
}

fn set(ids: &[String]) -> BTreeSet<&String> {
    ids.iter().collect()
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_and_what_is_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut millwright = Millwright::start(folder.path(), &[]).await;
    let api = millwright.api();
    a_page_is_acknowledged_by_its_cursor_alone(&api).await;
    a_cursor_that_was_lost_loses_nothing(&api).await;
    two_at_once_see_the_same_and_lose_nothing(&api).await;
    a_message_that_comes_while_somebody_waits_is_answered_at_once(&api).await;
    what_cannot_be_polled_says_so(&api).await;
    a_restart_of_the_server_loses_nothing(&mut millwright).await;
}

async fn a_page_is_acknowledged_by_its_cursor_alone(api: &Api) {
    let poller = Poller::new(api, "poll.one").await;
    let empty = poller.poll("limit=10").await;
    assert_eq!((ids(&empty).len(), &empty["has_more"]), (0, &json!(false)));
    let sent = send(api, "poll.one", 5).await;
    let all = poller.page_of(5).await;
    assert_eq!(set(&ids(&all)), set(&sent));
    // An empty page's cursor acknowledges nothing.
    let first = poller.after(&empty, "limit=2").await;
    assert_eq!(ids(&first), ids(&all)[..2]);
    assert_eq!(first["has_more"], true);
    let second = poller.after(&first, "limit=2").await;
    assert_eq!(ids(&second), ids(&all)[2..4]);
    // Once more with the same cursor: the same page, and nothing else is acknowledged.
    assert_eq!(ids(&poller.after(&first, "limit=2").await), ids(&second));
    let last = poller.after(&second, "limit=2").await;
    assert_eq!((ids(&last), &last["has_more"]), (ids(&all)[4..].to_vec(), &json!(false)));
    assert!(ids(&poller.after(&last, "limit=2").await).is_empty());
    // An old cursor's page has long been acknowledged.
    assert!(ids(&poller.after(&first, "limit=2").await).is_empty());
    the_attempts_say_that_it_was_polled(&poller).await;
}

async fn the_attempts_say_that_it_was_polled(poller: &Poller) {
    for delivery in poller.deliveries().await {
        assert_eq!(delivery["status"], "delivered");
        let path = format!("/v1/webhook-deliveries/{}/attempts", text(&delivery, "id"));
        let attempts = poller.api.get(&path).await;
        let attempts = attempts["data"].as_array().unwrap();
        assert_eq!(attempts.len(), 1);
        assert_eq!(attempts[0]["trigger"], "poll");
        assert_eq!(attempts[0]["outcome"], "delivered");
    }
}

async fn a_cursor_that_was_lost_loses_nothing(api: &Api) {
    let poller = Poller::new(api, "poll.lost").await;
    let sent = send(api, "poll.lost", 4).await;
    let all = poller.page_of(4).await;
    let first = poller.poll("limit=2").await;
    // The poller ends here and knows nothing any more; another begins.
    let again = poller.poll("limit=3").await;
    assert_eq!(ids(&again)[..2], ids(&first));
    let bodies = |page: &Value| page["data"][0]["body"].clone();
    assert_eq!(bodies(&again), bodies(&first));
    let rest = poller.after(&again, "limit=3").await;
    assert_eq!([ids(&again), ids(&rest)].concat(), ids(&all));
    assert_eq!(set(&ids(&all)), set(&sent));
}

async fn two_at_once_see_the_same_and_lose_nothing(api: &Api) {
    let poller = Poller::new(api, "poll.two").await;
    send(api, "poll.two", 30).await;
    poller.page_of(30).await;
    let run = async || {
        let (mut seen, mut page) = (Vec::new(), poller.poll("limit=4").await);
        while !ids(&page).is_empty() {
            seen.extend(ids(&page));
            page = poller.after(&page, "limit=4").await;
        }
        seen
    };
    let (one, other) = futures::join!(run(), run());
    let together: BTreeSet<&String> = one.iter().chain(&other).collect();
    assert_eq!(together.len(), 30, "{} and {}", one.len(), other.len());
    assert!(poller.deliveries().await.iter().all(|own| own["status"] == "delivered"));
}

async fn a_message_that_comes_while_somebody_waits_is_answered_at_once(api: &Api) {
    let poller = Poller::new(api, "poll.wait").await;
    let (page, sent) = futures::join!(poller.poll("wait=20"), async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        send(api, "poll.wait", 1).await
    });
    assert_eq!(ids(&page), sent);
}

async fn what_cannot_be_polled_says_so(api: &Api) {
    let poller = Poller::new(api, "poll.refused").await;
    let refused = async |query: &str| {
        let answer = api.call(Method::GET, &format!("{}?{query}", poller.path), None).await;
        (answer.status, answer.code().unwrap_or_default().to_owned())
    };
    let invalid = (400, "INVALID_REQUEST".to_owned());
    for query in ["limit=0", "limit=101", "wait=21", "wait=x"] {
        assert_eq!(refused(query).await, invalid, "{query}");
    }
    assert_eq!(refused("cursor=x").await, (400, "CURSOR_INVALID".to_owned()));
    let other = Poller::new(api, "poll.other").await.poll("").await;
    let strange = format!("cursor={}", text(&other, "next_cursor"));
    assert_eq!(refused(&strange).await, (400, "CURSOR_INVALID".to_owned()));
    let pushed = json!({ "url": "http://127.0.0.1:1/", "event_types": ["poll.refused"] });
    let pushed = api.post("/v1/webhook-endpoints", &pushed, 201).await;
    let path = format!("/v1/webhook-endpoints/{}/poll", text(&pushed, "id"));
    let answer = api.call(Method::GET, &path, None).await;
    assert_eq!((answer.status, answer.code()), (409, Some("STATE_CONFLICT")));
}

async fn a_restart_of_the_server_loses_nothing(millwright: &mut Millwright) {
    let api = millwright.api();
    let poller = Poller::new(&api, "poll.restart").await;
    let sent = send(&api, "poll.restart", 6).await;
    let first = poller.page_of(6).await;
    assert_eq!(ids(&first).len(), 6);
    let first = poller.poll("limit=3").await;
    millwright.restart().await;
    // The cursor of before the restart acknowledges its page; the rest is there.
    let rest = poller.after(&first, "limit=100").await;
    let all = [ids(&first), ids(&rest)].concat();
    assert_eq!(set(&all), set(&sent));
    assert_eq!(ids(&rest).len(), 3);
}
