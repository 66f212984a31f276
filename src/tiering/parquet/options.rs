//! How a file is written.

use crate::model::limits::ROW_GROUP_DECODED_BYTES;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterOptions {
    /// Zstandard's level. 3 is a few percent smaller on some data, at 1.3 to 1.5 times the CPU.
    pub zstd_level: i32,
    /// A row group is cut at the record that reaches so many decoded bytes.
    pub row_group_bytes: usize,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { zstd_level: 1, row_group_bytes: ROW_GROUP_DECODED_BYTES }
    }
}
