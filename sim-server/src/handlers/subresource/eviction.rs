//! `pods/eviction`.

use sim_api::{
    encode,
    list_options::{CreateOptions, DeleteOptions},
    resources::Resource,
    status::Status,
    subresource::eviction::{self, Verdict},
};
use sim_store::StoreError;

use crate::{
    handlers::{delete, write},
    pipeline::{reply::Reply, request::Call},
};

pub(super) async fn run(call: &mut Call, pods: &Resource) -> Result<Reply, Status> {
    let options = CreateOptions::parse(&call.query)?;
    let body = call.read_body().await?;
    let eviction = eviction::read(call.app.config.release, call.header("content-type"), &body)?;
    // To the lifecycle plugin it is something new in the namespace; kubectl drain knows that.
    write::check_namespace(call, pods, &call.info.name)?;
    let options = eviction::options(&eviction, &call.info.name, options.dry_run)?;
    let now = call.app.clock.wall();
    let shelf = call.app.shelf(pods);
    let app = &call.app;
    for _ in 0..write::TRIES {
        let pod = write::current(call, &shelf, pods)?;
        let revision = pod.revision();
        let pod = encode::decode(pods, &pod)?;
        let Some(resource) = app.table.lookup("policy", "v1", "poddisruptionbudgets") else {
            return delete_pod(call, pods, &options);
        };
        let budgets = app.shelf(resource);
        let head = budgets.collection.head();
        let mut found = Vec::new();
        for object in head.range(&resource.key_prefix(&call.info.namespace)) {
            found.push(encode::decode(resource, object)?);
        }
        match eviction::judge(&pod, &found, now)? {
            Verdict::Allowed => return delete_pod(call, pods, &options),
            Verdict::AllowedAtThisVersion(budget) => {
                let mut at_version = options.clone();
                at_version
                    .precondition_resource_version
                    .get_or_insert_with(|| revision.to_string());
                return match delete_pod(call, pods, &at_version) {
                    Err(status)
                        if status.code == 409
                            && options.precondition_resource_version.is_none() =>
                    {
                        Err(eviction::busy(&budget))
                    }
                    other => other,
                };
            }
            Verdict::Spend(_) if options.dry_run => return delete_pod(call, pods, &options),
            Verdict::Spend(spent) => {
                let expected = sim_api::meta::expected_revision(&spent)?;
                let draft = encode::draft(resource, &spent)?;
                match budgets.update(&app.store, draft, expected, app.clock.now()) {
                    Ok(_) => return delete_pod(call, pods, &options),
                    // Somebody else spends from it.
                    Err(StoreError::Conflict { .. } | StoreError::NotFound { .. }) => {}
                    Err(error) => {
                        let name = sim_api::meta::name(&spent);
                        return Err(write::status(resource, name, &error));
                    }
                }
            }
        }
    }
    Err(Status::modified(&pods.group, &pods.plural, &call.info.name))
}

/// Tells the pod why, and deletes it.
fn delete_pod(call: &Call, pods: &Resource, options: &DeleteOptions) -> Result<Reply, Status> {
    let mut options = options.clone();
    let shelf = call.app.shelf(pods);
    let now = call.app.clock.wall();
    if !options.dry_run {
        let wanted = options.precondition_resource_version.as_deref();
        super::change(call, pods, false, |pod| {
            sim_api::meta::check_preconditions(pods, pod, &options)?;
            Ok(eviction::mark(pods, pod, now))
        })?;
        if wanted.is_some() {
            let marked = write::current(call, &shelf, pods)?;
            options.precondition_resource_version = Some(marked.revision().to_string());
        }
    }
    let key = pods.key(&call.info.namespace, &call.info.name);
    delete::one(call, &shelf, pods, &key, &options)?;
    Ok(Reply::status(&Status::created(), call))
}
