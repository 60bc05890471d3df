use tokio::time::{advance, sleep_until};

use super::*;

const INTERVAL: Duration = Duration::from_secs(30);

fn uins(users: u64) -> impl Iterator<Item = Uin> {
    (1..=users).map(|uin| Uin::try_from(uin).unwrap())
}

fn schedule(users: u64) -> Schedule {
    let mut schedule = Schedule::new("prod".parse().unwrap(), INTERVAL, "2026-01-01T00:00:07Z".parse().unwrap());
    schedule.set_users(uins(users).map(|uin| (uin, None)));
    schedule
}

/// Waits for the next slot. Returns it with the time, in milliseconds since the start.
async fn next(schedule: &mut Schedule) -> (u128, Slot) {
    loop {
        match schedule.next_action() {
            Next::Now(slot) => return (schedule.start.elapsed().as_millis(), schedule.begin(slot)),
            Next::At(at) => sleep_until(at).await,
            Next::Idle => panic!("no user is left"),
        }
    }
}

#[test]
fn phases_never_change() {
    // printf 'prod\0' plus the UIN in eight bytes, sha256sum
    let account = "prod".parse().unwrap();
    assert_eq!(phase(&account, Uin::try_from(100_013_065_917).unwrap()), 5_865_271_093_065_583_118);
}

#[tokio::test(start_paused = true)]
async fn first_sweep_is_at_once_and_later_ones_follow_the_phases() {
    let mut schedule = schedule(50);
    let mut slots: HashMap<Uin, Vec<u128>> = HashMap::new();
    while schedule.start.elapsed() < INTERVAL * 10 {
        let (at, slot) = next(&mut schedule).await;
        slots.entry(slot.uin()).or_default().push(at);
        schedule.done(slot);
    }
    for (uin, times) in slots {
        assert_eq!(times[0], 0);
        assert!((15_000..=45_000).contains(&times[1]), "{uin}: {times:?}");
        let place = (u128::from(schedule.users[&uin].phase) * 30_000) >> 64;
        for (n, time) in times[1..].iter().enumerate() {
            assert_eq!(time - times[1], n as u128 * 30_000, "{uin}: {times:?}");
            // The start was 7 s into an interval; sleeping is exact to a millisecond.
            let phase = (time + 7_000) % 30_000;
            assert!(phase.abs_diff(place) <= 2, "{uin}: {phase} is not {place}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_too_little_budget_users_are_polled_in_turn() {
    let mut schedule = schedule(50);
    let mut order = vec![];
    for _ in 0..500 {
        let (_, slot) = next(&mut schedule).await;
        order.push(slot.uin());
        advance(Duration::from_secs(1)).await;
        schedule.done(slot);
    }
    for round in order.chunks(50) {
        assert_eq!(round, &order[..50]);
    }
}

#[tokio::test(start_paused = true)]
async fn user_never_polled_goes_first_then_the_longest_without_success() {
    let mut schedule = Schedule::new("prod".parse().unwrap(), INTERVAL, Timestamp::UNIX_EPOCH);
    let ago = [Some(10), Some(1_000), None, Some(500)].map(|ago| ago.map(Duration::from_secs));
    schedule.set_users(uins(4).zip(ago));
    let mut order = vec![];
    for _ in 0..4 {
        order.push(next(&mut schedule).await.1.uin().get());
    }
    assert_eq!(order, [3, 2, 4, 1]);
}

#[tokio::test(start_paused = true)]
async fn retry_comes_within_the_interval_or_not_at_all() {
    let mut schedule = schedule(1);
    let (_, slot) = next(&mut schedule).await;
    let wait = |retry: u32| Duration::from_secs(10 + u64::from(retry));
    schedule.retry(slot, wait);
    let (at, slot) = next(&mut schedule).await;
    assert_eq!(at, 10_000);
    schedule.retry(slot, |retry| {
        assert_eq!(retry, 1);
        INTERVAL * 2
    });
    let (at, slot) = next(&mut schedule).await;
    let phase = (u128::from(schedule.users[&slot.uin()].phase) * 30_000) >> 64;
    assert!(((at + 7_000) % 30_000).abs_diff(phase) <= 2, "the slot comes first");
    schedule.retry(slot, |retry| {
        assert_eq!(retry, 0, "a new slot has no retries");
        Duration::ZERO
    });
}

#[tokio::test(start_paused = true)]
async fn slots_go_before_retries() {
    let mut schedule = schedule(2);
    let (_, failing) = next(&mut schedule).await;
    schedule.retry(failing, |_| Duration::ZERO);
    let (_, second) = next(&mut schedule).await;
    assert_ne!(second.uin(), failing.uin());
    assert_eq!(next(&mut schedule).await.1.uin(), failing.uin());
}

#[tokio::test(start_paused = true)]
async fn permanent_failure_doubles_the_wait_up_to_an_hour_until_it_is_reset() {
    let mut schedule = schedule(1);
    let (mut before, mut slot) = next(&mut schedule).await;
    let mut waits = vec![];
    for _ in 0..10 {
        schedule.fail_permanently(slot);
        let (at, next) = next(&mut schedule).await;
        waits.push((at - before).div_ceil(1_000));
        (before, slot) = (at, next);
    }
    assert!((15..=45).contains(&waits[0]), "{waits:?}");
    assert_eq!(waits[1..], [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
    schedule.reset_failures();
    assert_eq!(schedule.next_action(), Next::Idle, "it is under way");
    schedule.fail_permanently(slot);
    schedule.reset_failures();
    assert!(matches!(schedule.next_action(), Next::Now(_)));
}

#[tokio::test(start_paused = true)]
async fn throttled_user_keeps_its_slot_for_an_interval() {
    let mut schedule = schedule(1);
    let (_, mut slot) = next(&mut schedule).await;
    while schedule.start.elapsed() < INTERVAL {
        assert!(schedule.defer(slot, |_| Duration::from_secs(7)));
        slot = next(&mut schedule).await.1;
    }
    assert!(!schedule.defer(slot, |_| Duration::from_secs(7)));
    schedule.done(slot);
}

#[tokio::test(start_paused = true)]
async fn throttled_user_waits_ever_longer_and_behind_those_never_polled() {
    let mut schedule = schedule(3);
    let (_, throttled) = next(&mut schedule).await;
    assert!(schedule.defer(throttled, |postponed| Duration::from_secs(postponed.into())));
    for _ in 0..2 {
        let (_, slot) = next(&mut schedule).await;
        assert_ne!(slot.uin(), throttled.uin());
        schedule.done(slot);
    }
    let (_, mut slot) = next(&mut schedule).await;
    assert_eq!(slot.uin(), throttled.uin());
    for times in 1..4 {
        assert!(schedule.defer(slot, |postponed| {
            assert_eq!(postponed, times);
            Duration::from_millis(100)
        }));
        slot = next(&mut schedule).await.1;
    }
    schedule.done(slot);
    let again = loop {
        let (_, slot) = next(&mut schedule).await;
        if slot.uin() == throttled.uin() {
            break slot;
        }
        schedule.done(slot);
    };
    schedule.defer(again, |postponed| {
        assert_eq!(postponed, 0, "counted from its slot on");
        Duration::ZERO
    });
}

#[tokio::test(start_paused = true)]
async fn other_users_keep_their_slots_when_users_change() {
    let mut schedule = schedule(2);
    let (_, first) = next(&mut schedule).await;
    let (_, second) = next(&mut schedule).await;
    schedule.done(first);
    let due = schedule.next_due();
    let new = Uin::try_from(99).unwrap();
    schedule.set_users([(first.uin(), None), (new, None)]);
    assert_eq!(next(&mut schedule).await.1.uin(), new);
    assert_eq!(schedule.next_due(), due);
    schedule.done(second);
    assert_eq!(next(&mut schedule).await.1.uin(), first.uin(), "a removed user has no slot");
    assert_eq!(schedule.next_action(), Next::Idle);
}

#[tokio::test(start_paused = true)]
async fn another_interval_moves_slots_that_wait_and_none_that_are_due() {
    let mut schedule = schedule(2);
    let (_, slot) = next(&mut schedule).await;
    schedule.done(slot);
    schedule.set_interval(INTERVAL / 10);
    let (at, other) = next(&mut schedule).await;
    assert_eq!((at, other.uin() == slot.uin()), (0, false));
    let (at, back) = next(&mut schedule).await;
    assert_eq!(back.uin(), slot.uin());
    assert!(at <= 3_000, "{at}");
}

#[tokio::test(start_paused = true)]
async fn sweep_ends_with_the_last_user_polled() {
    let mut schedule = schedule(2);
    let (_, first) = next(&mut schedule).await;
    assert_eq!(schedule.swept(first), None);
    assert_eq!(schedule.swept(first), None, "a retry is no other user");
    let (_, second) = next(&mut schedule).await;
    advance(Duration::from_secs(7)).await;
    assert_eq!(schedule.swept(second), Some(Duration::from_secs(7)));
    advance(Duration::from_secs(5)).await;
    assert_eq!((schedule.swept(second), schedule.swept(first)), (None, Some(Duration::from_secs(5))));
}

#[tokio::test(start_paused = true)]
async fn sweep_reports_its_progress_and_when_its_last_slot_is_due() {
    let mut schedule = schedule(3);
    let start = Instant::now();
    let mut seen = vec![];
    for _ in 0..3 {
        seen.push(schedule.sweep());
        let (_, slot) = next(&mut schedule).await;
        schedule.swept(slot);
        schedule.done(slot);
    }
    let sweep = |asked, awaited, last_due| inventory::Sweep { asked, awaited, last_due };
    assert_eq!(seen, [sweep(0, 3, start), sweep(1, 2, start), sweep(2, 1, start)]);

    let second = schedule.sweep();
    let last_due = schedule.users.values().map(|user| user.due).max().unwrap();
    assert_eq!(second, sweep(0, 3, last_due));
    assert!(last_due > start);
    schedule.set_users(uins(4).map(|uin| (uin, None)));
    assert_eq!(schedule.sweep(), sweep(0, 4, last_due));
    schedule.set_interval(INTERVAL / 10);
    assert!(schedule.sweep().last_due < last_due);
}
