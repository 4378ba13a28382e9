//! Cuts a response whose time is over, even while nobody polls its body.
//!
//! A body that waits for a slow client is not polled, so it cannot end itself. What is polled is
//! the task that serves it: the connection over HTTP/1.1, the stream over HTTP/2. [`guarded`] wraps
//! that task; the request sets its deadline through a task-local, and when it passes, the task
//! is dropped, which closes the connection or resets the stream (as the real server does:
//! `filters/timeout.go`).

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use sim_time::SimTime;
use tokio::time::Sleep;

use super::clock::Clock;

tokio::task_local! {
    static DEADLINE: Arc<AtomicU64>;
}

/// While it lives, the current task is cut at the deadline.
pub(crate) struct DeadlineGuard {
    cell: Arc<AtomicU64>,
}

impl DeadlineGuard {
    /// Sets the deadline of the task that runs this; `None` outside of [`guarded`].
    pub(crate) fn set(at: SimTime) -> Option<Self> {
        let cell = DEADLINE.try_with(Arc::clone).ok()?;
        cell.store(at.as_nanos(), Ordering::Relaxed);
        Some(Self { cell })
    }
}

impl Drop for DeadlineGuard {
    fn drop(&mut self) {
        self.cell.store(NEVER, Ordering::Relaxed);
    }
}

const NEVER: u64 = 0;

/// `serve`, ended early when a deadline that was set inside it passes.
pub(crate) fn guarded<F: Future>(serve: F, clock: Clock) -> Guarded<F> {
    Guarded { serve: Box::pin(serve), cell: Arc::default(), clock, sleep: None, armed: NEVER }
}

pub(crate) struct Guarded<F> {
    serve: Pin<Box<F>>,
    cell: Arc<AtomicU64>,
    clock: Clock,
    sleep: Option<Pin<Box<Sleep>>>,
    armed: u64,
}

impl<F> Guarded<F> {
    /// The task itself.
    pub(crate) fn inner(&mut self) -> Pin<&mut F> {
        self.serve.as_mut()
    }
}

impl<F: Future> Future for Guarded<F> {
    /// `None` when it was cut.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let serve = this.serve.as_mut();
        let polled = DEADLINE.sync_scope(Arc::clone(&this.cell), || serve.poll(cx));
        if let Poll::Ready(output) = polled {
            return Poll::Ready(Some(output));
        }
        let wanted = this.cell.load(Ordering::Relaxed);
        if wanted == NEVER {
            // The timer stays armed for the next request; firing early only costs a poll.
            if this.armed == NEVER {
                return Poll::Pending;
            }
        } else if wanted != this.armed {
            let at = this.clock.instant(SimTime::from_nanos(wanted));
            match &mut this.sleep {
                Some(sleep) => sleep.as_mut().reset(at),
                None => this.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
            }
            this.armed = wanted;
        }
        let Some(sleep) = &mut this.sleep else { return Poll::Pending };
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.armed = NEVER;
        if wanted == NEVER { Poll::Pending } else { Poll::Ready(None) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_is_cut_at_its_deadline_and_not_before() {
        let clock = Clock::start();
        let stuck = guarded(
            async {
                let _guard = DeadlineGuard::set(clock.now() + Duration::from_millis(50)).unwrap();
                std::future::pending::<()>().await;
            },
            clock,
        );
        assert_eq!(stuck.await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_was_met_cuts_nothing() {
        let clock = Clock::start();
        let fine = guarded(
            async {
                drop(DeadlineGuard::set(clock.now() + Duration::from_millis(5)));
                tokio::time::sleep(Duration::from_millis(80)).await;
                7
            },
            clock,
        );
        assert_eq!(fine.await, Some(7));
    }
}
