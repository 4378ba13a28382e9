//! What the name of an object may look like, by kind.
//!
//! Source: k8s.io/apimachinery `pkg/util/validation/validation.go`,
//! `pkg/api/validation/path/name.go`, and each kind's `ValidateName`.

use crate::Resource;

/// What is wrong with a name, in the real words. `is_prefix` is for generateName, whose end is
/// not the end of the name.
pub(crate) fn errors(resource: &Resource, name: &str, is_prefix: bool) -> Vec<String> {
    // What follows a trailing dash is made by the server.
    let masked;
    let name = match name.strip_suffix('-') {
        Some(base) if is_prefix && !base.is_empty() => {
            let last = base.chars().next_back().map_or(0, char::len_utf8);
            masked = format!("{}a", &base[..base.len() - last]);
            &masked
        }
        _ => name,
    };
    match (&*resource.group, &*resource.plural) {
        ("", "namespaces") => label(name),
        ("", "services") => label_1035(name),
        ("apps", "statefulsets") => label(name),
        ("networking.k8s.io", "ipaddresses") => address(name),
        ("rbac.authorization.k8s.io", _) => path_segment(name, is_prefix),
        _ => subdomain(name),
    }
}

pub(crate) fn subdomain(name: &str) -> Vec<String> {
    let mut errors = too_long(name, 253);
    if !name.split('.').all(is_label) {
        errors.push(SUBDOMAIN.to_owned());
    }
    errors
}

pub(crate) fn label(name: &str) -> Vec<String> {
    let mut errors = too_long(name, 63);
    if !is_label(name) {
        let is_subdomain = name.split('.').all(is_label);
        errors.push(if is_subdomain { "must not contain dots" } else { LABEL }.to_owned());
    }
    errors
}

pub(crate) fn label_1035(name: &str) -> Vec<String> {
    let mut errors = too_long(name, 63);
    if !is_label(name) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        errors.push(LABEL_1035.to_owned());
    }
    errors
}

/// `IsValidIP`: an address in the one form that it has.
fn address(name: &str) -> Vec<String> {
    match name.parse::<std::net::IpAddr>() {
        Err(_) => {
            vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()]
        }
        Ok(address) if address.to_string() != name => {
            vec![format!("must be in canonical form ({})", crate::go::quote(&address.to_string()))]
        }
        Ok(_) => Vec::new(),
    }
}

pub(crate) fn path_segment(name: &str, is_prefix: bool) -> Vec<String> {
    if !is_prefix && matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    ['/', '%']
        .iter()
        .filter(|&&c| name.contains(c))
        .map(|c| format!("may not contain '{c}'"))
        .collect()
}

pub(crate) fn is_label(label: &str) -> bool {
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = label.as_bytes();
    bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
        && bytes.iter().all(|byte| edge(byte) || *byte == b'-')
}

pub(crate) fn too_long(name: &str, max: usize) -> Vec<String> {
    let error = format!("must be no more than {max} characters");
    if name.len() > max { vec![error] } else { Vec::new() }
}

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
     characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
     'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
     characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  \
     or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or \
     '-', start with an alphabetic character, and end with an alphanumeric character (e.g. \
     'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
