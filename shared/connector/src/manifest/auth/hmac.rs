//! Signing each request with a shared secret (HMAC, RFC 2104).

use schemars::JsonSchema;
use serde::Deserialize;

use super::Carrier;
use crate::{table::Table, template::Template};

/// A signature over each request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HmacAuth {
    /// What is put into a request before it is signed; may name `{request.timestamp}`,
    /// `{request.timestamp_millis}`, `{request.timestamp_iso}`.
    #[serde(default)]
    pub before: Carrier,
    /// The text that is signed; may name these and `{request.method}`, `{request.url}` (without its
    /// scheme), `{request.host}`, `{request.path}`, `{request.query}`, `{request.body}`.
    pub text: Template,
    /// The hash.
    pub algorithm: Algorithm,
    /// The secret.
    pub key: Template,
    /// In what form the secret is given.
    #[serde(default)]
    pub key_form: KeyForm,
    /// In what form the signature is written.
    pub encoding: Encoding,
    /// The headers that carry `{signature}`.
    #[serde(default)]
    pub headers: Table<Template>,
    /// The parameters of the query that carry `{signature}`.
    #[serde(default)]
    pub query: Table<Template>,
}

/// A hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal in small letters.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// In what form a secret is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyForm {
    /// The bytes of the text itself.
    #[default]
    Text,
    /// Base64 of the bytes.
    Base64,
}
