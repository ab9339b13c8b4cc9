//! What is put into a request so that the system knows whose it is.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};
use millwright_outbound::Request as Outgoing;
use serde_json::Value;

use super::Session;
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{Auth, Basic, Bearer},
    remote::{Remote, unfit},
    table::Table,
    template::{Scope, Template},
};

/// Names whose values nobody else may learn.
const SECRET_ROOTS: [&str; 5] = ["credentials", "session", "csrf", "oauth", "signature"];

/// Headers and parameters of the query, and which of their values are secret.
#[derive(Clone, Default)]
pub(in crate::remote) struct Proof {
    headers: HeaderMap,
    query: Vec<(String, String)>,
    secrets: Vec<String>,
}

impl Proof {
    /// Puts it into a request.
    pub(in crate::remote) fn put_into(&self, outgoing: &mut Outgoing) {
        outgoing.headers.extend(self.headers.clone());
        if !self.query.is_empty() {
            outgoing.url.query_pairs_mut().extend_pairs(&self.query);
        }
    }

    /// The texts in it that must not be repeated.
    pub(in crate::remote) fn secrets(&self) -> &[String] {
        &self.secrets
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.headers.extend(other.headers);
        self.query.extend(other.query);
        self.secrets.extend(other.secrets);
        self
    }

    fn add_header(
        &mut self,
        name: HeaderName,
        text: &str,
        secret: bool,
    ) -> Result<(), SystemError> {
        let mut value = HeaderValue::try_from(text).map_err(|_| {
            let message = "the credentials hold characters that cannot be sent";
            SystemError::new(SystemErrorClass::Reauthorize, message)
        })?;
        value.set_sensitive(true);
        if secret {
            // `Bearer`, `Basic` and their like are no secret; what follows is.
            self.secrets.extend(text.rsplit(' ').next().map(str::to_owned));
        }
        self.headers.insert(name, value);
        Ok(())
    }
}

impl Remote {
    /// What a kind of authentication puts into every request, as far as it does not depend on it.
    pub(in crate::remote) fn proof(
        &self,
        auth: &Auth,
        session: Option<&Session>,
    ) -> Result<Proof, SystemError> {
        match auth {
            Auth::None | Auth::Hmac(_) => Ok(Proof::default()),
            Auth::ApiKey(carrier) => self.carried(&carrier.headers, &carrier.query, session, None),
            Auth::Basic(basic) => self.basic(basic),
            Auth::Bearer(bearer) => self.bearer(bearer),
            Auth::Login(_) | Auth::Oauth2Code(_) | Auth::Oauth2Client(_) | Auth::Oauth2Jwt(_) => {
                Ok(session.map(|session| session.proof.clone()).unwrap_or_default())
            }
            Auth::Csrf(csrf) => self.proof(&csrf.over, session),
        }
    }

    fn basic(&self, basic: &Basic) -> Result<Proof, SystemError> {
        let scope = self.secret_scope(None)?;
        let pair = format!("{}:{}", text(&basic.username, &scope)?, text(&basic.password, &scope)?);
        let mut proof = Proof::default();
        proof.add_header(AUTHORIZATION, &format!("Basic {}", STANDARD.encode(pair)), true)?;
        Ok(proof)
    }

    fn bearer(&self, bearer: &Bearer) -> Result<Proof, SystemError> {
        let token = text(&bearer.token, &self.secret_scope(None)?)?;
        let mut proof = Proof::default();
        proof.add_header(AUTHORIZATION, &format!("Bearer {token}"), true)?;
        Ok(proof)
    }

    /// The cookies that belong to a URL.
    pub(in crate::remote) fn cookies(
        &self,
        session: Option<&Session>,
        outgoing: &Outgoing,
    ) -> Result<Proof, SystemError> {
        let mut proof = Proof::default();
        let Some(jar) = session.and_then(|session| session.jar.as_ref()) else { return Ok(proof) };
        let (line, values) = jar.for_url(&outgoing.url);
        if !line.is_empty() {
            proof.add_header(COOKIE, &line, false)?;
            proof.secrets.extend(values);
        }
        Ok(proof)
    }

    /// Filled-in headers and parameters. `more` may be named beside what may be named in `auth`.
    pub(super) fn carried(
        &self,
        headers: &Table<Template>,
        query: &Table<Template>,
        session: Option<&Session>,
        more: Option<(&'static str, Value)>,
    ) -> Result<Proof, SystemError> {
        let mut scope = self.secret_scope(session)?;
        if let Some((root, value)) = more {
            scope = scope.with(root, value);
        }
        let mut proof = Proof::default();
        for (name, template) in headers.iter() {
            let name = HeaderName::try_from(name).map_err(|_| unfit("a header's name"))?;
            proof.add_header(name, &text(template, &scope)?, is_secret(template))?;
        }
        for (name, template) in query.iter() {
            let text = text(template, &scope)?;
            if is_secret(template) {
                proof.secrets.push(text.clone());
            }
            proof.query.push((name.to_owned(), text));
        }
        Ok(proof)
    }

    /// What may be named where the credentials may.
    pub(in crate::remote) fn secret_scope(
        &self,
        session: Option<&Session>,
    ) -> Result<Scope, SystemError> {
        Ok(self.base(session)?.with("credentials", self.exposed()))
    }
}

pub(super) fn text(template: &Template, scope: &Scope) -> Result<String, SystemError> {
    template.render_text(scope, |text| Ok(text.to_owned())).map_err(|why| unfit(&why))
}

fn is_secret(template: &Template) -> bool {
    template.placeholders().iter().any(|one| SECRET_ROOTS.contains(&one.root.as_str()))
}
