//! Keeps the heap small, and returns freed memory to the system.
//!
//! glibc keeps what lies below an allocation that lives on, so after a wave of connections or the writing of a large state
//! file the process would stay as large as it once was. And it has a heap, an arena, for nearly each thread, each with free
//! memory of its own.

use std::time::Duration;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::{iter::repeat_n, thread};

use tokio::time::{MissedTickBehavior, interval};

/// How often. It takes far less than a millisecond where little is free.
const EVERY: Duration = Duration::from_secs(20);

/// One for the main thread, and one for those that parse, hash and read files beside it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: libc::c_int = 2;

/// Limits how many arenas there are. By default there are up to eight for each core, and in the course of weeks each thread that
/// reads files gets one. Has no effect on threads that exist.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "no crate has a safe wrapper for this call")]
pub fn limit_arenas() {
    // SAFETY: it takes no pointer, and glibc locks its parameters itself.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
}

/// Other allocators have no arenas, or no such call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn limit_arenas() {}

/// Returns what is free, again and again, for ever.
pub(crate) async fn keep_trimmed() {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        trim();
    }
}

/// Frees the chunks that glibc caches for this thread: up to seven of each of 64 sizes, scattered over the heap, and each
/// keeps a page. A cache is emptied only when its thread ends. So another thread frees the chunks, and ends.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn empty_thread_cache() {
    let cached = (1..=64).flat_map(|size| repeat_n(16 * size + 8, 7)).map(Vec::<u8>::with_capacity);
    let cached: Vec<_> = cached.collect();
    if let Ok(thread) = thread::Builder::new().name("trim".to_owned()).spawn(move || drop(cached)) {
        let _ = thread.join();
    }
}

/// Returns what is free.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "no crate has a safe wrapper for this call")]
fn trim() {
    empty_thread_cache();
    // SAFETY: it takes no pointer, and glibc locks its arenas itself.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators return memory by themselves, or have no such call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}
