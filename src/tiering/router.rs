//! Which tier holds an offset: one pure function over one immutable snapshot. Decide first, then read.
//!
//! Local wins where both tiers have an offset: it costs nothing.
//!
//! Invariant: for every offset in `[log_start, log_end]` there is exactly one answer, and none of them is
//! [`Place::OutOfRange`]; outside there is no other.

use std::sync::Arc;

use crate::log::TieredTo;
use crate::model::Offset;

use super::manifest::{Found, Manifest};
use super::remote_segment::RemoteSegment;

/// Where a partition's offsets lie, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The first offset that may be read.
    pub log_start: Offset,
    /// The first offset on local disk.
    pub local_start: Offset,
    /// How much is in the bucket.
    pub tiered: TieredTo,
    /// What is in the bucket.
    pub remote: Manifest,
}

/// Who answers for an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'v> {
    /// The local log.
    Local,
    /// This object.
    Remote(&'v Arc<RemoteSegment>),
    /// The bucket; which object is not in memory and has to be asked of the catalog.
    RemoteUnloaded,
    /// Nobody: it is not in the log.
    OutOfRange,
}

/// Where `offset` lies, in a log that ends at `log_end`.
pub fn locate(view: &View, log_end: Offset, offset: Offset) -> Place<'_> {
    if offset < view.log_start || offset > log_end {
        return Place::OutOfRange;
    }
    if offset >= view.local_start {
        return Place::Local;
    }
    match view.remote.find(offset) {
        Found::Segment(segment) => Place::Remote(segment),
        // A snapshot that knows of nothing there may be old; the catalog decides, and never a guess that the offset is
        // not in the log.
        Found::Nothing | Found::NotLoaded => Place::RemoteUnloaded,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tiering::manifest::Window;
    use crate::tiering::samples::segment;

    /// A log that was tiered in pieces of these lengths, then cut from the front and dropped from local disk.
    /// And the objects that are in memory.
    fn view(
        pieces: &[i64],
        log_start: i64,
        local_start: i64,
        loaded: (usize, usize),
    ) -> (View, Vec<Arc<RemoteSegment>>) {
        let mut base = 0;
        let mut segments = Vec::new();
        for length in pieces {
            segments.push(segment(base, base + length - 1));
            base += length;
        }
        let from = loaded.0.min(segments.len() - 1);
        let to = (from + loaded.1).min(segments.len());
        let part: Vec<_> = segments[from..to].to_vec();
        let mut remote = Manifest::default();
        if let Some(first) = part.first() {
            let first = first.base;
            remote = remote.with(Window::new(first, part.clone(), to == segments.len(), Offset::new(base)));
        }
        let log_start = Offset::new(log_start.min(base));
        let view = View {
            log_start,
            local_start: Offset::new(local_start.min(base)).max(log_start),
            tiered: TieredTo::Known(Offset::new(base)),
            remote: remote.starting_at(log_start),
        };
        (view, part)
    }

    proptest! {
        #[test]
        fn the_answers_tile_the_log(
            pieces in proptest::collection::vec(1i64..20, 1..20),
            log_start in 0i64..200,
            local_start in 0i64..200,
            behind in 0i64..30,
            loaded in (0usize..20, 0usize..20),
        ) {
            let (view, loaded) = view(&pieces, log_start, local_start, loaded);
            let TieredTo::Known(tiered_to) = view.tiered else { unreachable!() };
            let log_end = tiered_to + behind;
            prop_assert_eq!(locate(&view, log_end, view.log_start.prev()), Place::OutOfRange);
            prop_assert_eq!(locate(&view, log_end, log_end.next()), Place::OutOfRange);
            let mut offset = view.log_start;
            let mut before: Option<Offset> = None;
            while offset <= log_end {
                match locate(&view, log_end, offset) {
                    Place::OutOfRange => prop_assert!(false, "{} is in the log", offset),
                    Place::Local => prop_assert!(offset >= view.local_start),
                    Place::RemoteUnloaded => {
                        prop_assert!(offset < view.local_start);
                        prop_assert!(loaded.iter().all(|segment| !segment.holds(offset)), "{} is loaded", offset);
                    }
                    Place::Remote(segment) => {
                        prop_assert!(offset < view.local_start && segment.holds(offset));
                        // The same object for all of its range, and the next begins where it ends.
                        if let Some(end) = before.filter(|end| *end < offset) {
                            prop_assert_eq!(segment.base.max(view.log_start), end.next());
                        }
                        before = Some(segment.end);
                    }
                }
                offset = offset.next();
            }
        }
    }
}
