//! Systems with a login page of their own: who comes back from there how. The authorization server is
//! one that others wrote.

use millwright_access::Environment;
use millwright_core::PublicUrl;
use millwright_tests::authorization_server::{AuthorizationServer, Consent, REDIRECT_URI};
use serde_json::json;

use super::{
    Scene,
    visitor::{Page, Visitor},
};
use crate::{in_process::with_connectors, oauth_client::scene::catalog};

const FOREIGN: (u16, &str) = (403, "This page belongs to another browser");

struct Guarded {
    scene: Scene,
    server: AuthorizationServer,
    /// The path of a link for the system behind the server, and the link's own.
    link: (String, String),
}

impl Guarded {
    async fn new() -> Self {
        let public = REDIRECT_URI.strip_suffix("/link/callback").unwrap();
        let scene = Scene::with(
            Environment::Test,
            |context| with_connectors(&context, catalog()),
            |settings| settings.public_url = PublicUrl::new(public),
        );
        let scene = scene.await;
        let server = AuthorizationServer::start(scene.folder()).await;
        let made = scene.link(json!({ "connector_ids": ["guarded-basic"] })).await;
        let path = made["url"].as_str().unwrap().strip_prefix(public).unwrap().to_owned();
        let link = (path, format!("/v1/connect-links/{}", made["id"].as_str().unwrap()));
        Self { scene, server, link }
    }

    /// A browser that fills in the form and consents: what it comes back with.
    async fn consenting(&self) -> (Visitor, Consent) {
        let mut visitor = self.scene.visitor();
        let (action, csrf) = visitor.get(&self.link.0).await.form();
        let fields = [
            ("csrf", csrf.as_str()),
            ("settings.url", self.server.url()),
            ("credentials.client_id", "basic-client"),
            ("credentials.client_secret", "basic-client-secret/+&="),
        ];
        let page = visitor.post(&action, &fields).await;
        assert_eq!(page.title(), "Log in to Guarded", "{}", page.text);
        let consent = self.server.consent(&page.after("class=\"actions\"", "href")).await;
        (visitor, consent)
    }

    async fn status(&self) -> String {
        self.scene.api.get(&self.link.1).await["status"].as_str().unwrap().to_owned()
    }
}

async fn back(visitor: &mut Visitor, pairs: &[(&str, &str)]) -> Page {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let query = query.extend_pairs(pairs).finish();
    visitor.get(&format!("/link/callback?{query}")).await
}

fn told(page: &Page) -> (u16, &str) {
    page.is_safe();
    (page.status, page.title())
}

#[tokio::test]
async fn only_the_browser_that_went_there_comes_back_and_only_once() {
    let guarded = Guarded::new().await;
    let (mut visitor, Consent { code, state }) = guarded.consenting().await;
    let with_code = [("state", state.as_str()), ("code", code.as_str())];
    // Somebody who has no session, and somebody who has another one.
    let mut stranger = guarded.scene.visitor();
    assert_eq!(told(&back(&mut stranger, &with_code).await), FOREIGN);
    stranger.get(&guarded.link.0).await;
    assert_eq!(told(&back(&mut stranger, &with_code).await), FOREIGN);
    for wrong in ["", "guessed", &state[1..]] {
        let pairs = [("state", wrong), ("code", code.as_str())];
        assert_eq!(told(&back(&mut visitor, &pairs).await), FOREIGN, "{wrong}");
    }
    assert_eq!(
        told(&back(&mut visitor, &[("code", code.as_str())]).await),
        FOREIGN,
        "no state at all"
    );
    assert_eq!(guarded.status().await, "open");

    let page = back(&mut visitor, &with_code).await;
    assert_eq!(page.status, 303, "{}", page.text);
    assert_eq!(visitor.follow(page).await.title(), "Your system is connected");
    assert_eq!(guarded.status().await, "spent");
    assert_eq!(told(&back(&mut visitor, &with_code).await), FOREIGN, "it is used up");
    let all = guarded.scene.api.get("/v1/connections").await;
    assert_eq!(all["data"].as_array().map(Vec::len), Some(1), "{all:#}");
}

#[tokio::test]
async fn who_does_not_consent_is_told_so_and_may_try_again() {
    let guarded = Guarded::new().await;
    let (mut visitor, Consent { code, state }) = guarded.consenting().await;
    let denied = [("state", state.as_str()), ("error", "access_denied")];
    let page = back(&mut visitor, &denied).await;
    assert_eq!(told(&page), (200, "You did not allow it"));
    assert!(page.text.contains("Try again"), "{}", page.text);
    // The answer that was refused is not turned into one that was not.
    let late = [("state", state.as_str()), ("code", code.as_str())];
    assert_eq!(told(&back(&mut visitor, &late).await), FOREIGN);
    assert_eq!(guarded.status().await, "open");

    let (mut visitor, Consent { code, state }) = guarded.consenting().await;
    let failed = [("state", state.as_str()), ("error", "server_error"), ("code", code.as_str())];
    assert_eq!(told(&back(&mut visitor, &failed).await), (200, "The login did not succeed"));
    // A code that the server does not know.
    let (mut visitor, Consent { state, .. }) = guarded.consenting().await;
    let forged = [("state", state.as_str()), ("code", "forged")];
    let page = back(&mut visitor, &forged).await;
    page.is_safe();
    assert!(page.text.contains("name=\"csrf\""), "the form is shown again: {}", page.text);
    let (mut visitor, Consent { code, state }) = guarded.consenting().await;
    let page = back(&mut visitor, &[("state", state.as_str()), ("code", code.as_str())]).await;
    assert_eq!(visitor.follow(page).await.title(), "Your system is connected");
    assert_eq!(guarded.status().await, "spent");
}
