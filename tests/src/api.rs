//! A caller of the API.

use std::time::Duration;

use http::{HeaderMap, Method};
use serde_json::Value;

/// Calls with one key, about one connection if it is given.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    key: Option<String>,
    connection: Option<String>,
    headers: Vec<(String, String)>,
    client: reqwest::Client,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; null when it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The error's code, if it is an error of the contract.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.body["error"]["code"].as_str()
    }

    /// The body of an answer that must be a success.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }
}

impl Api {
    /// Calls of `base` with a key.
    ///
    /// # Panics
    /// When no client can be made.
    #[must_use]
    pub fn new(base: &str, key: Option<&str>) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(180));
        Self {
            base: base.to_owned(),
            key: key.map(str::to_owned),
            connection: None,
            headers: Vec::new(),
            client: client.build().expect("a client"),
        }
    }

    /// Where the API is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The same about a connection.
    #[must_use]
    pub fn about(&self, connection: &str) -> Self {
        Self { connection: Some(connection.to_owned()), ..self.clone() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    /// The same without following redirects.
    ///
    /// # Panics
    /// When no client can be made.
    #[must_use]
    pub fn staying(&self) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(180));
        let client = client.redirect(reqwest::redirect::Policy::none()).build();
        Self { client: client.expect("a client"), ..self.clone() }
    }

    /// The same calls of another base.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The same with another key.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    /// GET that must succeed.
    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.expect(200)
    }

    /// POST that must answer with `status`.
    pub async fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        self.call(Method::POST, path, Some(body)).await.expect(status)
    }

    /// PUT that must succeed: what is told.
    pub async fn put(&self, path: &str, body: &Value) -> Value {
        self.call(Method::PUT, path, Some(body)).await.expect(200)
    }

    /// Any call.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let text = body.map(Value::to_string);
        self.raw(method, path, text.map(|text| ("application/json", text))).await
    }

    /// Any call with any body.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn raw(&self, method: Method, path: &str, body: Option<(&str, String)>) -> Answer {
        self.try_raw(method, path, body).await.expect("the API answers")
    }

    /// Any call; nothing when there is no answer.
    pub async fn try_raw(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
    ) -> Option<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(connection) = &self.connection {
            request = request.header("Connection-Id", connection);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some((kind, text)) = body {
            request = request.header("Content-Type", kind).body(text);
        }
        let answer = request.send().await.ok()?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.ok()?;
        Some(Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }

    /// All items of a list, page by page.
    ///
    /// # Panics
    /// When a page does not answer, or the list does not end.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        let join = if path.contains('?') { '&' } else { '?' };
        for _ in 0..10_000 {
            let page = match &cursor {
                Some(cursor) => self.get(&format!("{path}{join}cursor={cursor}")).await,
                None => self.get(path).await,
            };
            items.extend(page["data"].as_array().expect("a list has data").iter().cloned());
            if page["has_more"] != Value::Bool(true) {
                return items;
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
        }
        panic!("{path} does not end");
    }
}
