//! Which bucket a URL names, and which prefix in it.

use super::super::object_key::why_not_a_path;

/// The longest prefix: with it, the longest key of ours still fits into what stores take.
const PREFIX_BYTES_MAX: usize = 500;

/// A bucket's name and a prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// The bucket, or Azure's container.
    pub(super) bucket: String,
    /// Empty, or with its `/`.
    pub(super) prefix: String,
}

impl Place {
    /// Takes what follows `scheme://`. The prefix is taken as it is written: `%20` means these three characters.
    pub(super) fn parse(rest: &str) -> Result<Self, &'static str> {
        if rest.contains(['?', '#']) {
            return Err("settings do not go into the URL: set the environment or a tidelog.s3.* setting");
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains('@') {
            return Err("credentials do not go into the URL: set them in the environment or a profile");
        }
        if bucket.is_empty() {
            return Err("it names no bucket");
        }
        if bucket.len() > 255 || !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return Err(
                "a bucket's name has letters, digits, '.', '_' and '-' only (an endpoint is set by AWS_ENDPOINT_URL)",
            );
        }
        let prefix = prefix.trim_end_matches('/');
        if prefix.is_empty() {
            return Ok(Self { bucket: bucket.to_owned(), prefix: String::new() });
        }
        if why_not_a_path(prefix).is_some() || prefix.len() > PREFIX_BYTES_MAX {
            return Err("its prefix has an empty, '.' or '..' part, a control character, or is too long");
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: format!("{prefix}/") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_bad_ones_refused() {
        let place = |rest: &str| Place::parse(rest).map(|place| (place.bucket, place.prefix));
        let owned = |bucket: &str, prefix: &str| Ok((bucket.to_owned(), prefix.to_owned()));
        assert_eq!(place("b"), owned("b", ""));
        assert_eq!(place("b/"), owned("b", ""));
        assert_eq!(place("my.bucket-1/a/b"), owned("my.bucket-1", "a/b/"));
        assert_eq!(place("b/a%20b/"), owned("b", "a%20b/"));
        for bad in ["", "/x", "b?region=x", "k:s@b/x", "host:9000/b", "b/a//b", "b/../c", "b/./c", "b b"] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
        assert!(Place::parse(&format!("b/{}", "ab/".repeat(200))).is_err());
    }
}
