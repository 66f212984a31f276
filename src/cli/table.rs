//! Tables for people: aligned columns, no lines, so that they can be read, cut and searched.

use std::io::{self, IsTerminal};
use std::time::{Duration, UNIX_EPOCH};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// A table with these columns.
pub fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(columns.to_vec());
    // Lines are broken only where a person looks at them.
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

/// Columns that hold numbers.
pub fn right_align(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The table as text, without blanks at the lines' ends.
pub fn text(table: &Table) -> String {
    let lines = table.to_string();
    let lines = lines.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// So many of something, in the right number.
pub fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// The first millisecond that RFC 3339, with its four digits for a year, cannot write.
const YEAR_10000_MS: u64 = 253_402_300_800_000;

/// A timestamp as people read it; a number where it is none of theirs.
pub fn time(ms: i64) -> String {
    match u64::try_from(ms) {
        Ok(since_1970) if since_1970 < YEAR_10000_MS => {
            humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(since_1970)).to_string()
        }
        _ => ms.to_string(),
    }
}

/// A number, or a dash where there is none.
pub fn or_dash(number: Option<i64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_by_people_where_they_can_be() {
        assert_eq!(time(1_795_725_337_218), "2026-11-26T20:35:37.218Z");
        for none in [-1, i64::MAX, 253_402_300_800_000] {
            assert_eq!(time(none), none.to_string());
        }
        assert_eq!(time(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
        assert_eq!((counted(1, "segment"), counted(2, "segment")), ("1 segment".to_owned(), "2 segments".to_owned()));
    }
}
