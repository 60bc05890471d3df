//! The exporter's tasks: each has a name, and an unexpected end of one ends the process.
//!
//! A signal cancels `shutdown`, and `App::run` then cancels `stopping`, which every task heeds. What hangs is given up, in this
//! order and in a second in all:
//!
//! 1. tasks, after 600 ms, in which a listener gives its responses 500 ms;
//! 2. threads in a system call, after 100 ms (`cli::exporter`);
//! 3. standard error, after 300 ms (`cli::log`).

use std::collections::HashMap;

use tokio::{
    task::{Id, JoinSet},
    time::{Duration, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Error;

/// The time that tasks have left once the exporter stops; those still there are dropped then.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(600);

#[derive(Default)]
pub(super) struct Tasks {
    set: JoinSet<()>,
    /// The tasks that must not end.
    names: HashMap<Id, String>,
}

// === impl Tasks ===

impl Tasks {
    pub(super) fn spawn(&mut self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) -> Id {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name.into());
        id
    }

    /// As [`Self::spawn`]. The task is dropped once `stop` is cancelled.
    pub(super) fn spawn_until(
        &mut self,
        stop: CancellationToken,
        name: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Id {
        self.spawn(name, async move {
            stop.run_until_cancelled(task).await;
        })
    }

    /// The task has been asked to end.
    pub(super) fn expect_end(&mut self, id: Id) {
        self.names.remove(&id);
    }

    /// Waits until a task has ended without being asked to.
    pub(super) async fn first_unexpected_end(&mut self) -> Error {
        loop {
            let (id, ended) = match self.set.join_next_with_id().await {
                Some(Ok((id, ()))) => (id, None),
                Some(Err(source)) => (source.id(), Some(source)),
                None => std::future::pending().await,
            };
            match (self.names.remove(&id), ended) {
                (Some(name), None) => return Error::Ended(name),
                (name, Some(source)) if source.is_panic() => {
                    return Error::Died { task: name.unwrap_or_else(|| "a task that was stopping".to_owned()), source };
                }
                _ => {}
            }
        }
    }

    /// Waits until all have ended, but not for long.
    pub(super) async fn shut_down(&mut self) {
        let all = async { while self.set.join_next().await.is_some() {} };
        if timeout(SHUTDOWN_TIMEOUT, all).await.is_err() {
            warn!(tasks = self.set.len(), "not all tasks stopped in time, aborting the rest");
        }
    }
}
