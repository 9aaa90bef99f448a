//! What is remembered of the raw frames: directories that were scanned, files, headers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ifured_core::Header;
use rayon::prelude::*;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::remark::Remark;
use super::schema::{FRAMES, HEADERS, ROOTS};
use super::sealed::{Cell, Conflict, bytes, get, json, number, path, text};
use super::{Catalogue, open};
use crate::error::Result;
use crate::files::Fingerprint;
use crate::frame::{Frame, Statistics};

/// What the catalogue remembers of a file that was scanned.
#[derive(Clone, Debug)]
pub struct ScannedRow {
    /// Where it is.
    pub path: PathBuf,
    /// Directory that was scanned.
    pub root: PathBuf,
    /// To tell whether it changed; none if it is to be read again.
    pub fingerprint: Option<Fingerprint>,
    /// Content hash; empty if unreadable.
    pub hash: String,
    /// Header as it is in the file.
    pub header: Header,
    /// Names of its extensions, those that have one.
    pub extensions: Vec<String>,
    /// Lengths of the axes of its largest image, `NAXIS1` first; empty if it has none.
    pub axes: Vec<usize>,
    /// Pixel statistics.
    pub statistics: Statistics,
    /// Why it could not be read; empty if it could.
    pub error: String,
}

impl Catalogue {
    /// Directories that were scanned, in order.
    pub fn roots(&self) -> Result<Vec<PathBuf>> {
        self.ask(|db| Ok(ROOTS.read(db, "ORDER BY path", [], |r| path(r, "path"))?.whole))
    }

    /// Forgets a directory that was scanned, with its frames and hints.
    pub fn forget_root(&mut self, root: &Path) -> Result<()> {
        let root = ToSqlOutput::Borrowed(bytes(root));
        self.change(|tx| {
            tx.execute("DELETE FROM headers WHERE path IN (SELECT path FROM frames WHERE root = ?1)", [&root])?;
            tx.execute("DELETE FROM frames WHERE root = ?1", [&root])?;
            tx.execute("DELETE FROM hints WHERE root = ?1", [&root])?;
            tx.execute("DELETE FROM roots WHERE path = ?1", [&root])?;
            Ok(())
        })
    }

    /// All files that were scanned, in the order of their paths. What is damaged is left out, and forgotten if this process may write, so
    /// that the next scan reads the files again.
    pub fn scanned(&self) -> Result<(Vec<ScannedRow>, Vec<Remark>)> {
        // One transaction, for another process may write in between.
        let (rows, damage) = self.ask(|db| {
            let tx = db.unchecked_transaction()?;
            read(&tx)
        })?;
        if damage.count() == 0 {
            return Ok((rows, Vec::new()));
        }
        if self.writes {
            self.ask(forget_damaged)?;
        }
        Ok((rows, vec![Remark::DamagedRows { table: FRAMES.name, count: damage.count() }]))
    }

    /// Replaces what is remembered of the files below a root: new and changed files in, files that are gone out.
    pub fn store_scan(&mut self, root: &Path, changed: &[ScannedRow], gone: &[PathBuf]) -> Result<()> {
        self.change(|tx| {
            store_root(tx, root)?;
            changed.iter().try_for_each(|row| store(tx, row))?;
            for path in gone {
                let path = ToSqlOutput::Borrowed(bytes(path));
                tx.execute("DELETE FROM frames WHERE path = ?1", [&path])?;
                tx.execute("DELETE FROM headers WHERE path = ?1", [&path])?;
            }
            Ok(())
        })?;
        self.ask(open::log_ahead)
    }

    /// Keeps what the frames were classified as, for whoever looks into the catalogue with other tools.
    pub fn store_classification(&mut self, frames: &[Arc<Frame>]) -> Result<()> {
        self.change(|tx| {
            let sql = "UPDATE frames SET name = ?2, night = ?3, mjd = ?4, tag = ?5, state = ?6, why = ?7 WHERE path = ?1 AND
                (name, night, mjd, tag, state, why) IS NOT (?2, ?3, ?4, ?5, ?6, ?7)";
            let mut update = tx.prepare(sql)?;
            for f in frames {
                let path = ToSqlOutput::Borrowed(bytes(&f.path));
                update.execute(params![path, f.name, f.night, f.mjd, f.tag.as_str(), f.state.as_str(), f.why])?;
            }
            Ok(())
        })
    }
}

pub(super) fn store_root(db: &Connection, root: &Path) -> rusqlite::Result<()> {
    ROOTS.insert(db, Conflict::Keep, &[("path", bytes(root))])
}

pub(super) fn store(db: &Connection, row: &ScannedRow) -> rusqlite::Result<()> {
    // In a table of their own: what changes of a frame would write its long header again.
    HEADERS.insert(db, Conflict::Replace, &[("path", bytes(&row.path)), ("cards", text(&row.header.to_lines()))])?;
    let axes: Vec<String> = row.axes.iter().map(ToString::to_string).collect();
    let (axes, statistics, extensions) = (axes.join(" "), json(&row.statistics)?, json(&row.extensions)?);
    let mut cells: Vec<Cell<'_>> = vec![("path", bytes(&row.path)), ("root", bytes(&row.root))];
    cells.extend(fingerprint_cells(row.fingerprint));
    cells.extend([
        ("hash", text(&row.hash)),
        ("statistics", text(&statistics)),
        ("axes", text(&axes)),
        ("extensions", text(&extensions)),
        ("error", text(&row.error)),
    ]);
    FRAMES.insert(db, Conflict::Replace, &cells)
}

pub(super) fn fingerprint_cells(fingerprint: Option<Fingerprint>) -> [Cell<'static>; 4] {
    let of = |value: fn(&Fingerprint) -> i64| number(fingerprint.as_ref().map(value));
    [("size", of(|f| f.size)), ("mtime_ns", of(|f| f.mtime_ns)), ("ctime_ns", of(|f| f.ctime_ns)), ("inode", of(|f| f.inode))]
}

pub(super) fn fingerprint(row: &Row<'_>) -> Option<Fingerprint> {
    Some(Fingerprint {
        size: get(row, "size")?,
        mtime_ns: get(row, "mtime_ns")?,
        ctime_ns: get(row, "ctime_ns")?,
        inode: get(row, "inode")?,
    })
}

/// Where that is which is not to be believed.
struct FrameDamage {
    frames: Vec<i64>,
    headers: Vec<i64>,
}

impl FrameDamage {
    /// Frames that it is about, if each lost one of the two.
    fn count(&self) -> usize {
        self.frames.len().max(self.headers.len())
    }
}

fn read(db: &Connection) -> rusqlite::Result<(Vec<ScannedRow>, FrameDamage)> {
    let headers = HEADERS.read(db, "", [], |r| Some((path(r, "path")?, (get::<String>(r, "cards")?, get::<i64>(r, "place")?))))?;
    let mut headers_by_path: HashMap<PathBuf, (String, i64)> = headers.whole.into_iter().collect();
    let frames = FRAMES.read(db, "ORDER BY path", [], |r| Some((scanned_row(r)?, get::<i64>(r, "place")?)))?;
    let mut damage = FrameDamage { frames: frames.damaged, headers: headers.damaged };
    let mut rows = Vec::with_capacity(frames.whole.len());
    for (row, place) in frames.whole {
        match headers_by_path.remove(&row.path) {
            Some((cards, _)) => rows.push((row, cards)),
            None => damage.frames.push(place),
        }
    }
    // Headers whose frame is damaged.
    damage.headers.extend(headers_by_path.into_values().map(|(_, place)| place));
    let rows = rows.into_par_iter().map(|(row, cards)| ScannedRow { header: Header::of_lines(&cards), ..row }).collect();
    Ok((rows, damage))
}

fn forget_damaged(db: &Connection) -> rusqlite::Result<()> {
    let tx = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    // Again, for places may have been used again.
    let (_, damage) = read(&tx)?;
    FRAMES.forget(&tx, &damage.frames)?;
    HEADERS.forget(&tx, &damage.headers)?;
    tx.commit()
}

/// A row of the table of frames, without its header.
fn scanned_row(row: &Row<'_>) -> Option<ScannedRow> {
    Some(ScannedRow {
        path: path(row, "path")?,
        root: path(row, "root")?,
        fingerprint: fingerprint(row),
        hash: get(row, "hash")?,
        header: Header::new(),
        extensions: serde_json::from_str(&get::<String>(row, "extensions")?).ok()?,
        axes: get::<String>(row, "axes")?.split_whitespace().map(|n| n.parse().ok()).collect::<Option<_>>()?,
        statistics: serde_json::from_str(&get::<String>(row, "statistics")?).ok()?,
        error: get(row, "error")?,
    })
}
