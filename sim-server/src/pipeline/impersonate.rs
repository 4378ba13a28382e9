//! Acting as somebody else: the Impersonate headers.

use super::{
    authenticate::AUTHENTICATED,
    reply::Reply,
    request::{ANONYMOUS, Call, User},
};

/// Source: `endpoints/filters/impersonation.go`. Whether it is allowed is for the authorizer;
/// AlwaysAllow allows it.
pub(super) fn run(call: &mut Call) -> Option<Reply> {
    let values = |name: &str| -> Vec<String> {
        call.parts
            .headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok().map(String::from))
            .collect()
    };
    let name = call.header("impersonate-user").to_owned();
    let mut groups = values("impersonate-group");
    let uid = call.header("impersonate-uid").to_owned();
    let extra: Vec<(String, Vec<String>)> = call
        .parts
        .headers
        .keys()
        .filter_map(|key| key.as_str().strip_prefix("impersonate-extra-"))
        .map(|key| (key.to_owned(), values(&format!("impersonate-extra-{key}"))))
        .collect();
    if name.is_empty() {
        if groups.is_empty() && uid.is_empty() && extra.is_empty() {
            return None;
        }
        let reference = |kind: &str, name: &str| format!("{{{kind}  {name}    }}");
        let mut wanted: Vec<String> =
            groups.iter().map(|group| reference("Group", group)).collect();
        wanted.extend(extra.iter().flat_map(|(key, values)| {
            values.iter().map(move |value| format!("{{UserExtra  {value}    {key}}}"))
        }));
        if !uid.is_empty() {
            wanted.push(reference("UID", &uid));
        }
        // Recorded: a plain 500, with Go's print of the references.
        return Some(Reply::text(
            500,
            format!(
                "Internal Server Error: {:?}: requested [{}] without impersonating a user\n",
                call.parts.uri.path(),
                wanted.join(" ")
            ),
        ));
    }
    if let Some(namespace) = service_account_namespace(&name)
        && groups.is_empty()
    {
        groups = vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
        ];
    }
    let implied = if name == ANONYMOUS { "system:unauthenticated" } else { AUTHENTICATED };
    if !groups.iter().any(|group| group == implied) {
        groups.push(implied.to_owned());
    }
    call.user = Some(User { name, uid, groups, extra });
    None
}

fn service_account_namespace(user: &str) -> Option<&str> {
    let (namespace, account) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (!namespace.is_empty() && !account.is_empty()).then_some(namespace)
}
