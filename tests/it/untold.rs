//! Rows that a lost commit has put and no page shows again.

use std::collections::BTreeMap;

use millwright_entities::record_key;
use millwright_records::{CommitId, RecordDoc, Scope, Seq, read_changes};
use millwright_sync::{SyncState, sync_key};

use crate::reading_histories::{
    Place, Synced,
    source::{Source, read},
};

/// More than are looked at in one step.
const ROWS: u64 = 520;
const FILTER: &str = "incremental: { filter: { window: \"{since|unix_seconds}\" } }";

/// Makes rows those of a commit that was lost: whoever put them died before a page told of them.
async fn lose(place: &Place, synced: &Synced<'_>, ids: &[u64]) {
    let (scope, lost) = (Scope::of(&synced.connection), CommitId::of_pull(1, 99));
    for id in ids {
        let key = record_key(&scope.connection, "vendors", &id.to_string());
        let as_lost = |doc: &mut RecordDoc| {
            doc.commit = lost.clone();
            Ok(())
        };
        place.calm.modify(&scope.record("vendors", &key), as_lost).await.unwrap().unwrap();
    }
    let key = sync_key(&scope.workspace, &scope.connection, "vendors");
    let noted = |state: &mut SyncState| {
        state.unfinished.push(lost.clone());
        Ok(())
    };
    place.calm.modify(&key, noted).await.unwrap().unwrap();
}

/// How often the feed tells of each key after this place.
async fn told(place: &Place, synced: &Synced<'_>, after: Option<Seq>) -> BTreeMap<String, usize> {
    let scope = Scope::of(&synced.connection);
    let (mut told, mut after) = (BTreeMap::new(), after);
    loop {
        let page = read_changes(&place.calm, &scope, Some("vendors"), after, 500).await.unwrap();
        for change in page.changes {
            *told.entry(change.key).or_default() += 1;
        }
        after = Some(page.next);
        if !page.has_more {
            return told;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_lost_commit_tells_of_is_told_before_the_pass_ends() {
    let (place, source) = (Place::start().await, Source::start(ROWS).await);
    let query = "since: \"{window}\", after: \"{page.after}\"";
    let parts = [read("rows", query, "{ id_after: {} }"), FILTER.to_owned()];
    let synced = place.connect(&parts, &source).await;
    synced.calm_pass().await;
    assert_eq!(told(&place, &synced, None).await.len(), usize::try_from(ROWS).unwrap());

    let ids: Vec<u64> = (1..=ROWS).step_by(50).collect();
    lose(&place, &synced, &ids).await;
    let before = told(&place, &synced, None).await;
    assert_eq!(before.len() + ids.len(), usize::try_from(ROWS).unwrap(), "readers miss them");
    // The pass asks for what has changed, and is shown nothing.
    synced.calm_pass().await;
    let after = told(&place, &synced, None).await;
    assert_eq!(after.len(), usize::try_from(ROWS).unwrap());
    assert!(after.values().all(|times| *times == 1), "{after:?}");
    let state = synced.state().await;
    assert!(state.unfinished.is_empty());
    synced.calm_pass().await;
    assert_eq!(told(&place, &synced, None).await, after, "once");
}
