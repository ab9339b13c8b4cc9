//! What handlers take: who calls, what about, with which body and parameters. Each refuses with the
//! contract's error, so a handler that runs has what it needs.

mod body;
mod caller;
mod condition;
mod path;
mod query;
mod scenario;
mod schema_check;
mod scope;
mod time;

pub(crate) use body::{
    AnyJson, ExactJson, JsonBody, MERGE_PATCH, MergePatch, OptionalJsonBody, read_body,
};
pub(crate) use caller::{Admin, Native, Needed, Reader, TokenConnection, Writer, caller_of};
pub(crate) use condition::Condition;
pub(crate) use path::{ActionPath, ConnectionEntityPath, IdPath, TextPath};
pub(crate) use query::{Params, parse_query};
pub(crate) use scenario::SCENARIO;
pub(crate) use scope::{CONNECTION_ID, DataScope, InformationScope, records_of};
pub(crate) use time::Moment;
