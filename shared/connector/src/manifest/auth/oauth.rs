//! OAuth 2.0: what a manifest says of it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Carrier, KeyForm};
use crate::{manifest::TimeForm, path::Path, table::Table, template::Template};

/// Authorisation code: a person allows it on the system's own page (RFC 6749, 4.1).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth2Code {
    /// The page where a person allows it. May name settings, as in `https://{settings.tenant}.example.com/oauth`.
    pub authorize_url: Template,
    /// Further parameters of that page.
    #[serde(default)]
    pub authorize_params: Table<Template>,
    /// Whether the system takes a proof of possession of the code (PKCE with S256, RFC 7636).
    #[serde(default = "yes")]
    pub pkce: bool,
    /// The client that we are.
    pub client: OauthClient,
    /// What is asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What stands between scopes.
    #[serde(default = "space")]
    pub scope_separator: String,
    /// How tokens are got and used.
    pub token: TokenRules,
}

/// Client credentials (RFC 6749, 4.4).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth2Client {
    /// The client that we are.
    pub client: OauthClient,
    /// What is asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What stands between scopes.
    #[serde(default = "space")]
    pub scope_separator: String,
    /// How tokens are got and used.
    pub token: TokenRules,
}

/// A signed assertion in place of a password (RFC 7523).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth2Jwt {
    /// The client that we are, where the system wants one beside the assertion.
    pub client: Option<OauthClient>,
    /// The assertion.
    pub assertion: Assertion,
    /// What is asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What stands between scopes.
    #[serde(default = "space")]
    pub scope_separator: String,
    /// How tokens are got and used.
    pub token: TokenRules,
}

/// The client that we are.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthClient {
    /// Its id: of the customer (`{credentials.x}`), or of the registration that all customers share
    /// (`{registration.client_id}`).
    pub id: Template,
    /// Its secret.
    pub secret: Option<Template>,
    /// How it makes itself known where tokens are given.
    #[serde(default)]
    pub style: ClientStyle,
}

/// How a client makes itself known (RFC 6749, 2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientStyle {
    /// By HTTP basic authentication.
    #[default]
    Basic,
    /// By parameters of the body.
    Post,
    /// By its id alone.
    None,
}

/// An assertion that we sign.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// How it is signed.
    pub algorithm: AssertionAlgorithm,
    /// The private key, in PEM.
    pub key: Template,
    /// The form of the key: its text, or base64 of it.
    #[serde(default)]
    pub key_form: KeyForm,
    /// The key's name, as the system knows it.
    pub key_id: Option<Template>,
    /// What it says, beside the times: `iss`, `sub`, `aud` and others.
    pub claims: Table<Template>,
    /// How long it is good for.
    #[serde(default = "assertion_life")]
    pub life_seconds: u32,
}

impl Assertion {
    pub(super) fn templates(&self) -> Vec<&Template> {
        let own = [Some(&self.key), self.key_id.as_ref()];
        own.into_iter().flatten().chain(self.claims.values()).collect()
    }
}

/// How an assertion is signed (RFC 7518).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum AssertionAlgorithm {
    /// RSA, PKCS #1, SHA-256.
    RS256,
    /// RSA, PSS, SHA-256.
    PS256,
    /// ECDSA, P-256, SHA-256.
    ES256,
}

/// How tokens are got, kept fresh and used.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRules {
    /// Where tokens are given. May name settings; begins with `https://`, or with a setting of type `url`
    /// where the client is the customer's own.
    pub url: Template,
    /// Where they are renewed, when that is elsewhere.
    pub refresh_url: Option<Template>,
    /// Further parameters when a token is asked for.
    #[serde(default)]
    pub params: Table<Template>,
    /// Further parameters when a token is renewed.
    #[serde(default)]
    pub refresh_params: Table<Template>,
    /// Further headers of both.
    #[serde(default)]
    pub headers: Table<Template>,
    /// The form of the body of both.
    #[serde(default)]
    pub body: TokenBody,
    /// Where the answer has the access token.
    #[serde(default = "access_token")]
    pub access_token: Path,
    /// Where the answer has the token to renew it with.
    #[serde(default = "refresh_token")]
    pub refresh_token: Path,
    /// Where the answer says when the access token ends.
    #[serde(default = "expires_in")]
    pub expires: Path,
    /// What stands there.
    #[serde(default)]
    pub expires_form: TimeForm,
    /// When an access token ends, where the answer does not say it.
    pub life_seconds: Option<u32>,
    /// How long before its end it is renewed.
    #[serde(default = "refresh_before")]
    pub refresh_before_seconds: u32,
    /// Whether each renewal also gives a new token to renew with, and the old one is then dead.
    #[serde(default)]
    pub rotates: bool,
    /// After how many days without renewal the token to renew with is dead.
    pub idle_days: Option<u32>,
    /// What else is kept of the answer, as `{session.name}`.
    #[serde(default)]
    pub keep: Table<Template>,
    /// How requests carry `{oauth.access_token}`.
    #[serde(default = "bearer")]
    pub send: Carrier,
}

/// The form of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenBody {
    /// A form, as the standard has it.
    #[default]
    Form,
    /// JSON.
    Json,
}

fn yes() -> bool {
    true
}

fn space() -> String {
    " ".to_owned()
}

fn assertion_life() -> u32 {
    300
}

fn refresh_before() -> u32 {
    300
}

fn access_token() -> Path {
    Path::parse("access_token").unwrap_or_default()
}

fn refresh_token() -> Path {
    Path::parse("refresh_token").unwrap_or_default()
}

fn expires_in() -> Path {
    Path::parse("expires_in").unwrap_or_default()
}

/// RFC 6750, 2.1.
fn bearer() -> Carrier {
    let header = Template::parse("Bearer {oauth.access_token}".into());
    let header = header.map(|header| ("Authorization".to_owned(), header));
    Carrier { headers: header.into_iter().collect(), query: Table::default() }
}
