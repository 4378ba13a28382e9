//! What an apply wants to change though another manager owns it.

use std::collections::BTreeMap;

use super::{
    managed::{Manager, Operation},
    set::Set,
};
use crate::{
    Status, StatusCause, go,
    status::{CauseReason, Reason, StatusDetails},
};

/// The conflicting fields of each manager.
pub(super) type Conflicts = BTreeMap<Manager, Set>;

/// 409 with a cause for each field.
pub(super) fn status(conflicts: &Conflicts) -> Status {
    let mut causes = Vec::new();
    let mut lines = Vec::new();
    for (manager, set) in conflicts {
        let name = print(manager);
        lines.push(format!("conflicts with {name}:"));
        for path in set.paths() {
            let path: String = path.into_iter().map(ToString::to_string).collect();
            lines.push(format!("- {path}"));
            causes.push(StatusCause {
                reason: CauseReason::FieldManagerConflict,
                message: format!("conflict with {name}"),
                field: path,
            });
        }
    }
    let message = match causes.as_slice() {
        [cause] => format!("Apply failed with 1 conflict: {}: {}", cause.message, cause.field),
        causes => format!("Apply failed with {} conflicts: {}", causes.len(), lines.join("\n")),
    };
    let details = StatusDetails { causes, ..StatusDetails::default() };
    Status::failure(409, Reason::Conflict, message).with_details(details)
}

fn print(manager: &Manager) -> String {
    let mut printed = go::quote(&manager.name);
    if !manager.subresource.is_empty() {
        printed += &format!(" with subresource {}", go::quote(&manager.subresource));
    }
    if manager.operation == Operation::Update {
        printed += &format!(" using {}", manager.api_version);
    }
    printed
}
