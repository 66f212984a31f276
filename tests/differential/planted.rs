//! The suite's own test: a field that is changed by hand has to be found, wherever it is.

use serde_json::{Value, json};

use super::compare;
use super::differences::is_on_purpose;
use super::transcript::{Entry, Outcome};

/// What planting has shown.
#[derive(Debug, Default)]
pub struct Found {
    /// Fields that were changed.
    pub planted: usize,
    /// Of these, the ones that a row of the list would have let pass whatever they had become.
    pub excused: usize,
}

/// Fields of one answer that are changed; comparing all of a long one for each of its fields would take minutes.
const PER_ANSWER: usize = 8;

/// Changes fields of every answer, one at a time, from its first to its last. Fails on the first that goes unnoticed.
pub fn all(transcript: &[Entry]) -> Result<Found, String> {
    let mut found = Found::default();
    for entry in transcript {
        let fields = count(&entry.outcome);
        for leaf in (0..fields).step_by(fields.div_ceil(PER_ANSWER).max(1)) {
            let mut changed = entry.clone();
            if let Outcome::Answer(tree) = &mut changed.outcome {
                change(tree, &mut leaf.clone());
            }
            let differences = compare::transcripts(std::slice::from_ref(entry), std::slice::from_ref(&changed));
            if differences.is_empty() {
                return Err(format!(
                    "{} {} v{}: field {leaf} changed unnoticed",
                    entry.place, entry.api, entry.version
                ));
            }
            found.planted += 1;
            found.excused += usize::from(differences.iter().all(is_on_purpose));
        }
    }
    Ok(found)
}

fn count(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Answer(tree) => compare::fields(tree),
        Outcome::Other(_) => 0,
    }
}

/// Changes the leaf of that number; counts it down on the way.
fn change(tree: &mut Value, leaf: &mut usize) {
    match tree {
        Value::Array(elements) if !elements.is_empty() => elements.iter_mut().for_each(|one| change(one, leaf)),
        Value::Object(fields) if !fields.is_empty() => fields.values_mut().for_each(|one| change(one, leaf)),
        _ => {
            if *leaf == 0 {
                *tree = json!("planted");
            }
            *leaf = leaf.wrapping_sub(1);
        }
    }
}
