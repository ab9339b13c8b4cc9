//! People sign in with a provider of identities that nobody here wrote (oidc-provider).

use std::collections::HashMap;

use http::Method;
use millwright_core::PublicUrl;
use millwright_tests::{
    api::{Answer, Api},
    authorization_server::AuthorizationServer,
};
use millwright_web::Settings;
use serde_json::json;

use super::scene::Scene;
use crate::in_process;

/// Where browsers find the service: the provider sends them back there, and nobody need listen.
const PUBLIC: &str = "http://127.0.0.1:1";

struct Door {
    server: AuthorizationServer,
    api: Api,
    _scene: Scene,
    _folder: tempfile::TempDir,
}

impl Door {
    /// Lets in who the rules name.
    async fn new(allow: &str) -> Self {
        let (scene, folder) = (Scene::new().await, tempfile::tempdir().unwrap());
        let server = AuthorizationServer::start(folder.path()).await;
        let source = HashMap::from([
            ("MILLWRIGHT_PUBLIC_URL", PUBLIC),
            ("MILLWRIGHT_SIGN_IN_ISSUER", server.url()),
            ("MILLWRIGHT_SIGN_IN_CLIENT_ID", "dashboard"),
            ("MILLWRIGHT_SIGN_IN_CLIENT_SECRET", "dashboard-secret/+&="),
            ("MILLWRIGHT_SIGN_IN_ALLOW", allow),
            ("MILLWRIGHT_SIGN_IN_WORKSPACE", scene.workspace.id.as_str()),
        ]);
        let sign_in = Settings::from_source(&source).unwrap().sign_in;
        let outbound = in_process::outbound_to_loopback();
        let api = in_process::serve_with(&scene.context, outbound, |settings| {
            settings.public_url = PublicUrl::new(PUBLIC);
            settings.sign_in = sign_in;
        })
        .await;
        Self { server, api: api.staying(), _scene: scene, _folder: folder }
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.api.with_header("Cookie", cookie).call(Method::GET, path, None).await
    }

    /// Signs in as far as the provider goes: the path that the browser comes back to, and its cookie.
    async fn at_the_provider(&self, return_to: &str) -> (String, String) {
        let path = format!("/auth/login?return_to={return_to}");
        let begun = self.get(&path, "").await;
        assert_eq!(begun.status, 303, "{:#}", begun.body);
        let consent = self.server.consent(&header(&begun, "location")).await;
        let back = format!("/auth/callback?code={}&state={}", consent.code, consent.state);
        (back, cookies(&begun)[0].clone())
    }
}

fn header(answer: &Answer, name: &str) -> String {
    answer.headers[name].to_str().unwrap().to_owned()
}

/// The cookies that an answer sets, as a browser sends them.
fn cookies(answer: &Answer) -> Vec<String> {
    let set = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    set.map(|cookie| cookie.split(';').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn somebody_signs_in_is_known_and_signs_out() {
    let door = Door::new("@acme.example=read, sub:planner=write").await;
    let (back, attempt) = door.at_the_provider("/dashboard/x").await;
    let done = door.get(&back, &attempt).await;
    assert_eq!((done.status, header(&done, "location").as_str()), (303, "/dashboard/x"));
    let session = cookies(&done)[0].clone();
    assert!(session.starts_with("mw_session=mw_ss_"), "{session}");
    let known = door.get("/auth/session", &session).await.expect(200);
    assert_eq!((&known["subject"], &known["role"]), (&json!("planner"), &json!("write")));
    // A session is no token of the API.
    let token = session.trim_start_matches("mw_session=");
    let api = door.api.with_key(Some(token));
    assert_eq!(api.call(Method::GET, "/v1/connections", None).await.status, 401);

    let out = door.api.with_header("Cookie", &session);
    assert_eq!(out.call(Method::POST, "/auth/logout", None).await.status, 204);
    assert_eq!(door.get("/auth/session", &session).await.status, 401);
}

#[tokio::test]
async fn who_may_not_come_in_or_began_elsewhere_is_refused() {
    let door = Door::new("sub:somebody-else=admin").await;
    let (back, attempt) = door.at_the_provider("//evil.example").await;
    // Another browser, which did not begin it.
    assert_eq!(door.get(&back, "").await.code(), Some("AUTHENTICATION_FAILED"));
    let (_, other) = door.at_the_provider("/dashboard").await;
    assert_eq!(door.get(&back, &other).await.code(), Some("AUTHENTICATION_FAILED"));
    let forged = back.replace("code=", "code=x");
    assert_eq!(door.get(&forged, &attempt).await.code(), Some("AUTHENTICATION_FAILED"));
    let stranger = door.get(&back, &attempt).await;
    assert_eq!((stranger.status, stranger.code()), (403, Some("PERMISSION_DENIED")));
    assert!(stranger.headers.get("set-cookie").is_none());
    assert_eq!(door.get("/auth/session", "mw_session=mw_ss_x").await.status, 401);
}

#[tokio::test]
async fn where_it_is_not_set_up_nobody_signs_in() {
    let scene = Scene::new().await;
    for path in ["/auth/login", "/auth/callback?code=x&state=y", "/auth/session"] {
        let answer = scene.admin.call(Method::GET, path, None).await;
        assert_eq!((answer.status, answer.code()), (404, Some("NOT_FOUND")), "{path}");
    }
}
