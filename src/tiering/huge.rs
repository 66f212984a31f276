//! Memory for row groups that unfold to much more than a row group should: a batch of kilobytes may hold a record of
//! hundreds of megabytes.
//!
//! Two accounts. Whoever works on one, uploading or reading, has his turn: so the several copies that work takes are there
//! once. What a read has brought takes room until the last reply that carries it has gone: so a client that takes nothing
//! keeps others from reading such records, and nobody from anything else. Uploads need no room, for they must not wait for
//! clients.
//!
//! What was read is kept for whoever asked for it and comes back, apart from the cache: there it would push out all the
//! rest. It goes when others need its room and somebody was given of it, and anyhow soon.
//!
//! Invariant: batches that were read and are huge never take more than the room there is, whoever holds them, but for the
//! largest, which goes alone. What is decoded on the way to them is bounded by the turn.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::group::Group;
use super::reader::GroupKey;
use crate::clock::Clock;
use crate::model::limits::{HUGE_BYTES, HUGE_HELD_BYTES};

/// Room is counted in these.
const PERMIT_BYTES: u64 = 1024;
/// How long something is kept that nobody was given of: clients come back for what they asked for within it.
const KEPT_FOR: Duration = Duration::from_secs(5);
/// How often whoever waits for room looks for what need not be kept any more.
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// Whether so many bytes are more than may be worked on side by side.
pub(super) fn is_huge(bytes: u64) -> bool {
    bytes > HUGE_BYTES as u64
}

/// Who works on something huge: one at a time.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<tokio::sync::Mutex<()>>);

impl Turns {
    /// Waits for one's turn.
    pub(super) async fn next(&self) -> Turn {
        Turn { _guard: Arc::clone(&self.0).lock_owned().await }
    }

    /// The same, on a thread that may block.
    pub(super) fn wait(&self) -> Turn {
        Turn { _guard: Arc::clone(&self.0).blocking_lock_owned() }
    }
}

/// One's turn.
#[derive(Debug)]
pub(super) struct Turn {
    _guard: OwnedMutexGuard<()>,
}

/// Room in memory for something huge that was read.
#[derive(Debug)]
pub(super) struct Room {
    permit: OwnedSemaphorePermit,
}

impl Room {
    /// Gives back what it does not need.
    pub(super) fn shrunk_to(mut self, bytes: u64) -> Self {
        let spare = self.permit.num_permits().saturating_sub(permits(bytes) as usize);
        drop(self.permit.split(spare));
        self
    }

    /// The same bytes, which hold this room.
    pub(super) fn held_by(self: &Arc<Self>, bytes: &Bytes) -> Bytes {
        Bytes::from_owner(Held { bytes: bytes.clone(), _room: Arc::clone(self) })
    }
}

/// Bytes with their room; the bytes go first.
struct Held {
    bytes: Bytes,
    _room: Arc<Room>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The largest goes alone.
fn permits(bytes: u64) -> u32 {
    let all = HUGE_HELD_BYTES as u64 / PERMIT_BYTES;
    u32::try_from(bytes.div_ceil(PERMIT_BYTES).clamp(1, all)).unwrap_or(u32::MAX)
}

#[derive(Debug)]
struct Kept {
    key: GroupKey,
    group: Arc<Group>,
    since: Duration,
}

/// The accounts, and what is kept.
#[derive(Debug)]
pub(super) struct Huge {
    clock: Arc<dyn Clock>,
    pub(super) turns: Turns,
    room: Arc<Semaphore>,
    kept: Mutex<Vec<Kept>>,
}

impl Huge {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let all = usize::try_from(permits(u64::MAX)).unwrap_or(usize::MAX);
        Arc::new(Self { clock, turns: Turns::default(), room: Arc::new(Semaphore::new(all)), kept: Mutex::default() })
    }

    /// Room for something of that size, in turn; says `full` where it has to wait.
    pub(super) async fn room(&self, bytes: u64, full: impl Fn()) -> Room {
        let (permits, room) = (permits(bytes), || Arc::clone(&self.room));
        if let Ok(permit) = room().try_acquire_many_owned(permits) {
            return Room { permit };
        }
        let mut acquiring = pin!(room().acquire_many_owned(permits));
        loop {
            full();
            self.let_go_of(|kept, now| kept.group.is_given() || now.saturating_sub(kept.since) >= KEPT_FOR);
            tokio::select! {
                biased;
                permit = &mut acquiring => {
                    return Room { permit: permit.expect("this semaphore is never closed") };
                }
                () = self.clock.sleep(LOOKS_EVERY) => {}
            }
        }
    }

    /// What is kept of that name.
    pub(super) fn kept(&self, key: GroupKey) -> Option<Arc<Group>> {
        self.kept.lock().iter().find(|kept| kept.key == key).map(|kept| Arc::clone(&kept.group))
    }

    /// Keeps something for a while.
    pub(super) fn keep(self: Arc<Self>, key: GroupKey, group: Arc<Group>) -> impl Future<Output = ()> + Send + 'static {
        self.kept.lock().push(Kept { key, group, since: self.clock.monotonic() });
        async move {
            self.clock.sleep(KEPT_FOR).await;
            self.let_go_of(|kept, now| now.saturating_sub(kept.since) >= KEPT_FOR);
        }
    }

    fn let_go_of(&self, which: impl Fn(&Kept, Duration) -> bool) {
        let now = self.clock.monotonic();
        let mut kept = self.kept.lock();
        let gone: Vec<Kept> = kept.extract_if(.., |kept| which(kept, now)).collect();
        // Unmapping takes its time.
        drop(kept);
        drop(gone);
    }

    /// Room that is taken, in bytes.
    #[cfg(test)]
    pub(super) fn taken_bytes(&self) -> u64 {
        HUGE_HELD_BYTES as u64 - self.room.available_permits() as u64 * PERMIT_BYTES
    }
}
