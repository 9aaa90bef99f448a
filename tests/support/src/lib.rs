//! Tests that need what is not part of the repository: real data, programs, rights.
//!
//! Where it is absent they say `SKIPPED`, the test and the reason, and pass. With `IFURED_TESTS=strict` they fail with the same text, so that a machine that
//! has everything (or should) cannot lose tests unnoticed.
#![deny(missing_docs)]

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Says that the test, or a part of it, is skipped; the caller returns.
///
/// # Panics
/// With `IFURED_TESTS=strict`.
#[track_caller]
pub fn skip(why: impl Display) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("SKIPPED {test}: {why}");
    assert!(std::env::var_os("IFURED_TESTS").is_none_or(|mode| mode != "strict"), "{line}");
    // Not `eprintln!`: the test harness hides its lines for tests that pass. One write, so that lines of other threads do not come between.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Real data that are given beside the project and never part of it: a path below `IFURED_SHARED`, or `../shared` beside the workspace. None, and [`skip`], if it
/// is not there.
///
/// # Panics
/// As [`skip`].
#[track_caller]
pub fn shared(what: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    let root = std::env::var_os("IFURED_SHARED").map_or_else(|| workspace.join("../shared"), PathBuf::from);
    let path = root.join(what);
    let there = path.canonicalize().ok();
    if there.is_none() {
        skip(format_args!("{} is not there (set IFURED_SHARED)", path.display()));
    }
    there
}
