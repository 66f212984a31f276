//! What a broker starts with all the same, and its user should know: settings that are taken and do nothing, or not what
//! was meant; and what it does not start with, though each value is fine. One list for all who start a broker or only check
//! a file, so that they cannot say different things.

use crate::catalog::check_url as check_catalog_url;
use crate::model::settings::BrokerSettings;
use crate::object_storage::check_url as check_bucket_url;

use super::error::ConfigError;
use super::layers::Merged;
use super::places::{BUCKET, CATALOG};

/// What a broker does not start with.
pub(super) fn refuse(merged: &Merged, settings: &BrokerSettings) -> Result<(), ConfigError> {
    let misplaced = |name: &'static str, reason: String| ConfigError::Misplaced { origin: merged.origin(name), reason };
    if let Some(url) = merged.get(BUCKET) {
        check_bucket_url(&url.text).map_err(|error| misplaced(BUCKET, error.to_string()))?;
    }
    if let Some(url) = merged.get(CATALOG) {
        check_catalog_url(&url.text).map_err(|error| misplaced(CATALOG, error.to_string()))?;
    }
    const COPIES: &str = "default.replication.factor";
    if settings.number(COPIES) > 1 {
        let reason = "there is one broker, and no topic could be made that leaves this to it; set it to 1";
        return Err(merged.unfit(COPIES, reason.to_owned()));
    }
    Ok(())
}

/// What its user should know. `unserved` are listeners with protection that are not served.
pub(super) fn concerns(merged: &Merged, settings: &BrokerSettings, unserved: &[String]) -> Vec<String> {
    let mut told: Vec<String> = no_access_control(merged, unserved).into_iter().collect();
    told.extend(
        merged
            .repeated()
            .iter()
            .map(|(name, first, second)| format!("{name} is set twice: {first} and {second}; the last one counts")),
    );
    // That these make a topic was checked before.
    let Ok(topics) = settings.topic_config(&Default::default(), Default::default()) else { return told };
    if topics.cleanup.compact {
        told.push(
            "log.cleanup.policy=compact: topics are not compacted yet; theirs are kept whole, on the local disk only, and \
             not in the bucket"
                .to_owned(),
        );
    }
    if topics.min_insync_replicas > 1 {
        told.push(format!(
            "min.insync.replicas={}: there is one copy of each partition on disk, and acks=all waits for that one, as with \
             Kafka's topics of one replica",
            topics.min_insync_replicas
        ));
    }
    told
}

/// Kafka's names without a meaning here, but for those that [`concerns`] tells of.
pub(super) fn without_meaning(merged: &Merged) -> Vec<String> {
    merged.unused().filter(|name| !guards(merged, name)).map(str::to_owned).collect()
}

fn no_access_control(merged: &Merged, unserved: &[String]) -> Option<String> {
    let names = merged.unused().filter(|name| guards(merged, name)).map(str::to_owned);
    let given: Vec<String> = unserved.iter().cloned().chain(names).collect();
    (!given.is_empty()).then(|| {
        format!(
            "NO ACCESS CONTROL, though this asks for some: {}. There is no TLS, no password and no authorization yet: \
             whoever reaches the broker's ports reads, writes and deletes everything. Listen on loopback or a private \
             network only",
            given.join(", ")
        )
    })
}

/// Whether a setting would keep somebody out.
fn guards(merged: &Merged, name: &str) -> bool {
    let value = merged.get_unused(name).unwrap_or_default();
    let is_guard = matches!(name, "authorizer.class.name" | "super.users" | "allow.everyone.if.no.acl.found")
        || ["ssl.", "sasl.", "delegation.token."].iter().any(|root| name.starts_with(root))
        || (name.starts_with("listener.name.") && (name.contains(".ssl.") || name.contains(".sasl.")));
    is_guard && !value.is_empty() && !value.eq_ignore_ascii_case("none")
}
