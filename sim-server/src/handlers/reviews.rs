//! POST of a review: it is answered, and nothing is kept.

use sim_api::{
    auth::review::{self, Review},
    list_options::CreateOptions,
    resources::Resource,
    status::Status,
};

use super::{get, write};
use crate::{
    authenticator,
    pipeline::{reply::Reply, request::Call},
};

pub(crate) async fn run(
    call: &mut Call,
    resource: &Resource,
    review: Review,
) -> Result<Reply, Status> {
    CreateOptions::parse(&call.query)?;
    let body = write::body(call, resource).await?;
    let now = call.app.clock.wall();
    let manager = call.write_context().manager;
    let namespace = &call.info.namespace;
    let object = review::question(review, resource, namespace, body, &manager, now)?;
    let me = call.user();
    let authorizer = &call.app.authorizer;
    let answer = match review {
        Review::SelfSubject => review::who_am_i(resource, &me, now),
        Review::SelfSubjectRules => authorizer.read(&call.app, |rbac| {
            review::rules(resource, &object, authorizer.modes(), rbac, &me)
        })?,
        Review::Token => {
            let (token, audiences) = review::token(&object)?;
            let outcome = authenticator::token(&call.app, token, &audiences);
            review::whose_token(object, &outcome)
        }
        Review::LocalSubjectAccess | Review::SelfSubjectAccess | Review::SubjectAccess => {
            review::check_access(review, namespace, &object)?;
            let subject = review::subject(review, &object, &me);
            let wanted = review::attributes(&object);
            let decision = authorizer.decide(&call.app, &subject, &wanted);
            review::access(object, &decision)
        }
    };
    get::value_reply(call, resource, 201, &answer)
}
