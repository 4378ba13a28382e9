//! Reviews: questions to the authenticators and authorizers, in the form of objects that are
//! created and not kept.
//!
//! Source: k8s.io/kubernetes `pkg/registry/{authorization,authentication}`,
//! `pkg/apis/authorization/validation` (release-1.33).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Attributes, Decision, Mode, Rule, User, rbac::Rbac};
use crate::{Resource, Status, field::At, field::Errors, managed_fields, meta};

/// The group of access reviews.
pub const AUTHORIZATION: &str = "authorization.k8s.io";
/// The group of the reviews of tokens and users.
pub const AUTHENTICATION: &str = "authentication.k8s.io";

/// A review, by the name of its resource.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Review {
    /// May somebody do this, in this namespace?
    LocalSubjectAccess,
    /// May I do this?
    SelfSubjectAccess,
    /// What may I do?
    SelfSubjectRules,
    /// Who am I?
    SelfSubject,
    /// May somebody do this?
    SubjectAccess,
    /// Whose token is this?
    Token,
}

impl Review {
    /// The review that a resource is.
    #[must_use]
    pub fn of(resource: &Resource) -> Option<Self> {
        Some(match (&*resource.group, &*resource.plural) {
            (AUTHORIZATION, "localsubjectaccessreviews") => Self::LocalSubjectAccess,
            (AUTHORIZATION, "selfsubjectaccessreviews") => Self::SelfSubjectAccess,
            (AUTHORIZATION, "selfsubjectrulesreviews") => Self::SelfSubjectRules,
            (AUTHORIZATION, "subjectaccessreviews") => Self::SubjectAccess,
            (AUTHENTICATION, "selfsubjectreviews") => Self::SelfSubject,
            (AUTHENTICATION, "tokenreviews") => Self::Token,
            _ => return None,
        })
    }

    /// Whether the answer is a new object; else it is the question with a status.
    fn is_new(self) -> bool {
        matches!(self, Self::SelfSubject | Self::SelfSubjectRules)
    }
}

/// The question as the answer has it: with metadata, and with who sent it.
///
/// # Errors
///
/// 400 where it is in another namespace than the request.
pub fn question(
    review: Review,
    resource: &Resource,
    namespace: &str,
    body: Value,
    manager: &str,
    now: Timestamp,
) -> Result<Value, Status> {
    if review.is_new() {
        return Ok(body);
    }
    let mut object = meta::in_namespace(resource, namespace, body)?;
    managed_fields::track(resource, "", None, &mut object, manager, now);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("creationTimestamp".into(), Value::Null);
    }
    Ok(object)
}

/// Refuses a wrong access review.
///
/// # Errors
///
/// 422 with what is wrong; 400 where it is about another namespace than its own.
pub fn check_access(review: Review, namespace: &str, object: &Value) -> Result<(), Status> {
    let mut errors = Errors::new();
    let root = At::root(object);
    let spec = root.at("spec");
    let (resource, path) = (spec.at("resourceAttributes"), spec.at("nonResourceAttributes"));
    if resource.is_set() && path.is_set() {
        errors.invalid_as(
            &path,
            "authorization.NonResourceAttributes",
            "cannot be specified in combination with resourceAttributes",
        );
    }
    if !resource.is_set() && !path.is_set() {
        errors.invalid_value(
            &resource,
            "\"null\"",
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        );
    }
    if review != Review::SelfSubjectAccess
        && spec.at("user").is_empty()
        && spec.at("groups").is_empty()
    {
        let user = spec.at("user");
        errors.invalid_text(&user, "", "at least one of user or group must be specified");
    }
    if resource.is_set() {
        selector(&mut errors, &resource.at("fieldSelector"));
        selector(&mut errors, &resource.at("labelSelector"));
    }
    let local = review == Review::LocalSubjectAccess;
    let metadata = root.at("metadata");
    let kept = |key: &str| key == "managedFields" || (local && key == "namespace");
    if metadata.entries().any(|(key, value)| !kept(key) && !value.is_empty()) {
        let detail = if local { "must be empty except for namespace" } else { "must be empty" };
        errors.invalid_as(&metadata, "v1.ObjectMeta", detail);
    }
    if local {
        let within = resource.at("namespace");
        let own = metadata.at("namespace");
        if resource.is_set() && within.text() != own.text() {
            errors.invalid_text(&within, within.text(), "must match metadata.namespace");
        }
        if path.is_set() {
            errors.invalid_as(
                &path,
                "authorization.NonResourceAttributes",
                "disallowed on this kind of request",
            );
        }
    }
    let causes = errors.into_causes();
    if !causes.is_empty() {
        return Err(Status::invalid(AUTHORIZATION, "", "", causes));
    }
    if local && meta::namespace(object) != namespace {
        return Err(Status::bad_request(format!(
            "spec.resourceAttributes.namespace must match namespace: {namespace}"
        )));
    }
    Ok(())
}

/// A field or label selector of resource attributes.
fn selector(errors: &mut Errors, at: &At<'_>) {
    if !at.is_set() {
        return;
    }
    let (raw, requirements) = (at.at("rawSelector"), at.at("requirements"));
    if !raw.is_empty() && !requirements.is_empty() {
        let detail = "may not specified at the same time as requirements";
        errors.invalid_text(&raw, raw.text(), detail);
    }
    if raw.is_empty() && requirements.is_empty() {
        let field = at.field();
        let detail = format!("when {field} is specified, requirements or rawSelector is required");
        errors.required(&requirements, &detail);
    }
    for requirement in requirements.items() {
        let (key, values) = (requirement.at("key"), requirement.at("values"));
        if key.is_empty() {
            errors.required(&key, "must be specified");
        }
        match requirement.at("operator").text() {
            "In" | "NotIn" if values.is_empty() => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.required(&values, detail);
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.forbidden(&values, detail);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                errors.invalid_text(
                    &requirement.at("operator"),
                    other,
                    "not a valid selector operator",
                );
            }
        }
    }
}

/// Who an access review asks about; for one about oneself, `me`.
#[must_use]
pub fn subject(review: Review, object: &Value, me: &User) -> User {
    if review == Review::SelfSubjectAccess {
        return me.clone();
    }
    let spec = At::root(object).at("spec");
    let extra = spec
        .at("extra")
        .entries()
        .map(|(key, values)| (key.to_owned(), values.texts().map(Into::into).collect()));
    User {
        name: spec.at("user").text().to_owned(),
        uid: spec.at("uid").text().to_owned(),
        groups: spec.at("groups").texts().map(Into::into).collect(),
        extra: extra.collect(),
    }
}

/// What an access review asks.
#[must_use]
pub fn attributes(object: &Value) -> Attributes<'_> {
    let spec = At::root(object).at("spec");
    let resource = spec.at("resourceAttributes");
    let path = spec.at("nonResourceAttributes");
    if resource.is_set() {
        return Attributes {
            is_resource: true,
            verb: resource.at("verb").text(),
            group: resource.at("group").text(),
            resource: resource.at("resource").text(),
            subresource: resource.at("subresource").text(),
            name: resource.at("name").text(),
            namespace: resource.at("namespace").text(),
            path: "",
        };
    }
    Attributes {
        verb: path.at("verb").text(),
        path: path.at("path").text(),
        ..Attributes::default()
    }
}

/// The answer to an access review.
#[must_use]
pub fn access(mut object: Value, decision: &Decision) -> Value {
    let mut status = json!({ "allowed": decision.allowed });
    if !decision.reason.is_empty() {
        status["reason"] = (*decision.reason).into();
    }
    object["status"] = status;
    object
}

/// The answer to a SelfSubjectRulesReview.
///
/// # Errors
///
/// 400 where it names no namespace.
pub fn rules(
    resource: &Resource,
    object: &Value,
    modes: &[Mode],
    rbac: &Rbac,
    me: &User,
) -> Result<Value, Status> {
    let namespace = At::root(object).at("spec").at("namespace").text();
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let (mut on_resources, mut on_paths, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for mode in modes {
        match mode {
            Mode::AlwaysAllow => {
                on_resources.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
                on_paths.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
            }
            Mode::AlwaysDeny => {}
            Mode::Rbac => {
                let (rules, missing) = rbac.rules_for(me, namespace);
                errors.extend(missing);
                for rule in rules {
                    put_rule(&rule, &mut on_resources, &mut on_paths);
                }
            }
        }
    }
    let mut status =
        json!({"resourceRules": on_resources, "nonResourceRules": on_paths, "incomplete": false});
    match &errors[..] {
        [] => {}
        [one] => status["evaluationError"] = (**one).into(),
        all => status["evaluationError"] = format!("[{}]", all.join(", ")).into(),
    }
    Ok(json!({
        "kind": resource.kind,
        "apiVersion": resource.api_version(),
        "metadata": {"creationTimestamp": null},
        "spec": {},
        "status": status,
    }))
}

fn put_rule(rule: &Rule, on_resources: &mut Vec<Value>, on_paths: &mut Vec<Value>) {
    if !rule.resources.is_empty() {
        let part = Rule { non_resource_urls: Vec::new(), ..rule.clone() };
        on_resources.push(part.to_value());
    }
    if !rule.non_resource_urls.is_empty() {
        let part = Rule {
            verbs: rule.verbs.clone(),
            non_resource_urls: rule.non_resource_urls.clone(),
            ..Rule::default()
        };
        on_paths.push(part.to_value());
    }
}

/// The answer to a SelfSubjectReview.
#[must_use]
pub fn who_am_i(resource: &Resource, me: &User, now: Timestamp) -> Value {
    json!({
        "kind": resource.kind,
        "apiVersion": resource.api_version(),
        "metadata": {"creationTimestamp": meta::time(now)},
        "status": {"userInfo": user_info(me)},
    })
}

/// What an authenticator says of a token: whose it is and for which audiences it holds, or why
/// it does not.
pub type TokenOutcome = Result<(User, Vec<String>), String>;

/// The token of a TokenReview, and the audiences that it is for, if it says so.
///
/// # Errors
///
/// 400 where there is no token.
pub fn token(object: &Value) -> Result<(&str, Vec<String>), Status> {
    let spec = At::root(object).at("spec");
    let token = spec.at("token").text();
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    Ok((token, spec.at("audiences").texts().map(Into::into).collect()))
}

/// The answer to a TokenReview.
#[must_use]
pub fn whose_token(mut object: Value, outcome: &TokenOutcome) -> Value {
    object["status"] = match outcome {
        Ok((user, audiences)) => {
            let mut status = json!({"authenticated": true, "user": user_info(user)});
            if !audiences.is_empty() {
                status["audiences"] = json!(audiences);
            }
            status
        }
        Err(error) => json!({"user": {}, "error": error}),
    };
    object
}

/// A user as `authentication.k8s.io/v1` prints it.
#[must_use]
pub fn user_info(user: &User) -> Value {
    let mut info = Map::new();
    for (key, text) in [("username", &user.name), ("uid", &user.uid)] {
        if !text.is_empty() {
            info.insert(key.into(), text.as_str().into());
        }
    }
    if !user.groups.is_empty() {
        info.insert("groups".into(), json!(user.groups));
    }
    if !user.extra.is_empty() {
        let mut extra: Vec<_> = user.extra.iter().collect();
        extra.sort();
        let extra: Map<String, Value> =
            extra.into_iter().map(|(key, values)| (key.clone(), json!(values))).collect();
        info.insert("extra".into(), extra.into());
    }
    info.into()
}
