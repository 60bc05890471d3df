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

/// The next turn, when its time has come, which is told in milliseconds since the start.
async fn next(schedule: &mut Schedule) -> (u128, Slot) {
    loop {
        match schedule.next_action() {
            Next::Now(turn) => return (schedule.start.elapsed().as_millis(), schedule.begin(turn).0),
            Next::At(at) => sleep_until(at).await,
            Next::Idle => panic!("nobody left"),
        }
    }
}

#[test]
fn phases_are_for_ever() {
    // printf 'prod\0' plus the UIN in eight bytes, sha256sum
    let account = "prod".parse().unwrap();
    assert_eq!(phase(&account, Uin::try_from(100_013_065_917).unwrap()), 5_865_271_093_065_583_118);
}

#[tokio::test(start_paused = true)]
async fn the_first_sweep_is_at_once_and_then_everybody_has_a_phase() {
    let mut schedule = schedule(50);
    let mut turns: HashMap<Uin, Vec<u128>> = HashMap::new();
    while schedule.start.elapsed() < INTERVAL * 10 {
        let (at, turn) = next(&mut schedule).await;
        turns.entry(turn.uin()).or_default().push(at);
        schedule.done(turn);
    }
    for (uin, times) in turns {
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
async fn with_too_little_budget_everybody_gets_a_turn_in_turn() {
    let mut schedule = schedule(50);
    let mut order = vec![];
    for _ in 0..500 {
        let (_, turn) = next(&mut schedule).await;
        order.push(turn.uin());
        advance(Duration::from_secs(1)).await;
        schedule.done(turn);
    }
    for round in order.chunks(50) {
        assert_eq!(round, &order[..50]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_never_asked_goes_first_and_then_who_is_longest_without_success() {
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
async fn a_retry_comes_within_the_interval_or_not_at_all() {
    let mut schedule = schedule(1);
    let (_, turn) = next(&mut schedule).await;
    let wait = |retry: u32| Duration::from_secs(10 + u64::from(retry));
    schedule.retry(turn, wait);
    let (at, turn) = next(&mut schedule).await;
    assert_eq!(at, 10_000);
    schedule.retry(turn, |retry| {
        assert_eq!(retry, 1);
        INTERVAL * 2
    });
    let (at, turn) = next(&mut schedule).await;
    let phase = (u128::from(schedule.users[&turn.uin()].phase) * 30_000) >> 64;
    assert!(((at + 7_000) % 30_000).abs_diff(phase) <= 2, "the turn comes first");
    schedule.retry(turn, |retry| {
        assert_eq!(retry, 0, "a new turn counts its retries anew");
        Duration::ZERO
    });
}

#[tokio::test(start_paused = true)]
async fn who_is_due_goes_before_who_retries() {
    let mut schedule = schedule(2);
    let (_, failing) = next(&mut schedule).await;
    schedule.retry(failing, |_| Duration::ZERO);
    let (_, second) = next(&mut schedule).await;
    assert_ne!(second.uin(), failing.uin());
    assert_eq!(next(&mut schedule).await.1.uin(), failing.uin());
}

#[tokio::test(start_paused = true)]
async fn who_fails_for_good_is_asked_after_twice_as_long_up_to_an_hour_and_at_once_when_forgiven() {
    let mut schedule = schedule(1);
    let (mut before, mut turn) = next(&mut schedule).await;
    let mut waits = vec![];
    for _ in 0..10 {
        schedule.fail_permanently(turn);
        let (at, next) = next(&mut schedule).await;
        waits.push((at - before).div_ceil(1_000));
        (before, turn) = (at, next);
    }
    assert!((15..=45).contains(&waits[0]), "{waits:?}");
    assert_eq!(waits[1..], [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
    schedule.reset_failures();
    assert_eq!(schedule.next_action(), Next::Idle, "it is under way");
    schedule.fail_permanently(turn);
    schedule.reset_failures();
    assert!(matches!(schedule.next_action(), Next::Now(_)));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_heard_keeps_its_turn_for_an_interval() {
    let mut schedule = schedule(1);
    let (_, mut turn) = next(&mut schedule).await;
    while schedule.start.elapsed() < INTERVAL {
        assert!(schedule.defer(turn, |_| Duration::from_secs(7)));
        turn = next(&mut schedule).await.1;
    }
    assert!(!schedule.defer(turn, |_| Duration::from_secs(7)));
    schedule.done(turn);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_user_waits_ever_longer_and_behind_those_never_asked() {
    let mut schedule = schedule(3);
    let (_, throttled) = next(&mut schedule).await;
    assert!(schedule.defer(throttled, |postponed| Duration::from_secs(postponed.into())));
    for _ in 0..2 {
        let (_, turn) = next(&mut schedule).await;
        assert_ne!(turn.uin(), throttled.uin());
        schedule.done(turn);
    }
    let (_, mut turn) = next(&mut schedule).await;
    assert_eq!(turn.uin(), throttled.uin());
    for times in 1..4 {
        assert!(schedule.defer(turn, |postponed| {
            assert_eq!(postponed, times);
            Duration::from_millis(100)
        }));
        turn = next(&mut schedule).await.1;
    }
    schedule.done(turn);
    let again = loop {
        let (_, turn) = next(&mut schedule).await;
        if turn.uin() == throttled.uin() {
            break turn;
        }
        schedule.done(turn);
    };
    schedule.defer(again, |postponed| {
        assert_eq!(postponed, 0, "counted from its turn on");
        Duration::ZERO
    });
}

#[tokio::test(start_paused = true)]
async fn a_request_lost_with_its_connection_goes_again_at_once_over_a_fresh_one() {
    let mut schedule = schedule(1);
    let Next::Now(turn) = schedule.next_action() else { panic!("nobody is due") };
    let (turn, connection) = schedule.begin(turn);
    assert_eq!(connection, Connection::Pooled);
    schedule.again(turn);
    let Next::Now(turn) = schedule.next_action() else { panic!("it is not due at once") };
    let (turn, connection) = schedule.begin(turn);
    assert_eq!(connection, Connection::Fresh);
    schedule.done(turn);
    sleep_until(schedule.next_due().unwrap()).await;
    let Next::Now(turn) = schedule.next_action() else { panic!("nobody is due") };
    assert_eq!(schedule.begin(turn).1, Connection::Pooled);
}

#[tokio::test(start_paused = true)]
async fn users_come_and_go_and_the_others_keep_their_turns() {
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
    assert_eq!(next(&mut schedule).await.1.uin(), first.uin(), "who is gone has no turn");
    assert_eq!(schedule.next_action(), Next::Idle);
}

#[tokio::test(start_paused = true)]
async fn another_interval_moves_those_who_wait_and_not_those_who_are_due() {
    let mut schedule = schedule(2);
    let (_, turn) = next(&mut schedule).await;
    schedule.done(turn);
    schedule.set_interval(INTERVAL / 10);
    let (at, other) = next(&mut schedule).await;
    assert_eq!((at, other.uin() == turn.uin()), (0, false));
    let (at, back) = next(&mut schedule).await;
    assert_eq!(back.uin(), turn.uin());
    assert!(at <= 3_000, "{at}");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_ends_with_the_last_user_asked() {
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
async fn a_sweep_tells_how_far_it_is_and_when_its_last_turn_is_due() {
    let mut schedule = schedule(3);
    let start = Instant::now();
    let mut seen = vec![];
    for _ in 0..3 {
        seen.push(schedule.sweep());
        let (_, turn) = next(&mut schedule).await;
        schedule.swept(turn);
        schedule.done(turn);
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
