//! The command line.

use std::path::PathBuf;

use crate::attack::{ATTACKS, Attack, CLIENTS};

const USAGE: &str = "see the head of benches/attacks/main.rs, or --list";

pub(crate) struct Options {
    pub(crate) attacks: Vec<&'static Attack>,
    pub(crate) seconds: Option<u64>,
    /// Clients of an attack, in place of its own number.
    pub(crate) connections: Option<usize>,
    /// The size of the memory cgroup, in MiB.
    pub(crate) cgroup: Option<u64>,
    pub(crate) all_at_once: Option<Transport>,
    pub(crate) binary: PathBuf,
    pub(crate) list: bool,
}

/// What the exporter speaks while all client attacks run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    /// TLS and basic authentication.
    Tls,
}

// === impl Options ===

impl Options {
    /// # Errors
    /// What is wrong with the command line.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            attacks: vec![],
            seconds: None,
            connections: None,
            cgroup: None,
            all_at_once: None,
            binary: env!("CARGO_BIN_EXE_tencentcloud-cam-exporter").into(),
            list: false,
        };
        for argument in arguments.filter(|argument| argument != "--bench") {
            let (flag, value) = match argument.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (argument.as_str(), None),
            };
            match (flag, value) {
                ("--list", None) => options.list = true,
                ("--all-at-once", None | Some("tls")) => options.all_at_once = Some(Transport::Tls),
                ("--all-at-once", Some("plain")) => options.all_at_once = Some(Transport::Plain),
                ("--seconds", Some(value)) => options.seconds = Some(number(flag, value)?),
                ("--connections", Some(value)) => options.connections = Some(number(flag, value)?),
                ("--cgroup", Some(value)) => {
                    options.cgroup = Some(number(flag, value.strip_suffix("Mi").unwrap_or(value))?);
                }
                ("--binary", Some(value)) => options.binary = value.into(),
                (name, None) if !name.starts_with('-') => options.attacks.extend(named(name)?),
                _ => return Err(format!("{argument}: unknown; {USAGE}")),
            }
        }
        if options.attacks.is_empty() && options.all_at_once.is_none() {
            options.attacks = ATTACKS.iter().collect();
        }
        let binary = options.binary.canonicalize();
        options.binary = binary.map_err(|error| format!("--binary={}: {error}", options.binary.display()))?;
        Ok(options)
    }
}

/// The attack called `name`, or all that attack over the network.
fn named(name: &str) -> Result<Vec<&'static Attack>, String> {
    if name == CLIENTS {
        return Ok(ATTACKS.iter().filter(|attack| attack.is_network()).collect());
    }
    let attack = ATTACKS.iter().find(|attack| attack.name == name);
    attack.map(|attack| vec![attack]).ok_or_else(|| format!("{name}: no such attack; {USAGE}"))
}

fn number<T: std::str::FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag}={value}: not a number; {USAGE}"))
}
