//! How long a retry waits: exponentially longer from one to the next, with jitter.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// The wait before retry number `retry`, the first being 0: half of it fixed, half of it random, so that those who
/// failed together do not come back together.
#[must_use]
pub fn wait(retry: u32, random: &mut fastrand::Rng) -> Duration {
    let whole = FIRST.saturating_mul(2u32.saturating_pow(retry)).min(LONGEST);
    whole.mul_f64(0.5 + 0.5 * random.f64())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn doubles_up_to_a_minute_and_jitters_over_half(retry in 0u32..100, seed: u64) {
            let whole = f64::from(2u32.saturating_pow(retry)).min(60.0);
            let wait = wait(retry, &mut fastrand::Rng::with_seed(seed)).as_secs_f64();
            prop_assert!((whole * 0.5..=whole).contains(&wait), "{wait} of {whole}");
        }
    }

    #[test]
    fn two_seeds_do_not_agree() {
        let mut waits = [1, 2].map(|seed| wait(3, &mut fastrand::Rng::with_seed(seed)));
        waits.sort();
        assert_ne!(waits[0], waits[1]);
    }
}
