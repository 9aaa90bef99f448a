//! What happens to damaged files and rows.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::attempts::MIGRATED;
use super::migrate::Contents;
use super::remark::Remark;
use super::schema::{ATTEMPTS, FRAMES, HINTS, LOGS, PRODUCTS, ROOTS, RUNS, TASKS};
use super::sealed::{Conflict, Table, bytes, path as path_of};
use super::{in_transaction, runs};

use crate::error::{Error, Result};

/// Forgets rows that are not whole, except of frames and headers: these are looked at when they are read, for they are large.
///
/// Where something of tasks, products or attempts is lost, all records of the journal count as not merged, and so bring it back.
pub(super) fn forget_damaged(db: &mut Connection) -> rusqlite::Result<Vec<Remark>> {
    if damaged(db)?.is_empty() {
        return Ok(Vec::new());
    }
    in_transaction(db, |tx| {
        // Again, for another process may have written in between.
        let damaged = damaged(tx)?;
        damaged.iter().try_for_each(|(table, places)| table.forget(tx, places))?;
        let lost = |names: &[&str]| damaged.iter().any(|(table, _)| names.contains(&table.name));
        if lost(&[ROOTS.name]) {
            restore_roots(tx)?;
        }
        if lost(&[TASKS.name, PRODUCTS.name, ATTEMPTS.name]) {
            // Those of older catalogues have no record.
            for table in [&ATTEMPTS, &LOGS] {
                tx.execute(&format!("DELETE FROM {} WHERE substr(record, 1, length(?1)) <> ?1", table.name), [MIGRATED])?;
            }
        }
        Ok(damaged.iter().map(|(table, places)| Remark::DamagedRows { table: table.name, count: places.len() }).collect())
    })
}

/// Tables that have damaged rows, with their places.
fn damaged(db: &Connection) -> rusqlite::Result<Vec<(&'static Table, Vec<i64>)>> {
    let mut found = Vec::new();
    for table in [&ROOTS, &HINTS, &TASKS, &PRODUCTS, &ATTEMPTS, &RUNS] {
        let places = table.read(db, "", [], |_| Some(()))?.damaged;
        if !places.is_empty() {
            found.push((table, places));
        }
    }
    Ok(found)
}

/// The frames know the directories that they lie in.
fn restore_roots(db: &Connection) -> rusqlite::Result<()> {
    let roots = FRAMES.read(db, "", [], |r| path_of(r, "root"))?.whole;
    roots.iter().try_for_each(|root| ROOTS.insert(db, Conflict::Keep, &[("path", bytes(root))]))
}

/// What can still be read of what a damaged file alone knows: scanned directories and runs.
pub(super) fn salvage(path: &Path) -> Contents {
    let mut contents = Contents::default();
    if let Ok(db) = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
        contents.roots = roots(&db);
        contents.runs = runs::salvage(&db);
    }
    contents
}

fn roots(db: &Connection) -> Vec<PathBuf> {
    let Ok(mut query) = db.prepare("SELECT * FROM roots") else { return Vec::new() };
    let sealed = query.column_names().contains(&"digest");
    let Ok(rows) = query.query_map([], |r| {
        let whole = !sealed || ROOTS.is_whole(r)?;
        Ok(whole.then(|| path_of(r, "path").or_else(|| r.get::<_, String>("path").ok().map(PathBuf::from))).flatten())
    }) else {
        return Vec::new();
    };
    // Up to where it cannot be read.
    rows.map_while(rusqlite::Result::ok).flatten().collect()
}

/// Moves a damaged catalogue out of the way, with what belongs to it; gives its new name.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf> {
    let aside = unused_name(path, "damaged");
    std::fs::rename(path, &aside).map_err(Error::io("cannot move aside", path))?;
    let beside = |path: &Path, ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    // The log is part of the content. It must not be taken for that of the new file.
    let _ = std::fs::rename(beside(path, "-wal"), beside(&aside, "-wal"));
    let _ = std::fs::remove_file(beside(path, "-shm"));
    Ok(aside)
}

/// A name beside `path` that is not in use: `path.edited`, `path.edited-2`, …
pub fn unused_name(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{ending}"));
    let numbered = |n: u32| {
        let mut numbered = name.clone();
        numbered.push(format!("-{n}"));
        numbered
    };
    let mut free = std::iter::once(name.clone()).chain((2..).map(numbered)).map(|n| path.with_file_name(n)).filter(|p| !p.exists());
    free.next().unwrap_or_else(|| path.to_owned())
}
