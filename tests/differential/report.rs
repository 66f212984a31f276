//! What the suite has found, and whether that is well.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Transcripts;
use super::compare::{self, Difference};
use super::differences::{ON_PURPOSE, Row};
use super::peer::shortened;
use super::planted;
use super::transcript::{Entry, Outcome};

/// Lines of one kind that are shown.
const SHOWN_MAX: usize = 200;

/// The findings.
#[derive(Debug)]
pub struct Report {
    cases: usize,
    answers: usize,
    fields: usize,
    /// Every case has run, so every row must have explained something.
    whole: bool,
    used: Vec<usize>,
    unexplained: Vec<Difference>,
    unsteady: Vec<Difference>,
    planted: Result<planted::Found, String>,
}

impl Report {
    /// Nothing found yet.
    pub fn new(cases: usize, whole: bool) -> Self {
        Self {
            cases,
            answers: 0,
            fields: 0,
            whole,
            used: vec![0; ON_PURPOSE.len()],
            unexplained: Vec::new(),
            unsteady: Vec::new(),
            planted: Ok(planted::Found::default()),
        }
    }

    /// Kafka beside Tidelog.
    pub fn compare(&mut self, kafka: &Transcripts, ours: &Transcripts) {
        for (kafka, ours) in kafka.iter().zip(ours) {
            self.answers += kafka.len();
            self.fields += kafka.iter().filter_map(tree).map(compare::fields).sum::<usize>();
            for difference in compare::transcripts(kafka, ours) {
                match ON_PURPOSE.iter().position(|row| row.explains(&difference)) {
                    Some(at) => self.used[at] += 1,
                    None => self.unexplained.push(difference),
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

    /// Changes what was answered, and sees whether that is noticed.
    pub fn plant(&mut self, transcripts: &Transcripts) {
        let all: Vec<Entry> = transcripts.iter().flatten().cloned().collect();
        self.planted = planted::all(&all);
    }

    /// Prints what was answered, where `SHOW` asks for it; so it does for the whole of a long report.
    pub fn show(&self, transcripts: &Transcripts) {
        if std::env::var_os("SHOW").is_some() {
            for entry in transcripts.iter().flatten() {
                let Entry { place, api, version, request, outcome } = entry;
                match outcome {
                    Outcome::Answer(tree) => println!("{place} {api} v{version} {request}\n    {tree}"),
                    Outcome::Other(words) => println!("{place} {api} v{version} {request}\n    {words}"),
                }
            }
        }
    }

    fn idle_rows(&self) -> Vec<&'static Row> {
        let rows = ON_PURPOSE.iter().zip(&self.used);
        rows.filter(|(_, used)| self.whole && **used == 0).map(|(row, _)| row).collect()
    }

    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.unexplained.is_empty() && self.unsteady.is_empty() && self.planted.is_ok() && self.idle_rows().is_empty()
    }

    /// Says it.
    pub fn print(&self) {
        print_all("Kafka differs from itself", "Kafka", "Kafka again", &self.unsteady);
        print_all("Tidelog differs from Kafka", "Kafka", "Tidelog", &self.unexplained);
        for row in self.idle_rows() {
            println!("no longer differs: {} ({})", row.title(), row.reason);
        }
        match &self.planted {
            Ok(found) => println!(
                "planted {} differences, all found; the list would excuse {} of them",
                found.planted, found.excused
            ),
            Err(words) => println!("a planted difference was not found: {words}"),
        }
        let explained: usize = self.used.iter().sum();
        println!(
            "{} cases, {} answers, {} fields; {explained} differences on purpose by {} rows, {} unexplained",
            self.cases,
            self.answers,
            self.fields,
            ON_PURPOSE.len(),
            self.unexplained.len()
        );
    }
}

fn tree(entry: &Entry) -> Option<&Value> {
    match &entry.outcome {
        Outcome::Answer(tree) => Some(tree),
        Outcome::Other(_) => None,
    }
}

/// Differences, those of neighbouring versions as one line.
fn print_all(title: &str, left: &str, right: &str, differences: &[Difference]) {
    let mut groups: BTreeMap<(&str, &str, &str, String), Vec<&Difference>> = BTreeMap::new();
    for one in differences {
        let sides = format!(
            "{left} {}, {right} {}",
            shortened(one.kafka.as_deref().unwrap_or("nothing")),
            shortened(one.ours.as_deref().unwrap_or("nothing"))
        );
        groups.entry((&one.place, &one.api, &one.path, sides)).or_default().push(one);
    }
    if !groups.is_empty() {
        println!("\n{title}:");
    }
    let all = std::env::var_os("SHOW").is_some();
    for ((place, api, path, sides), group) in groups.iter().take(if all { usize::MAX } else { SHOWN_MAX }) {
        let versions: Vec<String> = group.iter().map(|one| one.version.to_string()).collect();
        println!("  {place}: {api} v{}: {path}: {sides}", versions.join(","));
        if all {
            println!("      asked {}", group[0].request);
        }
    }
    if !all && groups.len() > SHOWN_MAX {
        println!("  … and {} more", groups.len() - SHOWN_MAX);
    }
}
