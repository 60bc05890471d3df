//! What the command line says, and whether all that it asks for is there.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use crate::Encoding;

pub(crate) struct Options {
    pub(crate) encodings: Vec<Encoding>,
    /// How often each server is scraped, of each encoding.
    pub(crate) rounds: usize,
    /// The peers, where they are measured.
    pub(crate) go: Option<PathBuf>,
    pub(crate) rust: Option<PathBuf>,
    pub(crate) python: Option<PathBuf>,
    pub(crate) nginx: Option<PathBuf>,
}

// === impl Options ===

impl Options {
    /// # Errors
    /// Everything that is wrong or missing, one a line.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            encodings: vec![Encoding::Identity, Encoding::Gzip],
            rounds: 20,
            go: Some("target/peers/client_golang".into()),
            rust: Some("target/peers/rust/release/peer".into()),
            python: Some("target/peers/venv/bin/python".into()),
            nginx: Some("/usr/sbin/nginx".into()),
        };
        while let Some(flag) = arguments.next() {
            if flag == "--bench" {
                continue;
            }
            if flag == "--quick" {
                options.rounds = 5;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{flag} is unknown, or lacks its value"))?;
            match (flag.as_str(), value.as_str()) {
                ("--go", _) => options.go = Some(value.into()),
                ("--rust", _) => options.rust = Some(value.into()),
                ("--python", _) => options.python = Some(value.into()),
                ("--nginx", _) => options.nginx = Some(value.into()),
                ("--without", "go") => options.go = None,
                ("--without", "rust") => options.rust = None,
                ("--without", "python") => options.python = None,
                ("--without", "nginx") => options.nginx = None,
                ("--encoding", "identity") => options.encodings = vec![Encoding::Identity],
                ("--encoding", "gzip") => options.encodings = vec![Encoding::Gzip],
                _ => return Err(format!("{flag} {value} is unknown: see the head of benches/exposition/main.rs")),
            }
        }
        let missing = options.missing();
        if missing.is_empty() { Ok(options) } else { Err(missing.join("\n")) }
    }

    fn missing(&self) -> Vec<String> {
        let mut missing = vec![];
        let mut want = |there: bool, what: &str, peer: &str| {
            if !there {
                missing.push(format!(
                    "{what}; the head of benches/exposition/main.rs says how to get it. --{peer} FILE says where it is, \
                     --without {peer} leaves it out"
                ));
            }
        };
        if let Some(go) = &self.go {
            want(go.is_file(), &format!("{} is not there, the peer in Go", go.display()), "go");
        }
        if let Some(rust) = &self.rust {
            want(rust.is_file(), &format!("{} is not there, the peer in Rust", rust.display()), "rust");
        }
        if let Some(python) = &self.python {
            let output = run(Command::new(python).args(["-c", "import prometheus_client"]));
            let there = output.is_some_and(|output| output.status.success());
            want(there, &format!("{} does not run or has no prometheus_client", python.display()), "python");
        }
        if let Some(nginx) = &self.nginx {
            let output = run(Command::new(nginx).arg("-V"));
            let there = output.is_some_and(|output| {
                String::from_utf8_lossy(&output.stderr).contains("--with-http_gzip_static_module")
            });
            want(there, &format!("{} does not run or has no gzip_static", nginx.display()), "nginx");
        }
        if run(Command::new("promtool").arg("--version")).is_none() {
            missing
                .push("promtool is not in the PATH: install Prometheus, as by apt-get install prometheus".to_owned());
        }
        missing
    }
}

/// Nothing where it cannot be run.
fn run(command: &mut Command) -> Option<Output> {
    command.output().ok()
}
