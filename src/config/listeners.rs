//! Addresses: `HOST:PORT`, and Kafka's lists of listeners, of which the plaintext one that clients use is taken.

use crate::broker::Endpoint;

/// `HOST:PORT`; an empty host means every interface.
pub fn host_and_port(text: &str) -> Result<Endpoint, String> {
    let wrong = || "write HOST:PORT, for example 127.0.0.1:9092 or [::1]:9092".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| format!("'{port}' is not a port from 0 to 65535; {}", wrong()))?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bare {
        Some(bare) if bare.parse::<std::net::Ipv6Addr>().is_ok() => bare,
        Some(_) => return Err(format!("'{host}' is not an IPv6 address; {}", wrong())),
        None if host.contains(':') => return Err(format!("an IPv6 address stands in brackets; {}", wrong())),
        None => host,
    };
    if host.contains(|c: char| c.is_whitespace() || c == '/') {
        return Err(format!("'{host}' is not a host; {}", wrong()));
    }
    Ok(Endpoint { host: host.to_owned(), port })
}

/// `HOST:PORT` of an address that may be written as a URL, as it is printed.
pub fn without_scheme(text: &str) -> &str {
    text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/')
}

/// `HOST:PORT` as sockets and clients take it.
pub fn shown(endpoint: &Endpoint) -> String {
    let Endpoint { host, port } = endpoint;
    match host.as_str() {
        "" => format!("0.0.0.0:{port}"),
        host if host.contains(':') => format!("[{host}]:{port}"),
        host => format!("{host}:{port}"),
    }
}

/// Whether the host means every interface, and so cannot be connected to from elsewhere.
pub fn is_wildcard(host: &str) -> bool {
    matches!(host, "" | "0.0.0.0" | "::")
}

/// Kafka's words about its listeners that decide which one clients use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Protocols<'a> {
    /// `listener.security.protocol.map`: names and their protocols.
    pub map: &'a str,
    /// `controller.listener.names`: never for clients.
    pub controllers: &'a str,
}

impl Protocols<'_> {
    fn is_for_clients(self, name: &str) -> bool {
        self.protocol(name).as_deref() == Some("PLAINTEXT")
    }

    /// Whether clients of the listener of that name are protected: by TLS, a password or both.
    fn is_protected(self, name: &str) -> bool {
        self.protocol(name).is_some_and(|protocol| protocol != "PLAINTEXT")
    }

    /// The protocol of a listener; none where it is not for clients.
    fn protocol(self, name: &str) -> Option<String> {
        let items = |list: &'_ str| list.split(',').map(|item| item.trim().to_ascii_uppercase()).collect::<Vec<_>>();
        let name = name.to_ascii_uppercase();
        if items(self.controllers).contains(&name) {
            return None;
        }
        let mapped = items(self.map).into_iter().find_map(|item| {
            let (listener, protocol) = item.split_once(':')?;
            (listener.trim() == name).then(|| protocol.trim().to_owned())
        });
        Some(mapped.unwrap_or(name))
    }
}

/// What is taken of a list of listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The listener's address.
    pub endpoint: Endpoint,
    /// Listeners that were left out.
    pub left: Vec<String>,
    /// Those of them whose clients would have been protected.
    pub protected: Vec<String>,
}

/// The plaintext listener of a list; `HOST:PORT` alone is one too.
pub fn plaintext(list: &str, protocols: Protocols<'_>) -> Result<Taken, String> {
    let mut taken = None;
    let (mut left, mut protected) = (Vec::new(), Vec::new());
    for listener in list.split(',').map(str::trim).filter(|listener| !listener.is_empty()) {
        let (name, address) = listener.split_once("://").unwrap_or(("PLAINTEXT", listener));
        if taken.is_none() && protocols.is_for_clients(name) {
            taken = Some(host_and_port(address)?);
        } else {
            left.push(listener.to_owned());
            protected.extend(protocols.is_protected(name).then(|| listener.to_owned()));
        }
    }
    match taken {
        Some(endpoint) => Ok(Taken { endpoint, left, protected }),
        None => Err("there is no PLAINTEXT listener in it, and no other kind is served; write HOST:PORT".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, port: u16) -> Endpoint {
        Endpoint { host: host.to_owned(), port }
    }

    #[test]
    fn addresses_are_read_and_shown() {
        for (text, host, port) in
            [("127.0.0.1:9092", "127.0.0.1", 9092), ("[::1]:1", "::1", 1), ("kafka.example:0", "kafka.example", 0)]
        {
            assert_eq!(host_and_port(text), Ok(endpoint(host, port)));
            assert_eq!(shown(&endpoint(host, port)), text);
        }
        assert_eq!(host_and_port(":9092"), Ok(endpoint("", 9092)));
        for wrong in ["9092", "::1:9092", "[x]:1", "a:65536", "a:b", "http://a:1", "a b:1"] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_listener_for_clients_is_taken() {
        let kraft = Protocols { map: "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,OUT:SSL", controllers: "CONTROLLER" };
        let taken = plaintext("CONTROLLER://:9093, OUT://a:1,INTERNAL://b:9092", kraft).unwrap();
        assert_eq!(taken.endpoint, endpoint("b", 9092));
        assert_eq!(taken.left, ["CONTROLLER://:9093", "OUT://a:1"]);
        assert_eq!(plaintext("PLAINTEXT://:9092", Protocols::default()).unwrap().endpoint, endpoint("", 9092));
        assert_eq!(plaintext("h:1", Protocols::default()).unwrap().endpoint, endpoint("h", 1));
        assert!(plaintext("SSL://a:1", Protocols::default()).unwrap_err().contains("no PLAINTEXT listener"));
        assert!(plaintext("", Protocols::default()).is_err());
    }
}
