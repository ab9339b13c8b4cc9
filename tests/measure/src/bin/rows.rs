//! What it costs to put new records into the table in one way or another, and to read and change single
//! ones afterwards.
//!
//! `rows [RECORDS] [flush|process]`: for each way an empty table on this machine takes RECORDS rows of a
//! record of 700 bytes, by pages of 500. `packed` keeps 25 records in an item: the best case, since pages
//! of a source do not come sorted by the hashed keys of records, and each of their records would have
//! another item. Prints one line of JSON for each way.

use std::{env, error::Error, fs, time::Instant};

use aws_sdk_dynamodb::Client;
use futures::{StreamExt, TryStreamExt, stream};
use millwright_core::{Clock, WallTime, sha256_hex};
use millwright_local::{
    Durability,
    dynamo::{self, Dynamo},
    sdk,
};
use millwright_records::{CommitId, RecordDoc, SourceTimes};
use millwright_store::{Expect, Key, Store, Write};
use serde_json::{Value, json};

type Fault = Box<dyn Error + Send + Sync>;

/// Records of a page of the source.
const PAGE: usize = 500;
/// Records that an item holds where they are packed: 16 KB and more.
const PACK: usize = 25;
/// How many single records are read and changed.
const SINGLE: usize = 2_000;

/// A way of putting new rows.
#[derive(Clone, Copy)]
enum Way {
    /// One call for each, 16 at a time.
    Single,
    /// Batches of statements with a condition each, four at a time.
    Inserted,
    /// Batches without conditions, four at a time.
    Blind,
    /// Transactions of a hundred with a condition each, two at a time.
    Transacted,
    /// Items of many records with a condition each, 16 at a time.
    Packed,
}

const WAYS: [(&str, Way); 5] = [
    ("single", Way::Single),
    ("inserted", Way::Inserted),
    ("blind", Way::Blind),
    ("transacted", Way::Transacted),
    ("packed", Way::Packed),
];

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let mut arguments = env::args().skip(1);
    let records: usize = arguments.next().as_deref().unwrap_or("20000").parse()?;
    let durability = match arguments.next().as_deref() {
        Some("process") => Durability::Process,
        _ => Durability::Flush,
    };
    for (name, way) in WAYS {
        let folder = tempfile::tempdir()?;
        let dynamo = Dynamo::start_with(&folder.path().join("rows.sqlite"), durability)?;
        let client = Client::new(&sdk::config(&dynamo.url(), &dynamo.url()));
        let store = Store::new(client, dynamo::tables(), Clock::system());
        println!("{}", measured(&store, name, way, records).await?);
        dynamo.stop().await?;
    }
    Ok(())
}

async fn measured(store: &Store, name: &str, way: Way, records: usize) -> Result<Value, Fault> {
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    for page in 0..records / PAGE {
        let numbers: Vec<usize> = (page * PAGE..(page + 1) * PAGE).collect();
        put(store, way, &numbers).await?;
    }
    let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    let held = if matches!(way, Way::Packed) { PACK } else { 1 };
    let (began, keys) = (Instant::now(), some(records, held));
    for key in &keys {
        store.get::<RecordDoc>(key).await?.ok_or("a row is missing")?;
    }
    let read = began.elapsed().as_secs_f64();
    let began = Instant::now();
    for key in &keys {
        let row = store.get::<RecordDoc>(key).await?.ok_or("a row is missing")?;
        store.write(Write::replace(&row)?).await?;
    }
    let changed = began.elapsed().as_secs_f64();
    let each_ms = |seconds: f64| (seconds * 1_000_000.0 / SINGLE as f64).round() / 1_000.0;
    Ok(json!({
        "way": name,
        "records": records,
        "records_per_s": (records as f64 / took).round(),
        "cpu_s_per_100000": (cpu * 100_000.0 / records as f64 * 10.0).round() / 10.0,
        "read_one_ms": each_ms(read),
        "change_one_ms": each_ms(changed),
    }))
}

/// Keys of rows spread over all of them.
fn some(records: usize, held: usize) -> Vec<Key> {
    (0..SINGLE).map(|at| key((at * 7_919) % (records / held) * held)).collect()
}

async fn put(store: &Store, way: Way, numbers: &[usize]) -> Result<(), Fault> {
    match way {
        Way::Single => {
            let puts = numbers.iter().map(|number| async {
                store.write(row(*number, 1, Expect::Absent)?).await?;
                Ok::<_, Fault>(())
            });
            stream::iter(puts).buffer_unordered(16).try_collect::<Vec<()>>().await?;
        }
        Way::Packed => {
            let puts = numbers.chunks(PACK).map(|chunk| async {
                store.write(row(chunk[0], PACK, Expect::Absent)?).await?;
                Ok::<_, Fault>(())
            });
            stream::iter(puts).buffer_unordered(16).try_collect::<Vec<()>>().await?;
        }
        Way::Inserted => {
            let calls = numbers.chunks(25).map(|chunk| async {
                let taken = store.insert_batch(rows(chunk, Expect::Absent)?).await?;
                if taken.is_empty() { Ok(()) } else { Err(Fault::from("a row was there")) }
            });
            stream::iter(calls).buffer_unordered(4).try_collect::<Vec<()>>().await?;
        }
        Way::Blind => {
            let calls = numbers.chunks(25).map(|chunk| async {
                Ok::<_, Fault>(store.write_batch(rows(chunk, Expect::Anything)?).await?)
            });
            stream::iter(calls).buffer_unordered(4).try_collect::<Vec<()>>().await?;
        }
        Way::Transacted => {
            let calls = numbers.chunks(100).map(|chunk| async {
                Ok::<_, Fault>(store.transact(rows(chunk, Expect::Absent)?).await?)
            });
            stream::iter(calls).buffer_unordered(2).try_collect::<Vec<()>>().await?;
        }
    }
    Ok(())
}

fn rows(numbers: &[usize], expect: Expect) -> Result<Vec<Write>, Fault> {
    numbers.iter().map(|number| row(*number, 1, expect)).collect()
}

fn key(number: usize) -> Key {
    let hash = sha256_hex(number.to_string().as_bytes());
    Key::records("ws_measure#conn_measure#purchase-orders", format!("rec_{}", &hash[..26]))
}

/// The row of `held` records.
fn row(number: usize, held: usize, expect: Expect) -> Result<Write, Fault> {
    let at = WallTime::from_millis(1_767_225_600_000 + number as i64 * 1_000);
    let doc = RecordDoc {
        remote_id: number.to_string(),
        hash: sha256_hex(number.to_string().as_bytes())[..32].to_owned(),
        commit: CommitId::of_pull(1, (number / PAGE) as u64),
        known_before: false,
        first_seen_at: at,
        changed_at: at,
        written_at: None,
        fetched_at: Some(at),
        deleted_at: None,
        revived: false,
        source: SourceTimes { created: Some(at.iso()), updated: Some(at.iso()) },
        kept_days: None,
        raw: None,
    };
    let body = format!(r#"{{"orderNo":"PO-{number:07}","text":"{}"}}"#, "x".repeat(660));
    let body = vec![body; held].join("\n");
    Ok(Write::put_with_body(&key(number), &doc, Some(&body), expect)?)
}

/// What the process has used so far (proc(5), `stat`, fields 14 and 15, of 1/100 s each).
fn cpu_seconds() -> Result<f64, Fault> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}
