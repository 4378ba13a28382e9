//! What the router asks of the header Accept, before any handler negotiates.
//!
//! Source: go-restful v3 `Route.matchesAccept` and `detectRoute`; the routes' types are those of
//! k8s.io/apiserver `pkg/endpoints/installer.go`. Recorded of 1.33.2.

use super::Form;
use crate::{Status, status::Result};

/// What a route can answer with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Produces {
    /// One type: a document that is written by hand.
    Only(&'static str),
    /// An object in any form.
    Objects,
    /// A list in any form, or a watch.
    Streams,
}

impl Produces {
    fn media_types(self) -> Vec<&'static str> {
        let mut types: Vec<&str> = match self {
            Self::Only(one) => vec![one],
            Self::Objects | Self::Streams => Form::ALL.map(Form::media_type).into(),
        };
        if self == Self::Streams {
            types.extend([
                "application/json;stream=watch",
                "application/vnd.kubernetes.protobuf;stream=watch",
            ]);
        }
        types
    }

    /// Whether the route takes a request with this Accept; parameters count for nothing here.
    ///
    /// # Errors
    ///
    /// 406, in the router's words.
    pub fn check(self, accept: &str) -> Result<()> {
        let types = self.media_types();
        let takes = |clause: &str| {
            let name = clause.split(';').next().unwrap_or_default().trim_matches([' ', '\t']);
            name == "*/*" || types.contains(&name)
        };
        if accept.is_empty() || accept.split(',').any(takes) {
            return Ok(());
        }
        Err(Status::not_acceptable_route(&types))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_router_knows_no_partial_wildcards() {
        for (accept, produces, expected) in [
            ("", Produces::Objects, true),
            ("*/*", Produces::Only("application/jwk-set+json"), true),
            ("application/*", Produces::Objects, false),
            ("text/html, application/yaml;q=0.1", Produces::Objects, true),
            ("application/json;as=Table;g=meta.k8s.io;v=v9", Produces::Objects, true),
            ("application/vnd.kubernetes.protobuf", Produces::Only("application/json"), false),
            ("application/json;stream=watch", Produces::Streams, true),
        ] {
            assert_eq!(produces.check(accept).is_ok(), expected, "{accept}");
        }
        let refused = Produces::Only("application/jwk-set+json").check("text/plain").unwrap_err();
        assert_eq!(
            refused.to_value(),
            serde_json::json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "406: Not Acceptable\n\nAvailable representations: \
                            application/jwk-set+json",
                "reason": "NotAcceptable", "details": {}, "code": 406,
            })
        );
    }
}
