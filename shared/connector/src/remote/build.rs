//! From a request of a manifest to one that can be sent.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use millwright_outbound::Request as Outgoing;
use serde_json::{Value, json};
use url::Url;

use crate::{
    manifest::{Call, HttpProtocol, HttpRequest, Request},
    table::Table,
    template::{Scope, Template},
};

pub(super) fn request(
    http: &HttpProtocol,
    request: &Request,
    scope: &Scope,
    auth: HeaderMap,
) -> Result<Outgoing, String> {
    let mut outgoing = match request {
        Request::Call(call) => self::call(http, call, scope)?,
        Request::Http(own) => of_its_own(http, own, scope)?,
    };
    add_headers(&mut outgoing.headers, &http.headers, scope)?;
    if let Request::Http(own) = request {
        add_headers(&mut outgoing.headers, &own.headers, scope)?;
    }
    outgoing.headers.extend(auth);
    Ok(outgoing)
}

/// JSON-RPC 1.0: Tryton answers as JSON-RPC only when the body has these three members and no other.
fn call(http: &HttpProtocol, call: &Call, scope: &Scope) -> Result<Outgoing, String> {
    let path = http.json_rpc.as_ref().ok_or("the protocol has no `json_rpc`")?;
    let params: Vec<Value> =
        call.params.iter().map(|param| param.render(scope)).collect::<Result<_, _>>()?;
    let body = json!({"id": 1, "method": call.method, "params": params});
    let mut outgoing = Outgoing::new(Method::POST, url(http, path, scope)?);
    set_json(&mut outgoing, &body);
    Ok(outgoing)
}

fn of_its_own(http: &HttpProtocol, own: &HttpRequest, scope: &Scope) -> Result<Outgoing, String> {
    let mut url = url(http, &own.path, scope)?;
    for (name, template) in own.query.iter() {
        if !template.render(scope)?.is_null() {
            let text = template.render_text(scope, |text| Ok(text.to_owned()))?;
            url.query_pairs_mut().append_pair(name, &text);
        }
    }
    let mut outgoing = Outgoing::new(own.method.clone(), url);
    if let Some(template) = &own.json {
        set_json(&mut outgoing, &template.render(scope)?);
    }
    Ok(outgoing)
}

fn set_json(outgoing: &mut Outgoing, body: &Value) {
    outgoing.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    outgoing.body = Bytes::from(body.to_string());
}

/// The base address and the path below it. Filled-in values cannot leave their place in the path, so
/// the host stays the connection's.
fn url(http: &HttpProtocol, path: &Template, scope: &Scope) -> Result<Url, String> {
    let base = http.base_url.render_text(scope, |text| Ok(text.to_owned()))?;
    let path = path.render_text(scope, segment)?;
    let text = format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'));
    let parsed = |text: &str| Url::parse(text).map_err(|_| "the address is not one".to_owned());
    let url = parsed(&text)?;
    if url.origin() != parsed(&base)?.origin() {
        return Err("the address leads to another host".to_owned());
    }
    Ok(url)
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3).
fn segment(value: &str) -> Result<String, String> {
    if matches!(value, "." | "..") {
        return Err("a value in a path may not be dots alone".to_owned());
    }
    let encoded = value.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    Ok(encoded.collect())
}

fn add_headers(
    headers: &mut HeaderMap,
    templates: &Table<Template>,
    scope: &Scope,
) -> Result<(), String> {
    for (name, template) in templates.iter() {
        let text = template.render_text(scope, |text| Ok(text.to_owned()))?;
        let header = HeaderName::try_from(name).map_err(|_| format!("`{name}` is no header"))?;
        let value = HeaderValue::try_from(text)
            .map_err(|_| format!("the header `{name}` cannot be sent"))?;
        headers.insert(header, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol() -> HttpProtocol {
        serde_saphyr::from_str(
            "base_url: '{settings.url}'\njson_rpc: '{settings.database}/rpc/'\n\
             headers: {X-Language: en}\n",
        )
        .unwrap()
    }

    fn built(request: &str, url: &str, database: &str) -> Result<Outgoing, String> {
        let scope = Scope::default()
            .with("settings", json!({"url": url, "database": database}))
            .with("page", json!({"after": "7", "size": 10}));
        let request: Request = serde_saphyr::from_str(request).unwrap();
        self::request(&protocol(), &request, &scope, HeaderMap::new())
    }

    #[test]
    fn a_call_is_posted_with_its_three_members_and_no_other() {
        let call = "call: a.b\nparams: [['id', '>', '{page.after|id}'], '{page.size}']";
        let outgoing = built(call, "https://erp.example/x", "plant").unwrap();
        assert_eq!(outgoing.url.as_str(), "https://erp.example/x/plant/rpc/");
        assert_eq!(outgoing.headers["x-language"], "en");
        assert_eq!(outgoing.body, r#"{"id":1,"method":"a.b","params":[["id",">",7],10]}"#);
    }

    #[test]
    fn a_query_leaves_out_what_is_null() {
        let get = "method: GET\npath: 'items'\nquery: {after: '{page.after}', x: '{page.nope}'}";
        let outgoing = built(get, "https://erp.example", "plant").unwrap();
        assert_eq!(outgoing.url.as_str(), "https://erp.example/items?after=7");
    }

    #[test]
    fn no_value_leaves_its_place_in_the_path() {
        let get = "method: GET\npath: '{settings.database}/items'";
        let url =
            |database: &str| Ok(built(get, "https://erp.example/a", database)?.url.to_string());
        for (database, expected) in [
            ("x/../../y", "https://erp.example/a/x%2F..%2F..%2Fy/items"),
            ("@evil.example", "https://erp.example/a/%40evil.example/items"),
            ("a?b#c", "https://erp.example/a/a%3Fb%23c/items"),
            ("ä", "https://erp.example/a/%C3%A4/items"),
        ] {
            assert_eq!(url(database), Ok::<_, String>(expected.to_owned()));
        }
        assert!(url("..").is_err());
    }
}
