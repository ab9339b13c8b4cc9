//! What the operations do: the log and the shelves changed together. One thread owns it.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use millwright_core::{Clock, ScheduleTime, WallTime};

use super::{
    check, digest,
    fault::{Fault, Kind},
    log::{Content, Log, NewMessage, QueueRow},
    receipt::Receipt,
    settings::{self, Settings, seconds},
    shelf::{Holding, Now, Seq, Shelf, Taken},
    wire::{SendMessage, Sent},
};

/// Why an operation was not done.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It was refused before anything was changed.
    Refused(Fault),
    /// The database failed: the transaction must be rolled back and the shelves read again.
    Broken(rusqlite::Error),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error)
    }
}

type Result<T> = std::result::Result<T, Failed>;

struct Queue {
    settings: Settings,
    created_at: WallTime,
    modified_at: WallTime,
    shelf: Shelf,
}

/// All queues.
pub(crate) struct Engine {
    pub(crate) log: Log,
    queues: HashMap<String, Queue>,
    clock: Clock,
}

impl Engine {
    /// Opens the database at `path`. Every message in it is free.
    pub(crate) fn open(path: &Path, clock: Clock) -> rusqlite::Result<Self> {
        let mut engine = Self { log: Log::open(path)?, queues: HashMap::new(), clock };
        engine.reload()?;
        Ok(engine)
    }

    /// Reads everything from the log again, forgetting who has what in flight.
    pub(crate) fn reload(&mut self) -> rusqlite::Result<()> {
        self.queues = self.log.queues()?.into_iter().map(Queue::kept).collect();
        self.log.messages(|kept| {
            if let Some(queue) = self.queues.get_mut(&kept.queue) {
                let (received, first) = (kept.received, kept.first_received_at);
                queue.shelf.add(kept.seq, &kept.group, kept.ready_at, received, first);
            }
        })
    }

    pub(crate) fn now(&self) -> Now {
        Now::of(&self.clock)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    fn queue(&self, name: &str) -> Result<&Queue> {
        self.queues.get(name).ok_or_else(|| Fault::no_queue().into())
    }

    /// A queue with everything ready whose time has come.
    fn awake(&mut self, name: &str) -> Result<&mut Queue> {
        let now = self.now();
        let queue = self.queue_mut(name)?;
        queue.shelf.wake(now);
        Ok(queue)
    }

    fn queue_mut(&mut self, name: &str) -> Result<&mut Queue> {
        self.queues.get_mut(name).ok_or_else(|| Fault::no_queue().into())
    }

    pub(crate) fn settings(&self, name: &str) -> Result<&Settings> {
        Ok(&self.queue(name)?.settings)
    }

    /// Creates a queue; the same again is no change.
    pub(crate) fn create(&mut self, name: &str, given: &BTreeMap<String, String>) -> Result<()> {
        let mut wanted = Settings::default();
        if let Some(queue) = self.queues.get(name) {
            wanted = queue.settings.clone();
            wanted.apply(given)?;
            return Ok(same(&queue.settings, &wanted)?);
        }
        wanted.apply(given)?;
        self.check_redrive(&wanted)?;
        let now = self.clock.wall();
        self.log.put_queue(name, &wanted.shown(), now, now)?;
        let shelf = Shelf::default();
        let queue = Queue { settings: wanted, created_at: now, modified_at: now, shelf };
        self.queues.insert(name.to_owned(), queue);
        Ok(())
    }

    /// Changes a queue's attributes.
    pub(crate) fn set(&mut self, name: &str, given: &BTreeMap<String, String>) -> Result<()> {
        let mut wanted = self.settings(name)?.clone();
        wanted.apply(given)?;
        self.check_redrive(&wanted)?;
        let now = self.clock.wall();
        self.log.put_queue(name, &wanted.shown(), self.queue(name)?.created_at, now)?;
        let queue = self.queue_mut(name)?;
        queue.settings = wanted;
        queue.modified_at = now;
        Ok(())
    }

    fn check_redrive(&self, settings: &Settings) -> Result<()> {
        let Some(redrive) = &settings.redrive else { return Ok(()) };
        if self.queues.contains_key(&redrive.queue) {
            return Ok(());
        }
        let policy = &settings.shown()["RedrivePolicy"];
        let why = "Dead letter target does not exist.";
        Err(Fault::parameter("RedrivePolicy", policy, why).into())
    }

    pub(crate) fn remove(&mut self, name: &str) -> Result<()> {
        self.queue(name)?;
        self.log.delete_queue(name)?;
        self.queues.remove(name);
        Ok(())
    }

    pub(crate) fn purge(&mut self, name: &str) -> Result<()> {
        self.queue(name)?;
        self.log.purge(name)?;
        self.queue_mut(name)?.shelf = Shelf::default();
        Ok(())
    }

    /// The queues whose names start so, in the order of their names.
    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<_> =
            self.queues.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        names.sort_unstable();
        names
    }

    /// A queue's attributes.
    pub(crate) fn attributes(&mut self, name: &str) -> Result<BTreeMap<&'static str, String>> {
        let queue = self.awake(name)?;
        let counts = queue.shelf.counts();
        let mut shown = queue.settings.shown();
        shown.extend([
            ("QueueArn", settings::arn(name)),
            ("ApproximateNumberOfMessages", counts.ready.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
            ("CreatedTimestamp", queue.created_at.seconds().to_string()),
            ("LastModifiedTimestamp", queue.modified_at.seconds().to_string()),
        ]);
        Ok(shown)
    }

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
        let now = self.clock.wall();
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
        let redrive = self.queues.get(name)?.settings.redrive.as_ref()?;
        let over = received >= redrive.max_receives && self.queues.contains_key(&redrive.queue);
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
        let now = self.clock.wall();
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
        let now = self.clock.wall();
        if let Ok(queue) = self.awake(name)
            && queue.shelf.holding(seq, receipt) != Holding::Stale
        {
            queue.shelf.keep_until(seq, now, now);
        }
    }

    /// Removes what is older than its queue's retention.
    pub(crate) fn expire(&mut self) -> Result<()> {
        let now = self.clock.wall();
        for (name, queue) in &mut self.queues {
            let limit = now - seconds(queue.settings.retention);
            for seq in self.log.sent_before(name, limit)? {
                self.log.delete(seq)?;
                queue.shelf.remove(seq);
            }
        }
        Ok(())
    }

    /// When the next delay of any queue ends.
    pub(crate) fn next_delay(&self) -> Option<ScheduleTime> {
        let now = self.clock.schedule();
        let delays = self.queues.values().filter_map(|queue| queue.shelf.next_changes().1);
        delays.filter(|at| *at > now).min()
    }

    /// When the queue may next have something that it has not now.
    pub(crate) fn next_changes(&self, name: &str) -> (Option<WallTime>, Option<ScheduleTime>) {
        self.queues.get(name).map(|queue| queue.shelf.next_changes()).unwrap_or_default()
    }
}

/// A message may be in flight for 12 hours from its receive.
const MAX_FLIGHT: std::time::Duration = std::time::Duration::from_secs(43_200);

impl Queue {
    fn kept(row: QueueRow) -> (String, Self) {
        let mut settings = Settings::default();
        // They were checked when they were set.
        let _ = settings.apply(&row.settings);
        let (created_at, modified_at) = (row.created_at, row.modified_at);
        (row.name, Self { settings, created_at, modified_at, shelf: Shelf::default() })
    }
}

fn same(present: &Settings, wanted: &Settings) -> std::result::Result<(), Fault> {
    let (present, wanted) = (present.shown(), wanted.shown());
    let Some((name, _)) = wanted.iter().find(|(name, value)| present.get(*name) != Some(*value))
    else {
        return Ok(());
    };
    let message = format!(
        "A queue already exists with the same name and a different value for attribute {name}"
    );
    Err(Fault::new(Kind::QueueNameExists, message))
}

/// A random UUID (version 4), as AWS gives them.
fn message_id() -> String {
    let bits: u128 = rand::random();
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
