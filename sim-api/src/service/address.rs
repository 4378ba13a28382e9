//! Ranges of addresses.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use super::{
    Draw,
    pool::{Full, Pool, Refusal, Taken},
    spec::Family,
};

/// A range of addresses, such as `10.0.0.0/24`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range {
    base: IpAddr,
    bits: u8,
}

/// A text is no range that Services can have.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a range of addresses like 10.0.0.0/24 with room for a Service")]
pub struct RangeError(String);

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let refused = || RangeError(text.to_owned());
        let (address, bits) = text.split_once('/').ok_or_else(refused)?;
        let base: IpAddr = address.parse().map_err(|_| refused())?;
        let bits: u8 = bits.parse().map_err(|_| refused())?;
        let (width, least) = match base {
            IpAddr::V4(_) => (32, 2),
            IpAddr::V6(_) => (128, 1),
        };
        if bits > width - least {
            return Err(refused());
        }
        let host = width - bits;
        let base = number(base) >> host.min(127) << host.min(127);
        Ok(Self { base: address_of(if host >= 128 { 0 } else { base }, width == 32), bits })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl Range {
    /// The first address that a Service can have; `kubernetes` has it.
    pub fn first(&self) -> IpAddr {
        self.at(0)
    }

    pub(super) fn is_v4(&self) -> bool {
        self.base.is_ipv4()
    }

    /// Addresses but for the first and, of IPv4, the last: not for hosts.
    fn size(&self) -> u64 {
        let host = if self.is_v4() { 32 - self.bits } else { 128 - self.bits };
        let all = 1_u64 << host.min(62);
        if self.is_v4() { all - 2 } else { all - 1 }
    }

    fn at(&self, index: u64) -> IpAddr {
        address_of(number(self.base) + 1 + u128::from(index), self.is_v4())
    }

    fn index(&self, ip: IpAddr) -> Option<u64> {
        if ip.is_ipv4() != self.is_v4() {
            return None;
        }
        let index = number(ip).checked_sub(number(self.base))?.checked_sub(1)?;
        u64::try_from(index).ok()
    }
}

/// The addresses of a range.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    range: Range,
    pool: Pool,
}

impl Addresses {
    pub(super) fn new(range: Range) -> Self {
        let size = range.size();
        // Source: `calculateRangeOffset` of the IP allocator: a 16th, from 16 to 256.
        let reserved = if size <= 16 { 0 } else { (size / 16).clamp(16, 256) };
        Self { range, pool: Pool::new(size, reserved) }
    }

    pub(super) fn family(&self) -> Family {
        if self.range.is_v4() { Family::V4 } else { Family::V6 }
    }

    pub(super) fn range(&self) -> Range {
        self.range
    }

    pub(super) fn take(&mut self, ip: IpAddr) -> Result<Taken, Refusal> {
        let index = self.range.index(ip).ok_or(Refusal::OutOfRange)?;
        self.pool.take(index)
    }

    pub(super) fn take_any(&mut self, draw: Draw<'_>) -> Result<IpAddr, Full> {
        self.pool.take_any(draw).map(|index| self.range.at(index))
    }

    pub(super) fn release(&mut self, ip: IpAddr) {
        if let Some(index) = self.range.index(ip) {
            self.pool.release(index);
        }
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

fn address_of(number: u128, is_v4: bool) -> IpAddr {
    if is_v4 {
        // A range of IPv4 never leads beyond 32 bits.
        Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into()
    } else {
        Ipv6Addr::from(number).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_counted() {
        let range: Range = "10.0.0.7/24".parse().unwrap();
        assert_eq!(range.to_string(), "10.0.0.0/24");
        assert_eq!((range.size(), range.first().to_string()), (254, "10.0.0.1".to_owned()));
        assert_eq!(range.index("10.0.1.0".parse().unwrap()), Some(255));
        let range: Range = "fd00::/108".parse().unwrap();
        assert_eq!(
            (range.size(), range.first().to_string()),
            ((1 << 20) - 1, "fd00::1".to_owned())
        );
        let range: Range = "::/0".parse().unwrap();
        assert_eq!(range.first().to_string(), "::1");
        let range: Range = "0.0.0.0/0".parse().unwrap();
        assert_eq!(range.first().to_string(), "0.0.0.1");
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/31", "x/8", "fd00::/128"] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }
}
