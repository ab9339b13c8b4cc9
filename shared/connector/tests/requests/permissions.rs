//! What the connected account may do, as the system tells it.

use millwright_connector::Permission::{Granted, Missing, Unknown};

use super::*;

const PROBES: &str = r#"    permissions:
      - request: { method: GET, path: rights }
        granted:
          read: { status: [200] }
          create: { path: can.create, equals: true }
          update: { path: can.update, equals: true }
          actions.close: { path: roles, contains: moderator }
      - request: { method: GET, path: more-rights }
        granted: { update: { path: yes }, delete: { path: yes } }
"#;

#[tokio::test]
async fn each_operation_is_granted_missing_or_unknown() {
    let rights = json!({"can": {"create": true, "update": true}, "roles": ["a moderator"]});
    let answers =
        [on("GET /api/rights", 200, rights), on("GET /api/more-rights", 403, Value::Null)];
    let (server, system) = play(PROBES, answers).await;
    let permissions = system.permissions("topics").await;
    let of = |operation| permissions.of(operation);
    assert_eq!((of("read"), of("create"), of("actions.close")), (Granted, Granted, Granted));
    assert_eq!((of("update"), of("delete")), (Missing, Missing), "one that is missing decides");
    assert_eq!(of("actions.other"), Unknown);
    assert_eq!(
        serde_json::to_value(&permissions).unwrap(),
        json!({"actions.close": "granted", "create": "granted", "delete": "missing",
            "read": "granted", "update": "missing"})
    );
    assert_eq!(system.permissions("topics").await, permissions, "believed for a while");
    server.assert_played();
}

#[tokio::test]
async fn what_the_system_does_not_say_is_unknown() {
    let answers = [
        on("GET /api/rights", 500, Value::Null),
        on("GET /api/more-rights", 200, json!({"yes": 1})),
    ];
    let (server, system) = play(PROBES, answers).await;
    let permissions = system.permissions("topics").await;
    assert_eq!((permissions.of("read"), permissions.of("create")), (Unknown, Unknown));
    assert_eq!((permissions.of("delete"), permissions.of("update")), (Granted, Unknown));
    assert_eq!(system.permissions("posts").await.known().count(), 0);
    server.assert_played();
}

#[test]
fn what_cannot_be_meant_of_permissions_is_refused() {
    for (what, instead, said) in [
        ("create:", "make:", "is no operation"),
        ("actions.close", "actions.", "is no operation"),
        ("{ status: [200] }", "{}", "says nothing"),
        ("path: rights", "path: \"{ids}\"", "`{ids}` cannot be named here"),
    ] {
        let why = refused(&PROBES.replacen(what, instead, 1));
        assert!(why.contains(said), "{instead}: {why}");
    }
}
