//! The other end of a connection, as far as wrong passwords are concerned.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// How much of an IPv6 address one client is given to choose from.
const IPV6_PREFIX: u128 = u128::MAX << 64;

/// The client of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    address: IpAddr,
    failures: AtomicU32,
}

/// What a client cannot change at will: its IPv4 address, or the network of its IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source(IpAddr);

// === impl Peer ===

impl Peer {
    /// The client at `address`, with a new connection.
    #[must_use]
    pub(crate) fn new(address: IpAddr) -> Arc<Self> {
        Arc::new(Self { address: address.to_canonical(), failures: AtomicU32::new(0) })
    }

    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    pub(super) fn source(&self) -> Source {
        Source(match self.address {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_PREFIX).into(),
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    /// How many passwords on this connection were wrong since the last right one.
    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn record(&self, right: bool) {
        if right {
            self.failures.store(0, Ordering::Relaxed);
        } else {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_source_and_each_ipv4_address_is_another() {
        let source = |address: &str| Peer::new(address.parse().unwrap()).source();
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }
}
