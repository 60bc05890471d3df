//! A terminal that a test looks at: util-linux's `script` gives the binary a pseudo-terminal.

use std::process::{Command, Stdio};

use crate::faketime::clock_variables;

/// What `command`, for a shell, leaves on a terminal of so many columns, with its control sequences; and its exit code.
pub(crate) fn shown(columns: u16, command: &str, environment: &[(&str, &str)]) -> (String, Option<i32>) {
    let output = Command::new("script")
        .args(["-qec", &format!("stty cols {columns} rows 60; {command}"), "/dev/null"])
        .env_clear()
        .envs(clock_variables())
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm-256color")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

/// What is left to be read of that: lines that were written over are gone, and so are colours.
pub(crate) fn read(shown: &str) -> String {
    let mut read = String::new();
    for line in shown.split_inclusive('\n') {
        let end = line.ends_with('\n');
        let line = line.trim_end_matches(['\r', '\n']);
        let line = line.rsplit('\r').next().unwrap();
        let mut pieces = line.split('\u{1b}');
        read.push_str(pieces.next().unwrap());
        for piece in pieces {
            let (_, text) = piece.split_once(|end: char| end.is_ascii_alphabetic()).unwrap_or_default();
            read.push_str(text);
        }
        if end {
            read.push('\n');
        }
    }
    read
}
