//! `exec`: one task of a plan.

use std::fs::File;
use std::path::Path;

use ifured_engine::exec::{self, Executed};
use ifured_engine::execute::local::LocalExecutor;
use ifured_engine::{Error, config, plan, session, worker};

use super::{print_json, say};
use crate::Context;

/// Runs one task, unless it is done. A worker, which has its standard output for itself, does what it is told there.
pub fn exec(context: &Context, task: Option<&str>, file: Option<&Path>, worker: Option<File>) -> Result<u8, Error> {
    if let Some(answers) = worker {
        return Ok(worker::serve(&context.instruments, answers));
    }
    let Some(wanted) = task else {
        return Err(Error::usage(
            "no task is named",
            "give the beginning of a task's identifier; `ifured ls tasks --columns TASK` lists them",
        ));
    };
    let setup = &context.setup;
    let output = std::path::absolute(&setup.output).map_err(Error::io("cannot find", &setup.output))?;
    let file = file.map_or_else(|| output.join(plan::FILE), Path::to_owned);
    let instrument = plan::instrument_of(&file)?;
    let Some(instrument) = context.instruments.iter().find(|i| i.description().is_called(&instrument)) else {
        return Err(Error::usage(
            format!("the plan is for `{instrument}`, which is not known here"),
            "add --plugin LIBRARY; `ifured plugin ls` shows what is known",
        ));
    };
    let description = instrument.description();
    let written = config::document(config::file(setup.config.as_deref(), &output).as_deref(), &setup.set, Some(&description.name))?;
    let config = config::checked(&written, description)?;
    let limits = session::limits(&config, setup.threads.or(config.resources.threads).unwrap_or_else(session::cores));
    let mut executor = LocalExecutor::new(output, limits, super::reduce::worker(description)?);
    let executed = exec::exec(setup, &context.instruments, &file, wanted, &mut executor, &context.progress)?;
    context.progress.finish();
    let attempt = match executed {
        Executed::Before(outcome) if context.json => {
            print_json(&outcome)?;
            return Ok(0);
        }
        Executed::Before(_) => {
            say("done already");
            return Ok(0);
        }
        Executed::NotAnyMore(what) => {
            say(&what);
            return Ok(0);
        }
        Executed::Now(attempt) => attempt,
    };
    if let Some(cause) = attempt.cause() {
        return Err(Error::Recipe(cause.error()));
    }
    match attempt.outcome() {
        Some(outcome) if context.json => print_json(outcome)?,
        Some(outcome) => outcome.products.iter().for_each(|product| say(&product.name)),
        None => {}
    }
    Ok(0)
}
