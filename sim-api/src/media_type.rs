//! Which form a body has: what the client accepts, what it sends, and whether it wants its JSON
//! indented.
//!
//! Source: k8s.io/apiserver `pkg/endpoints/handlers/negotiation/negotiate.go` and the library it
//! uses for Accept headers (goautoneg).

mod accept;
mod decode;
mod route;

pub(crate) use self::accept::best;
pub(crate) use self::decode::{body_form, json_type, read_json, read_yaml};
pub use self::{
    accept::{Accepted, MetaVersion, Projection, Target, accepted, negotiate, negotiate_projected},
    decode::decode_object,
    route::Produces,
};

/// A serialization.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Form {
    /// `application/json`.
    Json,
    /// `application/vnd.kubernetes.protobuf`.
    Protobuf,
    /// `application/yaml`.
    Yaml,
}

impl Form {
    /// Every form of the real server, in its order.
    pub const ALL: [Self; 3] = [Self::Json, Self::Yaml, Self::Protobuf];

    /// The media type without parameters.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
            Self::Yaml => "application/yaml",
        }
    }
}

/// Whether JSON is to be indented: `?pretty` says so, and without it the client's program.
///
/// A bare or unreadable `pretty` counts as true; `false` and `0` as false. Pretty answers are
/// buffered on every release.
pub fn pretty(parameter: Option<&str>, user_agent: &str) -> bool {
    match parameter {
        Some(value) => !matches!(value, "" | "0" | "f" | "F" | "false" | "FALSE" | "False"),
        None => PRETTY_AGENTS.iter().any(|agent| user_agent.starts_with(agent)),
    }
}

/// Programs that print to people.
const PRETTY_AGENTS: [&str; 3] = ["curl", "Wget", "Mozilla/5.0"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_pretty_json() {
        for (parameter, agent, expected) in [
            (None, "curl/8.0", true),
            (None, "Wget/1.2", true),
            (None, "Mozilla/5.0 (X11)", true),
            (None, "kubectl/v1.33.1", false),
            (Some("false"), "curl/8.0", false),
            (Some("true"), "golden/1", true),
            (Some("1"), "golden/1", true),
        ] {
            assert_eq!(pretty(parameter, agent), expected, "{parameter:?} {agent}");
        }
    }
}
