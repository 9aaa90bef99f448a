//! What a running recipe can ask of the program that runs it. There is no other way: no environment variable, no name of a file.

use std::path::PathBuf;
use std::time::Duration;

/// What a running recipe can ask of the program that runs it.
pub trait Host: Sync {
    /// Says how far the work is (0 to 1) and what is being done.
    fn progress(&self, fraction: f64, what: &str);

    /// Threads that the task may use.
    fn threads(&self) -> usize {
        1
    }

    /// Time until the task is ended, whatever it does; none where nobody waits for it.
    fn time_left(&self) -> Option<Duration> {
        None
    }

    /// Bytes of memory that the task may use; none where nobody counts them.
    fn memory(&self) -> Option<u64> {
        None
    }

    /// An empty directory for what the task needs only while it runs. The host removes it, also when the task is killed. It is on the file system of the
    /// products, so that a file is moved from there to its place and not copied. None where the host has no such place: the recipe makes its own.
    fn scratch(&self) -> Option<PathBuf> {
        None
    }
}

/// A host that says nothing and limits nothing: for tests.
pub struct QuietHost;

impl Host for QuietHost {
    fn progress(&self, _: f64, _: &str) {}
}
