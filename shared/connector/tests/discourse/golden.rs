//! Each entity's row, as it is described, and the record that it becomes.

use super::*;

fn with_key(entity: &str, id: &str, record: Value) -> Value {
    let own = json!({"key": key(entity, id), "remoteId": id});
    rows::with(own, record)
}

#[tokio::test]
async fn users_come_with_the_addresses_that_the_list_shows() {
    let (_, system) = start().await;
    let users = pulled(&system, "users", None).await.records;
    let expected = [
        with_key(
            "users",
            "-1",
            json!({"name": "system", "username": "system", "title": null,
            "roleName": "admin", "isActive": true, "lastLoginAt": null,
            "createdAt": "2026-01-05T09:00:00.123Z"}),
        ),
        with_key(
            "users",
            "12",
            json!({"name": "Amira Haddad", "username": "ahaddad",
            "email": "amira.haddad@meadowbank.example", "title": "Lead mechanic",
            "roleName": "trust level 2", "isActive": true,
            "lastLoginAt": "2026-03-09T06:58:00.001Z", "createdAt": "2026-03-02T08:15:00.000Z"}),
        ),
        with_key(
            "users",
            "13",
            json!({"name": null, "username": "jtriage", "title": null,
            "roleName": "moderator", "isActive": false, "lastLoginAt": null,
            "createdAt": "2026-03-03T08:15:00.000Z"}),
        ),
    ];
    assert_eq!(users.iter().map(shown).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn groups_tell_who_may_see_and_join_them() {
    let (_, system) = start().await;
    let groups = pulled(&system, "groups", None).await.records;
    let expected = [
        with_key(
            "groups",
            "3",
            json!({"name": "staff", "fullName": null, "title": null,
            "description": null, "memberCount": 4, "isAutomatic": true, "isVisible": false,
            "allowsJoining": false, "allowsLeaving": false, "allowsRequests": false}),
        ),
        with_key(
            "groups",
            "41",
            json!({"name": "mechanics", "fullName": "Mechanics of all plants",
            "title": "Mechanic", "description": "Ask us about pumps", "memberCount": 27,
            "isAutomatic": false, "isVisible": true, "allowsJoining": true, "allowsLeaving": true,
            "allowsRequests": false}),
        ),
    ];
    assert_eq!(groups.iter().map(shown).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn categories_come_with_those_below_them() {
    let (_, system) = start().await;
    let categories = pulled(&system, "categories", None).await.records;
    let expected = [
        with_key(
            "categories",
            "8",
            json!({"name": "Maintenance", "slug": "maintenance",
            "description": "Everything about keeping machines running", "color": "0E76BD",
            "textColor": "FFFFFF", "position": 3, "topicCount": 412, "postCount": 1930,
            "isReadRestricted": false}),
        ),
        with_key(
            "categories",
            "9",
            json!({"name": "Pumps", "slug": "pumps",
            "parentKey": key("categories", "8"), "description": null, "color": "00AA55",
            "textColor": "FFFFFF", "position": 4, "topicCount": 40, "postCount": 99,
            "isReadRestricted": true}),
        ),
    ];
    assert_eq!(categories.iter().map(shown).collect::<Vec<_>>(), expected);
}

fn topic() -> Value {
    with_key(
        "topics",
        "5120",
        json!({"title": "Pump P-204 runs hot after overhaul",
        "slug": "pump-p-204-runs-hot-after-overhaul", "categoryKey": key("categories", "9"),
        "authorKey": key("users", "12"), "postsCount": 4, "replyCount": 3, "likeCount": 7,
        "viewCount": 214, "lastPostedAt": "2026-03-09T13:40:00.000Z", "isPinned": false,
        "isClosed": false, "isArchived": false, "isVisible": true,
        "createdAt": "2026-03-02T08:15:00.000Z"}),
    )
}

#[tokio::test]
async fn a_listed_topic_and_one_that_is_read_by_its_id_are_the_same() {
    let (_, system) = start().await;
    let listed = pulled(&system, "topics", None).await.records.remove(0);
    let bumped = json!({"bumpedAt": "2026-03-09T13:40:00.000Z"});
    assert_eq!(shown(&listed), rows::with(topic(), bumped));
    assert_eq!(listed.unshown, ["tags"]);
    let by_id = one(&system, "topics", "5120").await;
    assert_eq!(shown(&by_id), rows::with(topic(), json!({"tags": ["pumps", "bearings"]})));
    assert_eq!(by_id.unshown, ["bumpedAt"]);
}

#[tokio::test]
async fn tags_are_words_or_objects() {
    let (forum, system) = start().await;
    let tags = json!([{"id": 1, "name": "pumps", "slug": "pumps"}, {"id": 2, "name": "seals", "slug": "s"}]);
    forum.site().topics[0]["tags"] = tags;
    assert_eq!(one(&system, "topics", "5120").await.record["tags"], json!(["pumps", "seals"]));
}

#[tokio::test]
async fn a_listed_post_and_one_that_is_read_by_its_id_are_the_same() {
    let (forum, system) = start().await;
    let expected = with_key(
        "posts",
        "20844",
        json!({"topicKey": key("topics", "5120"), "postNumber": 2,
        "authorKey": key("users", "12"), "replyToPostNumber": 1,
        "raw": "Check the *alignment* of the coupling first.",
        "cooked": "<p>Check the <em>alignment</em> of the coupling first.</p>", "editReason": "Typo",
        "version": 2, "likeCount": 3, "isHidden": false, "createdAt": "2026-03-05T10:00:00.000Z",
        "updatedAt": "2026-03-06T11:30:00.000Z"}),
    );
    // It is described as a text, and sent as a number.
    forum.site().instead = vec![(200, "application/json", rows::recorded("posts").to_string())];
    let page = system.pull("posts", &Pull::default()).await.unwrap();
    assert_eq!(shown(&page.records[0]), expected);
    assert_eq!(shown(&one(&system, "posts", "20844").await), expected);
    forum.site().posts[0]["reply_to_post_number"] = Value::Null;
    forum.site().posts[0]["actions_summary"] = json!([{"id": 2, "can_act": true}]);
    let plain = one(&system, "posts", "20844").await.record;
    assert_eq!((&plain["replyToPostNumber"], &plain["likeCount"]), (&Value::Null, &json!(0)));
}
