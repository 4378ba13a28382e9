//! FlowSchemas: refused, dangling, unreachable, shadowed.

use sim_flow::{
    Controller,
    api::{CATCH_ALL, EXEMPT, FlowSchema},
};
use sim_time::SimTime;

use super::{Linter, Severity, cover};

const KIND: &str = "FlowSchema";

impl Linter<'_> {
    pub(super) fn schemas(&mut self) {
        let controller = self.config.controller(SimTime::ZERO);
        let mut schemas: Vec<&FlowSchema> = self.config.flow_schemas.iter().collect();
        // The order of matching.
        schemas.sort_by_key(|schema| (schema.spec.matching_precedence, &schema.metadata.name));
        for (index, schema) in schemas.iter().enumerate() {
            if !self.of_interest(schema) {
                continue;
            }
            self.refused(schema);
            if self.dangles(schema, &controller) {
                continue;
            }
            let earlier: Vec<_> = schemas[..index]
                .iter()
                .copied()
                .filter(|earlier| usable(&controller, earlier))
                .collect();
            self.reach(schema, &earlier);
            self.same_precedence(schema, &schemas[..index]);
        }
    }

    fn refused(&mut self, schema: &FlowSchema) {
        let name = schema.metadata.name.as_str();
        for cause in schema.validate() {
            self.add(Severity::Error, "invalid-object", (KIND, name), cause.field, cause.message);
        }
    }

    fn dangles(&mut self, schema: &FlowSchema, controller: &Controller) -> bool {
        if usable(controller, schema) {
            return false;
        }
        let level = &schema.spec.priority_level_configuration.name;
        let exists = self.config.priority_levels.iter().any(|l| l.metadata.name == *level);
        let why = if exists { "is broken, and ignored" } else { "does not exist" };
        self.add(
            Severity::Error,
            "dangling-reference",
            (KIND, &schema.metadata.name),
            "spec.priorityLevelConfiguration.name",
            format!("priority level {level:?} {why}: the schema is left out, and its requests go on to later ones"),
        );
        true
    }

    /// What of the schema an earlier one takes away.
    fn reach(&mut self, schema: &FlowSchema, earlier: &[&FlowSchema]) {
        // The last resort is there for what should never come.
        if schema.metadata.name == CATCH_ALL {
            return;
        }
        let mut shadowed = Vec::new();
        let mut reachable = 0;
        for (field, part) in cover::parts(&schema.spec) {
            match earlier.iter().find(|other| cover::covers(&other.spec, &part)) {
                Some(other) => shadowed.push((field, other.metadata.name.clone())),
                None => reachable += 1,
            }
        }
        let name = schema.metadata.name.as_str();
        if reachable == 0 && !shadowed.is_empty() {
            let mut by: Vec<_> = shadowed.into_iter().map(|(_, by)| by).collect();
            by.dedup();
            let message = format!("never reached: {} matches all of it before", by.join(" and "));
            let field = "spec.matchingPrecedence";
            self.add(Severity::Error, "unreachable-schema", (KIND, name), field, message);
            return;
        }
        for (field, by) in shadowed {
            let message = format!("never reached: {by} matches all of it before");
            self.add(Severity::Warning, "shadowed-rule", (KIND, name), field, message);
        }
    }

    fn same_precedence(&mut self, schema: &FlowSchema, earlier: &[&FlowSchema]) {
        let precedence = schema.spec.matching_precedence;
        let Some(other) = earlier.iter().find(|o| o.spec.matching_precedence == precedence) else {
            return;
        };
        let message =
            format!("{precedence} is that of {}, too: the name decides", other.metadata.name);
        let object = (KIND, schema.metadata.name.as_str());
        self.add(Severity::Warning, "same-precedence", object, "spec.matchingPrecedence", message);
    }
}

/// Whether the engine uses the schema.
fn usable(controller: &Controller, schema: &FlowSchema) -> bool {
    let level = &schema.spec.priority_level_configuration.name;
    [EXEMPT, CATCH_ALL].contains(&level.as_str()) || controller.level(level).is_some()
}
