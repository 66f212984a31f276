//! Random operations on a log and on a vector: both must agree after each of them.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append(u32),
    Roll,
    Sync,
    Checkpoint,
    Close,
    Crash,
    Truncate(prop::sample::Index),
    DeleteBelow(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (1u32..6).prop_map(Step::Append),
        1 => Just(Step::Roll),
        2 => Just(Step::Sync),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Close),
        1 => Just(Step::Crash),
        1 => any::<prop::sample::Index>().prop_map(Step::Truncate),
        1 => any::<prop::sample::Index>().prop_map(Step::DeleteBelow),
    ]
}

/// What the log should hold.
#[derive(Default)]
struct Expected {
    rows: Vec<(Offset, String)>,
    /// Base offsets of batches.
    bases: Vec<Offset>,
    start: Offset,
    end: Offset,
}

impl Expected {
    fn append(&mut self, name: u32, count: u32) {
        self.bases.push(self.end);
        for n in 0..count {
            self.rows.push((self.end, format!("{name}/{n}")));
            self.end = self.end.next();
        }
    }

    fn truncate(&mut self, to: Offset) {
        if to >= self.end {
            return;
        }
        let kept = self.bases.partition_point(|base| *base <= to).saturating_sub(1);
        self.end = self.bases.get(kept).copied().unwrap_or(self.start);
        self.bases.truncate(kept);
        self.rows.retain(|(offset, _)| *offset < self.end);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_log_is_a_vector(steps in proptest::collection::vec(step(), 1..60)) {
        let bench = Bench::new();
        let mut log = bench.open();
        let mut expected = Expected::default();
        for (name, step) in (0u32..).zip(steps) {
            match step {
                Step::Append(count) => {
                    let appended = log.append(&batch(name, count), EPOCH, 0).unwrap();
                    prop_assert_eq!(appended.base_offset, expected.end);
                    expected.append(name, count);
                }
                Step::Roll => { log.roll().unwrap(); }
                Step::Sync => { prop_assert_eq!(log.sync().unwrap(), expected.end); }
                Step::Checkpoint => { prop_assert_eq!(log.checkpoint().unwrap(), expected.end); }
                Step::Close => {
                    log.close().unwrap();
                    drop(log);
                    let (opened, report) = bench.open_reporting();
                    prop_assert_eq!(report, RecoveryReport::default(), "nothing to recover");
                    log = opened;
                }
                Step::Crash => {
                    drop(log);
                    log = bench.open();
                    prop_assert_eq!(log.stable_end(), expected.end);
                }
                Step::Truncate(index) => {
                    let span = usize::try_from(expected.end - expected.start).unwrap();
                    let to = expected.start + i64::try_from(index.index(span + 1)).unwrap();
                    expected.truncate(to);
                    prop_assert_eq!(log.truncate_to(to, 0).unwrap(), expected.end);
                }
                Step::DeleteBelow(index) => {
                    log.sync().unwrap();
                    let sealed: Vec<_> = log.segments().iter().filter(|segment| segment.sealed).map(|segment| segment.end).collect();
                    if !sealed.is_empty() {
                        let to = sealed[index.index(sealed.len())];
                        log.advance_log_start(to).unwrap();
                        log.delete_segments_below(to, 0).unwrap();
                        expected.start = to;
                        expected.rows.retain(|(offset, _)| *offset >= to);
                        expected.bases.retain(|base| *base >= to);
                    }
                }
            }
            prop_assert_eq!(log.log_end_offset(), expected.end);
            prop_assert_eq!(log.local_start_offset(), expected.start);
            prop_assert_eq!(&values(&log, expected.start), &expected.rows);
        }
        for (offset, _) in &expected.rows {
            let slice = log.read(*offset, 1, expected.end, true).unwrap().unwrap();
            prop_assert!(slice.base_offset <= *offset);
        }
        // No bound is ever passed, wherever it lies between batches.
        for bound in &expected.bases {
            if let Some(slice) = log.read(expected.start, usize::MAX, *bound, true).unwrap() {
                let mut bytes = vec![0; slice.length];
                slice.file.read_exact_at(&mut bytes, slice.position).unwrap();
                let last = crate::record::Batches::new(&bytes).last().unwrap().unwrap().header().next_offset();
                prop_assert!(last <= *bound);
            }
        }
    }
}
