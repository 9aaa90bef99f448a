//! `reduce` and `report`.

use std::path::PathBuf;

use ifured_core::InstrumentDescription;
use ifured_core::path::shown;
use ifured_engine::execute::local::LocalExecutor;
use ifured_engine::execute::process::WorkerCommand;
use ifured_engine::plan::Targets;
use ifured_engine::reduce::{self, ReduceOptions};
use ifured_engine::session::{Opening, Session};
use ifured_engine::view::answer::ReportView;
use ifured_engine::view::frames::census;
use ifured_engine::view::run::RunView;
use ifured_engine::{Error, files, report};

use super::{print_json, say, tell};
use crate::Context;
use crate::arguments::TargetArguments;
use crate::progress::title;

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
        super::scan::print_census(&census(&session.look()?));
    }
    let targets = super::planning::targets(&session, typed)?;
    let command = files::command_line();
    let options = ReduceOptions { targets, force, dry_run, command };
    let worker = worker(&session.instrument)?;
    let mut executor = LocalExecutor::new(session.output.clone(), session.limits(), worker);
    let summary = reduce::reduce(&mut session, &mut executor, &options, &context.progress)?;
    context.progress.finish();
    let snapshot = session.look()?;
    let mut view = RunView::of(&snapshot, &summary);
    if !dry_run {
        view.report = Some(report::write(&snapshot, &summary, &view)?.display().to_string());
    }
    if context.json {
        print_json(&view)?;
    } else {
        print_run(context, &view);
    }
    Ok(view.exit_code)
}

fn print_run(context: &Context, view: &RunView) {
    if !context.quiet {
        for task in &view.tasks {
            if let Some(why) = &task.would_run_because {
                say(&format!("would run {}: {why}", title(&task.recipe, &task.name)));
            }
        }
        let c = &view.counts;
        say(&match view.report {
            // A dry run.
            None => {
                format!("{} tasks: {} would run, {} done before, {} blocked", c.tasks, c.would_run, c.tasks - c.would_run, c.blocked)
            }
            Some(_) => format!(
                "{} tasks: {} run now, {} done before, {} failed, {} blocked; {} products ({} questionable, {} bad) in {} ({:.1} s)",
                c.tasks, c.ran, c.reused, c.failed_now, c.blocked, c.products, c.questionable, c.bad, view.output, view.seconds
            ),
        });
    }
    for failed in &view.failed {
        tell(&format!("failed: {}: {}", title(&failed.recipe, &failed.name), failed.error));
        if !failed.advice.is_empty() {
            tell(&format!("   help: {}", failed.advice));
        }
    }
    view.blocked_groups.iter().for_each(|group| tell(&group.to_string()));
    if view.counts.refused > 0 {
        tell(&format!("{} frame(s) refused; `ifured ls --where 'STATE == \"refused\"'` says why", view.counts.refused));
    }
    if let (Some(page), false) = (&view.report, context.quiet) {
        say(&format!("report: {page}"));
    }
}

/// Writes the report of what there is, without running anything.
pub fn report(context: &Context) -> Result<u8, Error> {
    let mut session = Session::open(&context.setup, &context.instruments, Opening::Look, &context.progress)?;
    let snapshot = session.snapshot(&Targets::default())?;
    let summary = reduce::summary_of(&snapshot)?;
    if summary.plan.is_empty() && summary.plan.blocked.is_empty() {
        let what = "there is nothing to report: no frame that is known can be reduced".to_owned();
        return Err(Error::Nothing {
            what,
            advice: "the report that is there stays; name the data directories: `ifured scan DIRECTORY`".into(),
        });
    }
    let page = report::write(&snapshot, &summary, &RunView::of(&snapshot, &summary))?;
    let view = ReportView { report: shown(&page) };
    if context.json {
        print_json(&view)?;
    } else {
        say(&view.report);
    }
    Ok(0)
}
