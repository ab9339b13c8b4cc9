//! OAuth 2.0.

use super::Check;
use crate::{
    manifest::{ClientStyle, Oauth2Client, Oauth2Code, Oauth2Jwt, OauthClient, TokenRules},
    table::Table,
    template::Template,
};

/// What can be named of the registration that all customers share.
const REGISTRATION: [&str; 2] = ["client_id", "client_secret"];
/// Parameters that the flow itself sets.
const OWN_PARAMS: [&str; 12] = [
    "grant_type",
    "code",
    "redirect_uri",
    "response_type",
    "state",
    "scope",
    "client_id",
    "client_secret",
    "refresh_token",
    "code_verifier",
    "code_challenge",
    "assertion",
];

impl Check<'_> {
    pub(super) fn oauth_code(&mut self, place: &str, code: &Oauth2Code) {
        self.oauth_url(&format!("{place}.authorize_url"), &code.authorize_url);
        self.params(&format!("{place}.authorize_params"), &code.authorize_params);
        self.client(&format!("{place}.client"), &code.client);
        if code.client.style == ClientStyle::None && !code.pkce {
            self.say(place, "needs `pkce` for a client without a secret");
        }
        self.scopes(place, &code.scopes, &code.scope_separator);
        self.token_rules(&format!("{place}.token"), &code.token);
    }

    pub(super) fn oauth_client(&mut self, place: &str, client: &Oauth2Client) {
        self.client(&format!("{place}.client"), &client.client);
        if client.client.style == ClientStyle::None {
            self.say(place, "needs a client with a secret");
        }
        self.scopes(place, &client.scopes, &client.scope_separator);
        self.token_rules(&format!("{place}.token"), &client.token);
    }

    pub(super) fn oauth_jwt(&mut self, place: &str, jwt: &Oauth2Jwt) {
        if let Some(client) = &jwt.client {
            self.client(&format!("{place}.client"), client);
        }
        let assertion = &jwt.assertion;
        let here = format!("{place}.assertion");
        for template in [Some(&assertion.key), assertion.key_id.as_ref()].into_iter().flatten() {
            self.template(&here, template, &["credentials", "registration"]);
        }
        for (name, template) in assertion.claims.iter() {
            let here = format!("{here}.claims.{name}");
            self.template(&here, template, &["credentials", "registration"]);
            if ["iat", "exp", "nbf", "jti"].contains(&name) {
                self.say(&here, "is set by itself");
            }
        }
        if assertion.claims.get("iss").is_none() || assertion.claims.get("aud").is_none() {
            self.say(&format!("{here}.claims"), "have `iss` and `aud` (RFC 7523, section 3)");
        }
        if assertion.life_seconds == 0 {
            self.say(&format!("{here}.life_seconds"), "is at least 1");
        }
        self.scopes(place, &jwt.scopes, &jwt.scope_separator);
        self.token_rules(&format!("{place}.token"), &jwt.token);
    }

    fn client(&mut self, place: &str, client: &OauthClient) {
        let secret = client.secret.as_ref();
        for template in [Some(&client.id), secret].into_iter().flatten() {
            self.template(place, template, &["credentials", "registration"]);
            self.members(place, template, "registration", &REGISTRATION);
        }
        if secret.is_some() == (client.style == ClientStyle::None) {
            self.say(place, "has a `secret`, or the style `none`");
        }
    }

    fn token_rules(&mut self, place: &str, token: &TokenRules) {
        self.oauth_url(&format!("{place}.url"), &token.url);
        if let Some(url) = &token.refresh_url {
            self.oauth_url(&format!("{place}.refresh_url"), url);
        }
        self.params(&format!("{place}.params"), &token.params);
        self.params(&format!("{place}.refresh_params"), &token.refresh_params);
        for (name, template) in token.headers.iter() {
            let place = format!("{place}.headers.{name}");
            self.header_name(&place, name);
            self.template(&place, template, &["credentials"]);
        }
        for (name, template) in token.keep.iter() {
            self.template(&format!("{place}.keep.{name}"), template, &["answer"]);
        }
        let send = format!("{place}.send");
        self.carrier(&send, &token.send.headers, &token.send.query, &["oauth"]);
        let mut sent = token.send.headers.iter().chain(token.send.query.iter());
        if !sent.any(|(_, template)| template.placeholders().iter().any(|one| one.root == "oauth"))
        {
            self.say(&send, "puts `{oauth.access_token}` nowhere");
        }
        for (_, template) in token.send.headers.iter().chain(token.send.query.iter()) {
            self.members(&send, template, "oauth", &["access_token"]);
        }
    }

    /// Client secrets go there. Those of the deployment's own registration go to the vendor alone, so a
    /// setting may then only be one name in it; a customer's own may go to the customer's own address.
    fn oauth_url(&mut self, place: &str, url: &Template) {
        self.template(place, url, &[]);
        self.only_settings(place, url);
        let ours = self.manifest.auth.names_registration();
        let begins = match url.literal_start() {
            // What stays on this machine needs no encryption.
            Some(start) => {
                ["https://", "http://127.0.0.1:"].iter().any(|fine| start.starts_with(fine))
            }
            None => !ours && self.begins_with_address(url),
        };
        if !begins && ours {
            self.say(place, "begins with https://, for the registration's secret goes there");
        } else if !begins {
            self.say(place, "begins with https:// or with a setting of type `url`");
        }
    }

    fn params(&mut self, place: &str, params: &Table<Template>) {
        for (name, template) in params.iter() {
            let place = format!("{place}.{name}");
            self.template(&place, template, &["credentials", "registration"]);
            if OWN_PARAMS.contains(&name) {
                self.say(&place, "is set by itself");
            }
        }
    }

    fn scopes(&mut self, place: &str, scopes: &[String], separator: &str) {
        let odd = |scope: &String| scope.is_empty() || scope.contains(char::is_whitespace);
        if scopes.iter().any(odd) || separator.is_empty() {
            self.say(&format!("{place}.scopes"), "are words, with something between them");
        }
    }
}
