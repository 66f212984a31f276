//! The coordinator: every group of the cluster, the catalog behind it, and two loops that somebody has to run.
//!
//! # Consistency
//! What members and committers are told survives a restart: it is in the catalog before they are told. The exceptions are
//! Kafka's: a join phase, and ids that were given out and not used.
//!
//! # Crash safety
//! A start finds every group as it was last stored: members keep their generation, and their sessions begin anew.
//!
//! # Cancellation
//! `close` ends the loops; the one that writes first writes what is left.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::group::{Effects, Group, GroupError, GroupSettings, Now};
use super::group_memory::GroupMemory;
use super::resident::Resident;
use super::residents::Residents;
use super::store::{GroupWriter, Line};
use super::wakes::Wakes;
use super::{metrics, stored};
use crate::catalog::{Catalog, GroupRow, StorageError};
use crate::clock::Clock;
use crate::model::limits::GROUP_COMMITS_KIB_MAX;

/// Sixteen random bytes.
pub type RandomBytes = fn() -> [u8; 16];

/// Groups that a start reads at once.
const START_PAGE: i64 = 500;
/// Groups whose offsets a start reads side by side.
const START_READS: usize = 8;

/// What a coordinator stands on.
#[derive(Debug, Clone)]
pub struct CoordinatorParts {
    /// What it reads.
    pub catalog: Catalog,
    /// What it writes by: the catalog, or one that fails.
    pub writer: Arc<dyn GroupWriter>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for member ids.
    pub random: RandomBytes,
    /// The broker's settings for groups.
    pub settings: GroupSettings,
    /// `offsets.commit.timeout.ms`.
    pub commit_timeout: Duration,
    /// What all groups together may take in memory.
    pub memory_bytes_max: usize,
}

/// Owns all groups.
#[derive(Debug)]
pub struct Coordinator {
    pub(super) settings: Arc<GroupSettings>,
    pub(super) catalog: Catalog,
    pub(super) writer: Arc<dyn GroupWriter>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: RandomBytes,
    pub(super) commit_timeout: Duration,
    pub(super) residents: Residents,
    pub(super) room: GroupMemory,
    pub(super) line: Line,
    pub(super) wakes: Wakes,
    /// Memory of commits that are not written yet, in KiB.
    pub(super) commits: Arc<Semaphore>,
    /// How many those are.
    pub(super) commits_pending: AtomicUsize,
    /// Nothing is taken any more.
    pub(super) closing: CancellationToken,
    /// What was taken before that has its place in the line.
    pub(super) closed: CancellationToken,
}

impl Coordinator {
    /// A coordinator with no group in memory.
    pub fn new(parts: CoordinatorParts) -> Arc<Self> {
        Arc::new(Self {
            settings: Arc::new(parts.settings),
            catalog: parts.catalog,
            writer: parts.writer,
            clock: parts.clock,
            random: parts.random,
            commit_timeout: parts.commit_timeout,
            residents: Residents::default(),
            room: GroupMemory::new(parts.memory_bytes_max),
            line: Line::default(),
            wakes: Wakes::default(),
            commits: Arc::new(Semaphore::new(GROUP_COMMITS_KIB_MAX)),
            commits_pending: AtomicUsize::new(0),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
        })
    }

    /// Takes nothing more, and tells whoever waits. What is to be written still is.
    pub fn close(&self) {
        self.closing.cancel();
        // An event that began before is over once its group's lock was had.
        for resident in self.residents.all() {
            resident.owner.lock().dismiss_all();
        }
        self.closed.cancel();
    }

    /// The moment, by both clocks.
    pub(super) fn now(&self) -> Now {
        let elapsed_ms = i64::try_from(self.clock.monotonic().as_millis()).unwrap_or(i64::MAX);
        Now { unix_ms: self.clock.now_ms(), elapsed_ms }
    }

    /// Reads the groups that have members, so that their sessions run; the others are read when they are asked for.
    pub async fn load_peopled(&self) -> Result<(), StorageError> {
        let mut after: Option<String> = None;
        let mut groups = 0usize;
        loop {
            let page = self.catalog.peopled_groups(after.as_deref(), START_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.group_id.clone());
            let last_page = page.len() < usize::try_from(START_PAGE).unwrap_or(usize::MAX);
            groups += page.len();
            let loads = page.into_iter().map(|row| async {
                let resident = self.residents.place(&row.group_id, &self.settings);
                resident.loaded.get_or_try_init(|| self.load(&resident, Some(row))).await.map(|_| ())
            });
            futures::stream::iter(loads).buffer_unordered(START_READS).try_collect::<()>().await?;
            if last_page {
                break;
            }
            if self.is_full() {
                tracing::warn!(
                    groups,
                    "groups with members do not all fit in memory: the others are read when asked for"
                );
                break;
            }
        }
        tracing::info!(groups, "groups with members are loaded");
        Ok(())
    }

    /// The resident of that name, read from the catalog where it has to be.
    pub(super) async fn resident(&self, group_id: &str) -> Result<Arc<Resident>, GroupError> {
        if self.closing.is_cancelled() {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let resident = match self.residents.find(group_id) {
            Some(found) => found,
            None => {
                self.make_room()?;
                self.residents.place(group_id, &self.settings)
            }
        };
        let read = async || {
            let row = self.catalog.group(group_id).await?;
            self.load(&resident, row).await
        };
        if let Err(error) = resident.loaded.get_or_try_init(read).await {
            tracing::error!(%error, group = group_id, "a group cannot be read");
            metrics::load_failed();
            return Err(GroupError::CoordinatorNotAvailable);
        }
        Ok(resident)
    }

    /// Puts what the catalog holds into a resident.
    async fn load(&self, resident: &Arc<Resident>, row: Option<GroupRow>) -> Result<(), StorageError> {
        let Some(row) = row else { return Ok(()) };
        let offsets = self.catalog.group_offsets(&row.group_id).await?;
        let record = stored::record_of(row)?;
        let mut effects = Effects::default();
        let mut owner = resident.owner.lock();
        owner.group = Group::load(record, Arc::clone(&self.settings), self.now(), &mut effects);
        owner.group.restore_offsets(offsets.into_iter().map(stored::offset_of));
        owner.exists = true;
        owner.is_stored = true;
        owner.members_bytes = owner.group.members_bytes();
        self.settle(resident, &mut owner, effects);
        Ok(())
    }
}
