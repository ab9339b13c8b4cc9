//! Who may call: workspaces, their API keys and applications, and what a role allows; the OAuth server
//! that gives applications their tokens; people's sessions; rate limits; and the log of what was done of consequence.
//!
//! A key's text is shown once and kept as its SHA-256 alone. Two rows stand for it, written together:
//! one found by the hash, one in the workspace's list. Authentication reads the first, strongly and
//! without a cache: that is one read of a few milliseconds, and a revoked key is dead at once.

mod actor;
mod api_key;
mod application;
mod audit;
mod authenticate;
mod create_key;
mod key_text;
mod limits;
mod list_keys;
pub mod oauth;
mod revoke_key;
mod role;
mod rotate_key;
pub mod sign_in;
mod token_text;
mod workspace;

pub use actor::{Actor, Caller, Need, Scope, TokenHolder};
pub use api_key::ApiKey;
pub use application::{
    Application, ApplicationChange, ApplicationPage, ClientSecret, NewApplication,
    change_application, create_application, get_application, list_applications, revoke_application,
    rotate_client_secret,
};
pub use audit::{
    AuditAction, AuditEntry, AuditFilter, AuditOutcome, AuditPage, AuditPlace, Audited,
    AuditedCall, audit_begin, audit_end, list_audit,
};
pub use authenticate::{authenticate, refused};
pub use create_key::create_key;
pub use key_text::check_chosen as check_chosen_key;
pub use limits::{Limit, Limits, Standing};
pub use list_keys::{KeyPage, get_key, list_keys};
pub use revoke_key::revoke_key;
pub use role::Role;
pub use rotate_key::rotate_key;
pub use workspace::{
    Environment, RetentionBefore, WEBHOOK_RETENTION_DAYS, Workspace, WorkspaceChange,
    change_workspace, create_workspace, ensure_workspace, get_workspace,
};
