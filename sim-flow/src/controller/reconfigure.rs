//! From configuration objects to levels and schemas in force, and from demand to limits.
//!
//! Source: `lockAndDigestConfigObjects` in `pkg/util/flowcontrol/apf_controller.go`.

use std::{collections::BTreeSet, sync::Arc};

use sim_time::SimTime;

use super::{
    Controller, ObjectRef, Schema,
    level::{Level, queuing_of},
    signed,
};
use crate::{
    LevelDemand, Queuing, SeatLimits, adjust,
    api::{CATCH_ALL, Condition, EXEMPT, FlowSchema, PriorityLevelConfiguration},
    bootstrap::{mandatory_flow_schema, mandatory_priority_level},
    matching::Distinguisher,
    shares,
};

impl Controller {
    /// Digests all objects anew.
    pub(super) fn reconfigure(&mut self, now: SimTime) {
        let objects = std::mem::take(&mut self.priority_levels);
        let mut good = BTreeSet::new();
        for object in &objects {
            if let Some(queuing) = queuing_of(object) {
                good.insert(object.metadata.name.as_str());
                self.put_level(now, object, queuing);
            }
        }
        let (sequence, skipped) = self.usable_schemas(&good);
        self.retire_levels(&good);
        for name in [EXEMPT, CATCH_ALL] {
            if !self.level_keys.contains_key(name)
                && let Some(object) = mandatory_priority_level(name)
                && let Some(queuing) = queuing_of(object)
            {
                // What is only imagined has no uid.
                self.put_level(now, object, queuing);
            }
        }
        self.priority_levels = objects;
        self.skipped = skipped;
        self.schemas = sequence.into_iter().filter_map(|schema| self.ready(schema)).collect();
        self.compute_limits();
        self.adjust_limits(now);
        self.apply_limits(now);
    }

    fn put_level(&mut self, now: SimTime, object: &PriorityLevelConfiguration, queuing: Queuing) {
        let name = &object.metadata.name;
        if let Some(&key) = self.level_keys.get(name) {
            self.levels[key].update(object, queuing);
        } else {
            let serial = self.next_level_serial;
            self.next_level_serial += 1;
            let level = Level::new(now, serial, &self.config, object, queuing);
            let key = self.levels.insert(level);
            self.level_keys.insert(name.clone(), key);
        }
    }

    /// The schemas in order of matching, with the mandatory ones made up where they are missing;
    /// and those that refer to no level. Notes the condition of each.
    fn usable_schemas(&mut self, good: &BTreeSet<&str>) -> (Vec<FlowSchema>, Vec<FlowSchema>) {
        self.conditions = self.flow_schemas.iter().map(|schema| condition(schema, good)).collect();
        let (mut sequence, skipped): (Vec<_>, Vec<_>) = self
            .flow_schemas
            .iter()
            .cloned()
            .partition(|s| good.contains(s.spec.priority_level_configuration.name.as_str()));
        sequence.sort_by(|a, b| order(a).cmp(&order(b)));
        let missing = |name: &str, sequence: &[FlowSchema]| {
            let there = sequence.iter().any(|schema| schema.metadata.name == name);
            if there { None } else { mandatory_flow_schema(name).cloned() }
        };
        if let Some(exempt) = missing(EXEMPT, &sequence) {
            sequence.insert(0, exempt);
        }
        if let Some(catch_all) = missing(CATCH_ALL, &sequence) {
            sequence.push(catch_all);
        }
        (sequence, skipped)
    }

    /// Levels without a usable object go, at once when they are idle. The mandatory ones stay.
    fn retire_levels(&mut self, good: &BTreeSet<&str>) {
        let (levels, flows) = (&mut self.levels, &mut self.metrics.flows);
        self.level_keys.retain(|name, key| {
            let mandatory = name == EXEMPT || name == CATCH_ALL;
            if mandatory || good.contains(name.as_str()) {
                return true;
            }
            let level = &mut levels[*key];
            level.quiescing = true;
            let idle = level.queues.is_idle();
            if idle {
                // Requests may linger there still.
                for request in levels.remove(*key).queues.requests() {
                    flows[request.payload.flow].executing_seats -= signed(request.work.max_seats());
                }
            }
            !idle
        });
    }

    fn ready(&mut self, schema: FlowSchema) -> Option<Schema> {
        let level_name = &schema.spec.priority_level_configuration.name;
        let level = *self.level_keys.get(level_name)?;
        let distinguisher = if self.levels[level].has_flows() {
            Distinguisher::of_spec(&schema.spec)
        } else {
            Distinguisher::None
        };
        let flow = self.metrics.flow(level_name, &schema.metadata.name);
        let object = Arc::new(ObjectRef {
            name: schema.metadata.name.clone(),
            uid: schema.metadata.uid.clone(),
        });
        Some(Schema { object, schema, level, distinguisher, flow })
    }

    /// Index of the schema for what nothing matches.
    pub(super) fn catch_all(&self) -> usize {
        let index = self.schemas.iter().position(|schema| schema.object.name == CATCH_ALL);
        index.unwrap_or(self.schemas.len() - 1)
    }

    fn compute_limits(&mut self) {
        let server_limit = self.config.server_concurrency_limit;
        let share_sum: f64 =
            self.levels.iter().map(|(_, level)| f64::from(shares(&level.spec))).sum();
        for (_, level) in &mut self.levels {
            level.limits = SeatLimits::new(&level.spec, server_limit, share_sum);
            level.max_seats = match level.queuing {
                Queuing::Queue { dealer, .. } => level.limits.max_request_seats(dealer.hand_size()),
                Queuing::Exempt | Queuing::Reject => 0,
            };
            if level.queues.config().concurrency_limit == 0 && level.current_limit == 0 {
                let lendable = level.limits.nominal - level.limits.min;
                level.current_limit = level.limits.nominal - lendable / 2;
            }
        }
    }

    /// Adjusts every level's current limit to the demand since the last adjustment.
    pub(super) fn adjust_limits(&mut self, now: SimTime) {
        let keys: Vec<usize> = self.level_keys.values().copied().collect();
        let mut demands = Vec::with_capacity(keys.len());
        for &key in &keys {
            let level = &mut self.levels[key];
            let period = level.queues.demand_mut().reset(now);
            level.demand.update(period);
            demands.push(LevelDemand {
                exempt: level.exempt,
                limits: level.limits,
                demand: level.demand,
            });
        }
        let adjustment = adjust(self.config.profile.borrowing, &demands);
        self.fair_frac = adjustment.fair_frac;
        for (i, &key) in keys.iter().enumerate() {
            let level = &mut self.levels[key];
            level.target = adjustment.targets[i];
            if let Some(limits) = &adjustment.current_limits {
                level.current_limit = limits[i];
            }
        }
    }

    /// Puts the current limits into force, which may dispatch.
    pub(super) fn apply_limits(&mut self, now: SimTime) {
        let keys: Vec<usize> = self.level_keys.values().copied().collect();
        for key in keys {
            let level = &mut self.levels[key];
            level.apply(now, self.config.server_concurrency_limit);
            level.note_utilization(now);
            self.collect(now, key, None);
        }
    }
}

fn order(schema: &FlowSchema) -> (i32, &str) {
    (schema.spec.matching_precedence, &schema.metadata.name)
}

fn condition(schema: &FlowSchema, good: &BTreeSet<&str>) -> (String, Condition) {
    let level = &schema.spec.priority_level_configuration.name;
    let (status, reason, rest) = if good.contains(level.as_str()) {
        ("False", "Found", "and it exists")
    } else {
        ("True", "NotFound", "but there is no such object")
    };
    let message = format!(
        "This FlowSchema references the PriorityLevelConfiguration object named {level:?} {rest}"
    );
    let condition = Condition {
        type_: "Dangling".to_owned(),
        status: status.to_owned(),
        last_transition_time: None,
        reason: reason.to_owned(),
        message,
    };
    (schema.metadata.name.clone(), condition)
}
