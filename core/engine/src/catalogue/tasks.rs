//! Tasks that were done, and the products that there are.

use std::collections::{BTreeMap, HashMap};

use ifured_core::{Grade, Outcome, Tag, Task, TaskId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::Catalogue;
use super::attempts::LastAttempt;
use super::frames::{fingerprint, fingerprint_cells};
use super::remark::Remark;
use super::schema::{PRODUCTS, TASKS};
use super::sealed::{self, Cell, Conflict, get, json, number, text};
use crate::attempt::MadeProduct;
use crate::error::Result;
use crate::files::Fingerprint;

/// A product that was written.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownProduct {
    /// Path below the output directory.
    pub name: String,
    /// Its tag.
    pub tag: Tag,
    /// The task that made it.
    pub task: TaskId,
    /// Content hash.
    pub hash: String,
    /// Size in bytes.
    pub bytes: u64,
    /// To tell whether it was touched afterwards.
    pub fingerprint: Option<Fingerprint>,
}

impl KnownProduct {
    /// The row of a product that an attempt at `task` has made.
    pub fn of(made: &MadeProduct, task: &TaskId) -> KnownProduct {
        let MadeProduct { name, tag, hash, bytes, fingerprint } = made.clone();
        KnownProduct { name, tag, task: task.clone(), hash, bytes, fingerprint }
    }
}

/// A task that was done.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownTask {
    /// The task as it was run.
    pub task: Task,
    /// What came out.
    pub outcome: Outcome,
    /// Its grade.
    pub grade: Grade,
}

impl Catalogue {
    /// Stores a task that was done and left no record, with its products: for those that are adopted by what they say of themselves.
    /// A record of the task that is merged later takes its place; a product that another task made later than the file was written does, too.
    pub fn store_done(&mut self, task: &Task, outcome: &Outcome, products: &[KnownProduct]) -> Result<()> {
        self.change(|tx| {
            store_task(tx, Conflict::Replace, Made { record: None, ms: 0 }, task, outcome)?;
            let written_ms = |p: &KnownProduct| p.fingerprint.map_or(0, |f| f.mtime_ns / 1_000_000);
            products.iter().try_for_each(|p| store_product(tx, Conflict::Replace, written_ms(p), p))
        })
    }

    /// Forgets products (their files are the caller's business).
    pub fn forget_products(&mut self, names: &[String]) -> Result<()> {
        self.change(|tx| {
            let mut delete = tx.prepare("DELETE FROM products WHERE name = ?1")?;
            names.iter().try_for_each(|name| delete.execute([name]).map(drop))
        })
    }
}

/// Where it is from that a task is done.
pub(super) struct Made<'a> {
    /// The record of the attempt, if there is one.
    pub record: Option<&'a str>,
    /// When the attempt started.
    pub ms: i64,
}

pub(super) fn store_task(db: &Connection, conflict: Conflict, made: Made<'_>, task: &Task, outcome: &Outcome) -> rusqlite::Result<()> {
    let (task_json, outcome_json) = (json(task)?, json(outcome)?);
    TASKS.insert(
        db,
        conflict,
        &[
            ("id", text(task.id.as_str())),
            ("record", made.record.map_or(ValueRef::Null, text)),
            ("recipe", text(&task.recipe)),
            ("night", text(&task.night)),
            ("made_ms", number(Some(made.ms))),
            ("task", text(&task_json)),
            ("outcome", text(&outcome_json)),
            ("grade", text(outcome.grade().as_str())),
        ],
    )
}

pub(super) fn store_product(db: &Connection, conflict: Conflict, made_ms: i64, product: &KnownProduct) -> rusqlite::Result<()> {
    let mut cells: Vec<Cell<'_>> = vec![
        ("name", text(&product.name)),
        ("tag", text(product.tag.as_str())),
        ("task", text(product.task.as_str())),
        ("made_ms", number(Some(made_ms))),
        ("hash", text(&product.hash)),
        ("bytes", number(i64::try_from(product.bytes).ok())),
    ];
    cells.extend(fingerprint_cells(product.fingerprint));
    PRODUCTS.insert(db, conflict, &cells)
}

/// A task that was done, in its row or, without reading it again, in the attempt that it is from.
enum Source<'a> {
    Row { task: String, outcome: String },
    Attempt { task: &'a Task, outcome: &'a Outcome },
}

pub(super) fn tasks(
    db: &Connection,
    attempts: &HashMap<TaskId, LastAttempt>,
    remarks: &mut Vec<Remark>,
) -> rusqlite::Result<HashMap<TaskId, KnownTask>> {
    let source = |r: &Row<'_>| {
        let last = attempts.get(get::<String>(r, "id")?.as_str());
        let same = last.filter(|last| r.get_ref("record").is_ok_and(|record| record == text(&last.record)));
        match same.and_then(|last| Some((&last.attempt.task, last.attempt.outcome()?))) {
            Some((task, outcome)) => Some(Source::Attempt { task, outcome }),
            None => Some(Source::Row { task: get(r, "task")?, outcome: get(r, "outcome")? }),
        }
    };
    let rows = TASKS.read(db, "", [], |r| Some((source(r)?, Grade::of(&get::<String>(r, "grade")?)?)))?;
    let decode = |(source, grade): (Source<'_>, Grade)| {
        let (task, outcome) = match source {
            Source::Row { task, outcome } => (serde_json::from_str(&task).ok()?, serde_json::from_str(&outcome).ok()?),
            Source::Attempt { task, outcome } => (task.clone(), outcome.clone()),
        };
        Some(KnownTask { task, outcome, grade })
    };
    let rows = sealed::decoded(rows, TASKS.name, remarks, decode);
    Ok(rows.into_iter().map(|row| (row.task.id.clone(), row)).collect())
}

pub(super) fn products(db: &Connection, remarks: &mut Vec<Remark>) -> rusqlite::Result<BTreeMap<String, KnownProduct>> {
    let rows = PRODUCTS.read(db, "", [], |r| {
        Some(KnownProduct {
            name: get(r, "name")?,
            tag: Tag::new(get::<String>(r, "tag")?),
            task: TaskId::new(get::<String>(r, "task")?),
            hash: get(r, "hash")?,
            bytes: u64::try_from(get::<i64>(r, "bytes")?).ok()?,
            fingerprint: fingerprint(r),
        })
    })?;
    let rows = sealed::decoded(rows, PRODUCTS.name, remarks, Some);
    Ok(rows.into_iter().map(|row| (row.name.clone(), row)).collect())
}
