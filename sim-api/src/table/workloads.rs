//! The cells of what makes pods.

use serde_json::Value;

use super::{
    cells, human_duration,
    read::Reader,
    selector::{self, NONE, UNSET, join},
};

pub(super) fn deployment(object: Reader<'_>) -> Vec<Value> {
    let ready = ready(object, "spec.replicas");
    let updated = object.int("status.updatedReplicas");
    let available = object.int("status.availableReplicas");
    let template = object.get("spec.template.spec");
    // Of all kinds only this one leaves the cell empty.
    let selector = selector::requirements(object.get("spec.selector")).unwrap_or_default();
    let (names, images) = (names(template), images(template));
    cells![object.name(), ready, updated, available, object.age(), names, images, selector]
}

pub(super) fn replica_set(object: Reader<'_>) -> Vec<Value> {
    replicas(object, selector::format(object.get("spec.selector")))
}

pub(super) fn replication_controller(object: Reader<'_>) -> Vec<Value> {
    replicas(object, selector::labels(object.get("spec.selector")))
}

fn replicas(object: Reader<'_>, selector: String) -> Vec<Value> {
    let template = object.get("spec.template.spec");
    cells![
        object.name(),
        object.int("spec.replicas"),
        object.int("status.replicas"),
        object.int("status.readyReplicas"),
        object.age(),
        names(template),
        images(template),
        selector,
    ]
}

pub(super) fn stateful_set(object: Reader<'_>) -> Vec<Value> {
    let template = object.get("spec.template.spec");
    let ready = ready(object, "spec.replicas");
    cells![object.name(), ready, object.age(), names(template), images(template)]
}

pub(super) fn daemon_set(object: Reader<'_>) -> Vec<Value> {
    let template = object.get("spec.template.spec");
    cells![
        object.name(),
        object.int("status.desiredNumberScheduled"),
        object.int("status.currentNumberScheduled"),
        object.int("status.numberReady"),
        object.int("status.updatedNumberScheduled"),
        object.int("status.numberAvailable"),
        selector::labels(template.get("nodeSelector")),
        object.age(),
        names(template),
        images(template),
        selector::format(object.get("spec.selector")),
    ]
}

pub(super) fn job(job: Reader<'_>) -> Vec<Value> {
    let succeeded = job.int("status.succeeded");
    let completions = match job.get("spec.completions").exists() {
        true => format!("{succeeded}/{}", job.int("spec.completions")),
        false => match job.int("spec.parallelism") {
            ..=1 => format!("{succeeded}/1"),
            parallelism => format!("{succeeded}/1 of {parallelism}"),
        },
    };
    let duration = match (job.time("status.startTime"), job.time("status.completionTime")) {
        (None, _) => String::new(),
        (Some(start), None) => job.since_time(start),
        (Some(start), Some(end)) => human_duration(end.duration_since(start)),
    };
    let template = job.get("spec.template.spec");
    let selector = selector::format(job.get("spec.selector"));
    let (names, images) = (names(template), images(template));
    let (name, age, status) = (job.name(), job.age(), job_status(job));
    cells![name, status, completions, duration, age, names, images, selector]
}

fn job_status(job: Reader<'_>) -> &'static str {
    if job.is_true("Complete") {
        "Complete"
    } else if job.is_true("Failed") {
        "Failed"
    } else if job.is_deleted() {
        "Terminating"
    } else if job.is_true("Suspended") {
        "Suspended"
    } else if job.is_true("FailureTarget") {
        "FailureTarget"
    } else if job.is_true("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

pub(super) fn cron_job(object: Reader<'_>) -> Vec<Value> {
    let last = match object.time("status.lastScheduleTime") {
        Some(last) => object.since_time(last),
        None => NONE.to_owned(),
    };
    let suspend = match object.flag("spec.suspend") {
        Some(true) => "True",
        Some(false) => "False",
        None => UNSET,
    };
    let jobs = object.get("spec.jobTemplate.spec");
    let template = jobs.get("template.spec");
    cells![
        object.name(),
        object.text("spec.schedule"),
        object.some_text("spec.timeZone", NONE),
        suspend,
        object.count("status.active"),
        last,
        object.age(),
        names(template),
        images(template),
        selector::format(jobs.get("selector")),
    ]
}

pub(super) fn controller_revision(object: Reader<'_>) -> Vec<Value> {
    let mut owners = object.items("metadata.ownerReferences");
    let controller = match owners.find(|owner| owner.flag("controller") == Some(true)) {
        None => NONE.to_owned(),
        Some(owner) => {
            let kind = owner.text("kind").to_lowercase();
            match owner.text("apiVersion").split_once('/') {
                None => format!("{kind}/{}", owner.text("name")),
                Some((group, _)) => format!("{kind}.{group}/{}", owner.text("name")),
            }
        }
    };
    cells![object.name(), controller, object.int("revision"), object.age()]
}

pub(super) fn pod_template(object: Reader<'_>) -> Vec<Value> {
    let template = object.get("template.spec");
    let labels = selector::labels(object.get("template.metadata.labels"));
    cells![object.name(), names(template), images(template), labels]
}

/// `ready/desired`.
fn ready(object: Reader<'_>, desired: &str) -> String {
    format!("{}/{}", object.int("status.readyReplicas"), object.int(desired))
}

fn names(pod_spec: Reader<'_>) -> String {
    join(pod_spec.items("containers").map(|container| container.text("name")), ",")
}

fn images(pod_spec: Reader<'_>) -> String {
    join(pod_spec.items("containers").map(|container| container.text("image")), ",")
}
