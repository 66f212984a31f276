//! The picture: each partition's offsets as a bar, from the first to the last, and where they were read from.

use std::collections::BTreeMap;
use std::fmt::Write;

use indicatif::HumanCount;

use super::pass::{PartitionPass, Stretch, Tier};

/// Cells of a bar.
const CELLS: i64 = 60;
const BUCKET: char = '█';
const LOCAL: char = '░';
const BLUE: &str = "\x1b[34m";
const GREEN: &str = "\x1b[32m";
const PLAIN: &str = "\x1b[0m";

/// Draws all partitions.
pub(super) fn draw(partitions: &BTreeMap<i32, PartitionPass>, colours: bool) -> String {
    let mut out = String::new();
    let longest = partitions.values().map(|partition| partition.records).max().unwrap_or(0);
    for (number, partition) in partitions {
        let bar = bar(&partition.stretches, longest, colours);
        let end = HumanCount(partition.records.unsigned_abs());
        // Writing to a string does not fail.
        let _ = writeln!(out, "   partition {number}  0 {bar} {end}");
    }
    let _ = writeln!(
        out,
        "\n   {} from the bucket   {} from the broker's disk",
        painted(BUCKET, 1, colours),
        painted(LOCAL, 1, colours)
    );
    out
}

/// One bar, as long as its share of the longest. A cell shows where its first offset lay; the tail, however short, has a
/// cell.
fn bar(stretches: &[Stretch], longest: i64, colours: bool) -> String {
    let mut out = String::new();
    let cell = |offset: i64| if longest > 0 { offset * CELLS / longest } else { 0 };
    let mut drawn = 0;
    for stretch in stretches {
        let to = cell(stretch.offsets.end).max(drawn + 1);
        let glyph = match stretch.tier {
            Tier::Bucket => BUCKET,
            Tier::Local => LOCAL,
        };
        out.push_str(&painted(glyph, usize::try_from(to - drawn).unwrap_or(0), colours));
        drawn = to;
    }
    out
}

fn painted(glyph: char, count: usize, colours: bool) -> String {
    let cells: String = std::iter::repeat_n(glyph, count).collect();
    let colour = if glyph == BUCKET { BLUE } else { GREEN };
    if colours { format!("{colour}{cells}{PLAIN}") } else { cells }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_where_each_range_lay() {
        let stretch = |tier, offsets| Stretch { tier, offsets, bytes: 0 };
        let drawn = bar(&[stretch(Tier::Bucket, 0..500), stretch(Tier::Local, 500..600)], 600, false);
        assert_eq!(drawn, format!("{}{}", "█".repeat(50), "░".repeat(10)));
        let short = bar(&[stretch(Tier::Bucket, 0..599), stretch(Tier::Local, 599..600)], 1200, false);
        assert_eq!(short, format!("{}░", "█".repeat(29)), "half as long, and the tail is seen");
        assert_eq!(bar(&[], 0, false), "");
    }
}
