//! Whose token it is.

use sim_api::auth::{AUTHENTICATED, User, review::TokenOutcome};

use crate::app::App;

/// Asks the authenticators of tokens. `audiences` are those for which the token is meant to be;
/// without any, the server's own.
pub(crate) fn token(app: &App, token: &str, audiences: &[String]) -> TokenOutcome {
    let own = [ISSUER.to_owned()];
    let wanted = if audiences.is_empty() { &own[..] } else { audiences };
    let known = app.config.tokens.iter().find(|known| known.token == token);
    // A static token is good for the server's audiences and no other.
    let shared: Vec<String> = own.iter().filter(|own| wanted.contains(own)).cloned().collect();
    match known {
        Some(known) if !shared.is_empty() => {
            let mut groups = known.groups.clone();
            if !groups.iter().any(|group| group == AUTHENTICATED) {
                groups.push(AUTHENTICATED.to_owned());
            }
            let (name, uid) = (known.user.clone(), known.uid.clone());
            Ok((User { name, uid, groups, extra: Vec::new() }, shared))
        }
        _ => Err("invalid bearer token".to_owned()),
    }
}

/// The issuer of service accounts' tokens, and the audience of the server.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
