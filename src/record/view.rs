//! A batch where it lies: borrowed bytes whose lengths have been checked.

use crate::model::Codec;
use crate::model::limits::{BATCH_DECOMPRESSED_BYTES_MAX, BATCH_HEADER_BYTES};

use super::codec;
use super::error::BatchError;
use super::header::{BatchHeader, CHECKED_AT, LENGTH_PREFIX_BYTES};
use super::records::Records;

/// Where the records begin.
pub(super) const PAYLOAD_AT: usize = BATCH_HEADER_BYTES;

/// A whole batch. Its checksum has not been looked at until [`BatchView::verify_crc`] is called.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// Parses the batch that `bytes` begin with; more may follow it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        let need = header.size_bytes();
        let bytes = bytes.get(..need).ok_or(BatchError::Cut { have: bytes.len(), need })?;
        Ok(Self { header, bytes })
    }

    /// The header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All of the batch.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records, packed as they are.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(PAYLOAD_AT..).unwrap_or_default()
    }

    /// Compares the checksum with the bytes.
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        let computed = crc32c::crc32c(self.bytes.get(CHECKED_AT..).unwrap_or_default());
        if computed == self.header.crc { Ok(()) } else { Err(BatchError::Crc { stored: self.header.crc, computed }) }
    }

    /// The records, unpacked if need be, with a bound on what they unfold to.
    pub fn records(&self) -> Result<Records<'a>, BatchError> {
        let codec = self.header.attributes.codec()?;
        if codec == Codec::None {
            return Ok(Records::borrowed(self.header, self.payload()));
        }
        let unpacked = codec::decompress(codec, self.payload(), BATCH_DECOMPRESSED_BYTES_MAX)?;
        Ok(Records::owned(self.header, unpacked))
    }
}

/// Consecutive batches. Ends, without an error, at a tail that is cut; what does not parse otherwise is an error, once.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    /// The batches that `bytes` are made of.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read: the cut tail, at the end.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.len() < LENGTH_PREFIX_BYTES {
            return None;
        }
        match BatchView::parse(self.rest) {
            Ok(batch) => {
                self.rest = self.rest.get(batch.bytes.len()..).unwrap_or_default();
                Some(Ok(batch))
            }
            Err(BatchError::Cut { .. }) => None,
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}
