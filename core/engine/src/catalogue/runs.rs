//! The runs of the command.

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Row, params_from_iter};

use super::Catalogue;
use super::schema::RUNS;
use super::sealed::{get, number, text};
use crate::error::Result;

/// One run of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// All that is stored of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub number: Option<i64>,
    pub started: String,
    pub command: String,
    pub version: String,
    pub instrument: String,
    pub config: String,
    pub plan: String,
    pub exit_code: Option<i64>,
}

impl Catalogue {
    /// Starts a run; gives its number.
    pub fn start_run(&mut self, command: &str, instrument: &str, config: &str, plan: &str) -> Result<i64> {
        let run = Run {
            started: hifitime::Epoch::now().map(|e| crate::time::iso(e.to_mjd_utc_days())).unwrap_or_default(),
            command: command.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            instrument: instrument.into(),
            config: config.into(),
            plan: plan.into(),
            ..Run::default()
        };
        self.change(|tx| store(tx, &run))
    }

    /// Ends a run.
    pub fn end_run(&mut self, run: i64, exit_code: u8) -> Result<()> {
        self.change(|tx| match tx.execute("UPDATE runs SET exit_code = ?2 WHERE number = ?1", (run, exit_code))? {
            0 => Ok(()),
            _ => RUNS.seal(tx, run),
        })
    }

    /// The last run.
    pub fn last_run(&self) -> Result<Option<RunRow>> {
        let runs = self.ask(|db| Ok(RUNS.read(db, "ORDER BY number DESC LIMIT 1", [], run)?.whole))?;
        let row = |r: Run| Some(RunRow { number: r.number?, started: r.started, command: r.command, instrument: r.instrument });
        Ok(runs.into_iter().next().and_then(row))
    }
}

/// Stores a run under its number, or under the next one; gives the number.
pub(super) fn store(db: &Connection, run: &Run) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO runs (number, started, command, version, instrument, config, plan, exit_code)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let texts = [&run.started, &run.command, &run.version, &run.instrument, &run.config, &run.plan];
    let values = [number(run.number)].into_iter().chain(texts.map(|t| text(t))).chain([number(run.exit_code)]);
    db.prepare_cached(sql)?.execute(params_from_iter(values.map(ToSqlOutput::Borrowed)))?;
    let number = db.last_insert_rowid();
    // The number is known only now.
    RUNS.seal(db, number)?;
    Ok(number)
}

/// A run, of this version of the catalogue or of version 0.
pub(super) fn run(row: &Row<'_>) -> Option<Run> {
    Some(Run {
        number: get(row, "number")?,
        started: get(row, "started")?,
        command: get(row, "command")?,
        version: get(row, "version")?,
        instrument: get(row, "instrument")?,
        config: get(row, "config")?,
        plan: get(row, "plan")?,
        exit_code: get(row, "exit_code")?,
    })
}

/// The runs that can still be read in a damaged catalogue of any version.
pub(super) fn salvage(db: &Connection) -> Vec<Run> {
    let Ok(mut query) = db.prepare("SELECT * FROM runs ORDER BY number") else { return Vec::new() };
    let sealed = query.column_names().contains(&"digest");
    let read = |r: &Row<'_>| Ok((!sealed || RUNS.is_whole(r)?).then(|| run(r)).flatten());
    let Ok(rows) = query.query_map([], read) else { return Vec::new() };
    // Up to where it cannot be read.
    rows.map_while(rusqlite::Result::ok).flatten().collect()
}
