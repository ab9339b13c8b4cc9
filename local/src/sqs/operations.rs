//! The operations: read the request, check it, have it done, write the answer.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    check,
    engine::{Engine, Failed},
    fault::{Fault, Kind},
    http::unknown_action,
    receipt::Receipt,
    receive, settings,
    wire::{
        Batch, ChangeMessageVisibility, CreateQueue, DeleteMessage, Entry, GetQueueAttributes,
        GetQueueUrl, ListQueues, OnQueue, SendMessage, SetQueueAttributes,
    },
    worker::Worker,
};

type Answer = Result<Value, Fault>;

/// Does the operation called `action`. Queue URLs are given out under `host`.
pub(crate) async fn run(worker: &Worker, host: &str, action: &str, body: &[u8]) -> Answer {
    match action {
        "CreateQueue" => create_queue(worker, host, read(body)?).await,
        "SetQueueAttributes" => set_queue_attributes(worker, read(body)?).await,
        "DeleteQueue" => on_queue(worker, read(body)?, Engine::remove).await,
        "PurgeQueue" => on_queue(worker, read(body)?, Engine::purge).await,
        "GetQueueUrl" => get_queue_url(worker, host, read(body)?).await,
        "ListQueues" => list_queues(worker, host, read(body)?).await,
        "GetQueueAttributes" => get_queue_attributes(worker, read(body)?).await,
        "SendMessage" => send_message(worker, read(body)?).await,
        "SendMessageBatch" => send_message_batch(worker, read(body)?).await,
        "ReceiveMessage" => receive::receive_message(worker, read(body)?).await,
        "DeleteMessage" => delete_message(worker, read(body)?).await,
        "DeleteMessageBatch" => delete_message_batch(worker, read(body)?).await,
        "ChangeMessageVisibility" => change_visibility(worker, read(body)?).await,
        "ChangeMessageVisibilityBatch" => change_visibility_batch(worker, read(body)?).await,
        _ => Err(unknown_action(action)),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|e| Fault::new(Kind::MalformedInput, e.to_string()))
}

fn url(host: &str, name: &str) -> String {
    format!("http://{host}/000000000000/{name}")
}

fn name_of(queue_url: Option<&str>) -> Result<String, Fault> {
    check::queue_of(queue_url).map(str::to_owned)
}

async fn create_queue(worker: &Worker, host: &str, request: CreateQueue) -> Answer {
    let name = check::queue_name(request.queue_name)?;
    let answer = json!({"QueueUrl": url(host, &name)});
    worker.call(true, move |engine| engine.create(&name, &request.attributes)).await?;
    Ok(answer)
}

async fn set_queue_attributes(worker: &Worker, request: SetQueueAttributes) -> Answer {
    let name = name_of(request.queue_url.as_deref())?;
    worker.call(true, move |engine| engine.set(&name, &request.attributes)).await?;
    Ok(json!({}))
}

async fn on_queue(
    worker: &Worker,
    request: OnQueue,
    act: fn(&mut Engine, &str) -> Result<(), Failed>,
) -> Answer {
    let name = name_of(request.queue_url.as_deref())?;
    worker.call(true, move |engine| act(engine, &name)).await?;
    Ok(json!({}))
}

async fn get_queue_url(worker: &Worker, host: &str, request: GetQueueUrl) -> Answer {
    let name = request.queue_name.ok_or_else(|| Fault::missing("QueueName"))?;
    let answer = json!({"QueueUrl": url(host, &name)});
    worker.call(false, move |engine| engine.settings(&name).map(drop)).await?;
    Ok(answer)
}

async fn list_queues(worker: &Worker, host: &str, request: ListQueues) -> Answer {
    let prefix = request.queue_name_prefix;
    let names = worker.call(false, move |engine| Ok(engine.names(&prefix))).await?;
    let urls: Vec<_> = names.iter().map(|name| url(host, name)).collect();
    Ok(json!({"QueueUrls": urls}))
}

async fn get_queue_attributes(worker: &Worker, request: GetQueueAttributes) -> Answer {
    let name = name_of(request.queue_url.as_deref())?;
    let wanted = request.attribute_names;
    let mut shown = worker.call(false, move |engine| engine.attributes(&name)).await?;
    let known = |name: &String| {
        name == "All" || name == "RedrivePolicy" || shown.contains_key(name.as_str())
    };
    if let Some(name) = wanted.iter().find(|name| !known(name)) {
        return Err(Fault::new(Kind::InvalidAttributeName, settings::unknown(name)));
    }
    if !wanted.iter().any(|name| name == "All") {
        shown.retain(|name, _| wanted.iter().any(|wanted| wanted == name));
    }
    Ok(json!({"Attributes": shown}))
}

async fn send_message(worker: &Worker, request: SendMessage) -> Answer {
    let name = name_of(request.queue_url.as_deref())?;
    let sent = worker.call(true, move |engine| engine.send(&name, &request)).await?;
    serde_json::to_value(sent).map_err(|_| Fault::internal())
}

async fn send_message_batch(worker: &Worker, request: Batch<SendMessage>) -> Answer {
    let name = name_of(request.queue_url.as_deref())?;
    let entries = request.entries;
    check::batch(&entries, "SendMessage")?;
    check::batch_size(&entries)?;
    let send = move |engine: &mut Engine| {
        engine.settings(&name)?;
        each(&entries, |entry| {
            let sent = engine.send(&name, entry)?;
            let mut sent = serde_json::to_value(sent).map_err(|_| Fault::internal())?;
            sent["Id"] = entry.id().into();
            Ok(sent)
        })
    };
    worker.call(true, send).await
}

async fn delete_message(worker: &Worker, request: DeleteMessage) -> Answer {
    let name = name_of(request.queue_url.as_deref())?;
    let receipt = Receipt::parse(request.receipt_handle.as_deref())?;
    worker.call(false, move |engine| engine.delete(&name, receipt)).await?;
    Ok(json!({}))
}

async fn delete_message_batch(worker: &Worker, request: Batch<DeleteMessage>) -> Answer {
    let name = name_of(request.queue_url.as_deref())?;
    let entries = request.entries;
    check::batch(&entries, "DeleteMessage")?;
    let delete = move |engine: &mut Engine| {
        engine.settings(&name)?;
        each(&entries, |entry| {
            let receipt = Receipt::parse(entry.receipt_handle.as_deref())?;
            engine.delete(&name, receipt)?;
            Ok(json!({"Id": entry.id()}))
        })
    };
    worker.call(false, delete).await
}

async fn change_visibility(worker: &Worker, request: ChangeMessageVisibility) -> Answer {
    let name = name_of(request.queue_url.as_deref())?;
    worker.call(false, move |engine| hide(engine, &name, &request)).await?;
    Ok(json!({}))
}

async fn change_visibility_batch(
    worker: &Worker,
    request: Batch<ChangeMessageVisibility>,
) -> Answer {
    let name = name_of(request.queue_url.as_deref())?;
    let entries = request.entries;
    check::batch(&entries, "ChangeMessageVisibility")?;
    let change = move |engine: &mut Engine| {
        engine.settings(&name)?;
        each(&entries, |entry| {
            hide(engine, &name, entry)?;
            Ok(json!({"Id": entry.id()}))
        })
    };
    worker.call(false, change).await
}

fn hide(engine: &mut Engine, name: &str, request: &ChangeMessageVisibility) -> Result<(), Failed> {
    engine.settings(name)?;
    let receipt = Receipt::parse(request.receipt_handle.as_deref())?;
    let timeout = request.visibility_timeout.ok_or_else(|| Fault::missing("VisibilityTimeout"))?;
    engine.hide(name, receipt, check::visibility(timeout)?)
}

/// Does something with each entry; what is refused fails alone.
fn each<T: Entry>(
    entries: &[T],
    mut act: impl FnMut(&T) -> Result<Value, Failed>,
) -> Result<Value, Failed> {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match act(entry) {
            Ok(answer) => successful.push(answer),
            Err(Failed::Refused(fault)) => failed.push(json!({
                "Id": entry.id(),
                "SenderFault": fault.by_sender(),
                "Code": fault.code(),
                "Message": fault.message,
            })),
            Err(broken @ Failed::Broken(_)) => return Err(broken),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}
