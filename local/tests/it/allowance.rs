//! Limits that instances share: two stores with clients of their own race for one row.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::Client;
use millwright_core::Clock;
use millwright_local::{
    dynamo::{self, Dynamo},
    sdk,
};
use millwright_store::{Claim, Key, Quota, Store};

fn instance(dynamo: &Dynamo) -> Store {
    let config = sdk::config(&dynamo.url(), "http://127.0.0.1:0");
    Store::new(Client::new(&config), dynamo::tables(), Clock::system())
}

fn key() -> Key {
    Key::state("ws#conn", "allowance")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_together_spend_no_more_than_the_budget() {
    const QUOTA: Quota = Quota { tokens: 40, window: Duration::from_secs(60) };
    let folder = tempfile::tempdir().unwrap();
    let dynamo = Dynamo::start(&folder.path().join("dynamo.sqlite")).unwrap();
    let spent = Arc::new(AtomicU32::new(0));
    let tasks = (0..6).map(|number| {
        let (store, spent) = (instance(&dynamo), spent.clone());
        tokio::spawn(async move {
            while let Ok(block) = store
                .allow(&key(), |allowance, now| allowance.budget(QUOTA).draw(now, QUOTA, 3))
                .await
                .unwrap()
            {
                let used = block.tokens.min(1 + number % 3);
                spent.fetch_add(used, Ordering::SeqCst);
                let mut rest = block;
                rest.tokens -= used;
                let give_back = |allowance: &mut millwright_store::Allowance, _| {
                    allowance.budget(QUOTA).give_back(&rest);
                };
                store.allow(&key(), give_back).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(spent.load(Ordering::SeqCst), QUOTA.tokens, "all of it, and no more");
    let later = instance(&dynamo)
        .allow(&key(), |allowance, now| (allowance.budget(QUOTA).draw(now, QUOTA, 1), now))
        .await
        .unwrap();
    let (refused, now) = later;
    assert!(refused.unwrap_err() > now + Duration::from_secs(30), "and told when to come again");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_act_at_the_same_time_than_there_are_seats() {
    const LIMIT: u32 = 3;
    let folder = tempfile::tempdir().unwrap();
    let dynamo = Dynamo::start(&folder.path().join("dynamo.sqlite")).unwrap();
    let (acting, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let tasks = (0..8).map(|number| {
        let store = instance(&dynamo);
        let (acting, most) = (acting.clone(), most.clone());
        tokio::spawn(async move {
            let who = number.to_string();
            for _ in 0..4 {
                while ask(&store, &who, 1).await == 0 {
                    tokio::time::sleep(Duration::from_millis(15)).await;
                }
                most.fetch_max(acting.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(10)).await;
                acting.fetch_sub(1, Ordering::SeqCst);
                ask(&store, &who, 0).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let most = most.load(Ordering::SeqCst);
    assert!((2..=LIMIT).contains(&most), "{most}");
}

async fn ask(store: &Store, who: &str, wanted: u32) -> u32 {
    let claim = Claim { who, in_use: 0, wanted, limit: 3, term: Duration::from_secs(6) };
    store.allow(&key(), |allowance, now| allowance.seats.claim(now, &claim).seats).await.unwrap()
}
