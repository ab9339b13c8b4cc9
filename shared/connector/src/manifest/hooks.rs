//! Webhooks of the system's own. They only hint: what they tell of is read again.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Algorithm, Condition, Encoding, Header, KeyForm, TimeForm};
use crate::{mapping::Conditions, path::Path, template::Template};

/// How the system's own webhooks are verified, and what they tell of.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhooksIn {
    /// How one is known to come from the system.
    pub verify: HookVerify,
    /// What they tell of. Every rule that fits counts; what none fits is of no interest.
    pub events: Vec<HookEvent>,
}

/// How a webhook is known to come from the system.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookVerify {
    /// By a signature over its body.
    Hmac(HookSignature),
    /// By a secret that it carries.
    Token(HookToken),
}

/// A signature (HMAC, RFC 2104).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookSignature {
    /// The header that carries it. Where the header has several, parted by spaces or commas, one must
    /// fit.
    pub header: Header,
    /// What stands before it, as in `sha256=`.
    #[serde(default)]
    pub prefix: String,
    /// The hash.
    pub algorithm: Algorithm,
    /// In what form it is written.
    pub encoding: Encoding,
    /// The secret, out of the credentials or settings. Without a value nothing is verified.
    pub key: Template,
    /// In what form the secret is given.
    #[serde(default)]
    pub key_form: KeyForm,
    /// What is signed: `{body}`, or it with `{timestamp}` and `{headers.name}`.
    pub text: Option<Template>,
    /// When it was signed: a webhook that is too old is refused.
    pub timestamp: Option<HookTime>,
}

/// When a webhook was signed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookTime {
    /// The header that says it. It must be part of the signed `text`.
    pub header: Header,
    /// What it says.
    #[serde(default = "epoch_seconds")]
    pub form: TimeForm,
    /// How far it may be from now.
    #[serde(default = "tolerance")]
    pub tolerance_seconds: u32,
}

/// A secret that a webhook carries.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookToken {
    /// The header that carries it.
    pub header: Header,
    /// What it must be, out of the credentials or settings. Without a value nothing is verified.
    pub value: Template,
}

/// What a webhook tells of.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookEvent {
    /// When it does: over its headers and body.
    pub when: Condition,
    /// Paths of the body and the values that each may have: all must hold.
    #[serde(default, rename = "where")]
    pub filter: Conditions,
    /// The entity.
    pub entity: String,
    /// Where the body has the list of what it tells of; without it the body tells of one.
    pub each: Option<Path>,
    /// Where the remote id is, in the body or in each of the list.
    pub id: Path,
    /// What has happened.
    #[serde(default)]
    pub action: HookAction,
}

/// What has happened to a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookAction {
    /// It was made or changed.
    #[default]
    Upsert,
    /// It is gone.
    Delete,
}

fn epoch_seconds() -> TimeForm {
    TimeForm::EpochSeconds
}

/// Five minutes, as Standard Webhooks advises.
fn tolerance() -> u32 {
    300
}
