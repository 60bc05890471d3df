//! Keeps what is known over a restart.
//!
//! It is saved when it has changed, every minute, and once more at the end: a start then shows the last good keys
//! at once, with their old success times.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tencentcloud_api::Uin;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    config,
    inventory::{AccountName, Inventory},
    state::{Origin, Refused, State, StateFile, Wanted},
};

/// How often it is saved, at most.
const EVERY: Duration = Duration::from_mins(1);

/// What the file at `path` knows of these accounts, if there is one and it can be used. Blocks for as long as the file does.
///
/// # Errors
/// The file cannot be read, though it may be good: nothing must be written over it.
pub(super) fn load(path: &Path, configured: &[config::Account]) -> Result<Option<State>, Refused> {
    let accounts = by_name(configured);
    let user = |name: &AccountName, uin| accounts.get(name).is_some_and(|account| may_have(account, uin));
    let members = |name: &AccountName| accounts.get(name).is_some_and(|account| account.organization.is_some());
    match StateFile::new(path.to_owned()).load_wanted(&Wanted { user: &user, members: &members }) {
        Ok(None) => info!(path = %path.display(), "no state file yet"),
        Ok(Some(mut state)) => {
            state.drop_impossible();
            if state.skipped() > 0 {
                let rows = state.skipped();
                warn!(path = %path.display(), rows, "skipped invalid rows of the state file: their keys appear after the next poll");
            }
            return Ok(Some(state));
        }
        Err(refused @ Refused::Unreadable { .. }) => return Err(refused),
        Err(refused) => warn!("{refused}"),
    }
    Ok(None)
}

/// Fills `inventory` with what `state` knows of its users, and of those that the accounts admit as `configured` now. It is
/// `now`.
pub(super) fn restore(state: State, inventory: &Inventory, configured: &[config::Account], now: Timestamp) {
    let accounts = by_name(configured);
    let users = state
        .restore(inventory, |name, uin, origin| accounts.get(name).is_some_and(|account| admits(account, uin, origin)));
    inventory.accounts().iter().for_each(|account| account.recalled(now));
    info!(users, "state restored");
}

fn by_name(configured: &[config::Account]) -> BTreeMap<&AccountName, &config::Account> {
    configured.iter().map(|account| (&account.name, account)).collect()
}

/// Whether the account may have the user, as far as that is known before its users are.
fn may_have(account: &config::Account, uin: Uin) -> bool {
    let finds_users = account.uins_file.is_some() || account.discover.is_some() || account.include_self;
    account.owns(uin) && (finds_users || account.uins.contains(&uin))
}

fn admits(account: &config::Account, uin: Uin, origin: Origin<'_>) -> bool {
    account.owns(uin)
        && match origin {
            Origin::Found(name) => account.discover.as_ref().is_some_and(|discovery| discovery.admits(uin, name)),
            Origin::Caller => account.include_self,
        }
}

/// Saves what `inventory` knows into the file that `paths` names, until `stopping`, and then once more.
pub(super) async fn keep(
    inventory: Arc<Inventory>,
    mut paths: watch::Receiver<Option<PathBuf>>,
    stopping: CancellationToken,
) {
    let mut file = file(&mut paths);
    let mut saved = None;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            Ok(()) = paths.changed() => {
                file = self::file(&mut paths);
                saved = None;
            }
            _ = ticks.tick() => {}
        }
        save(&inventory, file.as_ref(), &mut saved).await;
    }
    save(&inventory, file.as_ref(), &mut saved).await;
}

fn file(paths: &mut watch::Receiver<Option<PathBuf>>) -> Option<Arc<StateFile>> {
    paths.borrow_and_update().clone().map(|path| Arc::new(StateFile::new(path)))
}

/// Saves, unless nothing has changed since `saved`.
async fn save(inventory: &Arc<Inventory>, file: Option<&Arc<StateFile>>, saved: &mut Option<u64>) {
    let Some(file) = file else { return };
    let changes = inventory.changes();
    if *saved == Some(changes) {
        return;
    }
    let (inventory, writing) = (Arc::clone(inventory), Arc::clone(file));
    let outcome = spawn_blocking(move || writing.save(&State::of(&inventory))).await;
    match outcome.map_err(std::io::Error::other).flatten() {
        Ok(()) => *saved = Some(changes),
        Err(error) => {
            error!(path = %file.path().display(), %error, "cannot save the state file: check that its directory is writable");
        }
    }
}
