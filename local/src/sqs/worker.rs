//! Who works on the queues: what has come in at the same time is committed together, answered only after
//! the commit, and receivers that find nothing are kept waiting.
//!
//! Where commits need not reach the disk, whoever brings a job does it, and those of others that came
//! meanwhile: no thread has to wake up for it. Where they must, a thread does it, so that nobody else is
//! held up by the disk; the more come while it waits, the more share the next commit. The thread also
//! looks after what time brings: delays, visibility, ends of waits.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use millwright_core::Clock;
use tokio::sync::oneshot;

use super::{
    engine::{Engine, Failed},
    fault::Fault,
    log::Content,
    shelf::Taken,
};
use crate::Durability;

/// The most jobs that are committed together.
const COMMIT_MAX: usize = 256;
/// How often a delay is looked at while a receiver waits for it: the schedule clock can be stepped, and
/// tells nobody.
const STEP_CHECK: Duration = Duration::from_millis(20);
/// How often messages past their retention are looked for.
const EXPIRY_CHECK: Duration = Duration::from_secs(60);

/// Messages given out together.
pub(crate) type Given = Vec<(Taken, Content)>;

/// What becomes of a job once it is known whether its changes are kept.
type Answer = Box<dyn FnOnce(&mut Engine, bool) + Send>;
/// Does the job; an error means that the database failed.
type Run = Box<dyn FnOnce(&mut Engine) -> Result<Answer, rusqlite::Error> + Send>;

enum Job {
    Run { durable: bool, run: Run },
    Receive(Waiting),
    StopWaiting,
}

/// A receive that has not been answered.
struct Waiting {
    queue: String,
    wanted: usize,
    visibility: Option<i64>,
    until: Instant,
    answer: oneshot::Sender<Result<Given, Fault>>,
}

/// The way to the queues. Clones share it; with the last of them the thread ends, and the database is
/// closed.
#[derive(Clone)]
pub(crate) struct Worker(Arc<Owner>);

struct Owner(Arc<Office>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

/// Where jobs come in and are done.
struct Office {
    /// Whether whoever brings a job does it.
    on_the_spot: bool,
    desk: Mutex<Desk>,
    /// There is something on the desk for the thread.
    bell: Condvar,
    turns: Mutex<Turns>,
}

struct Desk {
    jobs: VecDeque<Job>,
    /// When the thread is to look at what time has brought.
    look_at: Instant,
    ended: bool,
}

impl Worker {
    /// Opens the database at `path` and starts the thread.
    pub(crate) fn start(
        path: &Path,
        clock: Clock,
        durability: Durability,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let engine = Engine::open(path, clock).map_err(std::io::Error::other)?;
        let desk = Desk { jobs: VecDeque::new(), look_at: Instant::now(), ended: false };
        let office = Arc::new(Office {
            on_the_spot: durability == Durability::Process,
            desk: Mutex::new(desk),
            bell: Condvar::new(),
            turns: Mutex::new(Turns::new(engine, durability)),
        });
        let thread = std::thread::Builder::new().name("sqs".to_owned());
        let kept = Arc::clone(&office);
        let thread = thread.spawn(move || kept.keep())?;
        Ok((Self(Arc::new(Owner(office))), thread))
    }

    /// Does something in a transaction. A durable one survives a loss of power.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        durable: bool,
        work: impl FnOnce(&mut Engine) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let run: Run = Box::new(move |engine| {
            let result = match work(engine) {
                Ok(value) => Ok(value),
                Err(Failed::Refused(fault)) => Err(fault),
                Err(Failed::Broken(error)) => return Err(error),
            };
            let tell = move |_: &mut Engine, kept: bool| {
                let _ = answer.send(if kept { result } else { Err(Fault::internal()) });
            };
            Ok(Box::new(tell) as Answer)
        });
        self.0.0.give(Job::Run { durable, run });
        answered.await.unwrap_or_else(|_| Err(Fault::internal()))
    }

    /// Receives messages, waiting up to `wait` for the first.
    pub(crate) async fn receive(
        &self,
        queue: String,
        wanted: usize,
        visibility: Option<i64>,
        wait: Duration,
    ) -> Result<Given, Fault> {
        let (answer, answered) = oneshot::channel();
        let until = Instant::now() + wait;
        let waiting = Waiting { queue, wanted, visibility, until, answer };
        self.0.0.give(Job::Receive(waiting));
        answered.await.unwrap_or_else(|_| Err(Fault::internal()))
    }

    /// How many messages of a queue wait to be received.
    pub(crate) async fn ready(&self, queue: &str) -> usize {
        let queue = queue.to_owned();
        let count = move |engine: &mut Engine| Ok(engine.awake(&queue)?.shelf.counts().ready);
        self.call(false, count).await.unwrap_or_default()
    }

    /// Answers everybody who waits, and from now on nobody waits.
    pub(crate) fn stop_waiting(&self) {
        self.0.0.give(Job::StopWaiting);
    }

    /// Ends the thread, even while there are other handles: from now on nothing is done.
    pub(crate) fn end(&self) {
        self.0.0.end();
    }
}

impl Office {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job in; once it is over, whoever brought it hears nothing.
    fn give(&self, job: Job) {
        let mut desk = self.desk();
        if desk.ended {
            return;
        }
        desk.jobs.push_back(job);
        drop(desk);
        if self.on_the_spot {
            self.work();
        } else {
            self.bell.notify_one();
        }
    }

    /// Does what is on the desk, unless somebody is at it: they will find it there.
    fn work(&self) {
        while !self.desk().jobs.is_empty() {
            let mut turns = match self.turns.try_lock() {
                Ok(turns) => turns,
                Err(TryLockError::Poisoned(turns)) => turns.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            while let Some(batch) = self.next() {
                turns.turn(batch);
            }
            self.look_again(&turns);
        }
    }

    fn next(&self) -> Option<Vec<Job>> {
        let mut desk = self.desk();
        let many = desk.jobs.len().min(COMMIT_MAX);
        let batch: Vec<Job> = desk.jobs.drain(..many).collect();
        (!batch.is_empty()).then_some(batch)
    }

    /// Sees to it that the thread wakes up in time for what waits now.
    fn look_again(&self, turns: &Turns) {
        let at = Instant::now() + turns.pause();
        let mut desk = self.desk();
        if at < desk.look_at {
            desk.look_at = at;
            self.bell.notify_one();
        }
    }

    /// What the thread does, until it is told to end.
    fn keep(&self) {
        while self.awaits() {
            self.work();
            if self.desk().look_at <= Instant::now() {
                let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
                turns.turn(Vec::new());
                self.desk().look_at = Instant::now() + turns.pause();
            }
        }
        self.work();
    }

    /// Waits until there is something to do; false when it is over.
    fn awaits(&self) -> bool {
        let mut desk = self.desk();
        while !desk.ended {
            let left = desk.look_at.saturating_duration_since(Instant::now());
            let brought = !self.on_the_spot && !desk.jobs.is_empty();
            if brought || left.is_zero() {
                return true;
            }
            let waited = self.bell.wait_timeout(desk, left);
            desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    fn end(&self) {
        self.desk().ended = true;
        self.bell.notify_one();
    }
}

/// Turns of work on the queues, one at a time.
struct Turns {
    engine: Engine,
    durability: Durability,
    waiting: Vec<Waiting>,
    stopping: bool,
    next_expiry: Instant,
}

impl Turns {
    fn new(engine: Engine, durability: Durability) -> Self {
        let waiting = Vec::new();
        Self { engine, durability, waiting, stopping: false, next_expiry: Instant::now() }
    }

    /// How long nothing can happen unless a job comes in.
    fn pause(&self) -> Duration {
        let now = self.engine.now();
        let instant = Instant::now();
        let mut pause = self.next_expiry.saturating_duration_since(instant);
        for waiting in &self.waiting {
            pause = pause.min(waiting.until.saturating_duration_since(instant));
            let (flight, delay) = self.engine.next_changes(&waiting.queue);
            if let Some(flight) = flight {
                pause = pause.min(flight.since(now.wall));
            }
            if let Some(delay) = delay {
                let speed = self.engine.clock().speed();
                let left = delay.since(now.schedule).div_f64(speed);
                pause = pause.min(left.min(STEP_CHECK));
            }
        }
        pause.max(Duration::from_millis(1))
    }

    /// One transaction: the jobs, and what they make possible for those who wait.
    fn turn(&mut self, batch: Vec<Job>) {
        let mut runs = Vec::new();
        let mut durable = false;
        for job in batch {
            match job {
                Job::Run { durable: must_last, run } => {
                    durable |= must_last && self.durability == Durability::Flush;
                    runs.push(run);
                }
                Job::Receive(waiting) => self.waiting.push(waiting),
                Job::StopWaiting => self.stopping = true,
            }
        }
        let result = self.transact(durable, runs);
        let (answers, kept) = match result {
            Ok(answers) => (answers, true),
            Err((answers, error)) => {
                self.recover(&error);
                (answers, false)
            }
        };
        for answer in answers {
            answer(&mut self.engine, kept);
        }
        self.dismiss();
    }

    fn transact(
        &mut self,
        durable: bool,
        runs: Vec<Run>,
    ) -> Result<Vec<Answer>, (Vec<Answer>, rusqlite::Error)> {
        let mut answers = Vec::with_capacity(runs.len());
        let work = || {
            self.engine.log.begin(durable)?;
            for run in runs {
                answers.push(run(&mut self.engine)?);
            }
            if self.next_expiry <= Instant::now() {
                self.next_expiry = Instant::now() + EXPIRY_CHECK;
                broken(self.engine.expire())?;
            }
            // Twice: serving a queue may have filled its dead-letter queue.
            for _ in 0..2 {
                serve(&mut self.waiting, &mut self.engine, &mut answers)?;
            }
            self.engine.log.commit()
        };
        match work() {
            Ok(()) => Ok(answers),
            Err(error) => Err((answers, error)),
        }
    }

    /// Puts everything back to what the database holds.
    fn recover(&mut self, error: &rusqlite::Error) {
        tracing::error!(%error, "the queue database failed");
        self.engine.log.roll_back();
        if let Err(error) = self.engine.reload() {
            tracing::error!(%error, "the queue database cannot be read");
        }
    }

    /// Answers those whose wait is over, with nothing.
    fn dismiss(&mut self) {
        let now = Instant::now();
        let stopping = self.stopping;
        let over = |waiting: &mut Waiting| stopping || waiting.until <= now;
        for waiting in self.waiting.extract_if(.., over) {
            let _ = waiting.answer.send(Ok(Vec::new()));
        }
    }
}

/// Gives what there is to those who wait, first come first served.
fn serve(
    waiting: &mut Vec<Waiting>,
    engine: &mut Engine,
    answers: &mut Vec<Answer>,
) -> Result<(), rusqlite::Error> {
    waiting.retain(|waiting| !waiting.answer.is_closed());
    let mut still_waiting = Vec::new();
    for waiter in waiting.drain(..) {
        match engine.receive(&waiter.queue, waiter.wanted, waiter.visibility) {
            Ok(given) if given.is_empty() => still_waiting.push(waiter),
            Ok(given) => answers.push(hand_over(waiter, given)),
            Err(Failed::Refused(fault)) => {
                let _ = waiter.answer.send(Err(fault));
            }
            Err(Failed::Broken(error)) => return Err(error),
        }
    }
    *waiting = still_waiting;
    Ok(())
}

/// Messages that reach nobody are free again.
fn hand_over(waiter: Waiting, given: Given) -> Answer {
    Box::new(move |engine, kept| {
        let result = if kept { Ok(given) } else { Err(Fault::internal()) };
        if let Err(Ok(given)) = waiter.answer.send(result) {
            for (taken, _) in given {
                engine.free(&waiter.queue, taken.seq, taken.receipt);
            }
        }
    })
}

fn broken(result: Result<(), Failed>) -> Result<(), rusqlite::Error> {
    match result {
        Err(Failed::Broken(error)) => Err(error),
        Ok(()) | Err(Failed::Refused(_)) => Ok(()),
    }
}
