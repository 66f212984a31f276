//! Where reading begins, in words.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::UNIX_EPOCH;

use crate::net::client::KafkaClient;
use crate::net::client::offsets::OffsetSpec;

use super::outcome::{Exit, Failure};

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
            "write beginning or earliest, end or latest, an offset, -N for the last N of each partition, or @TIME (2026-01-31T12:00:00Z, …+02:00, UTC where no zone is said, or milliseconds)"
                .to_owned()
        };
        match text {
            "beginning" | "earliest" => return Ok(Self::Beginning),
            "end" | "latest" => return Ok(Self::End),
            _ => {}
        }
        if let Some(time) = text.strip_prefix('@') {
            if time.len() == "2026".len() && time.parse::<u16>().is_ok_and(|year| year >= 1970) {
                return Err(format!("@{time} would be {time} ms after 1970: for the year, write @{time}-01-01"));
            }
            if let Ok(ms) = time.parse::<i64>() {
                return if ms >= 0 { Ok(Self::Time(ms)) } else { Err(wrong()) };
            }
            return date_ms(time).map(Self::Time).ok_or_else(wrong);
        }
        match text.parse::<i64>() {
            Ok(offset @ 0..) => Ok(Self::Offset(offset)),
            Ok(last) => Ok(Self::Last(last.saturating_neg())),
            Err(_) => Err(wrong()),
        }
    }
}

/// A date, or a date and a time: of UTC, or of the zone that it ends in.
fn date_ms(text: &str) -> Option<i64> {
    let midnight = if text.len() == "2026-01-31".len() { "T00:00:00Z" } else { "" };
    let (time, ahead_ms) = match text.split_at_checked(text.len().saturating_sub("+02:00".len())) {
        Some((time, zone)) if time.contains([':']) && zone.starts_with(['+', '-']) => (time, zone_ms(zone)?),
        _ => (text, 0),
    };
    let time = humantime::parse_rfc3339_weak(&format!("{time}{midnight}")).ok()?;
    let ms = i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    (ms >= ahead_ms).then(|| ms - ahead_ms)
}

/// How far `+02:00` is ahead of UTC.
fn zone_ms(zone: &str) -> Option<i64> {
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let number = |text: &str, max: u32| text.parse::<u32>().ok().filter(|number| text.len() == 2 && *number <= max);
    let ms = (i64::from(number(hours, 23)?) * 60 + i64::from(number(minutes, 59)?)) * 60_000;
    Some(if zone.starts_with('-') { -ms } else { ms })
}

impl StartAt {
    /// The offset in each partition; `end` says which end is meant.
    pub async fn offsets(
        self,
        client: &KafkaClient,
        topic: &str,
        partitions: &[i32],
        end: OffsetSpec,
    ) -> Result<BTreeMap<i32, i64>, Failure> {
        let ask = |spec| client.offsets(topic, partitions, spec);
        let (start, end) = (ask(OffsetSpec::Earliest).await?, ask(end).await?);
        let by_time = match self {
            Self::Time(ms) => ask(OffsetSpec::Timestamp(ms)).await?,
            _ => BTreeMap::new(),
        };
        let mut offsets = BTreeMap::new();
        for partition in partitions.iter().copied() {
            let of = |offsets: &BTreeMap<i32, Option<i64>>| offsets.get(&partition).copied().flatten();
            let (start, end) = (of(&start).unwrap_or(0), of(&end).unwrap_or(0));
            let offset = match self {
                Self::Beginning => start,
                Self::End => end,
                Self::Offset(offset) if (start..=end).contains(&offset) => offset,
                Self::Offset(offset) => {
                    let text =
                        format!("{topic}-{partition} has no offset {offset}: it begins at {start}, next is {end}");
                    return Err(Failure::new(Exit::NotFound, text));
                }
                Self::Last(count) => (end - count).max(start),
                // No record is as late as that: then only what is still to come.
                Self::Time(_) => of(&by_time).unwrap_or(end),
            };
            offsets.insert(partition, offset);
        }
        Ok(offsets)
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
            ("earliest", StartAt::Beginning),
            ("latest", StartAt::End),
            ("0", StartAt::Offset(0)),
            ("17", StartAt::Offset(17)),
            ("-5", StartAt::Last(5)),
            ("@1700000000000", StartAt::Time(1_700_000_000_000)),
            ("@1970-01-01T00:00:01Z", StartAt::Time(1_000)),
            ("@1970-01-02", StartAt::Time(86_400_000)),
            ("@1970-01-02T01:00:00", StartAt::Time(90_000_000)),
            ("@1970-01-02T02:00:00+02:00", StartAt::Time(86_400_000)),
            ("@1970-01-01T22:30:00.5-01:30", StartAt::Time(86_400_500)),
        ] {
            assert_eq!(text.parse(), Ok(start), "{text}");
        }
        for text in
            ["", "first", "@", "@yesterday", "@-1", "1.5", "@1970-01-01T01:00:00+02:00", "@2026-01-31T12:00:00+2:000"]
        {
            assert!(text.parse::<StartAt>().unwrap_err().contains("-N for the last N"), "{text}");
        }
        assert!("@2026".parse::<StartAt>().unwrap_err().contains("write @2026-01-01"));
        assert_eq!("@999".parse(), Ok(StartAt::Time(999)));
    }
}
