//! Rows of a source that are as they were are passed over before they are mapped: when that may be, and
//! what makes it wrong.

use std::{collections::HashMap, time::Duration};

use millwright_connector::{Catalog, MappedField, SourceRecord};
use millwright_core::WallTime;
use millwright_entities::record_key;
use millwright_records::{CommitId, Pulled, RecordDoc, Scope, commit_pulled};
use millwright_store::{Expect, Key, Row, Write};
use millwright_sync::{Counts, change_overlay};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    in_process::with_connectors,
    reading_histories::{
        Place, Synced,
        source::{Source, manifest, read},
    },
};

const SWEEP: &str = "deletes: { sweep: { every_runs: 1 } }";
/// What a fingerprint takes in the blob store: key, content, row of the source, marks.
const PRINT: usize = 17 + 8 + 8 + 1;

fn compared() -> Vec<String> {
    vec![read("rows", "after: \"{page.after}\"", "{ id_after: {} }"), SWEEP.to_owned()]
}

/// Pages by numbers of rows whose id is their time: two rows may be of one record.
fn by_time() -> Vec<String> {
    let request =
        "{ method: GET, path: rows, query: { limit: \"{page.size}\", number: \"{page.number}\" } }";
    let read =
        format!("read: {{ request: {request}, rows: rows, id: at, paging: {{ page: {{}} }} }}");
    vec![read, SWEEP.to_owned()]
}

#[derive(Serialize, Deserialize)]
struct Nothing {}

impl millwright_store::Document for Nothing {}

impl Synced<'_> {
    async fn counts(&self) -> Counts {
        self.calm_pass().await;
        self.state().await.counts
    }

    fn key(&self, id: u64) -> String {
        record_key(&self.connection.id, "vendors", &id.to_string())
    }

    async fn row(&self, id: u64) -> Row<RecordDoc> {
        let key = Scope::of(&self.connection).record("vendors", &self.key(id));
        self.context.store.get(&key).await.unwrap().unwrap()
    }

    async fn write(&self, row: &Row<RecordDoc>) {
        self.context.store.write(Write::replace(row).unwrap()).await.unwrap();
    }

    /// Puts a record as somebody else than the puller would, and tells of it.
    async fn put_by_others(&self, id: u64, name: &str, number: u64, now: WallTime) {
        let scope = Scope::of(&self.connection);
        let record = json!({ "key": self.key(id), "remoteId": id.to_string(), "name": name });
        let record = SourceRecord {
            remote_id: id.to_string(),
            record: record.as_object().cloned().unwrap(),
            unshown: Vec::new(),
            raw: None,
            print: None,
        };
        let pulled = Pulled {
            scope: &scope,
            entity: "vendors",
            fetch_started: now,
            later: HashMap::new(),
            commit: CommitId::of_write(&format!("write_{number}")),
            unfinished: &[],
            initial: false,
            records: vec![record],
            gone: Vec::new(),
            deleted: Vec::new(),
            untold: Vec::new(),
            kept_days: None,
        };
        let own = Key::state(format!("{}#test", self.workspace), "writer");
        let checkpoint = |_: &_| Ok(Write::put(&own, &Nothing {}, Expect::Anything)?);
        let (store, queue) = (&self.context.store, &self.context.queue);
        commit_pulled(store, queue, pulled, checkpoint).await.unwrap();
    }

    /// Makes all contents in the fingerprints other ones; what is known of rows of the source stays.
    async fn spoil_contents(&self) {
        let kept = format!("{}/sync/{}/vendors/prints", self.workspace, self.connection.id);
        let body = self.context.blob.get(&kept).await.unwrap().unwrap();
        let mut body = body.to_vec();
        let size = u32::from_be_bytes(body[..4].try_into().unwrap()) as usize;
        assert_eq!((body.len() - 4 - size) % PRINT, 0);
        for print in body[4 + size..].chunks_exact_mut(PRINT) {
            print[17..25].iter_mut().for_each(|byte| *byte ^= 0xff);
        }
        self.context.blob.put(&kept, body.into()).await.unwrap();
    }
}

#[tokio::test]
async fn a_row_that_is_as_it_was_is_passed_over_before_it_is_mapped_and_only_by_the_same_mapping() {
    let (place, source) = (Place::start().await, Source::start(10).await);
    let mut synced = place.connect(&compared(), &source).await;
    synced.calm_pass().await;
    // Whoever mapped a row, or read the record's, would find it different.
    synced.spoil_contents().await;
    let mut row = synced.row(7).await;
    row.doc.hash = "another".to_owned();
    synced.write(&row).await;
    source.change(|world| {
        world.put(9, "changed");
        world.delete(3);
    });
    let counts = synced.counts().await;
    assert_eq!((counts.unchanged, counts.updated, counts.deleted), (8, 1, 1));
    // The connection's own say is another one.
    let shout = |end: &str| MappedField {
        field: "name".to_owned(),
        jq: Some(format!(".name + \"{end}\"")),
        ..MappedField::default()
    };
    for end in ["!", "?"] {
        let (context, connection) = (&synced.context, &synced.connection);
        let change =
            |overlay: &mut millwright_connector::Overlay| overlay.fields = vec![shout(end)];
        change_overlay(context, connection, "vendors", change).await.unwrap();
        let counts = synced.counts().await;
        assert_eq!((counts.updated, counts.unchanged), (9, 0), "{end}");
        assert!(synced.records().await.values().all(|name| name.ends_with(end)));
        assert_eq!(synced.counts().await.unchanged, 9);
    }
    let quiet = |overlay: &mut millwright_connector::Overlay| overlay.fields.clear();
    change_overlay(&synced.context, &synced.connection, "vendors", quiet).await.unwrap();
    assert_eq!(synced.counts().await.updated, 9);
    // So is the connector's manifest.
    let parts = compared();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let other = manifest(&parts).replace(
        "      name: { path: name, required: true }\n",
        "      name: { jq: '.name + \".\"' }\n",
    );
    synced.context = with_connectors(&synced.context, Catalog::of([other.as_str()]).unwrap());
    assert_eq!(synced.counts().await.updated, 9);
    assert!(synced.records().await.values().all(|name| name.ends_with('.')));
    assert_eq!(synced.counts().await.unchanged, 9);
}

#[tokio::test]
async fn what_somebody_else_has_put_is_made_again_what_the_source_shows_though_that_has_not_changed()
 {
    let (place, source) = (Place::start().await, Source::start(8).await);
    let synced = place.connect(&compared(), &source).await;
    synced.calm_pass().await;
    assert_eq!(synced.counts().await.unchanged, 8);
    synced.put_by_others(5, "written", 1, place.clock.wall()).await;
    assert_eq!(synced.records().await[&5], "written");
    let counts = synced.counts().await;
    assert_eq!((counts.updated, counts.unchanged), (1, 7));
    assert_eq!(synced.records().await[&5], "first");
    // What is newer than the reading stands, for as long as it is.
    synced.put_by_others(5, "written again", 2, place.clock.wall()).await;
    let mut row = synced.row(5).await;
    row.doc.written_at = Some(place.clock.wall() + Duration::from_secs(3));
    synced.write(&row).await;
    let counts = synced.counts().await;
    assert_eq!((counts.updated, counts.unchanged), (0, 8));
    assert_eq!(synced.records().await[&5], "written again");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let counts = synced.counts().await;
    assert_eq!((counts.updated, counts.unchanged), (1, 7));
    assert_eq!(synced.records().await[&5], "first");
}

#[tokio::test]
async fn of_rows_with_one_id_the_last_one_counts_in_one_page_and_over_several() {
    let (place, source) = (Place::start().await, Source::start(9).await);
    let synced = place.connect(&by_time(), &source).await;
    source.change(|world| {
        for (id, row) in &mut world.rows {
            row.at = 100 + *id as i64;
        }
    });
    synced.calm_pass().await;
    assert_eq!(synced.counts().await.unchanged, 9);
    source.change(|world| {
        let mut make = |id: u64, at: i64, name: &str| {
            let row = world.rows.get_mut(&id).unwrap();
            row.at = at;
            name.clone_into(&mut row.name);
        };
        // Before the known one, on an earlier page and on the same; and behind it.
        make(1, 104, "other");
        make(5, 106, "other");
        make(9, 108, "newest");
    });
    let counts = synced.counts().await;
    let records = synced.records().await;
    assert_eq!((records[&104].as_str(), records[&106].as_str()), ("first", "first"));
    assert_eq!(records[&108], "newest");
    assert_eq!(records.keys().copied().collect::<Vec<_>>(), [102, 103, 104, 106, 107, 108]);
    assert_eq!((counts.inserted, counts.deleted), (0, 3));
    assert_eq!(synced.counts().await.inserted, 0);
    assert_eq!(synced.records().await, records);
}

#[tokio::test]
async fn changes_here_and_there_are_committed_together_and_each_is_told_once() {
    let (place, source) = (Place::start().await, Source::start(90).await);
    let mut synced = place.connect(&compared(), &source).await;
    // How long pages wait for each other is a part of it.
    synced.limits.lease = Duration::from_secs(60);
    synced.calm_pass().await;
    let before = synced.pages().await.len();
    // One of each page of three.
    source.change(|world| (1..=30).for_each(|page| world.put(page * 3, "changed")));
    let counts = synced.counts().await;
    assert_eq!((counts.updated, counts.unchanged, counts.seen), (30, 60, 90));
    let pages = synced.pages().await;
    let made = &pages[before..];
    assert_eq!(made.iter().map(|page| page.entries.len()).sum::<usize>(), 30);
    assert!(made.len() < 15, "{} commits for thirty pages", made.len());
    let changed = synced.records().await.into_iter().filter(|(_, name)| name == "changed");
    assert_eq!(
        changed.map(|(id, _)| id).collect::<Vec<_>>(),
        (1..=30).map(|page| page * 3).collect::<Vec<u64>>()
    );
}
