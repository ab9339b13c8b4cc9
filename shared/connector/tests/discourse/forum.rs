//! A Discourse with a few pages of everything: it keeps what is written, and answers as the published
//! description says; what that leaves open, as its source does.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use url::Url;

use super::rows::{listed, post, recorded, topic, viewed, with};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET /t/7.json`, with the query.
    pub request: String,
    /// The members of its body, JSON or a form.
    pub body: Value,
}

/// What the site is, and what it was asked.
#[derive(Default)]
pub struct Site {
    pub users: Vec<Value>,
    pub groups: Vec<Value>,
    pub categories: Vec<Value>,
    pub topics: Vec<Value>,
    pub posts: Vec<Value>,
    pub asked: Vec<Asked>,
    /// Answers in place of the next ones.
    pub instead: Vec<(u16, &'static str, String)>,
    /// Whether the user of the key is nobody special.
    pub plain_user: bool,
    /// Whether the answer to the next write is lost after it was done.
    pub loses: bool,
}

/// The running server; it ends with the test.
pub struct Forum {
    pub url: String,
    site: Arc<Mutex<Site>>,
}

/// Users, groups and topics on a page. A real one has 100, 36 and as many as are wanted.
const PAGE: usize = 2;

impl Forum {
    pub async fn start() -> Self {
        let site = Site {
            users: recorded("users").as_array().cloned().unwrap(),
            groups: recorded("groups")["groups"].as_array().cloned().unwrap(),
            categories: recorded("site")["categories"].as_array().cloned().unwrap(),
            topics: vec![topic(json!({}))],
            posts: vec![post(json!({}))],
            ..Site::default()
        };
        let site = Arc::new(Mutex::new(site));
        let app = Router::new().fallback(answer).with_state(site.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url: format!("http://{address}"), site }
    }

    pub fn site(&self) -> MutexGuard<'_, Site> {
        self.site.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The requests as they came, as `GET /t/7.json`.
    pub fn requests(&self) -> Vec<String> {
        self.site().asked.iter().map(|asked| asked.request.clone()).collect()
    }

    /// The last request with its body.
    pub fn last(&self) -> (String, Value) {
        let site = self.site();
        let asked = site.asked.last().unwrap();
        (asked.request.clone(), asked.body.clone())
    }
}

/// An answer in Discourse's form of an error.
pub fn error(kind: &str, words: &str) -> String {
    json!({"errors": [words], "error_type": kind}).to_string()
}

async fn answer(
    State(site): State<Arc<Mutex<Site>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut site = site.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let members = members(&body);
    site.asked.push(Asked { request: format!("{method} {uri}"), body: members.clone() });
    if !site.instead.is_empty() {
        let (status, kind, body) = site.instead.remove(0);
        return (status_of(status), [(header::CONTENT_TYPE, kind)], body).into_response();
    }
    let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if (given("api-key"), given("api-username")) != (Some(super::KEY), Some(super::USERNAME)) {
        // In the words of a German site.
        return json_of(403, error("invalid_access", "API-Benutzername oder Schlüssel ungültig."));
    }
    let url = Url::parse(&format!("http://x{uri}")).unwrap();
    let named = |name: &str| {
        let found = url.query_pairs().find(|(known, _)| known == name);
        found.map(|(_, value)| value.into_owned())
    };
    let path = uri.path().trim_start_matches('/').trim_end_matches(".json").to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let mut response = match method {
        Method::GET => site.read(&parts, &named),
        _ => site.write(&method, &parts, &members),
    };
    if method != Method::GET && std::mem::take(&mut site.loses) {
        drop(site);
        // Hyper closes the connection of a service that panics.
        panic!("the answer is lost");
    }
    response.headers_mut().insert("x-discourse-username", super::USERNAME.parse().unwrap());
    response
}

fn members(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        let pairs = url::form_urlencoded::parse(body).into_owned();
        Value::Object(pairs.map(|(name, value)| (name, Value::from(value))).collect::<Map<_, _>>())
    })
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap()
}

fn json_of(status: u16, body: String) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status_of(status), kind, body).into_response()
}

fn fine(body: &Value) -> Response {
    json_of(200, body.to_string())
}

fn not_found() -> Response {
    json_of(404, error("not_found", "The requested URL or resource could not be found."))
}

fn page(rows: &[Value], number: usize) -> Vec<Value> {
    rows.iter().skip(number * PAGE).take(PAGE).cloned().collect()
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or(0)
}

fn of<'a>(rows: &'a mut [Value], id: &str) -> Option<&'a mut Value> {
    rows.iter_mut().find(|row| row["id"] == number(id))
}

impl Site {
    fn read(&mut self, parts: &[&str], named: &dyn Fn(&str) -> Option<String>) -> Response {
        let at = named("page").map_or(0, |page| usize::try_from(number(&page)).unwrap());
        match parts {
            ["admin", ..] if self.plain_user => not_found(),
            ["admin", "users", "list", "staff"] => fine(&json!(self.users[..1])),
            ["admin", "users", "list", "new"] => self.users_page(at, named),
            ["admin", "users", id] => match of(&mut self.users, id) {
                None => not_found(),
                Some(user) => {
                    let mut seen = recorded("user");
                    for (name, value) in user.as_object().unwrap() {
                        if seen.get(name).is_some() {
                            seen[name] = value.clone();
                        }
                    }
                    fine(&seen)
                }
            },
            ["site"] => fine(&json!({"categories": self.categories})),
            ["groups"] => {
                let next = format!("/groups?page={}", at + 1);
                let (groups, total) = (page(&self.groups, at), self.groups.len());
                let other =
                    json!({"groups": groups, "total_rows_groups": total, "load_more_groups": next});
                fine(&with(recorded("groups"), other))
            }
            ["latest"] => self.latest(at),
            ["t", "external_id", token] => match self.by_external_id(token) {
                None => not_found(),
                Some((slug, id)) => {
                    let to = format!("/t/{slug}/{id}.json");
                    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response()
                }
            },
            ["t", id] => of(&mut self.topics, id).map_or_else(not_found, |row| fine(&viewed(row))),
            ["posts"] => self.latest_posts(named("before")),
            ["posts", id] => of(&mut self.posts, id).map_or_else(not_found, |row| fine(row)),
            _ => not_found(),
        }
    }

    fn users_page(&self, at: usize, named: &dyn Fn(&str) -> Option<String>) -> Response {
        assert_eq!((named("order"), named("asc")), (Some("created".into()), Some("true".into())));
        let mut users = page(&self.users, at.saturating_sub(1));
        if named("show_emails").as_deref() != Some("true") {
            for user in &mut users {
                user.as_object_mut().unwrap().remove("email");
            }
        }
        fine(&Value::Array(users))
    }

    fn latest(&self, at: usize) -> Response {
        let mut topics: Vec<&Value> =
            self.topics.iter().filter(|topic| topic["deleted_at"].is_null()).collect();
        let order = |topic: &&Value| {
            (topic["pinned"] == true, topic["bumped_at"].as_str().unwrap().to_owned())
        };
        topics.sort_by_key(|topic| std::cmp::Reverse(order(topic)));
        let rows: Vec<Value> = topics.into_iter().map(listed).collect();
        let mut answer = recorded("latest");
        answer["topic_list"]["topics"] = Value::Array(page(&rows, at));
        if rows.len() > (at + 1) * PAGE {
            let more = format!("/latest?no_definitions=true&order=activity&page={}", at + 1);
            answer["topic_list"]["more_topics_url"] = json!(more);
        }
        fine(&answer)
    }

    fn latest_posts(&self, before: Option<String>) -> Response {
        let before = before.map_or(i64::MAX, |before| number(&before));
        let id = |post: &Value| post["id"].as_i64().unwrap();
        let shows = |post: &&Value| {
            let there = post["deleted_at"].is_null() && post["hidden"] == false;
            there && post["post_type"] == 1 && id(post) < before
        };
        let mut posts: Vec<Value> = self.posts.iter().filter(shows).cloned().collect();
        posts.sort_by_key(|post| std::cmp::Reverse(id(post)));
        fine(&json!({"latest_posts": page(&posts, 0)}))
    }

    fn by_external_id(&self, token: &str) -> Option<(String, i64)> {
        let found = self.topics.iter().find(|topic| topic["external_id"] == token)?;
        Some((found["slug"].as_str()?.to_owned(), found["id"].as_i64()?))
    }

    fn write(&mut self, method: &Method, parts: &[&str], given: &Value) -> Response {
        let short = given["raw"].as_str().or(given["post"]["raw"].as_str());
        if short.is_some_and(|raw| raw.len() < 5) {
            let refused = json!({"action": "create_post", "errors": ["Body is too short"]});
            return json_of(422, refused.to_string());
        }
        match (method.as_str(), parts) {
            ("POST", ["posts"]) if given["title"].is_string() => self.new_topic(given),
            ("POST", ["posts"]) => {
                let id = self.posts.len() + 30_000;
                let own = json!({"id": id, "raw": given["raw"], "topic_id": given["topic_id"],
                    "reply_to_post_number": given["reply_to_post_number"]});
                self.posts.push(post(own.clone()));
                fine(&with(recorded("created"), own))
            }
            ("PUT", ["t", "-", id]) => match of(&mut self.topics, id) {
                None => not_found(),
                Some(topic) => {
                    // The description has them below `topic`; the server takes those at the top.
                    for name in ["title", "category_id"] {
                        assert_eq!(given["topic"][name], given[name]);
                        topic[name] = given[name].clone();
                    }
                    fine(&recorded("basic_topic"))
                }
            },
            ("PUT", ["t", id, "status"]) => match of(&mut self.topics, id) {
                None => not_found(),
                Some(topic) => {
                    let status = given["status"].as_str().unwrap();
                    topic[status] = json!(given["enabled"] == "true");
                    fine(&recorded("status"))
                }
            },
            ("PUT", ["posts", id]) => match of(&mut self.posts, id) {
                None => not_found(),
                Some(post) => {
                    *post = with(post.clone(), given["post"].clone());
                    fine(&json!({ "post": post }))
                }
            },
            ("DELETE", ["t", id]) => deleted(&mut self.topics, id),
            ("DELETE", ["posts", id]) => deleted(&mut self.posts, id),
            _ => not_found(),
        }
    }

    fn new_topic(&mut self, given: &Value) -> Response {
        let id = self.topics.len() + 6_000;
        let category = number(given["category"].as_str().unwrap_or("1"));
        self.topics.push(topic(json!({"id": id, "title": given["title"], "category_id": category,
            "external_id": given["external_id"], "user_id": 12, "tags": []})));
        fine(&with(recorded("created"), json!({"topic_id": id, "raw": given["raw"]})))
    }
}

/// What is deleted stays, and staff see when it was.
fn deleted(rows: &mut [Value], id: &str) -> Response {
    match of(rows, id) {
        None => not_found(),
        Some(row) => {
            row["deleted_at"] = json!("2026-03-10T12:00:00.000Z");
            StatusCode::OK.into_response()
        }
    }
}
