//! What arrived, and when.

use std::collections::VecDeque;

use compact_str::CompactString;
use tokio::time::Instant;

use crate::{Rejection, window::WINDOW};

/// How many arrivals are kept: a demo may run for weeks.
const KEPT: usize = 100_000;

/// A request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// Its `X-TC-Action`; empty where it has none.
    pub action: CompactString,
    /// The signer: a UIN, or the number of a role; none if the signer is unknown.
    pub caller: Option<u64>,
    /// Its `TargetUin`, where it has a readable one.
    pub target: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered with what it asked for.
    Answered,
    /// It was refused as one too many in its second.
    TooFrequent,
    /// It was answered with an error of this code.
    Error(String),
    /// A fault took the place of its answer, or of a part of it.
    Faulted,
}

/// The latest arrivals, in order.
#[derive(Debug, Default)]
pub(crate) struct Log(VecDeque<Arrival>);

/// The most arrivals that any one second holds. They are in order, as [`super::Simulator::arrivals`] gives them.
#[must_use]
pub fn densest_second(arrivals: &[Arrival]) -> usize {
    let mut first = 0;
    let mut densest = 0;
    for (last, arrival) in arrivals.iter().enumerate() {
        while arrival.at.duration_since(arrivals[first].at) >= WINDOW {
            first += 1;
        }
        densest = densest.max(last + 1 - first);
    }
    densest
}

// === impl Outcome ===

impl Outcome {
    pub(crate) fn of<T>(answer: &Result<T, Rejection>) -> Self {
        match answer {
            Ok(_) => Self::Answered,
            Err(rejection) if rejection.code == Rejection::TOO_FREQUENT => Self::TooFrequent,
            Err(rejection) => Self::Error(rejection.code.clone()),
        }
    }
}

// === impl Log ===

impl Log {
    pub(crate) fn push(&mut self, arrival: Arrival) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(arrival);
    }

    pub(crate) fn to_vec(&self) -> Vec<Arrival> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_does_not_hold_both_of_its_ends() {
        let start = Instant::now();
        let arrivals: Vec<Arrival> = [0, 400, 999, 1000, 1399, 5000]
            .map(|millis| Arrival {
                at: start + Duration::from_millis(millis),
                action: CompactString::default(),
                caller: None,
                target: None,
                outcome: Outcome::Answered,
            })
            .into();
        assert_eq!(densest_second(&arrivals), 4, "from 400 to 1399");
        assert_eq!(densest_second(&[]), 0);
    }
}
