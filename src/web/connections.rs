//! The connections there are: so many at the most, and none for longer than its patience lasts.
//!
//! When all places are taken, whoever comes next gets the one of a connection that can be spared (see [`Pace::worth`]).
//! So neither connections that idle nor heads that never end keep a scraper out. There is no cap for one peer: behind a
//! network address translation, as in a cluster, all peers look like one.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    answer::Answer,
    patience::{HEAD, Pace},
};

/// The connections of a listener.
#[derive(Debug)]
pub struct Connections {
    places: usize,
    open: Mutex<Vec<Connection>>,
    /// A connection has gone, or can be spared.
    changed: Arc<Notify>,
}

/// A connection, for whoever tells what happens on it, and for whoever may end it.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Open>);

#[derive(Debug)]
struct Open {
    pace: Mutex<Pace>,
    /// What goes when all that was handed to the connection has left it.
    unflushed: Mutex<Vec<Arc<()>>>,
    cut: CancellationToken,
    changed: Arc<Notify>,
}

/// The place of a connection, which is free again once this is dropped.
#[derive(Debug)]
pub struct Place {
    connection: Connection,
    connections: Arc<Connections>,
}

// === impl Connections ===

impl Connections {
    /// None yet, and `places` at the most.
    #[must_use]
    pub fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places, open: Mutex::default(), changed: Arc::default() })
    }

    /// Waits until there is a place, or one could be made.
    pub async fn room(&self) {
        while !self.has_room() {
            self.changed.notified().await;
        }
    }

    /// A place for a connection that has just come. Made by ending another, if need be; should there be none that can
    /// be spared, it waits.
    pub async fn admit(self: &Arc<Self>) -> Place {
        loop {
            {
                let mut open = self.open.lock();
                if open.len() < self.places {
                    let connection = Connection::new(Arc::clone(&self.changed));
                    open.push(connection.clone());
                    return Place { connection, connections: Arc::clone(self) };
                }
                // One at a time: whoever is cut off leaves at its next turn.
                if !open.iter().any(Connection::is_cut_off) {
                    let spared = open.iter().filter_map(|one| Some((one.0.pace.lock().worth()?, one)));
                    if let Some((_, spared)) = spared.min_by_key(|(worth, _)| *worth) {
                        spared.cut_off();
                    }
                }
            }
            self.changed.notified().await;
        }
    }

    /// Ends every connection whose patience has ended, for ever.
    pub async fn cut_off_the_overdue(&self) {
        loop {
            let now = Instant::now();
            // What begins in the meantime has at least as long as a head; only waits that add up may be noticed later.
            let mut next = now + HEAD;
            for one in self.open.lock().iter().filter(|one| !one.is_cut_off()) {
                match one.0.pace.lock().deadline() {
                    Some(deadline) if deadline <= now => one.cut_off(),
                    Some(deadline) => next = next.min(deadline),
                    None => {}
                }
            }
            sleep_until(next).await;
        }
    }

    fn has_room(&self) -> bool {
        let open = self.open.lock();
        let can_be_spared = |one: &Connection| !one.is_cut_off() && one.0.pace.lock().worth().is_some();
        open.len() < self.places || open.iter().any(can_be_spared)
    }
}

// === impl Connection ===

impl Connection {
    fn new(changed: Arc<Notify>) -> Self {
        let pace = Mutex::new(Pace::new(Instant::now()));
        Self(Arc::new(Open { pace, unflushed: Mutex::default(), cut: CancellationToken::new(), changed }))
    }

    /// Several requests may be under way at once from now on, as in HTTP/2.
    pub fn multiplex(&self) {
        self.0.pace.lock().multiplex();
    }

    /// Bytes have come.
    pub fn heard(&self) {
        self.0.pace.lock().heard(Instant::now());
    }

    /// A head is whole: its answer, which is under way until it is dropped and what it was has been flushed.
    #[must_use]
    pub fn answer(&self) -> Answer {
        self.0.pace.lock().answer_begun();
        Answer::new(self.clone())
    }

    /// An answer is prepared.
    pub(super) fn answer_prepared(&self) {
        self.0.pace.lock().answer_prepared(Instant::now());
    }

    /// All of an answer has been handed to the connection. `token` goes once it has been flushed.
    pub(super) fn answer_handed_over(&self, was_prepared: bool, token: Arc<()>) {
        self.0.pace.lock().answer_handed_over(was_prepared);
        self.0.unflushed.lock().push(token);
    }

    /// Bytes cannot be written.
    pub fn blocked(&self) {
        self.0.pace.lock().blocked(Instant::now());
    }

    /// So many bytes have been written.
    pub fn took(&self, bytes: usize) {
        self.0.pace.lock().took(bytes, Instant::now());
    }

    /// All that was handed to the connection has been written.
    pub fn flushed(&self) {
        self.0.unflushed.lock().clear();
        if self.0.pace.lock().flushed(Instant::now()) {
            self.0.changed.notify_one();
        }
    }

    /// For how long its reader has taken nothing, if it keeps us waiting.
    #[must_use]
    pub fn waiting(&self) -> Option<Duration> {
        self.0.pace.lock().waiting(Instant::now())
    }

    /// Ends it, whatever it does.
    pub fn cut_off(&self) {
        self.0.cut.cancel();
    }

    /// Whether it has been ended.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.0.cut.is_cancelled()
    }

    /// Serves it with `served` until that has ended, or the connection is cut off.
    pub async fn until_cut_off(&self, served: impl Future<Output = ()>) {
        self.0.cut.run_until_cancelled(served).await;
    }
}

// === impl Place ===

impl Place {
    /// The connection that has it.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Connection(gone) = &self.connection;
        self.connections.open.lock().retain(|Connection(open)| !Arc::ptr_eq(open, gone));
        gone.unflushed.lock().clear();
        gone.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    async fn full(places: usize) -> (Arc<Connections>, Vec<Place>) {
        let connections = Connections::new(places);
        let mut taken = vec![];
        for _ in 0..places {
            taken.push(connections.admit().await);
            advance(Duration::from_millis(1)).await;
        }
        (connections, taken)
    }

    fn cut_off(places: &[Place]) -> Vec<usize> {
        (0..places.len()).filter(|place| places[*place].connection.is_cut_off()).collect()
    }

    fn idle(connection: &Connection) {
        drop(connection.answer());
        connection.flushed();
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_makes_room_before_the_longest_unfinished_head() {
        let (connections, mut places) = full(5).await;
        let mut answers = vec![places[0].connection.answer()];
        for place in [4, 3] {
            idle(&places[place].connection);
            advance(Duration::from_millis(1)).await;
        }
        for spared in [4, 3, 1, 2] {
            connections.room().await;
            let mut comes = std::pin::pin!(connections.admit());
            assert!(timeout(Duration::from_secs(1), &mut comes).await.is_err(), "there are five still");
            assert_eq!(cut_off(&places), [spared]);
            let gone = places[spared].connection.clone();
            let place = comes.as_mut();
            // What was cut off leaves, and its place is taken by one that answers.
            let leaves = async { drop(places.remove(spared)) };
            let (came, ()) = tokio::join!(place, leaves);
            assert!(gone.is_cut_off() && !came.connection.is_cut_off());
            answers.push(came.connection.answer());
            places.insert(spared, came);
        }
        assert!(timeout(Duration::from_hours(1), connections.room()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_under_way_is_not_ended_and_whoever_comes_waits_for_it() {
        let (connections, places) = full(1).await;
        let answer = places[0].connection.answer();
        assert!(timeout(Duration::from_hours(1), connections.room()).await.is_err());
        drop(answer);
        assert!(timeout(Duration::from_hours(1), connections.room()).await.is_err(), "it has not been flushed");
        places[0].connection.flushed();
        timeout(Duration::from_secs(1), connections.room()).await.unwrap();
        assert_eq!(cut_off(&places), Vec::<usize>::new(), "nobody has come");
    }

    #[tokio::test(start_paused = true)]
    async fn the_overdue_are_cut_off_on_time() {
        let (connections, places) = full(4).await;
        let [half_a_head, idles, slow, quick] = [0, 1, 2, 3].map(|place| places[place].connection.clone());
        idle(&idles);
        let answers = [slow.answer(), quick.answer()];
        slow.blocked();
        let sweeper = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.cut_off_the_overdue().await }
        });
        for (seconds, gone) in [(4, vec![]), (2, vec![0]), (3, vec![0]), (2, vec![0, 2]), (138, vec![0, 2])] {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            assert_eq!(cut_off(&places), gone);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(half_a_head.is_cut_off() && idles.is_cut_off() && slow.is_cut_off() && !quick.is_cut_off());
        sweeper.abort();
        drop(answers);
    }
}
