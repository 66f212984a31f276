//! A coordinator with its loops running, its catalog in a folder, and what tests ask of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::catalog::{Catalog, CatalogOptions, GroupBatch, StorageError};
use crate::clock::{Clock as _, ManualClock};
use crate::coordinator::group::*;
use crate::coordinator::{Coordinator, CoordinatorParts, GroupWriter};
use crate::disk::RealDisk;
use crate::model::{LeaderEpoch, Offset, TopicId, TopicPartition};

pub(super) const SESSION_MS: i32 = 10_000;
pub(super) const DELAY_MS: u64 = 3_000;

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mood {
    /// It is done.
    Fine,
    /// It is refused.
    Refuses,
    /// It is done, and nobody knows.
    DoneUnknown,
    /// It is not done, and nobody knows.
    LostUnknown,
}

/// The catalog's writes, each of which needs a permit.
#[derive(Debug)]
pub(super) struct Gate {
    catalog: Catalog,
    pub(super) permits: Semaphore,
    mood: AtomicU8,
    pub(super) batches: AtomicUsize,
}

impl Gate {
    pub(super) fn set(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    fn mood(&self) -> Mood {
        let all = [Mood::Fine, Mood::Refuses, Mood::DoneUnknown, Mood::LostUnknown];
        all[usize::from(self.mood.load(Ordering::SeqCst))]
    }

    /// Nothing is written until `open`.
    pub(super) fn shut(&self) {
        self.permits.forget_permits(usize::MAX);
    }

    pub(super) fn open(&self) {
        self.permits.add_permits(1_000_000);
    }
}

impl GroupWriter for Gate {
    fn write(&self, batch: GroupBatch) -> BoxFuture<'_, Result<(), StorageError>> {
        async move {
            self.permits.acquire().await.unwrap().forget();
            self.batches.fetch_add(1, Ordering::SeqCst);
            let unknown = || Err(StorageError::OutcomeUnknown("a test".to_owned()));
            match self.mood() {
                Mood::Fine => self.catalog.write_groups(batch).await,
                Mood::Refuses => Err(StorageError::Closed),
                Mood::DoneUnknown => {
                    self.catalog.write_groups(batch).await.unwrap();
                    unknown()
                }
                Mood::LostUnknown => unknown(),
            }
        }
        .boxed()
    }
}

/// A coordinator that runs.
pub(super) struct Bench {
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) catalog: Catalog,
    pub(super) gate: Arc<Gate>,
    loops: Vec<JoinHandle<()>>,
    folder: Arc<tempfile::TempDir>,
    memory_bytes_max: usize,
}

pub(super) fn settings() -> GroupSettings {
    GroupSettings { offsets_retention_ms: 60_000, ..GroupSettings::default() }
}

async fn open(folder: &Path, clock: &Arc<ManualClock>) -> Catalog {
    let url = format!("sqlite://{}/catalog.db", folder.display());
    let clock = Arc::<ManualClock>::clone(clock);
    Catalog::open(&url, &CatalogOptions::default(), RealDisk::shared(), clock).await.unwrap()
}

impl Bench {
    pub(super) async fn start() -> Self {
        Self::with_memory(usize::MAX).await
    }

    /// One whose groups may take no more.
    pub(super) async fn with_memory(bytes_max: usize) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::start_in(folder, ManualClock::new(1_700_000_000_000), bytes_max).await
    }

    async fn start_in(folder: Arc<tempfile::TempDir>, clock: Arc<ManualClock>, memory_bytes_max: usize) -> Self {
        let catalog = open(folder.path(), &clock).await;
        let gate = Arc::new(Gate {
            catalog: catalog.clone(),
            permits: Semaphore::new(1_000_000),
            mood: AtomicU8::new(Mood::Fine as u8),
            batches: AtomicUsize::new(0),
        });
        let parts = CoordinatorParts {
            catalog: catalog.clone(),
            writer: Arc::<Gate>::clone(&gate),
            clock: Arc::<ManualClock>::clone(&clock),
            random: rand::random,
            settings: settings(),
            commit_timeout: Duration::from_secs(5),
            memory_bytes_max,
        };
        let coordinator = Coordinator::new(parts);
        coordinator.load_peopled().await.unwrap();
        let (storing, timing) = (Arc::clone(&coordinator), Arc::clone(&coordinator));
        let loops = vec![
            tokio::spawn(async move { storing.keep_stored().await }),
            tokio::spawn(async move { timing.keep_time().await }),
        ];
        Self { coordinator, clock, catalog, gate, loops, folder, memory_bytes_max }
    }

    /// What a killed process leaves, found by the next.
    pub(super) async fn crash(self) -> Self {
        for task in &self.loops {
            task.abort();
        }
        self.restart_as_it_is().await
    }

    /// An orderly stop and a start.
    pub(super) async fn restart(mut self) -> Self {
        self.coordinator.close();
        for task in self.loops.drain(..) {
            task.await.unwrap();
        }
        self.restart_as_it_is().await
    }

    async fn restart_as_it_is(self) -> Self {
        self.catalog.close().await;
        Self::start_in(Arc::clone(&self.folder), Arc::clone(&self.clock), self.memory_bytes_max).await
    }

    /// Moves the clock on and waits until every group has done what became due.
    pub(super) async fn pass(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
        let now_ms = self.coordinator.now().elapsed_ms;
        while self.coordinator.wakes.earliest().is_some_and(|at| at <= now_ms) {
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Begins a join, and comes back when the group knows of it.
    pub(super) async fn join(&self, group: &'static str, request: JoinRequest) -> JoinHandle<JoinReply> {
        let before = self.waiting(group).await;
        let coordinator = Arc::clone(&self.coordinator);
        let joining = tokio::spawn(async move { coordinator.join(group, request).await });
        while !joining.is_finished() && self.waiting(group).await <= before {
            tokio::task::yield_now().await;
        }
        joining
    }

    async fn waiting(&self, group: &str) -> usize {
        self.coordinator.describe(group).await.unwrap().map_or(0, |group| group.members.len())
    }

    pub(super) async fn state(&self, group: &str) -> Option<GroupState> {
        self.coordinator.describe(group).await.unwrap().map(|group| group.state)
    }

    pub(super) async fn until_state(&self, group: &str, state: GroupState) {
        while self.state(group).await != Some(state) {
            tokio::task::yield_now().await;
        }
    }

    /// A stable group of so many members; the first leads. Shares are named after members.
    pub(super) async fn stable(&self, group: &'static str, members: usize) -> Vec<Joined> {
        let mut joining = Vec::new();
        for _ in 0..members {
            joining.push(self.join(group, join_request("")).await);
        }
        self.pass(DELAY_MS).await;
        self.pass(DELAY_MS).await;
        let mut joined = Vec::new();
        for one in joining {
            joined.push(one.await.unwrap().unwrap());
        }
        self.settle(group, &joined).await;
        joined
    }

    /// Everyone syncs.
    pub(super) async fn settle(&self, group: &'static str, joined: &[Joined]) {
        let shares: Vec<_> =
            joined.iter().map(|one| (one.member_id.clone(), Bytes::from(one.member_id.clone()))).collect();
        let mut syncing = Vec::new();
        for one in joined {
            let leads = one.leader == one.member_id;
            let request = sync_request(one, if leads { shares.clone() } else { Vec::new() });
            let coordinator = Arc::clone(&self.coordinator);
            syncing.push(tokio::spawn(async move { coordinator.sync(group, request).await }));
        }
        for (one, synced) in joined.iter().zip(syncing) {
            assert_eq!(synced.await.unwrap().unwrap().assignment, one.member_id.as_bytes());
        }
    }

    pub(super) async fn heartbeat(&self, group: &str, joined: &Joined) -> Result<(), GroupError> {
        let beat =
            Heartbeat { member_id: joined.member_id.clone(), group_instance_id: None, generation: joined.generation };
        self.coordinator.heartbeat(group, &beat).await
    }

    pub(super) async fn commit(&self, group: &str, partition: i32, offset: i64) -> Result<(), GroupError> {
        let outcomes = self.coordinator.commit(group, commit_request("", -1, partition, offset)).await?;
        outcomes.into_iter().collect()
    }

    pub(super) async fn committed(&self, group: &str, partition: i32) -> Option<i64> {
        let found = self.coordinator.offsets(group, Some(&[tp(partition)])).await.unwrap();
        found.first().map(|(_, offset)| offset.offset.get())
    }

    /// The same, past the coordinator.
    pub(super) async fn in_catalog(&self, group: &str, partition: i32) -> Option<i64> {
        let rows = self.catalog.group_offsets(group).await.unwrap();
        rows.iter().find(|row| row.tp == tp(partition)).map(|row| row.offset.get())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.loops.iter().for_each(JoinHandle::abort);
    }
}

pub(super) fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new(topic_id(), partition)
}

pub(super) fn topic_id() -> TopicId {
    TopicId::from_uuid(Uuid::from_u128(7))
}

/// A subscription to `orders`, as consumers write it.
fn subscription() -> Bytes {
    Bytes::from_static(b"\0\x01\0\0\0\x01\0\x06orders\xff\xff\xff\xff")
}

pub(super) fn join_request(member_id: &str) -> JoinRequest {
    JoinRequest {
        member_id: member_id.to_owned(),
        group_instance_id: None,
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![Protocol { name: "range".to_owned(), metadata: subscription() }],
        requires_member_id: false,
        can_skip_assignment: true,
        reason: String::new(),
    }
}

pub(super) fn sync_request(joined: &Joined, assignments: Vec<(String, Bytes)>) -> SyncRequest {
    SyncRequest {
        member_id: joined.member_id.clone(),
        group_instance_id: None,
        generation: joined.generation,
        protocol_type: None,
        protocol_name: None,
        assignments,
    }
}

pub(super) fn commit_request(member_id: &str, generation: i32, partition: i32, offset: i64) -> CommitRequest {
    CommitRequest {
        member_id: member_id.to_owned(),
        group_instance_id: None,
        generation,
        retention_ms: None,
        offsets: vec![OffsetToCommit {
            partition: tp(partition),
            offset: Offset::new(offset),
            leader_epoch: Some(LeaderEpoch::new(3)),
            metadata: format!("note {offset}"),
        }],
    }
}
