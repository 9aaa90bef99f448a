//! Reader of version 0: the catalogues of ifured 0.1.0, which did not say their version and are of four shapes.
//!
//! | shape | frames | other tables |
//! |---|---|---|
//! | 1 | with their headers, in columns of 80 characters | |
//! | 2 | also names of extensions | |
//! | 3 | as 2 | `hints` |
//! | 4 | headers in a table of their own, as lines | `hints` |
//!
//! None of them has the axes of frames. They follow from the header where the file can have no extensions; other frames lose their
//! fingerprint, so that the next scan reads them again and until then nothing is missing. Attempts had no records: they get names, and
//! times that follow from their runs.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ifured_core::{Header, Outcome, RecipeError, Tag, Task, TaskId};
use rusqlite::{Connection, Row};

use super::{Contents, KnownTask};
use crate::attempt::{Attempt, Cause, Cost, Ending, FORMAT, MadeProduct};
use crate::catalogue::attempts::MIGRATED;
use crate::catalogue::frames::{ScannedRow, fingerprint};
use crate::catalogue::open::Trouble;
use crate::catalogue::runs::{Run, run};
use crate::catalogue::schema;
use crate::catalogue::sealed::get;
use crate::catalogue::tasks::KnownProduct;
use crate::error::Damage;
use crate::hint_file::HintFile;
use crate::usage::Usage;

/// All tables that there ever were in this version.
pub(super) const TABLES: &[&str] = &["roots", "frames", "headers", "hints", "tasks", "products", "attempts", "runs"];

/// What every shape has.
const COLUMNS: &[(&str, &[&str])] = &[
    ("roots", &["path"]),
    ("frames", &["path", "root", "size", "mtime_ns", "ctime_ns", "inode", "hash", "statistics", "error"]),
    ("tasks", &["id", "task", "outcome"]),
    ("products", &["name", "tag", "task", "hash", "bytes", "size", "mtime_ns", "ctime_ns", "inode"]),
    ("attempts", &["number", "task", "run", "state", "error", "advice", "log", "seconds", "cpu_seconds", "peak_memory"]),
    ("runs", &["number", "started", "command", "version", "instrument", "config", "plan", "exit_code"]),
];

/// Reads all of it.
pub(super) fn read(db: &Connection) -> Result<Contents, Trouble> {
    let found = schema::columns(db)?;
    let has = |table: &str, column: &str| found.iter().any(|c| c.table == table && c.column == column);
    let wanted = COLUMNS.iter().flat_map(|(table, columns)| columns.iter().map(move |column| (*table, *column)));
    if let Some((table, column)) = wanted.into_iter().find(|(table, column)| !has(table, column)) {
        return Err(Trouble::Damaged(Damage::Column(format!("{table}.{column}"))));
    }
    let mut contents = Contents::default();
    let left_out = &mut contents.left_out;
    contents.roots = rows(db, "SELECT path FROM roots ORDER BY path", left_out, |r| path(r, "path"))?;
    contents.frames = match has("headers", "cards") {
        true => rows(db, "SELECT frames.*, cards FROM frames JOIN headers ON headers.path = frames.path", left_out, |r| {
            frame(r, Header::of_lines(&get::<String>(r, "cards")?))
        })?,
        false => rows(db, "SELECT * FROM frames", left_out, |r| frame(r, header_of_columns(&get::<String>(r, "header")?)))?,
    };
    if has("hints", "says") {
        let hint = |r: &Row<'_>| Some((path(r, "root")?, serde_json::from_str::<HintFile>(&get::<String>(r, "says")?).ok()?));
        contents.hints = rows(db, "SELECT * FROM hints", left_out, hint)?;
    }
    contents.runs = rows(db, "SELECT * FROM runs ORDER BY number", left_out, run)?;
    let tasks = rows(db, "SELECT * FROM tasks", left_out, task)?;
    let products = rows(db, "SELECT * FROM products ORDER BY name", left_out, product)?;
    let attempts = rows(db, "SELECT * FROM attempts ORDER BY number", left_out, old_attempt)?;
    join(&mut contents, tasks, products, attempts);
    Ok(contents)
}

/// What became of each row; those that cannot be read are counted.
fn rows<T>(db: &Connection, sql: &str, left_out: &mut usize, read: impl Fn(&Row<'_>) -> Option<T>) -> rusqlite::Result<Vec<T>> {
    let found: Vec<Option<T>> = db.prepare(sql)?.query_map([], |r| Ok(read(r)))?.collect::<rusqlite::Result<_>>()?;
    let all = found.len();
    let read: Vec<T> = found.into_iter().flatten().collect();
    *left_out += all - read.len();
    Ok(read)
}

/// Paths were text.
fn path(row: &Row<'_>, column: &str) -> Option<PathBuf> {
    get::<String>(row, column).map(PathBuf::from)
}

fn frame(row: &Row<'_>, header: Header) -> Option<ScannedRow> {
    let path = path(row, "path")?;
    let hash: String = get(row, "hash")?;
    // Before XXH3 the content hash was another one; such a frame would seem to have changed.
    if !matches!(hash.len(), 0 | 32) {
        return None;
    }
    let error: String = get(row, "error")?;
    let fingerprint = fingerprint(row).filter(|f| !error.is_empty() || has_no_extensions(&path, &header, f.size));
    Some(ScannedRow {
        root: self::path(row, "root")?,
        fingerprint,
        hash,
        axes: axes(&header).unwrap_or_default(),
        header,
        // Not in the first shape.
        extensions: get::<String>(row, "extensions").unwrap_or_default().lines().map(str::to_owned).collect(),
        statistics: serde_json::from_str(&get::<String>(row, "statistics")?).ok()?,
        error,
        path,
    })
}

/// Headers were columns of Latin-1, one after the other.
fn header_of_columns(columns: &str) -> Header {
    Header::parse(&columns.chars().map(|c| c as u32 as u8).collect::<Vec<u8>>())
}

/// Axes of the primary array; none if it has no pixels.
fn axes(header: &Header) -> Option<Vec<usize>> {
    let count = header.integer("NAXIS").ok().filter(|n| (1..=999).contains(n))?;
    let axes = (1..=count).map(|n| usize::try_from(header.integer(&format!("NAXIS{n}")).ok()?).ok().filter(|length| *length > 0));
    axes.collect()
}

/// Whether a plain file of that size ends with its primary array.
fn has_no_extensions(path: &Path, header: &Header, size: i64) -> bool {
    const BLOCK: u128 = 2880;
    let plain = path.extension().is_some_and(|e| ["fits", "fit", "fts"].iter().any(|plain| e.eq_ignore_ascii_case(plain)));
    let (Some(axes), Ok(bitpix), Ok(size)) = (axes(header), header.integer("BITPIX"), u128::try_from(size)) else { return false };
    let pixels = axes.iter().fold(1u128, |product, length| product.saturating_mul(*length as u128));
    let cards = header.columns().len() as u128 + 1;
    let data = pixels.saturating_mul(u128::from(bitpix.unsigned_abs() / 8));
    let least = (cards * 80).next_multiple_of(BLOCK) + (data / BLOCK + u128::from(data % BLOCK > 0)) * BLOCK;
    plain && (least..least + BLOCK).contains(&size)
}

fn task(row: &Row<'_>) -> Option<(Task, Outcome)> {
    Some((serde_json::from_str(&get::<String>(row, "task")?).ok()?, serde_json::from_str(&get::<String>(row, "outcome")?).ok()?))
}

fn product(row: &Row<'_>) -> Option<KnownProduct> {
    Some(KnownProduct {
        name: get(row, "name")?,
        tag: Tag::new(get::<String>(row, "tag")?),
        task: TaskId::new(get::<String>(row, "task")?),
        hash: get(row, "hash")?,
        bytes: u64::try_from(get::<i64>(row, "bytes")?).ok()?,
        fingerprint: fingerprint(row),
    })
}

struct OldAttempt {
    number: i64,
    task: TaskId,
    run: i64,
    done: bool,
    error: RecipeError,
    log: String,
    cost: Cost,
}

fn old_attempt(row: &Row<'_>) -> Option<OldAttempt> {
    let count = |column: &str| get::<i64>(row, column).and_then(|n| u64::try_from(n).ok());
    Some(OldAttempt {
        number: get(row, "number")?,
        task: TaskId::new(get::<String>(row, "task")?),
        run: get(row, "run")?,
        done: get::<String>(row, "state")? == "done",
        error: RecipeError::new(get::<String>(row, "error")?, get::<String>(row, "advice")?),
        log: get(row, "log")?,
        cost: Cost {
            seconds: get(row, "seconds")?,
            usage: Usage {
                cpu_seconds: get(row, "cpu_seconds")?,
                peak_memory: count("peak_memory")?,
                bytes_read: count("bytes_read").unwrap_or_default(),
                bytes_written: count("bytes_written").unwrap_or_default(),
            },
        },
    })
}

/// Makes of what was apart the records that a journal would hold.
fn join(contents: &mut Contents, tasks: Vec<(Task, Outcome)>, products: Vec<KnownProduct>, attempts: Vec<OldAttempt>) {
    let done: HashMap<&TaskId, &(Task, Outcome)> = tasks.iter().map(|row| (&row.0.id, row)).collect();
    let mut made: BTreeMap<&TaskId, Vec<MadeProduct>> = BTreeMap::new();
    for p in &products {
        let (name, tag, hash) = (p.name.clone(), p.tag.clone(), p.hash.clone());
        made.entry(&p.task).or_default().push(MadeProduct { name, tag, hash, bytes: p.bytes, fingerprint: p.fingerprint });
    }
    let runs: HashMap<i64, &Run> = contents.runs.iter().filter_map(|run| Some((run.number?, run))).collect();
    let mut made_ms: HashMap<&TaskId, i64> = HashMap::new();
    let mut started_ms = 0;
    for a in &attempts {
        let run = runs.get(&a.run);
        // Each after the one before, and none before its run.
        started_ms = run.map_or(0, |run| milliseconds(&run.started)).max(started_ms + 1);
        let known = done.get(&a.task);
        let ending = match a.done {
            true => Ending::Done {
                outcome: known.map(|(_, outcome)| outcome.clone()).unwrap_or_default(),
                products: made.get(&a.task).cloned().unwrap_or_default(),
            },
            false => Ending::Failed { cause: Cause::Recipe(a.error.clone()) },
        };
        if a.done {
            made_ms.insert(&a.task, started_ms);
        }
        let attempt = Attempt {
            format: FORMAT,
            version: run.map(|run| run.version.clone()).unwrap_or_default(),
            machine: String::new(),
            started_ms: started_ms.unsigned_abs(),
            run: run.and_then(|run| run.number),
            // What failed was not kept beyond its name.
            task: known.map_or_else(|| Task { id: a.task.clone(), ..Task::default() }, |(task, _)| task.clone()),
            ending,
            cost: a.cost,
            log: a.log.clone(),
        };
        contents.attempts.push((format!("{MIGRATED}{}", a.number), attempt));
    }
    let when = |id: &TaskId| made_ms.get(id).copied().unwrap_or_default();
    contents.products = products.iter().map(|p| (when(&p.task), p.clone())).collect();
    contents.tasks = tasks
        .iter()
        .map(|(task, outcome)| (when(&task.id), KnownTask { task: task.clone(), outcome: outcome.clone(), grade: outcome.grade() }))
        .collect();
}

/// Milliseconds since 1970 of a time such as `2026-11-30T22:18:33`; 0 if it is none.
fn milliseconds(utc: &str) -> i64 {
    hifitime::Epoch::from_str(&format!("{utc} UTC")).map_or(0, |epoch| epoch.to_unix_milliseconds().max(0.0) as i64)
}
