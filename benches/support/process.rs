//! A process that is measured from outside, with the processes that it started. Stopped when dropped.

use std::{
    collections::BTreeMap,
    fs,
    process::{Child, Command, ExitStatus},
    time::Duration,
};

/// How far off the coarse count may be: by a hundredth of a second for each of user and system time, and process.
const COARSENESS: Duration = Duration::from_millis(50);

pub(crate) struct Process(Child);

/// The CPU time used up to a moment.
pub(crate) struct CpuTime {
    /// Of everything, threads that have ended included. The kernel counts it in hundredths of a second.
    coarse: Duration,
    /// Of each thread that lives, to the nanosecond.
    threads: BTreeMap<u32, Duration>,
}

// === impl Process ===

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
    }

    pub(crate) fn cpu(&self) -> CpuTime {
        let ids = self.ids();
        CpuTime {
            coarse: ids.iter().map(|id| coarse(*id)).sum(),
            threads: ids.iter().flat_map(|id| threads(*id)).collect(),
        }
    }

    /// The memory that it holds, in KiB: none once it has ended. What its processes share counts for each of them.
    pub(crate) fn rss(&self) -> u64 {
        self.ids().into_iter().filter_map(|id| status(id, "VmRSS:")).sum()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// It and the processes that it started.
    fn ids(&self) -> Vec<u32> {
        let id = self.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        [id].into_iter().chain(children.split_whitespace().map(|child| child.parse().unwrap())).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ids = self.ids();
        if self.ended().is_none() {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
        for child in &ids[1..] {
            let _ = Command::new("sh").args(["-c", &format!("kill -s KILL {child}")]).status();
        }
    }
}

fn coarse(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<u64>().unwrap();
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

fn threads(id: u32) -> BTreeMap<u32, Duration> {
    let taken = |thread: &fs::DirEntry| {
        // It may have ended since.
        let schedstat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap().map(Result::unwrap);
    threads.filter_map(|thread| Some((thread.file_name().to_str()?.parse().ok()?, taken(&thread)?))).collect()
}

/// What a line of the process' status says, in KiB or as a number. Nothing where the process has ended.
pub(crate) fn status(id: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(field))?.trim().trim_end_matches(" kB").parse().ok()
}

// === impl CpuTime ===

impl CpuTime {
    /// What has been taken since `before`: to the nanosecond, unless threads have ended and took their counts along.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        let earlier = |thread| before.threads.get(thread).copied().unwrap_or_default();
        let fine = self.threads.iter().map(|(thread, taken)| taken.saturating_sub(earlier(thread))).sum();
        let coarse = self.coarse.saturating_sub(before.coarse);
        if coarse > fine + COARSENESS { coarse } else { fine }
    }
}
