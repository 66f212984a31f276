//! The two kinds of text that name things in a bucket: one object's key, and the beginning that several keys share.
//!
//! Invariants: both are relative to the bucket's own prefix, so a bucket can be copied under another one; a key has
//! no empty, `.` or `..` part, so that it is a path on a file system and in a URL alike; a prefix is empty or ends
//! with `/`, so that it never matches half a name.

use std::fmt;
use std::sync::Arc;

/// The longest key that S3 takes, the bucket's own prefix included.
pub const KEY_BYTES_MAX: usize = 1024;

/// The longest part that common file systems take, less room for the suffix of an unfinished file.
pub(crate) const PART_BYTES_MAX: usize = 249;

/// Names one object, relative to the bucket's prefix.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Arc<str>);

/// The text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not an object key: {why}")]
pub struct BadKey {
    text: String,
    why: &'static str,
}

/// Why `text` cannot be the path of an object; `None` where it can.
pub(crate) fn why_not_a_path(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.len() > KEY_BYTES_MAX {
        return Some("it is longer than 1024 bytes");
    }
    if text.chars().any(char::is_control) {
        return Some("it holds a control character");
    }
    for part in text.split('/') {
        if part.is_empty() || part == "." || part == ".." {
            return Some("a part of it is empty, '.' or '..'");
        }
        if part.len() > PART_BYTES_MAX {
            return Some("a part of it is longer than 249 bytes");
        }
    }
    None
}

impl ObjectKey {
    /// Takes a key that was stored or listed.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        match why_not_a_path(text) {
            None => Ok(Self(Arc::from(text))),
            Some(why) => Err(BadKey { text: text.chars().take(128).collect(), why }),
        }
    }

    /// For `key`, which spells only good ones.
    pub(super) fn spelled(text: String) -> Self {
        debug_assert_eq!(why_not_a_path(&text), None, "{text}");
        Self(Arc::from(text))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What several keys begin with: whole parts, each with its `/`; empty for all keys.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyPrefix(Arc<str>);

impl KeyPrefix {
    pub(super) fn spelled(text: String) -> Self {
        debug_assert!(text.is_empty() || text.ends_with('/'), "{text}");
        Self(Arc::from(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the key lies below.
    pub fn holds(&self, key: &ObjectKey) -> bool {
        key.as_str().starts_with(self.as_str())
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_not_paths_are_refused() {
        let long_part = "a".repeat(PART_BYTES_MAX + 1);
        let long_key = "ab/".repeat(400) + "c";
        for bad in ["", "/a", "a/", "a//b", "a/../b", "./a", "a\nb", long_part.as_str(), long_key.as_str()] {
            assert!(ObjectKey::parse(bad).is_err(), "{bad}");
        }
        for good in ["a", "a/b.c", ".../x", "_tidelog/cluster.json"] {
            assert_eq!(ObjectKey::parse(good).unwrap().as_str(), good);
        }
    }
}
