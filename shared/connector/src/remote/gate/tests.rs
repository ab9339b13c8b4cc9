use std::sync::atomic::Ordering;

use millwright_store::Allowance;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

struct Limit {
    rows: Rows,
    bounds: Bounds,
}

impl Limit {
    fn new(tokens: Option<u32>, seats: Option<u32>) -> Self {
        let quota = |tokens| Quota { tokens, window: MINUTE };
        let bounds = Bounds { quotas: tokens.map(quota).into_iter().collect(), seats };
        Self { rows: Rows::own(Clock::system()), bounds }
    }

    fn instance(&self, who: &str) -> Arc<Gate> {
        let (rows, bounds) = (self.rows.clone(), self.bounds.clone());
        let key = Key::state("ws#conn", "allowance");
        Arc::new(Gate::new(rows, key, who.to_owned(), bounds, Clock::system()))
    }

    fn asked(&self) -> usize {
        self.rows.asked.load(Ordering::SeqCst)
    }
}

async fn at_once(gate: &Arc<Gate>) -> Result<Pass, Duration> {
    let mut patience = Duration::ZERO;
    gate.enter(&mut patience).await
}

async fn call(gate: &Arc<Gate>) -> bool {
    match at_once(gate).await {
        Ok(pass) => {
            pass.leave().await;
            true
        }
        Err(_) => false,
    }
}

#[tokio::test]
async fn two_instances_spend_one_budget_between_them() {
    let limit = Limit::new(Some(30), Some(2));
    let (one, other) = (limit.instance("one"), limit.instance("other"));
    let mut let_in = 0;
    for _ in 0..40 {
        let_in += u32::from(call(&one).await) + u32::from(call(&other).await);
    }
    assert!((26..=30).contains(&let_in), "{let_in}");
    let wait = at_once(&other).await.err().expect("the budget is used up");
    assert!(wait > Duration::from_secs(40) && wait < Duration::from_secs(70), "{wait:?}");
}

#[tokio::test]
async fn single_calls_leave_nothing_behind_that_others_would_wait_for() {
    let limit = Limit::new(Some(4), Some(1));
    for who in ["one", "two", "three", "four"] {
        assert!(call(&limit.instance(who)).await, "{who}");
    }
    assert!(!call(&limit.instance("five")).await);
}

#[tokio::test]
async fn a_series_of_calls_is_no_series_of_writes() {
    let limit = Limit::new(Some(100_000), Some(2));
    let gate = limit.instance("one");
    for _ in 0..2_000 {
        assert!(call(&gate).await);
    }
    assert!(limit.asked() < 40, "{}", limit.asked());
}

#[tokio::test]
async fn a_seat_of_another_instance_is_waited_for() {
    let limit = Limit::new(None, Some(1));
    let (one, other) = (limit.instance("one"), limit.instance("other"));
    let held = at_once(&one).await.unwrap();
    assert!(at_once(&other).await.is_err());
    let waiting = tokio::spawn(async move { other.enter(&mut (MINUTE / 12)).await.is_ok() });
    sleep(Duration::from_millis(200)).await;
    held.leave().await;
    assert!(waiting.await.unwrap());
}

#[tokio::test]
async fn a_busy_instance_lets_others_in_between() {
    let limit = Limit::new(None, Some(1));
    let (busy, other) = (limit.instance("busy"), limit.instance("other"));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let work = tokio::spawn(async move {
        while !stopped.load(Ordering::SeqCst) {
            if let Ok(pass) = busy.enter(&mut (MINUTE / 6)).await {
                pass.keep(sleep(Duration::from_millis(5))).await;
                pass.leave().await;
            }
        }
    });
    sleep(Duration::from_millis(300)).await;
    let pass = other.enter(&mut (MINUTE / 12)).await.expect("let in within five seconds");
    pass.leave().await;
    stop.store(true, Ordering::SeqCst);
    work.await.unwrap();
}

#[tokio::test]
async fn a_long_call_keeps_its_seat() {
    let limit = Limit::new(None, Some(1));
    let (one, other) = (limit.instance("one"), limit.instance("other"));
    let pass = at_once(&one).await.unwrap();
    let during = async {
        sleep(TERM + Duration::from_millis(300)).await;
        at_once(&other).await.is_err()
    };
    assert!(pass.keep(during).await, "nobody else is let in");
}

#[tokio::test]
async fn a_hold_keeps_everybody_off_until_its_end() {
    let limit = Limit::new(None, Some(2));
    let (told, other) = (limit.instance("told"), limit.instance("other"));
    let until = Clock::system().wall() + Duration::from_millis(400);
    told.hold(until).await;
    for gate in [&told, &other] {
        let wait = at_once(gate).await.err().expect("held");
        assert!(wait <= Duration::from_millis(400), "{wait:?}");
    }
    assert!(other.enter(&mut Duration::from_secs(1)).await.is_ok(), "a short hold is waited out");
}

#[tokio::test]
async fn a_call_that_is_dropped_gives_its_seat_to_the_next_here() {
    let limit = Limit::new(None, Some(1));
    let gate = limit.instance("one");
    drop(at_once(&gate).await.unwrap());
    assert!(at_once(&gate).await.is_ok());
}

#[test]
fn what_is_not_spent_in_time_makes_the_next_block_smaller() {
    let bounds = Bounds { quotas: vec![Quota { tokens: 400, window: MINUTE }], seats: None };
    let mut local = Local::new(1);
    let (mut row, mut now) = (Allowance::default(), WallTime::from_millis(1_800_000_000_000));
    let mut spend = |local: &mut Local, now, calls: u32| {
        for _ in 0..calls {
            if local.enter(now, false).is_none() {
                let ask = local.ask(now, &bounds, 1);
                local.enter_with(now, ask.put(&mut row, now, "one")).unwrap().unwrap();
            }
        }
        format!("{local:?}")
    };
    assert!(spend(&mut local, now, 64).contains("size: 64"));
    now = now + MINUTE;
    assert!(spend(&mut local, now, 1).contains("size: 32"));
}

#[test]
fn a_token_that_somebody_used_while_the_row_was_asked_is_not_used_again() {
    let quotas = vec![Quota { tokens: 4, window: MINUTE }];
    let bounds = Bounds { quotas, seats: Some(2) };
    let mut local = Local::new(1);
    let (mut row, now) = (Allowance::default(), WallTime::from_millis(1_800_000_000_000));
    let ask = local.ask(now, &bounds, 1);
    local.enter_with(now, ask.put(&mut row, now, "one")).unwrap().unwrap();
    let ask = local.ask(now, &bounds, 1);
    local.enter_with(now, ask.put(&mut row, now, "one")).unwrap().unwrap();
    local.leave(now, true);
    // One asks for a seat, and meanwhile another enters on the seat that is free, with the last token.
    let mut tokens = local.clone();
    tokens.blocks[0].block.as_mut().unwrap().tokens = 1;
    let ask = tokens.ask(now, &bounds, 1);
    assert!(tokens.enter(now, true).unwrap().is_ok());
    tokens.leave(now, true);
    let answered = ask.put(&mut row, now, "one");
    assert!(tokens.enter_with(now, answered).is_none(), "the row is asked again");
}
