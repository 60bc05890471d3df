//! Which keys are to be asked about next: each once an interval, several in a request.
//!
//! This is where the ids of keys are kept, for only they can be asked with. Nothing here leaves the process but in such
//! a request.

use std::{
    collections::{BTreeSet, HashMap, HashSet, hash_map::Entry},
    time::Duration,
};

use tokio::time::Instant;

use tencentcloud_api::{AccessKeyId, GetSecurityLastUsed, Uin};

/// The keys of an account's users, and when each is due.
#[derive(Debug, Default)]
pub(super) struct LastUseQueue {
    users: HashMap<Uin, Vec<AccessKeyId>>,
    keys: HashMap<(Uin, AccessKeyId), Due>,
    queue: BTreeSet<(Instant, Uin, AccessKeyId)>,
}

/// Keys that one request asks about.
pub(super) type Batch = Vec<(Uin, AccessKeyId)>;

#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    /// In a request of its own: one with others was refused.
    alone: bool,
}

// === impl LastUseQueue ===

impl LastUseQueue {
    /// The user has these keys. One that is new is due now.
    pub(super) fn listed(&mut self, uin: Uin, ids: Vec<AccessKeyId>) {
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

    /// Forgets the users that are no longer there.
    pub(super) fn retain(&mut self, is_there: impl Fn(Uin) -> bool) {
        let gone: Vec<Uin> = self.users.keys().copied().filter(|uin| !is_there(*uin)).collect();
        for uin in gone {
            self.listed(uin, vec![]);
            self.users.remove(&uin);
        }
    }

    /// The keys of the user.
    pub(super) fn ids(&self, uin: Uin) -> &[AccessKeyId] {
        self.users.get(&uin).map_or(&[], Vec::as_slice)
    }

    /// When the next key is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _, _)| *at)
    }

    /// Those that are due, as many as one request may name. They stay due until it is told what became of them.
    pub(super) fn batch(&self) -> Batch {
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

    /// They were asked about, and need not be for this long.
    pub(super) fn asked(&mut self, batch: &Batch, wait: Duration) {
        self.set(batch, Due { at: Instant::now() + wait, alone: false });
    }

    /// The API will not hear of one of them: each is asked about alone, so that the others do not suffer. One that is
    /// alone already waits for this long.
    pub(super) fn refused(&mut self, batch: &Batch, wait: Duration) {
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
    async fn every_key_is_asked_about_once_an_interval_and_a_new_one_at_once() {
        let mut queue = LastUseQueue::default();
        assert_eq!((queue.due(), queue.batch()), (None, vec![]));
        for number in 1..=12 {
            queue.listed(uin(number), ids(&[&format!("key-{number}")]));
        }
        let (first, now) = (queue.batch(), Instant::now());
        assert_eq!(first.len(), 10);
        assert_eq!(queue.batch(), first, "it stays due until it is told of");
        queue.asked(&first, HOUR);
        assert_eq!((queue.due(), queue.batch().len()), (Some(now), 2));
        queue.asked(&queue.batch(), HOUR);
        assert_eq!((queue.due(), queue.batch().len()), (Some(now + HOUR), 0));
        queue.listed(uin(1), ids(&["key-1", "new"]));
        assert_eq!(names(&queue.batch()), ["new"]);
        advance(HOUR).await;
        assert_eq!(queue.batch().len(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_is_not_asked_about() {
        let mut queue = LastUseQueue::default();
        queue.listed(uin(1), ids(&["a", "b"]));
        queue.listed(uin(2), ids(&["c"]));
        let batch = queue.batch();
        queue.listed(uin(1), ids(&["b"]));
        queue.retain(|user| user != uin(2));
        assert_eq!((names(&queue.batch()), queue.ids(uin(2)).len()), (vec!["b"], 0));
        queue.asked(&batch, HOUR);
        queue.listed(uin(2), ids(&["c"]));
        assert_eq!(names(&queue.batch()), ["c"], "an answer that comes late says nothing of it");
    }

    #[tokio::test(start_paused = true)]
    async fn one_key_that_the_api_will_not_hear_of_does_not_keep_the_others_from_it() {
        let mut queue = LastUseQueue::default();
        queue.listed(uin(1), ids(&["bad", "good", "well"]));
        let mut told = vec![];
        while queue.due().is_some_and(|due| due <= Instant::now()) {
            let batch = queue.batch();
            if batch.iter().any(|(_, id)| id.expose() == "bad") {
                queue.refused(&batch, HOUR);
            } else {
                told.extend(batch.iter().map(|(_, id)| id.expose().to_owned()));
                queue.asked(&batch, HOUR);
            }
        }
        told.sort();
        assert_eq!(told, ["good", "well"]);
        advance(HOUR).await;
        assert_eq!(queue.batch().len(), 1, "it is alone again");
        queue.asked(&queue.batch(), HOUR);
        assert_eq!(names(&queue.batch()), ["good", "well"]);
    }
}
