//! Where a command's output goes. Standard output is what was asked for, standard error is everything else.
//!
//! Whoever reads may stop reading (`| head`): then the command ends quietly, as every Unix tool does.

use std::io::{self, Write};

use super::outcome::Failure;

/// Writes to standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    check(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Writes a line to standard output.
pub fn print_line(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}

/// Tells a person something that is not what was asked for. A closed standard error is nobody to tell.
pub fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What became of a write to standard output.
pub fn check(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::failed(format!("writing to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Writes a value as JSON to standard output.
pub fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
    print_line(&text)
}
