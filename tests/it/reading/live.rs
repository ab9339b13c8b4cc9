//! Reading through to the system, its own rows, and reading while it cannot be asked.

use http::Method;
use millwright_connection::Observation;
use serde_json::json;

use super::scene::{Scene, ids_of};

#[tokio::test]
async fn a_live_list_is_the_systems_own_of_this_moment() {
    let scene = Scene::calm().await;
    assert!(scene.ids("/v1/vendors").await.is_empty(), "nothing was synced");
    let ids = scene.ids("/v1/vendors?live=true&limit=4").await;
    assert_eq!(ids.len(), 25);
    assert!(ids.is_sorted(), "{ids:?}");
    scene.put_behind("vendors", "ven-0003", json!({"name": "Renamed", "code": "R"})).await;
    for query in ["filter[name]=Renamed", "filter[remoteId]=ven-0003"] {
        let found = scene.api.all(&format!("/v1/vendors?live=true&limit=5&{query}")).await;
        assert_eq!(ids_of(&found), ["ven-0003"], "{query}");
        assert_eq!(found[0]["name"], "Renamed");
    }
    assert!(scene.ids("/v1/vendors?live=true&filter[remoteId]=nobody").await.is_empty());
    assert!(scene.ids("/v1/vendors").await.is_empty(), "reading through keeps nothing");
}

#[tokio::test]
async fn a_live_record_is_as_the_system_has_it_beside_what_is_known_of_it() {
    let scene = Scene::calm().await;
    scene.found("vendors", [("ven-0003".to_owned(), json!({"name": "As synced"}))]).await;
    let path = format!("/v1/vendors/{}", scene.key("vendors", "ven-0003"));
    let kept = scene.api.get(&path).await;
    scene.put_behind("vendors", "ven-0003", json!({"name": "As it is", "code": "R"})).await;
    let live = scene.api.get(&format!("{path}?live=true")).await;
    assert_eq!((&kept["name"], &live["name"]), (&json!("As synced"), &json!("As it is")));
    assert_eq!(kept["meta"]["first_seen_at"], live["meta"]["first_seen_at"]);
    assert_ne!(kept["meta"]["etag"], live["meta"]["etag"]);
    scene.sandbox().delete("vendors", "ven-0003").await.unwrap();
    assert_eq!(scene.answer(&format!("{path}?live=true")).await.status, 404);
    assert_eq!(scene.answer(&path).await.status, 200, "the next sync notices");
    let key = scene.key("vendors", "ven-0009");
    assert_eq!(scene.answer(&format!("/v1/vendors/{key}?live=true")).await.status, 404);
}

#[tokio::test]
async fn the_systems_own_rows_stand_beside_the_records_of_a_page() {
    let scene = Scene::calm().await;
    let vendor = |n: u32| (format!("ven-{n:04}"), json!({"name": format!("{n}")}));
    scene.found("vendors", (1..=60).map(vendor)).await;
    scene.missed("vendors", &["ven-0007"]).await;
    let page = scene.api.get("/v1/vendors?include=raw&limit=500").await;
    let records = page["data"].as_array().unwrap();
    assert_eq!((records.len(), &page["has_more"]), (50, &json!(true)), "at most 50 a page");
    for record in records {
        let there = record["remoteId"].as_str().unwrap() <= "ven-0025";
        let id = &record["meta"]["raw"]["id"];
        assert_eq!(*id, if there { record["remoteId"].clone() } else { json!(null) });
    }
    let key = scene.key("vendors", "ven-0007");
    let path = format!("/v1/vendors/{key}?include=deleted,raw");
    let gone = scene.api.get(&path).await;
    assert!(gone["meta"]["raw"].is_null() && gone["deletedAt"].is_string(), "{gone:#}");
    let live = scene.api.get("/v1/vendors?include=raw&live=true&limit=2").await;
    assert_eq!(live["data"][1]["meta"]["raw"]["id"], "ven-0002");
    assert!(scene.api.get("/v1/vendors?limit=1").await["data"][0]["meta"].get("raw").is_none());
}

#[tokio::test]
async fn records_of_the_last_sync_are_read_while_the_system_fails_if_that_is_asked_for() {
    let scene = Scene::calm().await;
    scene.found("vendors", [("ven-0003".to_owned(), json!({"name": "As synced"}))]).await;
    let record = format!("/v1/vendors/{}", scene.key("vendors", "ven-0003"));
    let statuses = scene.api.get("/v1/statuses?limit=1").await;
    let status = format!("/v1/statuses/{}", statuses["data"][0]["key"].as_str().unwrap());
    for (observation, as_status, code) in [
        (Observation::Unreachable("down".to_owned()), 503, "CONNECTION_UNAVAILABLE"),
        (Observation::Refused("expired".to_owned()), 403, "REAUTHORIZATION_REQUIRED"),
    ] {
        scene.observe(observation).await;
        for path in ["/v1/statuses", status.as_str()] {
            let refused = scene.answer(path).await;
            assert_eq!((refused.status, refused.code()), (as_status, Some(code)), "{path}");
            let stale = scene.answer(&format!("{path}?allow_stale=true")).await;
            assert_eq!(stale.status, 200, "{path}: {:#}", stale.body);
        }
        for path in ["/v1/vendors", record.as_str()] {
            let refused = scene.answer(path).await;
            assert_eq!((refused.status, refused.code()), (as_status, Some(code)), "{path}");
            let stale = scene.answer(&format!("{path}?allow_stale=true")).await;
            assert_eq!(stale.status, 200, "{path}: {:#}", stale.body);
            assert_ne!(stale.headers["millwright-connection-status"], "active");
            let live = scene.answer(&format!("{path}?live=true")).await;
            assert_eq!((live.status, live.code()), (as_status, Some(code)), "{path}");
        }
        scene.observe(Observation::Answered).await;
    }
    assert_eq!(scene.answer("/v1/vendors?allow_stale=true").await.status, 200);
}

#[tokio::test]
async fn a_live_read_of_a_system_that_is_down_says_so_and_is_noted() {
    let scene = Scene::calm().await;
    let path = format!("/v1/connections/{}/scenario", scene.connection.id);
    let outage = json!({"name": "outage"});
    assert_eq!(scene.api.call(Method::PUT, &path, Some(&outage)).await.status, 200);
    let refused = scene.answer("/v1/vendors?live=true").await;
    assert_eq!((refused.status, refused.code()), (503, Some("CONNECTION_UNAVAILABLE")));
    assert!(refused.headers.contains_key("retry-after"));
    let connection = scene.api.get("/v1/connection").await;
    assert_eq!(connection["status"], "unavailable");
}

#[tokio::test]
async fn a_read_that_the_system_does_not_support_says_that_nothing_is_allowed() {
    let scene = Scene::calm().await;
    let refused = scene.api.with_header("Millwright-Scenario", "405");
    let refused = refused.call(Method::GET, "/v1/vendors", None).await;
    assert_eq!((refused.status, refused.code()), (405, Some("OPERATION_NOT_SUPPORTED")));
    assert_eq!(refused.headers["allow"], "");
}
