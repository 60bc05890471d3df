//! How many requests a second an account has lately sent.

use tokio::time::Instant;

/// The seconds that are looked back on, and the one under way.
const PLACES: usize = 11;

/// Requests counted by the second in which they were sent.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    start: Instant,
    /// The second, counted from the start, in which the last one was sent.
    latest: u64,
    /// The requests of that second and of those before it, each second at its number modulo the places.
    sent: [u16; PLACES],
}

// === impl Pace ===

impl Pace {
    /// A request is sent, now.
    pub fn request(&mut self) {
        self.go_on();
        let sent = &mut self.sent[place(self.latest)];
        *sent = sent.saturating_add(1);
    }

    /// Requests a second, over the last ten seconds or since the start.
    #[must_use]
    pub fn rate(mut self) -> f64 {
        self.go_on();
        let whole: u32 = self.sent.iter().map(|sent| u32::from(*sent)).sum();
        let under_way = u32::from(self.sent[place(self.latest)]);
        let seconds = self.latest.min(PLACES as u64 - 1);
        u32::try_from(seconds).map_or(0.0, |seconds| f64::from(whole - under_way) / f64::from(seconds.max(1)))
    }

    /// Empties the places of the seconds that have begun since.
    fn go_on(&mut self) {
        let now = self.start.elapsed().as_secs();
        for second in (self.latest + 1..=now).take(PLACES) {
            self.sent[place(second)] = 0;
        }
        self.latest = now;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is less than the places")]
fn place(second: u64) -> usize {
    (second % PLACES as u64) as usize
}

impl Default for Pace {
    /// Nothing has been sent yet.
    fn default() -> Self {
        Self { start: Instant::now(), latest: 0, sent: [0; PLACES] }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    async fn seconds(number: u32, requests: u32, pace: &mut Pace) {
        for _ in 0..number {
            for _ in 0..requests {
                pace.request();
            }
            advance(Duration::from_secs(1)).await;
        }
    }

    fn assert_rate(pace: Pace, rate: f64) {
        assert!((pace.rate() - rate).abs() < 1e-9, "{} is not {rate}", pace.rate());
    }

    #[tokio::test(start_paused = true)]
    async fn is_the_mean_of_the_last_ten_whole_seconds() {
        let mut pace = Pace::default();
        assert_rate(pace, 0.0);
        pace.request();
        assert_rate(pace, 0.0);
        seconds(1, 5, &mut pace).await;
        assert_rate(pace, 6.0);
        seconds(10, 4, &mut pace).await;
        assert_rate(pace, 4.0);
        seconds(5, 0, &mut pace).await;
        assert_rate(pace, 2.0);
        for _ in 0..9 {
            pace.request();
        }
        assert_rate(pace, 2.0);
    }

    #[tokio::test(start_paused = true)]
    async fn is_over_ten_seconds_after_the_last_request() {
        let mut pace = Pace::default();
        seconds(30, 20, &mut pace).await;
        assert_rate(pace, 20.0);
        advance(Duration::from_secs(9)).await;
        assert_rate(pace, 2.0);
        advance(Duration::from_secs(1)).await;
        assert_rate(pace, 0.0);
        advance(Duration::from_hours(1)).await;
        assert_rate(pace, 0.0);
        seconds(2, 10, &mut pace).await;
        assert_rate(pace, 2.0);
    }
}
