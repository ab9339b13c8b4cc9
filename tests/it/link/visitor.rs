//! A browser without a screen: it keeps cookies, follows what it is told to, and reads pages.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, Method, header};

/// A browser.
#[derive(Clone)]
pub struct Visitor {
    base: String,
    pub cookies: BTreeMap<String, String>,
    client: reqwest::Client,
}

/// A page.
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Visitor {
    pub fn new(base: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60));
        let client = client.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { base: base.to_owned(), cookies: BTreeMap::new(), client }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.ask(Method::GET, path, None).await
    }

    /// Sends a form.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let body = form.extend_pairs(fields).finish();
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Follows redirects on this site, as far as they go.
    pub async fn follow(&mut self, mut page: Page) -> Page {
        while let Some(location) = page.location().filter(|to| to.starts_with('/')) {
            page = self.get(&location).await;
        }
        page
    }

    async fn ask(&mut self, method: Method, path: &str, form: Option<String>) -> Page {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if let Some(form) = form {
            let kind = "application/x-www-form-urlencoded";
            request = request.header(header::CONTENT_TYPE, kind).body(form);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        for set in headers.get_all(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Page { status, headers, text: answer.text().await.unwrap() }
    }
}

impl Page {
    pub fn location(&self) -> Option<String> {
        Some(self.headers.get(header::LOCATION)?.to_str().unwrap().to_owned())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of the first attribute of this name after a text.
    pub fn after(&self, text: &str, attribute: &str) -> String {
        let at = self.text.find(text).unwrap_or_else(|| panic!("no {text} in {}", self.text));
        let rest = &self.text[at..];
        let mark = format!("{attribute}=\"");
        let from = rest.find(&mark).unwrap_or_else(|| panic!("no {attribute} in {rest}"));
        let value = &rest[from + mark.len()..];
        value[..value.find('"').unwrap()].replace("&amp;", "&")
    }

    /// Where its form goes, and the token in it.
    pub fn form(&self) -> (String, String) {
        (self.after("<form method=\"post\"", "action"), self.after("name=\"csrf\"", "value"))
    }

    pub fn title(&self) -> &str {
        let from = self.text.find("<h1>").map_or(0, |at| at + 4);
        let to = self.text.find("</h1>").unwrap_or(from);
        &self.text[from..to]
    }

    /// Nothing of it is kept, framed, or run.
    pub fn is_safe(&self) {
        assert_eq!(self.header("cache-control"), "no-store", "{}", self.title());
        assert_eq!(self.header("referrer-policy"), "no-referrer");
        let policy = self.header("content-security-policy");
        for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert!(
            !self.text.contains("style=\"") && !self.text.contains("javascript:"),
            "{}",
            self.text
        );
    }
}
