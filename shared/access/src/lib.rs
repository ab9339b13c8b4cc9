//! Who may call: workspaces, their API keys, and what a key's role allows; and the log of what was
//! done of consequence.
//!
//! A key's text is shown once and kept as its SHA-256 alone. Two rows stand for it, written together:
//! one found by the hash, one in the workspace's list. Authentication reads the first, strongly and
//! without a cache: that is one read of a few milliseconds, and a revoked key is dead at once.

mod api_key;
mod audit;
mod authenticate;
mod create_key;
mod key_text;
mod list_keys;
mod revoke_key;
mod role;
mod workspace;

pub use api_key::ApiKey;
pub use audit::{
    AuditAction, AuditEntry, AuditFilter, AuditOutcome, AuditPage, AuditPlace, Audited,
    AuditedCall, audit_begin, audit_end, list_audit,
};
pub use authenticate::{Caller, authenticate};
pub use create_key::create_key;
pub use key_text::check_chosen as check_chosen_key;
pub use list_keys::{KeyPage, get_key, list_keys};
pub use revoke_key::revoke_key;
pub use role::Role;
pub use workspace::{Environment, Workspace, create_workspace, ensure_workspace, get_workspace};
