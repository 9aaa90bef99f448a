//! Whether a task is done: its products exist and are what it wrote.
//!
//! What is known of a product is its content hash and its fingerprint. A product whose fingerprint changed is read again and compared by content; one
//! of which nothing is known is accepted if its own provenance names this very task and its checksums are right. A file that someone edited is never
//! overwritten: it is moved aside.

use std::path::{Path, PathBuf};

use ifured_core::recipe::{Outcome, TaskOutput};
use ifured_core::{Header, Task, provenance};
use ifured_pixels::fits;

use crate::catalogue::{Known, KnownProduct, KnownTask, unused_name};
use crate::error::{Error, Result};
use crate::files::Fingerprint;
use crate::plan::Plan;
use crate::plan::reason::ToDo;

/// What is to be done about a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Nothing: its products are there and verified.
    Done(Box<Outcome>),
    /// It has to be run, because…
    ToDo(ToDo),
}

impl Standing {
    /// What came out, if it is done.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Standing::Done(outcome) => Some(outcome),
            Standing::ToDo(_) => None,
        }
    }

    /// Why it has to be run, if it has to.
    pub fn to_do(&self) -> Option<&ToDo> {
        match self {
            Standing::Done(_) => None,
            Standing::ToDo(why) => Some(why),
        }
    }
}

/// What was found out about products on the disk: that they are what a task has made, or that they were touched and are the same. Worth remembering.
#[derive(Clone, Debug)]
pub struct Found {
    /// The task.
    pub task: Task,
    /// What came out of it.
    pub outcome: Outcome,
    /// Its products.
    pub products: Vec<KnownProduct>,
}

/// How each task of a plan stands, in the order of the plan. What is found out on the way goes into what is known, and into `found`.
///
/// # Errors
/// If a product that is there cannot be read.
pub fn standings(known: &mut Known, plan: &Plan, output: &Path, found: &mut Vec<Found>) -> Result<Vec<Standing>> {
    plan.tasks().map(|p| standing(known, &p.task, output, found)).collect()
}

/// How a task stands.
///
/// # Errors
/// If a product that is there cannot be read.
pub fn standing(known: &mut Known, task: &Task, output: &Path, found: &mut Vec<Found>) -> Result<Standing> {
    let Some(first) = task.outputs.first() else { return Ok(Standing::ToDo(ToDo::NoProducts)) };
    if let Some(row) = known.tasks.get(&task.id).filter(|row| row.outcome.products.is_empty()) {
        // There was nothing to make, and there still is not: the inputs are the same.
        return Ok(Standing::Done(Box::new(row.outcome.clone())));
    }
    let is_known = known.products.get(&first.name).is_some_and(|row| row.task == task.id) && known.tasks.contains_key(&task.id);
    match (is_known, first.path.exists()) {
        (true, _) => remembered(known, task, output, found),
        (false, true) => by_provenance(known, task, found),
        (false, false) => Ok(Standing::ToDo(ToDo::NotMade)),
    }
}

/// Whether the products are what is remembered of them.
fn remembered(known: &mut Known, task: &Task, output: &Path, found: &mut Vec<Found>) -> Result<Standing> {
    let Some(row) = known.tasks.get(&task.id) else { return by_provenance(known, task, found) };
    let mut touched = Vec::new();
    for product in &row.outcome.products {
        let path = output.join(&product.name);
        let name = || product.name.clone();
        let Some(remembered) = known.products.get(&product.name).filter(|r| r.task == task.id) else {
            return Ok(Standing::ToDo(ToDo::OfAnotherTask { name: name() }));
        };
        let now = Fingerprint::of(&path).ok();
        if now.is_none() {
            return Ok(Standing::ToDo(ToDo::Gone { name: name() }));
        }
        if now == remembered.fingerprint {
            continue;
        }
        if content_hash(&path)? != remembered.hash {
            return Ok(Standing::ToDo(ToDo::Changed { name: name() }));
        }
        touched.push(KnownProduct { fingerprint: now, ..remembered.clone() });
    }
    let outcome = row.outcome.clone();
    if !touched.is_empty() {
        known.products.extend(touched.iter().map(|r| (r.name.clone(), r.clone())));
        found.push(Found { task: task.clone(), outcome: outcome.clone(), products: touched });
    }
    Ok(Standing::Done(Box::new(outcome)))
}

/// Whether the products say themselves that they are of this task.
fn by_provenance(known: &mut Known, task: &Task, found: &mut Vec<Found>) -> Result<Standing> {
    let mut rows = Vec::new();
    let mut outcome = Outcome::default();
    // All of them: a kill between two products of one task leaves the first without the second.
    for output in &made(task) {
        let name = || output.name.clone();
        if !output.path.exists() {
            return Ok(Standing::ToDo(ToDo::Gone { name: name() }));
        }
        let Ok(header) = fits::primary_header(&output.path) else {
            return Ok(Standing::ToDo(ToDo::Unreadable { name: name() }));
        };
        if header.text(provenance::TASK) != Ok(task.id.as_str()) {
            return Ok(Standing::ToDo(ToDo::OutOfDate { name: name(), program: other_program(&header, task) }));
        }
        if !intact(&output.path) {
            return Ok(Standing::ToDo(ToDo::Damaged { name: name() }));
        }
        if rows.is_empty() {
            outcome = provenance::outcome(&header);
        }
        let hash = content_hash(&output.path)?;
        let fingerprint = Fingerprint::of(&output.path).ok();
        let bytes = fingerprint.map_or(0, |f| f.size as u64);
        outcome.add(output, hash.clone(), bytes);
        rows.push(KnownProduct { name: name(), tag: output.tag.clone(), task: task.id.clone(), hash, bytes, fingerprint });
    }
    known.products.extend(rows.iter().map(|r| (r.name.clone(), r.clone())));
    known.tasks.insert(task.id.clone(), KnownTask { task: task.clone(), outcome: outcome.clone(), grade: outcome.grade() });
    found.push(Found { task: task.clone(), outcome: outcome.clone(), products: rows });
    Ok(Standing::Done(Box::new(outcome)))
}

/// The files that a task has made, as the first of them says: an optional output may be without one, another have several.
fn made(task: &Task) -> Vec<TaskOutput> {
    let header = task.outputs.first().and_then(|o| fits::primary_header(&o.path).ok());
    let Some(made) = header.and_then(|h| provenance::made(&h)) else { return task.outputs.clone() };
    let files = |output: &TaskOutput| made.iter().find(|(tag, _)| *tag == output.tag).map_or(0, |(_, files)| *files);
    task.outputs.iter().flat_map(|o| (1..=files(o)).map(|n| o.numbered(n))).collect()
}

/// The program that made a product and the one that would, if they differ.
fn other_program(header: &Header, task: &Task) -> Option<(String, String)> {
    let (was, is) = (provenance::external(header)?, task.external.as_ref()?);
    (was != *is).then(|| (was, is.clone()))
}

/// Whether every HDU of a product has checksums and they are right.
pub fn intact(path: &Path) -> bool {
    fits::verify(path).is_ok_and(|verdicts| {
        !verdicts.is_empty() && verdicts.iter().all(|v| v.checksum == fits::Verdict::Right && v.datasum == fits::Verdict::Right)
    })
}

/// Content hash of a file.
pub fn content_hash(path: &Path) -> Result<String> {
    fits::hash_of_file(path).map_err(Error::io("cannot read", path))
}

/// Moves aside what must not be overwritten: a product that was edited, or a file that is none of ours. Says what it kept.
pub fn keep_foreign(known: &Known, task: &Task) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    for output in &task.outputs {
        if !output.path.exists() || is_ours(known.products.get(&output.name), &output.path)? {
            continue;
        }
        let aside: PathBuf = unused_name(&output.path, "edited");
        std::fs::rename(&output.path, &aside).map_err(Error::io("cannot move aside", &output.path))?;
        let aside = aside.file_name().map(ifured_core::path::shown).unwrap_or_default();
        notes.push(format!("{} was changed by someone else; it is kept as {aside}", output.name));
    }
    Ok(notes)
}

/// Whether a file is a product just as we wrote it.
fn is_ours(row: Option<&KnownProduct>, path: &Path) -> Result<bool> {
    if let Some(row) = row {
        return Ok(Fingerprint::of(path).ok() == row.fingerprint || content_hash(path)? == row.hash);
    }
    let marked = fits::primary_header(path).is_ok_and(|h| h.contains(provenance::TASK));
    Ok(marked && intact(path))
}
