//! Follows the files that list users.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use tencentcloud_api::{Clock, Uin};
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::{CHECK_INTERVAL, READ_TIMEOUT};
use crate::{config::UinsFile, inventory::AccountName};

/// What a file lists now, or what is wrong with it.
pub(super) type FileListing = Result<Arc<BTreeSet<Uin>>, String>;

/// A file that has been read once.
pub(super) struct UinsFileWatcher {
    file: UinsFile,
    last: FileListing,
}

/// What an account's file has come to list.
pub(super) struct UinsFileChange {
    pub(super) account: AccountName,
    pub(super) listing: FileListing,
}

// === impl UinsFileWatcher ===

impl UinsFileWatcher {
    /// The file at `path`, read for the first time.
    pub(super) async fn first(path: PathBuf, clock: &Arc<dyn Clock>) -> (Self, FileListing) {
        let hanging = || Err(format!("{}: reading it takes too long: check the mount", path.display()));
        let first = timeout(READ_TIMEOUT, read(UinsFile::new(path.clone()), Arc::clone(clock))).await;
        let (file, last) = first.ok().flatten().unwrap_or_else(|| (UinsFile::new(path.clone()), hanging()));
        (Self { file, last: last.clone() }, last)
    }

    /// Sends every change. Never returns.
    pub(super) async fn follow(self, account: AccountName, clock: Arc<dyn Clock>, tell: mpsc::Sender<UinsFileChange>) {
        let Self { mut file, mut last } = self;
        loop {
            sleep(CHECK_INTERVAL).await;
            // A panic took the file with it: this task ends, and with it the process, which reports it.
            let Some((read, listing)) = read(file, Arc::clone(&clock)).await else { return };
            file = read;
            if listing != last {
                last = listing.clone();
                if tell.send(UinsFileChange { account: account.clone(), listing }).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn read(mut file: UinsFile, clock: Arc<dyn Clock>) -> Option<(UinsFile, FileListing)> {
    let reading = spawn_blocking(move || {
        let listing = file.read(clock.now()).map_err(|error| error.to_string());
        (file, listing)
    });
    reading.await.ok()
}
