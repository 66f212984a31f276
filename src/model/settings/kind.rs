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
    /// A number in the range, or the one besides.
    BetweenOr(i64, i64, i64),
    /// `*`, or a list of PARTITION:BROKER.
    ThrottledReplicas,
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
    let invalid = |reason: &str| InvalidSetting::value(name, value, reason);
    let text = value.trim();
    // Once a value is known to be of its kind, messages show it as Kafka prints what it has parsed.
    let checked = |outcome: Result<(), String>| {
        outcome.map_err(|reason| InvalidSetting::value(name, &canonical(kind, value), reason))
    };
    match kind {
        Kind::Boolean if !text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false") => {
            Err(invalid("Expected value to be either true or false"))
        }
        Kind::Boolean => Ok(()),
        Kind::Int => {
            let number: i32 = text.parse().map_err(|_| invalid("Not a number of type INT"))?;
            checked(check_number(i64::from(number), check))
        }
        Kind::Long => {
            let number: i64 = text.parse().map_err(|_| invalid("Not a number of type LONG"))?;
            checked(check_number(number, check))
        }
        Kind::Double => {
            let number: f64 = text.parse().map_err(|_| invalid("Not a number of type DOUBLE"))?;
            checked(check_fraction(number, check))
        }
        Kind::String => match check {
            Check::OneOf(known) if !known.contains(&text) => {
                Err(invalid(&format!("String must be one of: {}", known.join(", "))))
            }
            _ => Ok(()),
        },
        Kind::List => check_list(name, text, check),
    }
}

fn check_fraction(number: f64, check: Check) -> Result<(), String> {
    if check != Check::Fraction || (0.0..=1.0).contains(&number) {
        return Ok(());
    }
    Err(format!("Value must be {}", if number < 0.0 { "at least 0" } else { "no more than 1" }))
}

fn check_list(name: &str, text: &str, check: Check) -> Result<(), InvalidSetting> {
    let parts: Vec<&str> = if text.is_empty() { Vec::new() } else { text.split(',').map(str::trim).collect() };
    match check {
        Check::ListOf(_) if parts.iter().any(|part| part.is_empty()) => {
            Err(InvalidSetting::Conflict(format!("Configuration '{name}' values must not be empty.")))
        }
        Check::ListOf(known) => match parts.iter().find(|part| !known.contains(part)) {
            Some(part) => {
                Err(InvalidSetting::value(name, part, format!("String must be one of: {}", known.join(", "))))
            }
            None => Ok(()),
        },
        Check::ThrottledReplicas if parts != ["*"] && !parts.iter().all(|part| is_partition_and_broker(part)) => {
            let reason = format!(
                "{name} must be the literal '*' or a list of replicas in the following format: \
                 [partitionId]:[brokerId],[partitionId]:[brokerId],..."
            );
            Err(InvalidSetting::value(name, &format!("[{}]", parts.join(", ")), reason))
        }
        _ => Ok(()),
    }
}

fn is_partition_and_broker(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once(':').is_some_and(|(partition, broker)| digits(partition) && digits(broker))
}

/// A value of its kind as Kafka prints it: without the spaces around it, in one way of writing it.
pub(super) fn canonical(kind: Kind, value: &str) -> String {
    let text = value.trim();
    match kind {
        Kind::String => text.to_owned(),
        Kind::Boolean => text.to_ascii_lowercase(),
        Kind::Int | Kind::Long => text.parse::<i64>().map_or_else(|_| text.to_owned(), |number| number.to_string()),
        Kind::Double => text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| format!("{number:?}")),
        Kind::List if text.is_empty() => String::new(),
        Kind::List => text.split(',').map(str::trim).collect::<Vec<_>>().join(","),
    }
}

fn check_number(number: i64, check: Check) -> Result<(), String> {
    match check {
        Check::AtLeast(least) | Check::Between(least, _) if number < least => {
            Err(format!("Value must be at least {least}"))
        }
        Check::Between(_, most) if number > most => Err(format!("Value must be no more than {most}")),
        Check::BetweenOr(least, most, besides) if !(least..=most).contains(&number) && number != besides => {
            Err(format!("Value must be between {least} and {most} or equal to {besides}"))
        }
        _ => Ok(()),
    }
}

/// The items of a list.
pub fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
