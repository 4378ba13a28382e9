//! Flow control, driven: the engine of `sim-flow` behind one lock, with one timer.
//!
//! No rule is here. A request asks, and waits on a channel where it must; whoever holds the lock
//! after a step hands the engine's events to the channels.

pub(crate) mod config;
mod exposition;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sim_flow::{
    Controller, ControllerConfig, Decision, Event, InflightFilter, InflightLimits, ObjectRef,
    ObjectStats, Rejection, RequestDigest, RequestHandle, RequestKind, WatchId,
};
use sim_time::SimTime;
use tokio::sync::{Notify, oneshot};

use crate::{
    app::{App, Config},
    edge::clock::Clock,
};

/// Which filter is at work.
pub(crate) enum FlowControl {
    /// `--enable-priority-and-fairness=false`.
    Inflight(Mutex<InflightFilter>),
    /// API Priority and Fairness.
    Apf(Arc<Apf>),
}

impl FlowControl {
    pub(crate) fn new(config: &Config, clock: Clock) -> Self {
        let limits = InflightLimits {
            read_only: config.max_requests_inflight,
            mutating: config.max_mutating_requests_inflight,
        };
        if config.enable_priority_and_fairness {
            Self::Apf(Arc::new(Apf::new(config, clock)))
        } else {
            Self::Inflight(Mutex::new(InflightFilter::new(limits)))
        }
    }

    pub(crate) fn apf(&self) -> Option<&Arc<Apf>> {
        match self {
            Self::Apf(apf) => Some(apf),
            Self::Inflight(_) => None,
        }
    }

    /// Counted requests of a kind that execute now.
    pub(crate) fn executing(&self, kind: RequestKind) -> u32 {
        match self {
            Self::Apf(apf) => apf.read(|controller, _| controller.requests_executing(kind)),
            Self::Inflight(filter) => {
                filter.lock().unwrap_or_else(PoisonError::into_inner).executing(kind)
            }
        }
    }
}

/// Runs the timer of API Priority and Fairness, for as long as it is polled.
pub(crate) async fn drive(app: &App) {
    match app.flow.apf() {
        Some(apf) => apf.drive().await,
        None => std::future::pending().await,
    }
}

/// API Priority and Fairness for one server.
pub(crate) struct Apf {
    state: Mutex<State>,
    /// Rung when the engine's next timeout may have moved.
    rearm: Notify,
    clock: Clock,
}

struct State {
    controller: Controller,
    waiting: BTreeMap<RequestHandle, oneshot::Sender<Result<(), Rejection>>>,
}

/// What became of a request.
pub(crate) struct Admitted {
    pub(crate) flow_schema: Arc<ObjectRef>,
    pub(crate) priority_level: Arc<ObjectRef>,
    pub(crate) outcome: Result<ApfSeat, Rejection>,
}

impl Apf {
    fn new(config: &Config, clock: Clock) -> Self {
        let release =
            sim_flow::Release::new(config.release.minor()).unwrap_or(sim_flow::Release::NEWEST);
        let mut settings = ControllerConfig::new(release);
        settings.server_concurrency_limit =
            config.max_requests_inflight.saturating_add(config.max_mutating_requests_inflight);
        let start = clock.wall().as_nanosecond();
        settings.start_unix_ns = u64::try_from(start).unwrap_or_default();
        config::apply_gates(&mut settings.profile, &config.gates);
        let state =
            State { controller: Controller::new(clock.now(), settings), waiting: BTreeMap::new() };
        Self { state: Mutex::new(state), rearm: Notify::new(), clock }
    }

    /// Asks for seats and waits for them, until `wait_deadline` at the longest. Dropping the
    /// future gives the place in the queue back.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        digest: Arc<RequestDigest>,
        wait_deadline: impl FnOnce(SimTime) -> SimTime,
    ) -> Admitted {
        let (admission, waiter) = self.step(|state, now| {
            let deadline = wait_deadline(now);
            let admission = state.controller.handle_request(now, digest, deadline);
            let waiter = match admission.decision {
                Decision::Wait(handle) => {
                    let (sender, receiver) = oneshot::channel();
                    state.waiting.insert(handle, sender);
                    Some((handle, receiver))
                }
                Decision::Execute(_) | Decision::Reject(_) => None,
            };
            (admission, waiter)
        });
        let outcome = match (admission.decision, waiter) {
            (Decision::Reject(rejection), _) => Err(rejection),
            (Decision::Execute(handle), _) => Ok(self.seat(handle)),
            (Decision::Wait(_), Some((handle, receiver))) => {
                // Held while waiting: when the client leaves, its drop gives the place back.
                let seat = self.seat(handle);
                match receiver.await {
                    Ok(Ok(())) => Ok(seat),
                    Ok(Err(rejection)) => Err(rejection),
                    // The sender lives until it has sent.
                    Err(_) => Ok(seat),
                }
            }
            (Decision::Wait(handle), None) => Ok(self.seat(handle)),
        };
        Admitted {
            flow_schema: admission.flow_schema,
            priority_level: admission.priority_level,
            outcome,
        }
    }

    fn seat(self: &Arc<Self>, handle: RequestHandle) -> ApfSeat {
        ApfSeat { apf: Arc::clone(self), handle }
    }

    /// One step of the engine: `act`, then the events it caused.
    fn step<T>(&self, act: impl FnOnce(&mut State, SimTime) -> T) -> T {
        let mut state = self.lock();
        // Under the lock, so that time does not go backwards for the engine.
        let now = self.clock.now();
        let before = state.controller.poll_timeout();
        let result = act(&mut state, now);
        while let Some(event) = state.controller.poll_event() {
            let (handle, outcome) = match event {
                Event::Execute(handle) => (handle, Ok(())),
                Event::Reject(handle, rejection) => (handle, Err(rejection)),
            };
            if let Some(waiter) = state.waiting.remove(&handle) {
                // A client that has just left finds its handle executing and finishes it.
                let _ = waiter.send(outcome);
            }
        }
        let moved = state.controller.poll_timeout() < before;
        drop(state);
        if moved {
            self.rearm.notify_one();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the engine when something is due; runs for as long as the server.
    async fn drive(&self) {
        loop {
            let due = self.lock().controller.poll_timeout();
            tokio::select! {
                () = tokio::time::sleep_until(self.clock.instant(due)) => {}
                () = self.rearm.notified() => continue,
            }
            self.step(|state, now| state.controller.handle_timeout(now));
        }
    }

    /// Notes how many objects of a resource there are, and their bytes.
    pub(crate) fn set_object_count(&self, group_resource: &str, count: usize, bytes: u64) {
        let stats = ObjectStats {
            count: i64::try_from(count).unwrap_or(i64::MAX),
            average_bytes: i64::try_from(bytes / (count as u64).max(1)).unwrap_or(i64::MAX),
        };
        let mut state = self.lock();
        let now = self.clock.now();
        state.controller.object_counts_mut().set(now, group_resource, stats);
    }

    /// Notes a watch that begins to be served.
    pub(crate) fn register_watch(self: &Arc<Self>, digest: &RequestDigest) -> WatchEntry {
        let mut state = self.lock();
        let id = state.controller.watches_mut().register(&digest.request, &digest.query);
        WatchEntry { apf: Arc::clone(self), id }
    }

    /// Reads the engine.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Controller, SimTime) -> T) -> T {
        let state = self.lock();
        read(&state.controller, self.clock.now())
    }

    /// The families of `apiserver_flowcontrol_*` in the text format.
    pub(crate) fn exposition(&self) -> String {
        let families = self.step(|state, now| {
            state.controller.handle_timeout(now);
            state.controller.metrics(now)
        });
        exposition::text(&families)
    }
}

/// Seats of a request, or its place in a queue; given back when dropped.
pub(crate) struct ApfSeat {
    apf: Arc<Apf>,
    handle: RequestHandle,
}

impl Drop for ApfSeat {
    fn drop(&mut self) {
        let handle = self.handle;
        self.apf.step(|state, now| {
            if state.waiting.remove(&handle).is_some() {
                state.controller.handle_cancel(now, handle);
            } else {
                // Does nothing where the request was refused: its handle is void.
                state.controller.handle_finish(now, handle);
            }
        });
    }
}

/// A watch that is being served; forgotten when dropped.
pub(crate) struct WatchEntry {
    apf: Arc<Apf>,
    id: Option<WatchId>,
}

impl Drop for WatchEntry {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.apf.lock().controller.watches_mut().forget(id);
        }
    }
}
