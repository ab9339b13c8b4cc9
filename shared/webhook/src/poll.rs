//! Polling: the messages of an endpoint that nothing is sent to, for whoever comes to fetch them.
//!
//! What has not been acknowledged is found through a sparse index, oldest offer first, and read again in
//! the table, so that nothing is shown that has been acknowledged. There is no position that a message
//! could come behind: the place is the set of what is still there. A cursor stands for the messages of
//! the page it came with and nothing else; whoever comes back with it acknowledges exactly these. Doing so
//! twice is harmless, and without a cursor everything that is not acknowledged comes again.

mod cursor;
mod offer;

use std::{collections::HashSet, time::Duration};

use cursor::{cursor_of, page_of};
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderMap, HeaderValue, header};
use millwright_core::{
    DeliveryId, EndpointId, Error, ErrorCode, MessageId, Result, ScheduleTime, WorkspaceId,
};
use millwright_event::{Message, Stopped, message_key};
use millwright_store::Key;

use crate::{
    Webhooks,
    delivery::Delivery,
    endpoint::{Endpoint, EndpointStatus},
    keys::{delivery_at, delivery_key, offered_of},
    state::{AbortReason, State},
};

/// How many acknowledgements are written, and how many large bodies read, at a time.
const AT_A_TIME: usize = 8;
/// What a page may hold in bytes as JSON, its last body not counted: a function answers with 6 MB at most.
const PAGE_BYTES: usize = 3 * 1024 * 1024;
/// What is read beyond a page: what was acknowledged a moment ago is still in the index.
const SLACK: usize = 20;
/// How soon a waiting call looks again, at first and at most: each look costs half a read unit.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);

/// What a poll asks for.
#[derive(Clone, Copy, Debug)]
pub struct PollRequest<'a> {
    /// The cursor of the page before: its messages are acknowledged.
    pub cursor: Option<&'a str>,
    /// The most messages in the page.
    pub limit: usize,
    /// How long to wait for a message when there is none, on the wall clock.
    pub wait: Duration,
}

/// A message as it is fetched.
#[derive(Clone, Debug)]
pub struct PolledMessage {
    /// Its id.
    pub id: MessageId,
    /// Its type.
    pub event_type: String,
    /// When it was accepted.
    pub created_at: ScheduleTime,
    /// The headers that it would have been sent with, signatures included.
    pub headers: HeaderMap,
    /// Its body, byte for byte.
    pub body: String,
}

/// What a poll answers.
#[derive(Clone, Debug)]
pub struct PollPage {
    /// The oldest messages that have not been acknowledged.
    pub messages: Vec<PolledMessage>,
    /// Acknowledges the messages of this page, and no others.
    pub next_cursor: String,
    /// Whether there are more at once.
    pub has_more: bool,
}

impl Webhooks {
    /// Acknowledges the page that the cursor came with, and answers with the oldest messages of a polled
    /// endpoint that have not been acknowledged.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such endpoint; `CURSOR_INVALID`; `STATE_CONFLICT` when its messages
    /// are sent to a URL, or when it is paused or disabled: what was to be acknowledged then is.
    pub async fn poll(
        &self,
        workspace: &WorkspaceId,
        id: &EndpointId,
        asked: PollRequest<'_>,
    ) -> Result<PollPage> {
        let endpoint = self.get_endpoint(workspace, id).await?;
        if endpoint.url.is_some() {
            let message = "the messages of this endpoint are sent to its URL: it cannot be polled";
            return Err(Error::new(ErrorCode::StateConflict, message));
        }
        let acknowledged = asked.cursor.map(|text| page_of(id, text)).transpose()?;
        let mut done: HashSet<MessageId> = acknowledged.unwrap_or_default().into_iter().collect();
        self.acknowledge(&endpoint, &done).await?;
        if endpoint.status != EndpointStatus::Enabled {
            let message =
                "this endpoint is paused or disabled: it offers nothing until it is enabled";
            return Err(Error::new(ErrorCode::StateConflict, message));
        }
        let until = self.clock().wall() + asked.wait;
        let mut pause = LOOK_AGAIN;
        loop {
            let page = self.page(&endpoint, asked.limit, &mut done).await?;
            if !page.messages.is_empty() || self.clock().wall() >= until {
                return Ok(page);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_AGAIN_MAX);
        }
    }

    /// Ends the deliveries of these messages. One that has ended stays as it is.
    async fn acknowledge(&self, endpoint: &Endpoint, messages: &HashSet<MessageId>) -> Result<()> {
        let now = self.clock().schedule();
        let one = |message: MessageId| async move {
            let id = DeliveryId { endpoint: endpoint.id.clone(), message };
            let decide = |delivery: &mut Delivery| {
                delivery.fetch(now);
                Ok(())
            };
            self.store.modify(&delivery_key(&endpoint.workspace, &id), decide).await.map(drop)
        };
        let written = stream::iter(messages.clone()).map(one).buffer_unordered(AT_A_TIME);
        written.try_collect().await
    }

    async fn page(
        &self,
        endpoint: &Endpoint,
        limit: usize,
        done: &mut HashSet<MessageId>,
    ) -> Result<PollPage> {
        loop {
            let mut offered = self.offered(endpoint, limit + 1, done).await?;
            let mut has_more = offered.len() > limit;
            offered.truncate(limit);
            let messages = self.fetched(endpoint, &offered, &mut has_more).await?;
            if !messages.is_empty() || offered.is_empty() {
                let ids: Vec<&MessageId> = messages.iter().map(|message| &message.id).collect();
                let next_cursor = cursor_of(&endpoint.id, &ids)?;
                return Ok(PollPage { messages, next_cursor, has_more });
            }
            // All of them have been aborted meanwhile: what comes after them has its turn.
            done.extend(offered.into_iter().map(|delivery| delivery.message));
        }
    }

    /// The oldest deliveries that are on offer, at most `most`. What the index still shows though it is
    /// on offer no more is put into `done`, to be passed over from then on.
    async fn offered(
        &self,
        endpoint: &Endpoint,
        most: usize,
        done: &mut HashSet<MessageId>,
    ) -> Result<Vec<Delivery>> {
        let of = offered_of(&endpoint.workspace, &endpoint.id);
        let mut read = most + done.len() + SLACK;
        loop {
            let keys =
                self.store.oldest_marked(&of, i32::try_from(read).unwrap_or(i32::MAX)).await?;
            let more = keys.len() >= read;
            let ids = keys.iter().filter_map(|key: &Key| delivery_at(&endpoint.id, key));
            let ids: Vec<_> = ids.filter(|id| !done.contains(&id.message)).collect();
            let mut offered = Vec::new();
            for some in ids.chunks(most) {
                let deliveries = self.deliveries_by_id(&endpoint.workspace, some).await?;
                offered.extend(deliveries.into_iter().filter_map(offer));
                let live: HashSet<_> = offered.iter().map(|(_, own)| own.message.clone()).collect();
                let gone = some.iter().filter(|id| !live.contains(&id.message));
                done.extend(gone.map(|id| id.message.clone()));
                if offered.len() >= most {
                    break;
                }
            }
            if offered.len() >= most || !more {
                offered.sort_by(|(a, one), (b, other)| {
                    a.cmp(b).then_with(|| one.message.cmp(&other.message))
                });
                offered.truncate(most);
                return Ok(offered.into_iter().map(|(_, delivery)| delivery).collect());
            }
            read *= 2;
        }
    }

    /// The messages of the deliveries in their order. Deliveries of those that are not to be sent any
    /// more end here.
    async fn messages_of(&self, endpoint: &Endpoint, offered: &[Delivery]) -> Result<Vec<Message>> {
        let key = |delivery: &Delivery| message_key(&delivery.workspace, &delivery.message);
        let keys: Vec<Key> = offered.iter().map(key).collect();
        let rows = self.store.get_docs::<Message>(&keys).await?;
        let (now, mut messages) = (self.clock().schedule(), Vec::new());
        for message in rows.into_iter().map(|row| row.doc) {
            let reason = match message.stopped(now) {
                None => {
                    messages.push(message);
                    continue;
                }
                Some(Stopped::Aborted) => AbortReason::MessageAborted,
                Some(Stopped::Expired) => AbortReason::Expired,
            };
            let id = DeliveryId { endpoint: endpoint.id.clone(), message: message.id };
            let decide = |delivery: &mut Delivery| {
                // One that has ended meanwhile stays as it is.
                let _ = delivery.abort(reason, now);
                Ok(())
            };
            self.store.modify(&delivery_key(&endpoint.workspace, &id), decide).await?;
        }
        messages.sort_by_cached_key(|own| offered.iter().position(|one| one.message == own.id));
        Ok(messages)
    }

    /// The messages of the deliveries, signed, in their order, as many as a page holds.
    async fn fetched(
        &self,
        endpoint: &Endpoint,
        offered: &[Delivery],
        has_more: &mut bool,
    ) -> Result<Vec<PolledMessage>> {
        let messages = self.messages_of(endpoint, offered).await?;
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let signer = self.signer(endpoint).await?;
        let bodies = stream::iter(messages).map(|message| async move {
            let body = self.body_for(&message, endpoint.payload).await?;
            let body = String::from_utf8(body.into()).map_err(Error::internal)?;
            Ok::<_, Error>((message, body))
        });
        let mut bodies = std::pin::pin!(bodies.buffered(AT_A_TIME));
        let (mut fetched, mut bytes) = (Vec::new(), 0);
        while let Some((message, body)) = bodies.try_next().await? {
            if bytes > PAGE_BYTES {
                *has_more = true;
                break;
            }
            bytes += serde_json::to_string(&body).map_or(body.len(), |text| text.len());
            let mut headers = signer.headers(&message.id, self.clock().wall(), body.as_bytes())?;
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
            let Message { id, event_type, created_at, .. } = message;
            fetched.push(PolledMessage { id, event_type, created_at, headers, body });
        }
        Ok(fetched)
    }
}

/// A delivery that is on offer, with since when.
fn offer(delivery: Delivery) -> Option<(ScheduleTime, Delivery)> {
    match delivery.state {
        State::Offered { since } => Some((since, delivery)),
        _ => None,
    }
}
