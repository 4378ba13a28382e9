//! Node ports.

use std::{fmt, str::FromStr};

use serde_json::Value;

use super::{
    Allocators, Changes, Draw, fields,
    pool::{Full, Pool, Refusal, Taken},
    spec,
};
use crate::{Status, status::Result};

/// A range of ports, both ends in it: `30000-32767`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// A text is no range of ports.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a range of ports like 30000-32767 or 30000+2767")]
pub struct PortRangeError(String);

impl Default for PortRange {
    fn default() -> Self {
        Self { first: 30_000, last: 32_767 }
    }
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let refused = || PortRangeError(text.to_owned());
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| refused());
        let (first, last) = if let Some((first, last)) = text.split_once('-') {
            (port(first)?, port(last)?)
        } else if let Some((first, more)) = text.split_once('+') {
            let first = port(first)?;
            (first, first.checked_add(port(more)?).ok_or_else(refused)?)
        } else {
            (port(text)?, port(text)?)
        };
        if first == 0 || first > last { Err(refused()) } else { Ok(Self { first, last }) }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// The node ports of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    range: PortRange,
    pool: Pool,
}

impl Ports {
    pub(super) fn new(range: PortRange) -> Self {
        let size = u64::from(range.last - range.first) + 1;
        // Source: `calculateRangeOffset` of the port allocator: a 32nd, from 16 to 128.
        let reserved = if size <= 16 { 0 } else { (size / 32).clamp(16, 128) };
        Self { range, pool: Pool::new(size, reserved) }
    }

    fn index(&self, port: u16) -> Option<u64> {
        port.checked_sub(self.range.first).map(u64::from)
    }

    /// # Errors
    ///
    /// Why not, in the real words.
    pub(super) fn take(&mut self, port: u16) -> Result<Taken, String> {
        let taken = self.index(port).map_or(Err(Refusal::OutOfRange), |at| self.pool.take(at));
        taken.map_err(|refusal| match refusal {
            Refusal::OutOfRange => format!(
                "provided port is not in the valid range. The range of valid ports is {}",
                self.range
            ),
            Refusal::Taken => "provided port is already allocated".to_owned(),
        })
    }

    fn take_any(&mut self, draw: Draw<'_>) -> Result<u16, Full> {
        let index = self.pool.take_any(draw)?;
        // The pool is no larger than the range.
        Ok(self.range.first + u16::try_from(index).unwrap_or_default())
    }

    pub(super) fn release(&mut self, port: u16) {
        if let Some(index) = self.index(port) {
            self.pool.release(index);
        }
    }
}

impl Allocators {
    fn take_port(&mut self, port: i64, changes: &mut Changes) -> Result<(), String> {
        // What is no port at all is out of the range.
        let number = u16::try_from(port).unwrap_or_default();
        self.ports.take(number)?;
        changes.taken_ports.push(number);
        Ok(())
    }

    fn take_any_port(&mut self, draw: Draw<'_>, changes: &mut Changes) -> Result<u16> {
        let port = self.ports.take_any(draw).map_err(|error| {
            Status::internal(&format!("failed to allocate a nodePort: {error}"))
        })?;
        changes.taken_ports.push(port);
        Ok(port)
    }

    /// Node ports of a new Service. One port number over several protocols has one node port.
    pub(super) fn give_ports(
        &mut self,
        service: &mut Value,
        draw: Draw<'_>,
        changes: &mut Changes,
    ) -> Result<()> {
        if !spec::has_node_ports(service) {
            return Ok(());
        }
        let allocates = spec::allocates_node_ports(service);
        let mut ports = spec::ports(service);
        let mut given: Vec<(i64, i64)> = Vec::new();
        for at in 0..ports.len() {
            let (port, wanted) = (ports[at].port, ports[at].node_port);
            if wanted == 0 && !allocates {
                continue;
            }
            let known = given.iter().find(|(of, _)| *of == port).map(|(_, node_port)| *node_port);
            let node_port = match known {
                None => {
                    let asked =
                        ports.iter().find(|other| other.port == port && other.node_port != 0);
                    let node_port = match asked.map(|other| other.node_port) {
                        Some(asked) => {
                            self.take_port(asked, changes)
                                .map_err(|why| fields::invalid_port(service, at, asked, &why))?;
                            asked
                        }
                        None => i64::from(self.take_any_port(draw, changes)?),
                    };
                    given.push((port, node_port));
                    node_port
                }
                Some(known) if wanted == 0 || wanted == known => known,
                Some(_) => {
                    self.take_port(wanted, changes)
                        .map_err(|why| fields::invalid_port(service, at, wanted, &why))?;
                    wanted
                }
            };
            ports[at].node_port = node_port;
        }
        spec::set_node_ports(service, &ports);
        Ok(())
    }

    pub(super) fn give_health_check(
        &mut self,
        service: &mut Value,
        draw: Draw<'_>,
        changes: &mut Changes,
    ) -> Result<()> {
        let wanted = spec::health_check_port(service);
        if wanted != 0 {
            return self.take_port(wanted, changes).map_err(|why| {
                Status::internal(&format!(
                    "failed to allocate requested HealthCheck NodePort {wanted}: {why}"
                ))
            });
        }
        let port = self.ports.take_any(draw).map_err(|error| {
            Status::internal(&format!("failed to allocate a HealthCheck NodePort 0: {error}"))
        })?;
        changes.taken_ports.push(port);
        spec::set(service, "healthCheckNodePort", port.into());
        Ok(())
    }

    pub(super) fn change_ports(
        &mut self,
        old: &Value,
        service: &mut Value,
        draw: Draw<'_>,
        changes: &mut Changes,
    ) -> Result<()> {
        let before: Vec<i64> = spec::ports(old)
            .iter()
            .map(|port| port.node_port)
            .filter(|node_port| *node_port != 0)
            .collect();
        let release = |ports: &mut dyn Iterator<Item = i64>, changes: &mut Changes| {
            changes.released_ports.extend(ports.filter_map(|port| u16::try_from(port).ok()));
        };
        if !spec::has_node_ports(service) {
            if spec::has_node_ports(old) {
                release(&mut before.into_iter(), changes);
            }
            return Ok(());
        }
        let allocates = spec::allocates_node_ports(service);
        let mut ports = spec::ports(service);
        let mut seen: Vec<(String, i64)> = Vec::new();
        let mut taken = Vec::new();
        for (at, port) in ports.iter_mut().enumerate() {
            let wanted = port.node_port;
            if wanted == 0 && !allocates {
                continue;
            }
            if wanted == 0 {
                port.node_port = i64::from(self.take_any_port(draw, changes)?);
            } else if !before.contains(&wanted) && !taken.contains(&wanted) {
                self.take_port(wanted, changes)
                    .map_err(|why| fields::invalid_port(service, at, wanted, &why))?;
                taken.push(wanted);
            }
            let pair = (port.protocol.clone(), port.node_port);
            if seen.contains(&pair) {
                let (protocol, number) = pair;
                return Err(Status::plain_error(format!(
                    "duplicate nodePort: {{{protocol} {number}}}"
                )));
            }
            seen.push(pair);
        }
        let after: Vec<i64> = ports.iter().map(|port| port.node_port).collect();
        release(&mut before.into_iter().filter(|port| !after.contains(port)), changes);
        spec::set_node_ports(service, &ports);
        Ok(())
    }

    pub(super) fn change_health_check(
        &mut self,
        old: &Value,
        service: &mut Value,
        draw: Draw<'_>,
        changes: &mut Changes,
    ) -> Result<()> {
        let before = spec::health_check_port(old);
        match (spec::needs_health_check(old), spec::needs_health_check(service)) {
            (false, true) => self.give_health_check(service, draw, changes),
            (true, false) => {
                changes.released_ports.extend(u16::try_from(before).ok().filter(|port| *port != 0));
                Ok(())
            }
            (true, true) if spec::health_check_port(service) != before => {
                Err(fields::immutable_health_check(service))
            }
            _ => Ok(()),
        }
    }
}
