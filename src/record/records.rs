//! The records of one batch, borrowed from the batch or from what it unfolded to.
//!
//! Invariant: no input panics, and nothing is allocated for a record.

use std::borrow::Cow;

use crate::model::{Offset, TimestampType};

use super::error::BatchError;
use super::header::BatchHeader;
use super::varint::{read_varint, read_varlong};

/// Unpacked records.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    header: BatchHeader,
    bytes: Cow<'a, [u8]>,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'a> {
    /// Where it stands in the partition.
    pub offset: Offset,
    /// Its timestamp; under LogAppendTime that of the batch.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Headers<'a>,
}

/// The headers of a record, in order, duplicates kept. Parsed already, so that iterating cannot fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Headers<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Records<'a> {
    pub(super) fn borrowed(header: BatchHeader, bytes: &'a [u8]) -> Self {
        Self { header, bytes: Cow::Borrowed(bytes) }
    }

    pub(super) fn owned(header: BatchHeader, bytes: Vec<u8>) -> Self {
        Self { header, bytes: Cow::Owned(bytes) }
    }

    /// Bytes of the unpacked records.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// One after the other. Ends after the first error.
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter { header: self.header, rest: &self.bytes, index: 0 }
    }
}

impl<'r> IntoIterator for &'r Records<'_> {
    type Item = Result<Record<'r>, BatchError>;
    type IntoIter = RecordIter<'r>;

    fn into_iter(self) -> RecordIter<'r> {
        self.iter()
    }
}

/// Iterates over [`Records`].
#[derive(Clone, Debug)]
pub struct RecordIter<'r> {
    header: BatchHeader,
    rest: &'r [u8],
    index: i32,
}

impl<'r> Iterator for RecordIter<'r> {
    type Item = Result<Record<'r>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.header.record_count {
            return if std::mem::take(&mut self.rest).is_empty() { None } else { Some(Err(BatchError::Trailing)) };
        }
        let index = self.index;
        self.index += 1;
        let parsed = parse_record(&mut self.rest, &self.header);
        if parsed.is_err() {
            self.index = i32::MAX;
            self.rest = &[];
        }
        Some(parsed.map_err(|reason| BatchError::Record { index, reason }))
    }
}

const CUT: &str = "it is cut";

#[inline]
pub(super) fn parse_record<'r>(rest: &mut &'r [u8], header: &BatchHeader) -> Result<Record<'r>, &'static str> {
    let length = length(varint(rest)?)?;
    let mut body = rest.split_off(..length).ok_or(CUT)?;
    let body = &mut body;
    body.split_off_first().ok_or(CUT)?;
    let Ok(timestamp_delta) = read_varlong(body);
    let timestamp_delta = timestamp_delta.ok_or("its timestamp delta is not a varint")?;
    let offset_delta = varint(body)?;
    let key = bytes_or_null(body)?;
    let value = bytes_or_null(body)?;
    let count = self::length(varint(body)?)?;
    let headers = Headers { count, bytes: body };
    headers.check()?;
    Ok(Record {
        offset: header.base_offset + i64::from(offset_delta),
        timestamp_ms: match header.attributes.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp_ms.wrapping_add(timestamp_delta),
            TimestampType::LogAppendTime => header.max_timestamp_ms,
        },
        key,
        value,
        headers,
    })
}

#[inline]
fn varint(rest: &mut &[u8]) -> Result<i32, &'static str> {
    let Ok(value) = read_varint(rest);
    value.ok_or("a length is not a varint")
}

#[inline]
fn length(value: i32) -> Result<usize, &'static str> {
    usize::try_from(value).map_err(|_| "a length is negative")
}

#[inline]
fn bytes_or_null<'r>(rest: &mut &'r [u8]) -> Result<Option<&'r [u8]>, &'static str> {
    match varint(rest)? {
        // Clients write -1; any negative length is null to Kafka.
        ..0 => Ok(None),
        other => rest.split_off(..length(other)?).ok_or(CUT).map(Some),
    }
}

impl<'a> Headers<'a> {
    /// None.
    pub const NONE: Headers<'static> = Headers { count: 0, bytes: &[] };

    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Names and values. A batch that was accepted by [`super::validate()`] has names in UTF-8.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> + Clone + use<'a> {
        let mut rest = self.bytes;
        let count = self.count;
        (0..count).map_while(move |_| parse_header(&mut rest).ok())
    }

    fn check(&self) -> Result<(), &'static str> {
        let mut rest = self.bytes;
        for _ in 0..self.count {
            parse_header(&mut rest)?;
        }
        if rest.is_empty() { Ok(()) } else { Err("bytes are left over behind its headers") }
    }
}

#[inline]
fn parse_header<'r>(rest: &mut &'r [u8]) -> Result<(&'r str, Option<&'r [u8]>), &'static str> {
    let length = length(varint(rest)?)?;
    let name = rest.split_off(..length).ok_or(CUT)?;
    let name = std::str::from_utf8(name).map_err(|_| "a header's name is not UTF-8")?;
    Ok((name, bytes_or_null(rest)?))
}
