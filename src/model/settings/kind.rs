//! What kinds of values settings have, and what makes a text one of them. Kinds, checks and words are Kafka's
//! (`ConfigDef`), so that a tool that reads the message finds what it knows.

/// The kind of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// Any text.
    String,
    /// 32 bits.
    Int,
    /// 64 bits.
    Long,
    /// A floating-point number.
    Double,
    /// Texts between commas.
    List,
}

impl Kind {
    /// Kafka's name, as messages and documents show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Int => "int",
            Self::Long => "long",
            Self::Double => "double",
            Self::List => "list",
        }
    }
}

/// What a value must be beyond its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Check {
    /// Nothing.
    Any,
    /// A number from here on.
    AtLeast(i64),
    /// A number in this range, both ends included.
    Between(i64, i64),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A list of these, which may be empty.
    ListOf(&'static [&'static str]),
    /// From 0 to 1.
    Fraction,
}

/// A value that a setting cannot have. The text is what clients are shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetting {
    /// The value is not of the kind, or fails its check.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Value {
        /// Which setting.
        name: String,
        /// What was given.
        value: String,
        /// Why not.
        reason: String,
    },
    /// There is no such setting.
    #[error("Unknown topic config name: {0}")]
    UnknownTopicSetting(String),
    /// Settings contradict each other.
    #[error("{0}")]
    Conflict(String),
}

impl InvalidSetting {
    pub(super) fn value(name: &str, value: &str, reason: impl Into<String>) -> Self {
        Self::Value { name: name.to_owned(), value: value.to_owned(), reason: reason.into() }
    }
}

/// Whether `value` may stand for the setting.
pub(super) fn check(name: &str, value: &str, kind: Kind, check: Check) -> Result<(), InvalidSetting> {
    let invalid = |reason: String| InvalidSetting::value(name, value, reason);
    let text = value.trim();
    match kind {
        Kind::Boolean => {
            if !text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false") {
                return Err(invalid("Expected value to be either true or false".to_owned()));
            }
        }
        Kind::Int => {
            let number: i32 = text.parse().map_err(|_| invalid("Not a number of type INT".to_owned()))?;
            check_number(i64::from(number), check).map_err(invalid)?;
        }
        Kind::Long => {
            let number: i64 = text.parse().map_err(|_| invalid("Not a number of type LONG".to_owned()))?;
            check_number(number, check).map_err(invalid)?;
        }
        Kind::Double => {
            let number: f64 = text.parse().map_err(|_| invalid("Not a number of type DOUBLE".to_owned()))?;
            if check == Check::Fraction && !(0.0..=1.0).contains(&number) {
                let bound = if number < 0.0 { "at least 0" } else { "no more than 1" };
                return Err(invalid(format!("Value must be {bound}")));
            }
        }
        Kind::String => {
            if let Check::OneOf(known) = check
                && !known.contains(&text)
            {
                return Err(invalid(format!("String must be one of: {}", known.join(", "))));
            }
        }
        Kind::List => {
            if let Check::ListOf(known) = check
                && items(text).any(|item| !known.contains(&item))
            {
                return Err(invalid(format!("String must be one of: {}", known.join(", "))));
            }
        }
    }
    Ok(())
}

fn check_number(number: i64, check: Check) -> Result<(), String> {
    match check {
        Check::AtLeast(least) | Check::Between(least, _) if number < least => {
            Err(format!("Value must be at least {least}"))
        }
        Check::Between(_, most) if number > most => Err(format!("Value must be no more than {most}")),
        _ => Ok(()),
    }
}

/// The items of a list.
pub fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
