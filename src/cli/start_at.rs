//! Where reading begins, in words.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::UNIX_EPOCH;

use crate::net::client::offsets::OffsetSpec;
use crate::net::client::{ClientError, KafkaClient};

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At the first offset, in whichever tier.
    Beginning,
    /// Behind the last.
    End,
    /// At an offset.
    Offset(i64),
    /// So many before the end.
    Last(i64),
    /// At the first record of a time, in milliseconds since 1970.
    Time(i64),
}

impl FromStr for StartAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "write beginning, end, an offset, -N for the last N, or @TIME (2026-01-31T12:00:00Z, or milliseconds)"
                .to_owned()
        };
        match text {
            "beginning" => return Ok(Self::Beginning),
            "end" => return Ok(Self::End),
            _ => {}
        }
        if let Some(time) = text.strip_prefix('@') {
            if let Ok(ms) = time.parse::<i64>() {
                return if ms >= 0 { Ok(Self::Time(ms)) } else { Err(wrong()) };
            }
            let midnight = if time.len() == "2026-01-31".len() { "T00:00:00Z" } else { "" };
            let time = humantime::parse_rfc3339_weak(&format!("{time}{midnight}")).map_err(|_| wrong())?;
            let since = time.duration_since(UNIX_EPOCH).map_err(|_| wrong())?;
            return i64::try_from(since.as_millis()).map(Self::Time).map_err(|_| wrong());
        }
        match text.parse::<i64>() {
            Ok(offset @ 0..) => Ok(Self::Offset(offset)),
            Ok(last) => Ok(Self::Last(last.saturating_neg())),
            Err(_) => Err(wrong()),
        }
    }
}

impl StartAt {
    /// The offset in each partition, whose leaders are given.
    pub async fn offsets(
        self,
        client: &KafkaClient,
        topic: &str,
        leaders: &BTreeMap<i32, i32>,
    ) -> Result<BTreeMap<i32, i64>, ClientError> {
        let ask = |spec| client.offsets(topic, leaders, spec);
        let start = ask(OffsetSpec::Earliest).await?;
        let end = ask(OffsetSpec::Latest).await?;
        let of = |offsets: &BTreeMap<i32, Option<i64>>, partition: i32| {
            offsets.get(&partition).copied().flatten().unwrap_or(0)
        };
        let by_time = match self {
            Self::Time(ms) => Some(ask(OffsetSpec::Timestamp(ms)).await?),
            _ => None,
        };
        let offset = |partition: i32| match self {
            Self::Beginning => of(&start, partition),
            Self::End => of(&end, partition),
            Self::Offset(offset) => offset,
            Self::Last(count) => (of(&end, partition) - count).max(of(&start, partition)),
            // No record is as late as that: then only what is still to come.
            Self::Time(_) => by_time
                .as_ref()
                .and_then(|offsets| offsets.get(&partition).copied().flatten())
                .unwrap_or_else(|| of(&end, partition)),
        };
        Ok(leaders.keys().map(|partition| (*partition, offset(*partition))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood() {
        for (text, start) in [
            ("beginning", StartAt::Beginning),
            ("end", StartAt::End),
            ("0", StartAt::Offset(0)),
            ("17", StartAt::Offset(17)),
            ("-5", StartAt::Last(5)),
            ("@1700000000000", StartAt::Time(1_700_000_000_000)),
            ("@1970-01-01T00:00:01Z", StartAt::Time(1_000)),
            ("@1970-01-02", StartAt::Time(86_400_000)),
        ] {
            assert_eq!(text.parse(), Ok(start), "{text}");
        }
        for text in ["", "first", "@", "@yesterday", "@-1", "1.5"] {
            assert!(text.parse::<StartAt>().unwrap_err().contains("-N for the last N"), "{text}");
        }
    }
}
