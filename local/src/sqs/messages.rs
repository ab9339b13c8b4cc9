//! What is done with messages.

use std::time::Duration;

use millwright_core::ScheduleTime;

use super::{
    check, digest,
    engine::{Engine, Result},
    fault::{Fault, Kind},
    log::{Content, NewMessage},
    receipt::Receipt,
    settings::seconds,
    shelf::{Holding, Seq, Taken},
    wire::{SendMessage, Sent},
};

/// A message may be in flight for 12 hours from its receive.
const MAX_FLIGHT: Duration = Duration::from_secs(43_200);

impl Engine {
    /// Takes a message in.
    pub(crate) fn send(&mut self, name: &str, message: &SendMessage) -> Result<Sent> {
        let (body, delay) = check::message(message, self.settings(name)?)?;
        let now = self.now();
        let group = message.message_group_id.as_deref().unwrap_or_default();
        let id = message_id();
        let ready_at =
            if delay > 0 { now.schedule + seconds(delay) } else { ScheduleTime::default() };
        let attributes = &message.message_attributes;
        let new = NewMessage {
            queue: name,
            id: &id,
            group,
            body,
            attributes,
            sent_at: now.wall,
            ready_at,
        };
        let seq = self.log.insert(&new)?;
        self.queue_mut(name)?.shelf.add(seq, group, ready_at, 0, None);
        Ok(Sent {
            message_id: id,
            md5_of_message_body: digest::of_body(body),
            md5_of_message_attributes: digest::of_attributes(attributes),
        })
    }

    /// Gives out up to `wanted` messages, and moves those that have been received too often.
    pub(crate) fn receive(
        &mut self,
        name: &str,
        wanted: usize,
        visibility: Option<i64>,
    ) -> Result<Vec<(Taken, Content)>> {
        self.awake(name)?;
        let now = self.clock().wall();
        let mut given = Vec::new();
        // Nothing is woken from here on: a message hidden for no time must not be given twice.
        while given.len() < wanted {
            let Some((seq, received)) = self.queue(name)?.shelf.next() else { break };
            if let Some(dead) = self.exhausted(name, received) {
                self.bury(seq, received, name, &dead)?;
                continue;
            }
            let Some(content) = self.log.content(seq)? else {
                self.queue_mut(name)?.shelf.remove(seq);
                continue;
            };
            let queue = self.queue_mut(name)?;
            let hidden = visibility.map_or_else(|| queue.settings.visibility(), seconds);
            let Some(taken) = queue.shelf.take(seq, now, hidden, rand::random()) else { continue };
            self.log.count_receive(seq, taken.received, taken.first_received)?;
            given.push((taken, content));
        }
        Ok(given)
    }

    /// The dead-letter queue for a message of the queue that has been received so often.
    fn exhausted(&self, name: &str, received: u32) -> Option<String> {
        let redrive = self.settings(name).ok()?.redrive.as_ref()?;
        let over = received >= redrive.max_receives && self.has(&redrive.queue);
        over.then(|| redrive.queue.clone())
    }

    fn bury(&mut self, seq: Seq, received: u32, from: &str, to: &str) -> Result<()> {
        let content = self.log.content(seq)?;
        self.log.bury(seq, from, to)?;
        self.queue_mut(from)?.shelf.remove(seq);
        if let Some(content) = content {
            let at_once = ScheduleTime::default();
            self.queue_mut(to)?.shelf.add(seq, &content.group, at_once, received, None);
        }
        Ok(())
    }

    /// Deletes the message of a receipt. A receipt that is not the message's last one deletes nothing,
    /// and that is no fault.
    pub(crate) fn delete(&mut self, name: &str, receipt: Receipt) -> Result<()> {
        let queue = self.awake(name)?;
        if queue.shelf.holding(receipt.seq, receipt.nonce) == Holding::Stale {
            return Ok(());
        }
        queue.shelf.remove(receipt.seq);
        self.log.delete(receipt.seq)?;
        Ok(())
    }

    /// Hides the message of a receipt for so many seconds from now.
    pub(crate) fn hide(&mut self, name: &str, receipt: Receipt, hidden: i64) -> Result<()> {
        let now = self.clock().wall();
        let queue = self.awake(name)?;
        match queue.shelf.holding(receipt.seq, receipt.nonce) {
            Holding::Held { since } if now + seconds(hidden) > since + MAX_FLIGHT => {
                let why = "Total VisibilityTimeout for the message is beyond the limit \
                           [43200 seconds]";
                Err(Fault::parameter("VisibilityTimeout", hidden, why).into())
            }
            Holding::Held { .. } => {
                queue.shelf.keep_until(receipt.seq, now + seconds(hidden), now);
                Ok(())
            }
            Holding::Lapsed => {
                let message = "The message referred to is not in flight.";
                Err(Fault::new(Kind::MessageNotInflight, message).into())
            }
            Holding::Stale => {
                let why = "Message does not exist or is not available for visibility timeout \
                           change.";
                Err(Fault::parameter("ReceiptHandle", receipt, why).into())
            }
        }
    }

    /// Frees a message that its receiver never got to see.
    pub(crate) fn free(&mut self, name: &str, seq: Seq, receipt: u64) {
        let now = self.clock().wall();
        if let Ok(queue) = self.awake(name)
            && queue.shelf.holding(seq, receipt) != Holding::Stale
        {
            queue.shelf.keep_until(seq, now, now);
        }
    }

    /// Removes what is older than its queue's retention.
    pub(crate) fn expire(&mut self) -> Result<()> {
        let now = self.clock().wall();
        for name in self.names("") {
            let limit = now - seconds(self.settings(&name)?.retention);
            for seq in self.log.sent_before(&name, limit)? {
                self.log.delete(seq)?;
                self.queue_mut(&name)?.shelf.remove(seq);
            }
        }
        Ok(())
    }
}

/// A random UUID (version 4), as AWS gives them.
fn message_id() -> String {
    let bits: u128 = rand::random();
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
