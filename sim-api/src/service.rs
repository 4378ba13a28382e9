//! Cluster IPs and node ports of Services: who has which, and who gets which.
//!
//! [`Allocators`] keeps what is taken. A write of a Service asks them before it is validated, as
//! on the real server, and gets [`Changes`]; when the Service is stored these are
//! [committed](Allocators::commit), when it is not, [reverted](Allocators::revert).
//!
//! Source: `pkg/registry/core/service/{storage,ipallocator,portallocator}` and
//! `strategy.go` (release-1.33); recorded 1.33.2.

mod address;
mod fields;
pub mod objects;
mod pool;
mod ports;
mod spec;

use std::net::IpAddr;

use serde_json::Value;

use self::{
    address::Addresses,
    pool::{Refusal, Taken},
    ports::Ports,
    spec::Family,
};
pub use self::{
    address::{Range, RangeError},
    ports::{PortRange, PortRangeError},
};
use crate::{Resource, Status, status::Result};

/// What Services have of the addresses and ports of a cluster.
#[derive(Clone, Debug)]
pub struct Allocators {
    /// The default family first; one or two.
    addresses: Vec<Addresses>,
    ports: Ports,
    /// Whether the release keeps addresses as objects, which has other words for an address out
    /// of range.
    by_objects: bool,
}

/// What one write of a Service takes, and gives back if it succeeds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use]
pub struct Changes {
    taken_addresses: Vec<IpAddr>,
    taken_ports: Vec<u16>,
    released_addresses: Vec<IpAddr>,
    released_ports: Vec<u16>,
}

/// Draws a number below the given one.
pub type Draw<'a> = &'a mut dyn FnMut(u64) -> u64;

/// The addresses that a Service has.
#[must_use]
pub fn addresses(service: &Value) -> Vec<IpAddr> {
    spec::addresses(service)
}

impl Changes {
    /// Addresses that are taken for the Service.
    pub fn taken_addresses(&self) -> &[IpAddr] {
        &self.taken_addresses
    }

    /// Addresses that it gives up.
    pub fn released_addresses(&self) -> &[IpAddr] {
        &self.released_addresses
    }
}

/// Whether objects of the resource have addresses and ports.
pub fn concerns(resource: &Resource) -> bool {
    resource.is("", "services")
}

impl Allocators {
    /// Nothing is taken yet. `ranges` are those of `--service-cluster-ip-range`, one or two of
    /// different families.
    pub fn new(ranges: &[Range], ports: PortRange, by_objects: bool) -> Self {
        let addresses = ranges.iter().map(|range| Addresses::new(*range)).collect();
        Self { addresses, ports: Ports::new(ports), by_objects }
    }

    /// Notes what a stored Service has.
    pub fn adopt(&mut self, service: &Value) {
        for ip in spec::addresses(service) {
            if let Some(addresses) = self.family(Family::of(ip)) {
                let _ = addresses.take(ip);
            }
        }
        for port in spec::all_ports(service) {
            let _ = self.ports.take(port);
        }
    }

    /// Gives back what a removed Service had.
    pub fn release(&mut self, service: &Value) {
        for ip in spec::addresses(service) {
            self.release_address(ip);
        }
        for port in spec::all_ports(service) {
            self.ports.release(port);
        }
    }

    /// Fills in what a new Service leaves to the cluster.
    ///
    /// # Errors
    ///
    /// 422 when it asks for what it cannot have, 500 when nothing is left.
    pub fn create(&mut self, service: &mut Value, draw: Draw<'_>) -> Result<Changes> {
        fields::normalize(service, None);
        fields::init_families(service, None, &self.families())?;
        self.attempt(|this, changes| {
            this.give_addresses(service, draw, changes)?;
            this.give_ports(service, draw, changes)?;
            if spec::needs_health_check(service) {
                this.give_health_check(service, draw, changes)?;
            }
            Ok(())
        })
    }

    /// Fills in what a changed Service leaves to the cluster, and takes out what no longer
    /// belongs to its type.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn update(&mut self, old: &Value, service: &mut Value, draw: Draw<'_>) -> Result<Changes> {
        fields::patch_allocated(service, old);
        fields::normalize(service, Some(old));
        let is_settled = fields::is_settled_dual_stack(service, old);
        if !is_settled {
            fields::init_families(service, Some(old), &self.families())?;
        }
        let changes = self.attempt(|this, changes| {
            if !is_settled {
                this.change_addresses(old, service, draw, changes)?;
            }
            this.change_ports(old, service, draw, changes)?;
            this.change_health_check(old, service, draw, changes)
        })?;
        fields::drop_unneeded(service, old);
        Ok(changes)
    }

    /// The Service was stored: what it gave up is free again.
    pub fn commit(&mut self, changes: &Changes) {
        for ip in &changes.released_addresses {
            self.release_address(*ip);
        }
        for port in &changes.released_ports {
            self.ports.release(*port);
        }
    }

    /// The Service was not stored: what it had taken is free again.
    pub fn revert(&mut self, changes: &Changes) {
        for ip in &changes.taken_addresses {
            self.release_address(*ip);
        }
        for port in &changes.taken_ports {
            self.ports.release(*port);
        }
    }

    /// Runs a step that may fail half way; then nothing is taken.
    fn attempt(
        &mut self,
        step: impl FnOnce(&mut Self, &mut Changes) -> Result<()>,
    ) -> Result<Changes> {
        let mut changes = Changes::default();
        match step(self, &mut changes) {
            Ok(()) => Ok(changes),
            Err(error) => {
                self.revert(&changes);
                Err(error)
            }
        }
    }

    fn families(&self) -> Vec<Family> {
        self.addresses.iter().map(Addresses::family).collect()
    }

    fn family(&mut self, family: Family) -> Option<&mut Addresses> {
        self.addresses.iter_mut().find(|addresses| addresses.family() == family)
    }

    fn release_address(&mut self, ip: IpAddr) {
        if let Some(addresses) = self.family(Family::of(ip)) {
            addresses.release(ip);
        }
    }

    /// An address of each family that the Service has none of.
    fn give_addresses(
        &mut self,
        service: &mut Value,
        draw: Draw<'_>,
        changes: &mut Changes,
    ) -> Result<()> {
        if spec::kind(service) == spec::EXTERNAL_NAME || spec::is_headless(service) {
            return Ok(());
        }
        let count = spec::families(service).len();
        self.give_addresses_from(0, count, service, draw, changes)
    }

    fn give_addresses_from(
        &mut self,
        first: usize,
        count: usize,
        service: &mut Value,
        draw: Draw<'_>,
        changes: &mut Changes,
    ) -> Result<()> {
        let families = spec::families(service);
        let given = spec::cluster_ips(service);
        let mut all = given.clone();
        for (at, family) in families.iter().enumerate().take(count).skip(first) {
            let by_objects = self.by_objects;
            let Some(addresses) = self.family(*family) else { continue };
            let wanted = given.get(at).map(String::as_str).unwrap_or_default();
            let taken = match wanted {
                "" => addresses.take_any(draw).map_err(|error| {
                    Status::internal(&format!("failed to allocate a serviceIP: {error}"))
                })?,
                text => {
                    // What is no address is for validation to refuse.
                    let Ok(ip) = text.parse::<IpAddr>() else { continue };
                    let refused = match addresses.take(ip) {
                        Ok(Taken) => None,
                        Err(Refusal::OutOfRange) if by_objects => {
                            Some("the provided network does not match the current range".to_owned())
                        }
                        Err(Refusal::OutOfRange) => Some(format!(
                            "the provided IP ({ip}) is not in the valid range. The range of valid \
                             IPs is {}",
                            addresses.range()
                        )),
                        Err(Refusal::Taken) => Some("provided IP is already allocated".to_owned()),
                    };
                    if let Some(why) = refused {
                        let why = format!("failed to allocate IP {text}: {why}");
                        return Err(fields::invalid_ips(service, &given, &why));
                    }
                    ip
                }
            };
            changes.taken_addresses.push(taken);
            if all.len() <= at {
                all.resize(at + 1, String::new());
            }
            all[at] = if wanted.is_empty() { taken.to_string() } else { wanted.to_owned() };
        }
        spec::set_cluster_ips(service, &all);
        Ok(())
    }

    fn change_addresses(
        &mut self,
        old: &Value,
        service: &mut Value,
        draw: Draw<'_>,
        changes: &mut Changes,
    ) -> Result<()> {
        let was_name = spec::kind(old) == spec::EXTERNAL_NAME;
        let is_name = spec::kind(service) == spec::EXTERNAL_NAME;
        if was_name && !is_name {
            return self.give_addresses(service, draw, changes);
        }
        if spec::is_headless(old) {
            return Ok(());
        }
        if !was_name && is_name {
            changes.released_addresses.extend(spec::addresses(old));
            return Ok(());
        }
        match (spec::families(old).len(), spec::families(service).len()) {
            (1, 2) => self.give_addresses_from(1, 2, service, draw, changes),
            (2, 1) => {
                changes.released_addresses.extend(spec::addresses(old).into_iter().nth(1));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
