//! Making a link.

use std::time::Duration;

use millwright_core::{
    ApplicationId, ErrorCode, ExposeSecret, FieldError, Result, SecretString, WorkspaceId,
    random_token,
};
use millwright_store::{Expect, Write};
use serde_json::{Map, Value};
use url::Url;

use super::{
    ConnectLink, FoundLink,
    row::{LinkOwner, hash_of, id_for, owner_key},
};
use crate::{ConnectionContext, Customer, NewPending, list_lookup, pending};

/// How long a link can be used unless told otherwise: a week.
pub const LINK_LIFE_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3600);
/// The least: a minute.
pub const LINK_LIFE_MIN: Duration = Duration::from_secs(60);
/// The most: 90 days.
pub const LINK_LIFE_MAX: Duration = Duration::from_secs(90 * 24 * 3600);

/// Letters and digits of a token: more than 200 bits.
const LENGTH: usize = 40;

/// The link to make.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// The connection's name; the system's own when nothing.
    pub name: Option<String>,
    /// The customer it is for.
    pub customer: Option<Customer>,
    /// The workspace's own notes on the connection.
    pub metadata: Map<String, Value>,
    /// The kinds of systems that may be connected; all of them when empty.
    pub connector_ids: Vec<String>,
    /// The application whose name and logo are shown.
    pub application_id: Option<ApplicationId>,
    /// Where its user goes afterwards.
    pub return_url: Option<String>,
    /// How long it can be used: from [`LINK_LIFE_MIN`] to [`LINK_LIFE_MAX`].
    pub life: Duration,
}

impl NewLink {
    /// What is wrong with it, as far as it can be told without the table.
    #[must_use]
    pub fn faults(&self, context: &ConnectionContext) -> Vec<FieldError> {
        let fault =
            |path: String, why: &str| FieldError::new(path, ErrorCode::ValidationFailed, why);
        let mut faults = Vec::new();
        for (at, id) in self.connector_ids.iter().enumerate() {
            if context.engine.catalog().get(id).is_none() {
                let why = "there is no such connector; /v1/connectors lists them";
                faults.push(fault(format!("connector_ids[{at}]"), why));
            }
        }
        if self.return_url.as_deref().is_some_and(|url| !can_return_to(url)) {
            let why = "must be an https:// address (http:// only on this very machine) without a \
                       user name and without `#`";
            faults.push(fault("return_url".to_owned(), why));
        }
        faults
    }
}

/// Whether a browser may be sent there: never to a script, and never in the clear across a network.
fn can_return_to(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    scheme
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
}

/// Makes a link and its pending connection, and answers with its address, which cannot be had again.
///
/// # Errors
/// When the table fails. Faults of what is asked for are found by [`NewLink::faults`].
pub async fn create_link(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    new: NewLink,
) -> Result<(FoundLink, SecretString)> {
    let clock = context.store.clock();
    let until = clock.schedule() + new.life;
    let only = match new.connector_ids.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    };
    let wanted = NewPending {
        connector_id: only,
        name: new.name.clone(),
        customer: new.customer.clone(),
        metadata: new.metadata.clone(),
        application_id: new.application_id.clone(),
        until,
    };
    let (connection, mut writes) = pending(context, workspace, wanted)?;
    let token = SecretString::from(random_token(LENGTH));
    let link = ConnectLink {
        id: id_for(&connection.id),
        workspace: workspace.clone(),
        hash: hash_of(token.expose_secret()),
        connection: connection.id.clone(),
        name: new.name,
        customer: new.customer,
        metadata: new.metadata,
        connector_ids: new.connector_ids,
        application_id: new.application_id,
        return_url: new.return_url,
        created_at: clock.wall(),
        expires_at: until,
        revoked_at: None,
    };
    let owner = LinkOwner { workspace: workspace.clone(), link: link.id.clone() };
    let (key, owner_key) = (link.key(), owner_key(&link.hash));
    writes.push(Write::put(&key, &link, Expect::Absent)?);
    writes.push(Write::put(&owner_key, &owner, Expect::Absent)?);
    // Both go when the connection is erased.
    writes.push(list_lookup(workspace, &link.connection, &key)?);
    writes.push(list_lookup(workspace, &link.connection, &owner_key)?);
    context.store.transact(writes).await?;
    let url = context.public_url.at(&format!("/link/{}", token.expose_secret()));
    Ok((FoundLink::new(context, link, Some(connection)), SecretString::from(url)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_to_web_pages_only_and_never_in_the_clear() {
        for fine in [
            "https://app.example.com/done?x=1",
            "http://localhost:3000/back",
            "http://127.0.0.1/back",
        ] {
            assert!(can_return_to(fine), "{fine}");
        }
        for wrong in [
            "javascript:alert(1)",
            "data:text/html,x",
            "http://app.example.com/",
            "//app.example.com",
            "https://me:pw@app.example.com/",
            "https://app.example.com/#a",
            "https://",
            "",
        ] {
            assert!(!can_return_to(wrong), "{wrong}");
        }
    }
}
