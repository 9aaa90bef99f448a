//! `plan`, `why`, `whynot`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ifured_core::Tag;
use ifured_engine::plan::{Plan, PlannedTask, Targets, drawing as graph};
use ifured_engine::session::{Opening, Session};
use ifured_engine::standing::Standing;
use ifured_engine::{Error, calplan, classify, files, sof, view, why};

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
    let plan = session.plan(&targets)?;
    if plan.is_empty() && plan.blocked.is_empty() {
        super::scan::print_census(&session);
        return Err(Error::Nothing {
            what: format!("nothing to reduce for {}", session.instrument.name),
            advice: "`ifured ls` shows all frames and why they are not used".into(),
        });
    }
    if session.writes() {
        session.write_plan(&plan)?;
    }
    let written = sets.map(|directory| sof::write(&plan, &session.instrument, directory)).transpose()?;
    if let Some(file) = calplan {
        let table = calplan::text(&plan, &session.frames, &session.instrument);
        if file == Path::new("-") {
            say(table.trim_end());
        } else {
            files::write_atomically(file, table.as_bytes())?;
            say(&format!("wrote {}", file.display()));
        }
        return Ok(0);
    }
    match drawing {
        Some(Graph::Dot) => say(graph::dot(&plan).trim_end()),
        Some(Graph::Mermaid) => say(graph::mermaid(&plan).trim_end()),
        None if context.json => print_json(&view::plan::PlanView::of(&plan))?,
        None => {
            let standings = session.standings(&plan)?;
            print_plan(&plan, &standings);
            if let (Some(written), Some(directory)) = (written, sets) {
                say(&format!("{} sets of frames in {}", written.len(), directory.display()));
            }
        }
    }
    Ok(0)
}

/// A task as a person reads it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct TaskText {
    recipe: String,
    state: &'static str,
    /// First product, number of frames, level.
    makes: String,
    /// Its calibrations and what is missing.
    lines: Vec<String>,
}

impl TaskText {
    fn of(planned: &PlannedTask, standing: &Standing, name: &dyn Fn(&str) -> String) -> Self {
        let task = &planned.task;
        let frames = task.main().count();
        let state = match standing {
            Standing::Done(_) => "done",
            Standing::ToDo(_) => "to do",
        };
        let product = task.outputs.first().map(|o| name(&o.name)).unwrap_or_default();
        let level = if task.level > 0 { format!(", level {}", task.level) } else { String::new() };
        let makes = format!("{product}  ({frames} frame{}{level})", if frames == 1 { "" } else { "s" });
        let inputs = task.calibrations().map(|i| format!("{} {}: {}", i.role, name(&i.name), i.choice));
        let missing = task.missing.iter().zip(&planned.lacks);
        let missing = missing.map(|(m, lack)| format!("no {}: {} (level {}; {lack})", m.role, m.otherwise, m.level));
        TaskText { recipe: task.recipe.clone(), state, makes, lines: inputs.chain(missing).collect() }
    }

    /// Prints it: lines that are there several times once with their number, what is there once as it is in `exact`.
    fn print(&self, exact: &TaskText, of: &str) {
        say(&format!("  {:<26} {:<6} {}{of}", self.recipe, self.state, exact.makes));
        let mut counted: Vec<(&String, &String, usize)> = Vec::new();
        for (line, exact) in self.lines.iter().zip(&exact.lines) {
            match counted.iter_mut().find(|(l, ..)| *l == line) {
                Some((_, _, times)) => *times += 1,
                None => counted.push((line, exact, 1)),
            }
        }
        for (line, exact, times) in counted {
            let line = if times > 1 { format!("{line} (x {times})") } else { exact.clone() };
            say(&format!("  {:<26}        {line}", ""));
        }
    }
}

/// The plan as a person reads it: tasks that differ in the extension alone are one.
pub fn print_plan(plan: &Plan, standings: &[Standing]) {
    let extension_of = |t: &PlannedTask| t.task.extension.clone();
    let general = |name: &str| calplan::shared_name(name, plan.maker(name).map(|at| &plan.at(at).task));
    let mut texts: Vec<(&str, TaskText, Vec<&PlannedTask>, &Standing)> = Vec::new();
    let mut places: HashMap<(&str, TaskText), usize> = HashMap::new();
    for (planned, standing) in plan.tasks().zip(standings) {
        let night = planned.task.night.as_str();
        let text = TaskText::of(planned, standing, &general);
        let place = *places.entry((night, text.clone())).or_insert(texts.len());
        match texts.get_mut(place) {
            Some((_, _, tasks, _)) => tasks.push(planned),
            None => texts.push((night, text, vec![planned], standing)),
        }
    }
    let mut last = "";
    for (night, text, tasks, standing) in &texts {
        if *night != last {
            last = night;
            say(&format!("night {night}"));
        }
        match tasks.as_slice() {
            [one] => text.print(&TaskText::of(one, standing, &|name: &str| name.to_owned()), ""),
            [first, .., last] => {
                let extension = |t: &PlannedTask| extension_of(t).unwrap_or_default();
                text.print(text, &format!("  [{} extensions, {} to {}]", tasks.len(), extension(first), extension(last)));
            }
            [] => {}
        }
    }
    plan.notes.iter().for_each(|note| say(&format!("note: {note}")));
    graph::blocked_lines(plan).iter().for_each(|line| say(line));
    for skipped in &plan.skipped {
        say(&format!("left out: {} of {}: {}", skipped.recipe, skipped.frames[0], skipped.reason));
    }
    let done = standings.iter().filter(|s| matches!(s, Standing::Done(_))).count();
    say(&format!("{} tasks, {done} done, {} blocked", plan.len(), plan.blocked.len()));
}

/// Why a product is made with these calibrations, or a frame is what it is.
pub fn why(context: &Context, product: &str) -> Result<u8, Error> {
    let mut session = Session::open(&context.setup, &context.instruments, Opening::Look, &context.progress)?;
    let plan = session.plan(&Targets::default())?;
    let mut answer = why::why(&plan, &session.frames, product)?;
    if let Some(at) = plan.maker(&answer.name) {
        answer.state = session.standings(&plan)?.get(at).map(why::State::from);
    }
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
    let plan = session.plan(&Targets::default())?;
    let answer = why::why_not(&plan, &session.frames, frame, calibration)?;
    if context.json {
        print_json(&answer)?
    } else {
        say(answer.to_string().trim_end())
    }
    Ok(0)
}
