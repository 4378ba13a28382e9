//! Acting as somebody else.
//!
//! Source: k8s.io/apiserver `pkg/endpoints/filters/impersonation.go` (release-1.33).

use super::{
    ANONYMOUS, AUTHENTICATED, Attributes, UNAUTHENTICATED, User, service_account_groups,
    split_service_account,
};

/// What the Impersonate headers ask for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// `Impersonate-User`.
    pub user: String,
    /// `Impersonate-Group`, each.
    pub groups: Vec<String>,
    /// `Impersonate-Uid`.
    pub uid: String,
    /// `Impersonate-Extra-KEY`, by the key in lower case.
    pub extra: Vec<(String, Vec<String>)>,
}

impl Wanted {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it, in Go's print of the references: something without a user.
    #[must_use]
    pub fn without_user(&self) -> Option<String> {
        if !self.user.is_empty() {
            return None;
        }
        let print = |kind: &str, name: &str, version: &str, path: &str| {
            format!("{{{kind}  {name}  {version}  {path}}}")
        };
        let mut asked: Vec<String> =
            self.groups.iter().map(|group| print("Group", group, "", "")).collect();
        for (key, values) in &self.extra {
            asked.extend(values.iter().map(|value| print("UserExtra", value, VERSION, key)));
        }
        if !self.uid.is_empty() {
            asked.push(print("UID", &self.uid, VERSION, ""));
        }
        Some(format!("requested [{}] without impersonating a user", asked.join(" ")))
    }

    /// Everything that must be allowed, in the order in which it is asked.
    #[must_use]
    pub fn attributes(&self) -> Vec<Attributes<'_>> {
        let base = Attributes { is_resource: true, verb: "impersonate", ..Attributes::default() };
        let mut all = vec![match split_service_account(&self.user) {
            Some((namespace, name)) => {
                Attributes { resource: "serviceaccounts", namespace, name, ..base }
            }
            None => Attributes { resource: "users", name: &self.user, ..base },
        }];
        all.extend(self.groups.iter().map(|name| Attributes { resource: "groups", name, ..base }));
        for (key, values) in &self.extra {
            all.extend(values.iter().map(|name| Attributes {
                group: GROUP,
                resource: "userextras",
                subresource: key,
                name,
                ..base
            }));
        }
        if !self.uid.is_empty() {
            all.push(Attributes { group: GROUP, resource: "uids", name: &self.uid, ..base });
        }
        all
    }

    /// Who it is then.
    #[must_use]
    pub fn into_user(self) -> User {
        let Self { user: name, mut groups, uid, extra } = self;
        if let Some((namespace, _)) = split_service_account(&name)
            && groups.is_empty()
        {
            groups = service_account_groups(namespace);
        }
        let implied = if name == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
        if !groups.iter().any(|group| matches!(&**group, AUTHENTICATED | UNAUTHENTICATED)) {
            groups.push(implied.to_owned());
        }
        User { name, uid, groups, extra }
    }
}

/// A key of `Impersonate-Extra-KEY`, which may be percent-encoded.
#[must_use]
pub fn extra_key(header: &str) -> String {
    let lower = header.to_ascii_lowercase();
    let mut bytes = Vec::with_capacity(lower.len());
    let mut rest = lower.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            // Not encoded after all: it is taken as it is.
            None => return lower,
        }
    }
    String::from_utf8(bytes).unwrap_or(lower)
}

const GROUP: &str = "authentication.k8s.io";
const VERSION: &str = "authentication.k8s.io/v1";
