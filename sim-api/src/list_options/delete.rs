//! The options of DELETE, from the body or, without one, from the query.

use serde_json::Value;

use super::{
    invalid,
    write::{check_dry_run, dry_run},
};
use crate::{
    Release, Resource, Status, StatusCause, go,
    media_type::{json_type, read_json},
    protobuf::Codec,
    query::Query,
    status::Result,
};

/// The options of DELETE.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DeleteOptions {
    /// `dryRun=All`: answer as if it were done, and do nothing.
    pub dry_run: bool,
    /// Seconds that the object gets to end; `None` = the kind's default.
    pub grace_period_seconds: Option<i64>,
    /// The uid that the object must have.
    pub precondition_uid: Option<String>,
    /// The resourceVersion that the object must have.
    pub precondition_resource_version: Option<String>,
    /// What becomes of the dependents; `None` = as the object's finalizers say.
    pub propagation: Option<Propagation>,
    /// The older form of `propagation`, which decides on the answer's code.
    pub orphan_dependents: Option<bool>,
}

/// What becomes of the objects that an object owns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Propagation {
    /// They are deleted after it.
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay.
    Orphan,
}

impl DeleteOptions {
    /// Reads the options of a DELETE.
    pub fn parse(query: &Query, content_type: &str, body: &[u8]) -> Result<Self> {
        if body.is_empty() { Self::from_query(query) } else { Self::from_body(content_type, body) }
    }

    fn from_query(query: &Query) -> Result<Self> {
        let mut causes = Vec::new();
        let grace = match query.get("gracePeriodSeconds") {
            None | Some("") => None,
            Some(text) => Some(go::parse_int(text).map_err(Status::bad_request)?),
        };
        let orphan = query.contains("orphanDependents").then(|| query.flag("orphanDependents"));
        let policy = query.get("propagationPolicy").filter(|policy| !policy.is_empty());
        let propagation = propagation(policy, orphan, &mut causes);
        let dry_run = dry_run(query, &mut causes);
        invalid("DeleteOptions", causes)?;
        Ok(Self {
            dry_run,
            grace_period_seconds: grace,
            propagation,
            orphan_dependents: orphan,
            ..Self::default()
        })
    }

    fn from_body(content_type: &str, body: &[u8]) -> Result<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let unreadable = |error: String| {
            Status::plain_error(format!("couldn't get version/kind; json parse error: {error}"))
        };
        let options = match media_type {
            "" | "application/json" => read_json(body).map_err(unreadable)?,
            "application/yaml" => std::str::from_utf8(body)
                .ok()
                .and_then(|text| serde_saphyr::from_str::<Value>(text).ok())
                .ok_or_else(|| unreadable("yaml is not readable".to_owned()))?,
            // None of the fields read below differs between the releases.
            "application/vnd.kubernetes.protobuf" => Codec::for_release(Release::default())
                .decode(body, "v1", "DeleteOptions")
                .map_err(|error| Status::plain_error(error.to_string()))?,
            _ => {
                let accepted =
                    crate::media_type::Form::ALL.map(crate::media_type::Form::media_type);
                return Err(Status::unsupported_media_type(&accepted));
            }
        };
        check_kind(&options)?;
        let mut causes = Vec::new();
        let text =
            |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let given: Vec<&str> = options
            .get("dryRun")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let policy = text(&options, "propagationPolicy");
        let orphan = options.get("orphanDependents").and_then(Value::as_bool);
        let preconditions = options.get("preconditions").cloned().unwrap_or_default();
        let propagation = propagation(policy.as_deref(), orphan, &mut causes);
        let dry_run = check_dry_run(&given, &mut causes);
        invalid("DeleteOptions", causes)?;
        Ok(Self {
            dry_run,
            grace_period_seconds: options.get("gracePeriodSeconds").and_then(Value::as_i64),
            precondition_uid: text(&preconditions, "uid"),
            precondition_resource_version: text(&preconditions, "resourceVersion"),
            propagation,
            orphan_dependents: orphan,
        })
    }

    /// The status code of an answer; `is_gone` says whether the object was removed.
    ///
    /// Source: `DeleteResource` of k8s.io/apiserver.
    pub fn code(&self, is_gone: bool) -> u16 {
        if !is_gone && self.orphan_dependents == Some(false) { 202 } else { 200 }
    }

    /// What a client should know who deletes objects of this resource like this.
    ///
    /// Source: `pkg/registry/batch/job/storage`; recorded 1.33.2.
    pub fn warning(&self, resource: &Resource) -> Option<&'static str> {
        let says_nothing = self.propagation.is_none() && self.orphan_dependents.is_none();
        (resource.is("batch", "jobs") && says_nothing).then_some(
            "child pods are preserved by default when jobs are deleted; set \
             propagationPolicy=Background to remove them or set propagationPolicy=Orphan to \
             suppress this warning",
        )
    }
}

fn check_kind(options: &Value) -> Result<()> {
    if !options.is_object() {
        return Err(Status::plain_error(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value \
             of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind \
             string \"json:\\\"kind,omitempty\\\"\" }}",
            json_type(options)
        )));
    }
    match options.get("kind").and_then(Value::as_str).unwrap_or_default() {
        "" | "DeleteOptions" => Ok(()),
        kind => {
            let version = options.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
            Err(Status::plain_error(format!(
                "no kind {} is registered for version {} in scheme \
                 \"pkg/runtime/scheme.go:110\"",
                go::quote(kind),
                go::quote(version)
            )))
        }
    }
}

fn propagation(
    policy: Option<&str>,
    orphan: Option<bool>,
    causes: &mut Vec<StatusCause>,
) -> Option<Propagation> {
    let field = "propagationPolicy";
    if let (Some(policy), Some(_)) = (policy, orphan) {
        let detail = "orphanDependents and deletionPropagation cannot be both set";
        causes.push(StatusCause::invalid_text(field, policy, detail));
    }
    match policy {
        Some("Background") => Some(Propagation::Background),
        Some("Foreground") => Some(Propagation::Foreground),
        Some("Orphan") => Some(Propagation::Orphan),
        Some(other) => {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            causes.push(StatusCause::not_supported(field, go::quote(other), &supported));
            None
        }
        None if orphan == Some(true) => Some(Propagation::Orphan),
        None if orphan == Some(false) => Some(Propagation::Background),
        None => None,
    }
}
