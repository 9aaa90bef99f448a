//! Reports: one self-contained HTML page for a run and one for each task, also when it failed.
//!
//! A page needs nothing from outside and no script. A task page is written again only when what it shows has changed: its first
//! line names task, attempt and a hash of its content. Previews in the page of the run are kept below `report/.previews`.

mod drawing;
mod html;
mod previews;
mod run_page;
mod task_page;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use ifured_core::TaskId;
use ifured_core::recipe::{Outcome, RecipeError};
use rayon::prelude::*;

use crate::catalogue::LastAttempt;
use crate::error::{Error, Result};
use crate::files::UNFINISHED;
use crate::plan::{Plan, PlannedTask};
use crate::reduce::RunSummary;
use crate::view::Snapshot;
use crate::view::run::{RunTask, RunView};

/// Directory of the pages, below the output directory.
pub const DIRECTORY: &str = "report";
/// Changes when pages have to be written again because they look different.
const FORMAT: u32 = 3;

const STYLE: &str = include_str!("style.css");

/// How far a task is.
enum State<'a> {
    Done(&'a Outcome),
    Failed(&'a RecipeError),
    /// Not run, for this reason.
    Waiting(&'a str),
}

/// A task with all that its page shows.
struct TaskReport<'a> {
    planned: &'a PlannedTask,
    view: &'a RunTask,
    state: State<'a>,
    /// Tasks whose products it needs.
    needs: Vec<&'a TaskId>,
    attempt: Option<&'a LastAttempt>,
}

impl TaskReport<'_> {
    fn id(&self) -> &TaskId {
        &self.planned.task.id
    }

    /// What it is called: its first product, or its first frame.
    fn name(&self) -> &str {
        self.planned.task.name()
    }

    fn page(&self) -> String {
        page_of(self.id())
    }

    fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            State::Done(outcome) => Some(outcome),
            _ => None,
        }
    }
}

fn page_of(id: &TaskId) -> String {
    format!("task-{id}.html")
}

/// Writes the page of a run and the pages of its tasks into `report/` of the output directory; gives the page of the run.
///
/// # Errors
/// If a page cannot be written. A product that cannot be read is shown without preview.
pub fn write(snapshot: &Snapshot, summary: &RunSummary, view: &RunView) -> Result<PathBuf> {
    let output = &*snapshot.output;
    let directory = output.join(DIRECTORY);
    std::fs::create_dir_all(&directory).map_err(Error::io("cannot create", &directory))?;
    let tasks = tasks(snapshot, summary, view);
    let makers = makers(&summary.plan);
    tasks.par_iter().try_for_each(|task| task_page::write(&directory, output, &summary.plan, task, &makers))?;
    let is_used = |t: &&TaskReport<'_>| summary.plan.place(t.id()).is_some_and(|at| !summary.plan.users(at).is_empty());
    let shown: Vec<&TaskReport<'_>> = tasks.iter().filter(|t| is_used(t) && t.outcome().is_some()).collect();
    let thumbnails: HashMap<TaskId, String> =
        shown.par_iter().filter_map(|t| Some((t.id().clone(), previews::thumbnail(&directory, output, t.outcome()?)?))).collect();
    let page = directory.join("index.html");
    store(&page, run_page::page(snapshot, view, &tasks, &thumbnails))?;
    Ok(page)
}

/// The tasks of a run as planned and as viewed. What failed is told of, also where the plan does without it by now.
fn tasks<'a>(snapshot: &'a Snapshot, summary: &'a RunSummary, view: &'a RunView) -> Vec<TaskReport<'a>> {
    let failed = |id: &TaskId| summary.failed.iter().map(|f| &f.planned).find(|p| p.task.id == *id);
    let report = |view: &'a RunTask| {
        let planned = summary.plan.task(&view.id).or_else(|| failed(&view.id))?;
        let state = match (&view.outcome, &view.error) {
            (Some(outcome), _) => State::Done(outcome),
            (None, Some(error)) => State::Failed(error),
            (None, None) => State::Waiting(view.would_run_because.as_deref().unwrap_or("it was not run")),
        };
        let places = summary.plan.place(&view.id).map_or(&[][..], |at| summary.plan.needs(at));
        let needs = places.iter().map(|&maker| &summary.plan.at(maker).task.id).collect();
        Some(TaskReport { planned, view, state, needs, attempt: snapshot.last_attempt(&planned.task.id) })
    };
    view.all_tasks().filter_map(report).collect()
}

/// Pages of the tasks that make each product.
fn makers(plan: &Plan) -> HashMap<&str, String> {
    plan.tasks().flat_map(|t| t.task.outputs.iter().map(|o| (o.name.as_str(), page_of(&t.task.id)))).collect()
}

/// Whether a page begins with this line.
fn is_current(page: &Path, first_line: &str) -> bool {
    let Ok(file) = std::fs::File::open(page) else { return false };
    let mut line = String::new();
    BufReader::new(file).read_line(&mut line).is_ok() && line.trim_end() == first_line
}

/// Writes a page completely or not at all. It can always be made again, so it is not forced to the disk.
fn store(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let mut file = tempfile::Builder::new().prefix(&format!(".{UNFINISHED}-")).tempfile_in(directory)?;
        file.write_all(text.as_ref())?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(Error::io("cannot write", path))
}

#[cfg(test)]
pub(crate) mod tests;
