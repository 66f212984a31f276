//! Layer 3: the log across tiers: router, manifest, Parquet, uploader, reader, cache, deleter.

pub mod digest;
pub mod parquet;
