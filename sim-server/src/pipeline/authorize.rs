//! Whether the user may do it.

use sim_api::status::Status;

use super::request::Call;

/// `--authorization-mode=AlwaysAllow`, but for the simulator's own controls, which only
/// system:masters may use.
pub(super) fn run(call: &mut Call) -> Result<(), Status> {
    let path = &call.info.path;
    if path != "/sim" && !path.starts_with("/sim/") {
        return Ok(());
    }
    let user = call.user.as_ref();
    if user.is_some_and(|user| user.groups.iter().any(|group| group == "system:masters")) {
        return Ok(());
    }
    let name = user.map_or("", |user| &user.name);
    let detail = format!("User {name:?} cannot {} path {path:?}", call.info.verb);
    call.answer_headers
        .push((http::header::X_CONTENT_TYPE_OPTIONS, http::HeaderValue::from_static("nosniff")));
    Err(Status::forbidden("", "", "", &detail))
}
