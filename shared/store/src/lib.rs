//! DynamoDB: two tables, rows that hold one JSON document, and the due index.
//!
//! A row is read, decided upon and written back on the condition that its version is still the one
//! that was read ([`Expect`]): that one rule serves as optimistic lock, as fence and as guard against
//! doing a thing twice. Several rows change together in [`Store::transact`]. What must happen later
//! says so by [`Document::due`]; [`Store::due`] finds it when its time comes. Limits that all instances
//! share are [`Allowance`]s.

mod allowance;
mod batch;
mod change;
mod due;
mod error;
mod gathered;
mod index;
mod insert;
mod lease;
mod order;
mod read;
mod row;
mod schema;
mod sdk;
mod store;
mod together;
mod write;

pub use allowance::{Allowance, Block, Claim, Ledger, Lot, Quota, Seats};
pub use due::{DUE_GRACE, DUE_LOOKAHEAD, DUE_SHARDS, Due, DueRow, QUEUE_DELAY_MAX, Wait};
pub use error::StoreError;
pub use lease::Lease;
pub use order::{Order, OrderEntry, OrderPlace, OrderPlaces, OrderStretch};
pub use read::{Page, Range};
pub use row::{Document, FailedMark, Key, Row, Version};
pub use schema::{IndexDef, Projection, SortKey, Table, TableDef, Tables};
pub use sdk::{sdk_loader, sdk_retries, sdk_timeouts, table_client};
pub use store::Store;
pub use together::Together;
pub use write::{Expect, Write};
