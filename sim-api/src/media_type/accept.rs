//! The header Accept.

use super::Form;
use crate::{Status, status::Result};

/// What a client wants instead of the objects themselves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Projection {
    /// `as=PartialObjectMetadata`, of one object or each event.
    PartialObjectMetadata,
    /// `as=PartialObjectMetadataList`.
    PartialObjectMetadataList,
    /// `as=Table`, of this version of `meta.k8s.io`.
    Table(String),
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

/// Every acceptable answer, best first: by q-value, then the more specific, then as sent.
pub fn accepted(header: &str, offered: &[Form]) -> Vec<Accepted> {
    let plain = |form| Accepted { form, projection: None, parameters: Vec::new() };
    let Some(&first) = offered.first() else { return Vec::new() };
    if header.trim().is_empty() {
        return vec![plain(first)];
    }
    let mut clauses: Vec<Clause<'_>> = header.split(',').filter_map(Clause::parse).collect();
    clauses.sort_by(|a, b| {
        b.quality.total_cmp(&a.quality).then(b.specificity().cmp(&a.specificity()))
    });
    let mut answers = Vec::new();
    for clause in clauses {
        for &form in offered {
            if clause.takes(form.media_type()) {
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
        let mut clause = Self { main, sub, quality: 1.0, parameters: Vec::new() };
        for part in parts {
            let Some((key, value)) = part.split_once('=') else { continue };
            match key.trim() {
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

    fn projection(&self) -> Option<Projection> {
        let value = |wanted: &str| {
            self.parameters.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str())
        };
        if value("g") != Some("meta.k8s.io") {
            return None;
        }
        let version = value("v")?;
        match value("as")? {
            "Table" => Some(Projection::Table(version.to_owned())),
            "PartialObjectMetadata" => Some(Projection::PartialObjectMetadata),
            "PartialObjectMetadataList" => Some(Projection::PartialObjectMetadataList),
            _ => None,
        }
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
        assert_eq!(answers[0].projection, Some(Projection::Table("v1".into())));
        assert_eq!(answers[1].projection, None);
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in "\\PC{0,40}|[a*/;=,q.0-9 ]{0,40}") {
            let _ = accepted(&header, &Form::ALL);
        }
    }
}
