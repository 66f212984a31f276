//! Reads partitions of a topic, by assignment: while what one fetch brought is looked at, the next is under way.
//!
//! # Retries
//! What may be better after a look at who leads is tried again as long as [`Patience`] has it. So is what a broker has and
//! does not give: one that waits for its bucket answers with nothing, and without an error.
//!
//! # Cancellation
//! Dropping it ends its fetches.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::net::client::fetch::{AbortedTransaction, FetchBounds, FetchFrom, Fetched};
use crate::net::client::{ClientError, KafkaClient};
use crate::record::{BatchError, BatchView, Batches};

use super::aborted::Aborted;
use super::outcome::{Exit, Failure};
use super::patience::Patience;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// How far a partition was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The next offset that is wanted.
    pub next: i64,
    /// Where reading ends; none follows for ever.
    pub end: Option<i64>,
}

/// Why nothing can be read on.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The partition has more, and none of it comes.
    #[error(
        "{topic}-{partition}: nothing comes from offset {next} on, and the log goes to {end}: its broker may wait for its bucket \
         (tidelog tier status)"
    )]
    NothingComes { topic: Arc<str>, partition: i32, next: i64, end: i64 },
}

impl Trouble {
    fn may_pass(&self) -> bool {
        match self {
            Self::Client(error) => error.is_retriable(),
            Self::NothingComes { .. } => true,
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Client(error) => error.into(),
            Trouble::NothingComes { .. } => Self::new(Exit::Unreachable, trouble),
        }
    }
}

impl Cursor {
    fn is_done(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }
}

/// Reads partitions of a topic.
#[derive(Debug)]
pub struct Reading {
    client: Arc<KafkaClient>,
    topic: Arc<str>,
    cursors: BTreeMap<i32, Cursor>,
    leaders: BTreeMap<i32, i32>,
    bounds: FetchBounds,
    /// One fetch of each leader at most.
    under_way: JoinSet<Answer>,
    busy: BTreeSet<i32>,
    turn: usize,
}

/// What a leader answered.
#[derive(Debug)]
struct Answer {
    leader: i32,
    wanted: Vec<FetchFrom>,
    fetched: Result<Vec<Fetched>, ClientError>,
}

/// What one fetch brought of one partition: bytes, and from which offset on they are wanted.
#[derive(Debug)]
pub struct Arrived {
    /// The partition.
    pub partition: i32,
    /// Records before it were not asked for.
    pub from: i64,
    aborted: Vec<AbortedTransaction>,
    records: bytes::Bytes,
}

impl Arrived {
    /// The batches, but for those of transactions that were aborted, where only committed ones are read.
    pub fn batches(&self) -> impl Iterator<Item = Result<BatchView<'_>, Failure>> {
        let mut aborted = Aborted::new(&self.aborted);
        let wrong = |error: BatchError| Failure::new(Exit::Wrong, format!("partition {}: {error}", self.partition));
        Batches::new(&self.records).filter_map(move |batch| {
            let wanted = batch.and_then(|batch| {
                batch.verify_crc()?;
                Ok((!aborted.holds(&batch)?).then_some(batch))
            });
            wanted.map_err(wrong).transpose()
        })
    }

    /// Bytes that came.
    pub fn size_bytes(&self) -> usize {
        self.records.len()
    }
}

impl Reading {
    /// Reads from `cursors`; `leaders` says who leads each partition.
    pub fn start(
        client: Arc<KafkaClient>,
        topic: &str,
        cursors: BTreeMap<i32, Cursor>,
        leaders: BTreeMap<i32, i32>,
        bounds: FetchBounds,
    ) -> Self {
        Self {
            client,
            topic: Arc::from(topic),
            cursors,
            leaders,
            bounds,
            under_way: JoinSet::new(),
            busy: BTreeSet::new(),
            turn: 0,
        }
    }

    /// Gives everything that arrives to `see`, until all ends are reached or it breaks.
    pub async fn run(
        mut self,
        mut see: impl FnMut(&Arrived) -> Result<ControlFlow<()>, Failure>,
    ) -> Result<(), Failure> {
        let clock = Arc::clone(self.client.clock());
        let (patience, mut answered) = (Patience::of(&self.client), clock.monotonic());
        self.fetch_all();
        while let Some(answer) = self.under_way.join_next().await {
            let answer = answer.map_err(Failure::failed)?;
            self.busy.remove(&answer.leader);
            let (arrived, trouble) = self.advance(answer);
            let is_well = trouble.is_none();
            match trouble {
                None => patience.answered(),
                Some(trouble) if !trouble.may_pass() || !patience.bears(answered, &trouble) => {
                    return Err(trouble.into());
                }
                Some(Trouble::Client(_)) => {
                    clock.sleep(PAUSE).await;
                    self.look_who_leads().await;
                }
                // The broker has waited before it gave nothing.
                Some(Trouble::NothingComes { .. }) => {}
            }
            self.fetch_all();
            for arrived in &arrived {
                if see(arrived)?.is_break() {
                    return Ok(());
                }
            }
            if is_well {
                // However long a pipe was full: that was not the broker's time.
                answered = clock.monotonic();
            }
        }
        Ok(())
    }

    /// Asks every leader that has nothing to answer.
    fn fetch_all(&mut self) {
        let leaders: BTreeSet<i32> = self.leaders.values().copied().collect();
        for leader in leaders {
            if !self.busy.contains(&leader) {
                self.fetch(leader);
            }
        }
    }

    /// Asks a leader for all that is still wanted of it.
    fn fetch(&mut self, leader: i32) {
        let mut wanted: Vec<FetchFrom> = self
            .cursors
            .iter()
            .filter(|(partition, cursor)| self.leaders.get(*partition) == Some(&leader) && !cursor.is_done())
            .map(|(partition, cursor)| FetchFrom { partition: *partition, offset: cursor.next })
            .collect();
        if wanted.is_empty() {
            return;
        }
        // Whoever is asked for first is served first: each has its turn, so that one with much does not starve others.
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn % wanted.len();
        wanted.rotate_left(first);
        let (client, topic, bounds) = (Arc::clone(&self.client), Arc::clone(&self.topic), self.bounds);
        self.busy.insert(leader);
        self.under_way.spawn(async move {
            let fetched = async { client.broker(leader).await?.fetch(&topic, &wanted, bounds).await };
            let fetched = fetched.await;
            Answer { leader, wanted, fetched }
        });
    }

    /// Moves the cursors behind what came; what went wrong is beside what did not.
    fn advance(&mut self, answer: Answer) -> (Vec<Arrived>, Option<Trouble>) {
        let fetched = match answer.fetched {
            Ok(fetched) => fetched,
            Err(error) => return (Vec::new(), Some(error.into())),
        };
        let (mut arrived, mut failed, mut withheld) = (Vec::new(), None, None);
        for Fetched { partition, error, aborted, records, high_watermark, last_stable, .. } in fetched {
            if let Some(error) = error {
                failed.get_or_insert_with(|| Trouble::from(ClientError::from(error)));
                continue;
            }
            let asked = answer.wanted.iter().find(|wanted| wanted.partition == partition).map(|wanted| wanted.offset);
            // Another leader may have brought it meanwhile.
            let Some(cursor) = self.cursors.get_mut(&partition).filter(|cursor| Some(cursor.next) == asked) else {
                continue;
            };
            let from = cursor.next;
            if records.is_empty() {
                let end = if self.bounds.committed { last_stable } else { high_watermark };
                if from < end {
                    let topic = Arc::clone(&self.topic);
                    withheld.get_or_insert(Trouble::NothingComes { topic, partition, next: from, end });
                }
                continue;
            }
            if let Some(last) = Batches::new(&records).map_while(Result::ok).last() {
                cursor.next = cursor.next.max(last.header().next_offset().get());
            }
            arrived.push(Arrived { partition, from, aborted, records });
        }
        // An answer has room for so much: what others got is no sign that anything is wrong.
        let withheld = withheld.filter(|_| arrived.is_empty());
        (arrived, failed.or(withheld))
    }

    async fn look_who_leads(&mut self) {
        let Ok(metadata) = self.client.metadata(Some(&[&*self.topic])).await else { return };
        for (partition, leader) in &mut self.leaders {
            if let Some(now) = metadata.leader(&self.topic, *partition) {
                *leader = now;
            }
        }
    }
}
