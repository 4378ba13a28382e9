//! CertificateSigningRequests. Of a request the frame alone is looked at: what is in it, and its
//! signature, are not.
//!
//! Source: `certificates/validation/validation.go`, `ValidateSignerName` in
//! `core/validation/names.go`.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{Object, metadata, text};
use crate::{
    field::{At, Errors, is_same},
    go::quote,
};

pub(super) fn create(e: &mut Errors, o: &Object<'_>) {
    metadata::kind_named(e, o, &|_, _| Vec::new());
    metadata::standard_finalizers(e, o);
    let spec = o.at("spec");
    if pem_type(spec.at("request").text()).as_deref() != Some("CERTIFICATE REQUEST") {
        let detail = "PEM block type must be CERTIFICATE REQUEST";
        e.invalid_as(&spec.at("request"), "bytes", detail);
    }
    usages(e, &spec.at("usages"), &o.old("spec").at("usages"));
    let signer = spec.at("signerName");
    let legacy = "kubernetes.io/legacy-unknown";
    if signer.text() == legacy && o.old("spec").at("signerName").text() != legacy {
        e.invalid(&signer, "the legacy signerName is not allowed via this API version");
    } else {
        signer_name(e, &signer);
    }
    let seconds = spec.at("expirationSeconds");
    if seconds.is_set() && seconds.int() < 600 {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        e.invalid(&seconds, detail);
    }
    conditions(e, o);
    let certificate = o.at("status").at("certificate");
    let is_kept = certificate.value() == o.old("status").at("certificate").value();
    if certificate.is_empty() || is_kept {
        return;
    }
    let error = match pem_type(certificate.text()) {
        None => "must contain at least one CERTIFICATE PEM block".to_owned(),
        Some(kind) if kind != "CERTIFICATE" => {
            format!("only CERTIFICATE PEM blocks are allowed, found {}", quote(&kind))
        }
        Some(_) => return,
    };
    e.invalid_text(&certificate, "<certificate data>", &error);
}

pub(super) fn update(e: &mut Errors, o: &Object<'_>) {
    changed(e, o, "");
}

pub(super) fn subresource(e: &mut Errors, o: &Object<'_>, name: &str) {
    changed(e, o, name);
}

/// `validateCertificateSigningRequestUpdate`.
fn changed(e: &mut Errors, o: &Object<'_>, subresource: &str) {
    create(e, o);
    let (status, old) = (o.at("status"), o.old("status"));
    let at = status.at("conditions");
    let found = |of: &At<'_>, kind: &str| -> Vec<Value> {
        let is_it = |condition: &&Value| condition.get("type").is_some_and(|of| of == kind);
        of.at("conditions").list().iter().filter(is_it).cloned().collect()
    };
    for kind in ["Approved", "Denied", "Failed"] {
        if found(&status, kind).len() < found(&old, kind).len() {
            let detail = format!("updates may not remove a condition of type {}", quote(kind));
            e.forbidden(&at, &detail);
        }
    }
    for kind in ["Approved", "Denied"].iter().filter(|_| subresource != "approval") {
        let (now, was) = (found(&status, kind), found(&old, kind));
        let what = if now.len() > was.len() {
            "add"
        } else if now.len() == was.len() && !is_same(&now.into(), &was.into()) {
            "modify"
        } else {
            continue;
        };
        let end = if what == "modify" { "\n" } else { "" };
        let kind = quote(kind);
        e.forbidden(&at, &format!("updates may not {what} a condition of type {kind}{end}"));
    }
    let (certificate, before) = (status.at("certificate"), old.at("certificate"));
    if certificate.text() != before.text() {
        if subresource != "status" {
            e.forbidden(&certificate, "updates may not set certificate content");
        } else if !before.is_empty() {
            e.forbidden(&certificate, "updates may not modify existing certificate content");
        }
    }
    o.metadata_update(e);
}

fn usages(e: &mut Errors, at: &At<'_>, old: &At<'_>) {
    if at.is_empty() {
        e.required(at, "");
    }
    let has_unknown = old.texts().any(|usage| !USAGES.contains(&usage));
    for usage in at.items() {
        if !has_unknown && !USAGES.contains(&usage.text()) {
            e.not_supported(&usage, &USAGES);
        }
    }
    let unique: BTreeSet<&str> = old.texts().collect();
    let mut seen = BTreeSet::new();
    for usage in at.items() {
        if !seen.insert(usage.text()) && unique.len() == old.list().len() {
            e.duplicate(&usage);
        }
    }
}

/// `ValidateSignerName`.
fn signer_name(e: &mut Errors, at: &At<'_>) {
    if at.is_empty() {
        return e.required(at, "");
    }
    let parts: Vec<&str> = at.text().split('/').collect();
    let [domain, path] = parts[..] else {
        let detail =
            "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        return e.invalid(at, detail);
    };
    if domain.len() > 253 {
        e.too_long(at, 253);
    }
    signer_labels(e, at, domain, text::label);
    if !domain.contains('.') {
        let detail = "should be a domain with at least two segments separated by dots";
        e.invalid_text(at, domain, detail);
    }
    signer_labels(e, at, path, text::subdomain);
    if at.text().len() > 571 {
        e.too_long(at, 571);
    }
}

/// The first part that is wrong.
fn signer_labels(e: &mut Errors, at: &At<'_>, part: &str, rule: fn(&str) -> Vec<String>) {
    let Some(wrong) = part.split('.').find(|label| !rule(label).is_empty()) else { return };
    for error in rule(wrong) {
        e.invalid_text(at, part, &format!("validating label {}: {error}", quote(wrong)));
    }
}

fn conditions(e: &mut Errors, o: &Object<'_>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for condition in o.at("status").at("conditions").items() {
        let (kind, status) = (condition.at("type"), condition.at("status"));
        if kind.is_empty() {
            e.required(&kind, "");
        }
        let is_final = matches!(kind.text(), "Approved" | "Denied" | "Failed");
        let allowed: &[&str] = if is_final { &["True"] } else { &["False", "True", "Unknown"] };
        if status.is_empty() {
            e.required(&status, "");
        } else {
            text::one_of(e, &status, allowed);
        }
        let other = match kind.text() {
            "Approved" => "Denied",
            "Denied" => "Approved",
            _ => "",
        };
        if seen.contains_key(other) {
            e.invalid(&kind, "Approved and Denied conditions are mutually exclusive");
        }
        let count = seen.entry(kind.text()).or_default();
        if *count > 0 {
            e.duplicate(&kind);
        }
        *count += 1;
    }
}

/// The type of the first PEM block of base64 text.
fn pem_type(base64: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(base64).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (kind, rest) = rest.split_once("-----")?;
    rest.contains(&format!("-----END {kind}-----")).then(|| kind.to_owned())
}

const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];
