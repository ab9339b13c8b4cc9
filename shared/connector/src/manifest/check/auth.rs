//! Logging in.

use http::{HeaderName, header};

use super::Check;
use crate::{
    manifest::{Auth, Carrier, Csrf, HmacAuth, Login, Protocol, Request},
    table::Table,
    template::Template,
};

/// What can be named of a request that is to be signed.
const SIGNED: [&str; 9] = [
    "method",
    "url",
    "host",
    "path",
    "query",
    "body",
    "timestamp",
    "timestamp_millis",
    "timestamp_iso",
];
/// What can be named of it before.
const TIMES: [&str; 3] = ["timestamp", "timestamp_millis", "timestamp_iso"];

impl Check<'_> {
    pub(super) fn auth(&mut self) {
        let auth = &self.manifest.auth;
        if matches!(self.manifest.protocol, Protocol::Sandbox) && !matches!(auth, Auth::None) {
            self.say("auth", "is not for the sandbox");
        }
        self.auth_kind("auth", auth);
    }

    fn auth_kind(&mut self, place: &str, auth: &Auth) {
        match auth {
            Auth::None => {}
            Auth::ApiKey(carrier) => {
                let place = format!("{place}.api_key");
                self.carrier(&place, &carrier.headers, &carrier.query, &[]);
                self.carries(&place, carrier, "credentials");
            }
            Auth::Basic(basic) => {
                for template in [&basic.username, &basic.password] {
                    self.template(&format!("{place}.basic"), template, &["credentials"]);
                }
            }
            Auth::Bearer(bearer) => {
                self.template(&format!("{place}.bearer"), &bearer.token, &["credentials"]);
            }
            Auth::Login(login) => self.login(&format!("{place}.login"), login),
            Auth::Hmac(hmac) => self.hmac(&format!("{place}.hmac"), hmac),
            Auth::Csrf(csrf) => self.csrf(&format!("{place}.csrf"), csrf),
            Auth::Oauth2Code(code) => self.oauth_code(&format!("{place}.oauth2_code"), code),
            Auth::Oauth2Client(client) => {
                self.oauth_client(&format!("{place}.oauth2_client"), client);
            }
            Auth::Oauth2Jwt(jwt) => self.oauth_jwt(&format!("{place}.oauth2_jwt"), jwt),
        }
    }

    fn login(&mut self, place: &str, login: &Login) {
        if login.steps.is_empty() {
            self.say(place, "has no steps");
        }
        for (position, step) in login.steps.iter().enumerate() {
            let place = format!("{place}.steps[{position}]");
            self.request(&place, &step.request, &["credentials"]);
            for (name, template) in step.keep.iter() {
                let place = format!("{place}.keep.{name}");
                self.template(&place, template, &["credentials", "answer"]);
            }
        }
        self.carrier(place, &login.headers, &login.query, &[]);
        if login.headers.is_empty() && login.query.is_empty() && !login.cookies {
            self.say(place, "carries the session nowhere: `headers`, `query` or `cookies`");
        }
        if let Some(life) = &login.life_seconds {
            self.template(&format!("{place}.life_seconds"), life, &["credentials", "answer"]);
        }
        if let Some(request) = &login.log_out {
            self.request(&format!("{place}.log_out"), request, &["credentials"]);
        }
    }

    fn hmac(&mut self, place: &str, hmac: &HmacAuth) {
        let before = format!("{place}.before");
        self.carrier(&before, &hmac.before.headers, &hmac.before.query, &["request"]);
        for (_, template) in hmac.before.headers.iter().chain(hmac.before.query.iter()) {
            self.members(&before, template, "request", &TIMES);
        }
        let text = format!("{place}.text");
        self.template(&text, &hmac.text, &["credentials", "request"]);
        self.members(&text, &hmac.text, "request", &SIGNED);
        if !hmac.text.placeholders().iter().any(|one| one.root == "request") {
            self.say(&text, "names nothing of the request");
        }
        self.template(&format!("{place}.key"), &hmac.key, &["credentials"]);
        self.carrier(place, &hmac.headers, &hmac.query, &["signature"]);
        let after = Carrier { headers: hmac.headers.clone(), query: hmac.query.clone() };
        self.carries(place, &after, "signature");
    }

    fn csrf(&mut self, place: &str, csrf: &Csrf) {
        let over = format!("{place}.over");
        match &csrf.over {
            Auth::Csrf(_) => self.say(&over, "is not a token again"),
            other => self.auth_kind(&over, other),
        }
        let fetch = format!("{place}.fetch");
        self.request(&fetch, &csrf.fetch, &[]);
        match &csrf.fetch {
            Request::Http(http) if http.method == http::Method::GET => {}
            _ => self.say(&fetch, "is a GET"),
        }
        self.carrier(place, &csrf.headers, &csrf.query, &["csrf"]);
        for (_, template) in csrf.headers.iter().chain(csrf.query.iter()) {
            self.members(place, template, "csrf", &["token"]);
        }
        let carrier = Carrier { headers: csrf.headers.clone(), query: csrf.query.clone() };
        self.carries(place, &carrier, "csrf");
    }

    /// Headers and parameters that make a request the customer's; `roots` may be named beside the
    /// credentials.
    pub(super) fn carrier(
        &mut self,
        place: &str,
        headers: &Table<Template>,
        query: &Table<Template>,
        roots: &[&str],
    ) {
        let roots: Vec<&str> = roots.iter().copied().chain(["credentials"]).collect();
        for (name, template) in headers.iter() {
            let place = format!("{place}.headers.{name}");
            self.header_name(&place, name);
            self.template(&place, template, &roots);
        }
        for (name, template) in query.iter() {
            self.template(&format!("{place}.query.{name}"), template, &roots);
        }
    }

    /// Nobody is known by what carries nothing of their own.
    fn carries(&mut self, place: &str, carrier: &Carrier, root: &str) {
        let mut all = carrier.headers.iter().chain(carrier.query.iter());
        let own = all.any(|(_, template)| {
            template.placeholders().iter().any(|placeholder| placeholder.root == root)
        });
        if !own {
            self.say(place, format!("puts `{{{root}}}` nowhere: `headers` or `query`"));
        }
    }

    pub(super) fn header_name(&mut self, place: &str, name: &str) {
        let ours = [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
        match HeaderName::try_from(name) {
            Ok(known) if !ours.contains(&known) => {}
            _ => self.say(place, "is no header that can be set"),
        }
    }
}
