//! From a request of a manifest to one that can be sent.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, CONTENT_TYPE, Entry},
};
use millwright_outbound::Request as Outgoing;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::{
    manifest::{Body, Call, HttpProtocol, HttpRequest, Request},
    table::Table,
    template::{Scope, Template},
};

/// A request, all but what makes it known to be the customer's.
pub(super) fn request(
    http: &HttpProtocol,
    request: &Request,
    scope: &Scope,
) -> Result<Outgoing, String> {
    let mut outgoing = match request {
        Request::Call(call) => self::call(http, call, scope)?,
        Request::Http(own) => of_its_own(http, own, scope)?,
    };
    let own = match request {
        Request::Http(own) => Some(&own.headers),
        Request::Call(_) => None,
    };
    set_headers(http, &mut outgoing, own, scope)?;
    Ok(outgoing)
}

/// The headers of every request and those of this one.
pub(super) fn set_headers(
    http: &HttpProtocol,
    outgoing: &mut Outgoing,
    own: Option<&Table<Template>>,
    scope: &Scope,
) -> Result<(), String> {
    add_headers(&mut outgoing.headers, &http.headers, scope)?;
    if let Some(own) = own {
        add_headers(&mut outgoing.headers, own, scope)?;
    }
    if let Entry::Vacant(accept) = outgoing.headers.entry(ACCEPT) {
        accept.insert(HeaderValue::from_static("application/json"));
    }
    Ok(())
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
        for text in texts(name, &template.render(scope)?)? {
            url.query_pairs_mut().append_pair(name, &text);
        }
    }
    let mut outgoing = Outgoing::new(own.method.clone(), url);
    match &own.body {
        None => {}
        Some(Body::Json(template)) => set_json(&mut outgoing, &template.render(scope)?),
        Some(Body::Form(template)) => {
            let body = form(&template.render(scope)?)?;
            set_body(&mut outgoing, "application/x-www-form-urlencoded", body);
        }
        Some(Body::Text(template)) => {
            let body = template.render_text(scope, |text| Ok(text.to_owned()))?;
            set_body(&mut outgoing, "text/plain; charset=utf-8", body);
        }
    }
    Ok(outgoing)
}

/// The values of a parameter: none for null, several for a list.
pub(super) fn texts(name: &str, value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Number(number) => Ok(vec![number.to_string()]),
        Value::Bool(flag) => Ok(vec![flag.to_string()]),
        Value::Array(items) => {
            let each: Result<Vec<_>, _> = items.iter().map(|item| texts(name, item)).collect();
            Ok(each?.concat())
        }
        Value::Object(_) => Err(format!("`{name}` is an object, which no parameter can be")),
    }
}

/// An object as a form.
pub(super) fn form(value: &Value) -> Result<String, String> {
    let Value::Object(members) = value else { return Err("a form is an object".to_owned()) };
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in members {
        for text in texts(name, value)? {
            form.append_pair(name, &text);
        }
    }
    Ok(form.finish())
}

fn set_json(outgoing: &mut Outgoing, body: &Value) {
    set_body(outgoing, "application/json", body.to_string());
}

pub(super) fn set_body(outgoing: &mut Outgoing, kind: &'static str, body: String) {
    outgoing.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    outgoing.body = Bytes::from(body);
}

/// The base address and the path below it. Filled-in values cannot leave their place in the path, so
/// the host stays the connection's.
fn url(http: &HttpProtocol, path: &Template, scope: &Scope) -> Result<Url, String> {
    let path = path.render_text(scope, segment)?;
    below(http, &path, scope)
}

/// A path below the base address.
pub(super) fn below(http: &HttpProtocol, path: &str, scope: &Scope) -> Result<Url, String> {
    let base = base(http, scope)?;
    let text = format!("{}/{}", base.as_str().trim_end_matches('/'), path.trim_start_matches('/'));
    let url = Url::parse(&text).map_err(|_| "the address is not one".to_owned())?;
    if url.origin() != base.origin() {
        return Err("the address leads to another host".to_owned());
    }
    Ok(url)
}

/// The base address. A setting that it begins with is an address itself; any other value in it stays
/// one name of the host or the path.
pub(super) fn base(http: &HttpProtocol, scope: &Scope) -> Result<Url, String> {
    let text = http.base_url.render_address(scope, segment)?;
    let url = Url::parse(&text).map_err(|_| "the address is not one".to_owned())?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the address has a query or a fragment".to_owned());
    }
    Ok(url)
}

/// A value as one name of a path.
pub(crate) fn segment(value: &str) -> Result<String, String> {
    if matches!(value, "." | "..") {
        return Err("a value in a path may not be dots alone".to_owned());
    }
    Ok(percent_encoded(value))
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3).
pub(super) fn percent_encoded(value: &str) -> String {
    let encoded = value.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    encoded.collect()
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
        self::request(&protocol(), &request, &scope)
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
    fn a_list_gives_its_name_several_times() {
        let get = "method: GET\npath: items\nquery: {'id[]': [4, '{page.size}', '{page.nope}']}";
        let outgoing = built(get, "https://erp.example", "plant").unwrap();
        assert_eq!(outgoing.url.as_str(), "https://erp.example/items?id%5B%5D=4&id%5B%5D=10");
    }

    #[test]
    fn a_body_has_the_form_that_the_system_takes() {
        for (body, kind, expected) in [
            ("json: {n: '{page.size}'}", "application/json", r#"{"n":10}"#),
            (
                "form: {n: '{page.size}', none: '{page.nope}', 'a[]': [1, b c]}",
                "application/x-www-form-urlencoded",
                "n=10&a%5B%5D=1&a%5B%5D=b+c",
            ),
            ("text: 'n={page.size}'", "text/plain; charset=utf-8", "n=10"),
            ("json: {}\nheaders: {Content-Type: text/plain}", "text/plain", "{}"),
        ] {
            let request = format!("method: POST\npath: items\n{body}");
            let outgoing = built(&request, "https://erp.example", "plant").unwrap();
            assert_eq!(outgoing.headers["content-type"], kind);
            assert_eq!(outgoing.headers["accept"], "application/json");
            assert_eq!(outgoing.body, expected);
        }
        assert!(built("method: POST\npath: x\nform: [1]", "https://e.example", "p").is_err());
    }

    #[test]
    fn a_setting_inside_the_host_cannot_lead_elsewhere() {
        let base = |tenant: &str| {
            let http: HttpProtocol =
                serde_saphyr::from_str("base_url: 'https://{settings.t}.erp.example/api'").unwrap();
            base(&http, &Scope::default().with("settings", json!({"t": tenant})))
        };
        assert_eq!(base("acme-1").unwrap().as_str(), "https://acme-1.erp.example/api");
        for evil in ["evil.example/", "evil.example#", "evil.example?", "a@evil.example:1/", "x\\y"]
        {
            let host = base(evil).map(|url| url.host_str().unwrap_or_default().to_owned());
            assert!(!host.as_ref().is_ok_and(|host| !host.ends_with(".erp.example")), "{host:?}");
        }
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
