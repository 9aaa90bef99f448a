//! What is known of tasks: what the catalogue remembers, and what the journal says since.

use std::path::Path;

use crate::attempt::{self, Attempt, Ending};
use crate::catalogue::{Catalogue, Known, KnownProduct, KnownTask, LastAttempt, Remark};
use crate::error::Result;

/// A record of the journal, with its name.
pub type Record = (String, Attempt);

/// What a catalogue remembers, brought up to date with the journal of its output directory. With `merge` the catalogue remembers it from now on.
/// Where rows were damaged, all records of the journal are taken in again.
///
/// # Errors
/// If the catalogue cannot be read, or not be written where it shall be.
pub fn known(catalogue: &mut Catalogue, output: &Path, merge: bool) -> Result<Known> {
    let mut known = catalogue.known()?;
    let is_of_tasks = |r: &Remark| matches!(r, Remark::DamagedRows { table: "tasks" | "products" | "attempts", .. });
    let damaged = known.remarks.iter().any(is_of_tasks);
    let merged = catalogue.merged()?;
    let new = |record: &String| damaged || !merged.contains(record);
    let records = read(output, attempt::records(output).into_iter().filter(new));
    if merge && !records.is_empty() {
        catalogue.merge(&records)?;
        let remarks = std::mem::take(&mut known.remarks);
        known = Known { remarks, ..catalogue.known()? };
    } else {
        records.into_iter().for_each(|record| take_in(&mut known, record));
    }
    // What an attempt made is a memory of its own, which may be lost without the attempt.
    let is_lost = |last: &&LastAttempt| last.attempt.outcome().is_some() && !known.tasks.contains_key(&last.attempt.task.id);
    let lost: Vec<LastAttempt> = known.attempts.values().filter(is_lost).cloned().collect();
    lost.into_iter().for_each(|last| take_in(&mut known, (last.record, last.attempt)));
    Ok(known)
}

/// What is known of an output directory, without writing anything: by its catalogue, if there is one, and its journal.
///
/// # Errors
/// If the catalogue cannot be read.
pub fn of_directory(output: &Path) -> Result<Known> {
    if !Catalogue::exists(output) {
        return Ok(of_journal(output));
    }
    let (mut catalogue, _) = Catalogue::open_to_read(output)?;
    known(&mut catalogue, output, false)
}

/// What the journal of an output directory alone says.
pub fn of_journal(output: &Path) -> Known {
    let mut known = Known::default();
    read(output, attempt::records(output).into_iter()).into_iter().for_each(|record| take_in(&mut known, record));
    known
}

/// Records in the order of time.
fn read(output: &Path, names: impl Iterator<Item = String>) -> Vec<Record> {
    let mut records: Vec<Record> = names.filter_map(|name| Some((name.clone(), attempt::read(output, &name)?))).collect();
    records.sort_by(|(a_name, a), (b_name, b)| (a.started_ms, a_name).cmp(&(b.started_ms, b_name)));
    records
}

/// Takes a record in that is newer than all that is known of its task.
pub fn take_in(known: &mut Known, (record, attempt): Record) {
    if let Ending::Done { outcome, products } = &attempt.ending {
        let row = KnownTask { task: attempt.task.clone(), outcome: outcome.clone(), grade: outcome.grade() };
        known.tasks.insert(attempt.task.id.clone(), row);
        for product in products {
            let row = KnownProduct::of(product, &attempt.task.id);
            known.products.insert(row.name.clone(), row);
        }
    }
    known.attempts.insert(attempt.task.id.clone(), LastAttempt { record, attempt });
}
