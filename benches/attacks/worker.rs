//! A thread with a runtime of its own, so that what one does is not measured as the slowness of another.

use std::{
    fs,
    future::Future,
    process::{Command, Stdio},
    thread::{self, JoinHandle},
};

use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

/// Stopped, with every task that it has spawned, when dropped.
pub(crate) struct Worker {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

// === impl Worker ===

impl Worker {
    pub(crate) fn start<F: Future<Output = ()>>(name: &str, work: impl FnOnce() -> F + Send + 'static) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let run = move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { stopped.run_until_cancelled(work()).await });
        };
        let thread = Some(thread::Builder::new().name(name.to_owned()).spawn(run).unwrap());
        Self { stop, thread }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A worker that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Lowers the priority of the calling thread: attackers sit on other machines, and must not take the exporter's processor.
pub(crate) fn be_nice() {
    let Ok(thread) = fs::read_link("/proc/thread-self") else { return };
    let id = thread.file_name().unwrap_or_default();
    let _ =
        Command::new("renice").args(["-n", "10", "-p"]).arg(id).stdout(Stdio::null()).stderr(Stdio::null()).status();
}
