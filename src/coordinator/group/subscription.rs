//! The one part of a member's metadata that the broker reads: which topics a consumer is subscribed to.
//!
//! The layout is that of Kafka's `ConsumerProtocolSubscription`: a version, then in every version the topics first.

/// The protocol type of consumer groups.
pub(super) const CONSUMER: &str = "consumer";

/// The topics; `None` where the bytes are not such a subscription.
pub(super) fn topics(metadata: &[u8]) -> Option<Vec<String>> {
    let (version, rest) = metadata.split_first_chunk::<2>()?;
    if i16::from_be_bytes(*version) < 0 {
        return None;
    }
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let count = u32::try_from(i32::from_be_bytes(*count)).ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let length = usize::try_from(i16::from_be_bytes(*length)).ok()?;
        let (name, behind) = behind.split_at_checked(length)?;
        topics.push(String::from_utf8(name.to_vec()).ok()?);
        rest = behind;
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_from_any_version_and_nothing_else_is() {
        let subscription = b"\0\x03\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff and more";
        assert_eq!(topics(subscription), Some(vec!["a".to_owned(), "bc".to_owned()]));
        for bad in [&b""[..], b"\0\0", b"\xff\xff\0\0\0\0", b"\0\0\xff\xff\xff\xff", b"\0\0\x7f\xff\xff\xff\0\x01a"] {
            assert_eq!(topics(bad), None, "{bad:?}");
        }
    }
}
