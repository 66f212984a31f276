//! What one fetch reads from the bucket: each partition by itself, and only so many at once. Each read brings a whole row
//! group, so a fetch of a hundred partitions that began them all would fill the cache with what no answer has room for.
//!
//! A read goes on in a task of its own when the fetch is answered without it: the next fetch finds what it brought.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kafka_protocol::ResponseError;

use super::errors::KafkaError;
use crate::model::Offset;
use crate::tiering::{RemoteReadError, RemoteRecords, TieredLog};

/// How far the read of one partition is.
#[derive(Debug)]
enum Progress {
    Reading,
    Read(RemoteRecords),
    Failed(Option<ResponseError>),
}

/// What a partition has to give now.
#[derive(Debug)]
pub(super) enum Cold<'r> {
    /// Not yet.
    Waiting,
    /// These.
    Records(&'r RemoteRecords),
    /// Nothing; an error where waiting does not help.
    Failed(Option<ResponseError>),
}

type Ended = (usize, Result<RemoteRecords, RemoteReadError>);

/// The cold reads of one fetch, by the place of the partition in it.
pub(super) struct ColdReads {
    progress: HashMap<usize, Progress>,
    under_way: FuturesUnordered<BoxFuture<'static, Ended>>,
    at_once_max: usize,
}

impl ColdReads {
    /// None yet, and no more than `at_once_max` at once.
    pub(super) fn new(at_once_max: usize) -> Self {
        Self { progress: HashMap::new(), under_way: FuturesUnordered::new(), at_once_max }
    }

    /// What there is from `from` on; begins to read where nothing has begun and not too many are under way.
    pub(super) fn get(&mut self, place: usize, log: &Arc<TieredLog>, from: Offset) -> Cold<'_> {
        if !self.progress.contains_key(&place) {
            let progress = match log.read_cached(from) {
                Some(records) => Progress::Read(records),
                None if self.under_way.len() >= self.at_once_max => return Cold::Waiting,
                None => {
                    let reading = log.read_remote(from);
                    self.under_way.push(Box::pin(async move { (place, reading.await) }));
                    Progress::Reading
                }
            };
            self.progress.insert(place, progress);
        }
        match self.progress.get(&place) {
            None | Some(Progress::Reading) => Cold::Waiting,
            Some(Progress::Read(records)) => Cold::Records(records),
            Some(Progress::Failed(error)) => Cold::Failed(*error),
        }
    }

    /// Lets go of what was read and cannot be sent now: the cache may have it, this fetch has not.
    pub(super) fn let_go(&mut self, place: usize) {
        self.progress.insert(place, Progress::Failed(None));
    }

    /// Whether no read is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Ends when a read has ended; never, where none is under way.
    pub(super) async fn next(&mut self) {
        let Some((place, read)) = self.under_way.next().await else { return std::future::pending().await };
        let progress = match read {
            Ok(records) => Progress::Read(records),
            Err(error) => {
                // Said where it was found, now and then, and not to everybody who asks.
                tracing::debug!(%error, "a cold read failed");
                Progress::Failed((!error.is_transient()).then(|| error.kafka()))
            }
        };
        self.progress.insert(place, progress);
    }
}
