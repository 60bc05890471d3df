//! How long a connection may take over each thing that it does, and which connection makes room for another.
//!
//! A connection is in one of four phases. Only time for which the peer keeps us waiting counts.
//!
//! ```text
//! accepted ──> Head ──head complete──> Responding ──flushed──> Idle ──bytes arrive──> Head
//!                                           │                   └──head complete──> Responding (see below)
//!                                           └──flushed, next head has begun──> Head
//! any ──HTTP has ended──> Closing
//! ```
//!
//! From idle, a head can be complete at once: over HTTP/2, where bytes between requests are not a head, and where it had arrived
//! together with the head before. Over HTTP/2, `Responding` counts several responses.

use std::time::Duration;

use tokio::time::Instant;

/// For the head of a request, or for a TLS handshake and the first head.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two requests: longer than scrape intervals are, so that Prometheus keeps its connection.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(150);

/// For a peer to close its side, once we have closed ours.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// For a reader that takes nothing at all.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a response may wait for its reader in all, before its size counts. Prometheus itself gives up after ten
/// seconds by default.
pub(crate) const GRACE_PERIOD: Duration = Duration::from_secs(30);

/// What a reader must take in a second beyond that, in bytes: a hundredth of what the slowest network of a data centre does.
pub(crate) const MIN_BYTES_PER_SECOND: u32 = 64 << 10;

/// A connection that is idle goes before all others, however old: its peer connects again.
const IDLE_HEAD_START: Duration = HEAD_TIMEOUT;

/// What every connection may keep us waiting before it makes room for another, though places are short. An idle one has
/// nothing to lose.
const EVICTION_GRACE: Duration = Duration::from_millis(250);

/// When places are short, a reader that has taken so many bytes is forgiven a second of waiting, and no more than that.
const CREDIT_BYTES: u64 = 1 << 20;

/// What a connection does, and since when.
#[derive(Debug)]
pub(crate) struct ConnectionTimers {
    phase: Phase,
    wait: Wait,
    /// Several requests may be under way at once. Then bytes between them are not a head, and a reader that takes nothing
    /// shows only in that nothing is written: it opens no window.
    multiplexed: bool,
}

#[derive(Debug)]
enum Phase {
    /// The head of a request, or a handshake, is not complete.
    Head { since: Instant, pipelined: bool },
    /// So many responses have not been handed to the connection whole; so many of them are prepared.
    Responding { responses: usize, prepared: usize, next_has_begun: bool },
    /// Between two requests.
    Idle { since: Instant },
    /// No request will be read any more. The peer may still have to read the last response.
    Closing { since: Instant },
}

/// For how long the reader of a response has kept us waiting.
#[derive(Debug, Default)]
struct Wait {
    /// Since when it takes nothing.
    since: Option<Instant>,
    /// The waits that are over.
    over: Duration,
    /// The bytes that it has taken since the first wait.
    taken: u64,
}

/// Which connection makes room when places are short: the one with the highest priority.
///
/// It is the time in microseconds for which the connection has kept us waiting, less the credit for what it has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvictionPriority(i64);

// === impl ConnectionTimers ===

impl ConnectionTimers {
    /// Those of a connection that has just been accepted.
    #[must_use]
    pub(crate) fn new(now: Instant) -> Self {
        Self { phase: Phase::Head { since: now, pipelined: false }, wait: Wait::default(), multiplexed: false }
    }

    /// From now on several requests may be under way at once, as in HTTP/2.
    pub(crate) fn multiplex(&mut self) {
        self.multiplexed = true;
    }

    /// Bytes have been read.
    pub(crate) fn on_read(&mut self, now: Instant) {
        match &mut self.phase {
            _ if self.multiplexed => {}
            Phase::Idle { .. } => self.phase = Phase::Head { since: now, pipelined: false },
            Phase::Responding { next_has_begun, .. } => *next_has_begun = true,
            Phase::Head { .. } | Phase::Closing { .. } => {}
        }
    }

    /// A head is complete. Returns whether the request was pipelined: sent before the response to the one before it had
    /// been written.
    pub(crate) fn on_request(&mut self) -> bool {
        let pipelined = match &mut self.phase {
            Phase::Responding { responses, .. } => {
                *responses += 1;
                return false;
            }
            // No bytes were read since: it had come along with the request before.
            Phase::Idle { .. } => true,
            Phase::Head { pipelined, .. } => *pipelined,
            Phase::Closing { .. } => false,
        };
        self.phase = Phase::Responding { responses: 1, prepared: 0, next_has_begun: false };
        pipelined && !self.multiplexed
    }

    /// A response is prepared: it waits for its reader now.
    pub(crate) fn on_response_prepared(&mut self, now: Instant) {
        if let Phase::Responding { prepared, .. } = &mut self.phase {
            *prepared += 1;
        }
        self.await_reader(now);
    }

    /// The last of a response has been handed to the connection, which may still hold it; or there will be no response.
    pub(crate) fn on_response_handed_over(&mut self, was_prepared: bool) {
        if let Phase::Responding { responses, prepared, .. } = &mut self.phase {
            *responses -= 1;
            *prepared -= usize::from(was_prepared);
        }
    }

    /// The reader takes nothing.
    pub(crate) fn on_write_blocked(&mut self, now: Instant) {
        self.wait.since.get_or_insert(now);
    }

    /// The reader has taken so many bytes.
    pub(crate) fn on_write(&mut self, bytes: usize, now: Instant) {
        self.wait.end(now);
        if self.wait.over > Duration::ZERO {
            self.wait.taken += bytes as u64;
        }
        self.await_reader(now);
    }

    /// All that was handed to the connection has been written.
    pub(crate) fn on_flush(&mut self, now: Instant) {
        let Phase::Responding { responses: 0, next_has_begun, .. } = self.phase else {
            self.wait.end(now);
            self.await_reader(now);
            return;
        };
        self.phase =
            if next_has_begun { Phase::Head { since: now, pipelined: true } } else { Phase::Idle { since: now } };
        self.wait = Wait::default();
    }

    /// HTTP has ended on the connection.
    pub(crate) fn on_end(&mut self, now: Instant) {
        self.phase = Phase::Closing { since: now };
        self.wait = Wait::default();
    }

    fn await_reader(&mut self, now: Instant) {
        if self.multiplexed && matches!(self.phase, Phase::Responding { prepared: 1.., .. }) {
            self.on_write_blocked(now);
        }
    }

    /// When the connection is closed, unless something happens before.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Head { since, .. } => Some(since + HEAD_TIMEOUT),
            Phase::Idle { since } => Some(since + IDLE_TIMEOUT),
            Phase::Closing { since } => Some(since + CLOSE_TIMEOUT),
            Phase::Responding { .. } => None,
        };
        [phase, self.wait.deadline()].into_iter().flatten().min()
    }

    /// How early the connection makes room for another. `None` while it is we who keep the peer waiting, and while it has kept
    /// us waiting for less than the grace.
    #[must_use]
    pub(crate) fn eviction_priority(&self, now: Instant) -> Option<EvictionPriority> {
        let (waited, credit) = match self.phase {
            Phase::Head { since, .. } | Phase::Closing { since } => (now.duration_since(since), Duration::ZERO),
            Phase::Idle { since } => (now.duration_since(since) + IDLE_HEAD_START, Duration::ZERO),
            Phase::Responding { .. } => (self.wait.over + now.duration_since(self.wait.since?), self.wait.credit()),
        };
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let priority = micros(waited) - micros(credit);
        let grace = if matches!(self.phase, Phase::Idle { .. }) { Duration::ZERO } else { EVICTION_GRACE };
        (priority >= micros(grace)).then_some(EvictionPriority(priority))
    }
}

// === impl Wait ===

impl Wait {
    fn end(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            // However short: it counts that there was one.
            self.over += now.duration_since(since).max(Duration::from_nanos(1));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let since = self.since?;
        let paid = Duration::from_millis(self.taken.saturating_mul(1_000) / u64::from(MIN_BYTES_PER_SECOND));
        Some(since + STALL_TIMEOUT.min((GRACE_PERIOD + paid).saturating_sub(self.over)))
    }

    fn credit(&self) -> Duration {
        Duration::from_millis(self.taken.min(CREDIT_BYTES) * 1_000 / CREDIT_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(timers: &ConnectionTimers, now: Instant) -> Option<Duration> {
        timers.deadline().map(|deadline| deadline.duration_since(now))
    }

    fn responding(now: Instant) -> ConnectionTimers {
        let mut timers = ConnectionTimers::new(now);
        timers.on_read(now);
        let _ = timers.on_request();
        timers
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_five_seconds_however_it_comes() {
        let start = Instant::now();
        let mut timers = ConnectionTimers::new(start);
        for _ in 0..4 {
            tokio::time::advance(Duration::from_secs(1)).await;
            timers.on_read(Instant::now());
        }
        assert_eq!(left(&timers, Instant::now()), Some(Duration::from_secs(1)));
        let _ = timers.on_request();
        assert_eq!(timers.deadline(), None, "an answer may take long to prepare");
        timers.on_response_handed_over(false);
        assert_eq!(timers.deadline(), None, "it is not flushed");
        timers.on_flush(Instant::now());
        assert_eq!(left(&timers, Instant::now()), Some(IDLE_TIMEOUT));
        timers.on_read(Instant::now());
        assert_eq!(left(&timers, Instant::now()), Some(HEAD_TIMEOUT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_came_during_an_answer_begins_after_it() {
        let mut timers = responding(Instant::now());
        timers.on_read(Instant::now());
        tokio::time::advance(Duration::from_mins(1)).await;
        timers.on_response_handed_over(false);
        timers.on_flush(Instant::now());
        assert_eq!(left(&timers, Instant::now()), Some(HEAD_TIMEOUT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_has_ten_seconds() {
        let mut timers = responding(Instant::now());
        tokio::time::advance(Duration::from_mins(1)).await;
        timers.on_write(4 << 20, Instant::now());
        timers.on_write_blocked(Instant::now());
        tokio::time::advance(Duration::from_secs(4)).await;
        timers.on_write_blocked(Instant::now());
        assert_eq!(left(&timers, Instant::now()), Some(Duration::from_secs(6)));
        assert_eq!(timers.eviction_priority(Instant::now()), Some(EvictionPriority(4_000_000)));
        timers.on_write(1, Instant::now());
        assert_eq!((timers.deadline(), timers.eviction_priority(Instant::now())), (None, None));
    }

    /// Takes `bytes` each second until it is cut off, and tells when that was.
    async fn reads(bytes: usize, at_the_most: Duration) -> Duration {
        let start = Instant::now();
        let mut timers = responding(start);
        while start.elapsed() < at_the_most {
            timers.on_write_blocked(Instant::now());
            tokio::time::advance(Duration::from_secs(1)).await;
            if timers.deadline().unwrap() <= Instant::now() {
                break;
            }
            timers.on_write(bytes, Instant::now());
        }
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_little_has_thirty_seconds_and_one_that_is_steady_has_all_it_needs() {
        let long = Duration::from_mins(10);
        assert_eq!(reads(1, long).await.as_secs(), 30);
        assert_eq!(reads(32 << 10, long).await.as_secs(), 59);
        assert_eq!(reads(64 << 10, long).await, long);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_waits_for_the_reader_is_free() {
        let mut timers = responding(Instant::now());
        for _ in 0..100 {
            timers.on_write_blocked(Instant::now());
            tokio::time::advance(Duration::from_millis(100)).await;
            timers.on_write(1, Instant::now());
            tokio::time::advance(Duration::from_mins(1)).await;
        }
        timers.on_write_blocked(Instant::now());
        assert!(left(&timers, Instant::now()) > Some(Duration::from_secs(9)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_opens_no_window_has_ten_seconds_from_the_end_of_the_preparing() {
        let mut timers = ConnectionTimers::new(Instant::now());
        timers.multiplex();
        let _ = timers.on_request();
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(timers.deadline(), None);
        timers.on_response_prepared(Instant::now());
        assert_eq!(left(&timers, Instant::now()), Some(STALL_TIMEOUT));
        for _ in 0..29 {
            tokio::time::advance(Duration::from_secs(1)).await;
            timers.on_write(17, Instant::now());
            timers.on_flush(Instant::now());
        }
        let left = left(&timers, Instant::now()).unwrap();
        assert!(left < Duration::from_millis(1_100), "answers to pings keep no client connected: {left:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_answers_at_once_the_second_to_end_ends_the_responding() {
        let mut timers = ConnectionTimers::new(Instant::now());
        timers.multiplex();
        let _ = timers.on_request();
        let _ = timers.on_request();
        timers.on_response_handed_over(false);
        timers.on_flush(Instant::now());
        timers.on_response_handed_over(false);
        timers.on_flush(Instant::now());
        timers.on_read(Instant::now());
        assert_eq!(left(&timers, Instant::now()), Some(IDLE_TIMEOUT), "a window update is not a head");
    }

    fn priority(timers: &ConnectionTimers) -> i64 {
        timers.eviction_priority(Instant::now()).map_or(i64::MIN, |EvictionPriority(micros)| micros)
    }

    #[tokio::test(start_paused = true)]
    async fn slow_readers_and_idle_connections_go_before_fast_readers_and_new_connections() {
        let stalled = {
            let mut timers = responding(Instant::now());
            timers.on_write(100 << 10, Instant::now());
            timers.on_write_blocked(Instant::now());
            timers
        };
        let mut idle = responding(Instant::now());
        idle.on_response_handed_over(false);
        idle.on_flush(Instant::now());
        tokio::time::advance(EVICTION_GRACE).await;
        let preparing = responding(Instant::now());
        let mut fast = responding(Instant::now());
        for _ in 0..10 {
            fast.on_write_blocked(Instant::now());
            tokio::time::advance(Duration::from_millis(1)).await;
            fast.on_write(64 << 10, Instant::now());
        }
        fast.on_write_blocked(Instant::now());
        tokio::time::advance(Duration::from_millis(1)).await;
        let new = ConnectionTimers::new(Instant::now());
        assert!(priority(&idle) > priority(&stalled));
        assert_eq!([&stalled, &new, &fast, &preparing].map(|one| priority(one) > 0), [true, false, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn credit_is_worth_a_second_at_most() {
        let mut timers = responding(Instant::now());
        timers.on_write_blocked(Instant::now());
        tokio::time::advance(Duration::from_millis(100)).await;
        timers.on_write(64 << 20, Instant::now());
        timers.on_write_blocked(Instant::now());
        tokio::time::advance(Duration::from_millis(1_149)).await;
        assert_eq!(timers.eviction_priority(Instant::now()), None);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(priority(&timers), 250_000);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_do_not_wait_for_the_response_are_pipelined() {
        let mut timers = ConnectionTimers::new(Instant::now());
        let mut exchange = |reads: &[bool]| {
            if reads[0] {
                timers.on_read(Instant::now());
            }
            let pipelined = timers.on_request();
            if reads[1] {
                timers.on_read(Instant::now());
            }
            timers.on_response_handed_over(false);
            timers.on_flush(Instant::now());
            pipelined
        };
        assert!(!exchange(&[true, false]), "the first");
        assert!(!exchange(&[true, false]), "the second, after a response");
        assert!(exchange(&[false, true]), "one that came along with it");
        assert!(exchange(&[true, false]), "one that began before the response was written");
        assert!(!exchange(&[true, false]), "one after all that");
    }
}
