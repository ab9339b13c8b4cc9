//! Random histories of a connection's facts against a model that knows nothing of how they are kept:
//! the status, its reason, its time, its history, and what is told of it.

use std::{collections::BTreeSet, time::Duration};

use millwright_core::{ScheduleTime, WallTime};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    Admin, Connection, Facts, Health, HealthTiming, Load, Now, Occasion, Status, Trigger,
    change::settle,
    observe::{Observation, apply},
    testing::{NOW, WALL, connection},
};

const ENTITIES: [&str; 2] = ["vendors", "materials"];
const HISTORIES: u64 = 400;
const STEPS: usize = 80;

/// What can happen to a connection.
#[derive(Clone, Debug)]
enum Op {
    Learn(Observation),
    Wish(Admin),
    /// Logged in again: wanted and well.
    Reconnect,
    /// What is due is seen to, and nothing else.
    Look,
}

/// All that can happen, each in one form.
fn all_ops() -> Vec<Op> {
    let mut ops = vec![
        Op::Learn(Observation::Answered),
        Op::Learn(Observation::Unreachable("no route".to_owned())),
        Op::Learn(Observation::Refused("wrong password".to_owned())),
        Op::Reconnect,
        Op::Look,
    ];
    ops.extend(ENTITIES.map(|entity| Op::Learn(Observation::Loaded(entity.to_owned()))));
    for admin in [Admin::Enabled, Admin::Paused, Admin::NoCredits, Admin::Removed] {
        ops.push(Op::Wish(admin));
    }
    ops
}

/// What a connection is said to be, told apart from how it is kept.
#[derive(Clone, Debug)]
struct Model {
    admin: Admin,
    health: Health,
    loading: BTreeSet<String>,
    ended: bool,
    why_admin: Option<String>,
    why_health: Option<String>,
}

impl Model {
    fn of(own: &Connection) -> Self {
        Self {
            admin: own.facts.admin,
            health: own.facts.health,
            loading: own.loading.iter().cloned().collect(),
            ended: own.facts.load == Load::Done,
            why_admin: None,
            why_health: None,
        }
    }

    /// The table of the product, row by row.
    fn status(&self) -> Status {
        if self.admin == Admin::Removed {
            return Status::Disconnected;
        }
        if self.admin == Admin::Pending {
            return Status::Pending;
        }
        if self.admin != Admin::Enabled {
            return Status::Inactive;
        }
        match (self.health, self.ended) {
            (Health::Refused, _) => Status::ReauthorizationRequired,
            (Health::Unreachable, _) => Status::Unavailable,
            (Health::Ok, false) => Status::Synchronizing,
            (Health::Ok, true) => Status::Active,
        }
    }

    fn reason(&self) -> Option<&str> {
        match self.status() {
            Status::Disconnected | Status::Pending | Status::Inactive => self.why_admin.as_deref(),
            Status::ReauthorizationRequired | Status::Unavailable => self.why_health.as_deref(),
            Status::Synchronizing | Status::Active => None,
        }
    }

    /// Whether this may happen now.
    fn admits(&self, op: &Op) -> bool {
        match op {
            Op::Wish(Admin::Enabled) => {
                matches!(self.admin, Admin::Paused | Admin::NoCredits | Admin::Pending)
            }
            Op::Wish(Admin::Paused | Admin::NoCredits) => self.admin == Admin::Enabled,
            Op::Wish(wish) => *wish != self.admin,
            Op::Reconnect => self.admin == Admin::Enabled || self.admin == Admin::Removed,
            Op::Learn(_) => self.admin == Admin::Enabled,
            Op::Look => true,
        }
    }

    fn happens(&mut self, op: &Op, reason: &str) {
        match op {
            Op::Look => {}
            Op::Learn(Observation::Answered) => self.is_well(),
            Op::Learn(Observation::Unreachable(why)) => {
                (self.health, self.why_health) = (Health::Unreachable, Some(why.clone()));
            }
            Op::Learn(Observation::Refused(why)) => {
                (self.health, self.why_health) = (Health::Refused, Some(why.clone()));
            }
            Op::Learn(Observation::Loaded(entity)) => {
                self.ended |= self.loading.remove(entity) && self.loading.is_empty();
            }
            Op::Wish(admin) => {
                self.admin = *admin;
                self.why_admin = (*admin != Admin::Enabled).then(|| reason.to_owned());
            }
            Op::Reconnect => {
                self.is_well();
                (self.admin, self.why_admin) = (Admin::Enabled, None);
            }
        }
    }

    fn is_well(&mut self) {
        (self.health, self.why_health) = (Health::Ok, None);
    }
}

/// One change that was recorded or told.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    at: ScheduleTime,
    from: Status,
    to: Status,
    /// Whether the system's health led to it, and nobody who wished it.
    by_health: bool,
}

/// A connection on its way, with everything that was recorded and told of it.
struct Way {
    own: Connection,
    timing: HealthTiming,
    wall: WallTime,
    schedule: ScheduleTime,
    recorded: Vec<(WallTime, Status, Status)>,
    told: Vec<Told>,
}

impl Way {
    fn begin(own: Connection) -> Self {
        let timing = HealthTiming::default();
        Self { own, timing, wall: WALL, schedule: NOW, recorded: Vec::new(), told: Vec::new() }
    }

    /// Lets something happen as the operations do it.
    fn happens(&mut self, op: &Op, reason: &str, chance: f64) {
        let now = Now { wall: self.wall, schedule: self.schedule };
        let before = self.own.clone();
        let occasion = match op {
            Op::Learn(seen) => {
                let learnt = apply(&mut self.own, seen, now, self.timing, chance);
                let Some(reason) = learnt else { return };
                Occasion::new(Trigger::Call, reason)
            }
            Op::Wish(admin) => {
                self.own.facts.admin = *admin;
                Occasion::new(Trigger::Workspace, reason)
            }
            Op::Reconnect => {
                self.own.facts.admin = Admin::Enabled;
                self.own.facts.health = Health::Ok;
                Occasion::new(Trigger::User, reason)
            }
            Op::Look => {
                (self.own.watch.wake, self.own.watch.over) = (None, None);
                Occasion::new(Trigger::Check, reason)
            }
        };
        let loads = matches!(op, Op::Learn(Observation::Loaded(_)));
        let by_health = occasion.trigger.is_of_health() && !loads;
        let told = settle(&before, &mut self.own, &occasion, now, self.timing);
        let (from, to) = (before.status(), self.own.status());
        if from != to {
            self.recorded.push((self.own.status_since, from, to));
        }
        if let Some(from) = told {
            self.told.push(Told { at: self.schedule, from, to, by_health });
        }
    }

    /// Lets time go by; what falls due is seen to when it does, as long as no system has to be asked.
    fn passes(&mut self, time: Duration) {
        let end = self.schedule + time;
        while let Some(at) = self.own.watch.told.due.filter(|due| *due <= end) {
            self.schedule = self.schedule.max(at);
            self.happens(&Op::Look, "looked after", 0.0);
        }
        self.schedule = end;
        self.wall = self.wall + time;
    }
}

/// A history and all that must hold at each of its steps; the changes of status it has met.
fn history(seed: u64) -> BTreeSet<(String, String)> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut own = connection();
    if chance.random_bool(0.3) {
        own.facts.admin = Admin::Pending;
    }
    let mut model = Model::of(&own);
    let mut way = Way::begin(own);
    let ops = all_ops();
    for step in 0..STEPS {
        let op = &ops[chance.random_range(0..ops.len())];
        if !model.admits(op) {
            continue;
        }
        let reason = format!("reason {step}");
        way.happens(op, &reason, chance.random_range(0.0..1.0));
        model.happens(op, &reason);
        check(&way, &model, &format!("seed {seed}, step {step}, {op:?}"));
        if chance.random_bool(0.7) {
            way.passes(Duration::from_secs(chance.random_range(0..400)));
            check(&way, &model, &format!("seed {seed}, after step {step}"));
        }
    }
    way.passes(way.timing.quiet);
    finally(&way, seed);
    let edges = way.recorded.iter().map(|(_, from, to)| (from.to_string(), to.to_string()));
    edges.collect()
}

fn check(way: &Way, model: &Model, place: &str) {
    let own = &way.own;
    assert_eq!(own.status(), model.status(), "{place}");
    assert_eq!(own.status_reason.as_deref(), model.reason(), "{place}: the reason");
    let failing = matches!(own.status(), Status::Unavailable | Status::ReauthorizationRequired);
    assert!(!failing || own.status_reason.is_some(), "{place}: a failure without a reason");
    let since = way.recorded.last().map_or(WallTime::from_millis(0), |(at, ..)| *at);
    assert_eq!(own.status_since, since, "{place}: since when");
    assert_eq!(own.watch.changes, way.recorded.len() as u64, "{place}: each change is counted");
    assert_eq!(own.next_check_at.is_some(), own.facts.admin == Admin::Enabled, "{place}");
    // Whatever is not told yet is due, and soon.
    let known = way.told.last().map(|told| told.to);
    if known.is_some_and(|known| known != own.status()) {
        let due = own.watch.told.due.unwrap_or_else(|| panic!("{place}: it is never told"));
        assert!(due > way.schedule && due <= way.schedule + way.timing.quiet, "{place}");
        assert!(own.watch.next.is_some_and(|next| next.at <= due), "{place}: nobody looks");
    }
}

/// What must hold of a whole history.
fn finally(way: &Way, seed: u64) {
    for two in way.recorded.windows(2) {
        let [(earlier, _, to), (later, from, _)] = two else { unreachable!() };
        assert!(earlier < later, "seed {seed}: times differ");
        assert_eq!(to, from, "seed {seed}: nothing is missing between two changes");
    }
    for two in way.told.windows(2) {
        assert_eq!(two[0].to, two[1].from, "seed {seed}: receivers can follow");
    }
    assert!(
        way.told.iter().all(|told| told.from != told.to),
        "seed {seed}: nothing told of nothing"
    );
    assert!(way.told.len() <= way.recorded.len(), "seed {seed}: each change is told once at most");
    if let Some((_, _, last)) = way.recorded.last() {
        let known = way.told.last().map_or(way.recorded[0].1, |told| told.to);
        assert_eq!(known, *last, "seed {seed}: the final state is told");
    }
    let flaps: Vec<&Told> = way.told.iter().filter(|told| told.by_health).collect();
    for two in flaps.windows(2) {
        let apart = two[1].at.since(two[0].at);
        assert!(apart >= way.timing.quiet, "seed {seed}: {two:?} are only {apart:?} apart");
    }
}

/// Every change of status that a single thing can bring about, from every combination of facts.
fn edges() -> BTreeSet<(String, String)> {
    let mut edges = BTreeSet::new();
    let admins = [Admin::Pending, Admin::Enabled, Admin::Paused, Admin::NoCredits, Admin::Removed];
    for admin in admins {
        for health in [Health::Ok, Health::Unreachable, Health::Refused] {
            // What is pending has never been asked.
            if admin == Admin::Pending && health != Health::Ok {
                continue;
            }
            for left in 0..=ENTITIES.len() {
                let mut own = connection();
                own.loading = ENTITIES[..left].iter().map(|name| (*name).to_owned()).collect();
                let load = if left == 0 { Load::Done } else { Load::Running };
                if admin == Admin::Pending && load == Load::Done {
                    continue;
                }
                own.facts = Facts { admin, health, load };
                for op in all_ops() {
                    let mut model = Model::of(&own);
                    if model.admits(&op) {
                        model.happens(&op, "");
                        edges.insert((own.status().to_string(), model.status().to_string()));
                    }
                }
            }
        }
    }
    edges.retain(|(from, to)| from != to);
    edges
}

#[test]
fn no_history_loses_a_change_a_reason_or_the_final_state_and_every_edge_is_met() {
    let mut met = BTreeSet::new();
    for seed in 0..HISTORIES {
        met.extend(history(seed));
    }
    let edges = edges();
    assert_eq!(met, edges, "edges of the state table");
    assert_eq!(edges.len(), 28, "{edges:?}");
}
