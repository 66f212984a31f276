//! Who may connect: the listening socket, and the caps on connections, in total and from one address.
//!
//! A connection over a cap is accepted and closed at once, so that the peer learns of it and the queue of the kernel
//! stays free for others.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};

use super::metrics;
use crate::clock::Clock;

/// How long to wait when the machine has no descriptor left for another connection.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// How many connections there may be.
#[derive(Debug)]
pub struct ConnectionLimits {
    total_max: usize,
    per_address_max: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// Why a connection is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `max.connections` are open.
    Total,
    /// `max.connections.per.ip` are open from that address.
    PerAddress,
}

impl ConnectionLimits {
    /// At most `total_max` connections, `per_address_max` of them from one address.
    pub fn new(total_max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { total_max, per_address_max, open: Mutex::default() })
    }

    /// A place for one more from `address`.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Result<Slot, Refused> {
        let address = address.to_canonical();
        let mut open = self.open.lock();
        if open.values().sum::<usize>() >= self.total_max {
            return Err(Refused::Total);
        }
        let from_here = open.entry(address).or_default();
        if *from_here >= self.per_address_max {
            if *from_here == 0 {
                open.remove(&address);
            }
            return Err(Refused::PerAddress);
        }
        *from_here += 1;
        Ok(Slot { limits: Arc::clone(self), address })
    }

    /// Connections that are open.
    pub fn open_count(&self) -> usize {
        self.open.lock().values().sum()
    }
}

/// One connection's place; free again when it is dropped.
#[derive(Debug)]
pub struct Slot {
    limits: Arc<ConnectionLimits>,
    address: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.limits.open.lock();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// An address that this process has, and where nobody can connect yet.
#[derive(Debug)]
pub struct BoundAddress {
    socket: TcpSocket,
}

impl BoundAddress {
    /// Takes `address` (`host:port`). An error of the kind `NotFound` says that no host has that name.
    pub async fn take(address: &str) -> io::Result<Self> {
        let found = lookup_host(address).await.map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?;
        let mut refused = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in found {
            match bound(address) {
                Ok(socket) => return Ok(Self { socket }),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Lets clients connect.
    pub fn listen(self, limits: Arc<ConnectionLimits>, clock: Arc<dyn Clock>) -> io::Result<Listener> {
        Ok(Listener { socket: self.socket.listen(BACKLOG)?, limits, clock })
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A broker that starts again finds connections of the last one still ending.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    limits: Arc<ConnectionLimits>,
    clock: Arc<dyn Clock>,
}

impl Listener {
    /// Listens on `address` (`host:port`).
    pub async fn bind(address: &str, limits: Arc<ConnectionLimits>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        BoundAddress::take(address).await?.listen(limits, clock)
    }

    /// Where it listens: with the real port, where 0 was asked for.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection that has a place. May be dropped at any time.
    pub async fn accept(&self) -> (TcpStream, SocketAddr, Slot) {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => match self.limits.take(peer.ip()) {
                    Ok(slot) => {
                        if let Err(error) = stream.set_nodelay(true) {
                            tracing::debug!(%peer, %error, "could not turn Nagle's algorithm off");
                        }
                        return (stream, peer, slot);
                    }
                    Err(Refused::Total) => metrics::connection_refused("total"),
                    Err(Refused::PerAddress) => metrics::connection_refused("per_address"),
                },
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    metrics::connection_refused("error");
                    self.clock.sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_hold_in_total_and_per_address() {
        let limits = ConnectionLimits::new(3, 2);
        let [a, b]: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let first = limits.take(a).unwrap();
        let _second = limits.take("::ffff:10.0.0.1".parse().unwrap()).unwrap();
        assert_eq!(limits.take(a).unwrap_err(), Refused::PerAddress);
        let third = limits.take(b).unwrap();
        assert_eq!(limits.take(b).unwrap_err(), Refused::Total);
        drop((first, third));
        assert_eq!(limits.open_count(), 1);
        limits.take(a).unwrap();
        assert_eq!(limits.open.lock().len(), 1, "addresses without connections are forgotten");
    }
}
