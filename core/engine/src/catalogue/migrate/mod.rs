//! Bringing older catalogues to this version.
//!
//! Each older version has its reader, which gives what it holds in today's terms; the tables of today are then written anew. So a reader
//! is written once, when its version is superseded, and never builds on the tables of a version in between.

use std::path::PathBuf;

use rusqlite::Connection;

use super::frames::ScannedRow;
use super::open::Trouble;
use super::remark::Remark;
use super::runs::{self, Run};
use super::sealed::Conflict;
use super::tasks::{KnownProduct, KnownTask, Made};
use super::{attempts, frames, hints, schema, tasks};
use crate::attempt::Attempt;
use crate::hint_file::HintFile;

mod version_0;

/// All that a catalogue holds.
#[derive(Default)]
pub(super) struct Contents {
    pub roots: Vec<PathBuf>,
    pub frames: Vec<ScannedRow>,
    /// With the directories that were scanned for them.
    pub hints: Vec<(PathBuf, HintFile)>,
    /// With the time that they were made, in milliseconds since 1970.
    pub tasks: Vec<(i64, KnownTask)>,
    /// With the same.
    pub products: Vec<(i64, KnownProduct)>,
    /// With the names of their records.
    pub attempts: Vec<(String, Attempt)>,
    pub runs: Vec<Run>,
    /// Rows that could not be read.
    pub left_out: usize,
}

/// Brings a database to this version, inside of a transaction.
pub(super) fn migrate(db: &rusqlite::Transaction<'_>) -> Result<Option<Remark>, Trouble> {
    let from = schema::version(db)?;
    // Another process may have been first.
    if from == schema::VERSION {
        return Ok(None);
    }
    let contents = version_0::read(db)?;
    drop_tables(db)?;
    schema::create(db)?;
    store(db, &contents)?;
    let to_read_again = contents.frames.iter().filter(|row| row.fingerprint.is_none()).count();
    Ok(Some(Remark::Migrated { from, to: schema::VERSION, to_read_again, left_out: contents.left_out }))
}

fn drop_tables(db: &Connection) -> rusqlite::Result<()> {
    let mut tables: Vec<String> = schema::columns(db)?.into_iter().map(|column| column.table).collect();
    tables.dedup();
    tables
        .iter()
        .filter(|table| version_0::TABLES.contains(&table.as_str()))
        .try_for_each(|table| db.execute_batch(&format!("DROP TABLE {table};")))
}

/// Writes contents into tables that are empty.
pub(super) fn store(db: &Connection, contents: &Contents) -> rusqlite::Result<()> {
    contents.roots.iter().try_for_each(|root| frames::store_root(db, root))?;
    contents.frames.iter().try_for_each(|row| frames::store(db, row))?;
    contents.hints.iter().try_for_each(|(root, file)| hints::store(db, root, file))?;
    contents.runs.iter().try_for_each(|run| runs::store(db, run).map(drop))?;
    contents.tasks.iter().try_for_each(|(made_ms, row)| {
        tasks::store_task(db, Conflict::Replace, Made { record: None, ms: *made_ms }, &row.task, &row.outcome)
    })?;
    contents.products.iter().try_for_each(|(made_ms, row)| tasks::store_product(db, Conflict::Replace, *made_ms, row))?;
    contents.attempts.iter().try_for_each(|(record, attempt)| attempts::store_attempt(db, record, attempt))
}
