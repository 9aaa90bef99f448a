//! Whether a task is done: its products exist and are what it wrote.
//!
//! The catalogue remembers content hash and fingerprint of every product. A product whose fingerprint changed is read again
//! and compared by content; one that the catalogue does not know is accepted if its own provenance names this very task and
//! its checksums are right. A file that someone edited is never overwritten: it is moved aside.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ifured_core::recipe::{Outcome, TaskOutput};
use ifured_core::{Header, Task, provenance};
use ifured_pixels::fits;

use crate::catalogue::{Catalogue, ProductRow, unused_name};
use crate::error::{Error, Result};
use crate::files::Fingerprint;

/// What is to be done about a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Nothing: its products are there and verified.
    Done(Box<Outcome>),
    /// It has to be run, because…
    ToDo(String),
}

/// The products of the catalogue by name.
pub type Known = HashMap<String, ProductRow>;

/// Tells whether a task is done. Adopts products that the catalogue has lost.
pub fn standing(catalogue: &mut Catalogue, known: &mut Known, task: &Task, output: &Path) -> Result<Standing> {
    let Some(first) = task.outputs.first() else { return Ok(Standing::ToDo("it has no products".into())) };
    if let Some(row) = catalogue.task(&task.id)?.filter(|row| row.outcome.products.is_empty()) {
        // There was nothing to make, and there still is not: the inputs are the same.
        return Ok(Standing::Done(Box::new(row.outcome)));
    }
    match known.get(&first.name) {
        Some(row) if row.task == task.id => by_catalogue(catalogue, known, task, output),
        _ if first.path.exists() => by_provenance(catalogue, known, task),
        _ => Ok(Standing::ToDo("its product does not exist yet".into())),
    }
}

fn by_catalogue(catalogue: &mut Catalogue, known: &mut Known, task: &Task, output: &Path) -> Result<Standing> {
    let Some(row) = catalogue.task(&task.id)? else { return by_provenance(catalogue, known, task) };
    let mut touched = Vec::new();
    for product in &row.outcome.products {
        let path = output.join(&product.name);
        let Some(remembered) = known.get(&product.name).filter(|r| r.task == task.id).cloned() else {
            return Ok(Standing::ToDo(format!("{} belongs to another task", product.name)));
        };
        let now = Fingerprint::of(&path).ok();
        if now.is_none() {
            return Ok(Standing::ToDo(format!("{} is gone", product.name)));
        }
        if now == remembered.fingerprint {
            continue;
        }
        if content_hash(&path)? != remembered.hash {
            return Ok(Standing::ToDo(format!("{} is not as it was written", product.name)));
        }
        touched.push(ProductRow { fingerprint: now, ..remembered });
    }
    if !touched.is_empty() {
        catalogue.store_done(task, &row.outcome, &touched)?;
        known.extend(touched.into_iter().map(|r| (r.name.clone(), r)));
    }
    Ok(Standing::Done(Box::new(row.outcome)))
}

fn by_provenance(catalogue: &mut Catalogue, known: &mut Known, task: &Task) -> Result<Standing> {
    let mut rows = Vec::new();
    let mut outcome = Outcome::default();
    // All of them: a kill between two products of one task leaves the first without the second.
    for output in &made(task) {
        if !output.path.exists() {
            return Ok(Standing::ToDo(format!("{} is gone", output.name)));
        }
        let Ok(header) = fits::primary_header(&output.path) else {
            return Ok(Standing::ToDo(format!("{} cannot be read", output.name)));
        };
        if header.text(provenance::TASK) != Ok(task.id.as_str()) {
            return Ok(Standing::ToDo(format!("{} is out of date{}", output.name, by_another(&header, task))));
        }
        if !intact(&output.path) {
            return Ok(Standing::ToDo(format!("{} fails its checksum", output.name)));
        }
        if rows.is_empty() {
            outcome = provenance::outcome(&header);
        }
        let hash = content_hash(&output.path)?;
        let fingerprint = Fingerprint::of(&output.path).ok();
        let bytes = fingerprint.map_or(0, |f| f.size as u64);
        outcome.add(output, hash.clone(), bytes);
        rows.push(ProductRow { name: output.name.clone(), tag: output.tag.clone(), task: task.id.clone(), hash, bytes, fingerprint });
    }
    catalogue.store_done(task, &outcome, &rows)?;
    known.extend(rows.into_iter().map(|r| (r.name.clone(), r)));
    Ok(Standing::Done(Box::new(outcome)))
}

/// The files that a task has made, as the first of them says: an optional output may be without one, another have several.
fn made(task: &Task) -> Vec<TaskOutput> {
    let header = task.outputs.first().and_then(|o| fits::primary_header(&o.path).ok());
    let Some(made) = header.and_then(|h| provenance::made(&h)) else { return task.outputs.clone() };
    let files = |output: &TaskOutput| made.iter().find(|(tag, _)| *tag == output.tag).map_or(0, |(_, files)| *files);
    task.outputs.iter().flat_map(|o| (1..=files(o)).map(|n| o.numbered(n))).collect()
}

/// In words, if another version of a program outside made a product.
fn by_another(header: &Header, task: &Task) -> String {
    match (provenance::external(header), &task.external) {
        (Some(was), Some(is)) if was != *is => format!(": made by {was}, now it is {is}"),
        _ => String::new(),
    }
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
        if !output.path.exists() || is_ours(known.get(&output.name), &output.path)? {
            continue;
        }
        let aside: PathBuf = unused_name(&output.path, "edited");
        std::fs::rename(&output.path, &aside).map_err(Error::io("cannot move aside", &output.path))?;
        let aside = aside.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        notes.push(format!("{} was changed by someone else; it is kept as {aside}", output.name));
    }
    Ok(notes)
}

/// Whether a file is a product just as we wrote it.
fn is_ours(row: Option<&ProductRow>, path: &Path) -> Result<bool> {
    if let Some(row) = row {
        return Ok(Fingerprint::of(path).ok() == row.fingerprint || content_hash(path)? == row.hash);
    }
    let marked = fits::primary_header(path).is_ok_and(|h| h.contains(provenance::TASK));
    Ok(marked && intact(path))
}
