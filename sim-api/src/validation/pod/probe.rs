//! Probes and hooks.

use super::Pod;
use crate::{
    field::{At, Errors},
    validation::text,
};

/// The three probes of a container.
pub(super) fn probes(e: &mut Errors, pod: &Pod<'_>, container: &At<'_>) {
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = container.at(key);
        if !probe.is_set() {
            continue;
        }
        validate(e, pod, &probe);
        let (successes, grace_period) =
            (probe.at("successThreshold"), probe.at("terminationGracePeriodSeconds"));
        if key == "readinessProbe" {
            if grace_period.is_set() {
                e.invalid(&grace_period, "must not be set for readinessProbes");
            }
        } else if successes.opt_int().is_some_and(|count| count != 1) {
            e.invalid(&successes, "must be 1");
        }
    }
}

fn validate(e: &mut Errors, pod: &Pod<'_>, probe: &At<'_>) {
    handler(e, pod, probe, &["exec", "httpGet", "tcpSocket", "grpc"]);
    for key in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        e.non_negative(&probe.at(key));
    }
    let grace_period = probe.at("terminationGracePeriodSeconds");
    if grace_period.opt_int().is_some_and(|seconds| seconds <= 0) {
        e.invalid(&grace_period, "must be greater than 0");
    }
}

/// `validateLifecycle`.
pub(super) fn lifecycle(e: &mut Errors, pod: &Pod<'_>, at: &At<'_>) {
    for key in ["postStart", "preStop"] {
        if at.at(key).is_set() {
            handler(e, pod, &at.at(key), &["exec", "httpGet", "tcpSocket", "sleep"]);
        }
    }
    let signal = at.at("stopSignal");
    if !signal.is_set() {
        return;
    }
    match pod.os() {
        None => {
            e.forbidden(&signal, "may not be set for containers with empty `spec.os.name`");
        }
        Some("windows") if !["SIGKILL", "SIGTERM"].contains(&signal.text()) => {
            e.not_supported(&signal, &["SIGKILL", "SIGTERM"]);
        }
        Some(_) => {}
    }
}

/// `validateHandler`, of those that the place allows.
fn handler(e: &mut Errors, pod: &Pod<'_>, at: &At<'_>, kinds: &[&'static str]) {
    let mut has_handler = false;
    for &kind in kinds {
        let handler = at.at(kind);
        if !handler.is_set() {
            continue;
        }
        if has_handler {
            e.forbidden(&handler, "may not specify more than 1 handler type");
            continue;
        }
        has_handler = true;
        match kind {
            "exec" => {
                if handler.at("command").is_empty() {
                    e.required(&handler.at("command"), "");
                }
            }
            "httpGet" => http_get(e, &handler),
            "sleep" => sleep(e, pod, &handler),
            _ => text::port(e, &handler.at("port")),
        }
    }
    if !has_handler {
        e.required(at, "must specify a handler type");
    }
}

fn http_get(e: &mut Errors, at: &At<'_>) {
    text::port(e, &at.at("port"));
    let scheme = at.at("scheme");
    if !matches!(scheme.text(), "" | "HTTP" | "HTTPS") {
        e.not_supported(&scheme, &["HTTP", "HTTPS"]);
    }
    let headers = at.at("httpHeaders");
    for header in headers.items() {
        let name = header.at("name").text();
        for error in text::header_name(name) {
            e.invalid_text(&headers, name, &error);
        }
    }
}

fn sleep(e: &mut Errors, pod: &Pod<'_>, at: &At<'_>) {
    let seconds = at.at("seconds").int();
    if let Some(grace_period) = pod.grace_period()
        && !(0..=grace_period).contains(&seconds)
    {
        let detail = format!(
            "must be non-negative and less than terminationGracePeriodSeconds ({grace_period})"
        );
        e.invalid_value(at, seconds.to_string(), &detail);
    }
}
