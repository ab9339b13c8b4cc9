//! Those who want in: other browsers, forged forms, texts that would be code, ways out to elsewhere.

use super::{Scene, authorization};

#[tokio::test]
async fn what_nobody_was_given_is_not_known() {
    let scene = Scene::new().await;
    for path in ["/link/x", "/link/%3Cscript%3E", "/link/..%2f..%2fetc", "/link/assets/passwd"] {
        let page = scene.visitor().get(path).await;
        page.is_safe();
        assert_eq!((page.status, page.title()), (404, "This link is not known"), "{path}");
        assert!(!page.text.contains("script>"), "{}", page.text);
    }
}

#[tokio::test]
async fn a_session_belongs_to_the_browser_that_began_it() {
    let scene = Scene::new().await;
    let (_, path) = scene.sandbox_link().await;
    let mut visitor = scene.visitor();
    let page = visitor.get(&path).await;
    let set = page.header("set-cookie");
    assert!(set.contains("; HttpOnly; SameSite=Lax") && set.contains("Path=/link;"), "{set}");
    let (action, csrf) = page.form();
    let session = action.strip_suffix("/connect/sandbox").unwrap();
    for rest in ["", "/systems", "/connect/sandbox", "/leave", "/cancel"] {
        let foreign = scene.visitor().get(&format!("{session}{rest}")).await;
        foreign.is_safe();
        let told = (foreign.status, foreign.title());
        assert_eq!(told, (403, "This page belongs to another browser"), "{rest}");
    }
    let mut thief = scene.visitor();
    thief.get(&path).await;
    let sent = thief.post(&action, &[("csrf", &csrf), ("credentials.username", "ok")]).await;
    assert_eq!(sent.status, 403, "a cookie of another session is of no use");
    let (name, _) = visitor.cookies.iter().next().unwrap();
    thief.cookies.insert(name.clone(), "guessed".to_owned());
    assert_eq!(thief.get(&action).await.status, 410, "nor is a guessed one");
}

#[tokio::test]
async fn a_form_without_the_token_of_its_page_does_nothing() {
    let scene = Scene::new().await;
    let (link, path) = scene.sandbox_link().await;
    let mut visitor = scene.visitor();
    let (action, csrf) = visitor.get(&path).await.form();
    let (_, of_another) = scene.visitor().get(&path).await.form();
    for wrong in ["", "x", &of_another, &csrf[1..]] {
        let sent = visitor.post(&action, &[("csrf", wrong), ("credentials.username", "ok")]).await;
        sent.is_safe();
        let told = (sent.status, sent.title());
        assert_eq!(told, (403, "This form was not sent from its page"), "{wrong}");
    }
    assert_eq!(visitor.post(&action, &[("credentials.username", "ok")]).await.status, 403);
    let at = format!("/v1/connect-links/{}", link["id"].as_str().unwrap());
    assert_eq!(scene.api.get(&at).await["status"], "open");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_connects_once() {
    let scene = Scene::new().await;
    let callback = "https://app.example.com/callback";
    let application = scene.application(callback, None).await;
    let client = application["client_id"].as_str().unwrap();
    let mut visitor = scene.visitor();
    visitor.get(&authorization(client, callback, &[("state", "s")])).await;
    let name = visitor.cookies.keys().next().unwrap().strip_prefix("mw_link_").unwrap().to_owned();
    let form = format!("/link/session/{name}/connect/sandbox");
    let (action, csrf) = visitor.get(&form).await.form();
    let fields = [("csrf", csrf.as_str()), ("credentials.username", "ok")];
    let (mut one, mut two) = (visitor.clone(), visitor.clone());
    let (first, second) = tokio::join!(one.post(&action, &fields), two.post(&action, &fields));
    let third = visitor.post(&action, &fields).await;
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!((statuses, third.status), ([303, 409], 409));
    assert_eq!(third.title(), "This form was already sent");
    assert_eq!(scene.api.all("/v1/connections").await.len(), 1);
}

#[tokio::test]
async fn no_text_that_is_shown_again_becomes_code() {
    let scene = Scene::new().await;
    let callback = "https://app.example.com/callback";
    let application = scene.application(callback, None).await;
    let client = application["client_id"].as_str().unwrap();
    let attack = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";
    let is_harmless = |page: &super::visitor::Page| {
        page.is_safe();
        assert!(
            !page.text.contains("<script>") && !page.text.contains("<img src=x"),
            "{}",
            page.text
        );
        assert!(!page.text.contains("<b>Planner"), "{}", page.text);
    };
    let mut visitor = scene.visitor();
    for more in [("state", attack), ("display", attack), ("scope", attack), ("x", attack)] {
        let page = visitor.get(&authorization(client, callback, &[more])).await;
        if page.status == 200 {
            is_harmless(&page);
        }
    }
    let page = visitor.get(&authorization(client, callback, &[("state", "s")])).await;
    assert!(page.text.contains("Acme &lt;b&gt;Planner&lt;/b&gt;"), "the name is shown as text");
    let systems = page.after("<form", "action");
    let query: String = url::form_urlencoded::byte_serialize(attack.as_bytes()).collect();
    let searched = visitor.get(&format!("{systems}?q={query}")).await;
    is_harmless(&searched);
    assert!(searched.text.contains("&lt;script&gt;"), "what was looked for is shown as text");
    let form = systems.replace("/systems", "/connect/tryton");
    let (action, csrf) = visitor.get(&form).await.form();
    let names =
        ["settings.url", "settings.database", "credentials.username", "credentials.password"];
    let mut fields: Vec<(&str, &str)> = names.into_iter().map(|name| (name, attack)).collect();
    fields.extend([("csrf", csrf.as_str()), (attack, attack)]);
    let refused = visitor.post(&action, &fields).await;
    assert_eq!(refused.status, 422);
    is_harmless(&refused);
    let unknown = visitor.get(&systems.replace("/systems", &format!("/connect/{query}"))).await;
    is_harmless(&unknown);
    is_harmless(&visitor.get(&format!("/link/callback?state={query}&error={query}")).await);
}

#[tokio::test]
async fn nobody_is_sent_anywhere_but_to_an_address_that_was_given_beforehand() {
    let scene = Scene::new().await;
    let callback = "https://app.example.com/callback";
    let application = scene.application(callback, None).await;
    let client = application["client_id"].as_str().unwrap();
    for elsewhere in [
        "https://evil.example/callback",
        "https://app.example.com/callback/../evil",
        "https://app.example.com/callback?x=1",
        "https://app.example.com.evil.example/callback",
        "javascript:alert(1)",
        "//evil.example",
    ] {
        let page = scene.visitor().get(&authorization(client, elsewhere, &[])).await;
        assert_eq!((page.status, page.location()), (400, None), "{elsewhere}");
        page.is_safe();
    }
    let page = scene.visitor().get(&authorization("nobody", callback, &[])).await;
    assert_eq!((page.status, page.location()), (400, None));
    // Parameters of pages lead nowhere.
    let (_, path) = scene.sandbox_link().await;
    let mut visitor = scene.visitor();
    for name in ["return_url", "redirect_uri", "next", "url"] {
        let page = visitor.get(&format!("{path}?{name}=https://evil.example/")).await;
        let session = page.form().0.replace("/connect/sandbox", "");
        let left = visitor.get(&format!("{session}/cancel?{name}=https://evil.example/")).await;
        assert_eq!((left.status, left.location()), (200, None), "{name}");
        assert!(!left.text.contains("evil.example"));
    }
}
