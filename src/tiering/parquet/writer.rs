//! The log's batches of a range → one file, streamed, every row group decoded again and compared before its bytes are
//! given out.
//!
//! Invariants: records of aborted transactions and control batches are left out, and nothing else; memory is a row group's
//! source, its columns and its decoded twin, and the bytes that were not taken yet.

use std::sync::Arc;

use arrow::array::cast::AsArray as _;
use arrow::array::{Array as _, ArrayRef};
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, RowGroupMetaData};

use crate::model::{Offset, TimestampType};
use crate::record::{BatchHeader, BatchView};
use crate::tiering::digest::{Digest, RecordDigest};
use crate::tiering::huge::Turns;

use super::aborted::Aborted;
use super::decode::{self, Window};
use super::encode::{EncodedRowGroup, Encoder};
use super::error::{Difference, WriteError};
use super::footer::{self, Footer, ROW_GROUP_ROWS_MAX};
use super::footer_json::{FooterWords, KEY, RowGroupWords};
use super::header::{Run, SegmentHeader};
use super::options::WriterOptions;
use super::row_group::RowGroup;
use super::row_group_index::RowGroupIndex;
use super::schema::LAST_LEAF;
use super::snapshot;
use super::source::{Bound, Feed, SLAB_BYTES, Source, Taken};
use super::verify::Comparison;

/// Parquet numbers row groups in 16 bits.
const ROW_GROUPS_MAX: usize = 32_767;

/// Writes one file.
#[derive(Debug)]
pub struct SegmentWriter {
    header: SegmentHeader,
    aborted: Aborted,
    encoder: Encoder,
    source: Source,
    collected: Collected,
    runs: Vec<Run>,
    row_groups: Vec<RowGroupWords>,
    digest: RecordDigest,
    ready: Vec<Bytes>,
    turns: Turns,
    counted: Totals,
}

/// The source of the row group that is being written.
#[derive(Debug)]
struct Collected {
    slabs: Vec<Taken>,
    /// What is left of the row group, in decoded bytes and rows.
    left: Bound,
    full: Bound,
}

/// What is counted over the whole file.
#[derive(Clone, Copy, Debug)]
struct Totals {
    size_bytes: u64,
    log_size_bytes: u64,
    record_count: u64,
    min_timestamp_ms: i64,
    max_timestamp_ms: i64,
    /// The last offset of the batches so far.
    last: Option<Offset>,
}

/// A file that was written and read back.
#[derive(Debug)]
pub struct FinishedSegment {
    /// Its last bytes, behind all that was taken before.
    pub rest: Vec<Bytes>,
    /// Its size.
    pub object_size_bytes: u64,
    /// Bytes of the source batches.
    pub log_size_bytes: u64,
    /// Its rows.
    pub record_count: u64,
    /// Least timestamp of the source batches; -1 where there was none.
    pub min_timestamp_ms: i64,
    /// Greatest timestamp of the source batches; -1 where there was none.
    pub max_timestamp_ms: i64,
    /// What the catalog keeps of its row groups.
    pub index: RowGroupIndex,
    /// The digest of its records.
    pub digest: Digest,
    /// Its footer, as it was read back.
    pub footer: Footer,
}

impl SegmentWriter {
    /// Begins a file. Batches of `aborted` transactions are left out.
    pub fn new(header: SegmentHeader, aborted: Aborted, options: &WriterOptions) -> Result<Self, WriteError> {
        let full = Bound { bytes: options.row_group_bytes.max(1), rows: ROW_GROUP_ROWS_MAX };
        let collected = Collected { slabs: Vec::new(), left: full, full };
        Ok(Self {
            header,
            aborted,
            encoder: Encoder::new(options)?,
            source: Source::new(collected.next()),
            collected,
            runs: Vec::new(),
            row_groups: Vec::new(),
            digest: RecordDigest::default(),
            ready: Vec::new(),
            turns: Turns::default(),
            counted: Totals {
                size_bytes: 0,
                log_size_bytes: 0,
                record_count: 0,
                min_timestamp_ms: i64::MAX,
                max_timestamp_ms: i64::MIN,
                last: None,
            },
        })
    }

    /// Has it wait for its turn before it unpacks a record that is huge.
    #[must_use]
    pub fn taking_turns(mut self, turns: Turns) -> Self {
        self.turns = turns;
        self
    }

    /// Takes the next batch of the log, whatever is in it. The first may begin below the range: what lies before it is
    /// left out. After an error the file is of no use.
    pub fn push(&mut self, batch: &BatchView<'_>) -> Result<(), WriteError> {
        let header = batch.header();
        let base_offset = header.base_offset;
        batch.verify_crc().map_err(|source| WriteError::Batch { base_offset, source })?;
        let last = self.counted.last.unwrap_or_else(|| self.header.base_offset.prev());
        if header.last_offset() <= last || self.counted.last.is_some_and(|last| base_offset <= last) {
            return Err(WriteError::Order { offset: base_offset, last });
        }
        if header.last_offset() > self.header.end_offset {
            return Err(WriteError::OutOfRange { offset: header.last_offset(), end: self.header.end_offset });
        }
        let left_out = header.attributes.is_control() || self.aborted.holds(header);
        self.note(batch, left_out);
        if !left_out {
            let mut feed = Feed::new(batch, self.header.base_offset, self.header.end_offset, last)?;
            let turns = self.turns.clone();
            let mut turn = None;
            loop {
                let take_turn = || {
                    turn.get_or_insert_with(|| turns.wait());
                };
                if !self.source.fill(&mut feed, take_turn)? {
                    break;
                }
                self.cut(false)?;
            }
        }
        Ok(())
    }

    /// The bytes that are ready: the file's next ones.
    pub fn take(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.ready)
    }

    /// Ends the file. `producers` is the producer snapshot at the end of the range; empty where there is none.
    pub fn finish(mut self, producers: &[u8]) -> Result<FinishedSegment, WriteError> {
        self.cut(true)?;
        let mut producer_snapshot = None;
        if !producers.is_empty() {
            let packed = snapshot::pack(producers).map_err(ParquetError::from)?;
            producer_snapshot = Some((self.encoder.position(), packed.len() as u64));
            self.encoder.skipped(&packed)?;
        }
        let nothing = self.counted.last.is_none();
        let words = FooterWords {
            header: self.header,
            record_count: self.counted.record_count,
            log_size_bytes: self.counted.log_size_bytes,
            min_timestamp_ms: if nothing { -1 } else { self.counted.min_timestamp_ms },
            max_timestamp_ms: if nothing { -1 } else { self.counted.max_timestamp_ms },
            runs: self.runs,
            row_groups: self.row_groups,
            digest: self.digest.finish(),
            producer_snapshot,
        };
        let end = self.encoder.finish(KEY, words.encode())?;
        let object_size_bytes = self.counted.size_bytes + end.len() as u64;
        let footer = Footer::parse(object_size_bytes, &end)?;
        footer.is(&words)?;
        let mut rest = self.ready;
        rest.push(end);
        Ok(FinishedSegment {
            rest,
            object_size_bytes,
            log_size_bytes: words.log_size_bytes,
            record_count: words.record_count,
            min_timestamp_ms: words.min_timestamp_ms,
            max_timestamp_ms: words.max_timestamp_ms,
            index: footer.index(),
            digest: words.digest,
            footer,
        })
    }

    /// Counts a batch, and begins a run where it is another's.
    fn note(&mut self, batch: &BatchView<'_>, left_out: bool) {
        let header = batch.header();
        self.counted.last = Some(header.last_offset());
        self.counted.log_size_bytes += batch.bytes().len() as u64;
        self.counted.max_timestamp_ms = self.counted.max_timestamp_ms.max(header.max_timestamp_ms);
        self.counted.min_timestamp_ms = self.counted.min_timestamp_ms.min(first_timestamp(header));
        let before = self.runs.last();
        let run = Run {
            start_offset: before.map_or(self.header.base_offset, |_| header.base_offset),
            leader_epoch: header.leader_epoch,
            // A batch that is left out says nothing of the clock: markers are always stamped by the broker.
            timestamp_type: match before {
                Some(before) if left_out => before.timestamp_type,
                _ => header.attributes.timestamp_type(),
            },
        };
        let same = |other: &Run| (other.leader_epoch, other.timestamp_type) == (run.leader_epoch, run.timestamp_type);
        if !before.is_some_and(same) {
            self.runs.push(run);
        }
    }

    /// Encodes the slab that was filled, and ends its row group where that is full or has to.
    fn cut(&mut self, last: bool) -> Result<(), WriteError> {
        let left = &mut self.collected.left;
        left.bytes = left.bytes.saturating_sub(self.source.decoded_bytes());
        left.rows = left.rows.saturating_sub(self.source.rows());
        let ends = last || left.bytes == 0 || left.rows == 0;
        if ends {
            self.collected.left = self.collected.full;
        }
        let (rows, taken) =
            self.source.cut(self.header.partition, self.collected.next()).map_err(ParquetError::from)?;
        if rows.num_rows() > 0 {
            self.encoder.write(&rows)?;
        }
        drop(rows);
        self.collected.slabs.push(taken);
        if ends { self.end_row_group() } else { Ok(()) }
    }

    /// Writes what was encoded as a row group, and takes it only when it reads back as its source.
    fn end_row_group(&mut self) -> Result<(), WriteError> {
        if self.row_groups.len() >= ROW_GROUPS_MAX {
            return Err(WriteError::TooManyRowGroups(ROW_GROUPS_MAX));
        }
        let Some(encoded) = self.encoder.row_group()? else { return Ok(()) };
        let words = self.read_back(&encoded)?;
        self.row_groups.push(words);
        for taken in std::mem::take(&mut self.collected.slabs) {
            self.source.reuse(taken);
        }
        self.counted.size_bytes += encoded.bytes.len() as u64;
        self.ready.push(encoded.bytes);
        Ok(())
    }

    /// Decodes a row group from its bytes, as a reader will from the bucket's, and compares it with its source. A slab's
    /// worth at a time, which stays in the cache.
    fn read_back(&mut self, encoded: &EncodedRowGroup) -> Result<RowGroupWords, WriteError> {
        let reader = footer::reader(Arc::new(alone(encoded.metadata.clone())))?;
        let (bytes, times) = footer::ranges(&encoded.metadata)?;
        let window = Window { start: encoded.start, bytes: encoded.bytes.clone() };
        let rows = usize::try_from(encoded.metadata.num_rows()).unwrap_or(0);
        let part_rows = rows.div_ceil(self.collected.slabs.len().max(1));
        let mut parts = decode::parts(&reader, 0, window, 0..LAST_LEAF + 1, part_rows)?;
        let records = self.collected.slabs.iter().flat_map(Taken::records);
        let mut comparison = Comparison::new(records, &mut self.digest);
        let runs: Arc<[Run]> = Arc::new([]);
        while let Some(columns) = parts.next()? {
            if !is_everywhere(columns.columns().first(), self.header.partition) {
                return Err(Difference::Partition.into());
            }
            let columns = columns.project(&[1, 2, 3, 4, 5]).map_err(ParquetError::from)?;
            let within = self.header.base_offset..self.header.next_offset();
            comparison.part(&RowGroup::new(&columns, Arc::clone(&runs), &within)?)?;
        }
        let counted = comparison.finish()?;
        self.counted.record_count += counted.rows as u64;
        self.counted.min_timestamp_ms = self.counted.min_timestamp_ms.min(counted.min_timestamp_ms);
        Ok(RowGroupWords {
            base_offset: counted.base_offset,
            max_timestamp_ms: counted.max_timestamp_ms,
            max_timestamp_offset: counted.max_timestamp_offset,
            times_crc: crc32c::crc32c(&encoded.slice(&times)?),
            crc: crc32c::crc32c(&encoded.slice(&bytes)?),
        })
    }
}

impl Collected {
    /// What fills the next slab.
    fn next(&self) -> Bound {
        Bound { bytes: self.left.bytes.min(SLAB_BYTES), rows: self.left.rows }
    }
}

/// Whether a column of numbers holds this one in every row.
fn is_everywhere(column: Option<&ArrayRef>, number: i32) -> bool {
    let numbers = column.and_then(|column| column.as_primitive_opt::<Int32Type>());
    numbers.is_some_and(|numbers| numbers.null_count() == 0 && numbers.values().iter().all(|&other| other == number))
}

/// The least timestamp that a header tells of.
fn first_timestamp(header: &BatchHeader) -> i64 {
    match header.attributes.timestamp_type() {
        TimestampType::CreateTime => header.base_timestamp_ms.min(header.max_timestamp_ms),
        TimestampType::LogAppendTime => header.max_timestamp_ms,
    }
}

/// The metadata of a file with this row group only.
pub(super) fn alone(row_group: RowGroupMetaData) -> ParquetMetaData {
    let schema = row_group.schema_descr_ptr();
    let file = FileMetaData::new(1, row_group.num_rows(), None, None, schema, None);
    ParquetMetaData::new(file, vec![row_group])
}
