//! Which remote segments the catalog knows: asked of the running broker, or read from the catalog, whether one runs or not.

use std::sync::Arc;

use clap::Args;

use crate::admin::shown::{SegmentsPage, ShownSegment, ShownTier};
use crate::catalog::{Catalog, CatalogOptions, OpenError, SegmentState, StorageError, TopicRow};
use crate::clock::{Clock, SystemClock};
use crate::disk::RealDisk;
use crate::model::{Offset, TopicId, TopicPartition};
use crate::tiering::SegmentListing;

use super::admin_client::{AdminArgs, AdminClient, query};
use super::outcome::{Exit, Failure};

/// Rows that are read at once.
const PAGE: i64 = 1_000;
/// Rows on their way in or out that are read at most.
const PASSING_MAX: i64 = 100_000;

/// Where the rows are.
#[derive(Clone, Debug, Args)]
pub struct RowsArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// Read this catalog instead of asking a broker, which may run or not
    #[arg(long, value_name = "URL")]
    pub catalog: Option<String>,
}

/// Rows of the catalog.
#[derive(Debug)]
pub(super) enum Rows {
    /// From a running broker.
    Broker(AdminClient),
    /// From the catalog itself.
    Catalog(Opened),
}

/// A catalog that is read here.
#[derive(Debug)]
pub(super) struct Opened {
    catalog: Catalog,
    topics: Vec<TopicRow>,
    bucket_url: String,
    clock: Arc<dyn Clock>,
}

impl RowsArgs {
    /// Finds them. `bucket_url` is where the bucket is said to be, for a catalog that does not know.
    pub(super) async fn open(&self, bucket_url: Option<&str>) -> Result<Rows, Failure> {
        let Some(url) = &self.catalog else { return Ok(Rows::Broker(AdminClient::new(&self.admin)?)) };
        let clock = SystemClock::shared();
        let opened = Catalog::open_to_read(url, &CatalogOptions::default(), &RealDisk, Arc::clone(&clock)).await;
        let catalog = opened.map_err(|error| match error {
            OpenError::Url { .. } => Failure::usage(error),
            OpenError::Missing { .. } => Failure::new(Exit::NotFound, error),
            OpenError::Storage { ref source, .. } if source.is_damage() => Failure::new(Exit::Wrong, error),
            OpenError::Storage { .. } => Failure::new(Exit::Unreachable, error),
            _ => Failure::failed(error),
        })?;
        let topics = catalog.topics().await.map_err(storage)?;
        let bucket_url = bucket_url.unwrap_or_default().trim_end_matches('/').to_owned();
        Ok(Rows::Catalog(Opened { catalog, topics, bucket_url, clock }))
    }
}

fn storage(error: StorageError) -> Failure {
    Failure::new(Exit::Unreachable, format!("the catalog: {error}"))
}

impl Rows {
    /// Where the bucket is; none where only the user can say.
    pub(super) async fn bucket_url(&self) -> Result<Option<String>, Failure> {
        match self {
            Self::Broker(admin) => Ok(Some(admin.broker().await?.bucket)),
            Self::Catalog(_) => Ok(None),
        }
    }

    /// The partitions that a topic and a number name; all of them where nothing is named.
    pub(super) async fn partitions(
        &self,
        topic: Option<&str>,
        partition: Option<i32>,
    ) -> Result<Vec<ShownTier>, Failure> {
        let mut partitions = match self {
            Self::Broker(admin) => admin.get("/api/tier").await?,
            Self::Catalog(opened) => opened.partitions().await.map_err(storage)?,
        };
        partitions.retain(|tier| topic.is_none_or(|topic| topic == tier.topic));
        if let Some(topic) = topic.filter(|_| partitions.is_empty()) {
            return Err(Failure::new(Exit::NotFound, format!("there is no topic '{topic}'")));
        }
        partitions.retain(|tier| partition.is_none_or(|partition| partition == tier.partition));
        match (partitions.is_empty(), topic, partition) {
            (true, Some(topic), Some(partition)) => {
                Err(Failure::new(Exit::NotFound, format!("topic '{topic}' has no partition {partition}")))
            }
            _ => Ok(partitions),
        }
    }

    /// The same partition as it is now; none where its topic is gone.
    pub(super) async fn partition_now(&self, known: &ShownTier) -> Result<Option<ShownTier>, Failure> {
        match self.partitions(Some(&known.topic), Some(known.partition)).await {
            Ok(found) => Ok(found.into_iter().find(|tier| tier.topic_id == known.topic_id)),
            Err(failure) if failure.exit == Exit::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Whether a segment that was live still is.
    pub(super) async fn is_live(&self, segment: &ShownSegment) -> Result<bool, Failure> {
        let partition = ShownTier {
            topic: segment.topic.clone().unwrap_or_default(),
            topic_id: segment.topic_id.clone(),
            partition: segment.partition,
            ..ShownTier::default()
        };
        match self.live_page(&partition, segment.base_offset).await {
            Ok(page) => Ok(page.segments.iter().any(|row| row.segment_id == segment.segment_id)),
            Err(failure) if failure.exit == Exit::NotFound => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn live_page(&self, partition: &ShownTier, from: i64) -> Result<SegmentsPage, Failure> {
        match self {
            Self::Broker(admin) => {
                let (topic, number) = (query(&partition.topic), partition.partition);
                admin.get(&format!("/api/segments?topic={topic}&partition={number}&from={from}")).await
            }
            Self::Catalog(opened) => opened.live(partition, from).await,
        }
    }

    /// All live segments of a partition, in order.
    pub(super) async fn live(&self, partition: &ShownTier) -> Result<Vec<ShownSegment>, Failure> {
        let mut segments = Vec::new();
        let mut from = 0;
        loop {
            let page = self.live_page(partition, from).await?;
            segments.extend(page.segments);
            match page.next {
                Some(next) => from = next,
                None => return Ok(segments),
            }
        }
    }

    /// Segments of any partition that are on their way in or out.
    pub(super) async fn passing(&self) -> Result<SegmentsPage, Failure> {
        match self {
            Self::Broker(admin) => admin.get("/api/segments/passing").await,
            Self::Catalog(opened) => opened.passing().await.map_err(storage),
        }
    }

    /// Lets go of the catalog.
    pub(super) async fn close(self) {
        if let Self::Catalog(opened) = self {
            opened.catalog.close().await;
        }
    }
}

impl Opened {
    async fn partitions(&self) -> Result<Vec<ShownTier>, StorageError> {
        let mut partitions = Vec::new();
        // Not those that were there when it was opened: one may have been deleted since.
        let topics = self.catalog.topics().await?;
        for topic in topics.iter().filter(|topic| !topic.deleted) {
            for number in 0..topic.partitions {
                let Some(row) = self.catalog.partition(TopicPartition::new(topic.id, number)).await? else { continue };
                partitions.push(ShownTier {
                    topic: topic.name.as_str().to_owned(),
                    topic_id: topic.id.to_string(),
                    partition: number,
                    enabled: row.tiered_to.is_some(),
                    log_start_offset: row.log_start.get(),
                    tiered_to: row.tiered_to.map(Offset::get),
                    ..ShownTier::default()
                });
            }
        }
        Ok(partitions)
    }

    async fn live(&self, partition: &ShownTier, from: i64) -> Result<SegmentsPage, Failure> {
        let id: TopicId = partition.topic_id.parse().map_err(Failure::failed)?;
        let tp = TopicPartition::new(id, partition.partition);
        let rows = self.catalog.live_segments(tp, Offset::new(from), PAGE).await.map_err(storage)?;
        let full = i64::try_from(rows.len()).unwrap_or(PAGE) >= PAGE;
        let next = rows.last().filter(|_| full).map(|last| last.head.end.next().get());
        let segments = rows.into_iter().map(|row| self.shown(SegmentListing::of(row))).collect();
        Ok(SegmentsPage { segments, next, ..SegmentsPage::default() })
    }

    async fn passing(&self) -> Result<SegmentsPage, StorageError> {
        let mut segments = Vec::new();
        for state in [SegmentState::Writing, SegmentState::Deleting] {
            let rows = self.catalog.segments_in_state(state, self.clock.now_ms(), PASSING_MAX).await?;
            segments.extend(rows.into_iter().map(|row| self.shown(SegmentListing::of(row))));
        }
        let truncated = i64::try_from(segments.len()).unwrap_or(PASSING_MAX) >= PASSING_MAX;
        Ok(SegmentsPage { segments, next: None, truncated })
    }

    fn shown(&self, listing: SegmentListing) -> ShownSegment {
        let topic = self.topics.iter().find(|topic| topic.id == listing.tp.topic_id && !topic.deleted);
        ShownSegment::of(listing, topic.map(|topic| topic.name.as_str()), &self.bucket_url)
    }
}
