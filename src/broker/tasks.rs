//! The tables of what runs in the background: what is done again and again, how often and by which function, and what
//! runs all the time.
//!
//! # Consistency
//! No task relies on another's having run, or on how often it has.
//!
//! # Crash safety
//! Nothing is remembered from one run to the next: after a start each finds what is to be done.
//!
//! # Cancellation
//! A task is asked to stop between two runs; a run that blocks is waited for. A run that waits for the bucket is dropped,
//! between two steps: a bucket that is away must not keep a broker from stopping. A loop ends by itself when what it works
//! for is closed.
//!
//! # Retries
//! A run that fails is logged, by whoever knows how often it was, and comes again with the next tick.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::log::LogError;
use crate::replication::{DiskSpace, Partition};
use crate::telemetry;
use crate::tiering::ChangeError;

use super::state::Broker;

/// A background task.
struct Task {
    name: &'static str,
    every: fn(&Broker) -> Duration,
    run: fn(Arc<Broker>) -> BoxFuture<'static, ()>,
    stops: Stops,
}

/// What a stop of the broker does to a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stops {
    /// It waits for its end.
    Behind,
    /// It drops the run, which waits for the bucket and is safe between any two of its steps.
    Within,
}

const TASKS: &[Task] = &[
    Task {
        name: "checkpoint",
        every: |_| Duration::from_secs(5),
        run: |broker| broker.on_every_partition(Partition::checkpoint).boxed(),
        stops: Stops::Behind,
    },
    Task {
        name: "checkpoint-full",
        every: |_| Duration::from_secs(1),
        run: |broker| broker.checkpoint_due().boxed(),
        stops: Stops::Behind,
    },
    Task { name: "roll", every: |_| Duration::from_secs(5), run: |broker| broker.roll().boxed(), stops: Stops::Behind },
    Task {
        name: "topics",
        every: |_| Duration::from_secs(1),
        run: |broker| async move { broker.settle().await }.boxed(),
        stops: Stops::Within,
    },
    Task {
        name: "flush",
        every: |_| Duration::from_secs(1),
        run: |broker| broker.flush().boxed(),
        stops: Stops::Behind,
    },
    Task {
        name: "room",
        every: |_| Duration::from_secs(1),
        run: |broker| broker.look_for_room().boxed(),
        stops: Stops::Behind,
    },
    Task {
        name: "retention",
        every: |broker| millis(broker.settings().number("log.retention.check.interval.ms")),
        run: |broker| broker.retain().boxed(),
        stops: Stops::Behind,
    },
    Task { name: "tiering", every: tiering_interval, run: |broker| broker.tier().boxed(), stops: Stops::Within },
    Task { name: "tiering-sweep", every: tiering_interval, run: |broker| broker.sweep().boxed(), stops: Stops::Within },
    Task {
        name: "tiering-sizes",
        every: |_| Duration::from_secs(60),
        run: |broker| broker.report_sizes().boxed(),
        stops: Stops::Within,
    },
    Task {
        name: "tiering-lag",
        every: tiering_interval,
        run: |broker| async move { broker.tiers.report_lag() }.boxed(),
        stops: Stops::Behind,
    },
    Task {
        name: "producer-expiry",
        every: |_| Duration::from_secs(600),
        run: |broker| broker.expire_producers().boxed(),
        stops: Stops::Behind,
    },
    Task {
        name: "producer-ids",
        every: |_| Duration::from_secs(5),
        run: |broker| async move { broker.keep_producer_numbers().await }.boxed(),
        stops: Stops::Within,
    },
    Task {
        name: "group-expiry",
        every: |broker| millis(broker.settings().number("offsets.retention.check.interval.ms")),
        run: |broker| async move { broker.coordinator.expire().await }.boxed(),
        stops: Stops::Behind,
    },
    Task {
        name: "group-memory",
        every: |_| Duration::from_secs(10),
        run: |broker| async move { broker.coordinator.tidy().await }.boxed(),
        stops: Stops::Behind,
    },
    Task {
        name: "metrics",
        every: |_| Duration::from_secs(5),
        run: |_| async { telemetry::tidy_metrics() }.boxed(),
        stops: Stops::Behind,
    },
];

/// Something that runs all the time.
struct Loop {
    name: &'static str,
    run: fn(Arc<Broker>) -> BoxFuture<'static, ()>,
}

const LOOPS: &[Loop] = &[
    Loop { name: "group-store", run: |broker| async move { broker.coordinator.keep_stored().await }.boxed() },
    Loop { name: "group-time", run: |broker| async move { broker.coordinator.keep_time().await }.boxed() },
    Loop { name: "leadership", run: |broker| async move { broker.keep_leadership().await }.boxed() },
];

fn tiering_interval(broker: &Broker) -> Duration {
    millis(broker.settings().number("remote.log.manager.task.interval.ms"))
}

fn millis(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}

impl Broker {
    pub(super) fn start_tasks(self: &Arc<Self>) {
        for task in TASKS {
            let broker = Arc::clone(self);
            self.tasks.spawn(async move { broker.repeat(task).await });
        }
        for steady in LOOPS {
            let broker = Arc::clone(self);
            self.tasks.spawn(async move { broker.keep_up(steady).await });
        }
    }

    async fn keep_up(self: Arc<Self>, steady: &'static Loop) {
        loop {
            let run = std::panic::AssertUnwindSafe((steady.run)(Arc::clone(&self)));
            if run.catch_unwind().await.is_ok() {
                return;
            }
            tracing::error!(task = steady.name, "a background loop panicked; it begins again");
        }
    }

    async fn repeat(self: Arc<Self>, task: &'static Task) {
        loop {
            // Asked each time: the setting behind it may have changed.
            let every = (task.every)(&self);
            tokio::select! {
                () = self.clock.sleep(every) => {}
                () = self.stopping.cancelled() => return,
            }
            let run = std::panic::AssertUnwindSafe((task.run)(Arc::clone(&self))).catch_unwind();
            let ran = tokio::select! {
                biased;
                ran = run => ran,
                () = self.stopping.cancelled(), if task.stops == Stops::Within => return,
            };
            if ran.is_err() {
                tracing::error!(task = task.name, "a background task panicked; it comes again");
            }
        }
    }

    /// Tells whoever waits when this broker may not lead any more. Nobody is acknowledged then, and only a start leads
    /// again.
    async fn keep_leadership(&self) {
        tokio::select! {
            () = self.stopping.cancelled() => return,
            () = self.leadership.lost() => {}
        }
        tracing::error!("the catalog's lock is lost: another broker may lead, so nothing is acknowledged any more");
        for partition in self.partitions() {
            partition.depose();
        }
    }

    /// Every partition now.
    pub(super) fn partitions(&self) -> Vec<Arc<Partition>> {
        self.topics().iter().flat_map(|topic| topic.partitions.iter().cloned()).collect()
    }

    /// Does something that blocks for each partition, on a thread that may.
    async fn on_every_partition(self: Arc<Self>, work: impl Fn(&Partition) -> Result<(), LogError> + Send + 'static) {
        let partitions = self.partitions();
        let all = tokio::task::spawn_blocking(move || {
            for partition in partitions {
                if let Err(error) = work(&partition) {
                    partition.work_failed(&error);
                }
            }
        });
        if all.await.is_err() {
            tracing::error!("work on a partition panicked");
        }
    }

    async fn checkpoint_due(self: Arc<Self>) {
        if self.partitions().iter().any(|partition| partition.log().checkpoint_due()) {
            let due = |partition: &Partition| {
                if partition.log().checkpoint_due() { partition.checkpoint() } else { Ok(()) }
            };
            self.on_every_partition(due).await;
        }
    }

    async fn roll(self: Arc<Self>) {
        let now_ms = self.clock.now_ms();
        self.on_every_partition(move |partition| {
            let config = partition.config();
            // A bucket that lags behind anyway is not helped by more segments.
            let wants = config.remote.enabled
                && !config.remote.copy_disabled
                && partition.tier().is_some_and(|tier| !tier.has_waiting());
            partition.roll_if_due(now_ms, wants.then_some(config.remote.max_lag_ms)).map(|_| ())
        })
        .await;
    }

    /// Whether the disk has room for appends, beyond what is kept for checkpoints and the catalog.
    pub(super) async fn look_for_room(self: Arc<Self>) {
        let room = self.free_bytes().and_then(|free_bytes| {
            let reserve_bytes = self.settings().number("tidelog.log.dir.reserve.bytes").unsigned_abs();
            Ok(DiskSpace { free_bytes, total_bytes: self.total_bytes()?, reserve_bytes })
        });
        match room {
            Ok(room) => {
                self.health.note_room(room, || self.tiers.local_only_bytes());
                if self.health.is_filling_up() || self.health.is_full() {
                    self.tiers.note_need_of_room();
                    // No delay where everybody waits for the room: whoever reads such a file has it open.
                    self.on_every_partition(|partition| partition.log().purge_deleted(i64::MAX).map(|_| ())).await;
                }
            }
            Err(error) => tracing::warn!(%error, "how much room the log directory has cannot be asked"),
        }
    }

    async fn flush(self: Arc<Self>) {
        let now_ms = self.clock.now_ms();
        for partition in self.partitions() {
            partition.flush_if_due(now_ms);
        }
    }

    pub(super) async fn retain(self: Arc<Self>) {
        let now_ms = self.clock.now_ms();
        for partition in self.partitions() {
            // A catalog that answers slowly must not keep a stop from the checkpoints behind it.
            if self.stopping.is_cancelled() {
                return;
            }
            match partition.retain(now_ms).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(
                    topic = partition.topic().as_str(),
                    partition = partition.tp().partition,
                    segments = removed,
                    "retention removed local segments"
                ),
                Err(ChangeError::Log(error)) => {
                    partition.work_failed(&error);
                }
                Err(error) => report_change(&partition, &error),
            }
        }
    }

    /// What of the log goes into the bucket: who may upload is put in the queue, and what settings have changed is done.
    async fn tier(self: Arc<Self>) {
        for partition in self.partitions() {
            let Some(tier) = partition.tier() else { continue };
            if let Err(error) = tier.reconcile().await {
                report_change(&partition, &error);
            }
            tier.offer_upload();
            tier.rest();
        }
        if let Err(error) = self.tiers.refresh_topic_files().await {
            tracing::warn!(%error, "a topic's control file in the bucket is not up to date yet");
        }
    }

    async fn report_sizes(self: Arc<Self>) {
        if let Err(error) = self.tiers.report_sizes().await {
            tracing::debug!(%error, "what is in the bucket cannot be counted now");
        }
    }

    /// What of the bucket goes out: unfinished uploads, expired objects, deleted topics.
    async fn sweep(self: Arc<Self>) {
        if let Err(error) = self.tiers.sweep().await {
            tracing::warn!(%error, "unfinished uploads cannot be looked for now");
        }
        self.retry_deletions().await;
        match self.tiers.remove_deleted().await {
            Ok(removed) => {
                for topic in removed.topics {
                    self.finish_emptied(topic).await;
                }
            }
            Err(error) => tracing::warn!(%error, "objects that may go cannot be looked for now"),
        }
    }

    async fn expire_producers(self: Arc<Self>) {
        let now_ms = self.clock.now_ms();
        for partition in self.partitions() {
            partition.log().expire_producers(now_ms);
        }
    }
}

fn report_change(partition: &Partition, error: &ChangeError) {
    tracing::warn!(
        %error,
        topic = partition.topic().as_str(),
        partition = partition.tp().partition,
        "work on a partition's tiers is left to the next round"
    );
}
