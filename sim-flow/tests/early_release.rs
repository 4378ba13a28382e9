//! Seats of a final phase that is broken off.

use std::{sync::Arc, time::Duration};

use sim_flow::{
    Controller, ControllerConfig, Decision, Event, Release, RequestDigest, WorkEstimate,
};
use sim_time::SimTime;

#[test]
fn an_early_release_lets_the_next_one_in() {
    let config = ControllerConfig::new(Release::NEWEST);
    let mut apf = Controller::with_bootstrap(SimTime::ZERO, config);
    let mut digest = RequestDigest::default();
    digest.user.name = "system:serviceaccount:a:b".to_owned();
    digest.user.groups = vec!["system:serviceaccounts".to_owned()];
    digest.request.verb = "get".to_owned();
    digest.request.path = "/version".to_owned();
    let digest = Arc::new(digest);
    let work = WorkEstimate {
        initial_seats: 1,
        final_seats: 1,
        additional_latency: Duration::from_secs(1),
    };
    let now = SimTime::from_millis(1);
    let ask = |apf: &mut Controller| {
        apf.handle_request_of_width(now, Arc::clone(&digest), work, SimTime::from_secs(60)).decision
    };
    let mut executing = Vec::new();
    let waiting = loop {
        match ask(&mut apf) {
            Decision::Execute(handle) => executing.push(handle),
            Decision::Wait(handle) => break handle,
            Decision::Reject(rejection) => panic!("{rejection:?}"),
        }
    };
    // What the level has on an idle server.
    assert_eq!(executing.len(), 56);
    let first = executing[0];
    apf.handle_release(now, first);
    assert_eq!(apf.poll_event(), None, "it executes, so it has no final phase yet");
    apf.handle_finish(now, first);
    assert_eq!(apf.poll_event(), None, "its seat is held for the final phase");
    apf.handle_release(now, first);
    assert_eq!(apf.poll_event(), Some(Event::Execute(waiting)));
    apf.handle_release(now, first);
    assert_eq!(apf.poll_event(), None, "once is enough");
}
