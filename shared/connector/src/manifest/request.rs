//! Requests and the protocol that carries them.

use crate::manifest::like;
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::{path::NestedKeys, table::Table, template::Template};

/// How the system is spoken to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// JSON over HTTP.
    Http(Box<HttpProtocol>),
    /// Not at all: the data set of the sandbox.
    Sandbox,
}

/// JSON over HTTP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpProtocol {
    /// The address under which all paths lie. Only settings may be named; nothing else in a manifest
    /// can lead to another host.
    pub base_url: Template,
    /// Headers of every request.
    #[serde(default)]
    pub headers: Table<Template>,
    /// The path that `call` requests are posted to, as JSON-RPC.
    pub json_rpc: Option<Template>,
    /// How nested objects are named in rows.
    #[serde(default)]
    pub nested_keys: NestedKeys,
    /// Values by which rows say that there is nothing, such as `false` or `"0001-01-01"`: they count as
    /// null. What is read as true or false is not meant.
    #[serde(default)]
    pub nothing: Vec<Value>,
}

impl Protocol {
    /// How nested objects are named in rows.
    #[must_use]
    pub fn nested_keys(&self) -> NestedKeys {
        match self {
            Self::Http(http) => http.nested_keys,
            Self::Sandbox => NestedKeys::Plain,
        }
    }

    /// Values by which rows say that there is nothing.
    #[must_use]
    pub fn nothing(&self) -> &[Value] {
        match self {
            Self::Http(http) => &http.nothing,
            Self::Sandbox => &[],
        }
    }
}

/// One request: a method and a path, or a JSON-RPC call.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawRequest")]
pub enum Request {
    /// A request of its own form. Its answer is the whole body.
    Http(HttpRequest),
    /// A JSON-RPC call. Its answer is the body's `result`.
    Call(Call),
}

/// A request of its own form.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The path below the base address. Filled-in values are percent-encoded.
    pub path: Template,
    /// The query. What is null is left out, a list gives its name several times.
    pub query: Table<Template>,
    /// Headers beside those of every request.
    pub headers: Table<Template>,
    /// The body.
    pub body: Option<Body>,
}

/// The body of a request, in the form in which the system takes it.
#[derive(Clone, Debug)]
pub enum Body {
    /// JSON.
    Json(Template),
    /// A form (`application/x-www-form-urlencoded`): an object of values. What is null is left out, a
    /// list gives its name several times.
    Form(Template),
    /// A text, `text/plain` unless a header says otherwise.
    Text(Template),
}

impl Body {
    /// What it is made of.
    #[must_use]
    pub fn template(&self) -> &Template {
        match self {
            Self::Json(template) | Self::Form(template) | Self::Text(template) => template,
        }
    }
}

/// A JSON-RPC call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method's name.
    pub method: String,
    /// The parameters.
    pub params: Vec<Template>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Request")]
struct RawRequest {
    /// The method of a JSON-RPC call.
    call: Option<String>,
    /// The parameters of a JSON-RPC call.
    params: Option<Vec<Template>>,
    /// GET, POST, PUT, PATCH or DELETE.
    method: Option<String>,
    /// The path below the base address. Filled-in values are percent-encoded.
    path: Option<Template>,
    /// The query. What is null is left out, a list gives its name several times.
    query: Option<Table<Template>>,
    /// Headers beside those of every request.
    headers: Option<Table<Template>>,
    /// The body, as JSON.
    json: Option<Template>,
    /// The body, as a form: an object of values.
    form: Option<Template>,
    /// The body, as a text; `text/plain` unless a header says otherwise.
    text: Option<Template>,
}

impl TryFrom<RawRequest> for Request {
    type Error = String;

    fn try_from(raw: RawRequest) -> Result<Self, String> {
        let of_http = raw.path.is_some()
            || raw.query.is_some()
            || raw.headers.is_some()
            || raw.json.is_some()
            || raw.form.is_some()
            || raw.text.is_some();
        match (raw.call, raw.method) {
            (Some(method), None) if !of_http => {
                Ok(Self::Call(Call { method, params: raw.params.unwrap_or_default() }))
            }
            (None, Some(method)) if raw.params.is_none() => Ok(Self::Http(HttpRequest {
                method: known_method(&method)?,
                path: raw.path.ok_or("a request with a `method` needs a `path`")?,
                query: raw.query.unwrap_or_default(),
                headers: raw.headers.unwrap_or_default(),
                body: body(raw.json, raw.form, raw.text)?,
            })),
            _ => Err("a request has `method` and `path`, or `call` and `params`".to_owned()),
        }
    }
}

like!(Request as RawRequest);

fn body(
    json: Option<Template>,
    form: Option<Template>,
    text: Option<Template>,
) -> Result<Option<Body>, &'static str> {
    match (json, form, text) {
        (json, None, None) => Ok(json.map(Body::Json)),
        (None, Some(form), None) => Ok(Some(Body::Form(form))),
        (None, None, Some(text)) => Ok(Some(Body::Text(text))),
        _ => Err("a request has one body: `json`, `form` or `text`"),
    }
}

pub(super) fn known_method(text: &str) -> Result<Method, String> {
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    known
        .into_iter()
        .find(|method| method.as_str() == text)
        .ok_or_else(|| format!("`{text}` is not GET, POST, PUT, PATCH or DELETE"))
}

impl Request {
    /// Whether it is a JSON-RPC call.
    #[must_use]
    pub fn is_call(&self) -> bool {
        matches!(self, Self::Call(_))
    }

    /// Every template in it.
    pub(crate) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Call(call) => call.params.iter().collect(),
            Self::Http(http) => {
                let named = http.query.iter().chain(http.headers.iter());
                let named = named.map(|(_, template)| template);
                named.chain([&http.path]).chain(http.body.as_ref().map(Body::template)).collect()
            }
        }
    }
}
