//! How much work a batch may make before it is appended, judged by what it cannot exceed: whoever waits for a connection's
//! thread must not wait for eight kilobytes that unfold to a quarter of a gigabyte.

use crate::model::Codec;
use crate::model::topic_config::TopicCompression;
use crate::record::BatchView;

/// Bytes that are looked through at once, on the thread of the connection: about a millisecond.
pub const WORK_HERE_BYTES_MAX: usize = 1024 * 1024;
/// What packing anew costs beside looking through.
const PACKING: usize = 16;

/// Bytes that have to be looked through, at most.
pub fn work_bytes(records: &[u8], compression: TopicCompression) -> usize {
    let Ok(batch) = BatchView::parse(records) else { return records.len() };
    let Ok(codec) = batch.header().attributes.codec() else { return records.len() };
    let unfolded = batch.payload().len().saturating_mul(unfolds_to(codec));
    match compression {
        TopicCompression::Fixed(own, _) if own != codec => unfolded.saturating_mul(PACKING),
        TopicCompression::Fixed(..) | TopicCompression::Producer => unfolded,
    }
}

/// How many bytes one packed byte may stand for, by the codec's format.
const fn unfolds_to(codec: Codec) -> usize {
    match codec {
        Codec::None => 1,
        Codec::Snappy => 32,
        Codec::Lz4 => 256,
        Codec::Gzip => 1_100,
        // Four bytes are a block of 128 KiB.
        Codec::Zstd => 32 * 1024,
    }
}
