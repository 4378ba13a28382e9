//! client-go's work queue: a key is queued once, and never worked on twice at a time.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future,
    rc::Rc,
    time::Duration,
};

use futures_channel::oneshot;

use crate::{client::Failure, object::Key, world::World};

/// A queue of keys. Clones are the same queue.
#[derive(Clone)]
pub(crate) struct WorkQueue {
    world: World,
    inner: Rc<RefCell<Inner>>,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Key>,
    dirty: BTreeSet<Key>,
    processing: BTreeSet<Key>,
    failures: BTreeMap<Key, u32>,
    idle: VecDeque<oneshot::Sender<()>>,
}

impl WorkQueue {
    pub(crate) fn new(world: &World) -> Self {
        Self { world: world.clone(), inner: Rc::default() }
    }

    pub(crate) fn add(&self, key: Key) {
        let mut inner = self.inner.borrow_mut();
        if !inner.dirty.insert(key.clone()) || inner.processing.contains(&key) {
            return;
        }
        inner.waiting.push_back(key);
        if let Some(worker) = inner.idle.pop_front() {
            let _ = worker.send(());
        }
    }

    pub(crate) fn add_after(&self, key: Key, delay: Duration) {
        let (queue, world) = (self.clone(), self.world.clone());
        self.world.spawn(async move {
            world.sleep(delay).await;
            queue.add(key);
        });
    }

    /// Source: client-go `DefaultTypedControllerRateLimiter`: 5 ms, doubled with each failure, at
    /// most 1,000 s.
    fn add_rate_limited(&self, key: Key) {
        let failures = {
            let mut inner = self.inner.borrow_mut();
            let failures = inner.failures.entry(key.clone()).or_default();
            *failures += 1;
            *failures - 1
        };
        let delay = Duration::from_millis(5).saturating_mul(1 << failures.min(18));
        self.add_after(key, delay.min(Duration::from_secs(1000)));
    }

    async fn next(&self) -> Key {
        loop {
            let wait = {
                let mut inner = self.inner.borrow_mut();
                if let Some(key) = inner.waiting.pop_front() {
                    inner.dirty.remove(&key);
                    inner.processing.insert(key.clone());
                    return key;
                }
                let (send, wait) = oneshot::channel();
                inner.idle.push_back(send);
                wait
            };
            let _ = wait.await;
        }
    }

    fn done(&self, key: &Key) {
        let mut inner = self.inner.borrow_mut();
        inner.processing.remove(key);
        if inner.dirty.contains(key) {
            inner.waiting.push_back(key.clone());
            if let Some(worker) = inner.idle.pop_front() {
                let _ = worker.send(());
            }
        }
    }

    /// Starts workers that call `sync` for ever; a key that fails comes again, later and later.
    pub(crate) fn work<F, Fut>(&self, workers: usize, sync: F)
    where
        F: Fn(Key) -> Fut + Clone + 'static,
        Fut: Future<Output = Result<(), Failure>> + 'static,
    {
        for _ in 0..workers {
            let (queue, sync) = (self.clone(), sync.clone());
            self.world.spawn(async move {
                loop {
                    let key = queue.next().await;
                    match sync(key.clone()).await {
                        Ok(()) => {
                            queue.inner.borrow_mut().failures.remove(&key);
                        }
                        Err(_) => queue.add_rate_limited(key.clone()),
                    }
                    queue.done(&key);
                }
            });
        }
    }
}
