//! The queues: the log and the shelves changed together. One thread owns it; `messages` has what is
//! done with messages.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use millwright_core::{Clock, ScheduleTime, WallTime};

use super::{
    fault::{Fault, Kind},
    log::{Log, QueueRow},
    settings::{self, Settings},
    shelf::{Now, Shelf},
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

pub(crate) type Result<T> = std::result::Result<T, Failed>;

/// A queue.
pub(crate) struct Queue {
    pub(crate) settings: Settings,
    created_at: WallTime,
    modified_at: WallTime,
    pub(crate) shelf: Shelf,
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

    pub(crate) fn queue(&self, name: &str) -> Result<&Queue> {
        self.queues.get(name).ok_or_else(|| Fault::no_queue().into())
    }

    /// A queue with everything ready whose time has come.
    pub(crate) fn awake(&mut self, name: &str) -> Result<&mut Queue> {
        let now = self.now();
        let queue = self.queue_mut(name)?;
        queue.shelf.wake(now);
        Ok(queue)
    }

    pub(crate) fn queue_mut(&mut self, name: &str) -> Result<&mut Queue> {
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
        if self.has(&redrive.queue) {
            return Ok(());
        }
        let policy = &settings.shown()["RedrivePolicy"];
        let why = "Dead letter target does not exist.";
        Err(Fault::parameter("RedrivePolicy", policy, why).into())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.queues.contains_key(name)
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
