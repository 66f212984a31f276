//! What the files of a partition are called: Kafka's names.

use std::path::{Path, PathBuf};

use crate::model::Offset;

/// Batches.
pub(super) const LOG: &str = ".log";
/// Offset index.
pub(super) const OFFSET_INDEX: &str = ".index";
/// Time index.
pub(super) const TIME_INDEX: &str = ".timeindex";
/// Index of aborted transactions.
pub(super) const TRANSACTION_INDEX: &str = ".txnindex";
/// Producer state.
pub(super) const SNAPSHOT: &str = ".snapshot";
/// A file that is about to be removed.
pub(super) const DELETED: &str = ".deleted";
/// Says that the indexes of a segment below the recovery point are being made anew.
pub(super) const REBUILDING: &str = ".rebuilding";
/// A file that is being written.
pub(super) const TEMPORARY: &str = ".tmp";
/// Epochs and the offsets that they begin at.
pub(super) const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
/// Log start, recovery point, high watermark.
pub(super) const CHECKPOINT: &str = "tidelog-checkpoint";

/// Every file of a segment.
pub(super) const SEGMENT_FILES: [&str; 5] = [LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX, REBUILDING];

/// `<offset:020><suffix>` in `dir`.
pub(super) fn file(dir: &Path, offset: Offset, suffix: &str) -> PathBuf {
    dir.join(format!("{:020}{suffix}", offset.get()))
}

/// The offset that a file is named for, if it is named so and ends in `suffix`.
pub(super) fn offset_of(name: &str, suffix: &str) -> Option<Offset> {
    let digits = name.strip_suffix(suffix)?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().ok().map(Offset::new)).flatten()
}

/// The base of the segment that a file was of before it was marked as one that goes.
pub(super) fn marked_base(name: &str) -> Option<Offset> {
    let name = name.strip_suffix(DELETED)?;
    SEGMENT_FILES.iter().find_map(|suffix| offset_of(name, suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        let path = file(Path::new("d"), Offset::new(42), LOG);
        assert_eq!(path, Path::new("d/00000000000000000042.log"));
        assert_eq!(offset_of("00000000000000000042.log", LOG), Some(Offset::new(42)));
        assert_eq!(offset_of("00000000000000000042.log.deleted", LOG), None);
        assert_eq!(marked_base("00000000000000000042.timeindex.deleted"), Some(Offset::new(42)));
        assert_eq!(marked_base("00000000000000000042.timeindex"), None);
        assert_eq!(offset_of("42.log", LOG), None);
        assert_eq!(offset_of("99999999999999999999.log", LOG), None, "no offset");
    }
}
