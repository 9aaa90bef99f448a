//! The conformance kit: whether an instrument keeps to the contract, from its description to the truth of its simulated frames.
//!
//! `ifured plugin check FILE` runs it, and so does an author's own `cargo test` through [`assert_conforms`]. Tasks run in this
//! process, one after another, each twice: equal inputs must give equal bytes.

mod description;
mod night;

use std::path::Path;

use ifured_core::{LoadedInstrument, Module};

pub use crate::verify::Check;

/// Checks an instrument; frames and products go into `directory`. Each check is told to `on` as it is done, and all are given back. A
/// check that could not be judged ([`Check::right`] is none) is a remark.
pub fn check(instrument: &LoadedInstrument, directory: &Path, on: &mut dyn FnMut(&Check)) -> Vec<Check> {
    let mut all = Vec::new();
    let mut tell = |check: Check| {
        on(&check);
        all.push(check);
    };
    description::check(instrument.description(), &mut tell);
    night::check(instrument, directory, &mut tell);
    all
}

/// For the tests of a plugin: panics with everything that is wrong.
///
/// # Panics
/// If a check fails, or there is no room for the simulated frames.
pub fn assert_conforms(module: Module) {
    let instrument = LoadedInstrument::new(module).expect("the instrument describes itself");
    let directory = tempfile::tempdir().expect("room for simulated frames");
    let checks = check(&instrument, directory.path(), &mut |check| println!("{check}"));
    let wrong: Vec<String> = checks.iter().filter(|c| c.right == Some(false)).map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{} of {} checks fail:\n{}", wrong.len(), checks.len(), wrong.join("\n"));
}

/// One check of many things: right if none of them is wrong.
fn all_right(what: &str, wrong: Vec<String>, found: impl Into<String>) -> Check {
    let right = wrong.is_empty();
    Check { what: what.into(), right: Some(right), found: if right { found.into() } else { wrong.join("; ") } }
}
