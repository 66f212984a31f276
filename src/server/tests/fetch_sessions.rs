//! Fetch sessions, fetch by fetch.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use uuid::Uuid;

use crate::server::fetch_session::{FetchAsked, FetchContext, FetchPlan, FetchSessions, PartitionKey, Told, Wanted};

fn key(partition: i32) -> PartitionKey {
    PartitionKey { topic: Arc::from("t"), topic_id: Uuid::nil(), partition }
}

fn wanted(fetch_offset: i64) -> Wanted {
    Wanted { fetch_offset, max_bytes: 100, current_leader_epoch: -1, last_fetched_epoch: -1 }
}

fn asked(session_id: i32, epoch: i32, partitions: &[i32], forgotten: &[i32]) -> FetchAsked {
    FetchAsked {
        session_id,
        epoch,
        by_id: false,
        wanted: partitions.iter().map(|partition| (key(*partition), wanted(7))).collect(),
        forgotten: forgotten.iter().copied().map(key).collect(),
    }
}

fn numbers(plan: &FetchPlan) -> Vec<i32> {
    plan.partitions.iter().map(|(key, _)| key.partition).collect()
}

const TOLD: Told = Told { high_watermark: 10, log_start_offset: 0 };
const NOW: Duration = Duration::from_secs(1000);

#[test]
fn a_session_answers_only_news_and_remembers_what_is_wanted() {
    let sessions = FetchSessions::new(10, 1);
    let plan = sessions.plan(asked(0, 0, &[1, 2, 3], &[]), NOW).unwrap();
    let id = plan.context.session_id();
    assert!(id > 0 && (1..=3).all(|partition| plan.context.tell(&key(partition), TOLD, false, false)));

    let plan = sessions.plan(asked(id, 1, &[], &[]), NOW).unwrap();
    assert_eq!(numbers(&plan), [1, 2, 3]);
    assert!(!plan.context.tell(&key(1), TOLD, false, false), "nothing new");
    assert!(plan.context.tell(&key(2), TOLD, false, true), "records are new");
    assert!(plan.context.tell(&key(3), Told { high_watermark: 11, ..TOLD }, false, false), "a watermark is new");

    let plan = sessions.plan(asked(id, 2, &[4], &[1]), NOW).unwrap();
    assert_eq!(numbers(&plan), [3, 2, 4], "who had records comes later");
    assert!(plan.context.tell(&key(3), TOLD, true, false), "an error is new");
    assert!(plan.context.tell(&key(4), TOLD, false, false), "a partition is new");

    let plan = sessions.plan(asked(id, 3, &[], &[]), NOW).unwrap();
    assert!(plan.context.tell(&key(3), TOLD, false, false), "the end of an error is new");
    assert!(!plan.context.tell(&key(4), TOLD, false, false));
}

#[test]
fn epochs_must_follow_and_sessions_must_exist() {
    let sessions = FetchSessions::new(10, 1);
    let id = sessions.plan(asked(0, 0, &[1], &[]), NOW).unwrap().context.session_id();
    let refusal = |asked| sessions.plan(asked, NOW).unwrap_err();
    assert_eq!(refusal(asked(id, 2, &[], &[])), ResponseError::InvalidFetchSessionEpoch);
    assert_eq!(refusal(asked(id ^ 1, 1, &[], &[])), ResponseError::FetchSessionIdNotFound);
    let by_id = FetchAsked { by_id: true, ..asked(id, 1, &[], &[]) };
    assert_eq!(refusal(by_id), ResponseError::FetchSessionTopicIdError);

    let last = sessions.plan(asked(id, -1, &[5], &[]), NOW).unwrap();
    assert!(matches!(last.context, FetchContext::Full));
    assert_eq!((numbers(&last), sessions.len()), (vec![5], 0));
    assert_eq!(refusal(asked(id, 1, &[], &[])), ResponseError::FetchSessionIdNotFound);
}

#[test]
fn sessions_are_bounded_and_only_old_ones_give_way() {
    let sessions = FetchSessions::new(2, 1);
    let first = sessions.plan(asked(0, 0, &[1], &[]), NOW).unwrap().context.session_id();
    sessions.plan(asked(0, 0, &[1], &[]), NOW + Duration::from_secs(1)).unwrap();
    let third = sessions.plan(asked(0, 0, &[1], &[]), NOW + Duration::from_secs(2)).unwrap();
    assert_eq!(third.context.session_id(), 0, "a full fetch");
    let later = NOW + Duration::from_secs(121);
    assert!(sessions.plan(asked(0, 0, &[1], &[]), later).unwrap().context.session_id() > 0);
    assert_eq!(sessions.plan(asked(first, 1, &[], &[]), later).unwrap_err(), ResponseError::FetchSessionIdNotFound);
    assert_eq!(sessions.len(), 2);
}

#[test]
fn a_session_in_which_nothing_is_left_is_over() {
    let sessions = FetchSessions::new(10, 1);
    let id = sessions.plan(asked(0, 0, &[1, 2], &[]), NOW).unwrap().context.session_id();
    let last = sessions.plan(asked(id, 1, &[], &[1, 2]), NOW).unwrap();
    assert_eq!((numbers(&last), last.context.session_id(), sessions.len()), (vec![], 0, 0));
    assert_eq!(sessions.plan(asked(id, 2, &[], &[]), NOW).unwrap_err(), ResponseError::FetchSessionIdNotFound);
    let empty = sessions.plan(asked(0, 0, &[], &[]), NOW).unwrap().context.session_id();
    assert!(empty > 0, "one may begin with nothing");
    assert_eq!(numbers(&sessions.plan(asked(empty, 1, &[3], &[]), NOW).unwrap()), [3]);
}

#[test]
fn a_session_that_forgets_and_wants_for_ever_stays_small() {
    let sessions = FetchSessions::new(2, 1);
    let id = sessions.plan(asked(0, 0, &[0], &[]), NOW).unwrap().context.session_id();
    for epoch in 1..1000 {
        let plan = sessions.plan(asked(id, epoch, &[epoch], &[epoch - 1]), NOW).unwrap();
        assert_eq!(numbers(&plan), [epoch]);
        assert!(plan.context.tell(&key(epoch), TOLD, false, true));
    }
}
