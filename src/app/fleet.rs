//! The accounts that are polled: started, changed and stopped as the configuration has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, task::Id};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Surroundings, tasks::Tasks};
use crate::{
    config,
    credentials::{Env, File, Source},
    inventory::{Account, AccountName, Facts, Inventory},
    metrics::Own,
    poll::{Plan, Poller, Rate, Wiring},
    tencent::{Client, Uin},
    web::Readiness,
};

/// How long an account that a reload brings waits. It may have been there a moment ago, and what it sent then still
/// counts against its budget.
const PAUSE: Duration = Duration::from_secs(2);

pub(super) struct Fleet {
    surroundings: Surroundings,
    inventory: Arc<Inventory>,
    own: Arc<Own>,
    readiness: Arc<Readiness>,
    stopping: CancellationToken,
    started: bool,
    members: BTreeMap<AccountName, Member>,
}

struct Member {
    configured: config::Account,
    /// The users that were last read from the account's file.
    from_file: BTreeSet<Uin>,
    account: Arc<Account>,
    credentials: Arc<Source>,
    plans: watch::Sender<Arc<Plan>>,
    stop: CancellationToken,
    task: Id,
}

// === impl Fleet ===

impl Fleet {
    pub(super) fn new(
        surroundings: Surroundings,
        inventory: Arc<Inventory>,
        own: Arc<Own>,
        readiness: Arc<Readiness>,
        stopping: CancellationToken,
    ) -> Self {
        Self { surroundings, inventory, own, readiness, stopping, started: false, members: BTreeMap::new() }
    }

    /// These accounts are polled from now on, each as configured. What is known of users that stay is kept, and their
    /// requests under way go on. Users that failed for good are asked again.
    pub(super) fn set_accounts(&mut self, configured: Vec<config::Account>, tasks: &mut Tasks) {
        let pause = if std::mem::replace(&mut self.started, true) { PAUSE } else { Duration::ZERO };
        let mut before = std::mem::take(&mut self.members);
        let mut accounts = vec![];
        for configured in configured {
            let name = configured.name.clone();
            let member = match before.remove(&name) {
                Some(member) => self.change(member, configured),
                None => self.start(configured, pause, tasks),
            };
            warn_if_short(&member);
            accounts.push(Arc::clone(&member.account));
            self.members.insert(name, member);
        }
        self.inventory.set_accounts(accounts);
        for (name, member) in before {
            info!(account = %name, "polling no longer");
            tasks.retire(member.task);
            member.stop.cancel();
            self.own.forget(&name);
        }
    }

    fn start(&self, configured: config::Account, pause: Duration, tasks: &mut Tasks) -> Member {
        let credentials = Arc::new(self.credentials(&configured));
        let account = Arc::new(Account::new(configured.name.clone(), facts(&configured), configured.uins.clone()));
        let (plans, plan) = watch::channel(Arc::new(self.plan(&configured, &credentials)));
        let readiness = Arc::clone(&self.readiness);
        let wiring = Wiring {
            account: Arc::clone(&account),
            metrics: self.own.account(&configured.name),
            clock: Arc::clone(&self.surroundings.clock),
            random: self.surroundings.random(),
            on_attempt: Box::new(move || readiness.poll_attempted()),
            pause,
        };
        let stop = self.stopping.child_token();
        let poller = Poller::new(wiring, plan).run(stop.clone());
        let task = tasks.spawn(format!("the poller of account {}", configured.name), poller);
        info!(
            account = %configured.name,
            users = account.users().len(),
            endpoint = %configured.endpoint,
            interval = %humantime::format_duration(configured.poll.interval.get()),
            "polling"
        );
        Member { configured, from_file: BTreeSet::new(), account, credentials, plans, stop, task }
    }

    fn change(&self, mut member: Member, configured: config::Account) -> Member {
        if configured.credentials != member.configured.credentials {
            member.credentials = Arc::new(self.credentials(&configured));
        }
        member.account.set_facts(facts(&configured));
        member.configured = configured;
        self.take_over(&member);
        member
    }

    /// Tells the inventory and the poller what the member is now.
    fn take_over(&self, member: &Member) {
        member.account.set_users(&member.configured.uins);
        member.plans.send_replace(Arc::new(self.plan(&member.configured, &member.credentials)));
    }

    fn plan(&self, configured: &config::Account, credentials: &Arc<Source>) -> Plan {
        Plan {
            credentials: Arc::clone(credentials),
            client: Client::new(
                configured.endpoint.clone(),
                configured.region.clone(),
                configured.keys.time_zone,
                configured.poll.timeout.get(),
                Arc::clone(&self.surroundings.transport),
            ),
            settings: configured.poll,
            rate: Rate::from(configured.poll.rate_limit),
        }
    }

    fn credentials(&self, configured: &config::Account) -> Source {
        match &configured.credentials {
            config::Credentials::Env => Source::Env(Env::new(self.surroundings.environment.clone())),
            config::Credentials::File(paths) => Source::File(Arc::new(File::new(paths.clone()))),
        }
    }
}

fn facts(configured: &config::Account) -> Facts {
    Facts {
        key_limit: configured.keys.limit,
        key_max_age: configured.keys.max_age,
        id_label: configured.keys.id_label,
        poll_interval: configured.poll.interval.get(),
    }
}

fn warn_if_short(member: &Member) {
    let users = member.account.users().len();
    let (interval, rate) = (member.configured.poll.interval.get(), Rate::from(member.configured.poll.rate_limit).get());
    #[expect(clippy::cast_precision_loss, reason = "numbers of users are far below 2^52")]
    let needed = Duration::from_secs_f64((users as f64 / rate).ceil());
    if needed > interval {
        warn!(
            account = %member.configured.name,
            users,
            interval = %humantime::format_duration(interval),
            would_fit = %humantime::format_duration(needed),
            "the rate limit does not reach every user in an interval, so each is polled less often: raise poll.interval"
        );
    }
}
