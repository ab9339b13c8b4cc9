//! Whose pages they are: an application's name and logo, or the workspace's name.

use millwright_access::{Environment, get_application, get_workspace};
use millwright_core::{ApplicationId, Result, WorkspaceId};
use millwright_store::Store;
use serde::{Deserialize, Serialize};
use url::Url;

/// Whose name is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Brand {
    /// The name.
    pub name: String,
    /// The logo's address, where there is one.
    pub logo: Option<String>,
}

impl Brand {
    /// A name, and a logo if its address is one that a browser may fetch an image from.
    pub fn new(name: &str, logo: Option<&str>) -> Self {
        let logo = logo.filter(|text| origin(text).is_some()).map(str::to_owned);
        Self { name: name.to_owned(), logo }
    }

    /// Where the logo comes from, as a Content-Security-Policy says it.
    pub fn logo_origin(&self) -> Option<String> {
        self.logo.as_deref().and_then(origin)
    }
}

/// The origin of a web address: scheme, host and port alone, so that nothing else can get into a header.
pub(super) fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    web.then(|| url.origin().ascii_serialization())
}

/// What is shown where nobody has asked for it through an application: the brand, and whether sandboxes
/// are offered.
pub(super) async fn of_workspace(
    store: &Store,
    workspace: &WorkspaceId,
    application: Option<&ApplicationId>,
) -> Result<(Brand, bool)> {
    let own = get_workspace(store, workspace).await?;
    let sandbox = own.environment == Environment::Test;
    let brand = match application {
        Some(id) => {
            let application = get_application(store, workspace, id).await?;
            Brand::new(&application.name, application.logo_url.as_deref())
        }
        None => Brand::new(&own.name, None),
    };
    Ok((brand, sandbox))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_fetched_from_the_web_only_and_its_origin_is_nothing_more() {
        let brand = Brand::new("Acme", Some("https://cdn.acme.example:8443/a;b.png?x='y'"));
        assert_eq!(brand.logo_origin().as_deref(), Some("https://cdn.acme.example:8443"));
        for wrong in ["javascript:alert(1)", "data:image/png;base64,x", "/logo.png", ""] {
            assert_eq!(Brand::new("Acme", Some(wrong)).logo, None, "{wrong}");
        }
    }
}
