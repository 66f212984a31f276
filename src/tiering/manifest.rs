//! Which remote segments a partition has: an immutable, ordered view, of which only ranges are in memory.
//!
//! ```text
//!      log start                                             tiered_to
//!          │          ┌── window ──┐          ┌── window ──┐│
//!  ────────┼──────────┼──┬──┬──┬───┼──────────┼──┬──┬──┬───┼┤
//!          │ not loaded  segments    not loaded   segments  │
//! ```
//!
//! Invariants: windows are in order and do not overlap; a window knows every LIVE segment of its range, so an offset
//! inside one is answered without the catalog; at most [`WINDOWS_MAX`] windows of at most [`WINDOW_SEGMENTS_MAX`]
//! segments are kept, whatever the number of segments.

use std::sync::Arc;

use crate::model::Offset;

use super::remote_segment::RemoteSegment;

/// Windows of one partition that stay in memory: a reader's and the next one, another reader's, the newest segments.
pub const WINDOWS_MAX: usize = 4;

/// Segments that are loaded at once.
pub const WINDOW_SEGMENTS_MAX: usize = 64;

/// The segments of `[from, to)`, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    from: Offset,
    to: Offset,
    segments: Vec<Arc<RemoteSegment>>,
}

/// What a manifest says of an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'m> {
    /// The segment that stands for it.
    Segment(&'m Arc<RemoteSegment>),
    /// It lies in a window, and no segment stands for it.
    Nothing,
    /// It lies in no window: ask the catalog.
    NotLoaded,
}

impl Window {
    /// What the catalog answered when it was asked for the segments that end at or above `from`, in order. `complete`
    /// where no more followed; then the window reaches to `tiered_to`.
    pub fn new(from: Offset, segments: Vec<Arc<RemoteSegment>>, complete: bool, tiered_to: Offset) -> Self {
        let first = segments.first().map_or(from, |segment| segment.base.min(from));
        let last = segments.last().map(|segment| segment.end.next());
        let to = if complete { tiered_to.max(last.unwrap_or(tiered_to)) } else { last.unwrap_or(from) };
        Self { from: first, to: to.max(first), segments }
    }

    fn holds(&self, offset: Offset) -> bool {
        self.from <= offset && offset < self.to
    }

    fn find(&self, offset: Offset) -> Option<&Arc<RemoteSegment>> {
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        self.segments.get(after.checked_sub(1)?).filter(|segment| segment.holds(offset))
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.segments.iter().map(|segment| segment.memory_bytes() + size_of::<usize>()).sum::<usize>()
    }
}

/// The windows of one partition at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    windows: Vec<Arc<Window>>,
}

impl Manifest {
    /// What stands for `offset`.
    pub fn find(&self, offset: Offset) -> Found<'_> {
        let after = self.windows.partition_point(|window| window.from <= offset);
        let window = after.checked_sub(1).and_then(|at| self.windows.get(at)).filter(|window| window.holds(offset));
        match window {
            None => Found::NotLoaded,
            Some(window) => window.find(offset).map_or(Found::Nothing, Found::Segment),
        }
    }

    /// The same with what was loaded. Older windows give way, those next to it last.
    #[must_use]
    pub fn with(&self, window: Window) -> Self {
        let mut windows: Vec<Arc<Window>> =
            self.windows.iter().filter(|known| known.to <= window.from || known.from >= window.to).cloned().collect();
        let at = windows.partition_point(|known| known.from < window.from);
        windows.insert(at, Arc::new(window));
        if windows.len() > WINDOWS_MAX {
            // The newest segments stay, and so does what was just loaded and what lies next to it.
            let last = windows.len() - 1;
            let far = (0..last).filter(|place| *place != at).max_by_key(|place| place.abs_diff(at));
            windows.remove(far.unwrap_or(0));
        }
        Self { windows }
    }

    /// The same with a segment behind all others, up to which nothing is missing.
    #[must_use]
    pub fn appended(&self, segment: Arc<RemoteSegment>) -> Self {
        let end = segment.end.next();
        let tail = self.windows.last().filter(|tail| tail.to == segment.base);
        let Some(tail) = tail else {
            return self.with(Window { from: segment.base, to: end, segments: vec![segment] });
        };
        let mut segments = tail.segments.clone();
        segments.push(segment);
        let surplus = segments.len().saturating_sub(WINDOW_SEGMENTS_MAX);
        segments.drain(..surplus);
        let from = if surplus == 0 { tail.from } else { segments.first().map_or(tail.from, |first| first.base) };
        let mut windows = self.windows.clone();
        windows.pop();
        windows.push(Arc::new(Window { from, to: end, segments }));
        Self { windows }
    }

    /// The same without what ends below `log_start`.
    #[must_use]
    pub fn starting_at(&self, log_start: Offset) -> Self {
        let windows = self.windows.iter().filter(|window| window.to > log_start).map(|window| {
            if window.segments.first().is_none_or(|first| first.end >= log_start) {
                return Arc::clone(window);
            }
            let segments: Vec<_> = window.segments.iter().filter(|one| one.end >= log_start).cloned().collect();
            let from = segments.first().map_or(log_start, |first| first.base);
            Arc::new(Window { from, to: window.to, segments })
        });
        Self { windows: windows.collect() }
    }

    /// The same, having forgotten the window that holds `offset`: the catalog is asked again.
    #[must_use]
    pub fn without(&self, offset: Offset) -> Self {
        Self { windows: self.windows.iter().filter(|window| !window.holds(offset)).cloned().collect() }
    }

    /// How many segments are in memory.
    pub fn loaded(&self) -> usize {
        self.windows.iter().map(|window| window.segments.len()).sum()
    }

    /// Memory that it takes, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.windows.iter().map(|window| window.memory_bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiering::samples::segment;

    fn window(ranges: &[(i64, i64)], complete: bool, tiered_to: i64) -> Window {
        let segments: Vec<_> = ranges.iter().map(|&(base, end)| segment(base, end)).collect();
        let from = segments[0].base;
        Window::new(from, segments, complete, Offset::new(tiered_to))
    }

    fn base_of(manifest: &Manifest, offset: i64) -> Option<i64> {
        match manifest.find(Offset::new(offset)) {
            Found::Segment(segment) => Some(segment.base.get()),
            Found::Nothing => Some(-1),
            Found::NotLoaded => None,
        }
    }

    #[test]
    fn only_what_was_loaded_is_answered() {
        let manifest = Manifest::default().with(window(&[(10, 19), (20, 29)], false, 100));
        assert_eq!(base_of(&manifest, 9), None);
        assert_eq!(base_of(&manifest, 10), Some(10));
        assert_eq!(base_of(&manifest, 29), Some(20));
        assert_eq!(base_of(&manifest, 30), None);
        let manifest = manifest.with(window(&[(80, 99)], true, 100));
        assert_eq!((base_of(&manifest, 99), base_of(&manifest, 100)), (Some(80), None));
        assert_eq!(base_of(&manifest.without(Offset::new(15)), 15), None);
        assert_eq!(base_of(&manifest.without(Offset::new(15)), 85), Some(80));
    }

    #[test]
    fn an_appended_segment_is_known_whatever_was_loaded() {
        let empty = Manifest::default().appended(segment(40, 49));
        assert_eq!((base_of(&empty, 39), base_of(&empty, 45)), (None, Some(40)));
        let more = empty.appended(segment(50, 59));
        assert_eq!((base_of(&more, 45), base_of(&more, 59), base_of(&more, 60)), (Some(40), Some(50), None));
        // A rewrite of the tail is loaded over what is known.
        let over = more.with(window(&[(40, 59)], true, 60));
        assert_eq!((base_of(&over, 55), over.loaded()), (Some(40), 1));
    }

    #[test]
    fn what_ends_below_the_log_start_is_forgotten() {
        let manifest = Manifest::default().with(window(&[(0, 9), (10, 19), (20, 29)], true, 30));
        let moved = manifest.starting_at(Offset::new(15));
        assert_eq!((base_of(&moved, 9), base_of(&moved, 15), moved.loaded()), (None, Some(10), 2));
        assert_eq!(manifest.starting_at(Offset::new(30)), Manifest::default());
    }

    #[test]
    fn a_hundred_thousand_segments_take_no_more_than_a_few_windows() {
        let mut manifest = Manifest::default();
        for number in 0..100_000 {
            manifest = manifest.appended(segment(number * 10, number * 10 + 9));
        }
        assert!(manifest.loaded() <= WINDOW_SEGMENTS_MAX);
        let size = i64::try_from(WINDOW_SEGMENTS_MAX).unwrap();
        for from in [0, 50_000, 99_000, 7_000, 20_000, 1_000] {
            let ranges: Vec<_> = (from..from + size).map(|number| (number * 10, number * 10 + 9)).collect();
            manifest = manifest.with(window(&ranges, false, 1_000_000));
            assert_eq!(base_of(&manifest, from * 10), Some(from * 10));
            assert_eq!(base_of(&manifest, 999_999), Some(999_990), "the newest stay");
            assert!(manifest.loaded() <= WINDOWS_MAX * WINDOW_SEGMENTS_MAX);
        }
        assert!(manifest.memory_bytes() < 200_000, "{}", manifest.memory_bytes());
    }
}
