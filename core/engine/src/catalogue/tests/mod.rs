//! Tests of the catalogue, and what they share.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use ifured_core::recipe::TaskInput;
use ifured_core::{Header, Hint, Hints, Outcome, QualityNumber, RecipeError, Task};

use super::{Catalogue, KnownProduct, ScannedRow};
use crate::attempt::{Attempt, Cause, Cost, Ending, FORMAT, MadeProduct};
use crate::files::Fingerprint;
use crate::hint_file::HintFile;
use crate::usage::Usage;

mod damage;
mod memory;
mod migration;
mod processes;

/// A path that is not text.
fn odd_path(name: &[u8]) -> PathBuf {
    Path::new("/data").join(OsString::from_vec(name.to_vec()))
}

fn fingerprint(n: i64) -> Fingerprint {
    Fingerprint { size: 2880 * n, mtime_ns: 1_796_077_112_272_619_814 + n, ctime_ns: 1_796_077_112_272_619_815 + n, inode: 10_084_370 + n }
}

fn frame(path: PathBuf, n: i64) -> ScannedRow {
    let mut header = Header::new();
    header.set("NAXIS", 2i64, "");
    header.set("OBJECT", format!("star {n}"), "µ Cephei");
    ScannedRow {
        path,
        root: odd_path(b"Mu\xf1oz"),
        fingerprint: Some(fingerprint(n)),
        hash: format!("{n:032x}"),
        header,
        extensions: vec!["CHAN01".into(), "two\nlines".into()],
        axes: vec![4224, 4240],
        statistics: vec![("QUANT500".into(), 672.1 / 3.0), ("NPOINTS".into(), n as f64)],
        error: if n == 3 { "it ends too early".into() } else { String::new() },
    }
}

fn task(id: &str) -> Task {
    let input = TaskInput { path: odd_path(b"bi\xe1s.fits"), name: "bias.fits".into(), ..TaskInput::default() };
    Task { id: id.into(), recipe: "master-bias".into(), night: "20240720".into(), inputs: vec![input], ..Task::default() }
}

fn outcome() -> Outcome {
    Outcome { quality: vec![QualityNumber::new("LEVEL", 672.1, "adu", "level")], notes: vec!["a note".into()], ..Outcome::default() }
}

fn made(name: &str, n: i64) -> MadeProduct {
    MadeProduct { name: name.into(), tag: "master-bias".into(), hash: format!("{n:032x}"), bytes: 7, fingerprint: Some(fingerprint(n)) }
}

fn attempt(id: &str, started_ms: u64, ending: Ending) -> Attempt {
    let usage = Usage { cpu_seconds: 0.1 + 0.2, peak_memory: 1 << 33, bytes_read: 5, bytes_written: 6 };
    Attempt {
        format: FORMAT,
        version: "0.1.0".into(),
        machine: "here".into(),
        started_ms,
        run: Some(1),
        task: task(id),
        ending,
        cost: Cost { seconds: 1.0 / 3.0, usage },
        log: format!("log of {id} at {started_ms}\n"),
    }
}

fn done(id: &str, started_ms: u64, products: &[MadeProduct]) -> Attempt {
    attempt(id, started_ms, Ending::Done { outcome: outcome(), products: products.to_vec() })
}

fn failed(id: &str, started_ms: u64) -> Attempt {
    attempt(id, started_ms, Ending::Failed { cause: Cause::Recipe(RecipeError::new("no star", "look")) })
}

fn named(attempts: &[Attempt]) -> Vec<(String, Attempt)> {
    attempts.iter().map(|a| (format!("{}-{}.json", a.task.id, a.started_ms), a.clone())).collect()
}

/// A journal of three tasks: done; failed and then done; failed.
fn journal() -> Vec<(String, Attempt)> {
    named(&[
        done("a1", 100, &[made("bias/1.fits", 1), made("bias/2.fits", 2)]),
        failed("b2", 200),
        done("b2", 300, &[made("flat/1.fits", 3)]),
        failed("c3", 400),
    ])
}

/// Something in every table.
fn fill(catalogue: &mut Catalogue) {
    let root = odd_path(b"Mu\xf1oz");
    let frames = [b"a\xff.fits", b"b\xfe.fits", b"c\xfd.fits"];
    let frames: Vec<ScannedRow> = frames.iter().zip(1..).map(|(name, n)| frame(odd_path(*name), n)).collect();
    catalogue.store_scan(&root, &frames, &[]).unwrap();
    let hint = Hint { category: "BIAS".into(), names: vec!["a".into()], ..Hint::default() };
    let hints = HintFile { path: odd_path(b"h\xef.xml"), hints: Hints { hints: vec![hint], notes: vec![] }, error: String::new() };
    catalogue.store_hints(&root, &[hints]).unwrap();
    let run = catalogue.start_run("ifured reduce", "cafos", "{}", "plan.json").unwrap();
    catalogue.end_run(run, 1).unwrap();
    catalogue.merge(&journal()).unwrap();
}

/// All that a catalogue says, one text each.
fn all(catalogue: &Catalogue) -> BTreeSet<String> {
    let known = catalogue.known().unwrap();
    let mut all = BTreeSet::new();
    all.extend(catalogue.roots().unwrap().iter().map(|root| format!("root {root:?}")));
    all.extend(catalogue.scanned().unwrap().0.iter().map(described));
    all.extend(catalogue.hints().unwrap().iter().map(|hints| format!("hints {hints:?}")));
    all.extend(catalogue.last_run().unwrap().iter().map(|run| format!("run {run:?}")));
    all.extend(known.tasks.iter().map(|task| format!("task {task:?}")));
    all.extend(known.products.iter().map(|product| format!("product {product:?}")));
    all.extend(known.attempts.iter().map(|attempt| format!("attempt {attempt:?}")));
    let logs = journal().into_iter().map(|(record, _)| (catalogue.log(&record).unwrap(), record));
    all.extend(logs.filter(|(log, _)| !log.is_empty()).map(|log| format!("log {log:?}")));
    all
}

fn described(row: &ScannedRow) -> String {
    let ScannedRow { path, root, fingerprint, hash, header, extensions, axes, statistics, error } = row;
    format!("frame {path:?} {root:?} {fingerprint:?} {hash} {} {extensions:?} {axes:?} {statistics:?} {error}", header.to_lines())
}

fn product(name: &str, task: &str, n: i64) -> KnownProduct {
    let MadeProduct { name, tag, hash, bytes, fingerprint } = made(name, n);
    KnownProduct { name, tag, task: task.into(), hash, bytes, fingerprint }
}
