//! Which handler answers.

use sim_api::{
    auth::review::Review, deprecation, media_type::Produces, metrics_api, resources::Resource,
    status::Status,
};

use super::{reply::Reply, request::Call};
use crate::handlers;

pub(super) async fn run(call: &mut Call) -> Result<Reply, Status> {
    if !call.info.is_resource_request {
        return handlers::paths::run(call).await;
    }
    let served = call.app.served();
    let info = &call.info;
    let Some(resource) = served.table.lookup(&info.api_group, &info.api_version, &info.resource)
    else {
        return handlers::paths::unknown_resource(call);
    };
    if !has_path(call, resource) {
        return handlers::paths::unknown_resource(call);
    }
    if let Some(text) = deprecation::warning(call.app.config.release, resource) {
        call.warn(&text);
    }
    if let Some(custom) = &resource.custom {
        for warning in custom.deprecation.iter().chain(&custom.unconverted) {
            call.warn(warning);
        }
        if custom.is_terminating && info.verb == "create" && info.subresource.is_empty() {
            return Err(Status::terminating_definition());
        }
    }
    if !info.subresource.is_empty() {
        return handlers::subresource::run(call, resource).await;
    }
    if !is_allowed(call, resource) {
        return Err(Status::method_not_allowed());
    }
    // The routes of custom resources are made without the router.
    if resource.custom.is_none() {
        produces(call).check(call.accept())?;
    }
    // Nothing is written whose answer could not be sent.
    handlers::get::wanted(call, resource)?;
    match call.info.verb {
        "get" if resource.is("", "componentstatuses") => handlers::components::get(call, resource),
        "list" if resource.is("", "componentstatuses") => {
            handlers::components::list(call, resource)
        }
        "get" if resource.group == metrics_api::GROUP => handlers::metrics_api::get(call, resource),
        "list" if resource.group == metrics_api::GROUP => {
            handlers::metrics_api::list(call, resource)
        }
        "get" => handlers::get::run(call, resource),
        "list" => handlers::list::run(call, resource).await,
        "watch" => handlers::watch::run(call, resource).await,
        "create" if resource.is("", "bindings") => handlers::subresource::bind(call).await,
        "create" if let Some(review) = Review::of(resource) => {
            handlers::reviews::run(call, resource, review).await
        }
        "create" => handlers::create::run(call, resource).await,
        "update" => handlers::update::run(call, resource).await,
        "patch" => handlers::patch::run(call, resource).await,
        "delete" => handlers::delete::run(call, resource).await,
        "deletecollection" => handlers::delete::collection(call, resource).await,
        _ => Err(Status::method_not_allowed()),
    }
}

/// What the route can answer with.
fn produces(call: &Call) -> Produces {
    match call.info.verb {
        "list" | "watch" => Produces::Streams,
        _ => Produces::Objects,
    }
}

/// Whether there is such a path: only namespaced resources are below a namespace, and an object
/// of theirs only there.
fn has_path(call: &Call, resource: &Resource) -> bool {
    let info = &call.info;
    if resource.namespaced {
        // A field selector on metadata.name gives these a name without one in the path.
        let collection = matches!(info.verb, "list" | "watch" | "deletecollection");
        return !info.namespace.is_empty() || info.name.is_empty() || collection;
    }
    // A namespace is in itself, as the request info has it.
    info.namespace.is_empty() || resource.plural == "namespaces"
}

/// Whether the resource has the verb and the path has the form that the verb needs.
fn is_allowed(call: &Call, resource: &Resource) -> bool {
    let info = &call.info;
    let named = !info.name.is_empty();
    let form = match info.verb {
        "get" | "update" | "patch" | "delete" => named,
        "create" | "deletecollection" => !named,
        // A field selector on metadata.name gives these a name too.
        "list" | "watch" => true,
        _ => false,
    };
    // All namespaces at once can be read, not written.
    let across = resource.namespaced && info.namespace.is_empty();
    let place = !across || matches!(info.verb, "list" | "watch");
    // Recorded: HEAD of a resource is a 405.
    let method = call.parts.method != http::Method::HEAD;
    // Custom resources have all verbs, also when discovery tells of fewer as they are going away.
    method && form && place && (resource.custom.is_some() || resource.has_verb(info.verb))
}
