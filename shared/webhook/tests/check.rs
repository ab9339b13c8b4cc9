use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use millwright_blob::Blob;
use millwright_core::*;
use millwright_event::*;
use millwright_outbound::{Outbound, OutboundConfig};
use millwright_queue::*;
use millwright_store::*;
use millwright_tests::{
    cloud::Cloud,
    faults::{QueueFaults, TableFaults},
};
use millwright_vault::{Vault, create_key_file};
use millwright_webhook::*;
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

#[derive(Clone, Default)]
struct Rx {
    status: Arc<Mutex<HashMap<String, u16>>>,
    seen: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
    hang: Arc<Mutex<bool>>,
}
async fn hook(
    Path(name): Path<String>,
    State(rx): State<Rx>,
    h: HeaderMap,
    b: Bytes,
) -> StatusCode {
    rx.seen.lock().unwrap().push((name.clone(), h, b));
    let hang = *rx.hang.lock().unwrap();
    if hang {
        tokio::time::sleep(Duration::from_secs(120)).await;
    }
    let s = rx.status.lock().unwrap().get(&name).copied().unwrap_or(200);
    StatusCode::from_u16(s).unwrap()
}
struct T {
    cloud: Cloud,
    wh: Webhooks,
    rx: Rx,
    base: String,
    ws: WorkspaceId,
    clock: Clock,
    sqs: aws_sdk_sqs::Client,
    store: Store,
    queue: Queue,
    blob: Blob,
    _f: tempfile::TempDir,
}
async fn start(tf: TableFaults, qf: QueueFaults) -> T {
    let f = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let cloud = Cloud::start(f.path(), tf, qf, 7, clock.clone()).await;
    create_key_file(&f.path().join("k")).unwrap();
    let vault = Vault::local(&f.path().join("k")).unwrap();
    let blob = Blob::folder(&f.path().join("blob")).unwrap();
    let outbound = Outbound::new(OutboundConfig {
        allowed: vec!["127.0.0.0/8".parse().unwrap()],
        https_required: false,
        resolver: None,
    })
    .unwrap();
    let rx = Rx::default();
    let l = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", l.local_addr().unwrap());
    let app = Router::new().route("/{name}", post(hook)).with_state(rx.clone());
    tokio::spawn(async move { axum::serve(l, app).await });
    let (store, queue) = (cloud.store(), cloud.queues());
    let wh = Webhooks::new(store.clone(), queue.clone(), blob.clone(), vault, outbound);
    let sqs = aws_sdk_sqs::Client::new(&cloud.sdk());
    T { cloud, wh, rx, base, ws: WorkspaceId::new_at(1), clock, sqs, store, queue, blob, _f: f }
}
impl T {
    async fn endpoint(&self, name: &str) -> Endpoint {
        self.wh
            .create_endpoint(
                &self.ws,
                NewEndpoint {
                    url: format!("{}/{name}", self.base),
                    timeout_seconds: Some(1),
                    ..Default::default()
                },
            )
            .await
            .unwrap()
    }
    async fn message(&self, n: u64) -> Message {
        let id = MessageId::new_at(self.clock.schedule().millis());
        let data = json!({"n": n, "x": "1.50"});
        Message::render(
            &self.blob,
            &self.clock,
            NewMessage {
                workspace: &self.ws,
                id,
                event_type: "our.event",
                data: &data,
                scope: Scope::default(),
            },
        )
        .await
        .unwrap()
    }
    fn url(&self, q: QueueName) -> String {
        self.cloud.variables()[url_variable(q)].clone()
    }
    /// one poll over all queues; number handled
    async fn work(&self) -> usize {
        let mut n = 0;
        for q in [QueueName::Fanout, QueueName::Delivery, QueueName::Retry] {
            let Ok(got) = self
                .sqs
                .receive_message()
                .queue_url(self.url(q))
                .max_number_of_messages(10)
                .visibility_timeout(20)
                .send()
                .await
            else {
                continue;
            };
            for m in got.messages.unwrap_or_default() {
                n += 1;
                let body = m.body.unwrap();
                let r = if q == QueueName::Fanout {
                    let r: Received<FanoutTask> = parse_body(&body).unwrap();
                    match r.task {
                        FanoutTask::Inline(m) => self.wh.fan_out(*m, r.hop).await,
                        FanoutTask::Message { workspace, message } => {
                            self.wh.fan_out_recorded(&workspace, &message, r.hop).await
                        }
                        FanoutTask::Feed { .. } => unreachable!(),
                    }
                } else {
                    let r: Received<AttemptTask> = parse_body(&body).unwrap();
                    self.wh.attempt(&r.task, r.hop).await
                };
                match r {
                    Ok(Handled::Done | Handled::Dropped) => {
                        let _ = self
                            .sqs
                            .delete_message()
                            .queue_url(self.url(q))
                            .receipt_handle(m.receipt_handle.unwrap())
                            .send()
                            .await;
                    }
                    Ok(Handled::Later { after }) => {
                        let _ = self.sqs.change_message_visibility().queue_url(self.url(q)).receipt_handle(m.receipt_handle.unwrap()).visibility_timeout(after.as_secs() as i32 + 1).send().await;
                    }
                    Err(e) => {
                        eprintln!("{q}: {e}");
                        let _ = self.sqs.change_message_visibility().queue_url(self.url(q)).receipt_handle(m.receipt_handle.unwrap()).visibility_timeout(1).send()
                            .await;
                    }
                }
            }
        }
        n
    }
    async fn sweep(&self) -> usize {
        let mut n = 0;
        for q in [QueueName::Fanout, QueueName::Retry] {
            for shard in 0..DUE_SHARDS {
                let now = self.clock.schedule();
                for row in self.store.due(q, shard, now, 100).await.unwrap() {
                    if self.store.move_due(&row, row.attempt_at.max(now) + DUE_GRACE).await.unwrap()
                    {
                        self.queue
                            .send_after(q, &row.work, row.attempt_at.since(now), 0)
                            .await
                            .unwrap();
                        n += 1;
                    }
                }
            }
        }
        n
    }
    async fn drain(&self) {
        let mut idle = 0;
        while idle < 3 {
            if self.work().await == 0 {
                idle += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            } else {
                idle = 0;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints() {
    let t = start(TableFaults::NONE, QueueFaults::NONE).await;
    let e = t.endpoint("a").await;
    assert_eq!(t.wh.get_endpoint(&t.ws, &e.id).await.unwrap(), e);
    let other = WorkspaceId::new_at(2);
    assert_eq!(t.wh.get_endpoint(&other, &e.id).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(t.wh.endpoint_secret(&other, &e.id).await.unwrap_err().code, ErrorCode::NotFound);
    assert!(
        t.wh.endpoint_secret(&t.ws, &e.id).await.unwrap().expose_secret().starts_with("whsec_")
    );
    for i in 0..9 {
        t.endpoint(&format!("e{i}")).await;
    }
    let mut seen = vec![];
    let mut c = None;
    loop {
        let p = t.wh.list_endpoints(&t.ws, c.as_deref(), 3).await.unwrap();
        seen.extend(p.data.into_iter().map(|e| e.id));
        c = p.next_cursor;
        if c.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.is_sorted_by(|a, b| a > b));
    let e =
        t.wh.create_endpoint(
            &t.ws,
            NewEndpoint { url: "http://10.0.0.1/x".into(), ..Default::default() },
        )
        .await
        .unwrap_err();
    assert_eq!((e.code, e.fields[0].path.as_str()), (ErrorCode::ValidationFailed, "url"));
    println!("{e}");
    for i in 0..40 {
        t.endpoint(&format!("f{i}")).await;
    }
    let e = t
        .wh
        .create_endpoint(&t.ws, NewEndpoint { url: format!("{}/x", t.base), ..Default::default() })
        .await
        .unwrap_err();
    assert_eq!(e.code, ErrorCode::StateConflict);
    t.wh.delete_endpoint(&t.ws, &seen[0]).await.unwrap();
    assert_eq!(t.wh.delete_endpoint(&t.ws, &seen[0]).await.unwrap_err().code, ErrorCode::NotFound);
    // 49 endpoints: large fan-out
    let m = t.message(1).await;
    accept(&t.queue, &m).await.unwrap();
    t.drain().await;
    assert_eq!(t.rx.seen.lock().unwrap().len(), 49);
    let p = t.wh.list_deliveries(&t.ws, &DeliveryFilter::default(), None, 100).await.unwrap();
    assert_eq!(p.data.len(), 49);
    assert!(p.data.iter().all(|d| d.status() == DeliveryStatus::Delivered));
    let mut n = 0;
    let mut c = None;
    loop {
        let p =
            t.wh.list_deliveries(&t.ws, &DeliveryFilter::default(), c.as_deref(), 7).await.unwrap();
        assert!(p.data.len() <= 7);
        n += p.data.len();
        c = p.next_cursor;
        if c.is_none() {
            break;
        }
    }
    assert_eq!(n, 49);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day() {
    let t = start(TableFaults::NONE, QueueFaults::NONE).await;
    let e = t.endpoint("a").await;
    let g = t.endpoint("good").await;
    t.rx.status.lock().unwrap().insert("a".into(), 500);
    let m = t.message(1).await;
    publish(&t.store, &t.queue, &m).await.unwrap();
    accept(&t.queue, &m).await.unwrap(); // a copy
    t.drain().await;
    assert_eq!(t.rx.seen.lock().unwrap().len(), 2);
    let id = DeliveryId { endpoint: e.id.clone(), message: m.id.clone() };
    let key = t.wh.endpoint_secret(&t.ws, &g.id).await.unwrap();
    {
        let seen = t.rx.seen.lock().unwrap();
        let (_, h, b) = seen.iter().find(|(n, ..)| n == "good").unwrap();
        standardwebhooks::Webhook::new(key.expose_secret()).unwrap().verify(b, h).unwrap();
        println!("{h:?} {b:?}");
    }
    assert_eq!(t.wh.get_message(&t.ws, &m.id).await.unwrap().endpoints.unwrap().len(), 2);
    let start = t.wh.get_delivery(&t.ws, &id).await.unwrap().first_attempt_at.unwrap();
    loop {
        let d = t.wh.get_delivery(&t.ws, &id).await.unwrap();
        let Some(next) = d.next_attempt_at() else { break };
        let before = d.attempts.len();
        let wait = next.since(t.clock.schedule());
        // minutely: sweep when within lookahead
        if wait > Duration::from_secs(900) {
            t.clock.step(wait - Duration::from_secs(100));
            assert_eq!(t.sweep().await, 1);
        }
        t.drain().await;
        assert_eq!(t.wh.get_delivery(&t.ws, &id).await.unwrap().attempts.len(), before, "early");
        t.clock.step(next.since(t.clock.schedule()) + Duration::from_secs(1));
        t.drain().await;
        assert_eq!(t.wh.get_delivery(&t.ws, &id).await.unwrap().attempts.len(), before + 1);
    }
    let d = t.wh.get_delivery(&t.ws, &id).await.unwrap();
    for a in &d.attempts {
        println!("{} {:?} {:?}", a.number, a.at.since(start), a.end.outcome());
    }
    assert_eq!(d.attempts.len(), 13);
    assert_eq!(d.status(), DeliveryStatus::Failed);
    let f = DeliveryFilter { status: Some(DeliveryStatus::Failed), ..Default::default() };
    assert_eq!(t.wh.list_deliveries(&t.ws, &f, None, 10).await.unwrap().data.len(), 1);
    let d2 = t.wh.retry_delivery(&t.ws, &id).await.unwrap();
    assert_eq!(d2.status(), DeliveryStatus::Waiting);
    t.drain().await;
    assert_eq!(t.wh.get_delivery(&t.ws, &id).await.unwrap().status(), DeliveryStatus::Failed);
    t.rx.status.lock().unwrap().clear();
    t.wh.retry_delivery(&t.ws, &id).await.unwrap();
    t.drain().await;
    let d = t.wh.get_delivery(&t.ws, &id).await.unwrap();
    assert_eq!((d.status(), d.attempts.len()), (DeliveryStatus::Delivered, 15));
    assert!(t.wh.list_deliveries(&t.ws, &f, None, 10).await.unwrap().data.is_empty());
    println!("{}", t.wh.retry_delivery(&t.ws, &id).await.unwrap_err());
    // row a day old still listed; unrelated lists
    let all =
        t.wh.list_deliveries(
            &t.ws,
            &DeliveryFilter { endpoint_id: Some(e.id.clone()), ..Default::default() },
            None,
            10,
        )
        .await
        .unwrap();
    assert_eq!(all.data.len(), 1);
    assert!(all.next_cursor.is_none());
    // lost send is healed by the sweep; endpoint gone aborts
    t.rx.status.lock().unwrap().insert("a".into(), 500);
    let m = t.message(2).await;
    accept(&t.queue, &m).await.unwrap();
    t.drain().await;
    t.wh.delete_endpoint(&t.ws, &e.id).await.unwrap();
    t.clock.step(Duration::from_secs(40));
    t.drain().await;
    let id = DeliveryId { endpoint: e.id.clone(), message: m.id.clone() };
    assert_eq!(t.wh.get_delivery(&t.ws, &id).await.unwrap().status(), DeliveryStatus::Aborted);
}

#[tokio::test(flavor = "multi_thread")]
async fn crash() {
    let t = start(TableFaults::NONE, QueueFaults::NONE).await;
    let e = t.endpoint("a").await;
    *t.rx.hang.lock().unwrap() = true;
    let m = t.message(1).await;
    let r = tokio::time::timeout(Duration::from_millis(700), t.wh.fan_out(m.clone(), 0)).await;
    assert!(r.is_err(), "killed in the attempt");
    let r = t.wh.fan_out(m.clone(), 0).await.unwrap();
    println!("{r:?}");
    let Handled::Later { after } = r else { panic!() };
    let id = DeliveryId { endpoint: e.id.clone(), message: m.id.clone() };
    assert_eq!(t.wh.retry_delivery(&t.ws, &id).await.unwrap_err().code, ErrorCode::StateConflict);
    *t.rx.hang.lock().unwrap() = false;
    tokio::time::sleep(after).await;
    assert_eq!(t.wh.fan_out(m.clone(), 0).await.unwrap(), Handled::Done);
    let d = t.wh.get_delivery(&t.ws, &id).await.unwrap();
    println!("{d:?}");
    assert_eq!(d.attempts[0].end, AttemptEnd::Unknown);
    t.clock.step(Duration::from_secs(34));
    t.drain().await;
    let d = t.wh.get_delivery(&t.ws, &id).await.unwrap();
    assert_eq!((d.status(), d.attempts.len()), (DeliveryStatus::Delivered, 2));
    assert_eq!(t.wh.fan_out(m.clone(), 0).await.unwrap(), Handled::Done);
    assert_eq!(t.rx.seen.lock().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_faults() {
    let tf = TableFaults::ROUGH;
    let qf = QueueFaults::ROUGH;
    let t = start(tf, qf).await;
    let e = t.endpoint("a").await;
    let e2 = t.endpoint("b").await;
    t.rx.status.lock().unwrap().insert("b".into(), 500);
    let mut ids = vec![];
    for i in 0..130 {
        if i % 40 == 0 {
            t.clock.step(Duration::from_secs(30 * 3600));
        }
        let m = t.message(i).await;
        if i % 2 == 0 {
            while publish(&t.store, &t.queue, &m).await.is_err() {}
        } else {
            while accept(&t.queue, &m).await.is_err() {}
        }
        ids.push(m.id);
    }
    for _ in 0..5 {
        t.drain().await;
        t.clock.step(Duration::from_secs(130));
        let _ = t.sweep().await;
    }
    t.drain().await;
    tokio::time::sleep(Duration::from_secs(21)).await;
    t.drain().await;
    ids.reverse();
    for (f, limit, n) in [
        (DeliveryFilter { endpoint_id: Some(e.id.clone()), ..Default::default() }, 7, 130),
        (DeliveryFilter { endpoint_id: Some(e2.id.clone()), ..Default::default() }, 100, 130),
        (DeliveryFilter::default(), 9, 260),
        (DeliveryFilter { status: Some(DeliveryStatus::Delivered), ..Default::default() }, 50, 130),
    ] {
        let mut got = vec![];
        let mut c = None;
        loop {
            let p = t.wh.list_deliveries(&t.ws, &f, c.as_deref(), limit).await.unwrap();
            assert!(p.data.len() <= limit);
            got.extend(p.data);
            c = p.next_cursor;
            if c.is_none() {
                break;
            }
        }
        assert_eq!(got.len(), n, "{f:?}");
        assert!(got.is_sorted_by(|a, b| a.message >= b.message));
    }
    let mut got = vec![];
    let mut c = None;
    loop {
        let p =
            t.wh.list_messages(&t.ws, &MessageFilter::default(), c.as_deref(), 11).await.unwrap();
        got.extend(p.data.into_iter().map(|m| m.id));
        c = p.next_cursor;
        if c.is_none() {
            break;
        }
    }
    assert_eq!(got, ids);
    let seen = t.rx.seen.lock().unwrap();
    println!("posts to a: {}", seen.iter().filter(|s| s.0 == "a").count());
}
