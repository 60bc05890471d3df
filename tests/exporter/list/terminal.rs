//! Where somebody looks at it.

use crate::terminal;

fn demo() -> String {
    format!("{} list --demo", env!("CARGO_BIN_EXE_tencentcloud-cam-exporter"))
}

#[test]
fn a_terminal_shows_how_far_it_is_and_colours_and_no_trace_of_a_bar() {
    let (shown, code) = terminal::shown(120, &demo(), &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains(" of 36 users") && shown.contains("##-"), "{shown}");
    assert!(shown.contains("\u{1b}[31mstale") && shown.contains("\u{1b}[32mok"), "{shown}");
    let read = terminal::read(&shown);
    assert!(read.starts_with("ACCOUNT  USER "), "{read}");
    assert!(read.lines().all(|line| line.len() <= 120 && !line.contains("of 36 users  ")), "{read}");
}

#[test]
fn a_narrow_terminal_breaks_verdicts_and_no_id() {
    let (shown, _) = terminal::shown(104, &format!("{} 2>/dev/null", demo()), &[("NO_COLOR", "1")]);
    assert!(!shown.contains('\u{1b}'), "no colours, and no bar where standard error is none: {shown}");
    let read = terminal::read(&shown);
    for row in [
        "demo     100013065935  -                  -                 -         -       -           failed:\n",
        "demo     100013065927  data-platform      AKIDDEMO****0272  Active    97 d    today       stale, over\n",
    ] {
        assert!(read.contains(row), "{row}: {read}");
    }
}

#[test]
fn a_log_line_does_not_spoil_the_bar() {
    let (shown, _) = terminal::shown(100, &format!("{} --log.level=warn", demo()), &[]);
    let read = terminal::read(&shown);
    let logged: Vec<&str> = read.lines().filter(|line| line.contains("level=warn")).collect();
    assert_eq!(logged.len(), 2, "{read}");
    assert!(logged.iter().all(|line| line.starts_with("ts=") && line.ends_with('"')), "{read}");
}
