//! PriorityLevelConfigurations: refused, without seats, without users, with small hands.

use sim_flow::{Queuing, api::PriorityLevelConfiguration};
use sim_time::SimTime;

use super::{
    super::collisions::{exact, probability},
    Linter, Severity,
};

const KIND: &str = "PriorityLevelConfiguration";

impl Linter<'_> {
    pub(super) fn levels(&mut self, flows: u32, squish: f64) {
        let config = self.config;
        for level in &config.priority_levels {
            if !self.level_of_interest(level) {
                continue;
            }
            let object = (KIND, level.metadata.name.as_str());
            for cause in level.validate() {
                self.add(Severity::Error, "invalid-object", object, cause.field, cause.message);
            }
            self.unused(level);
            self.seats(level);
            self.hands(level, flows, squish);
        }
    }

    fn unused(&mut self, level: &PriorityLevelConfiguration) {
        let name = &level.metadata.name;
        let mut schemas = self.config.flow_schemas.iter();
        if schemas.any(|s| s.spec.priority_level_configuration.name == *name) {
            return;
        }
        let message = "no FlowSchema sends anything here, and it takes its share of the seats";
        self.add(Severity::Warning, "unused-level", (KIND, name), "", message);
    }

    fn seats(&mut self, level: &PriorityLevelConfiguration) {
        let controller = self.config.controller(SimTime::ZERO);
        let name = level.metadata.name.as_str();
        let Some(view) = controller.level(name).filter(|view| !view.is_exempt()) else { return };
        let limits = view.limits();
        let field = "spec.limited.nominalConcurrencyShares";
        let object = (KIND, name);
        if limits.max == 0 {
            let message = "no seats, and none to borrow: no request ever executes here";
            self.add(Severity::Error, "no-seats", object, field, message);
        } else if limits.nominal == 0 {
            let message = "no seats of its own: it runs on what others lend, or not at all";
            self.add(Severity::Warning, "no-seats", object, field, message);
        } else if view.current_limit() == 0 {
            let message = format!(
                "of {} seats it lends {}, and on an idle server its current limit is 0: the first \
                 requests wait for the next adjustment, up to 10 s",
                limits.nominal,
                limits.nominal - limits.min
            );
            let field = "spec.limited.lendablePercent";
            self.add(Severity::Warning, "no-seats", object, field, message);
        }
    }

    fn hands(&mut self, level: &PriorityLevelConfiguration, flows: u32, squish: f64) {
        let controller = self.config.controller(SimTime::ZERO);
        let name = level.metadata.name.as_str();
        let Some(view) = controller.level(name) else { return };
        let Queuing::Queue { dealer, .. } = view.queues().config().queuing else { return };
        let (queues, hand) = (dealer.deck_size(), dealer.hand_size());
        let p = exact(queues, hand, flows);
        if p <= squish {
            return;
        }
        let message = if queues == 1 {
            "there is one queue, so all flows share it and no flow is kept from another".to_owned()
        } else {
            format!(
                "with {queues} queues and a hand of {hand}, {flows} heavy flows take all queues of \
                 a light one with probability {}",
                probability(p)
            )
        };
        let field = "spec.limited.limitResponse.queuing";
        self.add(Severity::Warning, "small-hands", (KIND, name), field, message);
    }
}
