//! Requests for a reload, and their results.

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// Reloads that may wait for their turn.
const QUEUE: usize = 16;

/// Asks for reloads.
#[derive(Clone, Debug)]
pub struct Reloader(mpsc::Sender<oneshot::Sender<Outcome>>);

/// The reloads that are asked for, one after the other.
#[derive(Debug)]
pub struct Reloads(mpsc::Receiver<oneshot::Sender<Outcome>>);

/// How a reload went.
pub type Outcome = Result<(), NotReloaded>;

/// Why everything stayed as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotReloaded {
    /// All that is wrong with the new configuration, a fault a line.
    #[error("{0}")]
    Refused(String),
    /// The exporter stops.
    #[error("the exporter is stopping")]
    Stopping,
}

// === impl Reloader ===

impl Reloader {
    /// Where to ask, and what is asked for.
    #[must_use]
    pub fn new() -> (Self, Reloads) {
        let (asking, asked) = mpsc::channel(QUEUE);
        (Self(asking), Reloads(asked))
    }

    /// Reloads, and tells how it went.
    ///
    /// # Errors
    /// See [`NotReloaded`].
    pub async fn reload(&self) -> Outcome {
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).await.map_err(|_| NotReloaded::Stopping)?;
        answered.await.unwrap_or(Err(NotReloaded::Stopping))
    }
}

// === impl Reloads ===

impl Reloads {
    /// Receives the result of the next reload.
    pub async fn next(&mut self) -> Option<oneshot::Sender<Outcome>> {
        self.0.recv().await
    }
}
