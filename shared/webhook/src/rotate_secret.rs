//! Giving an endpoint another secret.

use std::time::Duration;

use millwright_core::{
    EndpointId, Error, ErrorCode, FieldError, Result, SecretString, WorkspaceId,
};
use millwright_store::{Row, Write};

use crate::{
    Webhooks,
    endpoint::Endpoint,
    keys::endpoint_key,
    secrets::{FORMER_MAX, ShownSecret, shown},
    sign::Scheme,
    signing_key::{chosen_secret, new_secret},
};

/// How often it is begun again when somebody else changes the endpoint at the same time.
const TRIES: usize = 8;
/// The longest that a former secret may stay valid.
pub const OVERLAP_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// What takes the place of an endpoint's secret.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The scheme from now on; as it was when there is none.
    pub scheme: Option<Scheme>,
    /// The secret that the workspace chose, if it chose one.
    pub secret: Option<SecretString>,
    /// How long the one so far stays valid; nothing ends all former ones at once.
    pub overlap: Duration,
}

impl Webhooks {
    /// Gives an endpoint another secret. From now on every attempt is signed with it, and with those
    /// before it until they end.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such endpoint; `VALIDATION_FAILED` with the field that is not valid;
    /// `STATE_CONFLICT` when too many former secrets would be valid at once.
    pub async fn rotate_secret(
        &self,
        workspace: &WorkspaceId,
        id: &EndpointId,
        rotation: &Rotation,
    ) -> Result<ShownSecret> {
        for _ in 0..TRIES {
            let endpoint: Option<Row<Endpoint>> =
                self.store.get(&endpoint_key(workspace, id)).await?;
            let mut endpoint = endpoint.ok_or_else(|| Error::not_found("webhook endpoint"))?;
            let mut row = self.secret_row(workspace, id).await?;
            let secret = secret_for(&mut endpoint.doc, rotation)?;
            let sealed = self.vault.seal(workspace, id.as_str(), &secret).await?;
            let now = self.clock().wall();
            row.doc = row.doc.rotated(sealed, now, rotation.overlap).map_err(|_| too_many())?;
            endpoint.doc.secret_version = endpoint.doc.secret_version.wrapping_add(1);
            let writes = vec![Write::replace(&endpoint)?, Write::replace(&row)?];
            match self.store.transact(writes).await {
                Ok(()) => return shown(secret, &row.doc, now),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::new(ErrorCode::StateConflict, "somebody else is changing this webhook endpoint"))
    }
}

/// The new secret, by the scheme that the endpoint has from now on.
fn secret_for(endpoint: &mut Endpoint, rotation: &Rotation) -> Result<SecretString> {
    let scheme = rotation.scheme.unwrap_or(endpoint.signing.scheme);
    if scheme == Scheme::V1a && endpoint.signing.body_signature {
        return Err(invalid("signature", NO_SHARED_SECRET));
    }
    endpoint.signing.scheme = scheme;
    match &rotation.secret {
        None => new_secret(scheme),
        Some(text) => chosen_secret(scheme, text).map_err(|why| invalid("secret", why)),
    }
}

/// Why a key pair and the signature of the body alone do not go together.
pub(crate) const NO_SHARED_SECRET: &str =
    "v1a shares no secret that X-Webhook-Signature could be made with: turn body_signature off";

fn invalid(path: &str, why: &str) -> Error {
    let field = FieldError::new(path, ErrorCode::ValidationFailed, why);
    Error::from_fields(vec![field]).unwrap_or_else(|| Error::internal("a fault without a field"))
}

fn too_many() -> Error {
    let message = format!(
        "{FORMER_MAX} former secrets are still valid: wait until one ends, or rotate with \
         overlap_seconds 0, which ends them all"
    );
    Error::new(ErrorCode::StateConflict, message)
}
