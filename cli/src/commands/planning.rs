//! `plan`, `why`, `whynot`.

use std::path::{Path, PathBuf};

use ifured_core::Tag;
use ifured_engine::plan::{Targets, drawing as graph};
use ifured_engine::session::{Opening, Session};
use ifured_engine::view::TaskState;
use ifured_engine::view::frames::census;
use ifured_engine::view::plan::PlanView;
use ifured_engine::view::plan_groups::{PlanGroups, TaskGroup};
use ifured_engine::view::why;
use ifured_engine::{Error, calplan, classify, files, sof};

use super::{print_json, say};
use crate::Context;
use crate::arguments::{Graph, TargetArguments};

/// What was typed, checked against the tags that there are.
pub fn targets(session: &Session, typed: &TargetArguments) -> Result<Targets, Error> {
    let mut known: Vec<String> = session.instrument.frame_types.iter().map(|t| t.rule.tag.to_string()).collect();
    known.extend(session.instrument.recipes.iter().flat_map(|r| r.products.iter().map(|p| p.tag.to_string())));
    if let Some(wrong) = typed.to.iter().find(|t| !known.contains(t)) {
        return Err(Error::usage(
            format!("{} has no tag `{wrong}`{}", session.instrument.name, classify::nearest(wrong, &known)),
            "`ifured recipe ls` shows what is made",
        ));
    }
    Ok(Targets { to: typed.to.iter().map(|t| Tag::new(t.clone())).collect(), only: typed.only.clone() })
}

/// Shows the plan.
pub fn plan(
    context: &Context,
    directories: &[PathBuf],
    drawing: Option<Graph>,
    sets: Option<&Path>,
    calplan: Option<&Path>,
    typed: &TargetArguments,
) -> Result<u8, Error> {
    let mut session = Session::open(&context.setup, &context.instruments, Opening::Preview(directories), &context.progress)?;
    context.progress.finish();
    let targets = targets(&session, typed)?;
    let snapshot = session.snapshot(&targets)?;
    let planned = snapshot.planned()?;
    let plan = &*planned.plan;
    if plan.is_empty() && plan.blocked.is_empty() {
        super::scan::print_census(&census(&snapshot));
        return Err(Error::Nothing {
            what: format!("nothing to reduce for {}", session.instrument.name),
            advice: "`ifured ls` shows all frames and why they are not used".into(),
        });
    }
    if session.writes() {
        session.write_plan(plan)?;
    }
    let written = sets.map(|directory| sof::write(plan, &session.instrument, directory)).transpose()?;
    if let Some(file) = calplan {
        let table = calplan::text(plan, &session.frames, &session.instrument);
        if file == Path::new("-") {
            say(table.trim_end());
        } else {
            files::write_atomically(file, table.as_bytes())?;
            say(&format!("wrote {}", file.display()));
        }
        return Ok(0);
    }
    match drawing {
        Some(Graph::Dot) => say(graph::dot(plan).trim_end()),
        Some(Graph::Mermaid) => say(graph::mermaid(plan).trim_end()),
        None if context.json => print_json(&PlanView::of(&snapshot)?)?,
        None => {
            print_plan(&PlanGroups::of(planned));
            if let (Some(written), Some(directory)) = (written, sets) {
                say(&format!("{} sets of frames in {}", written.len(), directory.display()));
            }
        }
    }
    Ok(0)
}

/// The plan as a person reads it.
fn print_plan(view: &PlanGroups) {
    let mut last = "";
    for group in &view.tasks {
        if group.night != last {
            last = &group.night;
            say(&format!("night {last}"));
        }
        print_group(group);
    }
    view.notes.iter().for_each(|note| say(&format!("note: {note}")));
    view.blocked.iter().for_each(|group| say(&group.to_string()));
    for skipped in &view.skipped {
        say(&format!("left out: {} of {}: {}", skipped.recipe, skipped.frames.first().map_or("", |f| f), skipped.why));
    }
    say(&format!("{} tasks, {} done, {} blocked", view.counts.tasks, view.counts.done, view.counts.blocked));
}

fn print_group(group: &TaskGroup) {
    let level = if group.level > 0 { format!(", level {}", group.level) } else { String::new() };
    let frames = if group.frames == 1 { "frame" } else { "frames" };
    let of = match group.extensions.as_slice() {
        [first, .., last] if group.tasks.len() > 1 => format!("  [{} extensions, {first} to {last}]", group.tasks.len()),
        _ => String::new(),
    };
    let state = if group.state == TaskState::Done { "done" } else { "to do" };
    say(&format!("  {:<26} {state:<6} {}  ({} {frames}{level}){of}", group.recipe, group.product, group.frames));
    let line = |text: String| say(&format!("  {:<26}        {text}", ""));
    for c in &group.calibrations {
        let times = if c.count > 1 { format!(" (x {})", c.count) } else { String::new() };
        line(format!("{} {}: {}{times}", c.role, c.name, c.why));
    }
    for m in &group.missing {
        line(format!("no {}: {} (level {}; {})", m.role, m.otherwise, m.level, m.why));
    }
}

/// Why a product is made with these calibrations, or a frame is what it is.
pub fn why(context: &Context, product: &str) -> Result<u8, Error> {
    let mut session = Session::open(&context.setup, &context.instruments, Opening::Look, &context.progress)?;
    let answer = why::why(&session.snapshot(&Targets::default())?, product)?;
    if context.json {
        print_json(&answer)?
    } else {
        say(answer.to_string().trim_end())
    }
    Ok(0)
}

/// Why a calibration is not used for a frame.
pub fn whynot(context: &Context, frame: &str, calibration: &str) -> Result<u8, Error> {
    let mut session = Session::open(&context.setup, &context.instruments, Opening::Look, &context.progress)?;
    let answer = why::why_not(&session.snapshot(&Targets::default())?, frame, calibration)?;
    if context.json {
        print_json(&answer)?
    } else {
        say(answer.to_string().trim_end())
    }
    Ok(0)
}
