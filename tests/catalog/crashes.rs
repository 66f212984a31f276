//! A process or a server that dies in the middle: what was answered is there, what was not is there whole or not at all.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use tidelog::catalog::{Catalog, StorageError, TopicError};

use crate::home::{Home, Raw};
use crate::races::wait_for_one_that_waits;
use crate::rows::{topic, topic_id};

const URL: &str = "TIDELOG_TEST_CATALOG";
const WORK: &str = "TIDELOG_TEST_WORK";

/// Not a test but the process that the tests below kill: it does nothing where it is not told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Ok(url), Ok(work)) = (std::env::var(URL), std::env::var(WORK)) else { return };
    let home = Home::at(url);
    let catalog = home.open().await;
    say("begun");
    match work.as_str() {
        "topic" => drop(catalog.create_topic(topic("orders", 1)).await),
        _ => loop {
            say(&catalog.take_producer_ids(1, 0).await.unwrap().0.to_string());
        },
    }
}

/// Past the test harness, which keeps what is printed to itself.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n> {line}").unwrap();
    out.flush().unwrap();
}

fn spawn(home: &Home, work: &str) -> (Child, impl Iterator<Item = String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::child", "--nocapture", "--test-threads=1"])
        .env(URL, &home.url)
        .env(WORK, work)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = said(child.stdout.take().unwrap());
    (child, lines)
}

fn said(out: ChildStdout) -> impl Iterator<Item = String> {
    BufReader::new(out).lines().map_while(Result::ok).filter_map(|line| line.strip_prefix("> ").map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_between_two_statements_leaves_nothing_of_its_transaction() {
    let home = Home::sqlite();
    home.open().await.close().await;
    let mut raw = home.raw().await;
    // The topic is written, then its settings take for ever.
    raw.execute(
        "CREATE VIEW endless AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n; \
         CREATE TRIGGER hang BEFORE INSERT ON topic_configs BEGIN SELECT COUNT(*) FROM endless; END; \
         PRAGMA busy_timeout = 0",
    )
    .await;
    let (mut child, mut lines) = spawn(&home, "topic");
    assert_eq!(lines.next().as_deref(), Some("begun"));
    while raw.try_execute("BEGIN IMMEDIATE; ROLLBACK").await {
        tokio::task::yield_now().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    raw.execute("DROP TRIGGER hang; DROP VIEW endless").await;
    raw.close().await;

    let catalog = home.open().await;
    assert_eq!(catalog.topics().await.unwrap(), []);
    assert_eq!(home.raw().await.number("SELECT COUNT(*) FROM partitions").await, 0);
    catalog.create_topic(topic("orders", 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_writes_keeps_what_was_answered() {
    let home = Home::sqlite();
    for _ in 0..5 {
        let (mut child, mut lines) = spawn(&home, "ids");
        let some: Vec<String> = lines.by_ref().take(40).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        let last: i64 = some.into_iter().chain(lines).last().unwrap().parse().unwrap();
        // Its lock went with it.
        let catalog = home.open().await;
        let next = catalog.take_producer_ids(1, 0).await.unwrap().0;
        assert!(next > last, "{next} was given already, after {last}");
        catalog.close().await;
    }
}

/// A catalog whose `create_topic` stands still after its first statement, until `blocker` ends its transaction.
async fn stopped_between_statements(
    home: &Home,
    blocker: &mut Raw,
) -> (Catalog, tokio::task::JoinHandle<Result<(), TopicError>>) {
    let catalog = home.open().await;
    catalog.raise_start_number().await.unwrap();
    blocker.execute("BEGIN; LOCK TABLE topic_configs IN ACCESS EXCLUSIVE MODE").await;
    let other = catalog.clone();
    let create = tokio::spawn(async move { other.create_topic(topic("orders", 1)).await });
    wait_for_one_that_waits(&mut home.raw().await).await;
    (catalog, create)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_between_two_statements_leaves_nothing_of_its_transaction() {
    let Some(home) = Home::postgres().await else { return };
    let mut blocker = home.raw().await;
    let (catalog, create) = stopped_between_statements(&home, &mut blocker).await;
    home.raw()
        .await
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .await;
    assert!(matches!(create.await.unwrap(), Err(TopicError::Storage(_))));
    blocker.execute("ROLLBACK").await;
    assert_eq!(catalog.topics().await.unwrap(), []);
    catalog.create_topic(topic("orders", 1)).await.unwrap();
    assert!(*catalog.lock_held().unwrap().borrow(), "one session of many is not the lock's");
}

const END_THE_LOCK: &str = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                            WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_lock_is_reported_and_ends_all_writing() {
    let Some(home) = Home::postgres().await else { return };
    let catalog = home.open().await;
    let mut held = catalog.lock_held().unwrap();
    assert!(*held.borrow_and_update());
    home.raw().await.execute(END_THE_LOCK).await;
    // Nobody's clock moves: what tells of it is the connection itself, and no question that goes unanswered.
    held.changed().await.unwrap();
    assert!(!*held.borrow());
    let refused = catalog.create_topic(topic("orders", 1)).await;
    assert!(matches!(refused, Err(TopicError::Storage(StorageError::LockLost))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broker_that_lost_the_lock_has_under_way_is_waited_for_and_it_commits_nothing_more() {
    let Some(home) = Home::postgres().await else { return };
    let mut blocker = home.raw().await;
    let (old, create) = stopped_between_statements(&home, &mut blocker).await;
    home.raw().await.execute(END_THE_LOCK).await;
    let new = loop {
        // The server takes a moment to notice that a session has ended.
        match home.try_open().await {
            Ok(catalog) => break catalog,
            Err(error) => assert!(matches!(error, tidelog::catalog::OpenError::InUse { .. }), "{error}"),
        }
    };
    // The new broker starts: it waits for what the old one has under way.
    let other = new.clone();
    let raise = tokio::spawn(async move { other.raise_start_number().await });
    let waiting =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut raw = home.raw().await;
    while raw.number(waiting).await < 2 {
        tokio::task::yield_now().await;
    }
    blocker.execute("ROLLBACK").await;
    create.await.unwrap().unwrap();
    assert_eq!(raise.await.unwrap().unwrap().start_number, 2);
    assert_eq!(new.topics().await.unwrap()[0].id, topic_id(1), "it saw that to the end");

    let refused = old.create_topic(topic("events", 2)).await;
    assert!(matches!(refused, Err(TopicError::Storage(StorageError::LockLost))), "{refused:?}");
    assert!(!*old.lock_held().unwrap().borrow());
    new.create_topic(topic("events", 2)).await.unwrap();
}

/// What keeps one out that has lost the lock and was not told: the network between it and the server fell silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_not_the_last_that_started_commits_nothing() {
    let Some(home) = Home::postgres().await else { return };
    let catalog = home.open().await;
    catalog.raise_start_number().await.unwrap();
    catalog.create_topic(topic("orders", 1)).await.unwrap();
    home.raw().await.execute("UPDATE clusters SET start_number = start_number + 1").await;
    assert!(*catalog.lock_held().unwrap().borrow(), "it does not know");
    let refused = catalog.create_topic(topic("events", 2)).await;
    assert!(matches!(refused, Err(TopicError::Storage(StorageError::LockLost))), "{refused:?}");
    assert!(!*catalog.lock_held().unwrap().borrow(), "now it does");
    assert_eq!(catalog.topics().await.unwrap().len(), 1);
}
