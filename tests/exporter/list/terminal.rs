//! `list` on a terminal.

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

/// What `list --demo` shows on a terminal of so many columns, without colours.
fn shown(columns: u16) -> String {
    let (shown, _) = terminal::shown(columns, &format!("{} 2>/dev/null", demo()), &[("NO_COLOR", "1")]);
    assert!(!shown.contains('\u{1b}'), "no colours, and no bar where standard error is none: {shown}");
    terminal::read(&shown)
}

/// A table of 37 keys and two users that failed, under its header, and no rest of a row in another line.
fn assert_fits(read: &str, columns: usize) {
    assert!(read.lines().all(|line| line.chars().count() <= columns), "{columns}: {read}");
    let rows: Vec<&str> = read.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(rows.len(), 40, "{columns}: {read}");
    assert!(rows[1..].iter().all(|row| row.contains("1000130659")), "{columns}: {read}");
    assert_eq!(rows.iter().filter(|row| row.contains(" AKIDDEMO****0")).count(), 37, "{columns}: {read}");
}

#[test]
fn the_demo_fits_terminals_of_every_width() {
    for columns in [80, 100, 112, 120, 200] {
        assert_fits(&shown(columns), columns.into());
    }
}

#[test]
fn a_narrow_terminal_leaves_out_what_is_said_elsewhere_and_shortens_names() {
    let narrow = shown(80);
    for row in [
        "USER          NAME        KEY               AGE     USED    VERDICT\n",
        "100013065935  -           -                 -       -       user_not_found\n",
        "100013065927  data-plat…  AKIDDEMO****0272  97 d    today   stale, over limit\n",
        "100013065907  dave        AKIDDEMO****0071  31 d    today   ok\n",
    ] {
        assert!(narrow.contains(row), "{row}: {narrow}");
    }
}

#[test]
fn a_wide_terminal_shows_everything() {
    for columns in [120, 200] {
        let wide = shown(columns);
        let row = "demo     100013065935  -                  -                 -         -       -           failed: user_not_found\n";
        assert!(wide.contains(row) && wide.contains(" payments-rotating  "), "{wide}");
        assert!(
            wide.starts_with(
                "ACCOUNT  USER          NAME               KEY               STATUS    AGE     LAST USED   VERDICT\n"
            ),
            "{wide}"
        );
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
