//! `metav1.Status`: the one form that every error takes on the wire.
//!
//! Source: k8s.io/apimachinery `pkg/api/errors/errors.go`, `pkg/apis/meta/v1/types.go`
//! (release-1.33); the texts are those of a recorded 1.33.2.

mod reason;

pub use reason::{CauseReason, Reason};
use serde_json::{Map, Value, json};

use crate::go;

/// A `metav1.Status`: why a request failed, or that it succeeded where there is no object to
/// send back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// The HTTP status code; 200 for a success.
    pub code: u16,
    /// The machine-readable reason; [`Reason::Unknown`] prints none.
    pub reason: Reason,
    /// The message for people; empty prints none.
    pub message: String,
    /// More data, by reason. Some reasons come with empty details, others with none.
    pub details: Option<Box<StatusDetails>>,
    /// `metadata.continue`: where an expired list may go on, inconsistently.
    pub continue_token: Option<Box<str>>,
}

/// `metav1.StatusDetails`. Empty members are not printed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StatusDetails {
    /// The object's name.
    pub name: String,
    /// The API group.
    pub group: String,
    /// The resource or the kind, as the reason has it.
    pub kind: String,
    /// The object's uid.
    pub uid: String,
    /// What is wrong, one by one.
    pub causes: Vec<StatusCause>,
    /// Seconds after which to try again; 0 prints none. Also the header `Retry-After`.
    pub retry_after_seconds: u32,
}

/// `metav1.StatusCause`: one thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusCause {
    /// What sort of wrong.
    pub reason: CauseReason,
    /// The message; in an Invalid status it begins with the reason's words.
    pub message: String,
    /// The path of the field, such as `spec.containers[0].name`; empty prints none.
    pub field: String,
}

/// The Result of whatever may answer with a [`Status`].
pub type Result<T, E = Status> = std::result::Result<T, E>;

impl Status {
    /// A failure with no details.
    pub fn failure(code: u16, reason: Reason, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, continue_token: None }
    }

    /// The success that answers the deletion of an object: `resource` is plural.
    pub fn deleted(group: &str, resource: &str, name: &str, uid: &str) -> Self {
        let mut details = StatusDetails::named(group, resource, name);
        details.uid = uid.to_owned();
        Self::failure(200, Reason::Unknown, "").with_details(details)
    }

    /// 200 without anything, such as the answer to a deletecollection of a virtual resource.
    pub fn success() -> Self {
        Self::failure(200, Reason::Unknown, "")
    }

    /// 201 of a subresource that makes no object: a binding, an eviction.
    pub fn created() -> Self {
        Self { code: 201, ..Self::success() }
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::failure(400, Reason::BadRequest, message)
    }

    /// 401: no or wrong credentials.
    pub fn unauthorized() -> Self {
        Self::failure(401, Reason::Unauthorized, "Unauthorized")
    }

    /// 403 on a resource; an empty `resource` is a path outside the API.
    ///
    /// `detail` says who may not do what, see [`crate::RequestInfo`] for the usual sentence.
    pub fn forbidden(group: &str, resource: &str, name: &str, detail: &str) -> Self {
        let what = match (resource, name) {
            ("", _) => format!("forbidden: {detail}"),
            (_, "") => format!("{} is forbidden: {detail}", qualified(group, resource)),
            _ => {
                format!("{} {} is forbidden: {detail}", qualified(group, resource), go::quote(name))
            }
        };
        let details = StatusDetails::named(group, resource, name);
        Self::failure(403, Reason::Forbidden, what).with_details(details)
    }

    /// 403: the namespace is being deleted, so nothing may be created in it.
    pub fn namespace_terminating(group: &str, resource: &str, name: &str, namespace: &str) -> Self {
        let detail = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut status = Self::forbidden(group, resource, name, &detail);
        if let Some(details) = &mut status.details {
            details.causes.push(StatusCause {
                reason: CauseReason::NamespaceTerminating,
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".to_owned(),
            });
        }
        status
    }

    /// 404: no such object. `resource` is plural.
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {} not found", qualified(group, resource), go::quote(name));
        Self::failure(404, Reason::NotFound, message)
            .with_details(StatusDetails::named(group, resource, name))
    }

    /// 404: the group is served but this version or resource is not.
    ///
    /// An unknown group is answered in plain text instead, [`PAGE_NOT_FOUND`].
    pub fn not_found_path() -> Self {
        Self::failure(404, Reason::NotFound, "the server could not find the requested resource")
            .with_details(StatusDetails::default())
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        Self::failure(
            405,
            Reason::MethodNotAllowed,
            "the server does not allow this method on the requested resource",
        )
        .with_details(StatusDetails::default())
    }

    /// 405: the definition of a custom resource is being deleted.
    pub fn terminating_definition() -> Self {
        let mut status = Self::method_not_allowed();
        "create not allowed while custom resource definition is terminating"
            .clone_into(&mut status.message);
        status
    }

    /// 406: none of `accepted` (media types) is acceptable to the client.
    pub fn not_acceptable(accepted: &[&str]) -> Self {
        let list = accepted.join(", ");
        Self::failure(
            406,
            Reason::NotAcceptable,
            format!("only the following media types are accepted: {list}"),
        )
    }

    /// 406: the route has no answer of a type that is acceptable to the client.
    pub fn not_acceptable_route(available: &[&str]) -> Self {
        let list = available.join(", ");
        let message = format!("406: Not Acceptable\n\nAvailable representations: {list}");
        Self::failure(406, Reason::NotAcceptable, message).with_details(StatusDetails::default())
    }

    /// 409: the name is taken.
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {} already exists", qualified(group, resource), go::quote(name));
        Self::failure(409, Reason::AlreadyExists, message)
            .with_details(StatusDetails::named(group, resource, name))
    }

    /// 409: the name is taken by an object that waits for its deletion.
    pub fn already_exists_terminating(group: &str, resource: &str, name: &str) -> Self {
        let mut status = Self::already_exists(group, resource, name);
        status.message.insert_str(0, "object is being deleted: ");
        status
    }

    /// 409, with the reason in words.
    pub fn conflict(group: &str, resource: &str, name: &str, detail: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {}: {detail}",
            qualified(group, resource),
            go::quote(name)
        );
        Self::failure(409, Reason::Conflict, message)
            .with_details(StatusDetails::named(group, resource, name))
    }

    /// 409: the object was changed since the resourceVersion that the client gave.
    pub fn modified(group: &str, resource: &str, name: &str) -> Self {
        Self::conflict(group, resource, name, OPTIMISTIC_LOCK_ERROR)
    }

    /// 410: the resourceVersion asked for is older than the oldest kept.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::failure(410, Reason::Expired, message)
    }

    /// 410 of a LIST at a resourceVersion that is compacted.
    pub fn list_expired() -> Self {
        Self::expired("The resourceVersion for the provided list is too old.")
    }

    /// 410 of a LIST whose continue token is too old. `token` continues at the newest data.
    pub fn continue_expired(token: impl Into<Box<str>>) -> Self {
        let mut status = Self::expired(
            "The provided continue parameter is too old to display a consistent list result. You \
             can start a new list without the continue parameter, or use the continue token in \
             this response to retrieve the remainder of the results. Continuing with the provided \
             token results in an inconsistent list - objects that were created, modified, or \
             deleted between the time the first chunk was returned and now may show up in the \
             list.",
        );
        status.continue_token = Some(token.into());
        status
    }

    /// 410 of a WATCH from before the window; `oldest` is the first version that is kept.
    pub fn watch_expired(requested: u64, oldest: u64) -> Self {
        Self::expired(format!(
            "too old resource version: {requested} ({})",
            oldest.saturating_sub(1)
        ))
    }

    /// 413: the body is larger than `limit` bytes.
    pub fn request_entity_too_large(limit: usize) -> Self {
        Self::failure(
            413,
            Reason::RequestEntityTooLarge,
            format!("Request entity too large: limit is {limit}"),
        )
    }

    /// 415: the body's Content-Type is none of `accepted`.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let list = accepted.join(", ");
        Self::failure(
            415,
            Reason::UnsupportedMediaType,
            format!(
                "the body of the request was in an unknown format - accepted media types \
                 include: {list}"
            ),
        )
    }

    /// 415 for what the real server takes but this one does not yet.
    pub fn media_type_not_built(media_type: &str, instead: &str) -> Self {
        Self::failure(
            415,
            Reason::UnsupportedMediaType,
            format!("{media_type} is not built yet in this simulator; use {instead}"),
        )
    }

    /// 422: the object is invalid. An empty `kind` is left out, as for a patch's result.
    pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<StatusCause>) -> Self {
        let mut messages: Vec<String> = Vec::new();
        for cause in &causes {
            let message = match cause.field.as_str() {
                "" => cause.message.clone(),
                field => format!("{field}: {}", cause.message),
            };
            // Go's error aggregate prints equal errors once.
            if !messages.contains(&message) {
                messages.push(message);
            }
        }
        let list = match &messages[..] {
            [one] => one.clone(),
            _ => format!("[{}]", messages.join(", ")),
        };
        let message = format!("{} {} is invalid: {list}", qualified(group, kind), go::quote(name));
        let mut details = StatusDetails::named(group, kind, name);
        details.causes = causes;
        Self::failure(422, Reason::Invalid, message).with_details(details)
    }

    /// 422 of a request that the server understands but cannot carry out, such as a JSON patch
    /// whose `test` fails.
    pub fn unprocessable() -> Self {
        Self::failure(
            422,
            Reason::Invalid,
            "the server rejected our request due to an error in our request",
        )
        .with_details(StatusDetails::default())
    }

    /// 429, to be tried again after so many seconds.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        let details = StatusDetails { retry_after_seconds, ..StatusDetails::default() };
        Self::failure(429, Reason::TooManyRequests, message).with_details(details)
    }

    /// 500 with a cause, as errors inside the handlers are wrapped.
    pub fn internal(detail: &str) -> Self {
        let cause = StatusCause {
            reason: CauseReason::Unknown,
            message: detail.to_owned(),
            field: String::new(),
        };
        let details = StatusDetails { causes: vec![cause], ..StatusDetails::default() };
        Self::failure(500, Reason::InternalError, format!("Internal error occurred: {detail}"))
            .with_details(details)
    }

    /// 500 with nothing but a message, as the real server answers a plain Go error.
    pub fn plain_error(message: impl Into<String>) -> Self {
        Self::failure(500, Reason::Unknown, message)
    }

    /// 500: the operation cannot be completed now.
    pub fn server_timeout(
        group: &str,
        resource: &str,
        operation: &str,
        retry_after_seconds: u32,
    ) -> Self {
        let message = format!(
            "The {operation} operation against {} could not be completed at this time, please \
             try again.",
            qualified(group, resource)
        );
        let mut details = StatusDetails::named(group, resource, operation);
        details.retry_after_seconds = retry_after_seconds;
        Self::failure(500, Reason::ServerTimeout, message).with_details(details)
    }

    /// 501: the real server does this, the simulator does not.
    pub fn not_implemented(what: &str) -> Self {
        Self::failure(501, Reason::Unknown, format!("{what} is not emulated by this simulator"))
            .with_details(StatusDetails::default())
    }

    /// 503.
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        Self::failure(503, Reason::ServiceUnavailable, message)
    }

    /// 504: not done in time.
    pub fn timeout(message: &str, retry_after_seconds: u32) -> Self {
        let details = StatusDetails { retry_after_seconds, ..StatusDetails::default() };
        Self::failure(504, Reason::Timeout, format!("Timeout: {message}")).with_details(details)
    }

    /// 504: the client asks for a version that the server has not reached.
    pub fn too_large_resource_version(requested: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {requested}, current: {current}");
        let mut status = Self::timeout(&message, 1);
        if let Some(details) = &mut status.details {
            details.causes.push(StatusCause {
                reason: CauseReason::ResourceVersionTooLarge,
                message: "Too large resource version".to_owned(),
                field: String::new(),
            });
        }
        status
    }

    /// The same status with these details.
    #[must_use]
    pub fn with_details(mut self, details: StatusDetails) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// Seconds for the header `Retry-After`, if the details have them.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.details
            .as_ref()
            .map(|details| details.retry_after_seconds)
            .filter(|&seconds| seconds > 0)
    }

    /// The object, keys in the real order.
    pub fn to_value(&self) -> Value {
        let mut object = Map::new();
        object.insert("kind".into(), "Status".into());
        object.insert("apiVersion".into(), "v1".into());
        self.put_members(&mut object);
        Value::Object(object)
    }

    /// The compact JSON with its final newline, as a response body.
    pub fn to_json(&self) -> Vec<u8> {
        let mut body = crate::encode::to_json(&self.to_value());
        body.push(b'\n');
        body
    }

    /// The body of a request that was cut by its deadline: no kind, no apiVersion.
    pub fn to_json_without_kind(&self) -> Vec<u8> {
        let mut object = Map::new();
        self.put_members(&mut object);
        let mut body = crate::encode::to_json(&Value::Object(object));
        body.push(b'\n');
        body
    }

    fn put_members(&self, object: &mut Map<String, Value>) {
        let metadata = match &self.continue_token {
            Some(token) => json!({ "continue": token }),
            None => json!({}),
        };
        object.insert("metadata".into(), metadata);
        let status = if self.code < 400 { "Success" } else { "Failure" };
        object.insert("status".into(), status.into());
        put(object, "message", &self.message);
        put(object, "reason", self.reason.as_str());
        if let Some(details) = &self.details {
            object.insert("details".into(), details.to_value());
        }
        // The answer to a deletion has none.
        if self.code != 200 {
            object.insert("code".into(), self.code.into());
        }
    }
}

impl StatusDetails {
    /// Details that name an object.
    pub fn named(group: &str, kind: &str, name: &str) -> Self {
        let (name, group, kind) = (name.to_owned(), group.to_owned(), kind.to_owned());
        Self { name, group, kind, ..Self::default() }
    }

    fn to_value(&self) -> Value {
        let mut object = Map::new();
        put(&mut object, "name", &self.name);
        put(&mut object, "group", &self.group);
        put(&mut object, "kind", &self.kind);
        put(&mut object, "uid", &self.uid);
        if !self.causes.is_empty() {
            let causes = self.causes.iter().map(StatusCause::to_value).collect();
            object.insert("causes".into(), Value::Array(causes));
        }
        if self.retry_after_seconds > 0 {
            object.insert("retryAfterSeconds".into(), self.retry_after_seconds.into());
        }
        Value::Object(object)
    }
}

impl StatusCause {
    /// A field that must be there is not; `detail` may be empty.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self::with_body(CauseReason::FieldValueRequired, field, None, detail)
    }

    /// A field has a wrong value; `value` is as Go prints it.
    pub fn invalid(field: impl Into<String>, value: impl Into<String>, detail: &str) -> Self {
        Self::with_body(CauseReason::FieldValueInvalid, field, Some(value.into()), detail)
    }

    /// A field has a wrong text.
    pub fn invalid_text(field: impl Into<String>, value: &str, detail: &str) -> Self {
        Self::invalid(field, go::quote(value), detail)
    }

    /// A field must not be there or not be changed.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::with_body(CauseReason::FieldValueForbidden, field, None, detail)
    }

    /// A field has a value that is not in the list; `value` is as Go prints it.
    pub fn not_supported(
        field: impl Into<String>,
        value: impl Into<String>,
        supported: &[&str],
    ) -> Self {
        let supported: Vec<String> = supported.iter().map(|value| go::quote(value)).collect();
        let detail = format!("supported values: {}", supported.join(", "));
        Self::with_body(CauseReason::FieldValueNotSupported, field, Some(value.into()), &detail)
    }

    /// A field is longer than `max` bytes.
    pub fn too_long(field: impl Into<String>, max: usize) -> Self {
        let detail = format!("may not be more than {max} bytes");
        Self::with_body(CauseReason::FieldValueTooLong, field, None, &detail)
    }

    /// A list has the value twice; `value` is as Go prints it.
    pub fn duplicate(field: impl Into<String>, value: impl Into<String>) -> Self {
        Self::with_body(CauseReason::FieldValueDuplicate, field, Some(value.into()), "")
    }

    /// A value refers to nothing; `value` is as Go prints it, `detail` may be empty.
    pub fn not_found(field: impl Into<String>, value: impl Into<String>, detail: &str) -> Self {
        Self::with_body(CauseReason::FieldValueNotFound, field, Some(value.into()), detail)
    }

    /// A list has more than `max` elements.
    pub fn too_many(field: impl Into<String>, count: usize, max: usize) -> Self {
        let detail = format!("must have at most {max} items");
        let count = Some(count.to_string());
        Self::with_body(CauseReason::FieldValueTooMany, field, count, &detail)
    }

    /// A field is wrong in a way that its value does not explain.
    pub fn invalid_omitted(field: impl Into<String>, detail: &str) -> Self {
        Self::with_body(CauseReason::FieldValueInvalid, field, None, detail)
    }

    /// A field is of the wrong type; `value` is as Go prints it.
    pub fn type_invalid(field: impl Into<String>, value: impl Into<String>, detail: &str) -> Self {
        Self::with_body(CauseReason::FieldValueTypeInvalid, field, Some(value.into()), detail)
    }

    /// Whether rules in CEL are not asked of an object that has this wrong.
    ///
    /// Source: `hasBlockingErr` of k8s.io/apiextensions-apiserver.
    pub(crate) fn blocks_rules(&self) -> bool {
        matches!(
            self.reason,
            CauseReason::FieldValueNotSupported
                | CauseReason::FieldValueRequired
                | CauseReason::FieldValueTooLong
                | CauseReason::FieldValueTooMany
                | CauseReason::FieldValueTypeInvalid
        )
    }

    fn with_body(
        reason: CauseReason,
        field: impl Into<String>,
        value: Option<String>,
        detail: &str,
    ) -> Self {
        let mut message = reason.words().to_owned();
        for part in value.as_deref().into_iter().chain((!detail.is_empty()).then_some(detail)) {
            message.push_str(": ");
            message.push_str(part);
        }
        Self { reason, message, field: field.into() }
    }

    fn to_value(&self) -> Value {
        let mut object = Map::new();
        put(&mut object, "reason", self.reason.as_str());
        put(&mut object, "message", &self.message);
        put(&mut object, "field", &self.field);
        Value::Object(object)
    }
}

/// The answer to Impersonate headers without a user; the real one is a 500 in plain text.
///
/// Source: `endpoints/filters/impersonation.go`.
pub fn impersonation_without_user(
    groups: &[String],
    uid: &str,
    extra: &[(String, Vec<String>)],
) -> Status {
    let mut asked: Vec<String> = Vec::new();
    asked.extend(groups.iter().map(|group| format!("{{Group  {group}    }}")));
    for (key, values) in extra {
        let kind = "UserExtra authentication.k8s.io/v1";
        asked.extend(values.iter().map(|value| format!("{{{kind}  {value} {key}   }}")));
    }
    if !uid.is_empty() {
        asked.push(format!("{{UID authentication.k8s.io/v1  {uid}    }}"));
    }
    Status::plain_error(format!("requested [{}] without impersonating a user", asked.join(" ")))
}

/// `pods`, `deployments.apps`: how errors name a resource or a kind.
fn qualified(group: &str, name: &str) -> String {
    match (group, name) {
        ("", _) => name.to_owned(),
        _ => format!("{name}.{group}"),
    }
}

fn put(object: &mut Map<String, Value>, key: &str, value: &str) {
    if !value.is_empty() {
        object.insert(key.into(), value.into());
    }
}

/// The body, in plain text, of a path that no handler knows; status 404, Content-Type
/// `text/plain; charset=utf-8`, `X-Content-Type-Options: nosniff`.
pub const PAGE_NOT_FOUND: &str = "404 page not found\n";

/// What is wrong with a write at an old resourceVersion. Source: `registry/generic/registry`.
const OPTIMISTIC_LOCK_ERROR: &str = "the object has been modified; please apply your changes to \
     the latest version and try again";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: &Status, json: &str) {
        assert_eq!(String::from_utf8(status.to_json()).unwrap(), format!("{json}\n"));
    }

    #[test]
    fn statuses_print_as_recorded() {
        check(
            &Status::not_found("apps", "deployments", "none"),
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"deployments.apps \"none\" not found","reason":"NotFound","details":{"name":"none","group":"apps","kind":"deployments"},"code":404}"#,
        );
        check(
            &Status::deleted("", "configmaps", "x", "u"),
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","details":{"name":"x","kind":"configmaps","uid":"u"}}"#,
        );
        check(
            &Status::method_not_allowed(),
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the server does not allow this method on the requested resource","reason":"MethodNotAllowed","details":{},"code":405}"#,
        );
        check(
            &Status::too_large_resource_version(999_999_999, 7),
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Timeout: Too large resource version: 999999999, current: 7","reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1},"code":504}"#,
        );
        check(
            &Status::plain_error("resourceVersion should not be set on objects to be created"),
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"resourceVersion should not be set on objects to be created","code":500}"#,
        );
        check(
            &Status::invalid(
                "meta.k8s.io",
                "ListOptions",
                "",
                vec![StatusCause::forbidden(
                    "sendInitialEvents",
                    "sendInitialEvents is forbidden for list",
                )],
            ),
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list","reason":"Invalid","details":{"group":"meta.k8s.io","kind":"ListOptions","causes":[{"reason":"FieldValueForbidden","message":"Forbidden: sendInitialEvents is forbidden for list","field":"sendInitialEvents"}]},"code":422}"#,
        );
    }

    #[test]
    fn equal_causes_are_listed_twice_but_told_once() {
        let cause = StatusCause::invalid_text("metadata.uid", "zzz", "field is immutable");
        let status = Status::invalid("", "Pod", "x", vec![cause.clone(), cause]);
        assert_eq!(
            status.message,
            "Pod \"x\" is invalid: metadata.uid: Invalid value: \"zzz\": field is immutable"
        );
        assert_eq!(status.details.unwrap().causes.len(), 2);
    }

    #[test]
    fn a_deadline_status_has_no_kind() {
        let status = Status::timeout("request did not complete within the allotted timeout", 0);
        assert_eq!(
            String::from_utf8(status.to_json_without_kind()).unwrap(),
            "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Timeout: request did not \
             complete within the allotted timeout\",\"reason\":\"Timeout\",\"details\":{},\
             \"code\":504}\n"
        );
    }
}
