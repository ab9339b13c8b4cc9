//! Rate limits at the edge: which limits a call falls under, and the headers that tell of them
//! (draft-ietf-httpapi-ratelimit-headers-10).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, request::Parts};
use millwright_access::{Caller, Limit, Limits, Standing};
use millwright_core::{
    ConnectionId, Error, ErrorCode, Result,
    config::{ConfigError, Source, parsed_in},
};

use crate::{App, extract::CONNECTION_ID};

const KEY: &str = "MILLWRIGHT_RATE_LIMIT_KEY";
const CONNECTION: &str = "MILLWRIGHT_RATE_LIMIT_CONNECTION";
const MESSAGES: &str = "MILLWRIGHT_RATE_LIMIT_MESSAGES";

/// The policies of the limits.
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// How the caller stands with them.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// How many calls are taken in a minute; 0 is any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// From one API key, application or grant.
    pub per_key: u32,
    /// About one connection.
    pub per_connection: u32,
    /// Of one key's own webhook messages, which do not count as its other calls.
    pub messages: u32,
}

impl RateLimits {
    /// From `MILLWRIGHT_RATE_LIMIT_KEY`, `MILLWRIGHT_RATE_LIMIT_CONNECTION` and
    /// `MILLWRIGHT_RATE_LIMIT_MESSAGES`: calls a minute; none is limited unless set.
    ///
    /// # Errors
    /// When one of them is no number, or more than a million.
    pub(crate) fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        let range = 0..=1_000_000;
        Ok(Self {
            per_key: parsed_in(source, KEY, 0, &range)?,
            per_connection: parsed_in(source, CONNECTION, 0, &range)?,
            messages: parsed_in(source, MESSAGES, 0, &range)?,
        })
    }

    /// The limits that a call falls under.
    fn of<'a>(&self, call: &'a Call<'a>) -> Vec<Limit<'a>> {
        let Call { caller, connection, is_message } = call;
        let limit = |name, who: &'a str, per_minute| {
            let workspace = &caller.workspace;
            (per_minute > 0).then_some(Limit { name, workspace, who, per_minute })
        };
        let who = caller.actor.id();
        let own = match is_message {
            true => limit("messages", who, self.messages),
            false => limit("key", who, self.per_key),
        };
        let about = connection.as_ref();
        let about = about.and_then(|id| limit("connection", id.as_str(), self.per_connection));
        own.into_iter().chain(about).collect()
    }
}

/// A call, as far as limits are concerned.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// Who makes it.
    pub(crate) caller: &'a Caller,
    /// What it is about.
    pub(crate) connection: Option<ConnectionId>,
    /// Whether it sends a webhook message of the workspace's own.
    is_message: bool,
}

impl<'a> Call<'a> {
    /// `route` is the path's pattern.
    pub(crate) fn new(caller: &'a Caller, parts: &Parts, route: &str, is_data: bool) -> Self {
        let named = parts.headers.get(CONNECTION_ID).filter(|_| is_data);
        let named = named.and_then(|value| value.to_str().ok());
        let of_path = || parts.uri.path().split('/').nth(3);
        let own = route.starts_with("/v1/connections/{id}").then(of_path);
        let id = named.or(own.flatten()).and_then(|text| text.parse().ok());
        let held = caller.token_holder().map(|holder| holder.connection.clone());
        let is_message = parts.method == Method::POST && route == "/v1/webhook-messages";
        Self { caller, connection: held.or(id), is_message }
    }
}

/// Counts a call against every limit it falls under.
///
/// # Errors
/// When the table fails.
pub(crate) async fn count(limits: &Limits, app: &App, call: &Call<'_>) -> Result<Vec<Standing>> {
    let mut standings = Vec::new();
    for limit in app.settings.rate_limits.of(call) {
        let standing = limits.take(&app.store, limit).await?;
        standings.push(standing);
        if !standing.allowed {
            break;
        }
    }
    Ok(standings)
}

/// The refusal, when one of the limits is used up.
pub(crate) fn refusal(standings: &[Standing]) -> Option<Error> {
    let used_up = standings.iter().find(|standing| !standing.allowed)?;
    let Standing { limit, window, name, .. } = used_up;
    let message = match *name {
        "connection" => {
            format!("more than {limit} calls in {} s about this connection", window.as_secs())
        }
        _ => format!("more than {limit} calls in {} s with this key or token", window.as_secs()),
    };
    let mut error = Error::new(ErrorCode::RateLimitExceeded, message);
    error.retry_after = Some(used_up.more_in);
    Some(error)
}

/// Tells the caller how they stand.
pub(crate) fn tell(headers: &mut HeaderMap, standings: &[Standing]) {
    let policy =
        |own: &Standing| format!("\"{}\";q={};w={}", own.name, own.limit, own.window.as_secs());
    let state = |own: &Standing| {
        format!("\"{}\";r={};t={}", own.name, own.remaining, whole_seconds(own.more_in))
    };
    let mut set = |name: HeaderName, items: Vec<String>| {
        if let Ok(value) = HeaderValue::from_str(&items.join(", ")) {
            headers.insert(name, value);
        }
    };
    if !standings.is_empty() {
        set(RATE_LIMIT_POLICY, standings.iter().map(policy).collect());
        set(RATE_LIMIT, standings.iter().map(state).collect());
    }
}

/// As in `Retry-After`, which must name the same moment.
fn whole_seconds(wait: Duration) -> u128 {
    wait.as_millis().div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use millwright_access::{Actor, Environment, Role, TokenHolder};
    use millwright_core::{ApiKeyId, TokenFamilyId, WallTime, WorkspaceId};

    use super::*;

    const ALL: RateLimits = RateLimits { per_key: 600, per_connection: 240, messages: 6_000 };

    fn caller(actor: Actor) -> Caller {
        Caller {
            workspace: WorkspaceId::derived(&["x"]),
            environment: Environment::Test,
            actor,
            role: Role::Admin,
            scopes: vec![],
        }
    }

    fn parts(method: Method, path: &str, named: &str) -> Parts {
        let request = http::Request::builder().method(method).uri(path);
        let request = if named.is_empty() { request } else { request.header(CONNECTION_ID, named) };
        request.body(()).unwrap().into_parts().0
    }

    fn names(caller: &Caller, method: Method, route: &str, path: &str, named: &str) -> Vec<String> {
        let parts = parts(method, path, named);
        let call = Call::new(caller, &parts, route, route == "/v1/purchase-orders");
        let limits = ALL.of(&call);
        limits.iter().map(|limit| format!("{} {}", limit.name, limit.who)).collect()
    }

    #[test]
    fn a_call_counts_for_its_key_and_for_its_connection() {
        let (key, connection) = (ApiKeyId::derived(&["k"]), ConnectionId::derived(&["c"]));
        let (own, about) = (format!("key {key}"), format!("connection {connection}"));
        let caller = caller(Actor::ApiKey(key.clone()));
        let data = "/v1/purchase-orders";
        let found = names(&caller, Method::GET, data, data, connection.as_str());
        assert_eq!(found, [own.clone(), about.clone()]);
        let found = names(&caller, Method::GET, data, data, "nonsense");
        assert_eq!(found, std::slice::from_ref(&own));
        let path = format!("/v1/connections/{connection}/pause");
        let found = names(&caller, Method::POST, "/v1/connections/{id}/pause", &path, "");
        assert_eq!(found, [own.clone(), about]);
        let messages = "/v1/webhook-messages";
        let found = names(&caller, Method::POST, messages, messages, connection.as_str());
        assert_eq!(found, [format!("messages {key}")]);
        assert_eq!(names(&caller, Method::GET, messages, messages, ""), [own]);
    }

    #[test]
    fn a_connection_token_counts_for_its_own_connection_whatever_it_names() {
        let (own, other) = (ConnectionId::derived(&["own"]), ConnectionId::derived(&["other"]));
        let caller = caller(Actor::ConnectionToken(TokenHolder {
            connection: own.clone(),
            family: TokenFamilyId::derived(&["f"]),
            granted_at: WallTime::from_millis(1),
            application: None,
        }));
        let data = "/v1/purchase-orders";
        let found = names(&caller, Method::GET, data, data, other.as_str());
        assert_eq!(found[1], format!("connection {own}"));
    }

    #[test]
    fn nothing_is_limited_unless_it_is_set() {
        let none = RateLimits::from_source(&HashMap::<&str, &str>::new()).unwrap();
        assert_eq!(none, RateLimits::default());
        let caller = caller(Actor::ApiKey(ApiKeyId::derived(&["k"])));
        let parts = parts(Method::GET, "/v1/api-keys", "");
        let call = Call::new(&caller, &parts, "/v1/api-keys", false);
        assert!(none.of(&call).is_empty());
        let set = HashMap::from([(KEY, "7"), (MESSAGES, "0")]);
        assert_eq!(RateLimits::from_source(&set).unwrap().per_key, 7);
        for wrong in ["-1", "x", "1000001"] {
            assert!(RateLimits::from_source(&HashMap::from([(KEY, wrong)])).is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_tell_of_every_limit_and_a_refusal_of_the_used_up_one() {
        let standing = |name, allowed, remaining, ms| Standing {
            name,
            limit: 600,
            window: Duration::from_secs(60),
            allowed,
            remaining,
            more_in: Duration::from_millis(ms),
        };
        let mut headers = HeaderMap::new();
        let standings =
            [standing("key", true, 599, 60_000), standing("connection", false, 0, 1_500)];
        tell(&mut headers, &standings);
        let text = |name: HeaderName| headers[name].to_str().unwrap().to_owned();
        assert_eq!(text(RATE_LIMIT_POLICY), "\"key\";q=600;w=60, \"connection\";q=600;w=60");
        assert_eq!(text(RATE_LIMIT), "\"key\";r=599;t=60, \"connection\";r=0;t=2");
        let error = refusal(&standings).unwrap();
        assert_eq!(error.code, ErrorCode::RateLimitExceeded);
        assert_eq!(error.retry_after, Some(Duration::from_millis(1_500)));
        assert!(refusal(&standings[..1]).is_none());
        let mut none = HeaderMap::new();
        tell(&mut none, &[]);
        assert!(none.is_empty());
    }
}
