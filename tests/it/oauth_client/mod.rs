//! OAuth 2.0 as its client, against an authorization server that nobody here wrote, over one table that
//! several processes share.

mod code;
mod machine;
mod renewing;
pub mod scene;
mod secrets;
mod trouble;
