//! An endpoint's secrets: the row they lie in, and the signer that is made of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use millwright_core::{EndpointId, Error, Result, SecretString, WallTime, WorkspaceId};
use millwright_store::{Document, Row};
use millwright_vault::Sealed;
use serde::{Deserialize, Serialize};

use crate::{
    Webhooks,
    endpoint::Endpoint,
    keys::secret_key,
    sign::{Scheme, Signer},
    signing_key::SigningKey,
};

/// How many former secrets of an endpoint may be valid at once: each costs every message a signature.
pub(crate) const FORMER_MAX: usize = 10;
/// How long opened secrets are kept: a permission that was withdrawn from the vault's master key takes
/// effect within this time.
const OPENED_FOR: Duration = Duration::from_secs(900);
/// How many endpoints' opened secrets are kept.
const SIGNERS_MAX: usize = 1000;

/// An endpoint's secrets, in a row of their own so that no list can hold them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EndpointSecret {
    /// The newest.
    pub(crate) sealed: Sealed,
    /// Those before it, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) former: Vec<FormerSecret>,
}

/// A secret that another has taken the place of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FormerSecret {
    pub(crate) sealed: Sealed,
    /// From when on it signs no more.
    pub(crate) ends_at: WallTime,
}

impl Document for EndpointSecret {}

impl EndpointSecret {
    /// The row of a new endpoint.
    pub(crate) fn first(sealed: Sealed) -> Self {
        Self { sealed, former: Vec::new() }
    }

    /// All that is sealed in it.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Sealed> {
        std::iter::once(&mut self.sealed).chain(self.former.iter_mut().map(|own| &mut own.sealed))
    }

    /// The same with a newer secret before it. The one so far stays valid for `overlap`, former ones
    /// for as long as they were to, and those that have ended are gone. Without an overlap all end.
    ///
    /// # Errors
    /// When too many would be valid at once.
    pub(crate) fn rotated(
        self,
        sealed: Sealed,
        now: WallTime,
        overlap: Duration,
    ) -> Result<Self, TooMany> {
        if overlap.is_zero() {
            return Ok(Self::first(sealed));
        }
        let last = FormerSecret { sealed: self.sealed, ends_at: now + overlap };
        let valid = self.former.into_iter().filter(|former| former.ends_at > now);
        let former: Vec<FormerSecret> = std::iter::once(last).chain(valid).collect();
        if former.len() > FORMER_MAX { Err(TooMany) } else { Ok(Self { sealed, former }) }
    }
}

/// Too many former secrets would be valid at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// An endpoint's secrets as those may see them who may.
#[derive(Debug)]
pub struct ShownSecret {
    /// The newest: `whsec_` or `whsk_` and base64.
    pub secret: SecretString,
    /// How it signs.
    pub scheme: Scheme,
    /// What receivers verify with, when that is not the secret itself: `whpk_` and base64.
    pub public_key: Option<String>,
    /// When those before it end that are still valid, newest first.
    pub former_end_at: Vec<WallTime>,
}

/// Opened secrets, kept in the process. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signers(Arc<Mutex<HashMap<(WorkspaceId, EndpointId), Kept>>>);

#[derive(Debug)]
struct Kept {
    /// The number of the secrets it was made of.
    version: u32,
    body_signature: bool,
    until: WallTime,
    signer: Arc<Signer>,
}

impl Signers {
    fn get(&self, endpoint: &Endpoint, now: WallTime) -> Option<Arc<Signer>> {
        let signers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = signers.get(&(endpoint.workspace.clone(), endpoint.id.clone()))?;
        let current = kept.version == endpoint.secret_version
            && kept.body_signature == endpoint.signing.body_signature
            && kept.until > now;
        current.then(|| kept.signer.clone())
    }

    fn keep(&self, endpoint: &Endpoint, now: WallTime, signer: &Arc<Signer>) {
        let mut signers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if signers.len() >= SIGNERS_MAX {
            signers.retain(|_, kept| kept.until > now);
        }
        if signers.len() >= SIGNERS_MAX {
            signers.clear();
        }
        let kept = Kept {
            version: endpoint.secret_version,
            body_signature: endpoint.signing.body_signature,
            until: now + OPENED_FOR,
            signer: signer.clone(),
        };
        signers.insert((endpoint.workspace.clone(), endpoint.id.clone()), kept);
    }
}

impl Webhooks {
    /// What signs an endpoint's messages: all of its secrets that are valid, opened. Kept in the process
    /// for as long as the endpoint's row bears the same `secret_version`.
    ///
    /// # Errors
    /// `NOT_FOUND` when the endpoint is gone; internal when the vault cannot open its secrets.
    pub async fn signer(&self, endpoint: &Endpoint) -> Result<Arc<Signer>> {
        let now = self.clock().wall();
        if let Some(signer) = self.signers.get(endpoint, now) {
            return Ok(signer);
        }
        let (workspace, id) = (&endpoint.workspace, &endpoint.id);
        let row = self.secret_row(workspace, id).await?.doc;
        let newest = SigningKey::from_secret(&self.opened(workspace, id, &row.sealed).await?)?;
        let mut former = Vec::new();
        for one in row.former.iter().filter(|one| one.ends_at > now) {
            let secret = self.opened(workspace, id, &one.sealed).await?;
            former.push((SigningKey::from_secret(&secret)?, one.ends_at));
        }
        let signer = Arc::new(Signer::new(newest, former, endpoint.signing.body_signature));
        self.signers.keep(endpoint, now, &signer);
        Ok(signer)
    }

    /// An endpoint's signing secret: for those who may see it.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such endpoint; internal when the vault cannot open it.
    pub async fn endpoint_secret(
        &self,
        workspace: &WorkspaceId,
        id: &EndpointId,
    ) -> Result<ShownSecret> {
        let row = self.secret_row(workspace, id).await?.doc;
        let secret = self.opened(workspace, id, &row.sealed).await?;
        shown(secret, &row, self.clock().wall())
    }

    pub(crate) async fn secret_row(
        &self,
        workspace: &WorkspaceId,
        id: &EndpointId,
    ) -> Result<Row<EndpointSecret>> {
        let row: Option<Row<EndpointSecret>> = self.store.get(&secret_key(workspace, id)).await?;
        row.ok_or_else(|| Error::not_found("webhook endpoint"))
    }

    async fn opened(
        &self,
        workspace: &WorkspaceId,
        id: &EndpointId,
        sealed: &Sealed,
    ) -> Result<SecretString> {
        self.vault.open(workspace, id.as_str(), sealed).await
    }
}

/// A row's newest secret, which is `secret`, and what belongs to it.
pub(crate) fn shown(
    secret: SecretString,
    row: &EndpointSecret,
    now: WallTime,
) -> Result<ShownSecret> {
    let public_key = SigningKey::from_secret(&secret)?.public_key();
    let scheme = if public_key.is_some() { Scheme::V1a } else { Scheme::V1 };
    let ends = row.former.iter().map(|former| former.ends_at);
    let former_end_at = ends.filter(|ends_at| *ends_at > now).collect();
    Ok(ShownSecret { secret, scheme, public_key, former_end_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_millis(1_700_000_000_000);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// Told apart by when its key was made; what is sealed in it does not matter here.
    fn sealed(number: i64) -> Sealed {
        Sealed::try_from(text(number)).unwrap()
    }

    fn text(number: i64) -> String {
        format!("v2.{number}.AAAA.{}.AAAA", "A".repeat(32))
    }

    fn texts(row: &EndpointSecret) -> Vec<String> {
        row.clone().all_mut().map(|sealed| String::from(sealed.clone())).collect()
    }

    #[test]
    fn former_secrets_end_each_at_its_own_time_and_are_then_gone() {
        let row = EndpointSecret::first(sealed(1));
        let row = row.rotated(sealed(2), NOW, DAY).unwrap();
        let row = row.rotated(sealed(3), NOW, DAY * 2).unwrap();
        assert_eq!(texts(&row), [text(3), text(2), text(1)]);
        let row = row.rotated(sealed(4), NOW + DAY, DAY).unwrap();
        assert_eq!(texts(&row), [text(4), text(3), text(2)]);
        assert_eq!(row.former[0].ends_at, NOW + DAY * 2);
    }

    #[test]
    fn without_an_overlap_every_former_secret_ends_at_once() {
        let row = EndpointSecret::first(sealed(1)).rotated(sealed(2), NOW, DAY).unwrap();
        let row = row.rotated(sealed(3), NOW, Duration::ZERO).unwrap();
        assert_eq!(texts(&row), [text(3)]);
    }

    #[test]
    fn ten_former_secrets_may_be_valid_and_no_more() {
        let mut row = EndpointSecret::first(sealed(0));
        for number in 1..=10 {
            row = row.rotated(sealed(number), NOW, DAY).unwrap();
        }
        assert_eq!(row.former.len(), FORMER_MAX);
        assert_eq!(row.clone().rotated(sealed(11), NOW, DAY).unwrap_err(), TooMany);
        assert!(row.clone().rotated(sealed(11), NOW, Duration::ZERO).is_ok());
        assert!(row.rotated(sealed(11), NOW + DAY, DAY).is_ok());
    }

    #[test]
    fn a_row_from_before_there_was_rotation_reads_as_one_secret() {
        let row = EndpointSecret::first(sealed(1));
        let written = serde_json::to_string(&row).unwrap();
        assert!(!written.contains("former"));
        assert_eq!(texts(&serde_json::from_str(&written).unwrap()), [text(1)]);
    }
}
