//! What Discourse tells by itself.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use hmac::{Hmac, KeyInit as _, Mac as _};
use millwright_connector::{Hint, SystemErrorClass, manifest::HookAction};
use sha2::Sha256;

use super::*;

fn system() -> System {
    support::engine().open(target("http://127.0.0.1:1", KEY, true)).unwrap()
}

fn headers(kind: &str, event: &str, secret: &str, body: &str) -> HeaderMap {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let code = mac.finalize().into_bytes();
    let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    let pairs = [
        ("content-type", "application/json".to_owned()),
        ("x-discourse-instance", "https://community.example.com".to_owned()),
        ("x-discourse-event-id", "17".to_owned()),
        ("x-discourse-event-type", kind.to_owned()),
        ("x-discourse-event", event.to_owned()),
        ("x-discourse-event-signature", format!("sha256={code}")),
    ];
    let pair = |(name, value): (&'static str, String)| {
        (HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap())
    };
    pairs.into_iter().map(pair).collect()
}

fn told(kind: &str, event: &str, body: &Value) -> Vec<Hint> {
    let body = body.to_string();
    system().verify_hook(&headers(kind, event, SECRET, &body), body.as_bytes()).unwrap()
}

fn hint(entity: &str, id: &str, action: HookAction) -> Hint {
    Hint { entity: entity.to_owned(), remote_id: id.to_owned(), action }
}

#[test]
fn each_event_tells_which_record_to_read_again() {
    let again = |entity, id| hint(entity, id, HookAction::Upsert);
    let topic =
        json!({"topic": {"id": 5120, "title": "Pump", "archetype": "regular", "deleted_at": null}});
    for event in [
        "topic_created",
        "topic_revised",
        "topic_edited",
        "topic_recovered",
        "topic_destroyed",
        "topic_closed_status_updated",
        "topic_archived_status_updated",
        "topic_visible_status_updated",
        "topic_pinned_status_updated",
        "topic_pinned_globally_status_updated",
    ] {
        assert_eq!(told("topic", event, &topic), [again("topics", "5120")], "{event}");
    }
    let post =
        json!({"post": {"id": 41, "topic_id": 7, "topic_archetype": "regular", "post_type": 1}});
    for event in ["post_created", "post_edited", "post_recovered", "post_destroyed"] {
        assert_eq!(
            told("post", event, &post),
            [again("posts", "41"), again("topics", "7")],
            "{event}"
        );
    }
    let note =
        json!({"post": {"id": 42, "topic_id": 7, "topic_archetype": "regular", "post_type": 3}});
    assert_eq!(told("post", "post_created", &note), [again("topics", "7")], "Discourse's own");
    for (kind, entity, event) in [
        ("category", "categories", "category_updated"),
        ("group", "groups", "group_created"),
        ("user", "users", "user_updated"),
    ] {
        assert_eq!(told(kind, event, &json!({kind: {"id": 3}})), [again(entity, "3")], "{event}");
        let gone = [hint(entity, "3", HookAction::Delete)];
        assert_eq!(told(kind, &format!("{kind}_destroyed"), &json!({kind: {"id": 3}})), gone);
    }
}

#[test]
fn a_ping_and_what_is_about_nothing_of_ours_tell_nothing() {
    assert_eq!(told("ping", "ping", &json!({"ping": "OK"})), []);
    assert_eq!(told("tag", "tag_created", &json!({"tag": {"id": 1, "name": "pumps"}})), []);
    let message = json!({"topic": {"id": 8, "archetype": "private_message"}});
    assert_eq!(told("topic", "topic_created", &message), []);
    let message =
        json!({"id": 43, "topic_id": 8, "topic_archetype": "private_message", "post_type": 1});
    assert_eq!(told("post", "post_created", &json!({"post": message})), []);
    assert_eq!(told("user", "user_logged_in", &json!({"user": {"id": 3}})), []);
}

#[test]
fn what_is_forged_or_changed_on_its_way_is_refused() {
    let body =
        json!({"post": {"id": 41, "topic_id": 7, "topic_archetype": "regular", "post_type": 1}})
            .to_string();
    let genuine = headers("post", "post_created", SECRET, &body);
    let class = |headers: &HeaderMap, body: &str| {
        system().verify_hook(headers, body.as_bytes()).unwrap_err().class
    };
    assert_eq!(class(&genuine, &body.replace("41", "42")), SystemErrorClass::Permission);
    let forged = headers("post", "post_created", "another secret", &body);
    assert_eq!(class(&forged, &body), SystemErrorClass::Permission);
    let mut unsigned = genuine.clone();
    unsigned.remove("x-discourse-event-signature");
    assert_eq!(class(&unsigned, &body), SystemErrorClass::Permission);
}
