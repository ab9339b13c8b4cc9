//! Making an endpoint.

use millwright_core::{Error, ErrorCode, FieldError, Result, WorkspaceId};
use millwright_outbound::{FailureClass, OutboundError, Url};
use millwright_store::{Expect, Write};

use crate::{
    NewEndpoint, Webhooks,
    endpoint::{ENDPOINTS_MAX, Endpoint},
    keys::{endpoint_key, secret_key},
    new_endpoint::Checked,
    secrets::EndpointSecret,
    signing_key::{chosen_secret, new_secret},
};

impl Webhooks {
    /// Makes an endpoint with a new secret, or the one that was chosen. Its URL is checked as a delivery would, addresses
    /// included, so what can never be delivered to is refused here.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` (or the sole fault's code) with the fields that are not valid;
    /// `STATE_CONFLICT` when the workspace has as many endpoints as it may.
    pub async fn create_endpoint(
        &self,
        workspace: &WorkspaceId,
        new: NewEndpoint,
    ) -> Result<Endpoint> {
        let chosen = new.secret.as_ref();
        // Whether it fits is among what is checked next.
        let chosen = chosen.and_then(|text| chosen_secret(new.signing.scheme, text).ok());
        let checked = new.validate(workspace, self.clock().schedule())?;
        let Checked { mut endpoint, url, headers } = checked;
        self.check_target(url.as_ref()).await?;
        // Two calls at the same moment may exceed the limit by one. It guards the cost of a
        // fan-out, which one more does not hurt.
        if self.endpoints_of(workspace).await?.len() >= ENDPOINTS_MAX {
            let message = format!("a workspace has at most {ENDPOINTS_MAX} webhook endpoints");
            return Err(Error::new(ErrorCode::StateConflict, message));
        }
        endpoint.headers = self.seal_headers(workspace, &endpoint.id, &headers).await?;
        let id = endpoint.id.as_str();
        let secret = match chosen {
            Some(secret) => secret,
            None => new_secret(endpoint.signing.scheme)?,
        };
        let secret = EndpointSecret::first(self.vault.seal(workspace, id, &secret).await?);
        let key = endpoint_key(workspace, &endpoint.id);
        self.store
            .transact(vec![
                Write::put(&secret_key(workspace, &endpoint.id), &secret, Expect::Absent)?,
                Write::put(&key, &endpoint, Expect::Absent)?,
            ])
            .await?;
        Ok(endpoint)
    }

    /// Whether messages may be sent to a URL: the same verdict as every delivery's.
    pub(crate) async fn check_target(&self, url: Option<&Url>) -> Result<()> {
        let Some(url) = url else { return Ok(()) };
        match self.outbound.check_url(url).await {
            Ok(()) => Ok(()),
            // Name servers have bad moments, and a new name takes a while to be known. Such a URL
            // may be fine when the first delivery looks, which tells the customer if it is not.
            Err(error) if error.class == FailureClass::Dns => Ok(()),
            Err(error) => Err(refused(&error)),
        }
    }
}

fn refused(error: &OutboundError) -> Error {
    let field = FieldError::new("url", ErrorCode::ValidationFailed, error.to_string());
    let mut refusal = Error::new(ErrorCode::ValidationFailed, format!("url: {error}"));
    refusal.fields = vec![field];
    refusal
}
