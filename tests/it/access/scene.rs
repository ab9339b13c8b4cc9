//! The API in process over the local table, a workspace, and sandboxes connected in it.

use http::Method;
use millwright_access::{
    Environment, Role, Workspace, create_key, create_workspace,
    oauth::{check_authorization, issue_code},
};
use millwright_connection::ConnectionContext;
use millwright_core::{Clock, ExposeSecret, PublicUrl};
use millwright_tests::{
    api::{Answer, Api},
    cloud::Cloud,
};
use millwright_web::Settings;
use serde_json::{Value, json};

use crate::in_process;

/// Where applications of these tests come back to.
pub const BACK: &str = "http://127.0.0.1:9/back";
/// A verifier of PKCE and its challenge (RFC 7636, appendix B).
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const FORM: &str = "application/x-www-form-urlencoded";

pub struct Scene {
    /// Calls with an admin key.
    pub admin: Api,
    pub base: String,
    pub context: ConnectionContext,
    pub workspace: Workspace,
    _cloud: Cloud,
    _folder: tempfile::TempDir,
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cloud = Cloud::calm(folder.path()).await;
        let variables = in_process::variables(&cloud, folder.path());
        let context = in_process::context(&variables, Clock::system(), &cloud.sdk());
        let workspace = create_workspace(&context.store, "Acme", Environment::Test).await.unwrap();
        let made = create_key(&context.store, &workspace, "all", Role::Admin, None).await;
        let (_, key) = made.unwrap();
        let api = in_process::serve(&context, change).await;
        let (base, admin) = (api.base().to_owned(), api.with_key(Some(key.expose_secret())));
        Self { admin, base, context, workspace, _cloud: cloud, _folder: folder }
    }

    /// The address of another instance over the same table.
    pub async fn another_instance(&self, change: impl FnOnce(&mut Settings)) -> String {
        in_process::serve(&self.context, change).await.base().to_owned()
    }

    /// Connects a sandbox; its id.
    pub async fn connect(&self) -> String {
        let body = json!({ "connector_id": "sandbox" });
        text(&self.admin.post("/v1/connections", &body, 201).await, "id")
    }

    /// A caller with a key of a role.
    pub async fn key(&self, role: &str) -> Api {
        let body = json!({ "name": role, "role": role });
        let made = self.admin.post("/v1/api-keys", &body, 201).await;
        self.admin.with_key(made["key"].as_str())
    }

    /// A caller with no key but this token.
    pub fn with_token(&self, token: &str) -> Api {
        Api::new(&self.base, Some(token))
    }

    /// Makes an application that comes back to [`BACK`].
    pub async fn application(&self, more: Value) -> Value {
        let mut body = json!({ "name": "Planner", "redirect_uris": [BACK] });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.admin.post("/v1/applications", &body, 201).await
    }

    /// What the hosted pages do when a user that came by this address has connected a system: where
    /// they send the user.
    pub async fn user_connects(&self, url: &str, connection: &str) -> String {
        let (_, query) = url.split_once('?').unwrap();
        let store = &self.context.store;
        let request = check_authorization(store, query).await.unwrap();
        let connection = connection.parse().unwrap();
        let code = issue_code(store, &request, &self.workspace.id, &connection).await.unwrap();
        let issuer = PublicUrl::new(&self.base);
        request.location_with_code(&issuer, &code).unwrap().expose_secret().to_owned()
    }

    /// A code for an application.
    pub async fn code(&self, application: &Value, connection: &str) -> String {
        let query = [
            ("response_type", "code"),
            ("client_id", application["client_id"].as_str().unwrap()),
            ("redirect_uri", BACK),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let url = format!("{}/link/authorize?{}", self.base, encoded(&query));
        let back = self.user_connects(&url, connection).await;
        let code = back.split("code=").nth(1).unwrap();
        code.split('&').next().unwrap().to_owned()
    }

    /// POST of a form.
    pub async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let api = Api::new(&self.base, None);
        api.raw(Method::POST, path, Some((FORM, encoded(pairs)))).await
    }

    /// A request for tokens by an application that proves itself in the body.
    pub async fn tokens(&self, application: &Value, pairs: &[(&str, &str)]) -> Answer {
        let mut pairs = pairs.to_vec();
        pairs.push(("client_id", application["client_id"].as_str().unwrap()));
        pairs.extend(application["client_secret"].as_str().map(|text| ("client_secret", text)));
        self.form("/oauth/token", &pairs).await
    }

    /// Exchanges a code.
    pub async fn exchange(&self, application: &Value, code: &str) -> Answer {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ];
        self.tokens(application, &pairs).await
    }

    /// Uses a refresh token.
    pub async fn refresh(&self, application: &Value, token: &str) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.tokens(application, &pairs).await
    }

    /// The tokens of an application for a connection.
    pub async fn granted(&self, application: &Value, connection: &str) -> Value {
        let code = self.code(application, connection).await;
        self.exchange(application, &code).await.expect(200)
    }
}

/// A field that is text.
pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://x/", pairs).unwrap();
    url.query().unwrap_or_default().to_owned()
}
