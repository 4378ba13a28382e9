//! Whether the user may do it.

use sim_api::{
    auth::{self, Attributes},
    status::Status,
};

use super::request::Call;

/// Asks the authorizers. The simulator's own controls are for system:masters alone, whatever
/// they say.
pub(super) fn run(call: &mut Call) -> Result<(), Status> {
    let app = std::sync::Arc::clone(&call.app);
    let path = &call.info.path;
    let wanted = Attributes::of(&call.info);
    let user = call.user();
    let refusal = if path == "/sim" || path.starts_with("/sim/") {
        if user.is_privileged() {
            return Ok(());
        }
        auth::forbidden(&user, &wanted, "")
    } else {
        let decision = app.authorizer.decide(&app, &user, &wanted);
        if decision.allowed {
            return Ok(());
        }
        auth::forbidden(&user, &wanted, &decision.reason)
    };
    drop(user);
    nosniff(call);
    Err(refusal)
}

/// What the answer to a refusal carries.
pub(super) fn nosniff(call: &mut Call) {
    call.answer_headers
        .push((http::header::X_CONTENT_TYPE_OPTIONS, http::HeaderValue::from_static("nosniff")));
}
