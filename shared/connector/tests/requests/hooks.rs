//! Webhooks of the system's own. The codes are from `openssl dgst -hmac` and Python's `hmac`.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use millwright_connector::{Hint, SystemErrorClass, manifest::HookAction};

use super::*;

const BODY: &str = r#"{"post":{"id":41,"topic_id":7},"deleted":null}"#;
const SHA256: &str = "1b87246424287f40c1721305d19968f6a4e4e04db354ae4b202a3d03ae23ad2b";
const SHA1_BASE64: &str = "BxEY3bW++QL78SB44hzjABvP5vE=";
const SHA512: &str = "4c62488ddef8f5835dd1f669f1000c68ee5a4e6db9cee122a39f8a636014efae\
                      9d493fd9b384bb1c3d7f2a9f72b6ed43ca773ba627d684c3c5c7d8cc6d705379";
/// With the empty key.
const UNKEYED: &str = "8f9832d97fc83f3c3c402589d8c5bbec419737542cee6274e0c8a8a8278a6287";
/// Over `msg_1.1800000000.` and the body.
const STANDARD: &str = "v1,dNYUOhc04+Xe7GprgfPubDgaJXWt20TAY6uK+F8pZOY=";

const EVENTS: &str = r#"
  events:
    - { when: { header: { name: X-Event, one_of: [post_made, post_edited] } }, entity: topics, id: post.topic_id }
    - { when: { header: { name: X-Event, equals: gone } }, entity: topics, id: post.topic_id, action: delete }
    - { when: { path: list }, entity: topics, each: list, id: id }
"#;

fn signed(verify: &str) -> String {
    format!("webhooks_in:\n  verify: {verify}{EVENTS}")
}

fn discourse_like() -> String {
    signed(
        "{ hmac: { header: X-Signature, prefix: \"sha256=\", algorithm: sha256, encoding: hex, \
         key: \"{credentials.hook}\" } }",
    )
}

fn system(more: &str) -> System {
    open(&engine(more), "http://127.0.0.1:1")
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    });
    pairs.collect()
}

fn class(system: &System, pairs: &[(&'static str, &str)], body: &str) -> SystemErrorClass {
    system.verify_hook(&headers(pairs), body.as_bytes()).unwrap_err().class
}

#[test]
fn a_signed_webhook_tells_which_record_to_read_again() {
    let system = system(&discourse_like());
    let signature = format!("sha256={SHA256}");
    let hint = |action| Hint { entity: "topics".to_owned(), remote_id: "7".to_owned(), action };
    for (event, expected) in [
        ("post_made", vec![hint(HookAction::Upsert)]),
        ("gone", vec![hint(HookAction::Delete)]),
        ("ping", vec![]),
    ] {
        let headers = headers(&[("x-signature", &signature), ("x-event", event)]);
        assert_eq!(system.verify_hook(&headers, BODY.as_bytes()).unwrap(), expected, "{event}");
    }
    let large = format!("sha256={}", SHA256.to_uppercase());
    assert!(system.verify_hook(&headers(&[("x-signature", &large)]), BODY.as_bytes()).is_ok());
}

#[test]
fn a_webhook_that_is_not_signed_so_is_refused() {
    let system = system(&discourse_like());
    let changed = BODY.replace("41", "42");
    let wrong = format!("sha256={}", SHA256.replace('1', "2"));
    for (given, body) in [
        (vec![], BODY),
        (vec![("x-signature", "")], BODY),
        (vec![("x-signature", "sha256=")], BODY),
        (vec![("x-signature", SHA256)], BODY),
        (vec![("x-signature", wrong.as_str())], BODY),
        (vec![("x-other", SHA256)], BODY),
    ] {
        assert_eq!(class(&system, &given, body), SystemErrorClass::Permission, "{given:?}");
    }
    let right = format!("sha256={SHA256}");
    let given = [("x-signature", right.as_str())];
    assert_eq!(class(&system, &given, &changed), SystemErrorClass::Permission);
    let unkeyed = format!("sha256={UNKEYED}");
    assert_eq!(class(&system, &[("x-signature", &unkeyed)], BODY), SystemErrorClass::Permission);
}

#[test]
fn without_a_secret_nothing_is_genuine() {
    for (verify, name, value) in [
        (discourse_like(), "x-signature", format!("sha256={UNKEYED}")),
        (
            signed("{ token: { header: X-Token, value: \"{credentials.hook}\" } }"),
            "x-token",
            String::new(),
        ),
    ] {
        let target = support::target("made-up", json!({"url": "http://127.0.0.1:1"}), &[]);
        let system = engine(&verify).open(target).unwrap();
        let error = system.verify_hook(&headers(&[(name, &value)]), BODY.as_bytes()).unwrap_err();
        assert_eq!(error.class, SystemErrorClass::Permission);
        assert!(error.message.contains("no secret"), "{}", error.message);
    }
}

#[test]
fn each_hash_and_encoding_fits_its_vector() {
    for (rule, value) in [
        ("algorithm: sha1, encoding: base64", SHA1_BASE64),
        ("algorithm: sha512, encoding: hex", SHA512),
        ("algorithm: sha256, encoding: hex, key_form: base64", SHA256),
    ] {
        let key = if rule.contains("key_form") { "cGxhbnRlZC1ob29r" } else { "planted-hook" };
        let verify =
            format!("{{ hmac: {{ header: X-Signature, key: \"{{credentials.hook}}\", {rule} }} }}");
        let credentials = [("hook", key)];
        let target = support::target("made-up", json!({"url": "http://127.0.0.1:1"}), &credentials);
        let system = engine(&signed(&verify)).open(target).unwrap();
        let given = headers(&[("x-signature", value)]);
        assert!(system.verify_hook(&given, BODY.as_bytes()).is_ok(), "{rule}");
    }
}

fn standard(tolerance: &str) -> String {
    signed(&format!(
        "{{ hmac: {{ header: webhook-signature, prefix: \"v1,\", algorithm: sha256, encoding: base64, \
         key: \"{{credentials.hook}}\", text: \"{{headers.webhook-id}}.{{timestamp}}.{{body}}\", \
         timestamp: {{ header: webhook-timestamp{tolerance} }} }} }}"
    ))
}

#[test]
fn a_time_is_part_of_what_is_signed_and_must_be_near() {
    let given = |time| {
        [("webhook-id", "msg_1"), ("webhook-timestamp", time), ("webhook-signature", STANDARD)]
    };
    let patient = system(&standard(", tolerance_seconds: 4000000000"));
    let several = format!("v1,AAAA {STANDARD}");
    let mut rotated = given("1800000000");
    assert!(patient.verify_hook(&headers(&rotated), BODY.as_bytes()).is_ok());
    rotated[2].1 = &several;
    assert!(patient.verify_hook(&headers(&rotated), BODY.as_bytes()).is_ok());
    for time in ["1800000001", "soon", ""] {
        assert_eq!(class(&patient, &given(time), BODY), SystemErrorClass::Permission, "{time}");
    }
    assert_eq!(class(&patient, &given("1800000000")[1..], BODY), SystemErrorClass::Permission);
    // The same, where five minutes are the limit.
    let strict = system(&standard(""));
    assert_eq!(class(&strict, &given("1800000000"), BODY), SystemErrorClass::Permission);
}

#[test]
fn a_token_is_compared_whole() {
    let system = system(&signed("{ token: { header: X-Token, value: \"{credentials.hook}\" } }"));
    let list = r#"{"list": [{"id": 1}, {"id": "b"}, {"id": 1}]}"#;
    let hints = system.verify_hook(&headers(&[("x-token", "planted-hook")]), list.as_bytes());
    let ids: Vec<_> = hints.unwrap().into_iter().map(|hint| hint.remote_id).collect();
    assert_eq!(ids, ["1", "b"]);
    for wrong in ["planted-hoo", "planted-hook2", ""] {
        assert_eq!(class(&system, &[("x-token", wrong)], list), SystemErrorClass::Permission);
    }
    let given = [("x-token", "planted-hook")];
    assert_eq!(class(&system, &given, "no json"), SystemErrorClass::Malformed);
    assert_eq!(class(&system, &given, r#"{"list": [{}]}"#), SystemErrorClass::Malformed);
}

#[test]
fn a_connector_without_webhooks_has_none() {
    assert_eq!(class(&system(""), &[], BODY), SystemErrorClass::Unsupported);
}

#[test]
fn what_cannot_be_meant_of_webhooks_is_refused() {
    let standard = standard("");
    for (good, what, instead, said) in [
        (&standard, "{credentials.hook}", "fixed", "is out of the credentials or settings"),
        (&standard, "{timestamp}.", "", "names {timestamp} and `timestamp` is given, or neither"),
        (&standard, "{body}", "", "does not name {body}"),
        (&standard, "entity: topics, id", "entity: posts, id", "`posts` is not among the entities"),
        (&standard, "{ path: list }", "{ status: [200], path: list }", "has no status"),
        (&standard, "{ path: list }", "{}", "says nothing"),
    ] {
        assert!(good.contains(what), "{what}");
        let why = refused(&good.replacen(what, instead, 1));
        assert!(why.contains(said), "{instead}: {why}");
    }
}
