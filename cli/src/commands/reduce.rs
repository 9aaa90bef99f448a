//! `reduce` and `report`.

use std::path::PathBuf;

use ifured_core::{Grade, InstrumentDescription};
use ifured_engine::execute::local::LocalExecutor;
use ifured_engine::execute::process::WorkerCommand;
use ifured_engine::plan::{Targets, drawing};
use ifured_engine::reduce::{self, ReduceOptions, RunSummary};
use ifured_engine::session::{Opening, Session};
use ifured_engine::{Error, files, report};

use super::{print_json, say};
use crate::Context;
use crate::arguments::TargetArguments;

/// This very program as a worker, with the library of the instrument.
pub fn worker(instrument: &InstrumentDescription) -> Result<WorkerCommand, Error> {
    let program = std::env::current_exe().map_err(Error::io("cannot find", "ifured"))?;
    let mut arguments: Vec<std::ffi::OsString> = vec!["exec".into(), "--stdin".into()];
    if let Some(library) = &instrument.library {
        arguments.extend(["--plugin".into(), library.path.clone().into()]);
    }
    Ok(WorkerCommand { program, arguments })
}

/// Reduces everything.
pub fn reduce(context: &Context, directories: &[PathBuf], typed: &TargetArguments, force: bool, dry_run: bool) -> Result<u8, Error> {
    let mut session = Session::open(&context.setup, &context.instruments, Opening::Work(directories), &context.progress)?;
    if !context.quiet && !context.json {
        super::scan::print_census(&session);
    }
    let targets = super::planning::targets(&session, typed)?;
    let command = files::command_line();
    let options = ReduceOptions { targets, force, dry_run, command };
    let worker = worker(&session.instrument)?;
    let mut executor = LocalExecutor::new(session.output.clone(), session.limits(), worker);
    let summary = reduce::reduce(&mut session, &mut executor, &options, &context.progress)?;
    context.progress.finish();
    let page = if dry_run { None } else { Some(report::write(&session, &summary)?) };
    let code = summary.exit_code(&session);
    if context.json {
        print_json(&summary_json(&session, &summary, page.as_deref(), code))?;
    } else {
        print_summary(context, &session, &summary, page.as_deref());
    }
    Ok(code)
}

fn print_summary(context: &Context, session: &Session, summary: &RunSummary, page: Option<&std::path::Path>) {
    let products: usize = summary.outcomes.values().map(|o| o.products.len()).sum();
    if !context.quiet {
        for planned in summary.plan.tasks() {
            if let Some((_, why)) = summary.to_do.iter().find(|(id, _)| *id == planned.task.id) {
                say(&format!("would run {}: {why}", crate::progress::title(&planned.task)));
            }
        }
        let questionable = summary.outcomes.values().filter(|o| o.grade() == Grade::Questionable).count();
        let bad = summary.outcomes.values().filter(|o| o.grade() == Grade::Bad).count();
        let (all, to_do, blocked) = (summary.plan.len(), summary.to_do.len(), summary.plan.blocked.len());
        say(&match page {
            // A dry run.
            None => format!("{all} tasks: {to_do} would run, {} done before, {blocked} blocked", all - to_do),
            Some(_) => format!(
                "{all} tasks: {} run now, {} done before, {} failed, {blocked} blocked; {products} products ({questionable} questionable, {bad} bad) in {} ({:.1} s)",
                summary.ran,
                summary.reused,
                summary.failed.len(),
                session.output.display(),
                summary.seconds
            ),
        });
    }
    for failed in &summary.failed {
        eprintln!("failed: {}: {}", crate::progress::title(&failed.planned.task), failed.error.what);
        if !failed.error.advice.is_empty() {
            eprintln!("   help: {}", failed.error.advice);
        }
    }
    drawing::blocked_lines(&summary.plan).iter().for_each(|line| eprintln!("{line}"));
    let refused = session.refused().count();
    if refused > 0 {
        eprintln!("{refused} frame(s) refused; `ifured ls --where 'STATE == \"refused\"'` says why");
    }
    if let (Some(page), false) = (page, context.quiet) {
        say(&format!("report: {}", page.display()));
    }
}

fn summary_json(session: &Session, summary: &RunSummary, page: Option<&std::path::Path>, code: u8) -> serde_json::Value {
    let failed: Vec<_> = summary
        .failed
        .iter()
        .map(|f| serde_json::json!({"task": f.planned.task.id, "recipe": f.planned.task.recipe, "error": f.error.what, "advice": f.error.advice}))
        .collect();
    let refused: Vec<_> = session.refused().map(|f| serde_json::json!({"frame": f.name, "why": f.why})).collect();
    let tasks: Vec<_> = summary
        .plan
        .tasks()
        .map(|t| {
            let outcome = summary.outcomes.get(&t.task.id);
            serde_json::json!({
                "id": t.task.id, "recipe": t.task.recipe, "night": t.task.night, "level": t.task.level,
                "products": t.task.outputs.iter().map(|o| &o.name).collect::<Vec<_>>(),
                "done": outcome.is_some(), "outcome": outcome,
                "would_run_because": summary.to_do.iter().find(|(id, _)| *id == t.task.id).map(|(_, why)| why.to_string()),
            })
        })
        .collect();
    serde_json::json!({
        "instrument": session.instrument.name, "output": ifured_core::path::shown(&session.output), "exit_code": code, "frames": session.frames.len(),
        "refused": refused, "tasks": tasks, "ran": summary.ran, "reused": summary.reused, "failed": failed,
        "blocked": summary.plan.blocked, "left_out": summary.plan.skipped, "report": page.map(ifured_core::path::shown), "seconds": summary.seconds,
    })
}

/// Writes the report of what there is, without running anything.
pub fn report(context: &Context) -> Result<u8, Error> {
    let mut session = Session::open(&context.setup, &context.instruments, Opening::Look, &context.progress)?;
    let plan = session.plan(&Targets::default())?;
    let standings = session.standings(&plan)?;
    let run = session.catalogue.last_run()?.map_or(0, |r| r.number);
    let summary = reduce::summary_of(&session.known, run, plan, &standings);
    let page = report::write(&session, &summary)?;
    say(&page.display().to_string());
    Ok(0)
}
