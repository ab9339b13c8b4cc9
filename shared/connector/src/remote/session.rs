//! Logging in, and keeping the session.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use millwright_core::ExposeSecret;
use serde_json::{Map, Value};

use super::{Remote, unfit};
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{Auth, Basic, Login, Operation},
    table::Table,
    template::{Scope, Template},
};

/// What a login has left us with. It cannot be printed.
pub(super) struct Session {
    pub(super) values: Value,
    headers: HeaderMap,
}

impl Remote {
    /// The session, made when there is none, or when the one there is has turned out to be `dead`.
    /// Of several requests that need one, one logs in and the others wait for it.
    pub(super) async fn session(
        &self,
        login: &Login,
        dead: Option<&Arc<Session>>,
    ) -> Result<Arc<Session>, SystemError> {
        let mut current = self.session.lock().await;
        match &*current {
            Some(session) if dead.is_none_or(|dead| !Arc::ptr_eq(dead, session)) => {
                Ok(session.clone())
            }
            _ => {
                *current = None;
                let session = Arc::new(self.log_in(login).await?);
                Ok(current.insert(session).clone())
            }
        }
    }

    async fn log_in(&self, login: &Login) -> Result<Session, SystemError> {
        let mut session = Session { values: Value::Object(Map::new()), headers: HeaderMap::new() };
        for step in &login.steps {
            let credentials = self.exposed();
            let with_credentials = |scope: Scope| scope.with("credentials", credentials.clone());
            let answer = self
                .exchange(&step.request, Operation::Login, Some(&session), None, &with_credentials)
                .await?;
            let scope = with_credentials(self.base(Some(&session))?).with("answer", answer.value);
            let Value::Object(values) = &mut session.values else { continue };
            for (name, template) in step.keep.iter() {
                let value = template.render(&scope).map_err(|why| unfit(&why))?;
                values.insert(name.to_owned(), value);
            }
            session.headers = self.headers(&login.headers, Some(&session))?;
        }
        Ok(session)
    }

    /// The headers by which the system knows whose request it is.
    pub(super) fn auth_headers(&self, session: Option<&Session>) -> Result<HeaderMap, SystemError> {
        match &self.manifest.auth {
            Auth::None => Ok(HeaderMap::new()),
            Auth::Basic(basic) => self.basic(basic),
            Auth::Headers(headers) => self.headers(headers, None),
            Auth::Login(_) => {
                Ok(session.map(|session| session.headers.clone()).unwrap_or_default())
            }
        }
    }

    fn basic(&self, basic: &Basic) -> Result<HeaderMap, SystemError> {
        let scope = self.base(None)?.with("credentials", self.exposed());
        let text = |template: &Template| {
            template.render_text(&scope, |text| Ok(text.to_owned())).map_err(|why| unfit(&why))
        };
        let pair = format!("{}:{}", text(&basic.username)?, text(&basic.password)?);
        let value = secret_header(&format!("Basic {}", STANDARD.encode(pair)))?;
        Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }

    fn headers(
        &self,
        headers: &Table<Template>,
        session: Option<&Session>,
    ) -> Result<HeaderMap, SystemError> {
        let scope = self.base(session)?.with("credentials", self.exposed());
        let mut map = HeaderMap::new();
        for (name, template) in headers.iter() {
            let text = template
                .render_text(&scope, |text| Ok(text.to_owned()))
                .map_err(|why| unfit(&why))?;
            let name = HeaderName::try_from(name).map_err(|_| unfit("a header's name"))?;
            map.insert(name, secret_header(&text)?);
        }
        Ok(map)
    }

    fn exposed(&self) -> Value {
        let exposed = self.credentials.iter();
        let exposed =
            exposed.map(|(name, secret)| (name.clone(), Value::from(secret.expose_secret())));
        Value::Object(exposed.collect())
    }
}

/// A header that is not shown when a request is printed.
fn secret_header(text: &str) -> Result<HeaderValue, SystemError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        let message = "the credentials hold characters that cannot be sent";
        SystemError::new(SystemErrorClass::Reauthorize, message)
    })?;
    value.set_sensitive(true);
    Ok(value)
}
