//! Which names of settings there are: ours, Kafka's that mean nothing here, and none.

use crate::model::settings::{
    BrokerSettings, FORMER_BROKER_SETTINGS, TOPIC_SETTINGS, UNUSED_BROKER_SETTINGS, UNUSED_PREFIXES, topic_setting,
};

use super::error::ConfigError;
use super::origin::Origin;
use super::places::{PLACES, is_place};

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It means something here.
    Ours,
    /// Kafka knows it; here it means nothing.
    Unused,
}

/// What a name is; an error with the nearest right one where nobody knows it.
pub fn judge(name: &str, origin: &Origin) -> Result<Standing, ConfigError> {
    if BrokerSettings::knows(name) || is_place(name) {
        return Ok(Standing::Ours);
    }
    if is_unused(name) {
        return Ok(Standing::Unused);
    }
    let (origin, given) = (origin.clone(), name.to_owned());
    Err(match topic_setting(name).map(|setting| setting.broker.first()) {
        Some(Some((broker, _))) => ConfigError::OfTopics { origin, name: given, broker },
        Some(None) => ConfigError::OnlyOfTopics { origin, name: given },
        None => ConfigError::Unknown { origin, nearest: nearest(name), name: given },
    })
}

fn is_unused(name: &str) -> bool {
    UNUSED_BROKER_SETTINGS.contains(&name)
        || FORMER_BROKER_SETTINGS.contains(&name)
        || UNUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What is less alike was not meant.
const ALIKE: f64 = 0.5;

/// The broker's setting that is most like `name`, where one is; ours come before those that mean nothing.
fn nearest(name: &str) -> Option<String> {
    let ours = BrokerSettings::names().chain(PLACES.iter().map(|place| place.name));
    most_alike(name, ours.chain(UNUSED_BROKER_SETTINGS.iter().copied()))
}

/// The setting of topics that is most like `name`, where one is.
pub fn nearest_of_topics(name: &str) -> Option<String> {
    most_alike(name, TOPIC_SETTINGS.iter().map(|setting| setting.name))
}

fn most_alike<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let likeness = |candidate: &str| {
        strsim::normalized_damerau_levenshtein(&name.to_ascii_lowercase(), candidate)
            .max(strsim::jaro(&name.to_ascii_lowercase(), candidate) - 0.2)
    };
    let mut best = ("", f64::MIN);
    for candidate in candidates {
        let found = likeness(candidate);
        if found > best.1 {
            best = (candidate, found);
        }
    }
    (best.1 >= ALIKE).then(|| best.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str) -> String {
        judge(name, &Origin::Flag("--set")).unwrap_err().to_string()
    }

    #[test]
    fn names_are_ours_or_kafkas_or_an_error_with_the_nearest() {
        let judged = |name| judge(name, &Origin::Flag("--set")).unwrap();
        assert_eq!(judged("num.partitions"), Standing::Ours);
        assert_eq!(judged("log.retention.hours"), Standing::Ours);
        assert_eq!(judged("tidelog.bucket"), Standing::Ours);
        assert_eq!(judged("background.threads"), Standing::Unused);
        assert_eq!(judged("ssl.keystore.location"), Standing::Unused);
        assert_eq!(judged("zookeeper.connect"), Standing::Unused);
        assert_eq!(judged("super.users"), Standing::Unused);
        assert_eq!(judged("listener.name.internal.ssl.keystore.location"), Standing::Unused);
    }

    #[test]
    fn typing_mistakes_meet_what_was_meant() {
        for (given, meant) in [
            ("num.partition", "num.partitions"),
            ("log.retention.mss", "log.retention.ms"),
            ("LOG.DIRS", "log.dirs"),
            ("tidelog.flush.onack", "tidelog.flush.on.ack"),
            ("auto.create.topic.enable", "auto.create.topics.enable"),
            ("socket.receive.bufer.bytes", "socket.receive.buffer.bytes"),
        ] {
            assert!(message(given).ends_with(&format!("the nearest is '{meant}'")), "{}", message(given));
        }
    }

    #[test]
    fn what_is_like_nothing_gets_no_name() {
        assert!(message("this").ends_with("a line is NAME=VALUE"), "{}", message("this"));
    }

    #[test]
    fn a_topics_setting_leads_to_the_brokers() {
        assert!(message("retention.ms").contains("'log.retention.ms'"));
        assert!(message("remote.storage.enable").contains("topics create"));
    }
}
