//! Record rows and the change feed.
//!
//! The feed is the commit log of a connection. A commit appends one immutable page of entries in one
//! transaction with the feed's head, so pages have one strict order and no gaps; sequences embed time
//! and only grow. Rows are put before their commit and name it, so a reader can tell an entry that a
//! later page replaces, and a puller that resumes after a crash can tell a row whose commit never was.

mod append;
mod commit;
mod compare;
mod content;
mod feed;
mod filter;
mod gone;
mod insert;
mod list;
mod live;
mod model;
mod publish;
mod raw;
mod seq;
mod unshown;
mod write;

pub use commit::{CommitError, Committed, Pulled, Tally, commit_compared, commit_pulled};
pub use content::content_hash;
pub use feed::{Change, ChangePage, Pages, read_changes, read_pages};
pub use filter::{
    Condition, FilterField, Filters, Operator, fills, filter_fields, sortable_fields, sortable_time,
};
pub use list::{
    ListPlace, RecordPage, RecordQuery, Sort, Wanted, get_record, list_records, record_json,
};
pub use live::{Live, LivePage, LiveQuery, Previewed};
pub use millwright_store::Order;
pub use model::{
    CommitId, Entry, FEED_RETENTION, FeedHead, FeedPage, Op, Origin, RecordDoc, Scope, SourceTimes,
    feed_pk, head_key, record_key_at, records_pk,
};
pub use publish::{Telling, publish_pages};
pub use raw::KeptRaw;
pub use seq::Seq;
pub use write::{
    Answered, Askers, Before, IfMatch, Operation, Sent, Settled, Warning, WriteDoc, WriteFault,
    WriteRequest, WriteShown, WriteState, WriteTask, WriteTiming, find_write, settle_write, write,
    write_key,
};
