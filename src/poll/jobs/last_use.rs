//! Requests when keys were last used, for `poll.last_used`: of each key once an interval, of several in a request.
//!
//! Full key ids are kept only here, and leave the process only in such a request.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tencentcloud_api::{AccessKeyId, GetSecurityLastUsed, LastUse, Reason, Uin};
use tokio::{select, sync::Notify, time::Instant};

use super::{CallError, Engine, Job, Plan, until};
use crate::{inventory::Listing, poll::Interval};

/// The keys that polls list and requests name.
#[derive(Default)]
pub(in crate::poll) struct ListedKeys {
    queue: Mutex<LastUseQueue>,
    changed: Notify,
}

/// See [`Listing::LastUses`].
pub(in crate::poll) struct LastUseJob {
    keys: Arc<ListedKeys>,
    /// What was last requested.
    batch: Batch,
}

/// The keys of an account's users, and when each is due.
#[derive(Debug, Default)]
struct LastUseQueue {
    users: BTreeMap<Uin, Vec<AccessKeyId>>,
    keys: BTreeMap<(Uin, AccessKeyId), Due>,
    queue: BTreeSet<(Instant, Uin, AccessKeyId)>,
}

/// The keys of one request.
type Batch = Vec<(Uin, AccessKeyId)>;

#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    /// In a request of its own, because one with others was rejected.
    alone: bool,
}

// === impl ListedKeys ===

impl ListedKeys {
    /// The user has these keys.
    pub(super) fn listed(&self, uin: Uin, ids: Vec<AccessKeyId>) {
        self.queue.lock().listed(uin, ids);
        self.changed.notify_waiters();
    }

    /// Forgets the other users.
    pub(super) fn retain(&self, is_there: impl Fn(Uin) -> bool) {
        self.queue.lock().retain(is_there);
    }
}

// === impl LastUseJob ===

impl LastUseJob {
    pub(in crate::poll) fn new(keys: &Arc<ListedKeys>) -> Self {
        Self { keys: Arc::clone(keys), batch: Batch::new() }
    }
}

impl Job for LastUseJob {
    type Action = GetSecurityLastUsed;

    const NAME: &'static str = "asking when keys were last used";
    const LISTING: Option<Listing> = Some(Listing::LastUses);

    fn interval(plan: &Plan) -> Option<Duration> {
        plan.settings.last_used.map(Interval::get)
    }

    fn clear(&mut self, engine: &Engine) {
        *self.keys.queue.lock() = LastUseQueue::default();
        engine.account().forget_last_use();
    }

    /// Waits for a key as well.
    async fn wait(&mut self, due: Option<Instant>) {
        loop {
            let changed = self.keys.changed.notified();
            let due = due.zip(self.keys.queue.lock().due()).map(|(job, key)| job.max(key));
            if due.is_some_and(|due| due <= Instant::now()) {
                return;
            }
            select! {
                () = changed => {}
                () = until(due) => {}
            }
        }
    }

    fn action(&mut self) -> Option<GetSecurityLastUsed> {
        self.batch = self.keys.queue.lock().batch();
        // Their users may have been removed meanwhile.
        (!self.batch.is_empty()).then(|| GetSecurityLastUsed::of(self.batch.iter().map(|(_, id)| id)))
    }

    fn answered(
        &mut self,
        uses: HashMap<AccessKeyId, LastUse>,
        engine: &Engine,
        plan: &Plan,
    ) -> Result<Option<Duration>, CallError> {
        let mut queue = self.keys.queue.lock();
        for uin in self.batch.iter().map(|(uin, _)| *uin).collect::<HashSet<Uin>>() {
            engine.account().used(uin, queue.ids(uin), |id| uses.get(id).copied());
        }
        queue.answered(&self.batch, Self::interval(plan).unwrap_or_default());
        engine.account().listing_succeeded(Listing::LastUses, engine.now());
        Ok(Some(Duration::ZERO))
    }

    fn failed(&mut self, error: &CallError, plan: &Plan, interval: Duration) -> Duration {
        if error.reason == Reason::Denied {
            interval
        } else if error.reason.is_user_specific() {
            self.keys.queue.lock().rejected(&self.batch, interval);
            Duration::ZERO
        } else {
            plan.settings.interval.get().min(interval)
        }
    }
}

// === impl LastUseQueue ===

impl LastUseQueue {
    /// The user has these keys. New ones are due now.
    fn listed(&mut self, uin: Uin, ids: Vec<AccessKeyId>) {
        let there: HashSet<&AccessKeyId> = ids.iter().collect();
        for id in self.users.remove(&uin).unwrap_or_default() {
            if !there.contains(&id) {
                self.remove(uin, id);
            }
        }
        let now = Instant::now();
        for id in &ids {
            if let Entry::Vacant(key) = self.keys.entry((uin, id.clone())) {
                key.insert(Due { at: now, alone: false });
                self.queue.insert((now, uin, id.clone()));
            }
        }
        self.users.insert(uin, ids);
    }

    /// Forgets the other users.
    fn retain(&mut self, is_there: impl Fn(Uin) -> bool) {
        let gone: Vec<Uin> = self.users.keys().copied().filter(|uin| !is_there(*uin)).collect();
        for uin in gone {
            self.listed(uin, vec![]);
            self.users.remove(&uin);
        }
    }

    /// The keys of the user.
    fn ids(&self, uin: Uin) -> &[AccessKeyId] {
        self.users.get(&uin).map_or(&[], Vec::as_slice)
    }

    /// When the next key is due.
    fn due(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _, _)| *at)
    }

    /// Those that are due, as many as one request may name. They stay due until [`Self::answered`] or [`Self::rejected`].
    fn batch(&self) -> Batch {
        let now = Instant::now();
        let mut batch = Batch::new();
        for (_, uin, id) in self.queue.iter().take_while(|(at, _, _)| *at <= now) {
            let key = (*uin, id.clone());
            let alone = self.keys.get(&key).is_some_and(|due| due.alone);
            if alone && batch.is_empty() {
                return vec![key];
            }
            if !alone {
                batch.push(key);
            }
            if batch.len() == GetSecurityLastUsed::MAX_KEYS {
                break;
            }
        }
        batch
    }

    /// The request succeeded: the keys are due again after this time.
    fn answered(&mut self, batch: &Batch, wait: Duration) {
        self.set(batch, Due { at: Instant::now() + wait, alone: false });
    }

    /// The API rejected the request because of one of the keys: each goes into a request of its own, so that the others are
    /// answered. One that is alone already is due again after this time.
    fn rejected(&mut self, batch: &Batch, wait: Duration) {
        let wait = if batch.len() > 1 { Duration::ZERO } else { wait };
        self.set(batch, Due { at: Instant::now() + wait, alone: true });
    }

    fn set(&mut self, batch: &Batch, due: Due) {
        for key in batch {
            // It may have gone meanwhile.
            if let Some(before) = self.keys.get_mut(key) {
                self.queue.remove(&(before.at, key.0, key.1.clone()));
                *before = due;
                self.queue.insert((due.at, key.0, key.1.clone()));
            }
        }
    }

    fn remove(&mut self, uin: Uin, id: AccessKeyId) {
        if let Some(due) = self.keys.remove(&(uin, id.clone())) {
            self.queue.remove(&(due.at, uin, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn uin(number: u64) -> Uin {
        number.try_into().unwrap()
    }

    fn ids(names: &[&str]) -> Vec<AccessKeyId> {
        names.iter().map(|name| (*name).into()).collect()
    }

    fn names(batch: &Batch) -> Vec<&str> {
        let mut names: Vec<&str> = batch.iter().map(|(_, id)| id.expose()).collect();
        names.sort_unstable();
        names
    }

    #[tokio::test(start_paused = true)]
    async fn each_key_is_requested_once_an_interval_and_a_new_one_at_once() {
        let mut queue = LastUseQueue::default();
        assert_eq!((queue.due(), queue.batch()), (None, vec![]));
        for number in 1..=12 {
            queue.listed(uin(number), ids(&[&format!("key-{number}")]));
        }
        let (first, now) = (queue.batch(), Instant::now());
        assert_eq!(first.len(), 10);
        assert_eq!(queue.batch(), first, "it stays due until it is answered");
        queue.answered(&first, HOUR);
        assert_eq!((queue.due(), queue.batch().len()), (Some(now), 2));
        queue.answered(&queue.batch(), HOUR);
        assert_eq!((queue.due(), queue.batch().len()), (Some(now + HOUR), 0));
        queue.listed(uin(1), ids(&["key-1", "new"]));
        assert_eq!(names(&queue.batch()), ["new"]);
        advance(HOUR).await;
        assert_eq!(queue.batch().len(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn removed_key_is_not_requested() {
        let mut queue = LastUseQueue::default();
        queue.listed(uin(1), ids(&["a", "b"]));
        queue.listed(uin(2), ids(&["c"]));
        let batch = queue.batch();
        queue.listed(uin(1), ids(&["b"]));
        queue.retain(|user| user != uin(2));
        assert_eq!((names(&queue.batch()), queue.ids(uin(2)).len()), (vec!["b"], 0));
        queue.answered(&batch, HOUR);
        queue.listed(uin(2), ids(&["c"]));
        assert_eq!(names(&queue.batch()), ["c"], "a late answer does not count for it");
    }

    #[tokio::test(start_paused = true)]
    async fn key_that_the_api_rejects_does_not_keep_the_others_from_an_answer() {
        let mut queue = LastUseQueue::default();
        queue.listed(uin(1), ids(&["bad", "good", "well"]));
        let mut answered = vec![];
        while queue.due().is_some_and(|due| due <= Instant::now()) {
            let batch = queue.batch();
            if batch.iter().any(|(_, id)| id.expose() == "bad") {
                queue.rejected(&batch, HOUR);
            } else {
                answered.extend(batch.iter().map(|(_, id)| id.expose().to_owned()));
                queue.answered(&batch, HOUR);
            }
        }
        answered.sort();
        assert_eq!(answered, ["good", "well"]);
        advance(HOUR).await;
        assert_eq!(queue.batch().len(), 1, "it is alone again");
        queue.answered(&queue.batch(), HOUR);
        assert_eq!(names(&queue.batch()), ["good", "well"]);
    }
}
