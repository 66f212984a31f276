//! Names and numbers that identify things: topics, partitions, brokers, producers.
//!
//! A [`TopicName`] can only be built from a name that Kafka would take, so nothing below `server` has to
//! ask again whether a name is safe to be a folder or part of an object key.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

use super::limits::TOPIC_NAME_BYTES_MAX;

/// A topic's id: given once at creation, never used again. Written as Kafka writes it: 22 characters of
/// URL-safe base64 without padding (KIP-516).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(Uuid);

impl TopicId {
    /// Wraps the 16 bytes that the wire and the catalog carry.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The 16 bytes.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0.as_u128();
        let mut text = String::with_capacity(22);
        for group in 0..22u32 {
            // 22 groups of 6 bits are 132: the last group has two bits of the id and four of padding.
            let shift = 122i64 - i64::from(group) * 6;
            let sextet = if shift >= 0 { bits >> shift } else { bits << -shift } & 0x3f;
            let letter = BASE64_URL.get(usize::try_from(sextet).unwrap_or(0)).copied().unwrap_or(b'A');
            text.push(char::from(letter));
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a topic id.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a topic id (22 characters of URL-safe base64)")]
pub struct BadTopicId(String);

impl FromStr for TopicId {
    type Err = BadTopicId;

    fn from_str(text: &str) -> Result<Self, BadTopicId> {
        let bad = || BadTopicId(text.chars().take(64).collect());
        if text.len() != 22 {
            return Err(bad());
        }
        let mut bits: u128 = 0;
        for (group, byte) in text.bytes().enumerate() {
            let sextet = BASE64_URL.iter().position(|&letter| letter == byte).ok_or_else(bad)? as u128;
            if group < 21 {
                bits = (bits << 6) | sextet;
            } else if sextet & 0x0f == 0 {
                bits = (bits << 2) | (sextet >> 4);
            } else {
                return Err(bad());
            }
        }
        Ok(Self(Uuid::from_u128(bits)))
    }
}

/// A partition of a topic, by the topic's id: what the log, the tiers and the catalog go by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    /// The topic.
    pub topic_id: TopicId,
    /// The partition's number within the topic, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Names one partition.
    pub const fn new(topic_id: TopicId, partition: i32) -> Self {
        Self { topic_id, partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.topic_id, self.partition)
    }
}

/// A topic's name, known to be one that Kafka takes: 1 to 249 of `[a-zA-Z0-9._-]`, neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// Why a text is not a topic name, in Kafka's words (`org.apache.kafka.common.internals.Topic`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTopicName {
    /// The empty name.
    #[error("the empty string is not allowed")]
    Empty,
    /// `.` or `..`.
    #[error("'{0}' is not allowed")]
    Dots(&'static str),
    /// Over 249 characters.
    #[error("the length of '{0}' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}")]
    TooLong(String),
    /// A character outside the allowed set.
    #[error("'{0}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")]
    Characters(String),
}

impl TopicName {
    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, BadTopicName> {
        match text {
            "" => return Err(BadTopicName::Empty),
            "." => return Err(BadTopicName::Dots(".")),
            ".." => return Err(BadTopicName::Dots("..")),
            _ => {}
        }
        if text.len() > TOPIC_NAME_BYTES_MAX {
            return Err(BadTopicName::TooLong(text.to_owned()));
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            return Err(BadTopicName::Characters(text.to_owned()));
        }
        Ok(Self(Arc::from(text)))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with `.` and `_` made one, as metric names do: two topics whose forms are equal collide.
    pub fn collision_form(&self) -> String {
        self.0.replace('.', "_")
    }
}

impl std::borrow::Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A broker's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BrokerId(pub i32);

/// An idempotent producer's id. [`ProducerId::NONE`] marks batches of producers that are not idempotent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProducerId(pub i64);

impl ProducerId {
    /// The wire's "no producer id".
    pub const NONE: Self = Self(-1);

    /// Whether the batch takes part in sequence checks.
    pub const fn is_some(self) -> bool {
        self.0 >= 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn topic_ids_are_written_as_kafka_writes_them() {
        // From Kafka's own Uuid: METADATA_TOPIC_ID is new Uuid(0, 1).
        let id = TopicId::from_uuid(Uuid::from_u128(1));
        assert_eq!(id.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert!("AAAAAAAAAAAAAAAAAAAAAR".parse::<TopicId>().is_err(), "bits in the padding");
        assert!("short".parse::<TopicId>().is_err());
    }

    proptest! {
        #[test]
        fn topic_ids_round_trip(bits: u128) {
            let id = TopicId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<TopicId>().unwrap(), id);
        }
    }

    #[test]
    fn names_that_kafka_refuses_are_refused() {
        let longest = "a".repeat(TOPIC_NAME_BYTES_MAX);
        for good in ["orders", "a.b_c-d", "...", longest.as_str()] {
            assert!(TopicName::parse(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(TOPIC_NAME_BYTES_MAX + 1);
        for bad in ["", ".", "..", "a/b", "a b", "ä", "a\0", too_long.as_str()] {
            assert!(TopicName::parse(bad).is_err(), "{bad}");
        }
    }
}
