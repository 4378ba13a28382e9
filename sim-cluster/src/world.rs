//! Time, timers, pending calls and randomness: what all actors of a cluster share.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    rc::Rc,
    time::Duration,
};

use futures_channel::{mpsc, oneshot};
use futures_executor::LocalSpawner;
use futures_util::{
    future::{AbortHandle, abortable},
    task::LocalSpawnExt,
};
use jiff::Timestamp;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use sim_time::SimTime;

use crate::call::{Action, Answer, Frame, Request};

/// A handle on the world; clones are the same world.
#[derive(Clone)]
pub(crate) struct World(Rc<Inner>);

struct Inner {
    epoch: Timestamp,
    now: Cell<SimTime>,
    next: Cell<u64>,
    outbox: RefCell<Vec<Action>>,
    answers: RefCell<BTreeMap<u64, oneshot::Sender<Answer>>>,
    streams: RefCell<BTreeMap<u64, mpsc::UnboundedSender<Frame>>>,
    timers: RefCell<BTreeMap<(SimTime, u64), oneshot::Sender<()>>>,
    rng: RefCell<Pcg64>,
    spawner: LocalSpawner,
}

impl World {
    /// A world whose [`SimTime::ZERO`] is `epoch`.
    pub(crate) fn new(epoch: Timestamp, seed: u64, spawner: LocalSpawner) -> Self {
        Self(Rc::new(Inner {
            epoch,
            now: Cell::new(SimTime::ZERO),
            next: Cell::new(1),
            outbox: RefCell::default(),
            answers: RefCell::default(),
            streams: RefCell::default(),
            timers: RefCell::default(),
            rng: RefCell::new(Pcg64::seed_from_u64(seed)),
            spawner,
        }))
    }

    pub(crate) fn now(&self) -> SimTime {
        self.0.now.get()
    }

    /// The wall clock, for what stands in objects.
    pub(crate) fn wall(&self) -> Timestamp {
        let since = i64::try_from(self.now().as_nanos()).unwrap_or(i64::MAX);
        self.0.epoch.checked_add(jiff::SignedDuration::from_nanos(since)).unwrap_or(self.0.epoch)
    }

    /// The wall clock as `metav1.Time` is written: seconds, UTC.
    pub(crate) fn time(&self) -> String {
        sim_api::meta::time(self.wall())
    }

    /// The wall clock as `metav1.MicroTime` is written.
    pub(crate) fn micro_time(&self) -> String {
        format!("{:.6}", self.wall())
    }

    /// A number in 0..below; 0 when `below` is 0.
    pub(crate) fn random(&self, below: u64) -> u64 {
        self.0.rng.borrow_mut().next_u64().checked_rem(below).unwrap_or(0)
    }

    /// A number in 0..1.
    pub(crate) fn fraction(&self) -> f64 {
        let bits = self.0.rng.borrow_mut().next_u64() >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }

    /// Runs beside everything else, until it ends or the handle aborts it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) -> AbortHandle {
        let (task, handle) = abortable(task);
        let task = async move {
            // Aborted is an end as good as any.
            let _ = task.await;
        };
        // Fails only when the pool is gone, and then nobody runs.
        let _ = self.0.spawner.spawn_local(task);
        handle
    }

    pub(crate) async fn sleep(&self, length: Duration) {
        self.sleep_until(self.now() + length).await;
    }

    pub(crate) async fn sleep_until(&self, at: SimTime) {
        if at <= self.now() {
            return;
        }
        let (ring, rung) = oneshot::channel();
        let id = self.id();
        self.0.timers.borrow_mut().insert((at, id), ring);
        let _forget = OnDrop(|| {
            self.0.timers.borrow_mut().remove(&(at, id));
        });
        let _ = rung.await;
    }

    /// Sends it and waits for the answer.
    pub(crate) async fn call(&self, request: Request) -> Answer {
        let id = self.id();
        let (send, answer) = oneshot::channel();
        self.0.answers.borrow_mut().insert(id, send);
        self.0.outbox.borrow_mut().push(Action::Call(id, request));
        let _forget = OnDrop(|| {
            if self.0.answers.borrow_mut().remove(&id).is_some() {
                self.0.outbox.borrow_mut().push(Action::Cancel(id));
            }
        });
        answer.await.unwrap_or_default()
    }

    /// Opens a watch; dropping the stream cancels it.
    pub(crate) fn watch(&self, request: Request) -> Stream {
        let id = self.id();
        let (send, frames) = mpsc::unbounded();
        self.0.streams.borrow_mut().insert(id, send);
        self.0.outbox.borrow_mut().push(Action::Watch(id, request));
        Stream { world: self.clone(), id, frames }
    }

    fn id(&self) -> u64 {
        let id = self.0.next.get();
        self.0.next.set(id + 1);
        id
    }

    // What follows is for the driver's side.

    /// Time goes on; timers that are due ring. Never goes back.
    pub(crate) fn advance(&self, now: SimTime) {
        self.0.now.set(now.max(self.now()));
        loop {
            let mut timers = self.0.timers.borrow_mut();
            let Some(first) = timers.first_entry().filter(|first| first.key().0 <= now) else {
                return;
            };
            let ring = first.remove();
            drop(timers);
            let _ = ring.send(());
        }
    }

    pub(crate) fn next_timer(&self) -> Option<SimTime> {
        self.0.timers.borrow().first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn answer(&self, id: u64, answer: Answer) {
        let waiting = self.0.answers.borrow_mut().remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(answer);
        }
    }

    pub(crate) fn frame(&self, id: u64, frame: Frame) {
        let is_end = matches!(frame, Frame::End(_));
        if let Some(stream) = self.0.streams.borrow().get(&id) {
            let _ = stream.unbounded_send(frame);
        }
        if is_end {
            self.0.streams.borrow_mut().remove(&id);
        }
    }

    pub(crate) fn take_actions(&self) -> Vec<Action> {
        std::mem::take(&mut self.0.outbox.borrow_mut())
    }
}

/// The frames of one watch.
pub(crate) struct Stream {
    world: World,
    id: u64,
    frames: mpsc::UnboundedReceiver<Frame>,
}

impl Stream {
    /// The next frame; the last one is an end.
    pub(crate) async fn next(&mut self) -> Frame {
        use futures_util::StreamExt as _;
        self.frames.next().await.unwrap_or(Frame::End(Answer::default()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.world.0.streams.borrow_mut().remove(&self.id).is_some() {
            self.world.0.outbox.borrow_mut().push(Action::Cancel(self.id));
        }
    }
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
