//! Opening: which version it is, whether it can be used, and what to do if not.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::remark::Remark;
use super::{damage, in_transaction, migrate, schema};
use crate::error::Damage;
use crate::error::{Error, Result};

/// How long a process waits for another one that writes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a database is not open.
pub(super) enum Trouble {
    /// It is no catalogue, or not any more.
    Damaged(Damage),
    /// A newer ifured wrote it.
    Newer(i64),
    /// It may be a good one, and cannot be used now.
    Unusable(rusqlite::Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{FromSqlConversionFailure, InvalidColumnType, Utf8Error};
        // What SQLite itself stores of tables and columns is text; where it is not, it was damaged.
        let is_no_text = matches!(error, FromSqlConversionFailure(..) | InvalidColumnType(..) | Utf8Error(..));
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Trouble::Damaged(Damage::Unreadable(error.to_string())),
            _ if is_no_text => Trouble::Damaged(Damage::Unreadable(error.to_string())),
            _ => Trouble::Unusable(error),
        }
    }
}

impl Trouble {
    fn error(self, path: &Path) -> Error {
        match self {
            Trouble::Damaged(damage) => Error::CatalogueDamaged { path: path.into(), damage },
            Trouble::Newer(found) => Error::CatalogueVersion { path: path.into(), found, known: schema::VERSION },
            Trouble::Unusable(source) => Error::Catalogue { path: path.into(), source },
        }
    }
}

/// What there is.
enum Found {
    Nothing,
    Older,
    Current,
}

/// Opens a catalogue to write, whatever there is.
pub(super) fn to_write(path: &Path) -> Result<(Connection, Vec<Remark>)> {
    match open(path) {
        Err(Trouble::Damaged(why)) => {
            let salvaged = damage::salvage(path);
            let kept_as = damage::set_aside(path)?;
            let (mut db, _) = open(path).map_err(|trouble| trouble.error(path))?;
            let (roots, runs) = (salvaged.roots.len(), salvaged.runs.len());
            in_transaction(&mut db, |tx| migrate::store(tx, &salvaged)).map_err(|e| Trouble::from(e).error(path))?;
            Ok((db, vec![Remark::DamagedFile { kept_as, why, roots, runs }]))
        }
        opened => opened.map_err(|trouble| trouble.error(path)),
    }
}

fn open(path: &Path) -> std::result::Result<(Connection, Vec<Remark>), Trouble> {
    let mut db = Connection::open(path)?;
    db.busy_timeout(PATIENCE)?;
    let mut remarks = Vec::new();
    let found = examine(&db)?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    match found {
        // The first scan goes into the new file at once, and not into its log first.
        Found::Nothing => create(&mut db)?,
        Found::Older => {
            remarks.extend(in_transaction(&mut db, migrate::migrate)?);
            // Not while others read; it saves space and nothing else.
            let _ = compact(&db);
            log_ahead(&db)?;
        }
        Found::Current => log_ahead(&db)?,
    }
    remarks.extend(damage::forget_damaged(&mut db)?);
    Ok((db, remarks))
}

/// Opens a catalogue to read.
pub(super) fn to_read(path: &Path) -> Result<(Connection, Vec<Remark>)> {
    read_only(path).map_err(|trouble| trouble.error(path))
}

fn read_only(path: &Path) -> std::result::Result<(Connection, Vec<Remark>), Trouble> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(PATIENCE)?;
    let older = match examine(&db)? {
        Found::Current => return Ok((db, Vec::new())),
        Found::Older => true,
        Found::Nothing => false,
    };
    let mut memory = Connection::open_in_memory()?;
    let mut remarks = Vec::new();
    if older {
        Backup::new(&db, &mut memory)?.run_to_completion(i32::MAX, PATIENCE, None)?;
        remarks.extend(in_transaction(&mut memory, migrate::migrate)?);
    } else {
        create(&mut memory)?;
    }
    memory.pragma_update(None, "query_only", true)?;
    Ok((memory, remarks))
}

/// Says what a file holds, without changing it.
fn examine(db: &Connection) -> std::result::Result<Found, Trouble> {
    let version = schema::version(db)?;
    if version > schema::VERSION {
        return Err(Trouble::Newer(version));
    }
    let tables: i64 = db.query_row("SELECT count(*) AS tables FROM sqlite_master", [], |r| r.get("tables"))?;
    if tables == 0 {
        return Ok(Found::Nothing);
    }
    // A damaged page shows up only when it is read, and a damaged index only when something is written.
    let says: String = db.query_row("PRAGMA integrity_check(1)", [], |r| r.get("integrity_check"))?;
    if says != "ok" {
        return Err(Trouble::Damaged(Damage::Unreadable(says)));
    }
    if version < schema::VERSION {
        return Ok(Found::Older);
    }
    match schema::difference(db)? {
        Some(column) => Err(Trouble::Damaged(Damage::Column(column))),
        None => Ok(Found::Current),
    }
}

fn create(db: &mut Connection) -> rusqlite::Result<()> {
    // Headers of a hundred kilobytes; of effect in a new file only.
    db.pragma_update(None, "page_size", 16384)?;
    in_transaction(db, |tx| {
        // Another process may have been first.
        if schema::version(tx)? == 0 { schema::create(tx) } else { Ok(()) }
    })
}

/// Others can read while a run writes.
pub(super) fn log_ahead(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")
}

fn compact(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::ZERO)?;
    let compacted = db.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA page_size = 16384; VACUUM;");
    db.busy_timeout(PATIENCE)?;
    compacted
}
