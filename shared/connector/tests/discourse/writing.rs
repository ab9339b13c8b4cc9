//! Topics and posts are made, changed, closed and deleted; a lost answer is looked for.

use millwright_connector::{LookUp, SystemError};
use millwright_core::{Error, ErrorCode};

use super::*;

fn new_topic() -> Value {
    json!({"title": "Valve V-9 leaks", "raw": "Since this morning.", "categoryKey": key("categories", "9")})
}

async fn make(system: &System, entity: &str, record: Value) -> Result<String, SystemError> {
    system.create(entity, &support::object(record), &references(), "t0k").await
}

async fn change(system: &System, entity: &str, id: &str, patch: Value) -> Result<(), SystemError> {
    let current = one(system, entity, id).await;
    system.update(entity, &current, &support::object(patch), &references()).await
}

#[tokio::test]
async fn a_topic_is_made_with_its_first_post_and_an_id_of_ours() {
    let (forum, system) = start().await;
    let id = make(&system, "topics", new_topic()).await.unwrap();
    let sent = json!({"title": "Valve V-9 leaks", "raw": "Since this morning.", "category": "9",
        "external_id": "mw-t0k"});
    assert_eq!(forum.last(), ("POST /posts.json".to_owned(), sent));
    let topic = one(&system, "topics", &id).await.record;
    assert_eq!(
        (&topic["title"], &topic["categoryKey"]),
        (&json!("Valve V-9 leaks"), &json!(key("categories", "9")))
    );
}

#[tokio::test]
async fn a_topic_without_a_category_leaves_it_to_discourse() {
    let (forum, system) = start().await;
    make(&system, "topics", json!({"title": "Valve V-9 leaks", "raw": "Since today."}))
        .await
        .unwrap();
    let sent = json!({"title": "Valve V-9 leaks", "raw": "Since today.", "external_id": "mw-t0k"});
    assert_eq!(forum.last().1, sent);
}

#[tokio::test]
async fn a_topic_whose_answer_was_lost_is_found_by_its_external_id() {
    let (forum, system) = start().await;
    forum.site().loses = true;
    let error = make(&system, "topics", new_topic()).await.unwrap_err();
    assert!(error.sent, "it may have happened");
    let record = support::object(new_topic());
    let found = system.find_created("topics", &record, "t0k", &references()).await.unwrap();
    assert_eq!(found, LookUp::Found("6001".to_owned()));
    assert_eq!(forum.last().0, "GET /t/external_id/mw-t0k.json");
    let other = system.find_created("topics", &record, "0ther", &references()).await.unwrap();
    assert_eq!(other, LookUp::NotThere);
    assert_eq!(forum.site().topics.len(), 2, "made once");
}

#[tokio::test]
async fn a_reply_whose_answer_was_lost_cannot_be_told() {
    let (forum, system) = start().await;
    forum.site().loses = true;
    let reply = json!({"topicKey": key("topics", "5120"), "raw": "Same here."});
    assert!(make(&system, "posts", reply.clone()).await.unwrap_err().sent);
    let record = support::object(reply);
    let found = system.find_created("posts", &record, "t0k", &references()).await.unwrap();
    assert_eq!(found, LookUp::CannotTell);
}

#[tokio::test]
async fn a_topics_title_and_category_are_changed_and_nothing_else_is_sent() {
    let (forum, system) = start().await;
    change(&system, "topics", "5120", json!({"title": "Pump P-204 runs hot"})).await.unwrap();
    let fields = json!({"title": "Pump P-204 runs hot", "category_id": 9});
    let sent = json!({"topic": fields, "title": fields["title"], "category_id": 9});
    assert_eq!(forum.last(), ("PUT /t/-/5120.json".to_owned(), sent));
    let patch = json!({"categoryKey": key("categories", "8")});
    change(&system, "topics", "5120", patch).await.unwrap();
    assert_eq!(forum.last().1["topic"], json!({"title": "Pump P-204 runs hot", "category_id": 8}));
    assert_eq!(one(&system, "topics", "5120").await.record["title"], "Pump P-204 runs hot");
}

#[tokio::test]
async fn a_post_is_a_reply_and_its_whole_text_goes_with_every_edit() {
    let (forum, system) = start().await;
    let reply =
        json!({"topicKey": key("topics", "5120"), "raw": "Same here.", "replyToPostNumber": 2});
    let id = make(&system, "posts", reply).await.unwrap();
    let sent = json!({"topic_id": 5120, "raw": "Same here.", "reply_to_post_number": 2});
    assert_eq!(forum.last(), ("POST /posts.json".to_owned(), sent));
    change(&system, "posts", &id, json!({"raw": "Same here, twice."})).await.unwrap();
    assert_eq!(forum.last().1, json!({"post": {"raw": "Same here, twice."}}));
    change(&system, "posts", &id, json!({"editReason": "Grammar"})).await.unwrap();
    let sent = json!({"post": {"raw": "Same here, twice.", "edit_reason": "Grammar"}});
    assert_eq!(forum.last(), (format!("PUT /posts/{id}.json"), sent));
}

#[tokio::test]
async fn each_action_sets_its_status() {
    let (forum, system) = start().await;
    let current = one(&system, "topics", "5120").await;
    let until = json!({"until": "2030-12-31"});
    for (action, fields, status, enabled) in [
        ("close", json!({}), "closed", "true"),
        ("open", json!({}), "closed", "false"),
        ("archive", json!({}), "archived", "true"),
        ("unarchive", json!({}), "archived", "false"),
        ("pin", until.clone(), "pinned", "true"),
        ("pin-globally", until.clone(), "pinned_globally", "true"),
        ("unpin", json!({}), "pinned", "false"),
        ("show", json!({}), "visible", "true"),
        ("hide", json!({}), "visible", "false"),
    ] {
        let given = support::object(fields.clone());
        system.act("topics", &current, action, &given, &references()).await.unwrap();
        let sent = rows::with(json!({"status": status, "enabled": enabled}), fields);
        assert_eq!(forum.last(), ("PUT /t/5120/status.json".to_owned(), sent), "{action}");
    }
    assert_eq!(one(&system, "topics", "5120").await.record["isVisible"], false);
}

#[tokio::test]
async fn deleting_is_soft_and_the_record_counts_as_gone() {
    let (forum, system) = start().await;
    for (entity, id, request) in
        [("topics", "5120", "DELETE /t/5120.json"), ("posts", "20844", "DELETE /posts/20844.json")]
    {
        let current = one(&system, entity, id).await;
        system.delete(entity, &current).await.unwrap();
        assert_eq!(forum.last().0, request);
        assert!(system.get(entity, &[id.to_owned()]).await.unwrap().is_empty());
    }
    let site = forum.site();
    assert!(!site.topics[0]["deleted_at"].is_null() && !site.posts[0]["deleted_at"].is_null());
}

#[tokio::test]
async fn what_discourse_refuses_comes_back_in_its_own_words() {
    let (forum, system) = start().await;
    let reply = json!({"topicKey": key("topics", "5120"), "raw": "Hm"});
    let error: Error = make(&system, "posts", reply.clone()).await.unwrap_err().into_write_error();
    assert_eq!(error.code, ErrorCode::BusinessRuleViolated);
    assert_eq!(error.upstream.unwrap().message.as_deref(), Some("Body is too short"));
    let waits = json!({"action": "enqueued", "success": true, "pending_count": 1}).to_string();
    forum.site().instead = vec![(200, "application/json", waits)];
    let error = make(&system, "posts", reply).await.unwrap_err();
    assert!(error.message.contains("approval"), "{}", error.message);
    assert!(!error.sent, "its outcome is known");
}
