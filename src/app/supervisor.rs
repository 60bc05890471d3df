//! The accounts that are polled: started, changed and stopped as the configuration has it.

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
    changes: mpsc::Sender<UinsFileChange>,
    /// Signals that an organization's members have changed.
    joined: Arc<Notify>,
    /// The configured accounts, in their order.
    order: Vec<AccountName>,
    sources: CredentialCache,
    members: BTreeMap<AccountName, Member>,
    polls_once: bool,
}

struct Member {
    /// The account whose organisation it belongs to, unless it is a configured one itself.
    organization: Option<AccountName>,
    configured: config::Account,
    /// The users that the account's file listed when it was last good.
    from_file: Arc<BTreeSet<Uin>>,
    account: Arc<Account>,
    /// Once it is polled.
    polled: Option<PollerHandle>,
    /// The task that follows the file, where there is one.
    follower: Option<(Id, CancellationToken)>,
}

struct PollerHandle {
    /// Who it is polled as.
    credentials: Arc<Source>,
    plans: watch::Sender<Arc<Plan>>,
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
        changes: mpsc::Sender<UinsFileChange>,
        joined: Arc<Notify>,
    ) -> Self {
        let (order, sources, members) = (vec![], CredentialCache::default(), BTreeMap::new());
        Self {
            dependencies,
            inventory,
            own,
            readiness,
            stopping,
            changes,
            joined,
            order,
            sources,
            members,
            polls_once: false,
        }
    }

    /// Polls each user once: one that was answered about is not polled again, and one that is throttled has failed.
    pub(super) fn polling_once(self) -> Self {
        Self { polls_once: true, ..self }
    }

    /// These accounts are there from now on, each as configured. What is known of users that stay is kept. Polling, and
    /// how it is done, waits for [`Self::poll`].
    pub(super) async fn set_accounts(&mut self, configured: Vec<config::Account>, tasks: &mut Tasks) {
        let mut before = std::mem::take(&mut self.members);
        self.order = configured.iter().map(|configured| configured.name.clone()).collect();
        let with_members = joined(configured, |name| before.get(name).map(|member| Arc::clone(&member.account)));
        for (organization, configured) in with_members {
            let name = configured.name.clone();
            let old_file = before.get(&name).and_then(|member| member.configured.uins_file.clone());
            let new_file = configured.uins_file.clone();
            let mut member = match before.remove(&name) {
                Some(member) => {
                    member.account.set_settings(settings(&configured));
                    Member { organization, configured, ..member }
                }
                None => Member::new(organization, configured),
            };
            if old_file != new_file {
                self.follow(&mut member, tasks).await;
            }
            member.account.set_users(&member.users());
            self.members.insert(name, member);
        }
        self.show();
        for (name, member) in before {
            self.remove(&name, member, tasks);
        }
    }

    /// Starts polling members that have joined an organization, and stops polling those that have left. The others continue.
    pub(super) fn sync_members(&mut self, tasks: &mut Tasks) {
        let configured = self.order.iter().filter_map(|name| self.members.get(name));
        let configured = configured.map(|member| member.configured.clone()).collect();
        let wanted = joined(configured, |name| self.members.get(name).map(|member| Arc::clone(&member.account)));
        let mut before = std::mem::take(&mut self.members);
        let mut turn = 0;
        for (organization, configured) in wanted {
            let name = configured.name.clone();
            let member = match before.remove(&name) {
                Some(member) if member.organization == organization => member,
                // It has gone from one organisation to another.
                Some(member) => {
                    member.account.set_settings(settings(&configured));
                    let mut member = Member { organization, configured, ..member };
                    member.polled = member.polled.take().map(|polled| self.change(&member, polled));
                    member
                }
                None => {
                    let mut member = Member::new(organization, configured);
                    member.polled = Some(self.start(&member, &mut turn, tasks));
                    member
                }
            };
            self.members.insert(name, member);
        }
        self.show();
        for (name, member) in before {
            self.remove(&name, member, tasks);
        }
    }

    /// The accounts in the inventory are these: in the order of the configuration, and members behind those whose
    /// organisation has them.
    fn show(&self) {
        let mut of: BTreeMap<&AccountName, Vec<Arc<Account>>> = BTreeMap::new();
        for (name, member) in &self.members {
            let accounts = of.entry(member.organization.as_ref().unwrap_or(name)).or_default();
            let place = if member.organization.is_none() { 0 } else { accounts.len() };
            accounts.insert(place, Arc::clone(&member.account));
        }
        self.inventory.set_accounts(self.order.iter().filter_map(|name| of.remove(name)).flatten().collect());
    }

    fn remove(&self, name: &AccountName, member: Member, tasks: &mut Tasks) {
        info!(account = %name, "stopped polling account");
        member.stop(tasks);
        self.own.forget(name);
    }

    /// The accounts as they are configured now.
    pub(super) fn configured(&self) -> Vec<config::Account> {
        self.members.values().map(|member| member.configured.clone()).collect()
    }

    /// Polls the accounts as they are configured now. Requests under way go on; users that failed for good are asked
    /// again.
    pub(super) fn poll(&mut self, tasks: &mut Tasks) {
        let mut members = std::mem::take(&mut self.members);
        let mut turn = 0;
        for member in members.values_mut() {
            member.polled = Some(match member.polled.take() {
                Some(polled) => self.change(member, polled),
                None => self.start(member, &mut turn, tasks),
            });
        }
        self.members = members;
    }

    /// A file has come to list other users, or has become unusable.
    pub(super) fn apply_uins_file(&mut self, UinsFileChange { account, listing }: UinsFileChange) {
        let Some(mut member) = self.members.remove(&account) else { return };
        member.listed(listing, self.dependencies.clock.now());
        member.account.set_users(&member.users());
        member.polled = member.polled.take().map(|polled| self.change(&member, polled));
        self.members.insert(account, member);
    }

    /// Begins to poll. `turn` counts the members of organisations that begin with it.
    fn start(&mut self, member: &Member, turn: &mut u32, tasks: &mut Tasks) -> PollerHandle {
        let configured = &member.configured;
        let credentials = self.sources.of(configured, &self.dependencies);
        let (plans, plan) = watch::channel(Arc::new(self.plan(configured, &credentials)));
        let (readiness, joined) = (Arc::clone(&self.readiness), Arc::clone(&self.joined));
        let mut delay = Duration::ZERO;
        if member.organization.is_some() {
            delay = BETWEEN_MEMBERS * *turn;
            *turn += 1;
        }
        let deps = PollerDeps {
            account: Arc::clone(&member.account),
            metrics: self.own.account(&configured.name),
            clock: Arc::clone(&self.dependencies.clock),
            random: self.dependencies.random().into(),
            on_attempt: Box::new(move || readiness.poll_attempted()),
            on_members: Box::new(move || joined.notify_one()),
            polls_once: self.polls_once,
            delay,
        };
        let stop = self.stopping.child_token();
        let poller = Poller::new(deps, plan).run(stop.clone());
        let task = tasks.spawn(format!("the poller of account {}", configured.name), poller);
        info!(
            account = %configured.name,
            users = member.account.users().len(),
            endpoint = %configured.endpoint,
            interval = %crate::duration::format(configured.poll.interval.get()),
            "polling"
        );
        PollerHandle { credentials, plans, stop, task }
    }

    fn change(&mut self, member: &Member, mut polled: PollerHandle) -> PollerHandle {
        // The same source goes on: it may hold the last good credential of files that are gone.
        polled.credentials = self.sources.of(&member.configured, &self.dependencies);
        polled.plans.send_replace(Arc::new(self.plan(&member.configured, &polled.credentials)));
        polled
    }

    /// Follows the member's file instead of the one before.
    async fn follow(&self, member: &mut Member, tasks: &mut Tasks) {
        if let Some((task, stop)) = member.follower.take() {
            tasks.expect_end(task);
            stop.cancel();
        }
        member.account.forget_listing(Listing::UinsFile);
        let Some(path) = member.configured.uins_file.clone() else {
            member.from_file = Arc::default();
            return;
        };
        let clock = &self.dependencies.clock;
        let name = format!("the reader of {}", path.display());
        let (followed, listing) = UinsFileWatcher::first(path, clock).await;
        member.listed(listing, clock.now());
        let follow = followed.follow(member.configured.name.clone(), Arc::clone(clock), self.changes.clone());
        let stop = self.stopping.child_token();
        let stopped = stop.clone();
        let task = tasks.spawn(name, async move {
            stopped.run_until_cancelled(follow).await;
        });
        member.follower = Some((task, stop));
    }

    /// The plan of an account that is polled once.
    pub(super) fn plan_of(&mut self, configured: &config::Account) -> Plan {
        let source = self.sources.of(configured, &self.dependencies);
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
        let share = configured.clone();
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
            owns: Box::new(move |uin| share.owns(uin)),
        }
    }
}

// === impl Member ===

impl Member {
    fn new(organization: Option<AccountName>, configured: config::Account) -> Self {
        let account = Arc::new(Account::new(configured.name.clone(), settings(&configured), []));
        Self { organization, configured, from_file: Arc::default(), account, polled: None, follower: None }
    }

    /// Everybody who is polled for the account, here.
    fn users(&self) -> BTreeSet<Uin> {
        let all = self.configured.uins.iter().chain(self.from_file.iter());
        all.copied().filter(|uin| self.configured.owns(*uin)).collect()
    }

    fn listed(&mut self, listing: FileListing, now: Timestamp) {
        let now = self.account.correct(now);
        match listing {
            Ok(users) => {
                info!(account = %self.configured.name, users = users.len(), "uins_file loaded");
                self.from_file = users;
                // The users first: once the file is known to be good, they are all users there are.
                self.account.set_users(&self.users());
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
        let follower = self.follower.into_iter();
        for (task, stop) in follower.chain(self.polled.map(|polled| (polled.task, polled.stop))) {
            tasks.expect_end(task);
            stop.cancel();
        }
    }
}

/// These accounts, and behind them the members of their organisations that are known, `of` the account that is polled by
/// that name. Names are unique: a configured account takes precedence.
fn joined(
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
