//! The hosted pages over HTTP: what they answer to whoever comes with what.

mod attacks;
mod browser;
mod callback;
mod flow;
mod links;
pub mod visitor;

use std::path::Path;

use http::Method;
use millwright_access::{Environment, Role, create_key, create_workspace};
use millwright_connection::ConnectionContext;
use millwright_core::{Clock, ExposeSecret, WorkspaceId};
use millwright_tests::{
    api::Api,
    cloud::Cloud,
    faults::{QueueFaults, TableFaults},
};
use millwright_web::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::visitor::Visitor;
use crate::in_process::{self, serve, variables};

/// Millwright in this process, and a workspace called Acme.
pub struct Scene {
    pub api: Api,
    pub base: String,
    pub context: ConnectionContext,
    pub workspace: WorkspaceId,
    _cloud: Cloud,
    folder: TempDir,
}

impl Scene {
    pub async fn new() -> Self {
        Self::in_environment(Environment::Test).await
    }

    pub async fn in_environment(environment: Environment) -> Self {
        Self::with(environment, |context| context, |_| {}).await
    }

    /// With other connectors, or other settings.
    pub async fn with(
        environment: Environment,
        context: impl FnOnce(ConnectionContext) -> ConnectionContext,
        settings: impl FnOnce(&mut Settings),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let (table, queue) = (TableFaults::NONE, QueueFaults::NONE);
        let cloud = Cloud::start(folder.path(), table, queue, 0, clock.clone()).await;
        let variables = variables(&cloud, folder.path());
        let context = context(in_process::context(&variables, clock, &cloud.sdk()));
        let workspace = create_workspace(&context.store, "Acme", environment).await.unwrap();
        let made = create_key(&context.store, &workspace, "all", Role::Admin, None);
        let (_, key) = made.await.unwrap();
        let api = serve(&context, settings).await.with_key(Some(key.expose_secret()));
        let base = api.base().to_owned();
        Self { api, base, context, workspace: workspace.id, _cloud: cloud, folder }
    }

    /// Where everything is kept.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A browser that has not been here before.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(&self.base)
    }

    /// Makes a connect link.
    pub async fn link(&self, request: Value) -> Value {
        self.api.post("/v1/connect-links", &request, 201).await
    }

    /// A connect link for a sandbox, and the path of its page.
    pub async fn sandbox_link(&self) -> (Value, String) {
        let link = self.link(json!({ "connector_ids": ["sandbox"] })).await;
        let path = self.path_of(&link["url"]);
        (link, path)
    }

    /// The path of an address of ours.
    pub fn path_of(&self, url: &Value) -> String {
        let url = url.as_str().expect("an address");
        url.strip_prefix(&self.base).unwrap_or_else(|| panic!("{url} is not ours")).to_owned()
    }

    /// Makes an application that returns to `redirect_uri`.
    pub async fn application(&self, redirect_uri: &str, logo: Option<&str>) -> Value {
        let mut request = json!({ "name": "Acme <b>Planner</b>", "redirect_uris": [redirect_uri] });
        if let Some(logo) = logo {
            request["logo_url"] = logo.into();
        }
        let made = self.api.call(Method::POST, "/v1/applications", Some(&request)).await;
        made.expect(201)
    }
}

/// An authorization request of an application.
pub fn authorization(client_id: &str, redirect_uri: &str, more: &[(&str, &str)]) -> String {
    // RFC 7636, appendix B.
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("code_challenge", challenge)
        .append_pair("code_challenge_method", "S256")
        .extend_pairs(more);
    format!("/link/authorize?{}", query.finish())
}
