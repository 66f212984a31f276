//! What differs from Kafka on purpose: how a row of the list is read. The list itself is `on_purpose.rs`.
//!
//! A row names the API, its versions, the cases and the fields, and what each broker has there. What explains nothing any
//! more, a field, a place or a whole row, fails the suite, so the list never says more than is true.

use super::compare::Difference;
use super::on_purpose::ON_PURPOSE;

/// What one of the brokers has at a place.
#[derive(Debug, Clone, Copy)]
pub enum Has {
    /// Whatever it is, or nothing.
    Anything,
    /// The field, the element or the answer is not there.
    Nothing,
    /// A text, not null.
    Words,
    /// This, as JSON, or in the words of a connection.
    Exactly(&'static str),
}

impl Has {
    fn holds(self, leaf: Option<&str>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => leaf.is_none(),
            Self::Words => leaf.is_some_and(|leaf| leaf.starts_with('"') && leaf.len() > 2),
            Self::Exactly(json) => leaf == Some(json),
        }
    }
}

/// A field, what Kafka has there and what Tidelog has. `*` stands for any text.
pub type Field = (&'static str, Has, Has);

/// A difference on purpose.
#[derive(Debug)]
pub struct Row {
    api: &'static str,
    /// Cases and steps; `*` stands for any text.
    places: &'static [&'static str],
    min_version: i16,
    max_version: i16,
    fields: &'static [Field],
    /// What takes the place of `?` in a field.
    names: &'static [&'static str],
    reason: &'static str,
}

/// In every version, until said otherwise.
pub const fn row(
    api: &'static str,
    places: &'static [&'static str],
    fields: &'static [Field],
    reason: &'static str,
) -> Row {
    Row { api, places, min_version: 0, max_version: i16::MAX, fields, names: &[], reason }
}

impl Row {
    /// Only in these versions.
    pub const fn versions(mut self, min: i16, max: i16) -> Self {
        self.min_version = min;
        self.max_version = max;
        self
    }

    /// A field's `?` stands for a name of this list.
    pub const fn named(mut self, names: &'static [&'static str]) -> Self {
        self.names = names;
        self
    }

    /// Which of its places, fields and names are the reason, if any are.
    fn explains(&self, difference: &Difference) -> Option<(usize, usize, Option<usize>)> {
        if self.api != difference.api || !(self.min_version..=self.max_version).contains(&difference.version) {
            return None;
        }
        let place = self.places.iter().position(|place| glob(place, &difference.place))?;
        let fits = |(path, kafka, ours): &Field| {
            let fits = kafka.holds(difference.kafka.as_deref()) && ours.holds(difference.ours.as_deref());
            fits.then(|| self.is_path(path, &difference.path)).flatten()
        };
        let (field, name) =
            self.fields.iter().enumerate().find_map(|(at, field)| fits(field).map(|name| (at, name)))?;
        Some((place, field, name))
    }

    /// Whether this is the path, and which name stands in it.
    fn is_path(&self, path: &str, text: &str) -> Option<Option<usize>> {
        if !path.contains('?') {
            return glob(path, text).then_some(None);
        }
        self.names.iter().position(|name| glob(&path.replace('?', name), text)).map(Some)
    }
}

/// Whether a text fits a pattern in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            match rest.find(middle) {
                Some(at) => rest = &rest[at + str::len(middle)..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |end: &str| rest.ends_with(end))
}

/// Whether the list has a reason for this.
pub fn is_on_purpose(difference: &Difference) -> bool {
    ON_PURPOSE.iter().any(|row| row.explains(difference).is_some())
}

/// What of the list has explained something.
#[derive(Debug)]
pub struct Used {
    /// For each row, how often each place, each field and each name did.
    rows: Vec<[Vec<usize>; 3]>,
}

impl Used {
    /// Nothing yet.
    pub fn new() -> Self {
        let counts = |row: &Row| [row.places.len(), row.fields.len(), row.names.len()].map(|count| vec![0; count]);
        Self { rows: ON_PURPOSE.iter().map(counts).collect() }
    }

    /// Whether the list has a reason for this; the first row that has one counts.
    pub fn explain(&mut self, difference: &Difference) -> bool {
        let found = ON_PURPOSE.iter().enumerate().find_map(|(at, row)| Some((at, row.explains(difference)?)));
        if let Some((at, (place, field, name))) = found {
            let [places, fields, names] = &mut self.rows[at];
            places[place] += 1;
            fields[field] += 1;
            name.into_iter().for_each(|name| names[name] += 1);
        }
        found.is_some()
    }

    /// How many differences were explained.
    pub fn count(&self) -> usize {
        self.rows.iter().flat_map(|[places, ..]| places).sum()
    }

    /// What has explained nothing, in words.
    pub fn idle(&self) -> Vec<String> {
        let mut idle = Vec::new();
        for (row, [places, fields, names]) in ON_PURPOSE.iter().zip(&self.rows) {
            let places = row.places.iter().zip(places).map(|(place, used)| (format!("at '{place}'"), *used));
            let fields = row.fields.iter().zip(fields).map(|((path, ..), used)| (format!("field '{path}'"), *used));
            let names = row.names.iter().zip(names).map(|(name, used)| (format!("name '{name}'"), *used));
            let unused = places.chain(fields).chain(names).filter(|(_, used)| *used == 0);
            idle.extend(unused.map(|(what, _)| format!("{} {what} ({})", row.api, row.reason)));
        }
        idle
    }
}
