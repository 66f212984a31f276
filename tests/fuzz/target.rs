//! What reads what others wrote.

use rand::rngs::StdRng;

/// How a case ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken, or enough of it was left.
    Read,
    /// It was refused, with a word about what it is.
    Refused,
}

/// A reader under test.
pub trait Target {
    /// What memory may grow by in one case, in bytes.
    fn memory_bytes_max(&self) -> u64;

    /// Whether panics are its own business: it keeps foreign decoders' from getting out.
    fn may_panic_within(&self) -> bool {
        false
    }

    /// Runs a case; an error says what is wrong.
    fn run(&mut self, chance: &mut StdRng) -> Result<Outcome, String>;

    /// Ends what it has started.
    fn end(&mut self) {}
}

/// A refusal that says something: `about` is what it must name.
pub fn refused(error: &str, about: &str) -> Result<Outcome, String> {
    if !error.is_empty() && error.contains(about) {
        return Ok(Outcome::Refused);
    }
    Err(format!("a refusal that does not name {about:?}: {error:?}"))
}
