//! What SQS promises, asked of our endpoint and, as a judge of the questions, of an emulator that others
//! wrote. `MILLWRIGHT_SQS_CONTRACT_URL` says where that one is and `MILLWRIGHT_SQS_CONTRACT_EMULATOR`
//! which it is (`fauxqs` or `moto`); without them only ours is asked.

mod dead_letters;
mod limits;
mod messages;
mod queues;
mod waiting;

use aws_sdk_sqs::Client;
use futures::future::BoxFuture;
use millwright_core::Clock;

use crate::support;

type Check = (&'static str, fn(Client) -> BoxFuture<'static, ()>);

macro_rules! checks {
    ($($module:ident :: {$($name:ident),* $(,)?})*) => {
        const CHECKS: &[Check] = &[$($(
            (stringify!($name), |client| Box::pin($module::$name(client))),
        )*)*];
    };
}

checks! {
    queues::{
        a_queue_is_found_by_its_name, a_queue_is_created_once, attributes_are_shown,
        attributes_are_checked, attributes_have_known_names, an_unknown_queue_is_told_by_every_operation, a_purged_queue_is_empty,
        a_dead_letter_target_must_exist,
    }
    messages::{
        a_message_comes_back_as_it_was_sent, every_allowed_character_is_carried,
        message_attributes_come_back_when_asked_for,
        a_received_message_is_hidden_and_comes_back, a_deleted_message_is_gone,
        a_superseded_receipt_deletes_nothing, a_message_can_be_given_back_and_kept_longer,
        visibility_can_only_be_changed_in_flight,
        a_deleted_messages_visibility_cannot_be_changed, batches_are_sent_and_deleted,
        visibility_is_changed_in_batches, messages_are_counted,
    }
    limits::{
        delays_are_limited, no_delay_is_negative, bodies_are_limited, characters_are_limited,
        sizes_are_in_bytes_and_attributes_count, batches_are_limited, batch_entries_fail_alone,
        receives_are_limited, receipts_are_checked, group_ids_are_limited,
        visibility_timeouts_are_limited, message_attributes_are_limited,
    }
    waiting::{
        a_delayed_message_waits, a_queues_own_delay_holds_for_its_messages,
        a_long_poll_is_woken_by_a_send, a_long_poll_is_woken_by_the_end_of_a_delay,
        a_long_poll_ends_empty,
    }
    dead_letters::{a_message_received_too_often_is_moved, a_dead_message_keeps_its_identity}
}

/// Where an emulator is known to differ from what AWS documents (fauxqs 2.4, moto 5.2), and so is no
/// judge. What neither judges rests on the SQS API reference alone.
const DIFFERENCES: &[(&str, &[&str])] = &[
    (
        "fauxqs",
        &[
            // It prefixes every error code.
            "a_queue_is_created_once",
            // It checks neither attribute names nor targets, delays, receipts or group ids.
            "attributes_have_known_names",
            "a_dead_letter_target_must_exist",
            "delays_are_limited",
            "no_delay_is_negative",
            "batch_entries_fail_alone",
            "receipts_are_checked",
            "group_ids_are_limited",
            "message_attributes_are_limited",
            // It does not tell the group of a message in a standard queue.
            "a_message_comes_back_as_it_was_sent",
            // It refuses characters beyond the basic plane.
            "every_allowed_character_is_carried",
            // It tells message attributes that nobody asked for.
            "message_attributes_come_back_when_asked_for",
            // It notices late that a timeout has passed.
            "visibility_can_only_be_changed_in_flight",
        ],
    ),
    (
        "moto",
        &[
            // It checks neither attributes nor characters, bytes, negative delays or group ids.
            "attributes_are_checked",
            "attributes_have_known_names",
            "bodies_are_limited",
            "characters_are_limited",
            "sizes_are_in_bytes_and_attributes_count",
            "no_delay_is_negative",
            "group_ids_are_limited",
            "message_attributes_are_limited",
            // A superseded receipt still deletes, and one whose time is over still holds.
            "a_superseded_receipt_deletes_nothing",
            "visibility_can_only_be_changed_in_flight",
            // Its answer holds text where a boolean belongs.
            "batch_entries_fail_alone",
        ],
    ),
];

/// Asks everything at once, and tells every check that failed.
async fn ask(client: Client, left_out: &[&str]) {
    let asked = CHECKS.iter().filter(|(name, _)| !left_out.contains(name));
    let running: Vec<_> =
        asked.map(|(name, check)| (name, tokio::spawn(check(client.clone())))).collect();
    let mut failed = Vec::new();
    for (name, check) in running {
        if check.await.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_endpoint_keeps_the_contract() {
    let fresh = support::fresh(Clock::system()).await;
    ask(fresh.client.clone(), &[]).await;
    fresh.sqs.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_emulator_keeps_the_same_contract() {
    let Ok(url) = std::env::var("MILLWRIGHT_SQS_CONTRACT_URL") else { return };
    let emulator = std::env::var("MILLWRIGHT_SQS_CONTRACT_EMULATOR").unwrap_or_default();
    let theirs = DIFFERENCES.iter().find(|(name, _)| *name == emulator);
    ask(support::client(&url), theirs.map_or(&[], |(_, left_out)| left_out)).await;
}
