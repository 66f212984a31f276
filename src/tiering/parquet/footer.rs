//! A file's footer, read back: where its row groups lie and what they hold. It is all that is needed to read the rest.
//!
//! Invariant: whoever holds a [`Footer`] may trust its ranges: they lie in order inside the file, and none is larger than a
//! row group may be.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::Schema;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};

use crate::model::{LeaderEpoch, Offset};
use crate::record::control;
use crate::tiering::digest::Digest;

use super::columns::HEADER_LEAF_BYTES;
use super::error::{DecodeError, Difference, FooterError, RebuildError};
use super::footer_json::{FooterWords, KEY};
use super::footer_mark;
use super::guard::guarded;
use super::header::{Run, SegmentHeader};
use super::row_group_index::{RowGroupEntry, RowGroupIndex};
use super::schema::{COLUMNS, HEADER_NAME_LEAF, LAST_LEAF, OFFSET_LEAF, SCHEMA, TIMESTAMP_LEAF};
use super::snapshot;

/// What a row group may unfold to: its cut, and one record as large as the log takes.
pub(super) const ROW_GROUP_UNFOLDED_BYTES_MAX: u64 = (1 << 30) + (64 << 20);
/// What its entries of headers may take of memory, besides their bytes: several times what the cut lets through.
pub(super) const ROW_GROUP_HEADERS_BYTES_MAX: u64 = 256 << 20;
/// Rows that a row group may have: the writer cuts at so many, whatever they hold.
pub(super) const ROW_GROUP_ROWS_MAX: usize = 1 << 20;

/// A footer.
pub struct Footer {
    words: FooterWords,
    runs: Arc<[Run]>,
    row_groups: Vec<RowGroupMeta>,
    reader: ArrowReaderMetadata,
    footer_bytes: usize,
}

impl fmt::Debug for Footer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Footer").field("words", &self.words).finish_non_exhaustive()
    }
}

/// One row group of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowGroupMeta {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The offset behind all that it stands for: where the next row group begins, or behind the end of the file.
    pub next_offset: Offset,
    /// Its records.
    pub rows: usize,
    /// The greatest timestamp of its records.
    pub max_timestamp_ms: i64,
    /// The offset of the first record that has it.
    pub max_timestamp_offset: Offset,
    /// The bytes of the file that a consumer needs.
    pub bytes: Range<u64>,
    /// What they unfold to as columns. Names of headers count once each, however many have them.
    pub unfolded_bytes: u64,
    /// The part of them, at their beginning, that holds offsets and timestamps.
    pub times: Range<u64>,
    pub(super) crc: u32,
    pub(super) times_crc: u32,
}

impl Footer {
    /// Reads it from the last bytes of an object of `object_size_bytes`. [`FooterError::NeedMore`] says how many are
    /// needed where these are too few.
    pub fn parse(object_size_bytes: u64, tail: &[u8]) -> Result<Self, FooterError> {
        let (metadata, footer_bytes) = footer_mark::checked(tail)?;
        let content_end = object_size_bytes
            .checked_sub(footer_bytes as u64)
            .ok_or(FooterError::Inconsistent("the object is smaller than its footer"))?;
        let metadata = guarded(|| ParquetMetaDataReader::decode_metadata(metadata))?;
        let words = words(&metadata)?;
        let reader = guarded(|| reader(Arc::new(metadata)))?;
        let row_groups = row_groups(&words, reader.metadata(), content_end)?;
        let footer = Self { runs: words.runs.as_slice().into(), words, row_groups, reader, footer_bytes };
        footer.check(content_end)?;
        Ok(footer)
    }

    fn check(&self, content_end: u64) -> Result<(), FooterError> {
        let inconsistent = |what| Err(FooterError::Inconsistent(what));
        let words = &self.words;
        if words.header.end_offset < words.header.base_offset {
            return inconsistent("its range ends before it begins");
        }
        if words.record_count != self.row_groups.iter().map(|group| group.rows as u64).sum::<u64>() {
            return inconsistent("its records are not those of its row groups");
        }
        if !self.runs.is_sorted_by(|a, b| a.start_offset < b.start_offset) {
            return inconsistent("its runs are not in order");
        }
        let first = self.row_groups.first().map(|group| group.base_offset);
        if first.is_some_and(|first| self.runs.first().is_none_or(|run| run.start_offset > first)) {
            return inconsistent("its first records belong to no run");
        }
        let behind = self.row_groups.last().map_or(0, |group| group.bytes.end);
        if self.producer_snapshot().is_some_and(|range| range.start < behind || range.end > content_end) {
            return inconsistent("its producer snapshot lies outside the file");
        }
        Ok(())
    }

    /// Which range of which partition the file holds.
    pub fn header(&self) -> &SegmentHeader {
        &self.words.header
    }

    /// Its rows.
    pub fn record_count(&self) -> u64 {
        self.words.record_count
    }

    /// Bytes of the batches that it was made from.
    pub fn log_size_bytes(&self) -> u64 {
        self.words.log_size_bytes
    }

    /// Least and greatest timestamp of the batches that it was made from, those without a record in it included.
    pub fn timestamps_ms(&self) -> (i64, i64) {
        (self.words.min_timestamp_ms, self.words.max_timestamp_ms)
    }

    /// The digest of its records.
    pub fn digest(&self) -> Digest {
        self.words.digest
    }

    /// Which epochs and clocks its offsets belong to.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The run of an offset; the last one for offsets behind it, none before the first.
    pub fn run_at(&self, offset: Offset) -> Option<&Run> {
        run_at(&self.runs, offset)
    }

    /// Its row groups, in offset order.
    pub fn row_groups(&self) -> &[RowGroupMeta] {
        &self.row_groups
    }

    /// The row group to begin at for the records from `offset` on: the first one that ends behind it. `None` where no
    /// record lies at or behind it.
    pub fn row_group_at(&self, offset: Offset) -> Option<usize> {
        let number = self.row_groups.partition_point(|group| group.next_offset <= offset);
        (number < self.row_groups.len()).then_some(number)
    }

    /// What the catalog keeps of it.
    pub fn index(&self) -> RowGroupIndex {
        let entry = |group: &RowGroupMeta| RowGroupEntry {
            base_offset: group.base_offset,
            max_timestamp_ms: group.max_timestamp_ms,
            max_timestamp_offset: group.max_timestamp_offset,
            start: group.bytes.start,
            bytes: u32::try_from(group.bytes.end - group.bytes.start).unwrap_or(u32::MAX),
        };
        RowGroupIndex {
            footer_bytes: u32::try_from(self.footer_bytes).unwrap_or(u32::MAX),
            entries: self.row_groups.iter().map(entry).collect(),
        }
    }

    /// Bytes from the object's end that it takes.
    pub fn footer_bytes(&self) -> usize {
        self.footer_bytes
    }

    /// Memory that it takes, for a cache.
    pub fn memory_bytes(&self) -> usize {
        self.reader.metadata().memory_size() + self.row_groups.len() * size_of::<RowGroupMeta>() + self.footer_bytes
    }

    /// Where the producer snapshot at the end offset lies.
    pub fn producer_snapshot(&self) -> Option<Range<u64>> {
        self.words.producer_snapshot.map(|(start, length)| start..start.saturating_add(length))
    }

    /// Unpacks the bytes of [`Footer::producer_snapshot`].
    pub fn unpack_producer_snapshot(&self, packed: &[u8]) -> Result<Vec<u8>, DecodeError> {
        snapshot::unpack(packed)
    }

    /// What a response holds that would otherwise hold nothing: clients step over it to behind the gap that begins at
    /// `from`, at most to `last` and not beyond the run of `from`. Also says the offset behind it.
    pub fn gap(&self, from: Offset, last: Offset) -> Result<(Bytes, Offset), RebuildError> {
        let epoch = self.run_at(from).map_or(LeaderEpoch::new(-1), |run| run.leader_epoch);
        let last = last.min(run_end(&self.runs, from)).max(from);
        let batch = control::gap(from, last, epoch)
            .map_err(|error| RebuildError::Batch { base_offset: from, reason: error.to_string() })?;
        Ok((batch.bytes().clone(), batch.header().next_offset()))
    }

    /// Whether it says what was to be written.
    pub(super) fn is(&self, words: &FooterWords) -> Result<(), Difference> {
        if self.words == *words { Ok(()) } else { Err(Difference::Footer("words")) }
    }

    pub(super) fn reader(&self) -> &ArrowReaderMetadata {
        &self.reader
    }

    pub(super) fn shared_runs(&self) -> Arc<[Run]> {
        Arc::clone(&self.runs)
    }
}

/// The run of an offset.
pub(super) fn run_at(runs: &[Run], offset: Offset) -> Option<&Run> {
    runs.partition_point(|run| run.start_offset <= offset).checked_sub(1).and_then(|at| runs.get(at))
}

/// The last offset of the run of `offset`.
pub(super) fn run_end(runs: &[Run], offset: Offset) -> Offset {
    let after = runs.partition_point(|run| run.start_offset <= offset);
    runs.get(after).map_or(Offset::MAX, |next| next.start_offset.prev())
}

fn words(metadata: &ParquetMetaData) -> Result<FooterWords, FooterError> {
    let pairs = metadata.file_metadata().key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    let ours = pairs.iter().find(|pair| pair.key == KEY).and_then(|pair| pair.value.as_deref());
    FooterWords::decode(ours.ok_or(FooterError::NotOurs)?)
}

/// Has the decoder give views for what ours are, whatever columns follow them.
pub(super) fn reader(metadata: Arc<ParquetMetaData>) -> Result<ArrowReaderMetadata, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let found = ArrowReaderMetadata::try_new(Arc::clone(&metadata), options.clone())?;
    let ours = SCHEMA.fields();
    let names = |fields: &arrow::datatypes::Fields| {
        fields.iter().take(COLUMNS).map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    if names(found.schema().fields()) != names(ours) {
        return Err(ParquetError::General("the columns are not those of a segment".to_owned()));
    }
    let later = found.schema().fields().iter().skip(COLUMNS);
    let wanted = Schema::new(ours.iter().chain(later).cloned().collect::<Vec<_>>());
    ArrowReaderMetadata::try_new(metadata, options.with_schema(Arc::new(wanted)))
}

fn row_groups(
    words: &FooterWords,
    metadata: &ParquetMetaData,
    content_end: u64,
) -> Result<Vec<RowGroupMeta>, FooterError> {
    if metadata.num_row_groups() != words.row_groups.len() {
        return Err(FooterError::Inconsistent("it has two counts of row groups"));
    }
    let mut groups = Vec::with_capacity(words.row_groups.len());
    let mut lowest = (words.header.base_offset, 0);
    for (number, (ours, parquets)) in words.row_groups.iter().zip(metadata.row_groups()).enumerate() {
        let behind = words.header.next_offset();
        let next_offset = words.row_groups.get(number + 1).map_or(behind, |next| next.base_offset);
        let (bytes, times) = ranges(parquets)?;
        if ours.base_offset < lowest.0 || next_offset <= ours.base_offset || next_offset > behind {
            return Err(FooterError::Inconsistent("its row groups are not in the order of their offsets"));
        }
        if bytes.start < lowest.1 || bytes.end > content_end {
            return Err(FooterError::Inconsistent("its row groups lie outside the file or over one another"));
        }
        lowest = (next_offset, bytes.end);
        groups.push(RowGroupMeta {
            base_offset: ours.base_offset,
            next_offset,
            rows: usize::try_from(parquets.num_rows())
                .ok()
                .filter(|&rows| rows <= ROW_GROUP_ROWS_MAX)
                .ok_or(FooterError::Inconsistent("a row group has more rows than any"))?,
            max_timestamp_ms: ours.max_timestamp_ms,
            max_timestamp_offset: ours.max_timestamp_offset,
            bytes,
            unfolded_bytes: unfolded_bytes(parquets),
            times,
            crc: ours.crc,
            times_crc: ours.times_crc,
        });
    }
    Ok(groups)
}

/// What a row group unfolds to. Parquet's sizes say nothing of how many headers there are: those without a name and a value
/// take next to no bytes.
fn unfolded_bytes(group: &RowGroupMetaData) -> u64 {
    let sizes = group.columns().iter().map(|column| u64::try_from(column.uncompressed_size()).unwrap_or(0));
    sizes.fold(headers_bytes(group), u64::saturating_add)
}

/// What headers take besides their bytes, those beyond one a row: a row without any has an entry too.
pub(super) fn headers_bytes(group: &RowGroupMetaData) -> u64 {
    let leaves = group.columns().get(HEADER_NAME_LEAF..=LAST_LEAF).unwrap_or_default();
    let entries = leaves.iter().map(|leaf| leaf.num_values().saturating_sub(group.num_rows()));
    let entries = entries.fold(0, |sum, count| u64::try_from(count).unwrap_or(0).saturating_add(sum));
    entries.saturating_mul(HEADER_LEAF_BYTES as u64)
}

/// What a consumer reads of a row group, and the part of it with offsets and timestamps.
pub(super) fn ranges(group: &RowGroupMetaData) -> Result<(Range<u64>, Range<u64>), FooterError> {
    let inconsistent = FooterError::Inconsistent;
    let mut end = None;
    let mut unfolded = 0u64;
    let mut start = 0;
    let mut times_end = 0;
    for (leaf, column) in group.columns().iter().enumerate() {
        let from = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let to = from.checked_add(column.compressed_size()).filter(|&to| 0 <= from && from < to);
        let (from, to) = (from, to.ok_or(inconsistent("a column has no bytes"))?);
        let size = u64::try_from(column.uncompressed_size()).map_err(|_| inconsistent("a negative size"))?;
        unfolded = size.saturating_add(unfolded);
        if leaf > LAST_LEAF {
            break;
        }
        if end.is_some_and(|end| end != from) {
            return Err(inconsistent("the columns of a row group are not one run"));
        }
        end = Some(to);
        match leaf {
            OFFSET_LEAF => start = from,
            TIMESTAMP_LEAF => times_end = to,
            _ => {}
        }
    }
    if group.columns().len() <= LAST_LEAF {
        return Err(inconsistent("a row group lacks columns"));
    }
    if unfolded > ROW_GROUP_UNFOLDED_BYTES_MAX {
        return Err(inconsistent("a row group unfolds to more than any"));
    }
    let wide = |at: i64| u64::try_from(at).map_err(|_| inconsistent("a negative position"));
    let end = wide(end.unwrap_or(0))?;
    let start = wide(start)?;
    if end - start > u64::from(u32::MAX) {
        return Err(inconsistent("a row group is larger than any"));
    }
    Ok((start..end, start..wide(times_end)?))
}
