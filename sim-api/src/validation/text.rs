//! What texts may look like: port names, environment variables, addresses, sets of labels.
//!
//! Source: k8s.io/apimachinery `pkg/util/validation/{validation,ip}.go`,
//! `pkg/apis/meta/v1/validation/validation.go` (release-1.33).

use std::net::IpAddr;

use sim_store::LabelSelector as Syntax;

use crate::{
    field::{At, Errors},
    meta::names,
};

pub(super) use names::{label, subdomain};

/// `IsQualifiedName`.
pub(super) fn qualified(name: &str) -> Vec<String> {
    Syntax::key_errors(name)
}

/// `IsValidPortName`.
pub(super) fn port_name(name: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let mut add = |wrong: bool, error: &str| {
        if wrong {
            errors.push(error.to_owned());
        }
    };
    add(name.len() > 15, "must be no more than 15 characters");
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    add(
        name.is_empty() || !name.bytes().all(is_part),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    add(!name.bytes().any(|b| b.is_ascii_lowercase()), "must contain at least one letter (a-z)");
    add(name.contains("--"), "must not contain consecutive hyphens");
    add(name.starts_with('-') || name.ends_with('-'), "must not begin or end with a hyphen");
    errors
}

/// `IsValidPortNum`.
pub(super) fn port_number(port: i64) -> Option<&'static str> {
    (!(1..=65535).contains(&port)).then_some("must be between 1 and 65535, inclusive")
}

/// `ValidatePortNumOrName`.
pub(super) fn port(e: &mut Errors, at: &At<'_>) {
    if at.value().is_string() {
        e.each_invalid(at, port_name(at.text()));
    } else if let Some(error) = port_number(at.int()) {
        e.invalid_value(at, at.int().to_string(), error);
    }
}

/// `IsRelaxedEnvVarName`: printable ASCII without `=`.
pub(super) fn relaxed_environment_name(name: &str) -> Vec<String> {
    if name.is_empty() {
        return vec!["environment variable name must be non-empty".to_owned()];
    }
    let wrong = name.chars().any(|c| !c.is_ascii() || c.is_ascii_control() || c == '=');
    if wrong { vec![RELAXED_ENVIRONMENT_NAME.to_owned()] } else { Vec::new() }
}

/// `IsConfigMapKey`.
pub(super) fn config_key(key: &str) -> Vec<String> {
    let mut errors = names::too_long(key, 253);
    let is_key = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if key.is_empty() || !key.chars().all(is_key) {
        errors.push(CONFIG_KEY.to_owned());
    }
    change_directory(key, &mut errors);
    errors
}

/// `hasChDirPrefix`.
fn change_directory(name: &str, errors: &mut Vec<String>) {
    match name {
        "." => errors.push("must not be '.'".to_owned()),
        ".." => errors.push("must not be '..'".to_owned()),
        _ if name.starts_with("..") => errors.push("must not start with '..'".to_owned()),
        _ => {}
    }
}

/// `IsHTTPHeaderName`.
pub(super) fn header_name(name: &str) -> Vec<String> {
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_name { Vec::new() } else { vec![HEADER_NAME.to_owned()] }
}

/// `IsValidPercent`.
pub(super) fn percent(text: &str) -> Vec<String> {
    let digits = text.strip_suffix('%').unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    vec![PERCENT.to_owned()]
}

/// `IsWildcardDNS1123Subdomain`.
pub(super) fn wildcard_subdomain(name: &str) -> Vec<String> {
    let mut errors = names::too_long(name, 253);
    let is_wildcard =
        name.strip_prefix("*.").is_some_and(|rest| rest.split('.').all(names::is_label));
    if !is_wildcard {
        errors.push(WILDCARD.to_owned());
    }
    errors
}

/// `IsDNS1123SubdomainWithUnderscore`.
pub(super) fn underscore_subdomain(name: &str) -> Vec<String> {
    let mut errors = names::too_long(name, 253);
    let is_label = |label: &str| {
        let label = label.strip_prefix('_').unwrap_or(label);
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        edge(label.bytes().next())
            && edge(label.bytes().next_back())
            && label.bytes().all(|b| edge(Some(b)) || b"-_".contains(&b))
    };
    if !name.split('.').all(is_label) {
        errors.push(UNDERSCORE_SUBDOMAIN.to_owned());
    }
    errors
}

/// `IsFullyQualifiedName`.
pub(super) fn fully_qualified(e: &mut Errors, at: &At<'_>) {
    let name = at.text();
    if name.is_empty() {
        return e.required(at, "");
    }
    let errors = subdomain(name);
    if !errors.is_empty() {
        e.invalid(at, &errors.join(","));
    } else if name.split('.').count() < 3 {
        e.invalid(at, "should be a domain with at least three segments separated by dots");
    }
}

/// `IsDomainPrefixedPath`.
pub(super) fn domain_prefixed_path(e: &mut Errors, at: &At<'_>) {
    let text = at.text();
    if text.is_empty() {
        return e.required(at, "");
    }
    let parts = text.split_once('/').filter(|(host, path)| !host.is_empty() && !path.is_empty());
    let Some((host, path)) = parts else {
        return e.invalid(at, "must be a domain-prefixed path (such as \"acme.io/foo\")");
    };
    for error in subdomain(host) {
        e.invalid_text(at, host, &error);
    }
    let is_path = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b);
    if !path.bytes().all(is_path) {
        e.invalid_text(at, path, HTTP_PATH);
    }
}

/// An address as Go reads it for fields from before IPv6: leading zeros are let through.
pub(super) fn legacy_address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let parts: Vec<&str> = text.split('.').collect();
    let is_part = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.trim_start_matches('0').len() <= 3
    };
    if parts.len() != 4 || !parts.iter().all(is_part) {
        return None;
    }
    let trimmed: Vec<&str> = parts
        .iter()
        .map(|part| Some(part.trim_start_matches('0')).filter(|p| !p.is_empty()).unwrap_or("0"))
        .collect();
    trimmed.join(".").parse().ok()
}

/// `IsValidIPForLegacyField`.
pub(super) fn ip(e: &mut Errors, at: &At<'_>) {
    if legacy_address(at.text()).is_none() {
        e.invalid(at, IP);
    }
}

/// `IsValidCIDRForLegacyField`.
pub(super) fn cidr(e: &mut Errors, at: &At<'_>) -> bool {
    let is_cidr = split_cidr(at.text()).is_some();
    if !is_cidr {
        e.invalid(at, CIDR);
    }
    is_cidr
}

/// An address and the length of its network.
pub(super) fn split_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let address = legacy_address(address)?;
    let max = if address.is_ipv4() { 32 } else { 128 };
    if length.len() > 3 || !length.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let length: u8 = length.parse().ok()?;
    (length <= max).then_some((address, length))
}

/// `ValidateLabels`.
pub(super) fn labels(e: &mut Errors, at: &At<'_>) {
    for (key, value) in at.map().into_iter().flatten() {
        for error in Syntax::key_errors(key) {
            e.invalid_text(at, key, &error);
        }
        let value = value.as_str().unwrap_or_default();
        for error in Syntax::value_errors(value) {
            e.invalid_text(at, value, &error);
        }
    }
}

/// `ValidateAnnotations`.
pub(super) fn annotations(e: &mut Errors, at: &At<'_>) {
    let mut bytes = 0;
    for (key, value) in at.map().into_iter().flatten() {
        for error in Syntax::key_errors(&key.to_lowercase()) {
            e.invalid_text(at, key, &error);
        }
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > ANNOTATIONS_MAX {
        e.too_long(at, ANNOTATIONS_MAX);
    }
}

/// `ValidateLabelName`.
pub(super) fn label_key(e: &mut Errors, at: &At<'_>) {
    e.each_invalid(at, qualified(at.text()));
}

/// `ValidateLabelSelector`.
pub(super) fn selector(e: &mut Errors, at: &At<'_>) {
    labels(e, &at.at("matchLabels"));
    for expression in at.at("matchExpressions").items() {
        let values = expression.at("values");
        match expression.at("operator").text() {
            "In" | "NotIn" if values.is_empty() => {
                e.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "In" | "NotIn" => {}
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                e.forbidden(
                    &values,
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "Exists" | "DoesNotExist" => {}
            _ => e.invalid(&expression.at("operator"), "not a valid selector operator"),
        }
        label_key(e, &expression.at("key"));
        for value in values.items() {
            e.each_invalid(&value, Syntax::value_errors(value.text()));
        }
    }
}

/// What a selector selects; `None` where it cannot be read.
pub(super) enum Selects {
    /// No selector: nothing.
    Nothing,
    /// An empty one: everything.
    Everything,
    /// Whether it matches the labels.
    Some(bool),
}

/// `LabelSelectorAsSelector`, matched against labels.
pub(super) fn matches(selector: &At<'_>, labels: &At<'_>) -> Option<Selects> {
    if !selector.is_set() {
        return Some(Selects::Nothing);
    }
    let (pairs, expressions) = (selector.at("matchLabels"), selector.at("matchExpressions"));
    if pairs.is_empty() && expressions.is_empty() {
        return Some(Selects::Everything);
    }
    let label = |key: &str| labels.value().get(key).and_then(|value| value.as_str());
    let mut matched = true;
    for (key, value) in pairs.map().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !Syntax::key_errors(key).is_empty() || !Syntax::value_errors(value).is_empty() {
            return None;
        }
        matched &= label(key) == Some(value);
    }
    for expression in expressions.items() {
        let key = expression.at("key").text();
        let values = expression.at("values");
        let is_wrong = |value: &str| !Syntax::value_errors(value).is_empty();
        if !Syntax::key_errors(key).is_empty() || values.texts().any(is_wrong) {
            return None;
        }
        let found = label(key);
        let is_in = found.is_some_and(|found| values.texts().any(|value| value == found));
        matched &= match (expression.at("operator").text(), values.is_empty()) {
            ("In", false) => is_in,
            ("NotIn", false) => !is_in,
            ("Exists", true) => found.is_some(),
            ("DoesNotExist", true) => found.is_none(),
            _ => return None,
        };
    }
    Some(Selects::Some(matched))
}

/// `validatePathNoBacksteps`.
pub(super) fn no_backsteps(e: &mut Errors, at: &At<'_>) {
    if at.text().split('/').any(|part| part == "..") {
        e.invalid(at, "must not contain '..'");
    }
}

/// `validateLocalDescendingPath`.
pub(super) fn descending_path(e: &mut Errors, at: &At<'_>) {
    if at.text().starts_with('/') {
        e.invalid(at, "must be a relative path");
    }
    no_backsteps(e, at);
}

/// `ValidateLocalNonReservedPath`.
pub(super) fn unreserved_path(e: &mut Errors, at: &At<'_>) {
    descending_path(e, at);
    if at.text().starts_with("..") && !at.text().starts_with("../") {
        e.invalid(at, "must not start with '..'");
    }
}

/// Bytes of all keys and values. Source: `TotalAnnotationSizeLimitB`.
const ANNOTATIONS_MAX: usize = 256 << 10;
pub(super) const IP: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
pub(super) const CIDR: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
const RELAXED_ENVIRONMENT_NAME: &str = "a valid environment variable name must consist only of \
     printable ASCII characters other than '='";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or \
     '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
     '[-._a-zA-Z0-9]+')";
const HEADER_NAME: &str = "a valid HTTP header must consist of alphanumeric characters or '-' \
     (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' \
     (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
const WILDCARD: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid \
     DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end \
     with an alphanumeric character (e.g. '*.example.com', regex used for validation is \
     '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const UNDERSCORE_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case \
     alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric \
     character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const HTTP_PATH: &str =
    "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";

/// `InclusiveRangeError`.
pub(super) fn between(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// `ValidateDNS1123Label`.
pub(super) fn dns_label(e: &mut Errors, at: &At<'_>) {
    e.each_invalid(at, label(at.text()));
}

/// `ValidateDNS1123Subdomain`.
pub(super) fn dns_subdomain(e: &mut Errors, at: &At<'_>) {
    e.each_invalid(at, subdomain(at.text()));
}

/// `ValidatePositiveIntOrPercent`.
pub(super) fn int_or_percent(e: &mut Errors, at: &At<'_>) {
    if !at.value().is_string() {
        return e.non_negative(at);
    }
    for error in percent(at.text()) {
        e.invalid_as(at, "intstr.IntOrString", &error);
    }
}

/// `getIntOrPercentValue`.
pub(super) fn int_or_percent_value(at: &At<'_>) -> i64 {
    match at.text() {
        "" => at.int(),
        text => text.trim_end_matches('%').parse().unwrap_or_default(),
    }
}

/// `IsNotMoreThan100Percent`.
pub(super) fn at_most_all(e: &mut Errors, at: &At<'_>) {
    let is_percent = at.value().is_string() && percent(at.text()).is_empty();
    if is_percent && int_or_percent_value(at) > 100 {
        e.invalid_as(at, "intstr.IntOrString", "must not be greater than 100%");
    }
}

/// One of the supported values, where there is one at all.
pub(super) fn one_of(e: &mut Errors, at: &At<'_>, supported: &[&str]) {
    if !at.is_empty() && !supported.contains(&at.text()) {
        e.not_supported(at, supported);
    }
}

/// `IsValidPathSegmentName`, of a name that must be there.
pub(super) fn path_segment(e: &mut Errors, at: &At<'_>, required: &str) {
    if at.is_empty() {
        return e.required(at, required);
    }
    e.each_invalid(at, names::path_segment(at.text(), false));
}

/// `ValidateQualifiedName`.
pub(super) fn qualified_name(e: &mut Errors, at: &At<'_>) {
    e.each_invalid(at, qualified(at.text()));
}

/// `ValidateEndpointIP`.
pub(super) fn endpoint_ip(e: &mut Errors, at: &At<'_>) {
    let Some(address) = legacy_address(at.text()) else {
        return e.invalid(at, "must be a valid IP address");
    };
    if address.is_unspecified() {
        e.invalid(at, &format!("may not be unspecified ({})", at.text()));
    }
    if address.is_loopback() {
        e.invalid(at, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    let (local, multicast) = match address {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.octets().starts_with(&[224, 0, 0])),
        IpAddr::V6(ip) => {
            (ip.segments()[0] & 0xffc0 == 0xfe80, ip.segments()[0] & 0xff0f == 0xff02)
        }
    };
    if local {
        e.invalid(at, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if multicast {
        e.invalid(at, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

/// The address of a load balancer, in the status of Services and Ingresses.
pub(super) fn load_balancer(e: &mut Errors, at: &At<'_>) {
    for point in at.at("ingress").items() {
        if !point.at("ip").is_empty() {
            ip(e, &point.at("ip"));
        }
        let mode = point.at("ipMode");
        if mode.is_set() && point.at("ip").is_empty() {
            e.forbidden(&mode, "may not be specified when `ip` is not set");
        } else {
            one_of(e, &mode, &["Proxy", "VIP"]);
        }
        let host = point.at("hostname");
        if !host.is_empty() {
            dns_subdomain(e, &host);
            if legacy_address(host.text()).is_some() {
                e.invalid(&host, "must be a DNS name, not an IP address");
            }
        }
    }
}

/// Whether the addresses are of both families.
pub(super) fn are_of_both_families(addresses: &[IpAddr]) -> bool {
    addresses.iter().any(IpAddr::is_ipv4) && addresses.iter().any(IpAddr::is_ipv6)
}
