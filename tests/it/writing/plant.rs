//! A system behind HTTP that really keeps what it is told, and fails as a test wants it to.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use millwright_connector::Catalog;
use serde_json::{Map, Value, json};

use super::gate::Gate;

/// What happens to a write that comes next.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is done, and nobody hears of it.
    LoseAnswer,
    /// It never arrives.
    LoseRequest,
    /// It is done, and answered so much later.
    Slow(Duration),
    /// It is taken so much later, and then refused.
    SlowRefusal(Duration),
    /// A field of it is passed over in silence.
    Ignore(&'static str),
    /// It is refused.
    Refuse(u16, Value),
}

type Row = Map<String, Value>;

#[derive(Default)]
struct Kept {
    rows: BTreeMap<(String, String), Row>,
    last_id: u64,
    /// What a token of the system's own has made.
    native: BTreeMap<String, String>,
    faults: VecDeque<Fault>,
    writes: Vec<String>,
    rights: Option<Value>,
}

/// A running system. It ends with the test.
#[derive(Clone)]
pub struct Plant {
    pub url: String,
    kept: Arc<Mutex<Kept>>,
    gate: Gate,
}

pub fn catalog() -> Catalog {
    Catalog::of([include_str!("plant.yaml")]).unwrap()
}

impl Plant {
    pub async fn start(gate: Gate) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let plant = Self { url, kept: Arc::default(), gate };
        let app = Router::new().fallback(answer).with_state(plant.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        plant
    }

    /// Lets the next writes fail, one after another.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.kept.lock().unwrap().faults.extend(faults);
    }

    /// What the account may do; without it the system does not say.
    pub fn allow(&self, rights: Value) {
        self.kept.lock().unwrap().rights = Some(rights);
    }

    /// The writes that arrived or were lost on the way, such as `POST /vendors`.
    pub fn writes(&self) -> Vec<String> {
        self.kept.lock().unwrap().writes.clone()
    }

    /// All rows of a kind.
    pub fn rows(&self, kind: &str) -> Vec<Row> {
        let kept = self.kept.lock().unwrap();
        kept.rows.iter().filter(|((of, _), _)| of == kind).map(|(_, row)| row.clone()).collect()
    }

    /// Changes a row behind everybody's back.
    pub fn change(&self, kind: &str, id: &str, field: &str, value: Value) {
        let mut kept = self.kept.lock().unwrap();
        let row = kept.rows.get_mut(&(kind.to_owned(), id.to_owned())).unwrap();
        row.insert(field.to_owned(), value);
    }

    fn read(&self, path: &str, query: &str) -> (StatusCode, Value) {
        let kept = self.kept.lock().unwrap();
        match path {
            "/me" => return (StatusCode::OK, json!({"id": self.url})),
            "/rights" => {
                return kept
                    .rights
                    .clone()
                    .map_or((StatusCode::INTERNAL_SERVER_ERROR, Value::Null), |rights| {
                        (StatusCode::OK, rights)
                    });
            }
            _ => {}
        }
        let kind = path.trim_start_matches('/');
        let given: BTreeMap<String, String> =
            url_pairs(query).into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let wanted = |id: &str, row: &Row| {
            given.iter().all(|(name, value)| match name.as_str() {
                "ids" => value.split(',').any(|one| one == id),
                "after" => id > value.as_str(),
                field => row.get(field).is_some_and(|own| own == value.as_str()),
            })
        };
        let rows = kept.rows.iter().filter(|((of, id), row)| of == kind && wanted(id, row));
        (StatusCode::OK, rows.map(|(_, row)| Value::Object(row.clone())).collect())
    }

    /// Does what a write asks for.
    fn write(
        &self,
        method: &Method,
        path: &str,
        token: Option<String>,
        body: Row,
    ) -> (StatusCode, Value) {
        let mut kept = self.kept.lock().unwrap();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let own = |id: &str| (parts[0].to_owned(), id.to_owned());
        match (method.as_str(), parts.as_slice()) {
            ("POST", [kind]) => {
                if let Some(made) = token.as_ref().and_then(|token| kept.native.get(token)) {
                    return (StatusCode::OK, json!({ "id": made }));
                }
                let id = kept.made(kind, body);
                kept.native.extend(token.map(|token| (token, id.clone())));
                (StatusCode::CREATED, json!({ "id": id }))
            }
            (_, [_, id, ..]) if !kept.rows.contains_key(&own(id)) => {
                (StatusCode::NOT_FOUND, json!({}))
            }
            ("POST", [_, id, "items"]) => {
                let line = kept.line(Value::Object(body));
                let items = kept.rows.get_mut(&own(id)).unwrap().entry("items");
                items.or_insert_with(|| json!([])).as_array_mut().unwrap().push(line);
                (StatusCode::CREATED, json!({}))
            }
            ("POST", [_, id, "send"]) => {
                kept.rows.get_mut(&own(id)).unwrap().insert("status".to_owned(), json!("sent"));
                (StatusCode::OK, json!({}))
            }
            ("PATCH", [_, id]) => {
                kept.rows.get_mut(&own(id)).unwrap().extend(body);
                (StatusCode::OK, json!({}))
            }
            ("DELETE", [_, id]) => {
                kept.rows.remove(&own(id));
                (StatusCode::NO_CONTENT, Value::Null)
            }
            _ => (StatusCode::IM_A_TEAPOT, json!({ "asked": path })),
        }
    }
}

impl Kept {
    fn id(&mut self) -> String {
        self.last_id += 1;
        format!("{:04}", self.last_id)
    }

    fn line(&mut self, mut line: Value) -> Value {
        line["id"] = self.id().into();
        line
    }

    fn made(&mut self, kind: &str, mut row: Row) -> String {
        let id = self.id();
        if let Some(Value::Array(items)) = row.get_mut("items") {
            *items = std::mem::take(items).into_iter().map(|line| self.line(line)).collect();
        }
        row.insert("id".to_owned(), json!(id));
        row.insert("status".to_owned(), json!("draft"));
        self.rows.insert((kind.to_owned(), id.clone()), row);
        id
    }
}

async fn answer(
    State(plant): State<Plant>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let number = plant.gate.before().await;
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let (status, body) = if method == Method::GET {
        plant.read(path, query)
    } else {
        let token = headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
        let body = serde_json::from_slice(&body).unwrap_or_default();
        plant.written(&method, path, token, body).await
    };
    plant.gate.after(number).await;
    let text = if body.is_null() { String::new() } else { body.to_string() };
    (status, [("content-type", "application/json")], text).into_response()
}

impl Plant {
    async fn written(
        &self,
        method: &Method,
        path: &str,
        token: Option<String>,
        mut body: Row,
    ) -> (StatusCode, Value) {
        let fault = {
            let mut kept = self.kept.lock().unwrap();
            kept.writes.push(format!("{method} {path}"));
            kept.faults.pop_front()
        };
        match fault {
            Some(Fault::LoseRequest) => broken(),
            Some(Fault::LoseAnswer) => {
                self.write(method, path, token, body);
                broken()
            }
            Some(Fault::Slow(time)) => {
                let answer = self.write(method, path, token, body);
                tokio::time::sleep(time).await;
                answer
            }
            Some(Fault::SlowRefusal(time)) => {
                tokio::time::sleep(time).await;
                (StatusCode::UNPROCESSABLE_ENTITY, json!({"text": "not today", "code": "P7"}))
            }
            Some(Fault::Ignore(field)) => {
                body.shift_remove(field);
                self.write(method, path, token, body)
            }
            Some(Fault::Refuse(status, said)) => (StatusCode::from_u16(status).unwrap(), said),
            None => self.write(method, path, token, body),
        }
    }
}

/// Hyper closes the connection of a service that unwinds.
fn broken() -> ! {
    std::panic::resume_unwind(Box::new("the connection breaks"))
}

fn url_pairs(query: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).unwrap();
    url.query_pairs().into_owned().collect()
}
