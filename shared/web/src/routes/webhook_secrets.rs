//! `/v1/webhook-endpoints/{id}/secret` and `.../rotate-secret`.

use std::time::Duration;

use axum::{Json, extract::State};
use millwright_access::{AuditAction, Audited};
use millwright_core::{EndpointId, ExposeSecret, SecretString, WallTime};
use millwright_webhook::{self as webhook, Rotation};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit_log::in_log;
use crate::{
    App,
    error::Answer,
    extract::{Admin, IdPath, OptionalJsonBody},
};

/// How messages are signed.
#[derive(Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignatureScheme {
    /// HMAC-SHA256 with a secret that both sides hold.
    #[default]
    V1,
    /// ed25519: receivers hold the public key only.
    V1a,
}

impl From<SignatureScheme> for webhook::Scheme {
    fn from(scheme: SignatureScheme) -> Self {
        match scheme {
            SignatureScheme::V1 => Self::V1,
            SignatureScheme::V1a => Self::V1a,
        }
    }
}

impl From<webhook::Scheme> for SignatureScheme {
    fn from(scheme: webhook::Scheme) -> Self {
        match scheme {
            webhook::Scheme::V1 => Self::V1,
            webhook::Scheme::V1a => Self::V1a,
        }
    }
}

/// An endpoint's signing secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct EndpointSecret {
    /// The secret (Standard Webhooks): `whsec_`, which receivers verify with, or `whsk_`, the private
    /// key, which they need not know.
    #[schema(example = "whsec_...")]
    secret: String,
    /// How messages are signed with it.
    signature: SignatureScheme,
    /// What receivers verify with when messages are signed by `v1a`: `whpk_` and base64.
    #[schema(required)]
    public_key: Option<String>,
    /// When the former secrets end that still sign beside it, newest first.
    #[schema(value_type = Vec<String>)]
    former_secrets_end_at: Vec<String>,
}

impl From<webhook::ShownSecret> for EndpointSecret {
    fn from(own: webhook::ShownSecret) -> Self {
        Self {
            secret: own.secret.expose_secret().to_owned(),
            signature: own.scheme.into(),
            public_key: own.public_key,
            former_secrets_end_at: own.former_end_at.into_iter().map(WallTime::iso).collect(),
        }
    }
}

/// What takes the place of a secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretRotation {
    /// A secret of your own: `whsec_` and the base64 of 24 to 64 bytes, or for `v1a` `whsk_` and the
    /// base64 of seed and public key. A new one is made when not given.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    secret: Option<String>,
    /// How messages are signed from now on; as before when not given.
    #[serde(default)]
    signature: Option<SignatureScheme>,
    /// For how many seconds the secret so far still signs beside the new one: a day when not given, a week
    /// at most. 0 ends it and every former one at once.
    #[serde(default)]
    #[schema(value_type = u32, required = false, minimum = 0, maximum = 604_800, default = 86_400)]
    overlap_seconds: Overlap,
}

/// A day unless given.
#[derive(Clone, Copy, Deserialize)]
struct Overlap(u32);

impl Default for Overlap {
    fn default() -> Self {
        Self(86_400)
    }
}

impl From<SecretRotation> for Rotation {
    fn from(asked: SecretRotation) -> Self {
        Self {
            scheme: asked.signature.map(Into::into),
            secret: asked.secret.map(SecretString::from),
            overlap: Duration::from_secs(asked.overlap_seconds.0.into()),
        }
    }
}

/// Get an endpoint's signing secret
///
/// Needs a key with the role `admin`. Being shown it is in the audit log.
#[utoipa::path(
    get,
    path = "/v1/webhook-endpoints/{id}/secret",
    operation_id = "get_webhook_endpoint_secret",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    responses((status = 200, description = "The secret.", body = EndpointSecret))
)]
pub(crate) async fn get_secret(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
) -> Answer<Json<EndpointSecret>> {
    let webhooks = app.webhooks();
    let read = webhooks.endpoint_secret(&caller.workspace, &id);
    let audited = Audited::about(AuditAction::EndpointSecretShown, Some(&id));
    let secret = in_log(&app, &caller, audited, read).await?;
    Ok(Json(secret.into()))
}

/// Give an endpoint another signing secret
///
/// From the moment of the answer on every attempt is signed with the new secret and, until
/// `overlap_seconds` have passed, with the one so far. Former ones end when they were to; ten may be valid
/// at once. It is in the audit log.
#[utoipa::path(
    post,
    path = "/v1/webhook-endpoints/{id}/rotate-secret",
    operation_id = "rotate_webhook_endpoint_secret",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The endpoint's id.")),
    request_body(content = Option<SecretRotation>),
    responses((status = 200, description = "The new secret.", body = EndpointSecret))
)]
pub(crate) async fn rotate_secret(
    caller: Admin,
    State(app): State<App>,
    IdPath(id): IdPath<EndpointId>,
    OptionalJsonBody(asked): OptionalJsonBody<SecretRotation>,
) -> Answer<Json<EndpointSecret>> {
    let (webhooks, rotation) = (app.webhooks(), asked.into());
    let rotating = webhooks.rotate_secret(&caller.workspace, &id, &rotation);
    let audited = Audited::about(AuditAction::EndpointSecretRotated, Some(&id));
    let secret = in_log(&app, &caller, audited, rotating).await?;
    Ok(Json(secret.into()))
}
