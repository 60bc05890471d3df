//! Follows the files of the configuration.

use std::sync::Arc;

use exporter_toolkit::Reloader;
use tencentcloud_api::Clock;
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{error, info};

use super::{
    CHECK_INTERVAL, HANGS, READ_TIMEOUT,
    config_source::{ConfigSource, FileChange},
};
use crate::metrics::Own;

/// How many looks in a row must fail before the file counts as lost: some writers delete it first.
const LOST_AFTER: u32 = 2;

/// Reloads when a file of the configuration has changed, and reports when one is missing or unreadable.
/// Never returns.
pub(super) async fn follow(source: Arc<ConfigSource>, clock: Arc<dyn Clock>, own: Arc<Own>, reloader: Reloader) {
    let mut ticks = interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut lost, mut hanging) = (0, None);
    loop {
        ticks.tick().await;
        let mut looking = hanging.take().unwrap_or_else(|| {
            let (source, now) = (Arc::clone(&source), clock.now());
            spawn_blocking(move || source.look(now))
        });
        let look = if let Ok(look) = timeout(READ_TIMEOUT, &mut looking).await {
            look.unwrap_or(FileChange::Unchanged)
        } else {
            hanging = Some(looking);
            FileChange::Lost(HANGS.to_owned())
        };
        match look {
            FileChange::Unchanged => lost = 0,
            FileChange::Changed => {
                lost = 0;
                info!("configuration file changed, reloading");
                // How it went is logged where it is done.
                let _ = reloader.reload().await;
            }
            FileChange::Lost(_) if source.is_known_lost() => {}
            FileChange::Lost(error) => {
                lost += 1;
                if lost == LOST_AFTER {
                    error!(
                        error,
                        "cannot read the configuration file: the last valid configuration stays in use, but the next start fails"
                    );
                    own.config_refused();
                    source.forget();
                    lost = 0;
                }
            }
        }
    }
}
