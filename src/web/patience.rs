//! How long a connection may take over each thing that it does.
//!
//! A head takes milliseconds, a connection kept over a scrape interval saves a handshake, and an answer takes as long as
//! its reader. So each has a patience of its own, and only the time for which somebody else keeps us waiting counts.

use std::time::Duration;

use tokio::time::Instant;

/// The time for the head of a request; also that for a first byte, and for whatever comes before it.
pub const HEAD: Duration = Duration::from_secs(5);

/// How long a connection may idle between two requests: longer than scrape intervals are, so that Prometheus keeps its
/// connection.
pub const IDLE: Duration = Duration::from_secs(150);

/// How long a reader may take nothing at all.
pub const STALL: Duration = Duration::from_secs(10);

/// How long an answer may wait for its reader in all, before its size counts. Prometheus itself gives up after ten
/// seconds, unless told otherwise.
pub const GRACE: Duration = Duration::from_secs(30);

/// What a reader must take in a second on top, in bytes: a hundredth of what the slowest network of a data centre does.
pub const FLOOR: u32 = 64 << 10;

/// What a connection does, and since when.
#[derive(Debug)]
pub struct Pace {
    phase: Phase,
    wait: Wait,
    /// Several requests may be under way at once. Then bytes between them are not a head, and a reader that takes nothing
    /// shows only in that nothing is written: it does not let us.
    multiplexed: bool,
}

#[derive(Debug)]
enum Phase {
    /// A head has begun, or should have.
    Head(Instant),
    /// So many answers have not been handed to the connection whole; so many of them are prepared.
    Answering { answers: usize, prepared: usize, heard_more: bool },
    /// Between two requests.
    Idle(Instant),
}

/// For how long the reader has kept us waiting.
#[derive(Debug, Default)]
struct Wait {
    /// Since when it takes nothing.
    since: Option<Instant>,
    /// The waits that are over.
    over: Duration,
    /// The bytes that it has taken since the first wait.
    taken: u64,
}

// === impl Pace ===

impl Pace {
    /// That of a connection which has come just now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { phase: Phase::Head(now), wait: Wait::default(), multiplexed: false }
    }

    /// From now on several requests may be under way at once, as in HTTP/2.
    pub fn multiplex(&mut self) {
        self.multiplexed = true;
    }

    /// Bytes have come.
    pub fn heard(&mut self, now: Instant) {
        match &mut self.phase {
            _ if self.multiplexed => {}
            Phase::Idle(_) => self.phase = Phase::Head(now),
            Phase::Answering { heard_more, .. } => *heard_more = true,
            Phase::Head(_) => {}
        }
    }

    /// A head is whole, and its answer begins.
    pub fn answer_begun(&mut self) {
        match &mut self.phase {
            Phase::Answering { answers, .. } => *answers += 1,
            phase => *phase = Phase::Answering { answers: 1, prepared: 0, heard_more: false },
        }
    }

    /// An answer is prepared: what it waits for now is its reader.
    pub fn answer_prepared(&mut self, now: Instant) {
        if let Phase::Answering { prepared, .. } = &mut self.phase {
            *prepared += 1;
        }
        self.await_reader(now);
    }

    /// The last of an answer has been handed to the connection, which may still hold it; or there will be no answer.
    pub fn answer_handed_over(&mut self, was_prepared: bool) {
        if let Phase::Answering { answers, prepared, .. } = &mut self.phase {
            *answers -= 1;
            *prepared -= usize::from(was_prepared);
        }
    }

    /// The reader takes nothing.
    pub fn blocked(&mut self, now: Instant) {
        self.wait.since.get_or_insert(now);
    }

    /// The reader has taken so many bytes.
    pub fn took(&mut self, bytes: usize, now: Instant) {
        self.wait.end(now);
        if self.wait.over > Duration::ZERO {
            self.wait.taken += bytes as u64;
        }
        self.await_reader(now);
    }

    /// All that was handed to the connection has left it. Whether that ends the answering.
    pub fn flushed(&mut self, now: Instant) -> bool {
        let Phase::Answering { answers: 0, heard_more, .. } = self.phase else {
            self.wait.end(now);
            self.await_reader(now);
            return false;
        };
        self.phase = if heard_more { Phase::Head(now) } else { Phase::Idle(now) };
        self.wait = Wait::default();
        true
    }

    fn await_reader(&mut self, now: Instant) {
        if self.multiplexed && matches!(self.phase, Phase::Answering { prepared: 1.., .. }) {
            self.blocked(now);
        }
    }

    /// For how long the reader has taken nothing, if it keeps us waiting.
    #[must_use]
    pub fn waiting(&self, now: Instant) -> Option<Duration> {
        self.wait.since.map(|since| now.duration_since(since))
    }

    /// When patience ends, unless something happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Head(since) => Some(since + HEAD),
            Phase::Idle(since) => Some(since + IDLE),
            Phase::Answering { .. } => None,
        };
        [phase, self.wait.deadline()].into_iter().flatten().min()
    }

    /// How easily the connection is spared, the least first: one that idles, then one with a head that is not whole;
    /// among those the one that has for longest. Never one with an answer under way.
    #[must_use]
    pub fn worth(&self) -> Option<(Worth, Instant)> {
        match self.phase {
            Phase::Idle(since) => Some((Worth::Idle, since)),
            Phase::Head(since) => Some((Worth::Head, since)),
            Phase::Answering { .. } => None,
        }
    }
}

/// What a connection that can be spared is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    /// It idles: whoever keeps it connects again.
    Idle,
    /// A request may come of it.
    Head,
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
        let due = GRACE + Duration::from_millis(self.taken.saturating_mul(1_000) / u64::from(FLOOR));
        Some(since + STALL.min(due.saturating_sub(self.over)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(pace: &Pace, now: Instant) -> Option<Duration> {
        pace.deadline().map(|deadline| deadline.duration_since(now))
    }

    fn answering(now: Instant) -> Pace {
        let mut pace = Pace::new(now);
        pace.heard(now);
        pace.answer_begun();
        pace
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_five_seconds_however_it_comes() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for _ in 0..4 {
            tokio::time::advance(Duration::from_secs(1)).await;
            pace.heard(Instant::now());
        }
        assert_eq!(left(&pace, Instant::now()), Some(Duration::from_secs(1)));
        pace.answer_begun();
        assert_eq!(pace.deadline(), None, "an answer may take long to prepare");
        pace.answer_handed_over(false);
        assert_eq!(pace.worth(), None, "it is not flushed");
        assert!(pace.flushed(Instant::now()));
        assert_eq!(left(&pace, Instant::now()), Some(IDLE));
        pace.heard(Instant::now());
        assert_eq!(left(&pace, Instant::now()), Some(HEAD));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_came_during_an_answer_begins_after_it() {
        let mut pace = answering(Instant::now());
        pace.heard(Instant::now());
        tokio::time::advance(Duration::from_mins(1)).await;
        pace.answer_handed_over(false);
        assert!(pace.flushed(Instant::now()));
        assert_eq!(left(&pace, Instant::now()), Some(HEAD));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_has_ten_seconds() {
        let mut pace = answering(Instant::now());
        tokio::time::advance(Duration::from_mins(1)).await;
        pace.took(4 << 20, Instant::now());
        pace.blocked(Instant::now());
        tokio::time::advance(Duration::from_secs(4)).await;
        pace.blocked(Instant::now());
        assert_eq!(left(&pace, Instant::now()), Some(Duration::from_secs(6)));
        assert_eq!(pace.waiting(Instant::now()), Some(Duration::from_secs(4)));
        pace.took(1, Instant::now());
        assert_eq!((pace.deadline(), pace.waiting(Instant::now())), (None, None));
    }

    /// Takes `bytes` each second until it is cut off, and tells when that was.
    async fn reads(bytes: usize, at_the_most: Duration) -> Duration {
        let start = Instant::now();
        let mut pace = answering(start);
        while start.elapsed() < at_the_most {
            pace.blocked(Instant::now());
            tokio::time::advance(Duration::from_secs(1)).await;
            if pace.deadline().unwrap() <= Instant::now() {
                break;
            }
            pace.took(bytes, Instant::now());
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
        let mut pace = answering(Instant::now());
        for _ in 0..100 {
            pace.blocked(Instant::now());
            tokio::time::advance(Duration::from_millis(100)).await;
            pace.took(1, Instant::now());
            tokio::time::advance(Duration::from_mins(1)).await;
        }
        pace.blocked(Instant::now());
        assert!(left(&pace, Instant::now()) > Some(Duration::from_secs(9)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_opens_no_window_has_ten_seconds_from_the_end_of_the_preparing() {
        let mut pace = Pace::new(Instant::now());
        pace.multiplex();
        pace.answer_begun();
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(pace.deadline(), None);
        pace.answer_prepared(Instant::now());
        assert_eq!(left(&pace, Instant::now()), Some(STALL));
        for _ in 0..29 {
            tokio::time::advance(Duration::from_secs(1)).await;
            pace.took(17, Instant::now());
            assert!(!pace.flushed(Instant::now()));
        }
        let left = left(&pace, Instant::now()).unwrap();
        assert!(left < Duration::from_millis(1_100), "answers to pings keep nobody connected: {left:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_answers_at_once_the_second_to_end_ends_the_answering() {
        let mut pace = Pace::new(Instant::now());
        pace.multiplex();
        pace.answer_begun();
        pace.answer_begun();
        pace.answer_handed_over(false);
        assert!(!pace.flushed(Instant::now()));
        pace.answer_handed_over(false);
        assert!(pace.flushed(Instant::now()));
        pace.heard(Instant::now());
        assert_eq!(left(&pace, Instant::now()), Some(IDLE), "a window update is not a head");
    }
}
