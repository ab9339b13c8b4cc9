//! The vocabulary every other crate speaks: ids, clocks, errors, cursors, hashes, configuration.
//!
//! Nothing here does I/O beyond reading the process environment and the operating system's clock and
//! random source; every other crate may depend on this one, and this one depends on none of them.

mod clock;
pub mod config;
mod cursor;
mod error;
mod hash;
mod id;
mod public_url;
mod queue_name;

pub use clock::{Clock, ScheduleTime, WallTime, from_http_date, from_iso};
pub use cursor::Cursor;
pub use error::{Error, ErrorCode, ErrorType, FieldError, Result, Upstream};
pub use hash::{HashWriter, constant_time_eq, derive_id_part, sha256_hex, shard_of};
pub use id::{
    ApiKeyId, ApplicationId, AuditId, ConnectionEventId, ConnectionId, DeliveryId, EndpointId,
    IssueId, JobId, LinkId, MessageId, RequestId, RunId, TokenFamilyId, WorkspaceId, WriteId,
    random_token,
};
pub use public_url::PublicUrl;
pub use queue_name::{QueueName, Work};
pub use secrecy::{ExposeSecret, SecretString};
