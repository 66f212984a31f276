//! The room's settings. The edge fills them in.

use std::time::Duration;

use super::steps::StepHook;

/// All of them.
#[derive(Clone, Debug)]
pub struct TieringOptions {
    /// `remote.log.manager.copier.thread.pool.size`: partitions that are uploaded side by side.
    pub copiers: usize,
    /// `remote.log.manager.copy.max.bytes.per.second`: bytes of log that uploads may read, all together.
    pub copy_bytes_per_second: u64,
    /// `remote.log.reader.threads`: cold reads that are decoded side by side.
    pub readers: usize,
    /// `tidelog.remote.cache.bytes`: memory for footers and row groups.
    pub cache_bytes: u64,
    /// `tidelog.orphan.grace.ms`: the age at which what a failed upload left is swept.
    pub orphan_grace: Duration,
    /// `remote.list.offsets.request.timeout.ms`: how long a look-up waits for the bucket.
    pub lookup_deadline: Duration,
    /// For pauses, and the random part of object names; random in production.
    pub seed: u64,
    /// Told of every durable step, in tests.
    pub steps: StepHook,
}

impl Default for TieringOptions {
    fn default() -> Self {
        Self {
            copiers: 2,
            copy_bytes_per_second: i64::MAX.unsigned_abs(),
            readers: 4,
            cache_bytes: 256 * 1024 * 1024,
            orphan_grace: Duration::from_secs(900),
            lookup_deadline: Duration::from_secs(30),
            seed: 0,
            steps: StepHook::default(),
        }
    }
}
