//! The accounts that are polled. Starts, updates and stops their pollers as the configuration changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tencentcloud_api::{Client, Endpoint, Region, Uin};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::Id,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    Dependencies,
    credential_cache::CredentialCache,
    tasks::Tasks,
    uins_file_watcher::{FileListing, UinsFileChange, UinsFileWatcher},
};
use crate::{
    PROGRAM, config,
    credentials::Source,
    inventory::{
        Account, AccountName, AccountSettings, ConfiguredListings, Inventory, Listing, ListingFailure, error_text,
    },
    metrics::Own,
    poll::{Interval, Organization, Plan, Poller, PollerDeps, Rate},
    web::Readiness,
};

/// How long after one member of an organisation the next begins: their first requests go to STS, which all share.
const BETWEEN_MEMBERS: Duration = Duration::from_millis(50);

pub(super) struct Supervisor {
    dependencies: Dependencies,
    inventory: Arc<Inventory>,
    own: Arc<Own>,
    readiness: Arc<Readiness>,
    stopping: CancellationToken,
    uins_file_changes: mpsc::Sender<UinsFileChange>,
    /// Signals that an organization's members have changed.
    members_changed: Arc<Notify>,
    /// The configured accounts, in their order.
    order: Vec<AccountName>,
    credentials: CredentialCache,
    /// The configured accounts and the members of their organizations.
    accounts: BTreeMap<AccountName, AccountEntry>,
    polls_once: bool,
}

/// An account of the configuration, or a member of an organization, which is polled as an account.
struct AccountEntry {
    /// The account whose organization it is a member of; `None` if it is a configured account.
    organization: Option<AccountName>,
    configured: config::Account,
    /// The users that the account's file listed when it was last good.
    from_file: Arc<BTreeSet<Uin>>,
    account: Arc<Account>,
    /// `None` before the first [`Supervisor::sync_pollers`].
    poller: Option<PollerHandle>,
    /// The task that watches `uins_file`, if there is one.
    watcher: Option<(Id, CancellationToken)>,
}

struct PollerHandle {
    /// Who it is polled as.
    credentials: Arc<Source>,
    plans: watch::Sender<Arc<Plan>>,
    users_changed: Arc<Notify>,
    stop: CancellationToken,
    task: Id,
}

// === impl Supervisor ===

impl Supervisor {
    pub(super) fn new(
        dependencies: Dependencies,
        inventory: Arc<Inventory>,
        own: Arc<Own>,
        readiness: Arc<Readiness>,
        stopping: CancellationToken,
        uins_file_changes: mpsc::Sender<UinsFileChange>,
        members_changed: Arc<Notify>,
    ) -> Self {
        let (order, credentials, accounts) = (vec![], CredentialCache::default(), BTreeMap::new());
        Self {
            dependencies,
            inventory,
            own,
            readiness,
            stopping,
            uins_file_changes,
            members_changed,
            order,
            credentials,
            accounts,
            polls_once: false,
        }
    }

    /// Polls each user once: one that was answered about is not polled again, and one that is throttled has failed.
    pub(super) fn polling_once(self) -> Self {
        Self { polls_once: true, ..self }
    }

    /// These accounts are there from now on, each as configured. What is known of users that stay is kept. Polling, and
    /// how it is done, waits for [`Self::sync_pollers`].
    pub(super) async fn set_accounts(&mut self, configured: Vec<config::Account>, tasks: &mut Tasks) {
        let mut before = std::mem::take(&mut self.accounts);
        self.order = configured.iter().map(|configured| configured.name.clone()).collect();
        let wanted = with_members(configured, |name| before.get(name).map(|entry| Arc::clone(&entry.account)));
        for (organization, configured) in wanted {
            let name = configured.name.clone();
            let old_file = before.get(&name).and_then(|entry| entry.configured.uins_file.clone());
            let new_file = configured.uins_file.clone();
            let mut entry = match before.remove(&name) {
                Some(entry) => {
                    entry.account.set_settings(settings(&configured));
                    AccountEntry { organization, configured, ..entry }
                }
                None => AccountEntry::new(organization, configured),
            };
            if old_file != new_file {
                self.watch_uins_file(&mut entry, tasks).await;
            }
            entry.account.set_configured(&entry.users());
            self.accounts.insert(name, entry);
        }
        self.publish();
        for (name, entry) in before {
            self.remove(&name, entry, tasks);
        }
    }

    /// Starts polling members that have joined an organization, and stops polling those that have left. The others continue.
    pub(super) fn sync_members(&mut self, tasks: &mut Tasks) {
        let configured = self.order.iter().filter_map(|name| self.accounts.get(name));
        let configured = configured.map(|entry| entry.configured.clone()).collect();
        let wanted = with_members(configured, |name| self.accounts.get(name).map(|entry| Arc::clone(&entry.account)));
        let mut before = std::mem::take(&mut self.accounts);
        let mut turn = 0;
        for (organization, configured) in wanted {
            let name = configured.name.clone();
            let entry = match before.remove(&name) {
                Some(entry) if entry.organization == organization => entry,
                // It has moved from one organization to another.
                Some(entry) => {
                    entry.account.set_settings(settings(&configured));
                    let mut entry = AccountEntry { organization, configured, ..entry };
                    entry.poller = entry.poller.take().map(|poller| self.update(&entry, poller));
                    entry
                }
                None => {
                    let mut entry = AccountEntry::new(organization, configured);
                    entry.poller = Some(self.start(&entry, &mut turn, tasks));
                    entry
                }
            };
            self.accounts.insert(name, entry);
        }
        self.publish();
        for (name, entry) in before {
            self.remove(&name, entry, tasks);
        }
    }

    /// Writes the accounts into the inventory: in the order of the configuration, members behind the account of their
    /// organization.
    fn publish(&self) {
        let mut of: BTreeMap<&AccountName, Vec<Arc<Account>>> = BTreeMap::new();
        for (name, entry) in &self.accounts {
            let accounts = of.entry(entry.organization.as_ref().unwrap_or(name)).or_default();
            let place = if entry.organization.is_none() { 0 } else { accounts.len() };
            accounts.insert(place, Arc::clone(&entry.account));
        }
        self.inventory.set_accounts(self.order.iter().filter_map(|name| of.remove(name)).flatten().collect());
    }

    fn remove(&self, name: &AccountName, entry: AccountEntry, tasks: &mut Tasks) {
        info!(account = %name, "stopped polling account");
        entry.stop(tasks);
        self.own.forget(name);
    }

    /// The accounts as they are configured now.
    pub(super) fn configured(&self) -> Vec<config::Account> {
        self.accounts.values().map(|entry| entry.configured.clone()).collect()
    }

    /// Starts a poller for each account that has none, and sends the others their new plan. Requests in flight continue, and
    /// users that failed permanently are polled again.
    pub(super) fn sync_pollers(&mut self, tasks: &mut Tasks) {
        let mut accounts = std::mem::take(&mut self.accounts);
        let mut turn = 0;
        for entry in accounts.values_mut() {
            entry.poller = Some(match entry.poller.take() {
                Some(poller) => self.update(entry, poller),
                None => self.start(entry, &mut turn, tasks),
            });
        }
        self.accounts = accounts;
    }

    /// A file lists other users, or has become invalid. The poller keeps its plan: users that failed permanently wait on.
    pub(super) fn apply_uins_file(&mut self, UinsFileChange { account, listing }: UinsFileChange) {
        let Some(entry) = self.accounts.get_mut(&account) else { return };
        entry.file_read(listing, self.dependencies.clock.now());
        if let Some(poller) = &entry.poller {
            poller.users_changed.notify_one();
        }
    }

    /// Starts the poller of an account. `turn` counts the members of organizations that start together.
    fn start(&mut self, entry: &AccountEntry, turn: &mut u32, tasks: &mut Tasks) -> PollerHandle {
        let configured = &entry.configured;
        let credentials = self.credentials.of(configured, &self.dependencies);
        let (plans, plan) = watch::channel(Arc::new(self.plan(configured, &credentials)));
        let (readiness, members_changed) = (Arc::clone(&self.readiness), Arc::clone(&self.members_changed));
        let users_changed = Arc::new(Notify::new());
        let mut delay = Duration::ZERO;
        if entry.organization.is_some() {
            delay = BETWEEN_MEMBERS * *turn;
            *turn += 1;
        }
        let deps = PollerDeps {
            account: Arc::clone(&entry.account),
            metrics: self.own.account(&configured.name),
            clock: Arc::clone(&self.dependencies.clock),
            random: self.dependencies.random().into(),
            on_attempt: Box::new(move || readiness.poll_attempted()),
            users_changed: Arc::clone(&users_changed),
            on_members: Box::new(move || members_changed.notify_one()),
            polls_once: self.polls_once,
            delay,
        };
        let stop = self.stopping.child_token();
        let poller = Poller::new(deps, plan).run(stop.clone());
        let task = tasks.spawn(format!("the poller of account {}", configured.name), poller);
        info!(
            account = %configured.name,
            users = entry.account.users().len(),
            endpoint = %configured.endpoint,
            interval = %crate::duration::format(configured.poll.interval.get()),
            "polling"
        );
        PollerHandle { credentials, plans, users_changed, stop, task }
    }

    /// Sends the poller the plan of the account as it is configured now.
    fn update(&mut self, entry: &AccountEntry, mut poller: PollerHandle) -> PollerHandle {
        // The same source goes on: it may hold the last good credential of files that are gone.
        poller.credentials = self.credentials.of(&entry.configured, &self.dependencies);
        poller.plans.send_replace(Arc::new(self.plan(&entry.configured, &poller.credentials)));
        poller
    }

    /// Watches the `uins_file` that is configured now, instead of the one before.
    async fn watch_uins_file(&self, entry: &mut AccountEntry, tasks: &mut Tasks) {
        if let Some((task, stop)) = entry.watcher.take() {
            tasks.expect_end(task);
            stop.cancel();
        }
        entry.account.forget_listing(Listing::UinsFile);
        let Some(path) = entry.configured.uins_file.clone() else {
            entry.from_file = Arc::default();
            return;
        };
        let clock = &self.dependencies.clock;
        let name = format!("the reader of {}", path.display());
        let (watcher, listing) = UinsFileWatcher::first(path, clock).await;
        entry.file_read(listing, clock.now());
        let follow = watcher.follow(entry.configured.name.clone(), Arc::clone(clock), self.uins_file_changes.clone());
        let stop = self.stopping.child_token();
        let task = tasks.spawn_until(stop.clone(), name, follow);
        entry.watcher = Some((task, stop));
    }

    /// The plan of an account that is polled once.
    pub(super) fn plan_of(&mut self, configured: &config::Account) -> Plan {
        let source = self.credentials.of(configured, &self.dependencies);
        self.plan(configured, &source)
    }

    fn plan(&self, configured: &config::Account, credentials: &Arc<Source>) -> Plan {
        let client = |endpoint: &Endpoint, region: Option<Region>| {
            Client::new(endpoint.clone(), Arc::clone(&self.dependencies.transport))
                .with_program(PROGRAM)
                .with_region(region)
                .with_zone(configured.keys.time_zone)
                .with_timeout(configured.poll.timeout.get())
        };
        let mut settings = configured.poll;
        if self.polls_once {
            settings.interval = Interval::LONGEST;
        }
        Plan {
            credentials: Arc::clone(credentials),
            client: client(&configured.endpoint, configured.region.clone()),
            sts: client(&configured.sts_endpoint, Some(configured.region.clone().unwrap_or_else(Region::for_sts))),
            settings,
            rate: Rate::from(configured.poll.rate_limit).share(configured.rate_share()),
            include_self: configured.include_self,
            discovery: configured.discover.clone(),
            organization: configured.organization.as_ref().map(|organization| Organization {
                client: client(&organization.endpoint, configured.region.clone()),
                members: organization.members.clone(),
            }),
            owns: {
                let configured = configured.clone();
                Box::new(move |uin| configured.owns(uin))
            },
        }
    }
}

// === impl AccountEntry ===

impl AccountEntry {
    fn new(organization: Option<AccountName>, configured: config::Account) -> Self {
        let account = Arc::new(Account::new(configured.name.clone(), settings(&configured), []));
        Self { organization, configured, from_file: Arc::default(), account, poller: None, watcher: None }
    }

    /// Everybody who is polled for the account, here.
    fn users(&self) -> BTreeSet<Uin> {
        let all = self.configured.uins.iter().chain(self.from_file.iter());
        all.copied().filter(|uin| self.configured.owns(*uin)).collect()
    }

    /// `uins_file` has been read, with this result.
    fn file_read(&mut self, listing: FileListing, now: Timestamp) {
        let now = self.account.correct(now);
        match listing {
            Ok(users) => {
                info!(account = %self.configured.name, users = users.len(), "uins_file loaded");
                self.from_file = users;
                // The users first: once the file is known to be good, they are all users there are.
                self.account.set_configured(&self.users());
                self.account.listing_succeeded(Listing::UinsFile, now);
            }
            Err(error) => {
                let failure = ListingFailure { reason: None, code: None, error: error_text(&error), since: now };
                self.account.listing_failed(Listing::UinsFile, failure);
                error!(account = %self.configured.name, %error, "cannot load uins_file, keeping the last valid list");
            }
        }
    }

    fn stop(self, tasks: &mut Tasks) {
        let watcher = self.watcher.into_iter();
        for (task, stop) in watcher.chain(self.poller.map(|poller| (poller.task, poller.stop))) {
            tasks.expect_end(task);
            stop.cancel();
        }
    }
}

/// These accounts, and behind them the members of their organizations that are known, as the account `of` that name has
/// them. Names are unique: a configured account takes precedence.
fn with_members(
    configured: Vec<config::Account>,
    of: impl Fn(&AccountName) -> Option<Arc<Account>>,
) -> Vec<(Option<AccountName>, config::Account)> {
    let mut names: BTreeSet<AccountName> = configured.iter().map(|configured| configured.name.clone()).collect();
    let mut members = vec![];
    for entry in &configured {
        let Some(organization) = &entry.organization else { continue };
        let known = of(&entry.name).and_then(|account| account.members()).unwrap_or_default();
        let wanted = known.iter().filter(|(uin, member)| organization.members.admits(**uin, &member.name));
        for member in wanted.filter_map(|(uin, _)| entry.member(*uin)) {
            if names.insert(member.name.clone()) {
                members.push((Some(entry.name.clone()), member));
            } else {
                warn!(account = %entry.name, member = %member.name, "skipping member: another account has its name");
            }
        }
    }
    configured.into_iter().map(|configured| (None, configured)).chain(members).collect()
}

fn settings(configured: &config::Account) -> AccountSettings {
    AccountSettings {
        policy: Arc::clone(&configured.keys.policy),
        overrides: Arc::clone(&configured.keys.overrides),
        id_label: configured.keys.id_label,
        poll_interval: configured.poll.interval.get(),
        listings: ConfiguredListings {
            uins_file: configured.uins_file.is_some(),
            caller: configured.include_self,
            users: configured.discover.is_some(),
            typed_users: configured.discover.as_ref().is_some_and(|discovery| !discovery.user_types.is_empty()),
            members: configured.organization.is_some(),
            last_uses: configured.poll.last_used.is_some(),
        },
    }
}
