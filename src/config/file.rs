//! A file of properties, as Java writes and Kafka reads them: `name = value`, `name: value`, `#` and `!` before comments,
//! a backslash before a line's end goes on in the next, `\u0041`.

use std::path::Path;

use java_properties::{LineContent, PropertiesIter};

use super::error::ConfigError;
use super::origin::{Assignment, Origin};

/// Reads a file of settings, in its order.
pub fn read(path: &Path) -> Result<Vec<Assignment>, ConfigError> {
    let bytes = std::fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(path, &bytes)
}

/// The settings in the bytes of a file.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Assignment>, ConfigError> {
    let mut settings = Vec::new();
    for line in PropertiesIter::new(without_comments(bytes).as_slice()) {
        let line = line.map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: error.line_number().unwrap_or(0),
            reason: error.to_string(),
        })?;
        let number = line.line_number();
        let LineContent::KVPair(name, value) = line.consume_content() else { continue };
        let origin = Origin::File { path: path.to_owned(), line: number };
        settings.push(Assignment::new(&name, &value, origin));
    }
    Ok(settings)
}

/// The same lines, comments emptied: the parser would look for escapes in them, which Java does not.
fn without_comments(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut goes_on = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        let is_comment = !goes_on && matches!(text.first(), Some(b'#' | b'!'));
        if is_comment {
            kept.push(b'\n');
            continue;
        }
        let end = line.strip_suffix(b"\n").unwrap_or(line);
        let end = end.strip_suffix(b"\r").unwrap_or(end);
        goes_on = end.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
        kept.extend_from_slice(line);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, usize)> {
        let line = |origin| match origin {
            Origin::File { line, .. } => line,
            _ => 0,
        };
        let settings = parse(Path::new("server.properties"), text.as_bytes()).unwrap();
        settings.into_iter().map(|s| (s.name, s.value, line(s.origin))).collect()
    }

    #[test]
    fn what_java_takes_is_taken() {
        let text =
            "# C:\\users\\me \\\n! another\n\nnum.partitions = 3 \nlog.dirs:/a\\\n  /b\nbroker.rack=\\u0041\nempty=\n";
        let expected = [("num.partitions", "3", 4), ("log.dirs", "/a/b", 5), ("broker.rack", "A", 7), ("empty", "", 8)];
        let expected: Vec<_> = expected.iter().map(|(n, v, line)| ((*n).to_owned(), (*v).to_owned(), *line)).collect();
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn a_bad_escape_is_told_with_its_line() {
        let error = parse(Path::new("x.properties"), b"a=1\nb=\\uZZ\n").unwrap_err().to_string();
        assert!(error.starts_with("x.properties, line 2: "), "{error}");
    }
}
