//! The header Accept.

use super::Form;
use crate::{Status, status::Result};

/// What a client wants instead of the objects themselves: `as=Table;g=meta.k8s.io;v=v1`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Projection {
    /// What the objects become.
    pub target: Target,
    /// The version of `meta.k8s.io` that it is in.
    pub version: MetaVersion,
}

/// What objects can be projected to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// Their metadata alone: one object, or each event.
    PartialObjectMetadata,
    /// The metadata of each item of a list.
    PartialObjectMetadataList,
    /// Rows of cells, to be printed.
    Table,
}

/// The versions of `meta.k8s.io` that projections are served in; they look alike.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MetaVersion {
    /// `v1`.
    #[default]
    V1,
    /// `v1beta1`.
    V1Beta1,
}

impl MetaVersion {
    /// `meta.k8s.io/v1`.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "meta.k8s.io/v1",
            Self::V1Beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

/// One acceptable answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// The serialization.
    pub form: Form,
    /// What is projected, if anything.
    pub projection: Option<Projection>,
    /// `g=`, `v=` and `as=` as sent, for discovery documents.
    pub parameters: Vec<(String, String)>,
}

/// The form of the answer: the client's best among `offered`.
///
/// Clauses with parameters that make another document of it (`as=Table`, `as=APIGroupDiscovery`)
/// are passed over, so that a client that lists plain JSON after them gets that. An empty header
/// takes the first of `offered`.
pub fn negotiate(header: &str, offered: &[Form]) -> Result<Form> {
    let plain = accepted(header, offered).into_iter().find(|clause| clause.parameters.is_empty());
    match plain {
        Some(clause) => Ok(clause.form),
        None => Err(Status::not_acceptable(&Form::ALL.map(Form::media_type))),
    }
}

/// The form of an answer that has objects in it, and what they are projected to: the client's
/// best clause that can be met. Tables are not served as protobuf (recorded), and of kinds
/// without a protobuf form of their own only the metadata is.
///
/// Source: `NegotiateMediaTypeOptions` and `RequestScope.AllowsMediaTypeTransform`.
pub fn negotiate_projected(
    header: &str,
    offered: &[Form],
    has_protobuf: bool,
) -> Result<(Form, Option<Projection>)> {
    let met = |clause: &Accepted| match clause.projection {
        Some(projection) => projection.target != Target::Table || clause.form != Form::Protobuf,
        None => clause.parameters.is_empty() && (has_protobuf || clause.form != Form::Protobuf),
    };
    match accepted(header, offered).iter().find(|clause| met(clause)) {
        Some(clause) => Ok((clause.form, clause.projection)),
        None => Err(Status::not_acceptable(&Form::ALL.map(Form::media_type))),
    }
}

/// The client's best among `offered` media types, whatever parameters it adds.
pub(crate) fn best<'a>(header: &str, offered: &[&'a str]) -> Option<&'a str> {
    if header.trim().is_empty() {
        return offered.first().copied();
    }
    clauses(header)
        .iter()
        .find_map(|clause| offered.iter().find(|media_type| clause.takes(media_type)).copied())
}

/// The parts of a header, best first.
fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = header.split(',').filter_map(Clause::parse).collect();
    clauses.sort_by(|a, b| {
        b.quality.total_cmp(&a.quality).then(b.specificity().cmp(&a.specificity()))
    });
    clauses
}

/// Every acceptable answer, best first: by q-value, then the more specific, then as sent.
pub fn accepted(header: &str, offered: &[Form]) -> Vec<Accepted> {
    let plain = |form| Accepted { form, projection: None, parameters: Vec::new() };
    let Some(&first) = offered.first() else { return Vec::new() };
    if header.trim().is_empty() {
        return vec![plain(first)];
    }
    let mut answers = Vec::new();
    for clause in clauses(header) {
        for &form in offered {
            if clause.takes(form.media_type()) && clause.streams_as(form) {
                let projection = clause.projection();
                let parameters = clause.parameters.clone();
                answers.push(Accepted { form, projection, parameters });
            }
        }
    }
    answers
}

/// `type/subtype;parameter=value;q=0.5`.
struct Clause<'a> {
    main: &'a str,
    sub: &'a str,
    quality: f32,
    /// `stream=`: the only known stream is `watch`.
    stream: &'a str,
    /// Those that select another document.
    parameters: Vec<(String, String)>,
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (main, sub) = match parts.next()?.split_once('/') {
            Some((main, sub)) => (main.trim(), sub.trim()),
            // Old Java clients send a lone star.
            None if text.trim().starts_with('*') => ("*", "*"),
            None => return None,
        };
        let mut clause = Self { main, sub, quality: 1.0, stream: "", parameters: Vec::new() };
        for part in parts {
            let Some((key, value)) = part.split_once('=') else { continue };
            match key.trim() {
                "stream" => clause.stream = value.trim(),
                "q" => clause.quality = value.trim().parse().unwrap_or(1.0),
                key @ ("as" | "g" | "v") => {
                    clause.parameters.push((key.to_owned(), value.trim().to_owned()));
                }
                _ => {}
            }
        }
        Some(clause)
    }

    fn specificity(&self) -> u8 {
        u8::from(self.main != "*") + u8::from(self.sub != "*")
    }

    fn takes(&self, media_type: &str) -> bool {
        let Some((main, sub)) = media_type.split_once('/') else { return false };
        (self.main == "*" || self.main == main) && (self.sub == "*" || self.sub == sub)
    }

    /// YAML has no frames. Source: `acceptMediaTypeOptions`.
    fn streams_as(&self, form: Form) -> bool {
        self.stream.is_empty() || (self.stream == "watch" && form != Form::Yaml)
    }

    fn projection(&self) -> Option<Projection> {
        let value = |wanted: &str| {
            self.parameters.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str())
        };
        if value("g") != Some("meta.k8s.io") {
            return None;
        }
        let version = match value("v")? {
            "v1" => MetaVersion::V1,
            "v1beta1" => MetaVersion::V1Beta1,
            _ => return None,
        };
        let target = match value("as")? {
            "Table" => Target::Table,
            "PartialObjectMetadata" => Target::PartialObjectMetadata,
            "PartialObjectMetadataList" => Target::PartialObjectMetadataList,
            _ => return None,
        };
        Some(Projection { target, version })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(header: &str, expected: Option<Form>) {
        assert_eq!(negotiate(header, &Form::ALL).ok(), expected, "{header}");
    }

    #[test]
    fn the_best_plain_clause_wins() {
        check("", Some(Form::Json));
        check("*/*", Some(Form::Json));
        check("application/json, */*", Some(Form::Json));
        check("application/yaml", Some(Form::Yaml));
        check("application/vnd.kubernetes.protobuf;q=0.1,application/json", Some(Form::Json));
        check("application/vnd.kubernetes.protobuf,application/json", Some(Form::Protobuf));
        check("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some(Form::Json));
        check("application/json;as=Table;v=v1;g=meta.k8s.io", None);
        check("text/plain", None);
    }

    #[test]
    fn what_is_not_offered_is_passed_over() {
        let header = "application/vnd.kubernetes.protobuf,application/json;q=0.9";
        assert_eq!(negotiate(header, &[Form::Json]).unwrap(), Form::Json);
        let status = negotiate("text/plain", &[Form::Json]).unwrap_err();
        assert_eq!(
            status.message,
            "only the following media types are accepted: application/json, application/yaml, \
             application/vnd.kubernetes.protobuf"
        );
    }

    #[test]
    fn projections_are_recognised() {
        let header = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        let answers = accepted(header, &[Form::Json]);
        let table = Projection { target: Target::Table, version: MetaVersion::V1 };
        assert_eq!(answers[0].projection, Some(table));
        assert_eq!(answers[1].projection, None);
    }

    #[test]
    fn the_first_clause_that_can_be_met_wins() {
        let table = |version| Some(Projection { target: Target::Table, version });
        for (header, expected) in [
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
                table(MetaVersion::V1),
            ),
            ("application/json,application/json;as=Table;v=v1;g=meta.k8s.io", None),
            ("application/json;as=Table;v=v2;g=meta.k8s.io,application/json", None),
            ("application/json;as=Table;v=v1;g=x,application/json", None),
            ("application/json;as=Other;v=v1;g=meta.k8s.io,*/*", None),
            (
                "application/json;as=Table;v=v9;g=meta.k8s.io,\
                 application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                table(MetaVersion::V1Beta1),
            ),
        ] {
            let found = negotiate_projected(header, &[Form::Json], true).unwrap();
            assert_eq!(found, (Form::Json, expected), "{header}");
        }
        let header = "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1";
        assert_eq!(negotiate_projected(header, &Form::ALL, true).unwrap_err().code, 406);
        let header = header.replace("Table", "PartialObjectMetadata");
        assert_eq!(negotiate_projected(&header, &Form::ALL, true).unwrap().0, Form::Protobuf);
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in "\\PC{0,40}|[a*/;=,q.0-9 ]{0,40}") {
            let _ = accepted(&header, &Form::ALL);
        }
    }
}
