//! The connections of a listener: a limited number of places, and a time limit for each thing that a connection does.
//!
//! When all places are taken, a new connection gets the place of the one that has kept us waiting longest, less a credit
//! for what it has read ([`EvictionPriority`]). So neither idle connections nor unfinished heads nor readers that read
//! nothing keep a scraper out. There is no limit for a single peer: behind an address translation, as in a cluster, all peers
//! look like one.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    response::ResponseGuard,
    timeouts::{ConnectionTimers, EvictionPriority, HEAD_TIMEOUT},
};
use crate::observer::{HttpRefused, Observer};

/// The connections of a listener.
#[derive(Debug)]
pub(crate) struct Connections {
    places: usize,
    open: Mutex<Vec<Connection>>,
    /// A connection has gone, or can be evicted.
    changed: Arc<Notify>,
    observer: Arc<dyn Observer>,
}

/// A connection: reports what happens on it, and can be closed.
#[derive(Clone, Debug)]
pub(crate) struct Connection(Arc<Open>);

#[derive(Debug)]
struct Open {
    timers: Mutex<ConnectionTimers>,
    /// A token for each response that was handed to the connection whole, dropped when all of it has been written. The handle of
    /// the response has it as a `Weak`, and so sees that.
    unflushed: Mutex<Vec<Arc<()>>>,
    closed: CancellationToken,
    changed: Arc<Notify>,
}

/// How soon to look again for a connection to evict.
pub(super) const EVICTION_RETRY: Duration = Duration::from_millis(10);

/// The place of a connection. It is free again once this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    connection: Connection,
    connections: Arc<Connections>,
}

// === impl Connections ===

impl Connections {
    /// None yet, and at most `places`. Evictions are counted in `observer`.
    #[must_use]
    pub(crate) fn new(places: usize, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self { places, open: Mutex::default(), changed: Arc::default(), observer })
    }

    /// A place for a new connection. Evicts another if all are taken. Waits if none can be evicted.
    pub(crate) async fn admit(self: &Arc<Self>) -> Place {
        loop {
            {
                let mut open = self.open.lock();
                if open.len() < self.places {
                    let connection = Connection::new(Arc::clone(&self.changed));
                    open.push(connection.clone());
                    return Place { connection, connections: Arc::clone(self) };
                }
                self.evict_from(&open);
            }
            // One may become evictable by the mere passing of time.
            let _ = timeout(EVICTION_RETRY, self.changed.notified()).await;
        }
    }

    /// Evicts a connection, if one can be.
    pub(crate) fn evict(&self) {
        self.evict_from(&self.open.lock());
    }

    /// One at a time: a closed connection leaves at its next turn.
    fn evict_from(&self, open: &[Connection]) {
        if open.iter().any(Connection::is_closed) {
            return;
        }
        let candidates = open.iter().filter_map(|one| Some((one.eviction_priority()?, one)));
        if let Some((_, evicted)) = candidates.max_by_key(|(priority, _)| *priority) {
            evicted.close();
            self.observer.http_refused(HttpRefused::Limit);
        }
    }

    /// Closes every connection whose time has expired, for ever.
    pub(crate) async fn close_expired(&self) {
        loop {
            let now = Instant::now();
            // What begins in the meantime has at least as long as a head; only waits that add up may be noticed later.
            let mut next = now + HEAD_TIMEOUT;
            for one in self.open.lock().iter().filter(|one| !one.is_closed()) {
                match one.0.timers.lock().deadline() {
                    Some(deadline) if deadline <= now => one.close(),
                    Some(deadline) => next = next.min(deadline),
                    None => {}
                }
            }
            sleep_until(next).await;
        }
    }
}

// === impl Connection ===

impl Connection {
    fn new(changed: Arc<Notify>) -> Self {
        let timers = Mutex::new(ConnectionTimers::new(Instant::now()));
        Self(Arc::new(Open { timers, unflushed: Mutex::default(), closed: CancellationToken::new(), changed }))
    }

    /// Several requests may be under way at once from now on, as in HTTP/2.
    pub(crate) fn multiplex(&self) {
        self.0.timers.lock().multiplex();
    }

    /// Bytes have been read.
    pub(crate) fn on_read(&self) {
        self.0.timers.lock().on_read(Instant::now());
    }

    /// A head is complete. The response is under way until the guard is dropped and what was written is flushed.
    #[must_use]
    pub(crate) fn on_request(&self) -> ResponseGuard {
        let pipelined = self.0.timers.lock().on_request();
        ResponseGuard::new(self.clone(), pipelined)
    }

    /// A response is prepared.
    pub(super) fn response_prepared(&self) {
        self.0.timers.lock().on_response_prepared(Instant::now());
        self.0.changed.notify_one();
    }

    /// All of a response has been handed to the connection. `token` is dropped once it has been flushed.
    pub(super) fn response_handed_over(&self, was_prepared: bool, token: Arc<()>) {
        self.0.timers.lock().on_response_handed_over(was_prepared);
        self.0.unflushed.lock().push(token);
    }

    /// Bytes cannot be written.
    pub(crate) fn on_write_blocked(&self) {
        self.0.timers.lock().on_write_blocked(Instant::now());
        self.0.changed.notify_one();
    }

    /// So many bytes have been written.
    pub(crate) fn on_write(&self, bytes: usize) {
        self.0.timers.lock().on_write(bytes, Instant::now());
    }

    /// All that was handed to the connection has been written.
    pub(crate) fn on_flush(&self) {
        self.0.unflushed.lock().clear();
        self.0.timers.lock().on_flush(Instant::now());
        self.0.changed.notify_one();
    }

    /// HTTP has ended on it. What is left is to wait until the peer closes its side.
    pub(crate) fn on_end(&self) {
        self.0.timers.lock().on_end(Instant::now());
        self.0.changed.notify_one();
    }

    /// How early it makes room for another; `None` if it is us that the peer waits for.
    #[must_use]
    pub(crate) fn eviction_priority(&self) -> Option<EvictionPriority> {
        self.0.timers.lock().eviction_priority(Instant::now())
    }

    /// Closes it, whatever it does.
    pub(crate) fn close(&self) {
        self.0.closed.cancel();
    }

    /// Whether it has been closed by us.
    #[must_use]
    pub(crate) fn is_closed(&self) -> bool {
        self.0.closed.is_cancelled()
    }

    /// Runs `serve` until it ends, or the connection is closed.
    pub(crate) async fn until_closed(&self, serve: impl Future<Output = ()>) {
        self.0.closed.run_until_cancelled(serve).await;
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

// === impl Place ===

impl Place {
    /// The connection that has it.
    #[must_use]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open.lock().retain(|open| *open != self.connection);
        // Responses over HTTP/2 have tasks of their observer, which may end later: none of them is under way any more.
        self.connection.close();
        self.connection.0.unflushed.lock().clear();
        self.connection.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    fn connections(places: usize) -> Arc<Connections> {
        Connections::new(places, Arc::new(()))
    }

    async fn full(places: usize) -> (Arc<Connections>, Vec<Place>) {
        let connections = connections(places);
        let mut taken = vec![];
        for _ in 0..places {
            taken.push(connections.admit().await);
            advance(Duration::from_millis(1)).await;
        }
        (connections, taken)
    }

    fn closed(places: &[Place]) -> Vec<usize> {
        (0..places.len()).filter(|place| places[*place].connection.is_closed()).collect()
    }

    fn becomes_idle(connection: &Connection) {
        drop(connection.on_request());
        connection.on_flush();
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_is_evicted_before_the_oldest_unfinished_head() {
        let (connections, mut places) = full(5).await;
        let mut responses = vec![places[0].connection.on_request()];
        for place in [4, 3] {
            becomes_idle(&places[place].connection);
            advance(Duration::from_millis(1)).await;
        }
        for evicted in [4, 3, 1, 2] {
            let mut admitted = std::pin::pin!(connections.admit());
            assert!(timeout(Duration::from_secs(1), &mut admitted).await.is_err(), "there are five still");
            assert_eq!(closed(&places), [evicted]);
            let leaves = async { drop(places.remove(evicted)) };
            let (admitted, ()) = tokio::join!(admitted.as_mut(), leaves);
            responses.push(admitted.connection.on_request());
            places.insert(evicted, admitted);
        }
        assert!(timeout(Duration::from_hours(1), connections.admit()).await.is_err());
        assert_eq!(closed(&places), Vec::<usize>::new(), "responses that are prepared are not evicted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_is_evicted_while_its_reader_takes_nothing() {
        let (connections, places) = full(2).await;
        let _responses = [places[0].connection.on_request(), places[1].connection.on_request()];
        assert!(timeout(Duration::from_hours(1), connections.admit()).await.is_err());
        for place in [1, 0] {
            places[place].connection.on_write_blocked();
            advance(Duration::from_millis(10)).await;
        }
        assert!(timeout(Duration::from_secs(1), connections.admit()).await.is_err(), "it leaves at its next turn");
        assert_eq!(closed(&places), [1], "the one that stalled first");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_becomes_idle_makes_room_at_once() {
        let (connections, mut places) = full(1).await;
        let response = places[0].connection.on_request();
        let mut admitted = std::pin::pin!(connections.admit());
        assert!(timeout(Duration::from_secs(1), &mut admitted).await.is_err());
        drop(response);
        assert!(timeout(Duration::from_secs(1), &mut admitted).await.is_err(), "it has not been flushed");
        places[0].connection.on_flush();
        assert!(timeout(Duration::from_secs(1), &mut admitted).await.is_err());
        assert_eq!(closed(&places), [0]);
        places.clear();
        timeout(Duration::from_secs(1), admitted).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn expired_connections_are_closed_on_time() {
        let (connections, places) = full(5).await;
        let [half_a_head, idle, slow, fast, ended] = [0, 1, 2, 3, 4].map(|place| places[place].connection.clone());
        becomes_idle(&idle);
        let _responses = [slow.on_request(), fast.on_request()];
        slow.on_write_blocked();
        ended.on_end();
        let closer = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.close_expired().await }
        });
        for (seconds, gone) in [(4, vec![]), (2, vec![0, 4]), (3, vec![0, 4]), (2, vec![0, 2, 4]), (138, vec![0, 2, 4])]
        {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            assert_eq!(closed(&places), gone);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(half_a_head.is_closed() && idle.is_closed() && slow.is_closed() && !fast.is_closed());
        closer.abort();
    }
}
