//! A memory cgroup of its own for the exporter.

use std::{fs, io, path::PathBuf, thread::sleep, time::Duration};

const ROOT: &str = "/sys/fs/cgroup";

/// Removed when dropped, which is to happen after the process in it has ended.
pub(crate) struct Cgroup(PathBuf);

// === impl Cgroup ===

impl Cgroup {
    /// A group of `mib` MiB, below that of the caller where that is possible.
    ///
    /// # Errors
    /// The machine does not let the caller make one.
    pub(crate) fn new(mib: u64) -> io::Result<Self> {
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let path_of = |controllers: &str| {
            own.lines().find_map(|line| {
                let (_, rest) = line.split_once(':')?;
                let (names, path) = rest.split_once(':')?;
                (names == controllers).then(|| path.trim_start_matches('/').to_owned())
            })
        };
        let (parent, limits): (PathBuf, &[&str]) = match path_of("memory") {
            // Version 1.
            Some(path) => (PathBuf::from(ROOT).join("memory").join(path), &["memory.limit_in_bytes"]),
            // Version 2, where a group with processes has no children that are limited.
            None => (ROOT.into(), &["memory.max"]),
        };
        let group = Self(parent.join(format!("exporter-attacks-{}", std::process::id())));
        fs::create_dir(&group.0)?;
        for limit in limits {
            fs::write(group.0.join(limit), (mib << 20).to_string())?;
        }
        // Swap would hide what is over the limit.
        for swap in ["memory.swap.max", "memory.swappiness"] {
            if group.0.join(swap).exists() {
                let _ = fs::write(group.0.join(swap), "0");
            }
        }
        Ok(group)
    }

    /// Where a process writes its id to enter.
    pub(crate) fn door(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What has just ended leaves it a moment later.
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}
