//! What the suite has found, and whether that is well.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Transcripts;
use super::compare::{self, Difference};
use super::differences::Used;
use super::on_purpose::ON_PURPOSE;
use super::peer::{Served, shortened};
use super::planted;
use super::schema::Schemas;
use super::transcript::{Entry, Outcome};

/// Lines of one kind that are shown.
const SHOWN_MAX: usize = 40;

/// The findings.
#[derive(Debug)]
pub struct Report {
    cases: usize,
    answers: usize,
    fields: usize,
    /// Every case has run, so every row must have explained something.
    whole: bool,
    used: Used,
    unexplained: Vec<Difference>,
    unsteady: Vec<Difference>,
    unasked: Vec<String>,
    /// Cases that did not come to their end, whoever they asked.
    broken_off: Vec<String>,
    planted: planted::Found,
}

impl Report {
    /// Nothing found yet.
    pub fn new(cases: usize, whole: bool) -> Self {
        Self {
            cases,
            answers: 0,
            fields: 0,
            whole,
            used: Used::new(),
            unexplained: Vec::new(),
            unsteady: Vec::new(),
            unasked: Vec::new(),
            broken_off: Vec::new(),
            planted: planted::Found::default(),
        }
    }

    /// Kafka beside Tidelog.
    pub fn compare(&mut self, kafka: &Transcripts, ours: &Transcripts) {
        for (kafka, ours) in kafka.iter().zip(ours) {
            self.answers += kafka.len();
            self.fields += kafka.iter().filter_map(tree).map(compare::fields).sum::<usize>();
            for difference in compare::transcripts(kafka, ours) {
                if !self.used.explain(&difference) {
                    self.unexplained.push(difference);
                }
            }
        }
    }

    /// Kafka beside itself: any difference is the suite's own fault.
    pub fn compare_kafka_with_itself(&mut self, first: &Transcripts, again: &Transcripts) {
        for (first, again) in first.iter().zip(again) {
            self.unsteady.extend(compare::transcripts(first, again));
        }
    }

    /// Every API must have been answered in every version that both serve.
    pub fn require_all_asked(&mut self, served: &Served, schemas: &Schemas, transcripts: &Transcripts) {
        let answered = transcripts.iter().flatten().filter(|entry| tree(entry).is_some());
        let answered: BTreeSet<(&str, i16)> = answered.map(|entry| (entry.api.as_str(), entry.version)).collect();
        for (key, (min, max)) in served {
            let Some(name) = schemas.name_of(*key) else { continue };
            let unasked = (*min..=*max).filter(|version| !answered.contains(&(name, *version)));
            self.unasked.extend(unasked.map(|version| format!("{name} v{version}")));
        }
    }

    /// Every case must have come to its end: one that breaks off at the same place everywhere differs in nothing.
    pub fn require_all_ended(&mut self, whose: &str, transcripts: &Transcripts) {
        let broken_off = transcripts.iter().flatten().filter(|entry| matches!(entry.outcome, Outcome::BrokeOff));
        self.broken_off.extend(broken_off.map(|entry| format!("{} on {whose}", entry.place)));
    }

    /// What became of the differences that were planted.
    pub fn plant(&mut self, found: planted::Found) {
        self.planted = found;
    }

    /// Prints what was answered, where `SHOW` asks for it; so it does for the whole of a long report.
    pub fn show(&self, transcripts: &Transcripts) {
        if is_wordy() {
            for entry in transcripts.iter().flatten() {
                let Entry { place, api, version, request, outcome } = entry;
                match outcome {
                    Outcome::Answer(tree) => println!("{place} {api} v{version} {request}\n    {tree}"),
                    Outcome::Other(words) => println!("{place} {api} v{version} {request}\n    {words}"),
                    Outcome::BrokeOff => println!("{place} broke off"),
                }
            }
        }
    }

    fn idle(&self) -> Vec<String> {
        if self.whole { self.used.idle() } else { Vec::new() }
    }

    fn unasked(&self) -> &[String] {
        if self.whole { &self.unasked } else { &[] }
    }

    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.unexplained.is_empty()
            && self.unsteady.is_empty()
            && self.broken_off.is_empty()
            && self.planted.faults(self.whole).is_empty()
            && self.idle().is_empty()
            && self.unasked().is_empty()
    }

    /// Says it.
    pub fn print(&self) {
        print_all("Kafka differs from itself: the case is at fault", ["Kafka", "Kafka again"], &self.unsteady);
        print_all("Tidelog differs from Kafka", ["Kafka", "Tidelog"], &self.unexplained);
        for what in self.idle() {
            println!("on the list, but no longer different: {what}");
        }
        for what in self.unasked() {
            println!("served by both, but no case asks: {what}");
        }
        for what in &self.broken_off {
            println!("broke off: {what}");
        }
        for what in self.planted.faults(self.whole) {
            println!("planted: {what}");
        }
        println!("{}", self.planted);
        println!(
            "{} cases, {} answers, {} fields; {} differences on purpose by {} rows, {} unexplained",
            self.cases,
            self.answers,
            self.fields,
            self.used.count(),
            ON_PURPOSE.len(),
            self.unexplained.len()
        );
    }
}

fn is_wordy() -> bool {
    std::env::var_os("SHOW").is_some()
}

fn tree(entry: &Entry) -> Option<&Value> {
    match &entry.outcome {
        Outcome::Answer(tree) => Some(tree),
        Outcome::Other(_) | Outcome::BrokeOff => None,
    }
}

/// Where a difference was seen: the API, the field, both sides, and the case.
type Kind<'a> = (&'a str, &'a str, String, &'a str);

/// Differences, those that differ in nothing but step and version as one line.
fn print_all(title: &str, [left, right]: [&str; 2], differences: &[Difference]) {
    let mut kinds: BTreeMap<Kind<'_>, Vec<(&str, &Difference)>> = BTreeMap::new();
    for one in differences {
        let sides = format!(
            "{left} {}, {right} {}",
            shortened(one.kafka.as_deref().unwrap_or("nothing")),
            shortened(one.ours.as_deref().unwrap_or("nothing"))
        );
        let (case, step) = one.place.split_once(": ").unwrap_or((&one.place, ""));
        kinds.entry((&one.api, &one.path, sides, case)).or_default().push((step, one));
    }
    if kinds.is_empty() {
        return;
    }
    println!("\n{title}:");
    let shown = if is_wordy() { usize::MAX } else { SHOWN_MAX };
    for ((api, path, sides, case), seen) in kinds.iter().take(shown) {
        let versions: BTreeSet<i16> = seen.iter().map(|(_, one)| one.version).collect();
        let steps: BTreeSet<&str> = seen.iter().map(|(step, _)| *step).collect();
        let versions = versions.iter().map(i16::to_string).collect::<Vec<_>>().join(",");
        let more = if steps.len() > 1 { format!(" and {} more steps", steps.len() - 1) } else { String::new() };
        let step = steps.first().copied().unwrap_or_default();
        println!("  {case}: {step}{more}: {api} v{versions}: {path}: {sides}");
        if is_wordy() {
            steps.iter().skip(1).for_each(|step| println!("      {step}"));
            seen.iter().take(1).for_each(|(_, one)| println!("      asked {}", one.request));
        }
    }
    if kinds.len() > shown {
        println!("  … and {} more (SHOW=1 shows all, and what was asked)", kinds.len() - shown);
    }
}
