//! Comparing everything: what it costs, what it takes for a deletion, and what stands in its way.

use std::collections::BTreeMap;

use millwright_connection::{Issue, IssueFilter, IssueState, list_issues};
use millwright_records::{RecordDoc, records_pk};
use millwright_store::{Range, Row, Table, Write};
use millwright_sync::{
    Mode, RequestedSync, SyncSettings, SyncStatus, Vanished, change_settings, request_sync,
};

use crate::reading_histories::{
    Place, Synced,
    source::{Row as SourceRow, Source, read},
};

const SWEEP: &str = "deletes: { sweep: { every_runs: 1 } }";

fn everything() -> String {
    read("rows", "after: \"{page.after}\"", "{ id_after: {} }")
}

/// Everything is read each time, and what is not shown is gone.
fn compared() -> Vec<String> {
    vec![everything(), SWEEP.to_owned()]
}

impl Synced<'_> {
    async fn rows(&self) -> BTreeMap<String, Row<RecordDoc>> {
        let pk = records_pk(&self.workspace, &self.connection.id, "vendors");
        let store = &self.context.store;
        let rows: Vec<Row<RecordDoc>> =
            store.query_all(Table::Records, &pk, &Range::All).await.unwrap();
        rows.into_iter().map(|row| (row.doc.remote_id.clone(), row)).collect()
    }

    async fn issues(&self, state: IssueState) -> Vec<Issue> {
        let filter = IssueFilter { state: Some(state), ..IssueFilter::default() };
        let store = &self.context.store;
        list_issues(store, &self.workspace, &filter, None, 100).await.unwrap().0
    }

    /// The kinds of the open issues.
    async fn open(&self) -> Vec<&'static str> {
        self.issues(IssueState::Open).await.iter().map(|issue| issue.kind.as_str()).collect()
    }
}

#[tokio::test]
async fn of_what_has_not_changed_no_row_is_read_or_written() {
    let (place, source) = (Place::start().await, Source::start(30).await);
    let synced = place.connect(&compared(), &source).await;
    synced.calm_pass().await;
    // Were the row read, it would count as different.
    let mut row = synced.rows().await.remove("7").unwrap();
    row.doc.hash = "another".to_owned();
    synced.context.store.write(Write::replace(&row).unwrap()).await.unwrap();
    let before = synced.rows().await;
    source.change(|world| {
        world.put(9, "changed");
        world.delete(11);
        world.put(31, "new");
    });
    source.asked();
    synced.calm_pass().await;
    let counts = synced.state().await.counts;
    assert_eq!((counts.seen, counts.unchanged), (30, 28));
    assert_eq!((counts.inserted, counts.updated, counts.deleted), (1, 1, 1));
    let mut after = synced.rows().await;
    let changed: Vec<String> = ["9", "11", "31"].map(str::to_owned).to_vec();
    assert!(
        changed
            .iter()
            .all(|id| after.remove(id).map(|row| row.version)
                != before.get(id).map(|row| row.version))
    );
    for (id, row) in after {
        assert_eq!(row.version, before[&id].version, "{id}");
    }
    let asked = source.asked();
    assert!(asked.iter().all(|uri| uri.starts_with("/rows")), "{asked:?}");
    assert_eq!(asked.len(), 11, "each page once: ten of three rows, and the end");
}

#[tokio::test]
async fn fingerprints_that_are_lost_or_damaged_are_made_anew_of_the_rows() {
    let (place, source) = (Place::start().await, Source::start(12).await);
    let synced = place.connect(&compared(), &source).await;
    synced.calm_pass().await;
    let kept = format!("{}/sync/{}/vendors/prints", synced.workspace, synced.connection.id);
    let blob = &synced.context.blob;
    for damaged in [None, Some("nonsense")] {
        blob.delete(&kept).await.unwrap();
        if let Some(text) = damaged {
            blob.put(&kept, text.into()).await.unwrap();
        }
        let gone = source.change(|world| {
            let id = *world.rows.keys().next().unwrap();
            world.delete(id);
            id
        });
        synced.calm_pass().await;
        let counts = synced.state().await.counts;
        assert_eq!((counts.unchanged, counts.deleted), (counts.seen, 1));
        assert!(!synced.records().await.contains_key(&gone));
    }
}

#[tokio::test]
async fn the_systems_rows_are_kept_with_their_records_where_that_is_wanted() {
    let (place, source) = (Place::start().await, Source::start(8).await);
    let synced = place.connect(&compared(), &source).await;
    synced.calm_pass().await;
    let before = synced.rows().await;
    assert!(before.values().all(|row| row.doc.raw.is_none()));

    let wanted = SyncSettings { keep_raw: true, ..SyncSettings::default() };
    change_settings(&synced.context, &synced.connection, "vendors", &wanted).await.unwrap();
    for pinned in [3, 5] {
        // A member that no record shows.
        source.change(|world| world.rows.get_mut(&pinned).unwrap().pinned = true);
        synced.calm_pass().await;
        let counts = synced.state().await.counts;
        assert_eq!(
            (counts.updated, counts.unchanged),
            (0, 8),
            "another row is no change to tell of"
        );
        for (id, row) in synced.rows().await {
            let kept = row.doc.raw.unwrap().row().unwrap();
            assert_eq!(kept["id"].to_string(), id);
            assert_eq!(kept["pinned"], id == "3" || id == pinned.to_string(), "{id} {kept}");
            assert_eq!(row.doc.changed_at, before[&id].doc.changed_at);
        }
    }
    let before = synced.rows().await;
    source.change(|world| world.put(7, "changed"));
    synced.calm_pass().await;
    for (id, row) in synced.rows().await {
        assert_eq!(row.version == before[&id].version, id != "7", "{id}");
        let kept = row.doc.raw.unwrap().row().unwrap();
        assert_eq!(kept["name"] == "changed", id == "7");
    }

    change_settings(&synced.context, &synced.connection, "vendors", &SyncSettings::default())
        .await
        .unwrap();
    source.change(|world| world.put(7, "changed again"));
    synced.calm_pass().await;
    assert_eq!(synced.rows().await["7"].doc.raw, None, "the row of what it was before is not kept");
}

#[tokio::test]
async fn too_many_deletions_are_held_until_somebody_confirms_them() {
    let (place, source) = (Place::start().await, Source::start(20).await);
    let mut synced = place.connect(&compared(), &source).await;
    synced.limits.vanish_percent = 20;
    synced.calm_pass().await;
    source.change(|world| (1..=4).for_each(|id| world.delete(id)));
    synced.calm_pass().await;
    assert_eq!(
        (synced.records().await.len(), synced.state().await.status),
        (16, SyncStatus::Completed)
    );
    // A filter that somebody has set: half of them are no longer shown.
    source.change(|world| {
        (5..=12).for_each(|id| world.delete(id));
        world.put(13, "changed meanwhile");
    });
    for _ in 0..2 {
        synced.calm_pass().await;
        let state = synced.state().await;
        assert_eq!(state.status, SyncStatus::Held);
        assert_eq!(state.held, Some(Vanished { missing: 8, of: 16 }));
        assert_eq!(synced.open().await, ["deletions_held"], "one issue, however often");
        let records = synced.records().await;
        assert_eq!((records.len(), records[&13].as_str()), (16, "changed meanwhile"));
    }
    // More vanishes than was confirmed.
    let confirm =
        RequestedSync { entities: None, mode: Mode::Incremental, confirm_deletions: true };
    request_sync(&synced.context, &synced.connection, &confirm).await.unwrap();
    source.change(|world| (13..=18).for_each(|id| world.delete(id)));
    synced.calm_pass().await;
    assert_eq!(synced.state().await.held, Some(Vanished { missing: 14, of: 16 }));
    request_sync(&synced.context, &synced.connection, &confirm).await.unwrap();
    synced.calm_pass().await;
    let state = synced.state().await;
    assert_eq!((state.status, state.held, state.counts.deleted), (SyncStatus::Completed, None, 14));
    assert_eq!(synced.records().await.into_keys().collect::<Vec<_>>(), [19, 20]);
    assert!(synced.open().await.is_empty());
}

#[tokio::test]
async fn what_is_shown_again_is_held_no_longer() {
    let (place, source) = (Place::start().await, Source::start(10).await);
    let mut synced = place.connect(&compared(), &source).await;
    synced.limits.vanish_percent = 20;
    synced.calm_pass().await;
    let rows = source.change(|world| std::mem::take(&mut world.rows));
    synced.calm_pass().await;
    assert_eq!(synced.state().await.held, Some(Vanished { missing: 10, of: 10 }));
    source.change(|world| world.rows = rows);
    synced.calm_pass().await;
    let state = synced.state().await;
    assert_eq!(
        (state.status, state.held, state.counts.unchanged),
        (SyncStatus::Completed, None, 10)
    );
    assert!(synced.open().await.is_empty());
}

#[tokio::test]
async fn a_record_without_a_time_is_found_by_the_listing_and_told_once() {
    let (place, source) = (Place::start().await, Source::start(10).await);
    let window = "incremental: { filter: { window: \"{since|unix_seconds}\" } }";
    let listed = read("rows", "after: \"{page.after}\", since: \"{window}\"", "{ id_after: {} }");
    let parts = [listed, window.to_owned(), SWEEP.to_owned()];
    let synced = place.connect(&parts, &source).await;
    synced.calm_pass().await;
    source.change(|world| {
        let timeless = SourceRow { name: "timeless".to_owned(), ..SourceRow::default() };
        world.rows.insert(11, timeless);
    });
    for inserted in [1, 0, 0] {
        synced.calm_pass().await;
        let counts = synced.state().await.counts;
        assert_eq!((counts.inserted, counts.deleted), (inserted, 0));
        assert_eq!(synced.records().await[&11], "timeless");
    }
    source.change(|world| "changed".clone_into(&mut world.rows.get_mut(&11).unwrap().name));
    let full = RequestedSync { entities: None, mode: Mode::Full, confirm_deletions: false };
    request_sync(&synced.context, &synced.connection, &full).await.unwrap();
    synced.calm_pass().await;
    let counts = synced.state().await.counts;
    assert_eq!((counts.updated, counts.unchanged), (1, 10));
    assert_eq!(synced.records().await[&11], "changed");
}

#[tokio::test]
async fn what_cannot_be_read_is_left_out_named_and_told_once() {
    let (place, source) = (Place::start().await, Source::start(10).await);
    let parts = [
        everything(),
        "get: { request: { method: GET, path: \"row/{id}\" } }".to_owned(),
        "detail: get".to_owned(),
    ];
    let synced = place.connect(&parts, &source).await;
    source.change(|world| world.refused.extend([(3, 422), (8, 403)]));
    for _ in 0..2 {
        synced.calm_pass().await;
        let state = synced.state().await;
        assert_eq!((state.status, state.counts.skipped), (SyncStatus::CompletedWithErrors, 2));
        let named: Vec<&str> = state.skips.iter().map(|own| own.remote_id.as_str()).collect();
        assert_eq!(named, ["3", "8"]);
        let issues = synced.issues(IssueState::Open).await;
        assert_eq!(issues.len(), 1);
        assert!(issues[0].message.contains("2 records") && issues[0].message.contains("of them 3"));
    }
    assert_eq!(synced.records().await.len(), 8);
    source.change(|world| world.refused.clear());
    synced.calm_pass().await;
    assert_eq!((synced.records().await.len(), synced.state().await.skips.len()), (10, 0));
    assert!(synced.open().await.is_empty());
}

#[tokio::test]
async fn a_field_that_is_missing_or_in_another_form_is_named_and_what_was_known_stays() {
    let (place, source) = (Place::start().await, Source::start(6).await);
    let synced = place.connect(&compared(), &source).await;
    synced.calm_pass().await;
    let before = synced.records().await;
    source.change(|world| {
        world.reformed.extend([2, 5, 7]);
        world.nameless.insert(3);
        world.put(5, "changed");
        world.put(7, "new");
    });
    synced.calm_pass().await;
    let state = synced.state().await;
    assert_eq!((state.status, state.counts.skipped), (SyncStatus::CompletedWithErrors, 4));
    let mut named: Vec<(&str, Option<&str>)> =
        state.skips.iter().map(|own| (own.remote_id.as_str(), own.field.as_deref())).collect();
    named.sort_unstable();
    let time = Some("updatedAt");
    assert_eq!(named, [("2", time), ("3", Some("name")), ("5", time), ("7", time)]);
    assert_eq!(state.counts.deleted, 0, "what cannot be read is not gone");
    assert_eq!(synced.records().await, before);
    let issues = synced.issues(IssueState::Open).await;
    assert!(issues.len() == 1 && issues[0].message.contains("4 records"), "{issues:?}");
    source.change(|world| {
        world.reformed.clear();
        world.nameless.clear();
    });
    synced.calm_pass().await;
    let records = synced.records().await;
    assert_eq!((records.len(), records[&5].as_str()), (7, "changed"));
    assert!(synced.open().await.is_empty());
}

#[tokio::test]
async fn a_row_that_spoils_its_page_is_found_by_halving_and_left_out_alone() {
    let (place, source) = (Place::start().await, Source::start(20).await);
    let ids = "deletes: { sweep: { request: { method: GET, path: ids, query: { after: \"{page.after}\", \
               limit: \"{page.size}\" } }, rows: rows, id: id, every_runs: 1 } }";
    let synced = place.connect(&[everything(), ids.to_owned()], &source).await;
    synced.calm_pass().await;
    source.change(|world| {
        world.poison.insert(8);
        [1, 7, 9, 20].into_iter().for_each(|id| world.put(id, "changed"));
    });
    synced.calm_pass().await;
    let state = synced.state().await;
    assert_eq!((state.status, state.counts.skipped), (SyncStatus::CompletedWithErrors, 1));
    assert_eq!(state.skips[0].remote_id, "8");
    let records = synced.records().await;
    assert_eq!(records.len(), 20, "what cannot be read is not gone");
    assert!([1, 7, 9, 20].iter().all(|id| records[id] == "changed"));
    assert_eq!(synced.open().await, ["records_skipped"]);
    // A system that shows no row at all has lost none.
    source.change(|world| world.poison.extend(1..=20));
    place.clock.step(synced.limits.interval * 2);
    for _ in 0..6 {
        synced.slice(std::time::Duration::from_secs(30), None).await;
        place.clock.step(synced.limits.interval * 2);
    }
    let state = synced.state().await;
    assert_eq!((state.status, state.counts.skipped), (SyncStatus::Failed, 0));
    assert_eq!(synced.records().await.len(), 20);
    source.change(|world| world.poison.clear());
    synced.calm_pass().await;
    assert_eq!(
        (synced.state().await.status, synced.open().await.len()),
        (SyncStatus::Completed, 0)
    );
}
