//! Logging in.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{manifest::Request, table::Table, template::Template};

/// A login: requests made in order, and what is kept of their answers as `{session.name}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The requests.
    pub steps: Vec<LoginStep>,
    /// The headers that carry the session; sent with every request after the first step.
    #[serde(default)]
    pub headers: Table<Template>,
    /// The parameters of the query that carry the session.
    #[serde(default)]
    pub query: Table<Template>,
    /// Whether the system's cookies carry the session.
    #[serde(default)]
    pub cookies: bool,
    /// After how many seconds the session ends, where that is known: it is then made anew a little
    /// before. A number, or what the last step's `{answer}` says. A session that the system ends
    /// earlier is made anew once.
    pub life_seconds: Option<Template>,
    /// The request that ends a session which is not used any more.
    pub log_out: Option<Request>,
}

/// One request of a login.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginStep {
    /// The request.
    pub request: Request,
    /// What is kept, from `{answer}` and the rest of what templates may name here.
    #[serde(default)]
    pub keep: Table<Template>,
}
