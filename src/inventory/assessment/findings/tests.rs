use super::*;
use crate::inventory::Exemption;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn key(label: &str, days: i32, status: KeyStatus, last_use: Option<LastUse>) -> Key {
    Key { label: label.into(), status, created: now() - DAY * days, last_use }
}

fn user(keys: &[Key]) -> User {
    User { keys: Some(keys.into()), ..User::default() }
}

fn used(days: i32) -> LastUse {
    LastUse::At(now() - DAY * days)
}

/// What is found of the key of a user that has no other.
fn found(key: Key, policy: &Policy) -> Vec<Finding> {
    let user = user(&[key]);
    user.judged_keys(policy, now()).flat_map(|(_, verdict)| verdict.findings.iter()).collect()
}

#[test]
fn each_finding_has_its_place() {
    for (place, finding) in Finding::ALL.into_iter().enumerate() {
        assert_eq!(finding as usize, place);
    }
    assert!(Finding::ALL.into_iter().filter(|finding| *finding != Finding::AtLimit).eq(Finding::OF_KEYS));
}

#[test]
fn a_key_has_all_findings_that_are_true_of_it() {
    use Finding::{AutoDisableSoon, Inactive, Stale, Unused, VeryStale};
    use KeyStatus::{Active, Unknown};
    let never = Some(LastUse::Never);
    let disabled = KeyStatus::Inactive;
    for (days, status, last_use, findings) in [
        (90, Active, None, vec![]),
        (91, Active, None, vec![Stale]),
        (91, Unknown, None, vec![Stale]),
        (180, Active, None, vec![Stale]),
        (181, Unknown, None, vec![VeryStale, Stale]),
        (1, disabled, None, vec![Inactive]),
        (999, disabled, Some(used(99)), vec![Inactive]),
        (45, Active, never, vec![]),
        (50, Active, never, vec![Unused]),
        (80, Active, Some(used(45)), vec![]),
        (80, Active, Some(used(46)), vec![Unused]),
        // 89 days after the last use, announced 15 days before.
        (80, Active, Some(used(73)), vec![Unused]),
        (80, Active, Some(used(74)), vec![AutoDisableSoon, Unused]),
        (80, Unknown, Some(used(74)), vec![Unused]),
        (74, Active, never, vec![AutoDisableSoon, Unused]),
        (500, Active, Some(used(400)), vec![AutoDisableSoon, VeryStale, Stale, Unused]),
        (-1, Active, never, vec![]),
    ] {
        let key = key("a", days, status, last_use);
        assert_eq!(found(key.clone(), &Policy::default()), findings, "{key:?}");
    }
}

#[test]
fn what_is_switched_off_is_not_found() {
    let off = Policy { unused_after: None, auto_disable_after: None, rotation_grace: None, ..Policy::default() };
    let old = key("a", 80, KeyStatus::Active, Some(LastUse::Never));
    assert_eq!((found(old.clone(), &off), old.auto_disabled_at(&off)), (vec![], None));
    let two = user(&[old, key("b", 20, KeyStatus::Active, None)]);
    assert!(two.judged_keys(&off, now()).all(|(_, verdict)| verdict == Verdict::default()));
    let expected = now() - DAY * 80 + DAY * 89;
    assert_eq!(two.keys.as_deref().unwrap()[0].auto_disabled_at(&Policy::default()), Some(expected));
}

#[test]
fn a_rotation_is_unfinished_while_the_old_keys_are_active() {
    use KeyStatus::{Active, Inactive, Unknown};
    let unfinished = |keys: &[(i32, KeyStatus)]| {
        let keys: Vec<Key> =
            (0..).zip(keys).map(|(place, (days, status))| key(&format!("k{place}"), *days, *status, None)).collect();
        let user = user(&keys);
        let is_so = |verdict: Verdict| verdict.findings.contains(Finding::RotationUnfinished);
        user.judged_keys(&Policy::default(), now()).map(|(_, verdict)| is_so(verdict)).collect::<Vec<_>>()
    };
    assert_eq!(unfinished(&[(50, Active), (8, Active)]), [true, false]);
    assert_eq!(unfinished(&[(50, Active), (7, Active)]), [false, false], "there is still time");
    assert_eq!(unfinished(&[(8, Active), (50, Active), (60, Active)]), [false, true, true]);
    assert_eq!(unfinished(&[(50, Inactive), (8, Active)]), [false, false]);
    assert_eq!(unfinished(&[(50, Active), (8, Inactive)]), [false, false], "the new key is disabled");
    assert_eq!(unfinished(&[(50, Active), (8, Unknown)]), [false, false]);
    assert_eq!(unfinished(&[(8, Active), (8, Active)]), [true, false], "made in the same second: one is the newest");
    assert_eq!(unfinished(&[(50, Active)]), [false]);
}

#[test]
fn a_user_has_all_findings_that_are_true_of_it() {
    use Finding::{AtLimit, ConsoleLogin, OverLimit};
    let active = |label: &str| key(label, 1, KeyStatus::Active, None);
    let disabled = key("d", 1, KeyStatus::Inactive, None);
    for (keys, console_login, findings) in [
        (vec![], Some(true), vec![]),
        (vec![active("a")], None, vec![]),
        (vec![active("a")], Some(false), vec![]),
        (vec![active("a")], Some(true), vec![ConsoleLogin]),
        (vec![disabled.clone()], Some(true), vec![]),
        (vec![active("a"), disabled.clone()], Some(true), vec![ConsoleLogin, AtLimit]),
        (vec![active("a"), active("b"), disabled], Some(true), vec![OverLimit, ConsoleLogin]),
    ] {
        let user = User { console_login, ..user(&keys) };
        let verdict = user.verdict(&Policy::default(), now());
        assert_eq!((verdict.findings.iter().collect::<Vec<_>>(), verdict.exempt), (findings, Findings::default()));
        for (key, of_key) in user.judged_keys(&Policy::default(), now()) {
            for finding in [OverLimit, ConsoleLogin] {
                let is_marked = verdict.findings.contains(finding) && (finding == OverLimit || key.is_enabled());
                assert_eq!(of_key.findings.contains(finding), is_marked, "{key:?}");
            }
        }
    }
}

#[test]
fn an_exemption_hides_a_finding_until_it_ends() {
    let exempt = |until: Option<Timestamp>| Policy {
        exemptions: vec![Exemption { finding: Finding::Stale, until, reason: None }],
        ..Policy::default()
    };
    let user = user(&[key("a", 181, KeyStatus::Active, None)]);
    let verdict = |until| user.judged_keys(&exempt(until), now()).next().unwrap().1;
    let set = |findings: &[Finding]| findings.iter().copied().collect::<Findings>();
    let hidden = Verdict { findings: set(&[Finding::VeryStale]), exempt: set(&[Finding::Stale]) };
    assert_eq!((verdict(None), verdict(Some(now() + DAY))), (hidden, hidden));
    let reported = Verdict { findings: set(&[Finding::VeryStale, Finding::Stale]), exempt: set(&[]) };
    assert_eq!(verdict(Some(now())), reported);
    assert!(reported.findings.distinct().eq([Finding::VeryStale]));
}

#[test]
fn a_limit_of_nothing_is_reached_by_nobody_without_keys() {
    for (keys, limit, standing) in [
        (0, 0, KeyLimit::Below),
        (1, 0, KeyLimit::Over),
        (1, 2, KeyLimit::Below),
        (2, 2, KeyLimit::At),
        (3, 2, KeyLimit::Over),
    ] {
        let user = user(&vec![key("a", 0, KeyStatus::Active, None); keys]);
        assert_eq!(user.key_limit(&Policy { limit, ..Policy::default() }), standing);
    }
}
