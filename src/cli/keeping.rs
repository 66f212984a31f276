//! `--keep` and `--local`: how long records stay, in words, as the Kafka settings that mean it. What contradicts itself
//! is refused, with what would be meant.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use clap::Args;

/// Milliseconds of a unit, from how many on it is used, and its name.
const UNITS: &[(i64, i64, &str)] =
    &[(86_400_000, 172_800_000, "d"), (3_600_000, 3_600_000, "h"), (60_000, 60_000, "m"), (1_000, 1_000, "s")];

/// How long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// For ever.
    Forever,
    /// So many milliseconds.
    Ms(i64),
}

impl Span {
    /// Kafka's number: −1 is for ever.
    pub const fn ms(self) -> i64 {
        match self {
            Self::Forever => -1,
            Self::Ms(ms) => ms,
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::Ms(ms) => {
                // In the unit that people say: 60d, 24h, 90m; not months, of which nobody knows the length.
                let whole = UNITS.iter().find(|(unit, least, _)| *ms >= *least && ms % unit == 0);
                let (unit, _, name) = whole.unwrap_or(&(1, 0, "ms"));
                write!(f, "{}{name}", ms / unit)
            }
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("forever") {
            return Ok(Self::Forever);
        }
        let example = "write forever, or a time such as 30d, 12h or 90m";
        let duration = humantime::parse_duration(text).map_err(|error| format!("{error}; {example}"))?;
        match i64::try_from(duration.as_millis()) {
            Ok(0) => Err(format!("nothing would be kept; {example}")),
            Ok(ms) => Ok(Self::Ms(ms)),
            Err(_) => Err(format!("longer than can be counted; {example}")),
        }
    }
}

/// How long records stay, and where.
#[derive(Clone, Debug, Default, Args)]
pub struct Keeping {
    /// How long records are kept, in both tiers together: forever, 30d, 12h, …
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub keep: Option<Span>,

    /// How long they are kept on the broker's disk too, once they are in the bucket: 1h, …, forever
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub local: Option<Span>,

    /// A setting of the topic, by Kafka's name; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

const RETENTION: &str = "retention.ms";
const LOCAL_RETENTION: &str = "local.retention.ms";
const POLICY: &str = "cleanup.policy";
const REMOTE: &str = "remote.storage.enable";

impl Keeping {
    /// The settings that mean it. `now` are the topic's own settings before: none for a new topic.
    pub fn configs(&self, now: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
        let mut configs = BTreeMap::new();
        for given in &self.set {
            let (name, value) = given.split_once('=').ok_or_else(|| format!("--set {given}: write NAME=VALUE"))?;
            configs.insert(name.trim().to_owned(), value.trim().to_owned());
        }
        for (flag, name, span) in [("--keep", RETENTION, self.keep), ("--local", LOCAL_RETENTION, self.local)] {
            let Some(span) = span else { continue };
            if let Some(other) = configs.insert(name.to_owned(), span.ms().to_string())
                && other != span.ms().to_string()
            {
                return Err(format!("{flag} {span} and --set {name}={other} contradict each other: give one of them"));
            }
        }
        let effective = |name: &str| configs.get(name).or_else(|| now.get(name)).map(|value| value.trim().to_owned());
        self.check(effective)?;
        Ok(configs)
    }

    fn check(&self, effective: impl Fn(&str) -> Option<String>) -> Result<(), String> {
        let policy = effective(POLICY).unwrap_or_else(|| "delete".to_owned());
        let has = |word: &str| policy.split(',').any(|item| item.trim() == word);
        if let Some(keep) = self.keep.filter(|_| !has("delete")) {
            return Err(format!(
                "--keep {keep}: with {POLICY}={policy} records do not end by age; add delete to it, or leave --keep out"
            ));
        }
        let Some(local) = self.local else { return Ok(()) };
        if has("compact") {
            return Err(format!(
                "--local {local}: a topic with {POLICY}={policy} stays on the broker's disk; leave --local out"
            ));
        }
        if effective(REMOTE).is_some_and(|on| on.eq_ignore_ascii_case("false")) {
            return Err(format!("--local {local}: with {REMOTE}=false there is no second tier; leave one of them out"));
        }
        let keep = match self.keep {
            Some(keep) => Some(keep),
            None => effective(RETENTION).and_then(|ms| ms.parse().ok()).map(|ms: i64| match ms {
                ..0 => Span::Forever,
                ms => Span::Ms(ms),
            }),
        };
        match (local, keep) {
            (Span::Forever, Some(Span::Ms(_))) => {}
            (Span::Ms(local), Some(Span::Ms(keep))) if local > keep => {}
            _ => return Ok(()),
        }
        let keep = keep.map(|keep| keep.to_string()).unwrap_or_default();
        Err(format!(
            "--local {local} is longer than --keep {keep}: what is kept on the broker's disk is part of what is kept"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeping(keep: Option<&str>, local: Option<&str>, set: &[&str]) -> Result<BTreeMap<String, String>, String> {
        let span = |text: Option<&str>| text.map(str::parse).transpose();
        let set = set.iter().map(|set| (*set).to_owned()).collect();
        Keeping { keep: span(keep)?, local: span(local)?, set }.configs(&BTreeMap::new())
    }

    fn pairs(configs: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
        configs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    #[test]
    fn words_become_settings() {
        let configs = keeping(Some("30d"), Some("1h"), &["segment.bytes=1048576"]).unwrap();
        let expected =
            [("local.retention.ms", "3600000"), ("retention.ms", "2592000000"), ("segment.bytes", "1048576")];
        assert_eq!(pairs(&configs), expected);
        assert_eq!(pairs(&keeping(Some("forever"), None, &[]).unwrap()), [("retention.ms", "-1")]);
        let all = keeping(Some("forever"), Some("forever"), &[]).unwrap();
        assert_eq!(pairs(&all), [("local.retention.ms", "-1"), ("retention.ms", "-1")]);
        assert!(keeping(None, None, &[]).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (keep, local, set, said) in [
            (Some("1h"), Some("2h"), None, "--local 2h is longer than --keep 1h"),
            (Some("30d"), Some("60d"), None, "--local 60d is longer than --keep 30d"),
            (Some("90m"), Some("1500ms 25h"), None, "--local 90001500ms is longer than --keep 90m"),
            (Some("1h"), Some("forever"), None, "longer than --keep 1h"),
            (None, Some("2h"), Some("retention.ms=1000"), "longer than --keep 1s"),
            (Some("0s"), None, None, "nothing would be kept"),
            (Some("-1"), None, None, "write forever"),
            (Some("soon"), None, None, "30d"),
            (Some("1h"), None, Some("retention.ms=5"), "contradict each other"),
            (Some("1h"), None, Some("cleanup.policy=compact"), "do not end by age"),
            (None, Some("1h"), Some("cleanup.policy=compact,delete"), "stays on the broker's disk"),
            (None, Some("1h"), Some("remote.storage.enable=false"), "no second tier"),
            (None, None, Some("retention.ms"), "NAME=VALUE"),
        ] {
            let set: Vec<&str> = set.into_iter().collect();
            let error = keeping(keep, local, &set).unwrap_err();
            assert!(error.contains(said), "{said:?}: {error}");
        }
    }

    #[test]
    fn a_change_is_judged_with_what_the_topic_has() {
        let now = BTreeMap::from([("retention.ms".to_owned(), "60000".to_owned())]);
        let keeping = Keeping { local: Some(Span::Ms(120_000)), ..Keeping::default() };
        assert!(keeping.configs(&now).unwrap_err().contains("longer than --keep 1m"));
    }
}
