//! The catalogue: an SQLite database of frames, tasks, attempts and products in the output directory.
//!
//! It is a memory, never the only truth: a lost catalogue is rebuilt from the raw frames and from the provenance in the
//! products. Every change is one transaction.

use std::path::{Path, PathBuf};

use ifured_core::recipe::Outcome;
use ifured_core::{Grade, Header, Tag, Task};
use rayon::prelude::*;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, Result};
use crate::files::Fingerprint;
use crate::frame::{Frame, Statistics};
use crate::hints::HintFile;

/// Name of the catalogue in an output directory.
pub const FILE: &str = "ifured.sqlite";

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS roots (path TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS frames (
    path TEXT PRIMARY KEY, root TEXT NOT NULL, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER,
    hash TEXT NOT NULL, statistics TEXT NOT NULL, error TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '', night TEXT NOT NULL DEFAULT '', mjd REAL, tag TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT '', why TEXT NOT NULL DEFAULT '', extensions TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS headers (path TEXT PRIMARY KEY, cards TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY, recipe TEXT NOT NULL, night TEXT NOT NULL, state TEXT NOT NULL, task TEXT NOT NULL,
    outcome TEXT NOT NULL, grade TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attempts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL, run INTEGER NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL,
    advice TEXT NOT NULL, log TEXT NOT NULL, seconds REAL NOT NULL, cpu_seconds REAL NOT NULL, peak_memory INTEGER NOT NULL,
    bytes_read INTEGER NOT NULL, bytes_written INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS products (
    name TEXT PRIMARY KEY, tag TEXT NOT NULL, task TEXT NOT NULL, hash TEXT NOT NULL, bytes INTEGER NOT NULL,
    size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER);
CREATE TABLE IF NOT EXISTS hints (path TEXT PRIMARY KEY, root TEXT NOT NULL, says TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, started TEXT NOT NULL, command TEXT NOT NULL, version TEXT NOT NULL,
    instrument TEXT NOT NULL, config TEXT NOT NULL, plan TEXT NOT NULL, exit_code INTEGER);
";

/// What the catalogue remembers of a file that was scanned.
#[derive(Clone, Debug)]
pub struct ScannedRow {
    /// Where it is.
    pub path: PathBuf,
    /// Directory that was scanned.
    pub root: PathBuf,
    /// To tell whether it changed.
    pub fingerprint: Option<Fingerprint>,
    /// Content hash; empty if unreadable.
    pub hash: String,
    /// Header as it is in the file.
    pub header: Header,
    /// Names of its extensions, those that have one.
    pub extensions: Vec<String>,
    /// Pixel statistics.
    pub statistics: Statistics,
    /// Why it could not be read; empty if it could.
    pub error: String,
}

/// A product that was written.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductRow {
    /// Path below the output directory.
    pub name: String,
    /// Its tag.
    pub tag: Tag,
    /// The task that made it.
    pub task: String,
    /// Content hash.
    pub hash: String,
    /// Size.
    pub bytes: u64,
    /// To tell whether it was touched afterwards.
    pub fingerprint: Option<Fingerprint>,
}

/// A task that was done.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// The task as it was run.
    pub task: Task,
    /// `done` or `failed`.
    pub state: String,
    /// What came out.
    pub outcome: Outcome,
    /// Its grade.
    pub grade: Grade,
}

/// One attempt at a task.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// Task.
    pub task: String,
    /// Number of the run.
    pub run: i64,
    /// `done` or `failed`.
    pub state: String,
    /// Why it failed.
    pub error: String,
    /// What to do.
    pub advice: String,
    /// What the worker wrote on its standard error.
    pub log: String,
    /// Wall-clock time.
    pub seconds: f64,
    /// Processor time of the worker.
    pub cpu_seconds: f64,
    /// Peak memory of the worker in bytes.
    pub peak_memory: u64,
    /// Bytes read through system calls.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
}

/// One run of the command.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// Its number.
    pub number: i64,
    /// When it started, UTC.
    pub started: String,
    /// What was typed.
    pub command: String,
    /// Name of the instrument.
    pub instrument: String,
}

/// An open catalogue.
pub struct Catalogue {
    path: PathBuf,
    db: Connection,
}

impl Catalogue {
    /// Opens the catalogue of an output directory, or makes an empty one. A file that is no usable catalogue is moved aside
    /// (`ifured.sqlite.damaged`) and said so in the second part of the result.
    pub fn open(directory: &Path) -> Result<(Self, Option<String>)> {
        std::fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
        let path = directory.join(FILE);
        match Self::open_file(&path) {
            Ok(catalogue) => Ok((catalogue, None)),
            Err(Error::Catalogue { source, .. })
                if matches!(source.sqlite_error_code(), Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt)) =>
            {
                let aside = unused_name(&path, "damaged");
                std::fs::rename(&path, &aside).map_err(Error::io("cannot move aside", &path))?;
                for ending in ["-wal", "-shm"] {
                    let _ = std::fs::remove_file(directory.join(format!("{FILE}{ending}")));
                }
                let note = format!("the catalogue was damaged ({source}); it is kept as {} and rebuilt", aside.display());
                Ok((Self::open_file(&path)?, Some(note)))
            }
            Err(e) => Err(e),
        }
    }

    fn open_file(path: &Path) -> Result<Self> {
        let fail = |source| Error::Catalogue { path: path.into(), source };
        let db = Connection::open(path).map_err(fail)?;
        db.busy_timeout(std::time::Duration::from_secs(20)).map_err(fail)?;
        // Headers of a hundred kilobytes; of effect in a new file only.
        db.pragma_update(None, "page_size", 16384).map_err(fail)?;
        db.pragma_update(None, "synchronous", "NORMAL").map_err(fail)?;
        // The first scan goes into the new file at once, and not into its log first.
        let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0)).map_err(fail)?;
        if tables > 0 {
            log_ahead(&db).map_err(fail)?;
        }
        // Catalogues of version 0.1.0 had the headers among the frames: these are read again.
        if db.prepare("SELECT header FROM frames").is_ok() {
            db.execute_batch("DROP TABLE frames;").map_err(fail)?;
        }
        db.execute_batch(SCHEMA).map_err(fail)?;
        // A damaged page shows up only when it is read.
        let ok: String = db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).map_err(fail)?;
        if ok != "ok" {
            return Err(fail(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(ok))));
        }
        Ok(Catalogue { path: path.into(), db })
    }

    /// Whether an output directory has a catalogue.
    pub fn exists(directory: &Path) -> bool {
        directory.join(FILE).is_file()
    }

    fn fail(&self) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let path = self.path.clone();
        move |source| Error::Catalogue { path: path.clone(), source }
    }

    /// Directories that were scanned.
    pub fn roots(&self) -> Result<Vec<PathBuf>> {
        let mut query = self.db.prepare("SELECT path FROM roots ORDER BY path").map_err(self.fail())?;
        let rows = query.query_map([], |r| r.get::<_, String>(0)).map_err(self.fail())?;
        rows.map(|r| r.map(PathBuf::from).map_err(self.fail())).collect()
    }

    /// All files that were scanned, in the order of their paths.
    pub fn scanned(&self) -> Result<Vec<ScannedRow>> {
        let sql = "SELECT frames.path, root, size, mtime_ns, ctime_ns, inode, hash, cards, statistics, error, extensions
            FROM frames JOIN headers ON headers.path = frames.path ORDER BY frames.path";
        let mut query = self.db.prepare(sql).map_err(self.fail())?;
        let rows = query.query_map([], scanned_row).map_err(self.fail())?;
        let rows: Vec<_> = rows.map(|r| r.map_err(self.fail())).collect::<Result<_>>()?;
        Ok(rows.into_par_iter().map(with_header).collect())
    }

    /// Replaces what is remembered of the files below a root: new and changed files in, files that are gone out.
    pub fn store_scan(&mut self, root: &Path, changed: &[ScannedRow], gone: &[PathBuf]) -> Result<()> {
        let fail = self.fail();
        let tx = self.db.transaction().map_err(&fail)?;
        tx.execute("INSERT OR IGNORE INTO roots VALUES (?1)", [text(root)]).map_err(&fail)?;
        for row in changed {
            let f = row.fingerprint;
            // In a table of their own: what changes of a frame would write its long header again.
            tx.execute("INSERT OR REPLACE INTO headers VALUES (?1, ?2)", params![text(&row.path), row.header.to_lines()]).map_err(&fail)?;
            tx.execute(
                "INSERT OR REPLACE INTO frames (path, root, size, mtime_ns, ctime_ns, inode, hash, statistics, error, extensions)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    text(&row.path),
                    text(&row.root),
                    f.map(|f| f.size),
                    f.map(|f| f.mtime_ns),
                    f.map(|f| f.ctime_ns),
                    f.map(|f| f.inode),
                    row.hash,
                    json(&row.statistics),
                    row.error,
                    row.extensions.join("\n")
                ],
            )
            .map_err(&fail)?;
        }
        for path in gone {
            tx.execute("DELETE FROM frames WHERE path = ?1", [text(path)]).map_err(&fail)?;
            tx.execute("DELETE FROM headers WHERE path = ?1", [text(path)]).map_err(&fail)?;
        }
        tx.commit().map_err(&fail)?;
        log_ahead(&self.db).map_err(fail)
    }

    /// Replaces what is remembered of the files of hints below a root.
    pub fn store_hints(&mut self, root: &Path, files: &[HintFile]) -> Result<()> {
        let fail = self.fail();
        let tx = self.db.transaction().map_err(&fail)?;
        tx.execute("DELETE FROM hints WHERE root = ?1", [text(root)]).map_err(&fail)?;
        for file in files {
            let row = params![text(&file.path), text(root), json(file)];
            tx.execute("INSERT OR REPLACE INTO hints VALUES (?1, ?2, ?3)", row).map_err(&fail)?;
        }
        tx.commit().map_err(fail)
    }

    /// All files of hints, in the order of their paths.
    pub fn hints(&self) -> Result<Vec<HintFile>> {
        let mut query = self.db.prepare("SELECT says FROM hints ORDER BY path").map_err(self.fail())?;
        let rows = query.query_map([], |r| r.get::<_, String>(0)).map_err(self.fail())?;
        let says: Vec<String> = rows.map(|r| r.map_err(self.fail())).collect::<Result<_>>()?;
        // What another version wrote and this one cannot read is read again with the next scan.
        Ok(says.iter().filter_map(|s| serde_json::from_str(s).ok()).collect())
    }

    /// Keeps what the frames were classified as, for whoever looks into the catalogue with other tools.
    pub fn store_classification(&mut self, frames: &[Frame]) -> Result<()> {
        let fail = self.fail();
        let tx = self.db.transaction().map_err(&fail)?;
        {
            let sql = "UPDATE frames SET name = ?2, night = ?3, mjd = ?4, tag = ?5, state = ?6, why = ?7 WHERE path = ?1 AND
                (name, night, mjd, tag, state, why) IS NOT (?2, ?3, ?4, ?5, ?6, ?7)";
            let mut update = tx.prepare(sql).map_err(&fail)?;
            for f in frames {
                update.execute(params![text(&f.path), f.name, f.night, f.mjd, f.tag.as_str(), f.state.as_str(), f.why]).map_err(&fail)?;
            }
        }
        tx.commit().map_err(fail)
    }

    /// Starts a run; gives its number.
    pub fn start_run(&mut self, command: &str, instrument: &str, config: &str, plan: &str) -> Result<i64> {
        let now = hifitime::Epoch::now().map(|e| crate::time::iso(e.to_mjd_utc_days())).unwrap_or_default();
        let sql = "INSERT INTO runs (started, command, version, instrument, config, plan) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.db.execute(sql, params![now, command, env!("CARGO_PKG_VERSION"), instrument, config, plan]).map_err(self.fail())?;
        Ok(self.db.last_insert_rowid())
    }

    /// Ends a run.
    pub fn end_run(&mut self, run: i64, exit_code: u8) -> Result<()> {
        self.db.execute("UPDATE runs SET exit_code = ?2 WHERE number = ?1", params![run, exit_code]).map_err(self.fail())?;
        Ok(())
    }

    /// The last run.
    pub fn last_run(&self) -> Result<Option<RunRow>> {
        let sql = "SELECT number, started, command, instrument FROM runs ORDER BY number DESC LIMIT 1";
        let row = |r: &rusqlite::Row<'_>| Ok(RunRow { number: r.get(0)?, started: r.get(1)?, command: r.get(2)?, instrument: r.get(3)? });
        self.db.query_row(sql, [], row).optional().map_err(self.fail())
    }

    /// Stores a task that was done, with its products, in one transaction. Products of other tasks under the same names are replaced.
    pub fn store_done(&mut self, task: &Task, outcome: &Outcome, products: &[ProductRow]) -> Result<()> {
        let fail = self.fail();
        let tx = self.db.transaction().map_err(&fail)?;
        tx.execute(
            "INSERT OR REPLACE INTO tasks (id, recipe, night, state, task, outcome, grade) VALUES (?1, ?2, ?3, 'done', ?4, ?5, ?6)",
            params![task.id, task.recipe, task.night, json(task), json(outcome), json(&outcome.grade())],
        )
        .map_err(&fail)?;
        for p in products {
            let f = p.fingerprint;
            tx.execute(
                "INSERT OR REPLACE INTO products VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    p.name,
                    p.tag.as_str(),
                    p.task,
                    p.hash,
                    p.bytes as i64,
                    f.map(|f| f.size),
                    f.map(|f| f.mtime_ns),
                    f.map(|f| f.ctime_ns),
                    f.map(|f| f.inode)
                ],
            )
            .map_err(&fail)?;
        }
        tx.commit().map_err(fail)
    }

    /// Stores one attempt.
    pub fn store_attempt(&mut self, a: &Attempt) -> Result<()> {
        let sql =
            "INSERT INTO attempts (task, run, state, error, advice, log, seconds, cpu_seconds, peak_memory, bytes_read, bytes_written)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        self.db
            .execute(
                sql,
                params![
                    a.task,
                    a.run,
                    a.state,
                    a.error,
                    a.advice,
                    a.log,
                    a.seconds,
                    a.cpu_seconds,
                    a.peak_memory as i64,
                    a.bytes_read as i64,
                    a.bytes_written as i64
                ],
            )
            .map_err(self.fail())?;
        Ok(())
    }

    /// The last attempt at a task.
    pub fn last_attempt(&self, task: &str) -> Result<Option<Attempt>> {
        let sql = "SELECT task, run, state, error, advice, log, seconds, cpu_seconds, peak_memory, bytes_read, bytes_written
                   FROM attempts WHERE task = ?1 ORDER BY number DESC LIMIT 1";
        self.db.query_row(sql, [task], attempt).optional().map_err(self.fail())
    }

    /// A task that was done.
    pub fn task(&self, id: &str) -> Result<Option<TaskRow>> {
        let sql = "SELECT task, state, outcome, grade FROM tasks WHERE id = ?1";
        let row =
            |r: &rusqlite::Row<'_>| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, r.get::<_, String>(2)?, r.get::<_, String>(3)?));
        let found = self.db.query_row(sql, [id], row).optional().map_err(self.fail())?;
        // A row that an other version wrote and this one cannot read counts as absent: the task is done again.
        Ok(found.and_then(|(task, state, outcome, grade)| {
            Some(TaskRow {
                task: serde_json::from_str(&task).ok()?,
                state,
                outcome: serde_json::from_str(&outcome).ok()?,
                grade: serde_json::from_str(&grade).ok()?,
            })
        }))
    }

    /// All tasks that were done, by identifier.
    pub fn tasks(&self) -> Result<std::collections::HashMap<String, TaskRow>> {
        let mut query = self.db.prepare("SELECT id, task, state, outcome, grade FROM tasks").map_err(self.fail())?;
        let rows = query.query_map([], |r| {
            let [id, task, state, outcome, grade]: [String; 5] = [r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?];
            Ok((id, task, state, outcome, grade))
        });
        let mut tasks = std::collections::HashMap::new();
        for row in rows.map_err(self.fail())? {
            let (id, task, state, outcome, grade) = row.map_err(self.fail())?;
            let read = (serde_json::from_str(&task), serde_json::from_str(&outcome), serde_json::from_str(&grade));
            if let (Ok(task), Ok(outcome), Ok(grade)) = read {
                tasks.insert(id, TaskRow { task, state, outcome, grade });
            }
        }
        Ok(tasks)
    }

    /// The last attempt at each task, with its number.
    pub fn last_attempts(&self) -> Result<std::collections::HashMap<String, (i64, Attempt)>> {
        let sql = "SELECT task, run, state, error, advice, log, seconds, cpu_seconds, peak_memory, bytes_read, bytes_written, number
                   FROM attempts WHERE number IN (SELECT MAX(number) FROM attempts GROUP BY task)";
        let mut query = self.db.prepare(sql).map_err(self.fail())?;
        let rows = query.query_map([], |r| Ok((r.get::<_, i64>(11)?, attempt(r)?))).map_err(self.fail())?;
        rows.map(|r| r.map(|(number, a)| (a.task.clone(), (number, a))).map_err(self.fail())).collect()
    }

    /// All products, by name.
    pub fn products(&self) -> Result<Vec<ProductRow>> {
        let sql = "SELECT name, tag, task, hash, bytes, size, mtime_ns, ctime_ns, inode FROM products ORDER BY name";
        let mut query = self.db.prepare(sql).map_err(self.fail())?;
        let rows = query.query_map([], |r| {
            Ok(ProductRow {
                name: r.get(0)?,
                tag: Tag::new(r.get::<_, String>(1)?),
                task: r.get(2)?,
                hash: r.get(3)?,
                bytes: r.get::<_, i64>(4)? as u64,
                fingerprint: fingerprint(r, 5)?,
            })
        });
        rows.map_err(self.fail())?.map(|r| r.map_err(self.fail())).collect()
    }

    /// Forgets products (their files are the caller's business).
    pub fn forget_products(&mut self, names: &[String]) -> Result<()> {
        let fail = self.fail();
        let tx = self.db.transaction().map_err(&fail)?;
        for name in names {
            tx.execute("DELETE FROM products WHERE name = ?1", [name]).map_err(&fail)?;
        }
        tx.commit().map_err(fail)
    }
}

fn attempt(r: &rusqlite::Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        task: r.get(0)?,
        run: r.get(1)?,
        state: r.get(2)?,
        error: r.get(3)?,
        advice: r.get(4)?,
        log: r.get(5)?,
        seconds: r.get(6)?,
        cpu_seconds: r.get(7)?,
        peak_memory: r.get::<_, i64>(8)? as u64,
        bytes_read: r.get::<_, i64>(9)? as u64,
        bytes_written: r.get::<_, i64>(10)? as u64,
    })
}

/// A row of the table of frames, the cards of its header not yet read.
fn scanned_row(r: &rusqlite::Row<'_>) -> rusqlite::Result<(ScannedRow, String)> {
    let row = ScannedRow {
        path: PathBuf::from(r.get::<_, String>(0)?),
        root: PathBuf::from(r.get::<_, String>(1)?),
        fingerprint: fingerprint(r, 2)?,
        hash: r.get(6)?,
        header: Header::new(),
        statistics: serde_json::from_str(&r.get::<_, String>(8)?).unwrap_or_default(),
        error: r.get(9)?,
        extensions: r.get::<_, String>(10)?.lines().map(str::to_owned).collect(),
    };
    Ok((row, r.get(7)?))
}

/// Others can read while a run writes.
fn log_ahead(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")
}

fn with_header((row, cards): (ScannedRow, String)) -> ScannedRow {
    ScannedRow { header: Header::of_lines(&cards), ..row }
}

fn fingerprint(r: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Option<Fingerprint>> {
    let size: Option<i64> = r.get(at)?;
    Ok(match size {
        Some(size) => Some(Fingerprint { size, mtime_ns: r.get(at + 1)?, ctime_ns: r.get(at + 2)?, inode: r.get(at + 3)? }),
        None => None,
    })
}

/// A name beside `path` that is not in use: `path.edited`, `path.edited-2`, …
pub fn unused_name(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let candidates = std::iter::once(format!("{name}.{ending}")).chain((2..).map(|n| format!("{name}.{ending}-{n}")));
    let mut free = candidates.map(|c| path.with_file_name(c)).filter(|p| !p.exists());
    free.next().unwrap_or_else(|| path.to_owned())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
