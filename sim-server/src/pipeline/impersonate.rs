//! Acting as somebody else: the Impersonate headers.

use sim_api::{
    auth::{
        self,
        impersonation::{Wanted, extra_key},
    },
    status::Status,
};

use super::{authorize::nosniff, reply::Reply, request::Call};

/// Makes the request somebody else's, if its sender may.
///
/// # Errors
///
/// 403 of the first part that is not allowed. Headers without a user are answered.
pub(super) fn run(call: &mut Call) -> Result<Option<Reply>, Status> {
    let wanted = wanted(call);
    if wanted.is_empty() {
        return Ok(None);
    }
    if let Some(error) = wanted.without_user() {
        // Recorded: a plain 500, with Go's print of the references.
        let path = call.parts.uri.path();
        let text = format!("Internal Server Error: {path:?}: {error}\n");
        return Ok(Some(Reply::text(500, text)));
    }
    let user = call.user();
    let refusal = wanted.attributes().iter().find_map(|part| {
        let decision = call.app.authorizer.decide(&call.app, &user, part);
        (!decision.allowed).then(|| auth::forbidden(&user, part, &decision.reason))
    });
    drop(user);
    if let Some(refusal) = refusal {
        nosniff(call);
        return Err(refusal);
    }
    call.user = Some(wanted.into_user());
    Ok(None)
}

fn wanted(call: &Call) -> Wanted {
    let headers = &call.parts.headers;
    let values = |name: &str| -> Vec<String> {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok().map(String::from))
            .collect()
    };
    Wanted {
        user: call.header("impersonate-user").to_owned(),
        groups: values("impersonate-group"),
        uid: call.header("impersonate-uid").to_owned(),
        extra: headers
            .keys()
            .filter_map(|name| name.as_str().strip_prefix("impersonate-extra-"))
            .map(|key| (extra_key(key), values(&format!("impersonate-extra-{key}"))))
            .collect(),
    }
}
