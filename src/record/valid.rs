//! A batch that may be appended: whoever holds one knows that it parses, that its checksum is right, and that what is in
//! it can be tiered. Only [`super::validate()`] and the builder make one.

use bytes::Bytes;

use super::header::BatchHeader;

/// An accepted batch. Base offset and leader epoch are what the producer sent; the append writes its own.
#[derive(Clone, Debug)]
pub struct ValidBatch {
    header: BatchHeader,
    bytes: Bytes,
}

impl ValidBatch {
    pub(super) fn new(header: BatchHeader, bytes: Bytes) -> Self {
        debug_assert_eq!(header.size_bytes(), bytes.len());
        Self { header, bytes }
    }

    /// The header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All of it.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// From magic and checksum on: what an append writes unchanged behind [`BatchHeader::prefix`].
    pub fn unchanged(&self) -> &[u8] {
        self.bytes.get(16..).unwrap_or_default()
    }

    /// The same under LogAppendTime: every record has this timestamp. The checksum is computed anew, on a copy.
    #[must_use]
    pub fn stamped(&self, now_ms: i64) -> Self {
        let mut header = self.header;
        header.attributes = header.attributes.with_timestamp_type(crate::model::TimestampType::LogAppendTime);
        header.max_timestamp_ms = now_ms;
        super::builder::sealed(header, self.bytes.get(super::view::PAYLOAD_AT..).unwrap_or_default())
    }
}
