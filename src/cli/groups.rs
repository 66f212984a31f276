//! `tidelog groups`: who reads what, how far they are behind, and where they go on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, IsTerminal};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::net::client::groups::{Committed, GroupDescription, GroupMember};
use crate::net::client::offsets::OffsetSpec;
use crate::net::client::{ClientError, KafkaClient};

use super::connecting::{ClusterArgs, topic};
use super::machine::on_runtime;
use super::outcome::{Exit, Failure};
use super::output::{print, print_json, print_line, tell};
use super::start_at::StartAt;
use super::table::{counted, or_dash, right_align, table, text};

/// What to do with groups.
#[derive(Debug, Subcommand)]
pub enum GroupsCommand {
    /// List groups
    List(ListArgs),
    /// Show who is in a group, what it has committed, and how far that is behind
    ///
    /// Of a group that uses the protocol that came with Kafka 4, on a broker that has it, offsets are shown and no members.
    Describe(DescribeArgs),
    /// Say where a group goes on that nobody is in: whoever joins next reads from there
    Reset(ResetArgs),
    /// Delete groups that nobody is in, or only what they have committed for a topic
    Delete(DeleteArgs),
}

/// A list of groups.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// A look at a group.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// Its name
    pub group: String,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Another place to go on from.
#[derive(Debug, Args)]
pub struct ResetArgs {
    /// The group
    pub group: String,
    /// Where to go on: earliest, latest, an offset, -N for the last N of each partition, or @TIME (2026-01-31T12:00:00Z, or milliseconds)
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true)]
    pub to: StartAt,
    /// In this topic; may be repeated [default: all that it has committed for]
    #[arg(short, long)]
    pub topic: Vec<String>,
    /// Only in this partition of one topic; may be repeated
    #[arg(short, long, requires = "topic")]
    pub partition: Vec<i32>,
    /// Only show what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// The end of groups.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Their names
    #[arg(required = true)]
    pub groups: Vec<String>,
    /// Only what they have committed for this topic; may be repeated
    #[arg(short, long)]
    pub topic: Vec<String>,
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
pub fn run(command: &GroupsCommand) -> Result<(), Failure> {
    on_runtime(async {
        match command {
            GroupsCommand::List(args) => list(args).await,
            GroupsCommand::Describe(args) => describe(args).await,
            GroupsCommand::Reset(args) => reset(args).await,
            GroupsCommand::Delete(args) => delete(args).await,
        }
    })
}

#[derive(Serialize)]
struct ListedGroup {
    group: String,
    state: String,
    protocol_type: String,
}

async fn list(args: &ListArgs) -> Result<(), Failure> {
    let client = args.cluster.connect().await?;
    let groups: Vec<ListedGroup> = client
        .groups()
        .await?
        .into_iter()
        .map(|group| ListedGroup { group: group.group, state: group.state, protocol_type: group.protocol_type })
        .collect();
    if args.json {
        return print_json(&groups);
    }
    if groups.is_empty() {
        return print_line("no groups; a consumer with a group.id makes one");
    }
    let mut shown = table(&["GROUP", "STATE", "PROTOCOL"]);
    for group in &groups {
        shown.add_row([group.group.as_str(), dashed(&group.state), dashed(&group.protocol_type)]);
    }
    print(&text(&shown))
}

#[derive(Serialize)]
struct Described {
    group: String,
    state: String,
    protocol_type: String,
    protocol: String,
    members: Vec<DescribedMember>,
    offsets: Vec<DescribedOffset>,
}

#[derive(Serialize)]
struct DescribedMember {
    member_id: String,
    instance_id: Option<String>,
    client_id: String,
    host: String,
    partitions: BTreeMap<String, Vec<i32>>,
}

#[derive(Serialize)]
struct DescribedOffset {
    topic: String,
    partition: i32,
    /// Where the group goes on.
    committed_offset: Option<i64>,
    /// The next offset to be given.
    log_end_offset: Option<i64>,
    /// Offsets between the two.
    lag: Option<i64>,
    /// Who reads it now.
    member_id: Option<String>,
}

async fn describe(args: &DescribeArgs) -> Result<(), Failure> {
    let client = args.cluster.connect().await?;
    let (group, committed) = known(&client, &args.group).await?;
    let mut readers: BTreeMap<(String, i32), &GroupMember> = BTreeMap::new();
    for member in &group.members {
        for (topic, partitions) in &member.partitions {
            readers.extend(partitions.iter().map(|partition| ((topic.clone(), *partition), member)));
        }
    }
    let partitions: BTreeSet<(String, i32)> = committed.keys().chain(readers.keys()).cloned().collect();
    let ends = ends(&client, &partitions).await?;
    let offsets = partitions.into_iter().map(|place| {
        let (committed_offset, log_end_offset) = (committed.get(&place).copied(), ends.get(&place).copied());
        DescribedOffset {
            committed_offset,
            log_end_offset,
            lag: log_end_offset.zip(committed_offset).map(|(end, committed)| end.saturating_sub(committed).max(0)),
            member_id: readers.get(&place).map(|member| member.member_id.clone()),
            topic: place.0,
            partition: place.1,
        }
    });
    let described = Described {
        group: args.group.clone(),
        state: group.state.clone(),
        protocol_type: group.protocol_type.clone(),
        protocol: group.protocol.clone(),
        offsets: offsets.collect(),
        members: group.members.iter().cloned().map(DescribedMember::from).collect(),
    };
    if args.json {
        return print_json(&described);
    }
    print(&described_text(&described))
}

impl From<GroupMember> for DescribedMember {
    fn from(member: GroupMember) -> Self {
        let GroupMember { member_id, instance_id, client_id, host, partitions } = member;
        Self { member_id, instance_id, client_id, host, partitions }
    }
}

/// A group and its offsets; a failure where there is neither.
async fn known(client: &KafkaClient, group: &str) -> Result<(GroupDescription, Committed), Failure> {
    let described = client.group(group).await?;
    let committed = client.committed(group).await?;
    if committed.is_empty() && described.members.is_empty() && matches!(described.state.as_str(), "Dead" | "") {
        let text = format!("there is no group '{group}'; tidelog groups list shows those that there are");
        return Err(Failure::new(Exit::NotFound, text));
    }
    Ok((described, committed))
}

/// The ends of partitions; none of one whose topic is gone.
async fn ends(client: &KafkaClient, places: &BTreeSet<(String, i32)>) -> Result<Committed, Failure> {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in places {
        by_topic.entry(topic).or_default().push(*partition);
    }
    let mut ends = Committed::new();
    for (topic, mut partitions) in by_topic {
        let metadata = client.metadata(Some(&[topic])).await?;
        partitions.retain(|partition| metadata.leader(topic, *partition).is_some());
        if partitions.is_empty() {
            continue;
        }
        let found = client.offsets(topic, &partitions, OffsetSpec::Latest).await?;
        ends.extend(found.into_iter().filter_map(|(number, end)| Some(((topic.to_owned(), number), end?))));
    }
    Ok(ends)
}

fn described_text(group: &Described) -> String {
    let (state, protocol) = (dashed(&group.state), dashed(&group.protocol));
    let members = group.members.len();
    let members = counted(members, "member");
    let mut out = format!("group '{}', state {state}, {members}, protocol {protocol}\n", group.group);
    if !group.members.is_empty() {
        let mut shown = table(&["MEMBER", "CLIENT", "HOST", "PARTITIONS"]);
        for member in &group.members {
            let count: usize = member.partitions.values().map(Vec::len).sum();
            let columns = [&member.member_id, &member.client_id, &member.host];
            shown.add_row(columns.into_iter().cloned().chain([count.to_string()]));
        }
        right_align(&mut shown, &[3]);
        out.push('\n');
        out.push_str(&text(&shown));
    }
    if group.offsets.is_empty() {
        out.push_str("\nnothing committed\n");
        return out;
    }
    let mut shown = table(&["TOPIC", "PARTITION", "COMMITTED", "LOG END", "LAG", "MEMBER"]);
    for offset in &group.offsets {
        shown.add_row([
            offset.topic.clone(),
            offset.partition.to_string(),
            or_dash(offset.committed_offset),
            or_dash(offset.log_end_offset),
            or_dash(offset.lag),
            offset.member_id.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    right_align(&mut shown, &[1, 2, 3, 4]);
    out.push('\n');
    out.push_str(&text(&shown));
    out
}

#[derive(Serialize)]
struct Moved {
    topic: String,
    partition: i32,
    before: Option<i64>,
    after: i64,
}

async fn reset(args: &ResetArgs) -> Result<(), Failure> {
    let client = args.cluster.connect().await?;
    let group = client.group(&args.group).await?;
    refuse_members(&args.group, &group)?;
    let committed = client.committed(&args.group).await?;
    let mut topics: BTreeSet<&str> = args.topic.iter().map(String::as_str).collect();
    if topics.is_empty() {
        topics = committed.keys().map(|(topic, _)| topic.as_str()).collect();
    }
    if topics.is_empty() {
        let text = format!("group '{}' has committed nothing: say --topic, and it begins there", args.group);
        return Err(Failure::new(Exit::NotFound, text));
    }
    if topics.len() > 1 && !args.partition.is_empty() {
        return Err(Failure::usage("--partition is of one topic: give one --topic"));
    }
    let mut after = Committed::new();
    for name in topics {
        let (_, metadata) = topic(&client, name).await?;
        if let Some(missing) = args.partition.iter().find(|number| !metadata.partitions.contains_key(number)) {
            return Err(Failure::new(Exit::NotFound, format!("topic '{name}' has no partition {missing}")));
        }
        let wanted = |number: &i32| args.partition.is_empty() || args.partition.contains(number);
        let partitions: Vec<i32> = metadata.partitions.keys().copied().filter(wanted).collect();
        let found = args.to.offsets(&client, name, &partitions, OffsetSpec::Latest).await?;
        after.extend(found.into_iter().map(|(number, offset)| ((name.to_owned(), number), offset)));
    }
    if !args.dry_run {
        client.commit(&args.group, &after).await?;
    }
    let moved = after.into_iter().map(|(place, after)| {
        let before = committed.get(&place).copied();
        Moved { topic: place.0, partition: place.1, before, after }
    });
    print_moved(args, &moved.collect::<Vec<_>>())
}

fn print_moved(args: &ResetArgs, moved: &[Moved]) -> Result<(), Failure> {
    if args.json {
        return print_json(&moved);
    }
    let mut shown = table(&["TOPIC", "PARTITION", "BEFORE", "AFTER"]);
    for one in moved {
        let numbers = [one.partition.to_string(), or_dash(one.before), one.after.to_string()];
        shown.add_row([one.topic.clone()].into_iter().chain(numbers));
    }
    right_align(&mut shown, &[1, 2, 3]);
    print(&text(&shown))?;
    if args.dry_run { print_line("nothing was changed") } else { Ok(()) }
}

/// A member would go on with what it has, and commit over what is set here.
fn refuse_members(name: &str, group: &GroupDescription) -> Result<(), Failure> {
    if group.members.is_empty() {
        return Ok(());
    }
    let clients: BTreeSet<&str> = group.members.iter().map(|member| member.client_id.as_str()).collect();
    let clients = clients.into_iter().collect::<Vec<_>>().join(", ");
    Err(Failure::failed(format!(
        "group '{name}' has {} members ({clients}): stop them first, or wait until their session is over",
        group.members.len()
    )))
}

#[derive(Serialize)]
struct Deleted<'a> {
    group: &'a str,
    /// Those whose offsets went; all, and the group with them, where none are named.
    topics: &'a [String],
}

async fn delete(args: &DeleteArgs) -> Result<(), Failure> {
    let client = args.cluster.connect().await?;
    let mut places: BTreeMap<&str, Vec<(String, i32)>> = BTreeMap::new();
    for name in &args.groups {
        let (group, committed) = known(&client, name).await?;
        if args.topic.is_empty() {
            refuse_members(name, &group)?;
        }
        let of_topics: Vec<_> = committed.into_keys().filter(|(topic, _)| args.topic.contains(topic)).collect();
        if let Some(topic) = args.topic.iter().find(|topic| !of_topics.iter().any(|(name, _)| name == *topic)) {
            let text = format!("group '{name}' has committed nothing for topic '{topic}'");
            return Err(Failure::new(Exit::NotFound, text));
        }
        places.insert(name, of_topics);
    }
    confirm(args)?;
    for (group, places) in &places {
        if args.topic.is_empty() {
            client.delete_group(group).await.map_err(|error| non_empty(group, error))?;
        } else {
            client.forget(group, places).await?;
        }
        if !args.json {
            let what = if args.topic.is_empty() { "deleted" } else { "deleted what was committed by" };
            print_line(&format!("{what} group '{group}'"))?;
        }
    }
    if args.json {
        let deleted: Vec<Deleted<'_>> = places.keys().map(|group| Deleted { group, topics: &args.topic }).collect();
        return print_json(&deleted);
    }
    Ok(())
}

fn confirm(args: &DeleteArgs) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "what a group has committed is gone for good: without a terminal to ask at, say --yes",
        ));
    }
    tell(&format!("delete what {} committed? Type yes:", args.groups.join(", ")));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Failure::failed)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::failed("nothing was deleted")) }
}

/// Somebody joined in between.
fn non_empty(group: &str, error: ClientError) -> Failure {
    match error {
        ClientError::Refused(refused) if refused.is_group_in_use() => {
            Failure::failed(format!("{refused}: somebody has joined group '{group}'; stop them first"))
        }
        error => error.into(),
    }
}

fn dashed(word: &str) -> &str {
    if word.is_empty() { "-" } else { word }
}
