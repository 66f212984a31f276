//! What the system says of a host's name that it cannot look up. It says so in words alone, and they are told apart here:
//! that nobody has the name, which no waiting mends, and that nobody could be asked, which passes.

/// Words of glibc, macOS and musl for a name that nobody has, or that has no address.
const UNKNOWN: [&str; 4] =
    ["Name or service not known", "nodename nor servname provided", "Name does not resolve", "No address associated"];

/// Whether an error says that no host has the name.
pub fn is_unknown(error: &str) -> bool {
    UNKNOWN.iter().any(|words| error.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_that_is_away_says_nothing_of_the_name() {
        assert!(is_unknown("failed to lookup address information: Name or service not known"));
        assert!(is_unknown("failed to lookup address information: nodename nor servname provided, or not known"));
        assert!(!is_unknown("failed to lookup address information: Temporary failure in name resolution"));
        assert!(!is_unknown("Connection refused (os error 111)"));
    }
}
