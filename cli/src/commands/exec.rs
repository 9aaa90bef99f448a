//! `exec`: one task of a plan.

use std::fs::File;
use std::path::Path;

use ifured_core::recipe::QuietHost;
use ifured_engine::plan::Plan;
use ifured_engine::standing::{self, Standing};
use ifured_engine::{Error, catalogue, worker};

use super::{print_json, say};
use crate::Context;

/// Runs one task, unless it is done. A worker, which has its standard output for itself, does what it is told there.
pub fn exec(context: &Context, task: Option<&str>, plan: &Path, worker: Option<File>) -> Result<u8, Error> {
    if let Some(answers) = worker {
        return Ok(worker::serve(&context.instruments, answers));
    }
    let Some(wanted) = task else {
        return Err(Error::usage("no task is named", "give the beginning of a task's identifier; `ifured ls tasks` lists them"));
    };
    let bytes = std::fs::read(plan).map_err(Error::io("cannot read the plan", plan))?;
    let plan: Plan =
        serde_json::from_slice(&bytes).map_err(|e| Error::usage(format!("{}: {e}", plan.display()), "make it anew with `ifured plan`"))?;
    let mut found = plan.tasks.iter().filter(|t| t.task.id.starts_with(wanted));
    let (Some(planned), None) = (found.next(), found.next()) else {
        return Err(Error::usage(format!("no task, or more than one, begins with `{wanted}`"), "`ifured ls tasks` lists them"));
    };
    let task = &planned.task;
    let output = std::path::absolute(&context.setup.output).map_err(Error::io("cannot find", &context.setup.output))?;
    let (mut catalogue, _) = catalogue::Catalogue::open(&output)?;
    let mut known = catalogue.products()?.into_iter().map(|p| (p.name.clone(), p)).collect();
    if let Standing::Done(_) = standing::standing(&mut catalogue, &mut known, task, &output)? {
        say("done already");
        return Ok(0);
    }
    for note in standing::keep_foreign(&known, task)? {
        say(&note);
    }
    let outcome = worker::run(&context.instruments, task, &QuietHost)?;
    ifured_engine::run::store_outcome(&mut catalogue, task, &outcome, &output)?;
    if context.json {
        print_json(&outcome)?;
    } else {
        for product in &outcome.products {
            say(&product.name);
        }
    }
    Ok(0)
}
