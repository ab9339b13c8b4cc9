//! A request as an API Gateway event (payload format version 2.0, as the HTTP API guide shows it).

use std::{collections::BTreeMap, net::SocketAddr};

use axum::http::{HeaderMap, HeaderName, header, request::Parts};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use millwright_core::WallTime;
use serde_json::{Map, Value, json};

const ROUTE: &str = "ANY /{proxy+}";

pub(super) fn event(parts: &Parts, body: &[u8], peer: SocketAddr, now: WallTime) -> Value {
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let header = |name: HeaderName| {
        parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let mut event = json!({
        "version": "2.0",
        "routeKey": ROUTE,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(&parts.headers),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": header(header::HOST),
            "domainPrefix": "local",
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", parts.version),
                "sourceIp": peer.ip().to_string(),
                "userAgent": header(header::USER_AGENT),
            },
            "requestId": format!("{:016x}", rand::random::<u64>()),
            "routeKey": ROUTE,
            "stage": "$default",
            "time": common_log_time(now),
            "timeEpoch": now.millis(),
        },
        "pathParameters": {"proxy": path.trim_start_matches('/')},
        "isBase64Encoded": false,
    });
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = json!(query_parameters(query));
    }
    if !body.is_empty() {
        set_body(&mut event, header(header::CONTENT_TYPE).as_deref(), body);
    }
    event
}

/// Names in lower case, several values joined by commas, cookies left out.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let mut joined = Map::new();
    for name in headers.keys().filter(|name| **name != header::COOKIE) {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        joined.insert(name.as_str().to_owned(), values.join(",").into());
    }
    joined
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).map(|cookie| cookie.trim().to_owned()).collect()
}

fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    let mut joined = BTreeMap::new();
    for (name, value) in pairs {
        joined
            .entry(name)
            .and_modify(|values: &mut String| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert(value);
    }
    joined
}

/// Text types go as text, all else as base64.
fn set_body(event: &mut Value, content_type: Option<&str>, body: &[u8]) {
    let text = std::str::from_utf8(body).ok().filter(|_| is_text(content_type));
    event["isBase64Encoded"] = text.is_none().into();
    event["body"] = text.map_or_else(|| BASE64_STANDARD.encode(body), str::to_owned).into();
}

fn is_text(content_type: Option<&str>) -> bool {
    let kind = content_type.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    let types = ["application/json", "application/javascript", "application/xml"];
    kind.starts_with("text/") || types.contains(&kind.as_str())
}

fn common_log_time(now: WallTime) -> String {
    let time = Timestamp::from_millisecond(now.millis()).unwrap_or_default();
    time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn event_of(request: axum::http::request::Builder, body: &[u8]) -> Value {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let now = WallTime::from_millis(1_583_348_638_390);
        event(&parts, body, SocketAddr::from(([127, 0, 0, 1], 9)), now)
    }

    #[test]
    fn a_request_becomes_an_event_of_format_2() {
        let request = Request::get("/v1/things%20x?a=1&a=2&b=%20")
            .header("X-Twice", "one")
            .header("x-twice", "two")
            .header("cookie", "a=1; b=2");
        let event = event_of(request, b"");
        assert_eq!(event["rawPath"], "/v1/things%20x");
        assert_eq!(event["rawQueryString"], "a=1&a=2&b=%20");
        assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": " "}));
        assert_eq!(event["headers"], json!({"x-twice": "one,two"}));
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(event["requestContext"]["time"], "04/Mar/2020:19:03:58 +0000");
        assert_eq!(event["requestContext"]["http"]["sourceIp"], "127.0.0.1");
        assert!(event.get("body").is_none());
    }

    #[test]
    fn text_goes_as_text_and_bytes_as_base64() {
        let json = Request::post("/").header("content-type", "application/json; charset=utf-8");
        let event = event_of(json, b"{}");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
        let bytes = Request::post("/").header("content-type", "application/octet-stream");
        let event = event_of(bytes, b"\xff");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
    }
}
