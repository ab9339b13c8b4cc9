//! Sealing the secrets of endpoints anew.

use millwright_core::{Result, WallTime, WorkspaceId};
use millwright_store::{Key, Range, Store, Table};
use millwright_vault::Vault;

use crate::{
    endpoint::Endpoint,
    keys::{ENDPOINT_PREFIX, secret_key},
    own_headers::headers_context,
    secrets::EndpointSecret,
};

/// Seals the secrets of a workspace's endpoints anew whose data keys were made before `since`; answers
/// for how many endpoints there were any. Harmless while they are used, and to do twice.
///
/// # Errors
/// When the table or the vault fails.
pub async fn reseal_endpoints(
    store: &Store,
    vault: &Vault,
    workspace: &WorkspaceId,
    since: WallTime,
) -> Result<u64> {
    let range = Range::Prefix(ENDPOINT_PREFIX.to_owned());
    let endpoints = store.query_all::<Endpoint>(Table::State, workspace.as_str(), &range).await?;
    let mut done = 0;
    for endpoint in endpoints {
        let id = &endpoint.doc.id;
        let key = secret_key(workspace, id);
        let decide = |mut row: EndpointSecret| async move {
            let mut changed = false;
            for sealed in row.all_mut() {
                if let Some(young) = vault.reseal(workspace, id.as_str(), sealed, since).await? {
                    *sealed = young;
                    changed = true;
                }
            }
            Ok(changed.then_some(row))
        };
        done += u64::from(store.modify_slowly(&key, decide).await?);
        if endpoint.doc.headers.is_some() {
            done += u64::from(reseal_headers(store, vault, &endpoint.key, since).await?);
        }
    }
    Ok(done)
}

async fn reseal_headers(store: &Store, vault: &Vault, key: &Key, since: WallTime) -> Result<bool> {
    let decide = |endpoint: Endpoint| async move {
        let Some(headers) = &endpoint.headers else { return Ok(None) };
        let (workspace, context) = (&endpoint.workspace, headers_context(&endpoint.id));
        let young = vault.reseal(workspace, &context, headers, since).await?;
        Ok(young.map(|sealed| Endpoint { headers: Some(sealed), ..endpoint.clone() }))
    };
    store.modify_slowly(key, decide).await
}
