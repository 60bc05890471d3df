//! Decides which request is sent next, and when.
//!
//! It limits the requests in flight, keeps the [`Budget`], and lets polls and other requests take turns.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as Queue, Notify},
    time::Instant,
};

use super::{
    Rate,
    budget::{Budget, Permit, Refusal},
    until,
};

/// How many polls are sent for each other request while both wait. So each has its part of the budget.
const POLLS_PER_OTHER: u32 = 9;

/// What a request is, when it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A poll of a user's keys.
    Poll,
    /// Any other request.
    Other,
}

/// The waiting requests of one account.
#[derive(Debug)]
pub(super) struct Admission {
    state: Mutex<State>,
    /// Notified when a request may be admitted that could not be before.
    changed: Notify,
    /// The requests of each class, in the order in which they came.
    queues: [Queue<()>; 2],
}

#[derive(Debug)]
struct State {
    budget: Budget,
    max_in_flight: usize,
    in_flight: usize,
    /// How many requests of each class wait.
    waiting: [usize; 2],
    /// Polls since the last other request.
    polls: u32,
}

/// Permission to send one request. To be dropped when the request has ended, which gives the budget's permit back.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Arc<Admission>,
    pub(super) class: Class,
    permit: Option<Permit>,
    /// Whether the API throttled the request.
    pub(super) throttled: bool,
    /// Whether the request may still arrive though it has ended: it timed out, or was given up.
    pub(super) lost: bool,
}

/// A request that waits.
struct Waiting<'a> {
    admission: &'a Admission,
    class: Class,
}

// === impl Admission ===

impl Admission {
    /// Admits no request before `pause` has passed.
    pub(super) fn new(rate: Rate, max_in_flight: usize, pause: Duration) -> Arc<Self> {
        let state = State {
            budget: Budget::starting_after(rate, pause),
            max_in_flight,
            in_flight: 0,
            waiting: [0; 2],
            polls: POLLS_PER_OTHER,
        };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new(), queues: <[Queue<()>; 2]>::default() })
    }

    /// Waits until a request of this class may be sent.
    pub(super) async fn admit(self: &Arc<Self>, class: Class) -> Admitted {
        self.state.lock().waiting[class as usize] += 1;
        let _waiting = Waiting { admission: self, class };
        let _first = self.queues[class as usize].lock().await;
        loop {
            let changed = self.changed.notified();
            let admitted = self.state.lock().try_admit(class);
            match admitted {
                Ok(permit) => {
                    return Admitted {
                        admission: Arc::clone(self),
                        class,
                        permit: Some(permit),
                        throttled: false,
                        lost: false,
                    };
                }
                Err(retry_at) => tokio::select! {
                    () = changed => {}
                    () = until(retry_at) => {}
                },
            }
        }
    }

    pub(super) fn set_limits(&self, rate: Rate, max_in_flight: usize) {
        let mut state = self.state.lock();
        state.budget.set_limit(rate);
        state.max_in_flight = max_in_flight;
        drop(state);
        self.changed.notify_waiters();
    }

    /// Requests a second that the budget allows now.
    pub(super) fn rate(&self) -> f64 {
        self.state.lock().budget.rate()
    }
}

// === impl State ===

impl State {
    /// # Errors
    /// When to try again; without a time, after a change.
    fn try_admit(&mut self, class: Class) -> Result<Permit, Option<Instant>> {
        let [polls, others] = self.waiting;
        let next = if others > 0 && (polls == 0 || self.polls >= POLLS_PER_OTHER) { Class::Other } else { Class::Poll };
        if class != next || self.in_flight >= self.max_in_flight {
            return Err(None);
        }
        let permit = self.budget.take().map_err(|refusal| match refusal {
            Refusal::Until(at) => Some(at),
            Refusal::UntilOneEnds => None,
        })?;
        self.in_flight += 1;
        self.polls = match class {
            Class::Poll => self.polls.saturating_add(1),
            Class::Other => 0,
        };
        Ok(permit)
    }
}

// === impl Admitted ===

impl Drop for Admitted {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        let mut state = self.admission.state.lock();
        state.in_flight -= 1;
        if self.lost {
            state.budget.lose(permit);
        } else {
            state.budget.give_back(permit);
        }
        if self.throttled {
            state.budget.throttled();
        }
        drop(state);
        self.admission.changed.notify_waiters();
    }
}

// === impl Waiting ===

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.admission.state.lock().waiting[self.class as usize] -= 1;
        self.admission.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
    use tokio::time::timeout;

    use super::{super::RateLimit, *};

    const SECOND: Duration = Duration::from_secs(1);

    fn admission(max_in_flight: usize, pause: Duration) -> Arc<Admission> {
        Admission::new(RateLimit::new(20).unwrap().into(), max_in_flight, pause)
    }

    #[tokio::test(start_paused = true)]
    async fn nine_polls_are_admitted_for_each_other_request() {
        let admission = admission(64, SECOND);
        let classes = [[Class::Poll; 30], [Class::Other; 30]].into_iter().flatten();
        let admit = async |class| admission.admit(class).await.class;
        let order: Vec<Class> = classes.map(admit).collect::<FuturesUnordered<_>>().collect().await;
        let others: Vec<usize> = (0..60).filter(|place| order[*place] == Class::Other).collect();
        let expected: Vec<usize> = [0, 10, 20, 30].into_iter().chain(34..60).collect();
        assert_eq!(others, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn request_that_is_dropped_makes_room_for_another() {
        let admission = admission(2, Duration::ZERO);
        let first = join_all([Class::Poll, Class::Other].map(|class| admission.admit(class))).await;
        assert!(timeout(SECOND * 60, admission.admit(Class::Poll)).await.is_err(), "two are in flight");
        drop(first);
        let _third = timeout(SECOND, admission.admit(Class::Poll)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn request_that_stops_waiting_delays_no_other() {
        let admission = admission(1, Duration::ZERO);
        let first = admission.admit(Class::Poll).await;
        assert!(timeout(SECOND, admission.admit(Class::Poll)).await.is_err(), "one is in flight");
        drop(first);
        let _other = timeout(SECOND, admission.admit(Class::Other)).await.unwrap();
    }
}
