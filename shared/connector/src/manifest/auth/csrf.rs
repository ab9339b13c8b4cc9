//! A token against forged requests, beside another kind of authentication.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Auth;
use crate::{
    manifest::{Condition, Header, Request},
    path::Path,
    table::Table,
    template::Template,
};

/// A token that is fetched with a GET and sent, with the cookies that came with it, with every request
/// that is not a GET.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csrf {
    /// The other kind: whose request it is.
    pub over: Auth,
    /// The request that fetches the token.
    pub fetch: Request,
    /// Where the answer has the token.
    pub token: TokenPlace,
    /// The headers that carry `{csrf.token}`.
    #[serde(default)]
    pub headers: Table<Template>,
    /// The parameters of the query that carry `{csrf.token}`.
    #[serde(default)]
    pub query: Table<Template>,
    /// How the system says that a token is no longer good: it is then fetched anew, once.
    pub refused: Condition,
}

/// Where an answer has a token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenPlace {
    /// In a header.
    Header(Header),
    /// In the body.
    Path(Path),
}
