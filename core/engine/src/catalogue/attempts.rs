//! What is remembered of the journal.

use std::collections::{HashMap, HashSet};

use ifured_core::TaskId;
use rusqlite::Connection;

use super::remark::Remark;
use super::schema::{ATTEMPTS, LOGS};
use super::sealed::{Conflict, Rows, get, json, number, text};
use super::tasks::{self, KnownProduct, Made};
use super::{Catalogue, sealed};
use crate::attempt::{Attempt, Ending};
use crate::error::Result;

/// How the records are named that come from older catalogues and not from the journal.
pub(super) const MIGRATED: &str = "migrated-";

/// The last attempt at a task.
#[derive(Clone, Debug, PartialEq)]
pub struct LastAttempt {
    /// Name of its record in the journal.
    pub record: String,
    /// The attempt, without its log (see [`Catalogue::log`]).
    pub attempt: Attempt,
}

impl Catalogue {
    /// Merges records of the journal, with their names: attempts, and what those that went well have made. A product belongs to the attempt
    /// that started last, in whichever order they are merged.
    pub fn merge(&mut self, attempts: &[(String, Attempt)]) -> Result<()> {
        self.change(|tx| merge(tx, attempts))
    }

    /// Names of the records that were merged.
    pub fn merged(&self) -> Result<HashSet<String>> {
        self.ask(|db| db.prepare("SELECT record FROM attempts")?.query_map([], |r| r.get("record"))?.collect())
    }

    /// What an attempt wrote on its standard error; empty if it wrote nothing, or if the log was damaged.
    pub fn log(&self, record: &str) -> Result<String> {
        let logs = self.ask(|db| LOGS.read(db, "WHERE record = ?1", [record], |r| get(r, "log")))?;
        Ok(logs.whole.into_iter().next().unwrap_or_default())
    }
}

pub(super) fn merge(db: &Connection, attempts: &[(String, Attempt)]) -> rusqlite::Result<()> {
    let mut in_order: Vec<&(String, Attempt)> = attempts.iter().collect();
    in_order.sort_by(|(a_name, a), (b_name, b)| (a.started_ms, a_name).cmp(&(b.started_ms, b_name)));
    in_order.into_iter().try_for_each(|(record, attempt)| {
        store_attempt(db, record, attempt)?;
        store_made(db, record, attempt)
    })
}

fn started_ms(attempt: &Attempt) -> i64 {
    i64::try_from(attempt.started_ms).unwrap_or(i64::MAX)
}

/// Stores an attempt, its log apart.
pub(super) fn store_attempt(db: &Connection, record: &str, attempt: &Attempt) -> rusqlite::Result<()> {
    if !attempt.log.is_empty() {
        LOGS.insert(db, Conflict::Replace, &[("record", text(record)), ("log", text(&attempt.log))])?;
    }
    let without_log = json(&Attempt { log: String::new(), ..attempt.clone() })?;
    ATTEMPTS.insert(
        db,
        Conflict::Replace,
        &[
            ("record", text(record)),
            ("task", text(attempt.task.id.as_str())),
            ("run", number(attempt.run)),
            ("started_ms", number(Some(started_ms(attempt)))),
            ("state", text(if attempt.cause().is_some() { "failed" } else { "done" })),
            ("attempt", text(&without_log)),
        ],
    )
}

/// Stores what an attempt has made, where nothing later has.
fn store_made(db: &Connection, record: &str, attempt: &Attempt) -> rusqlite::Result<()> {
    let made_ms = started_ms(attempt);
    let Ending::Done { outcome, products } = &attempt.ending else { return Ok(()) };
    tasks::store_task(db, Conflict::Newest, Made { record: Some(record), ms: made_ms }, &attempt.task, outcome)?;
    products.iter().try_for_each(|p| tasks::store_product(db, Conflict::Newest, made_ms, &KnownProduct::of(p, &attempt.task.id)))
}

/// The last attempt at each task. All are looked at: of a damaged one it is not known whether it is a last one.
pub(super) fn last(db: &Connection, remarks: &mut Vec<Remark>) -> rusqlite::Result<HashMap<TaskId, LastAttempt>> {
    let rows = ATTEMPTS.read(db, "ORDER BY started_ms, record", [], |r| {
        Some((get::<String>(r, "task")?, (get::<String>(r, "record")?, get::<String>(r, "attempt")?)))
    })?;
    // Of equal keys the last one stays.
    let last: HashMap<String, (String, String)> = rows.whole.into_iter().collect();
    let rows = Rows { whole: last.into_values().collect(), damaged: rows.damaged };
    let decode = |(record, attempt): (String, String)| Some(LastAttempt { record, attempt: serde_json::from_str(&attempt).ok()? });
    let attempts = sealed::decoded(rows, ATTEMPTS.name, remarks, decode);
    Ok(attempts.into_iter().map(|last| (last.attempt.task.id.clone(), last)).collect())
}
