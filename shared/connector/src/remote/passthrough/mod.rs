//! Calls of the system's own, with the stored credentials, within the manifest's allow-list.

mod answer;
mod names;
mod path;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use millwright_core::{ErrorCode, FieldError};
use millwright_outbound::{Request as Outgoing, Url};
use serde_json::{Map, Value};

use self::path::Normal;
use super::{Remote, build, run::Job};
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::Operation,
    template::Scope,
};

/// The longest body of a call, in bytes.
const BODY_MAX: usize = 1 << 20;
/// Together with its path no query is longer, in bytes: common servers take no more.
const URL_MAX: usize = 8_000;

/// A call of the system's own.
#[derive(Clone, Debug)]
pub struct PassthroughRequest {
    /// Its method.
    pub method: Method,
    /// Its path below the connection's address, beginning with a slash, without a query.
    pub path: String,
    /// Its query: texts, numbers, booleans, and lists of them.
    pub query: Map<String, Value>,
    /// Its headers. Those that carry rights, and those that say where a request goes, are refused.
    pub headers: BTreeMap<String, String>,
    /// Its body: JSON; with a `Content-Type` of a form, an object of its fields; with any other, a
    /// text.
    pub body: Option<Value>,
}

impl PassthroughRequest {
    /// The path as it may be written down. Of one that is none, such as one with a query in it, which
    /// may hold a secret, only what stands in front of the first character that is not plain.
    #[must_use]
    pub fn path_to_keep(&self) -> &str {
        if Normal::of(&self.path).is_ok() {
            return &self.path;
        }
        let plain = |one: char| one.is_ascii_alphanumeric() || "/-._~".contains(one);
        let end = self.path.find(|one| !plain(one)).unwrap_or(self.path.len());
        &self.path[..end]
    }
}

/// What the system answered, whatever its status.
#[derive(Clone, Debug, PartialEq)]
pub struct PassthroughAnswer {
    /// The status.
    pub status: u16,
    /// The headers, by their names in small letters, without those that carry rights.
    pub headers: BTreeMap<String, String>,
    /// The body: JSON where it is JSON, else a text; null when there is none. No stored credential is
    /// in it.
    pub body: Value,
    /// Whether the body is base64 of bytes that are no text.
    pub is_base64: bool,
}

/// A call that may be made.
struct Allowed {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
}

impl Remote {
    pub(crate) async fn passthrough(
        &self,
        request: &PassthroughRequest,
    ) -> Result<PassthroughAnswer, SystemError> {
        let allowed = self.allowed(request)?;
        let reads = [Method::GET, Method::HEAD].contains(&allowed.method);
        let operation = if reads { Operation::Read } else { Operation::Write };
        let job = Job { operation, call: false, build: &|scope| self.native(&allowed, &scope) };
        let reply = self.run(&job).await?;
        Ok(answer::shown(reply))
    }

    /// Checks a call against the allow-list, on its path's one form.
    fn allowed(&self, request: &PassthroughRequest) -> Result<Allowed, SystemError> {
        let path = Normal::of(&request.path).map_err(|why| fault("path", why))?;
        let rules = &self.manifest.passthrough.allow;
        let fits = rules
            .iter()
            .any(|rule| rule.methods.contains(&request.method) && rule.path.fits(&path.names));
        if !fits {
            let message = "this call is not on the connector's list of those that may be made";
            return Err(SystemError::new(SystemErrorClass::Permission, message));
        }
        let headers = self.callers_headers(&request.headers)?;
        let (headers, body) = with_body(headers, request.body.as_ref())?;
        Ok(Allowed {
            method: request.method.clone(),
            path: path.sent(),
            query: self.callers_query(&request.query)?,
            headers,
            body,
        })
    }

    fn callers_headers(&self, given: &BTreeMap<String, String>) -> Result<HeaderMap, SystemError> {
        let ours = self.our_headers();
        let mut headers = HeaderMap::new();
        for (name, text) in given {
            let refused = |why: &str| fault(&format!("headers.{name}"), why);
            let header = HeaderName::try_from(name).map_err(|_| refused("is no header"))?;
            if names::refused_header(header.as_str()) || ours.contains(&header) {
                return Err(refused("cannot be set here"));
            }
            let value = HeaderValue::try_from(text).map_err(|_| refused("cannot be sent"))?;
            headers.insert(header, value);
        }
        Ok(headers)
    }

    /// What the connector itself sets: who it is, and which account of it.
    fn our_headers(&self) -> Vec<HeaderName> {
        let carriers = self.manifest.auth.carriers();
        let carried = carriers.iter().flat_map(|(headers, _)| headers.names());
        let names = carried.chain(self.http.headers.names());
        let names = names.filter_map(|name| HeaderName::try_from(name).ok());
        let refused = &self.manifest.passthrough.refused_headers;
        let free = [http::header::ACCEPT, CONTENT_TYPE];
        let names = names.filter(|name| !free.contains(name));
        names.chain(refused.iter().map(|header| header.0.clone())).collect()
    }

    fn callers_query(
        &self,
        given: &Map<String, Value>,
    ) -> Result<Vec<(String, String)>, SystemError> {
        let mut ours = self.carried_in_query();
        ours.extend(self.manifest.passthrough.refused_query.iter().cloned());
        let mut query = Vec::new();
        for (name, value) in given {
            let refused = |why: &str| fault(&format!("query.{name}"), why);
            let own = ours.iter().any(|own| own.eq_ignore_ascii_case(name));
            if own || names::refused_parameter(name) {
                return Err(refused("cannot be set here"));
            }
            let texts = build::texts(name, value);
            let texts = texts.map_err(|_| refused("is a text, a number, a boolean or a list"))?;
            query.extend(texts.into_iter().map(|text| (name.clone(), text)));
        }
        Ok(query)
    }

    fn native(&self, allowed: &Allowed, scope: &Scope) -> Result<Outgoing, String> {
        let mut url = build::below(&self.http, &allowed.path, scope)?;
        // The path was looked up in the form that is sent: nothing may have changed it since.
        if !url.path().ends_with(&allowed.path) {
            return Err("the path has no certain form".to_owned());
        }
        if !allowed.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&allowed.query);
        }
        short_enough(&url)?;
        let mut outgoing = Outgoing::new(allowed.method.clone(), url);
        build::set_headers(&self.http, &mut outgoing, None, scope)?;
        outgoing.headers.extend(allowed.headers.clone());
        outgoing.body = allowed.body.clone();
        Ok(outgoing)
    }
}

fn short_enough(url: &Url) -> Result<(), String> {
    let short = url.as_str().len() <= URL_MAX;
    if short { Ok(()) } else { Err(format!("the address is longer than {URL_MAX} bytes")) }
}

/// The body in the form that its `Content-Type` says.
fn with_body(
    mut headers: HeaderMap,
    body: Option<&Value>,
) -> Result<(HeaderMap, Bytes), SystemError> {
    let Some(body) = body else { return Ok((headers, Bytes::new())) };
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or("application/json").to_ascii_lowercase();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_owned();
    let form = essence == "application/x-www-form-urlencoded";
    // A form field, or a member of that name, makes another method of a POST in some frameworks.
    let members = body.as_object().into_iter().flatten();
    if let Some((name, _)) = members.into_iter().find(|(name, _)| names::refused_parameter(name))
        && (form || name.starts_with('_'))
    {
        return Err(fault(&format!("body.{name}"), "cannot be set here"));
    }
    let text = match body {
        _ if essence.starts_with("multipart/") => {
            return Err(fault("headers.Content-Type", "cannot be multipart here"));
        }
        body if form => build::form(body).map_err(|why| fault("body", &why))?,
        body if essence == "application/json" || essence.ends_with("+json") => body.to_string(),
        Value::String(text) => text.clone(),
        _ => return Err(fault("body", "is a text, for a content type that is not JSON")),
    };
    if text.len() > BODY_MAX {
        return Err(fault("body", "is longer than 1 MiB"));
    }
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok((headers, Bytes::from(text)))
}

fn fault(path: &str, why: &str) -> SystemError {
    let mut error = SystemError::new(SystemErrorClass::Validation, "the call cannot be made");
    error.fields = vec![FieldError::new(path, ErrorCode::ValidationFailed, why)];
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept_without_what_may_be_a_secret_in_it() {
        for (path, kept) in [
            ("/t/1.json", "/t/1.json"),
            ("/t/../a%20b", "/t/../a%20b"),
            ("/t/1.json?api_key=planted", "/t/1.json"),
            ("/t/1.json#planted", "/t/1.json"),
            ("/t/1.json%3Fapi_key=planted", "/t/1.json"),
            ("/t/1.json%23planted", "/t/1.json"),
            ("/t/1.json%253Fplanted", "/t/1.json"),
            ("/t/1.json\u{ff1f}planted", "/t/1.json"),
            ("/t/1.json;planted", "/t/1.json"),
            ("https://own:planted@example.com/", "https"),
            ("", ""),
        ] {
            let request = PassthroughRequest {
                method: Method::GET,
                path: path.to_owned(),
                query: Map::new(),
                headers: BTreeMap::new(),
                body: None,
            };
            assert_eq!(request.path_to_keep(), kept, "{path}");
        }
    }
}
