//! Walks the records of a batch once, as a stream: what they are is looked at, nothing of them is kept.
//!
//! Invariant: memory is one buffer, however large the batch or its records; a packed batch is never unfolded whole.

use std::io::{self, BufRead, BufReader, Read};

use crate::model::Codec;
use crate::model::limits::{BATCH_DECOMPRESSED_BYTES_MAX, HEADERS_PER_RECORD_MAX};

use super::codec;
use super::error::BatchError;
use super::varint::{ByteSource, read_varint, read_varlong};
use super::view::BatchView;

/// Plain bytes that are looked at in one go.
const BUFFER_BYTES: usize = 16 * 1024;
/// A header's name is held whole while it is looked at; a longer one is no name.
const HEADER_NAME_BYTES_MAX: usize = 1024 * 1024;

/// What there is to know of a record without keeping it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) offset_delta: i32,
    pub(super) timestamp_delta: i64,
    pub(super) has_key: bool,
    pub(super) names_are_utf8: bool,
    /// Then they were not looked at.
    pub(super) has_too_many_headers: bool,
}

/// Calls `see` for every record of the batch, in order.
pub(super) fn walk(batch: &BatchView<'_>, mut see: impl FnMut(i32, Seen)) -> Result<(), BatchError> {
    let codec = batch.header().attributes.codec()?;
    let count = batch.header().record_count;
    if codec == Codec::None {
        return walk_stream(Plain { from: batch.payload(), left: u64::MAX }, codec, count, &mut see);
    }
    let reader = codec::reader(codec, batch.payload(), BATCH_DECOMPRESSED_BYTES_MAX)?;
    let left = u64::try_from(BATCH_DECOMPRESSED_BYTES_MAX).unwrap_or(u64::MAX);
    walk_stream(Plain { from: BufReader::with_capacity(BUFFER_BYTES, reader), left }, codec, count, &mut see)
}

/// Unpacked bytes, counted.
struct Plain<R> {
    from: R,
    left: u64,
}

/// Why a record was not read to its end.
enum Stop {
    Io(io::Error),
    Bomb,
    Bad(&'static str),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<R: BufRead> ByteSource for Plain<R> {
    type Error = Stop;

    fn byte(&mut self) -> Result<Option<u8>, Stop> {
        let Some(&byte) = self.from.fill_buf()?.first() else { return Ok(None) };
        self.from.consume(1);
        self.left = self.left.checked_sub(1).ok_or(Stop::Bomb)?;
        Ok(Some(byte))
    }
}

impl<R: BufRead> Plain<R> {
    fn skip(&mut self, mut length: u64) -> Result<(), Stop> {
        self.left = self.left.checked_sub(length).ok_or(Stop::Bomb)?;
        while length > 0 {
            let here = self.from.fill_buf()?.len();
            if here == 0 {
                return Err(Stop::Bad(CUT));
            }
            let step = here.min(usize::try_from(length).unwrap_or(usize::MAX));
            self.from.consume(step);
            length -= step as u64;
        }
        Ok(())
    }
}

const CUT: &str = "it is cut";

/// One record's bytes, so that no field reaches behind its end.
struct Body<'p, R> {
    plain: &'p mut Plain<R>,
    left: u64,
}

impl<R: BufRead> ByteSource for Body<'_, R> {
    type Error = Stop;

    fn byte(&mut self) -> Result<Option<u8>, Stop> {
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return Ok(None),
        };
        self.plain.byte()
    }
}

impl<R: BufRead> Body<'_, R> {
    fn varint(&mut self) -> Result<i32, Stop> {
        read_varint(self)?.ok_or(Stop::Bad("a length is not a varint"))
    }

    fn skip(&mut self, length: i32) -> Result<(), Stop> {
        let length = u64::try_from(length).map_err(|_| Stop::Bad("a length is negative"))?;
        self.left = self.left.checked_sub(length).ok_or(Stop::Bad(CUT))?;
        self.plain.skip(length)
    }

    /// Skips bytes or null; says whether there were bytes. Null is -1, and any other negative length, as in Kafka.
    fn skip_nullable(&mut self) -> Result<bool, Stop> {
        match self.varint()? {
            ..0 => Ok(false),
            length => self.skip(length).map(|()| true),
        }
    }

    /// Reads a header's name into `name` and says whether it is UTF-8.
    fn name(&mut self, name: &mut Vec<u8>) -> Result<bool, Stop> {
        let length = usize::try_from(self.varint()?).map_err(|_| Stop::Bad("a header's name is null"))?;
        if length > HEADER_NAME_BYTES_MAX {
            return Err(Stop::Bad("a header's name is longer than a mebibyte"));
        }
        self.left = self.left.checked_sub(length as u64).ok_or(Stop::Bad(CUT))?;
        self.plain.left = self.plain.left.checked_sub(length as u64).ok_or(Stop::Bomb)?;
        name.clear();
        let read = (&mut self.plain.from).take(length as u64).read_to_end(name)?;
        if read < length {
            return Err(Stop::Bad(CUT));
        }
        Ok(std::str::from_utf8(name).is_ok())
    }

    fn record(&mut self, name: &mut Vec<u8>) -> Result<Seen, Stop> {
        self.skip(1)?;
        let timestamp_delta = read_varlong(self)?.ok_or(Stop::Bad("its timestamp delta is not a varint"))?;
        let offset_delta = self.varint()?;
        let has_key = self.skip_nullable()?;
        self.skip_nullable()?;
        let headers = usize::try_from(self.varint()?).map_err(|_| Stop::Bad("its count of headers is negative"))?;
        let has_too_many_headers = headers > HEADERS_PER_RECORD_MAX;
        if has_too_many_headers {
            self.plain.skip(std::mem::take(&mut self.left))?;
        }
        let mut names_are_utf8 = true;
        for _ in 0..if has_too_many_headers { 0 } else { headers } {
            names_are_utf8 &= self.name(name)?;
            self.skip_nullable()?;
        }
        if self.left > 0 {
            return Err(Stop::Bad("bytes are left over behind its headers"));
        }
        Ok(Seen { offset_delta, timestamp_delta, has_key, names_are_utf8, has_too_many_headers })
    }
}

fn walk_stream<R: BufRead>(
    mut plain: Plain<R>,
    codec: Codec,
    count: i32,
    see: &mut impl FnMut(i32, Seen),
) -> Result<(), BatchError> {
    let mut name = Vec::new();
    let stopped = |index: i32, stop: Stop| match stop {
        Stop::Io(error) => codec::refused(codec, &error),
        Stop::Bomb => BatchError::Bomb(BATCH_DECOMPRESSED_BYTES_MAX),
        Stop::Bad(reason) => BatchError::Record { index, reason },
    };
    for index in 0..count {
        let length = read_varint(&mut plain)
            .and_then(|length| length.and_then(|length| u64::try_from(length).ok()).ok_or(Stop::Bad(CUT)))
            .map_err(|stop| stopped(index, stop))?;
        let seen = Body { plain: &mut plain, left: length }.record(&mut name).map_err(|stop| stopped(index, stop))?;
        see(index, seen);
    }
    match plain.byte().map_err(|stop| stopped(count, stop))? {
        None => Ok(()),
        Some(_) => Err(BatchError::Trailing),
    }
}
