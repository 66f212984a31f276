//! Which leader epoch began at which offset: `leader-epoch-checkpoint`, in Kafka's text format.
//!
//! Invariant: epochs and start offsets both rise strictly. (An epoch that no record was appended in is replaced by the
//! next that begins at the same offset.)

use std::fmt::Write as _;

use crate::model::{LeaderEpoch, Offset};

/// An epoch and its first offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The first offset of it.
    pub start: Offset,
}

/// All epochs of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochEntry>,
}

impl LeaderEpochs {
    /// Those entries, as far as they rise.
    pub(super) fn from_entries(entries: impl IntoIterator<Item = EpochEntry>) -> Self {
        let mut epochs = Self::default();
        for entry in entries {
            epochs.begin(entry.epoch, entry.start);
        }
        epochs
    }

    /// Parses Kafka's format; `None` where it is not that.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()?.trim() != "0" {
            return None;
        }
        let count: usize = lines.next()?.trim().parse().ok()?;
        let mut entries: Vec<EpochEntry> = Vec::new();
        for line in lines {
            let (epoch, start) = line.trim().split_once(' ')?;
            let entry =
                EpochEntry { epoch: LeaderEpoch::new(epoch.parse().ok()?), start: Offset::new(start.parse().ok()?) };
            let rises = entries.last().is_none_or(|last| entry.epoch > last.epoch && entry.start > last.start);
            if !rises || entry.epoch < LeaderEpoch::ZERO || entry.start < Offset::ZERO {
                return None;
            }
            entries.push(entry);
        }
        (entries.len() == count).then_some(Self { entries })
    }

    /// Writes Kafka's format.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("0\n{}\n", self.entries.len());
        for entry in &self.entries {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {}", entry.epoch, entry.start);
        }
        text
    }

    /// An epoch begins at `start`. Says whether that is new.
    pub(super) fn begin(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if self.latest().is_some_and(|last| epoch <= last.epoch) {
            return false;
        }
        while self.entries.last().is_some_and(|last| last.start >= start) {
            self.entries.pop();
        }
        self.entries.push(EpochEntry { epoch, start });
        true
    }

    /// The newest.
    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// All of them.
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The epoch that the record at `offset` was appended in.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.entries.partition_point(|entry| entry.start <= offset);
        Some(self.entries.get(after.checked_sub(1)?)?.epoch)
    }

    /// The largest epoch at or below `epoch`, and where it ends (KIP-279); `None` where nothing is known of it.
    pub fn end_offset_for(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        let latest = self.latest()?;
        if epoch == latest.epoch {
            return Some((epoch, log_end));
        }
        if epoch > latest.epoch {
            return None;
        }
        let after = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let next = self.entries.get(after)?;
        match after.checked_sub(1).and_then(|at| self.entries.get(at)) {
            // Older than all that is known: it ended before the first known one began.
            None => Some((epoch, next.start)),
            Some(entry) => Some((entry.epoch, next.start)),
        }
    }

    /// The entries that begin below `base`, none newer than `epoch`.
    pub(super) fn before(&self, base: Offset, epoch: LeaderEpoch) -> Self {
        let is_before = |entry: &&EpochEntry| entry.start < base && entry.epoch <= epoch;
        Self { entries: self.entries.iter().take_while(is_before).copied().collect() }
    }

    /// Forgets what begins at or behind `end`.
    pub(super) fn truncate_to(&mut self, end: Offset) {
        self.entries.retain(|entry| entry.start < end);
    }

    /// Forgets what ended before `start`; the epoch that holds `start` begins there.
    pub(super) fn advance_to(&mut self, start: Offset) {
        let after = self.entries.partition_point(|entry| entry.start <= start);
        if let Some(holds) = after.checked_sub(1) {
            self.entries.drain(..holds);
            if let Some(first) = self.entries.first_mut() {
                first.start = start;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        LeaderEpochs::from_entries(
            entries
                .iter()
                .map(|&(epoch, start)| EpochEntry { epoch: LeaderEpoch::new(epoch), start: Offset::new(start) }),
        )
    }

    #[test]
    fn the_format_is_kafkas() {
        let known = epochs(&[(0, 0), (3, 10), (4, 25)]);
        assert_eq!(known.to_text(), "0\n3\n0 0\n3 10\n4 25\n");
        assert_eq!(LeaderEpochs::parse(&known.to_text()), Some(known));
        for bad in [
            "",
            "1\n0\n",
            "0\n2\n0 0\n",
            "0\n2\n1 5\n1 6\n",
            "0\n2\n1 5\n2 5\n",
            "0\n1\n-1 5\n",
            "0\n1\n1 -5\n",
            "0\n1\nx y\n",
        ] {
            assert_eq!(LeaderEpochs::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn end_offsets_follow_kip_279() {
        let known = epochs(&[(2, 5), (4, 10), (7, 20)]);
        let end = |epoch| {
            known.end_offset_for(LeaderEpoch::new(epoch), Offset::new(30)).map(|(epoch, end)| (epoch.get(), end.get()))
        };
        assert_eq!(end(7), Some((7, 30)));
        assert_eq!(end(8), None);
        assert_eq!(end(5), Some((4, 20)));
        assert_eq!(end(4), Some((4, 20)));
        assert_eq!(end(1), Some((1, 5)));
    }

    #[test]
    fn an_epoch_without_records_gives_way() {
        let mut known = epochs(&[(1, 0), (2, 10)]);
        assert!(known.begin(LeaderEpoch::new(3), Offset::new(10)));
        assert!(!known.begin(LeaderEpoch::new(3), Offset::new(12)));
        assert_eq!(known, epochs(&[(1, 0), (3, 10)]));
        known.advance_to(Offset::new(4));
        assert_eq!(known, epochs(&[(1, 4), (3, 10)]));
        known.truncate_to(Offset::new(10));
        assert_eq!(known, epochs(&[(1, 4)]));
    }
}
