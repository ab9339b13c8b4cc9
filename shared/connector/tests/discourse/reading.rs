//! Listings, changes and deletions.

use millwright_core::from_iso;

use super::{rows::*, *};

#[tokio::test]
async fn pages_of_users_and_groups_are_read_to_their_end() {
    let (forum, system) = start().await;
    let more =
        (1..=3).map(|id| with(recorded("groups")["groups"][1].clone(), json!({"id": 50 + id})));
    forum.site().groups.extend(more);
    assert_eq!(ids(&pulled(&system, "users", None).await.records), ["-1", "12", "13"]);
    assert_eq!(ids(&pulled(&system, "groups", None).await.records), ["3", "41", "51", "52", "53"]);
    let asked = forum.requests();
    assert!(asked[0].contains("order=created&asc=true&page=1&show_emails=true"), "{}", asked[0]);
    let groups: Vec<&str> =
        asked.iter().filter(|one| one.contains("/groups")).map(String::as_str).collect();
    let expected =
        ["GET /groups.json", "GET /groups?page=1", "GET /groups?page=2", "GET /groups?page=3"];
    assert_eq!(groups, expected, "the addresses that the answers give");
}

#[tokio::test]
async fn addresses_of_users_are_asked_for_by_choice_only() {
    let forum = Forum::start().await;
    let system = support::engine().open(target(&forum.url, KEY, false)).unwrap();
    let users = pulled(&system, "users", None).await.records;
    assert!(users.iter().all(|user| !user.record.contains_key("email")));
    assert!(forum.requests().iter().all(|one| one.contains("show_emails=false")));
    assert!(users.iter().all(|user| user.unshown.is_empty()), "then there are none to keep");
    assert_eq!(one(&system, "users", "12").await.unshown, ["email"]);
}

#[tokio::test]
async fn groups_and_categories_are_picked_out_of_their_listings() {
    let (forum, system) = start().await;
    let mechanics = one(&system, "groups", "41").await;
    assert_eq!(mechanics.record["name"], "mechanics");
    let gone = system.find("groups", &["41".to_owned(), "99".to_owned()]).await.unwrap();
    assert_eq!(ids(&gone.records), ["41"]);
    let pumps = one(&system, "categories", "9").await;
    assert_eq!(pumps.record["parentKey"], key("categories", "8"));
    forum.site().categories.remove(1);
    assert_eq!(swept(&system, "categories").await, ["8"]);
    assert!(system.get("categories", &["9".to_owned()]).await.unwrap().is_empty());
}

fn bumped(id: i64, at: &str, pinned: bool) -> Value {
    topic(json!({"id": id, "bumped_at": at, "pinned": pinned}))
}

#[tokio::test]
async fn the_feed_of_topics_ends_where_the_last_run_began_and_pinned_ones_end_nothing() {
    let (forum, system) = start().await;
    forum.site().topics = vec![
        bumped(1, "2026-01-01T00:00:00.000Z", true),
        bumped(2, "2026-03-09T10:00:00.000Z", false),
        bumped(3, "2026-03-09T11:00:00.000Z", false),
        bumped(4, "2026-03-09T12:00:00.000Z", false),
        bumped(5, "2026-03-08T00:00:00.000Z", false),
        bumped(6, "2026-03-07T00:00:00.000Z", false),
    ];
    let everything = pulled(&system, "topics", None).await.records;
    assert_eq!(ids(&everything), ["1", "4", "3", "2", "5", "6"]);
    let before = forum.requests().len();
    // Five minutes of overlap reach back to 09:58.
    let since = from_iso("2026-03-09T10:03:00.000Z");
    let changed = pulled(&system, "topics", since).await.records;
    assert_eq!(ids(&changed), ["4", "3", "2"]);
    assert_eq!(forum.requests().len() - before, 3, "the third page has an old one");
}

#[tokio::test]
async fn a_deleted_topic_is_not_listed_and_says_so_when_it_is_read() {
    let (forum, system) = start().await;
    forum.site().topics.push(topic(json!({"id": 7, "deleted_at": "2026-03-10T12:00:00.000Z"})));
    assert_eq!(swept(&system, "topics").await, ["5120"]);
    assert!(system.get("topics", &["7".to_owned()]).await.unwrap().is_empty());
    assert!(system.get("topics", &["8".to_owned()]).await.unwrap().is_empty(), "404");
    let topics = system.manifest().entity("topics").unwrap();
    assert!(topics.confirms_deletions() && topics.rereads(), "its pages shift");
}

#[tokio::test]
async fn posts_are_walked_backwards_by_id_and_an_edit_is_seen_within_the_overlap() {
    let (forum, system) = start().await;
    let made = |id: i64, at: &str| post(json!({"id": id, "created_at": at, "updated_at": at}));
    forum.site().posts = vec![
        made(30, "2026-03-09T01:00:00.000Z"),
        made(31, "2026-03-09T05:00:00.000Z"),
        made(32, "2026-03-09T11:00:00.000Z"),
        made(33, "2026-03-09T12:00:00.000Z"),
        made(34, "2026-03-09T13:00:00.000Z"),
    ];
    let everything = pulled(&system, "posts", None).await.records;
    assert_eq!(ids(&everything), ["34", "33", "32", "31", "30"]);
    let walked: Vec<String> = forum.requests();
    let expected =
        ["/posts.json", "/posts.json?before=33", "/posts.json?before=31", "/posts.json?before=30"];
    assert_eq!(walked, expected.map(|path| format!("GET {path}")));
    forum.site().posts[1]["raw"] = json!("Edited since.");
    let changed = pulled(&system, "posts", from_iso("2026-03-09T10:00:00.000Z")).await.records;
    assert_eq!(ids(&changed), ["34", "33", "32", "31"], "six hours back, until an older one");
    assert_eq!(changed[3].record["raw"], "Edited since.");
}

#[tokio::test]
async fn a_hidden_post_is_not_listed_and_is_not_deleted() {
    let (forum, system) = start().await;
    forum.site().posts.push(post(json!({"id": 40, "hidden": true})));
    forum.site().posts.push(post(json!({"id": 41, "deleted_at": "2026-03-10T12:00:00.000Z"})));
    assert_eq!(swept(&system, "posts").await, ["20844"]);
    assert!(system.manifest().entity("posts").unwrap().confirms_deletions());
    let found = system.find("posts", &["40".to_owned(), "41".to_owned()]).await.unwrap();
    assert_eq!(ids(&found.records), ["40"]);
    assert_eq!(found.records[0].record["isHidden"], true);
}
