//! `tidelog topics`: make, list, describe, alter, delete.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, IsTerminal};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use crate::config::names::nearest_of_topics;
use crate::model::settings::topic_setting;
use crate::net::client::configs::{ConfigEntry, ConfigSource};
use crate::net::client::offsets::OffsetSpec;
use crate::net::client::topics::WantedTopic;
use crate::net::client::{ClientError, KafkaClient, TopicMetadata};

use super::connecting::{ClusterArgs, topic};
use super::keeping::Keeping;
use super::machine::on_runtime;
use super::outcome::Failure;
use super::output::{print, print_json, print_line, tell};
use super::table::{or_dash, right_align, table, text};

/// How long a new topic's leaders are waited for.
const LEADERS: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// What to do with topics.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Make a topic
    Create(CreateArgs),
    /// List topics
    List(ListArgs),
    /// Show a topic's partitions and settings
    Describe(DescribeArgs),
    /// Change a topic's settings, or give it more partitions
    Alter(AlterArgs),
    /// Delete topics with all their records, in both tiers
    Delete(DeleteArgs),
}

/// A new topic.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Its name
    pub name: String,
    /// How many partitions [default: the broker's num.partitions]
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: Option<i32>,
    /// How many copies [default: the broker's default.replication.factor]
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(i16).range(1..))]
    pub replication_factor: Option<i16>,
    #[command(flatten)]
    keeping: Keeping,
    /// Be content if it is there already
    #[arg(long)]
    pub if_not_exists: bool,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// A list of topics.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The cluster's own topics too
    #[arg(long)]
    pub internal: bool,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// A look at a topic.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// Its name
    pub name: String,
    /// All settings, not only the topic's own
    #[arg(long)]
    pub all: bool,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// A change of a topic.
#[derive(Debug, Args)]
pub struct AlterArgs {
    /// Its name
    pub name: String,
    /// How many partitions it shall have, more than now
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: Option<i32>,
    #[command(flatten)]
    keeping: Keeping,
    /// A setting to take back to the broker's default; may be repeated
    #[arg(long, value_name = "NAME")]
    pub unset: Vec<String>,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// The end of topics.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Their names
    #[arg(required = true)]
    pub names: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Runs one of them.
pub fn run(command: &TopicsCommand) -> Result<(), Failure> {
    on_runtime(async {
        match command {
            TopicsCommand::Create(args) => create(args).await,
            TopicsCommand::List(args) => list(args).await,
            TopicsCommand::Describe(args) => describe(args).await,
            TopicsCommand::Alter(args) => alter(args).await,
            TopicsCommand::Delete(args) => delete(args).await,
        }
    })
}

async fn create(args: &CreateArgs) -> Result<(), Failure> {
    let configs = args.keeping.configs(&BTreeMap::new()).map_err(Failure::usage)?;
    let client = args.cluster.connect().await?;
    let wanted = WantedTopic {
        name: args.name.clone(),
        partitions: args.partitions,
        replication_factor: args.replication_factor,
        configs,
    };
    let settings = || wanted.configs.keys().map(String::as_str);
    match client.create_topic(&wanted, false).await {
        Err(ClientError::Refused(error)) if args.if_not_exists && error.is_existing_topic() => told(
            args.json,
            &json!({"topic": args.name, "made": false}),
            &format!("topic '{}' is there already", args.name),
        ),
        Err(ClientError::Refused(error)) if error.is_existing_topic() => Err(Failure::failed(format!(
            "{error}; topics alter changes it, topics delete ends it, --if-not-exists is content with it"
        ))),
        created => {
            created.map_err(|error| with_nearest(error, settings()))?;
            await_leaders(&client, &args.name).await?;
            warn_of_compaction(&client, &args.name).await?;
            told(args.json, &json!({"topic": args.name, "made": true}), &format!("made topic '{}'", args.name))
        }
    }
}

/// A refusal, with the setting that was meant where one that was given is unknown.
fn with_nearest<'n>(error: ClientError, mut given: impl Iterator<Item = &'n str>) -> Failure {
    let refused = error.to_string();
    let failure = Failure::from(error);
    let unknown = given.find(|name| topic_setting(name).is_none() && refused.ends_with(&format!(": {name}")));
    match unknown.and_then(nearest_of_topics) {
        Some(nearest) => Failure::new(failure.exit, format!("{}; the nearest is '{nearest}'", failure.text)),
        None => failure,
    }
}

/// A broker of ours takes `compact` and does not do it yet; another does.
async fn warn_of_compaction(client: &KafkaClient, name: &str) -> Result<(), Failure> {
    let configs = client.topic_configs(name).await?;
    let is_compact = |config: &ConfigEntry| {
        let items = config.value.as_deref().unwrap_or_default().split(',');
        config.name == "cleanup.policy" && items.map(str::trim).any(|item| item == "compact")
    };
    if configs.iter().any(is_compact) && configs.iter().any(|config| config.name.starts_with("tidelog.")) {
        tell("cleanup.policy=compact: this broker does not compact yet; all records stay, on its local disk only");
    }
    Ok(())
}

/// What was done, for programs or for people.
fn told(for_programs: bool, value: &Value, text: &str) -> Result<(), Failure> {
    if for_programs { print_json(value) } else { print_line(text) }
}

/// Waits until the topic can be used: where there are many brokers, word of it takes a moment.
async fn await_leaders(client: &KafkaClient, name: &str) -> Result<(), Failure> {
    let deadline = client.clock().monotonic() + LEADERS;
    loop {
        let metadata = client.metadata(Some(&[name])).await?;
        let led = metadata.topics.get(name).is_some_and(|topic| {
            !topic.partitions.is_empty() && topic.partitions.values().all(|partition| partition.leader >= 0)
        });
        if led || client.clock().monotonic() >= deadline {
            return Ok(());
        }
        client.clock().sleep(PAUSE).await;
    }
}

#[derive(Serialize)]
struct ListedTopic<'a> {
    name: &'a str,
    id: Option<&'a str>,
    partitions: usize,
    replicas: usize,
    internal: bool,
}

async fn list(args: &ListArgs) -> Result<(), Failure> {
    let client = args.cluster.connect().await?;
    let metadata = client.metadata(None).await?;
    let topics: Vec<ListedTopic<'_>> = metadata
        .topics
        .iter()
        .filter(|(_, topic)| args.internal || !topic.is_internal)
        .map(|(name, topic)| ListedTopic {
            name,
            id: topic.id.as_deref(),
            partitions: topic.partitions.len(),
            replicas: topic.partitions.values().map(|partition| partition.replicas.len()).max().unwrap_or(0),
            internal: topic.is_internal,
        })
        .collect();
    if args.json {
        return print_json(&topics);
    }
    if topics.is_empty() {
        return print_line("no topics; make one: tidelog topics create NAME");
    }
    let mut shown = table(&["TOPIC", "PARTITIONS", "REPLICAS", "ID"]);
    for topic in &topics {
        let numbers = [topic.partitions.to_string(), topic.replicas.to_string()];
        shown.add_row([topic.name, &numbers[0], &numbers[1], topic.id.unwrap_or("-")]);
    }
    right_align(&mut shown, &[1, 2]);
    print(&text(&shown))
}

#[derive(Serialize)]
struct DescribedPartition {
    partition: i32,
    leader: i32,
    leader_epoch: i32,
    replicas: Vec<i32>,
    in_sync: Vec<i32>,
    /// The first offset, in whichever tier.
    log_start_offset: Option<i64>,
    /// The last offset in the bucket.
    tiered_offset: Option<i64>,
    /// The first offset that is not in the bucket, as `tier status` has it; none where nothing is there.
    tiered_to: Option<i64>,
    /// The first offset on the broker's disk.
    local_start_offset: Option<i64>,
    /// The next offset to be given.
    log_end_offset: Option<i64>,
}

#[derive(Serialize)]
struct DescribedSetting<'a> {
    name: &'a str,
    value: Option<&'a str>,
    source: &'static str,
}

#[derive(Serialize)]
struct Described<'a> {
    name: &'a str,
    id: Option<&'a str>,
    partitions: &'a [DescribedPartition],
    settings: Vec<DescribedSetting<'a>>,
}

async fn describe(args: &DescribeArgs) -> Result<(), Failure> {
    let client = args.cluster.connect().await?;
    let (_, metadata) = topic(&client, &args.name).await?;
    let partitions = described(&client, &args.name, &metadata).await?;
    let configs = client.topic_configs(&args.name).await?;
    let shown = configs.iter().filter(|config| args.all || config.source == ConfigSource::Topic);
    let settings = shown
        .map(|ConfigEntry { name, value, source }| DescribedSetting {
            name,
            value: value.as_deref(),
            source: source.name(),
        })
        .collect();
    let id = metadata.id.as_deref();
    let described = Described { name: &args.name, id, partitions: &partitions, settings };
    if args.json {
        return print_json(&described);
    }
    print(&described_text(&described))
}

fn described_text(topic: &Described<'_>) -> String {
    let mut out = format!("topic '{}', id {}\n\n", topic.name, topic.id.unwrap_or("-"));
    let columns =
        ["PARTITION", "LEADER", "REPLICAS", "IN SYNC", "LOG START", "TIERED TO", "LOCAL START", "LOG END", "OFFSETS"];
    let mut partitions = table(&columns);
    for partition in topic.partitions {
        let ids = |ids: &[i32]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let offsets = partition.log_end_offset.zip(partition.log_start_offset).map(|(end, start)| end - start);
        partitions.add_row([
            partition.partition.to_string(),
            partition.leader.to_string(),
            ids(&partition.replicas),
            ids(&partition.in_sync),
            or_dash(partition.log_start_offset),
            or_dash(partition.tiered_to),
            or_dash(partition.local_start_offset),
            or_dash(partition.log_end_offset),
            or_dash(offsets),
        ]);
    }
    right_align(&mut partitions, &[0, 1, 4, 5, 6, 7, 8]);
    out.push_str(&text(&partitions));
    if topic.settings.is_empty() {
        out.push_str("\nno settings of its own\n");
        return out;
    }
    let mut settings = table(&["SETTING", "VALUE", "SOURCE"]);
    for setting in &topic.settings {
        settings.add_row([setting.name, setting.value.unwrap_or("(hidden)"), setting.source]);
    }
    out.push('\n');
    out.push_str(&text(&settings));
    out
}

async fn described(
    client: &KafkaClient,
    name: &str,
    topic: &TopicMetadata,
) -> Result<Vec<DescribedPartition>, Failure> {
    let led: Vec<i32> = topic.partitions.iter().filter(|(_, p)| p.leader >= 0).map(|(number, _)| *number).collect();
    let start = client.offsets(name, &led, OffsetSpec::Earliest).await?;
    let end = client.offsets(name, &led, OffsetSpec::Latest).await?;
    let local = client.offsets(name, &led, OffsetSpec::EarliestLocal).await?;
    let tiered = client.offsets(name, &led, OffsetSpec::LatestTiered).await?;
    let of = |offsets: &BTreeMap<i32, Option<i64>>, number: i32| offsets.get(&number).copied().flatten();
    Ok(topic
        .partitions
        .iter()
        .map(|(number, partition)| DescribedPartition {
            partition: *number,
            leader: partition.leader,
            leader_epoch: partition.leader_epoch,
            replicas: partition.replicas.clone(),
            in_sync: partition.in_sync.clone(),
            log_start_offset: of(&start, *number),
            tiered_offset: of(&tiered, *number),
            tiered_to: of(&tiered, *number).map(|last| last + 1),
            local_start_offset: of(&local, *number),
            log_end_offset: of(&end, *number),
        })
        .collect())
}

async fn alter(args: &AlterArgs) -> Result<(), Failure> {
    let client = args.cluster.connect().await?;
    let (_, metadata) = topic(&client, &args.name).await?;
    let configs = client.topic_configs(&args.name).await?;
    let known: BTreeSet<String> = configs.iter().map(|config| config.name.clone()).collect();
    let own: BTreeMap<String, String> = configs
        .into_iter()
        .filter(|config| config.source == ConfigSource::Topic)
        .filter_map(|config| Some((config.name, config.value?)))
        .collect();
    let mut now = own.clone();
    now.retain(|name, _| !args.unset.contains(name));
    let set = args.keeping.configs(&now).map_err(Failure::usage)?;
    if let Some(name) = args.unset.iter().find(|name| !known.contains(*name)) {
        let nearest =
            nearest_of_topics(name).map(|nearest| format!("; the nearest is '{nearest}'")).unwrap_or_default();
        let text = format!("the broker knows no topic setting '{name}': nothing was changed{nearest}");
        return Err(Failure::usage(text));
    }
    if let Some(name) = args.unset.iter().find(|name| set.contains_key(*name)) {
        return Err(Failure::usage(format!("'{name}' cannot be both set and unset")));
    }
    let unset = args.unset.iter().map(|name| (name.clone(), None));
    let mut changes: Vec<(String, Option<String>)> =
        set.into_iter().map(|(name, value)| (name, Some(value))).chain(unset).collect();
    let is_given = !changes.is_empty() || args.partitions.is_some();
    changes.retain(|(name, value)| own.get(name) != value.as_ref());
    let have = i32::try_from(metadata.partitions.len()).unwrap_or(i32::MAX);
    let grow = args.partitions.filter(|wanted| *wanted != have);
    if !is_given {
        return Err(Failure::usage("nothing to change: give --partitions, --keep, --local, --set or --unset"));
    }
    if let Some(wanted) = grow.filter(|wanted| *wanted < have) {
        return Err(Failure::usage(format!(
            "topic '{}' has {have} partitions and cannot have {wanted}: partitions are only added",
            args.name
        )));
    }
    if changes.is_empty() && grow.is_none() {
        let text = format!("topic '{}' is as it shall be already: nothing to change", args.name);
        return told(args.json, &json!({"topic": args.name, "changed": false}), &text);
    }
    if !changes.is_empty() {
        let altered = client.alter_topic_configs(&args.name, &changes).await;
        altered.map_err(|error| with_nearest(error, changes.iter().map(|(name, _)| name.as_str())))?;
    }
    if changes.iter().any(|(name, _)| name == "cleanup.policy") {
        warn_of_compaction(&client, &args.name).await?;
    }
    if let Some(wanted) = grow {
        client.create_partitions(&args.name, wanted).await?;
    }
    told(args.json, &json!({"topic": args.name, "changed": true}), &format!("changed topic '{}'", args.name))
}

async fn delete(args: &DeleteArgs) -> Result<(), Failure> {
    let client = args.cluster.connect().await?;
    for name in &args.names {
        topic(&client, name).await?;
    }
    if !args.yes && !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "deleting takes all records in both tiers: without a terminal to ask at, say --yes",
        ));
    }
    if !args.yes {
        tell(&format!("delete {} with all records, in both tiers? Type yes:", args.names.join(", ")));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map_err(Failure::failed)?;
        if answer.trim() != "yes" {
            return Err(Failure::failed("nothing was deleted"));
        }
    }
    for name in &args.names {
        client.delete_topic(name).await?;
        if !args.json {
            print_line(&format!("deleted topic '{name}'"))?;
        }
    }
    if args.json {
        let deleted = args.names.iter().map(|name| json!({"topic": name, "deleted": true}));
        return print_json(&deleted.collect::<Vec<_>>());
    }
    Ok(())
}
