//! The Millwright that messages come from.

use std::{collections::BTreeMap, time::Duration};

use millwright_core::{Clock, ExposeSecret, SecretString};
use millwright_webhook::Verifier;
use reqwest::{
    Client, Method, RequestBuilder, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{super::Line, ListenOptions};

/// How many seconds a call waits for messages.
const WAIT: u64 = 20;
/// How long a call may take: the wait, and the answer.
const TIMEOUT: Duration = Duration::from_secs(WAIT + 20);
/// How many messages are fetched at a time: few, as an interruption brings a page again.
const PAGE: usize = 10;

/// An endpoint of a workspace, polled.
pub(super) struct Service {
    client: Client,
    url: String,
    key: SecretString,
    endpoint: String,
    given_secret: Option<SecretString>,
    verifier: Verifier,
    /// The cursor of the page that was fetched last.
    fetched: Option<String>,
    /// The cursor of a page that has been dealt with: the next call acknowledges it.
    done: Option<String>,
}

/// What came of fetching.
pub(super) enum Fetched {
    /// Messages, perhaps none.
    Page(Vec<Message>),
    /// Nothing for now, with why.
    Later(String),
}

/// A message as it was fetched.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) event_type: String,
    pub(super) created_at: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

#[derive(Deserialize)]
struct Polled {
    data: Vec<PolledMessage>,
    next_cursor: String,
}

#[derive(Deserialize)]
struct PolledMessage {
    id: String,
    event_type: String,
    created_at: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Why a call came to nothing.
enum Failure {
    /// It may go well later.
    Passing(String),
    /// It will not.
    Lasting(String),
}

impl From<Failure> for Line {
    fn from(failure: Failure) -> Self {
        let (Failure::Passing(why) | Failure::Lasting(why)) = failure;
        Self(why)
    }
}

impl Service {
    /// Takes up the endpoint that was asked for, or makes one.
    pub(super) async fn open(options: ListenOptions) -> Result<Self, Line> {
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let mut service = Self {
            client,
            url: options.url.trim_end_matches('/').to_owned(),
            key: options.api_key,
            endpoint: String::new(),
            given_secret: options.secret,
            // Takes nothing for right until the endpoint's own is known.
            verifier: Verifier::none(),
            fetched: None,
            done: None,
        };
        service.endpoint = match options.endpoint {
            Some(id) => service.polled_endpoint(id.as_str()).await?,
            None => service.make_endpoint(&options.events).await?,
        };
        service.verifier = service.read_verifier().await?;
        Ok(service)
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    async fn make_endpoint(&self, events: &[String]) -> Result<String, Line> {
        let endpoint = json!({
            "delivery": "poll",
            "event_types": events,
            "description": "millwright listen",
        });
        let request = self.request(Method::POST, "/v1/webhook-endpoints").json(&endpoint);
        let made = call(request).await?;
        let id = made["id"].as_str().map(str::to_owned);
        id.ok_or_else(|| Line("the answer names no endpoint: is --url a Millwright?".to_owned()))
    }

    /// The endpoint that was asked for, if it is there and polled.
    async fn polled_endpoint(&self, id: &str) -> Result<String, Line> {
        let path = format!("/v1/webhook-endpoints/{id}");
        let endpoint = call(self.request(Method::GET, &path)).await?;
        let sent_to = endpoint["url"].as_str().filter(|url| !url.is_empty());
        match sent_to {
            None => Ok(id.to_owned()),
            Some(_) => Err(Line(format!("{id} is not polled: its messages are sent to its URL"))),
        }
    }

    async fn read_verifier(&self) -> Result<Verifier, Line> {
        let unfit = || Line("the secret is neither whsec_... nor whpk_...".to_owned());
        if let Some(secret) = &self.given_secret {
            return Verifier::new(secret.expose_secret()).ok_or_else(unfit);
        }
        let path = format!("/v1/webhook-endpoints/{}/secret", self.endpoint);
        let shown = call(self.request(Method::GET, &path)).await?;
        let key = shown["public_key"].as_str().or(shown["secret"].as_str()).unwrap_or_default();
        Verifier::new(key).ok_or_else(unfit)
    }

    /// Fetches messages, acknowledging those that were dealt with; waits a while when there are none.
    pub(super) async fn fetch(&mut self) -> Result<Fetched, Line> {
        match self.poll(PAGE, WAIT).await {
            Ok(page) => {
                self.done = None;
                self.fetched = Some(page.next_cursor);
                let messages = page.data.into_iter().map(Message::try_from);
                Ok(Fetched::Page(messages.collect::<Result<_, _>>()?))
            }
            Err(Failure::Passing(why)) => Ok(Fetched::Later(why)),
            Err(Failure::Lasting(why)) => Err(Line(why)),
        }
    }

    /// The page that was fetched last has been dealt with.
    pub(super) fn done(&mut self) {
        self.done = self.fetched.take();
    }

    /// Acknowledges what has been dealt with, if that has not been told yet.
    pub(super) async fn acknowledge(&mut self) -> Result<(), Line> {
        if self.done.is_some() {
            self.poll(1, 0).await?;
            self.done = None;
        }
        Ok(())
    }

    pub(super) async fn delete_endpoint(&self) -> Result<(), Line> {
        let path = format!("/v1/webhook-endpoints/{}", self.endpoint);
        call(self.request(Method::DELETE, &path)).await?;
        Ok(())
    }

    /// Verifies a message. The secret may have been rotated meanwhile: it is then read once more.
    pub(super) async fn verify(&mut self, message: &Message) -> Result<(), Line> {
        let now = Clock::system().wall();
        if self.verifier.verify(&message.headers, message.body.as_bytes(), now).is_ok() {
            return Ok(());
        }
        self.verifier = self.read_verifier().await?;
        let verified = self.verifier.verify(&message.headers, message.body.as_bytes(), now);
        verified.map_err(|why| Line(format!("message {} is not to be trusted: {why}", message.id)))
    }

    async fn poll(&self, limit: usize, wait: u64) -> Result<Polled, Failure> {
        // A cursor has only letters that need no escaping, and an empty one says nothing.
        let cursor = self.done.as_deref().unwrap_or_default();
        let query = format!("limit={limit}&wait={wait}&cursor={cursor}");
        let path = format!("/v1/webhook-endpoints/{}/poll?{query}", self.endpoint);
        let answer = call(self.request(Method::GET, &path)).await?;
        let strange = |_| Failure::Lasting("the answer is not one of Millwright's".to_owned());
        serde_json::from_value(answer).map_err(strange)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        request.bearer_auth(self.key.expose_secret())
    }
}

/// Makes a call: the JSON of its answer.
async fn call(request: RequestBuilder) -> Result<Value, Failure> {
    let answer = request.send().await.map_err(|error| {
        let why = if error.is_connect() { "no connection" } else { "no answer" };
        let host = error.url().and_then(|url| url.host_str()).unwrap_or("Millwright");
        let told = format!("{why} from {host}");
        if error.is_builder() {
            Failure::Lasting("--url is not a URL".into())
        } else {
            Failure::Passing(told)
        }
    })?;
    let status = answer.status();
    let text = answer.text().await.map_err(|_| Failure::Passing("no whole answer".to_owned()))?;
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    let words = value["error"]["message"].as_str().unwrap_or("no words");
    let told = format!("Millwright answers {}: {words}", status.as_u16());
    let passing = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT);
    Err(if passing { Failure::Passing(told) } else { Failure::Lasting(told) })
}

impl TryFrom<PolledMessage> for Message {
    type Error = Line;

    fn try_from(own: PolledMessage) -> Result<Self, Line> {
        let header = |(name, value): (String, String)| {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            Ok::<_, Line>((name, HeaderValue::from_str(&value)?))
        };
        let headers = own.headers.into_iter().map(header).collect::<Result<HeaderMap, _>>();
        Ok(Self {
            headers: headers?,
            id: own.id,
            event_type: own.event_type,
            created_at: own.created_at,
            body: own.body,
        })
    }
}
