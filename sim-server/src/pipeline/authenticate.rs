//! Who it is: client certificate, bearer token, or nobody.

use sim_api::{
    auth::{ANONYMOUS, AUTHENTICATED, User},
    status::Status,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::request::Call;
use crate::authenticator;

/// Source: `--token-auth-file`, `--anonymous-auth` and the x509 authenticator (common name is the
/// user, organizations are the groups).
pub(super) fn run(call: &mut Call) -> Result<(), Status> {
    let config = &call.app.config;
    let peer = &call.connection.peer;
    let user = if let Some(user) = &peer.user {
        user.clone()
    } else if let Some(user) = peer.certificate.as_deref().and_then(of_cert) {
        user
    } else if let Some(token) = bearer(call.header("authorization")) {
        let outcome = authenticator::token(&call.app, token, &[]);
        outcome.map_err(|_| Status::unauthorized())?.0
    } else if !peer.secure {
        let groups = vec!["system:masters".to_owned(), AUTHENTICATED.to_owned()];
        User { name: "system:admin".to_owned(), groups, ..User::default() }
    } else if config.anonymous_auth {
        let groups = vec!["system:unauthenticated".to_owned()];
        User { name: ANONYMOUS.to_owned(), groups, ..User::default() }
    } else {
        return Err(Status::unauthorized());
    };
    call.app.metrics.count_user(&user.name);
    call.user = Some(user);
    Ok(())
}

/// The token of an Authorization header; other schemes are ignored, as the real server does.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn of_cert(der: &[u8]) -> Option<User> {
    let (_, cert) = X509Certificate::from_der(der).ok()?;
    let subject = cert.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    let mut groups: Vec<String> = subject
        .iter_organization()
        .filter_map(|organization| organization.as_str().ok().map(String::from))
        .collect();
    groups.push(AUTHENTICATED.to_owned());
    Some(User { name, groups, ..User::default() })
}
