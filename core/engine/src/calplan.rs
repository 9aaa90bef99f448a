//! The calibration plan as a table of text: for each science exposure every calibration that was chosen for it, through the whole graph.
//!
//! Tasks of the exposure come first, then those that make its calibrations, both in the order of the plan; the channels of an instrument, whose tasks differ in
//! the extension alone, are one line. The same plan gives the same text.

use std::collections::BTreeSet;
use std::fmt::Write;

use ifured_core::recipe::{Choice, Span};
use ifured_core::words::padded;
use ifured_core::{InstrumentDescription, Purpose, Task};

use crate::files::stem;
use crate::frame::{Frame, FrameState};
use crate::plan::{Plan, PlannedTask};

/// One line: a calibration of a task, or the frames that the task is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    recipe: String,
    role: String,
    tag: String,
    name: String,
    maker: String,
    time: String,
    level: String,
    reason: String,
}

/// The table.
pub fn text(plan: &Plan, frames: &[std::sync::Arc<Frame>], instrument: &InstrumentDescription) -> String {
    let is_science = |f: &Frame| {
        f.state == FrameState::Good && instrument.frame_types.iter().any(|t| t.purpose == Purpose::Science && t.rule.tag == f.tag)
    };
    let mut science: Vec<&Frame> = frames.iter().map(|f| &**f).filter(|f| is_science(f)).collect();
    science.sort_by(|a, b| a.mjd.unwrap_or(f64::INFINITY).total_cmp(&b.mjd.unwrap_or(f64::INFINITY)).then_with(|| a.name.cmp(&b.name)));
    let mut out = format!("Calibration plan of {}: {} science exposures\n", plan.instrument, science.len());
    for frame in science {
        exposure(&mut out, plan, frame);
    }
    out
}

fn exposure(out: &mut String, plan: &Plan, frame: &Frame) {
    let exptime = frame.header.real("EXPTIME").map_or(String::new(), |t| format!(", {t} s"));
    let named = frame.exposure_name.as_ref().map_or(String::new(), |n| format!(", {n}"));
    let _ = writeln!(out, "\n{} ({}, night {}{exptime}{named})", frame.name, frame.tag, frame.night);
    let own = tasks_of(plan, frame);
    let needed = needed_by(plan, &own);
    let mut lines: Vec<(Line, usize)> = Vec::new();
    for &n in own.iter().chain(needed.difference(&own)) {
        for line in lines_of(plan.at(n), plan, !own.contains(&n)) {
            // What differs in the extension alone is one line.
            match lines.iter_mut().find(|(l, _)| *l == line) {
                Some((_, times)) => *times += 1,
                None => lines.push((line, 1)),
            }
        }
    }
    write_lines(out, &lines);
    let is_blocked = |b: &&crate::plan::Blocked| b.frames.iter().any(|f| *f == frame.name || stem(f).contains(&stem(&frame.name)));
    let mut said = BTreeSet::new();
    for blocked in plan.blocked.iter().filter(is_blocked) {
        let line = format!("  blocked: {}: {}", blocked.recipe, blocked.why());
        if said.insert(line.clone()) {
            let _ = writeln!(out, "{line}");
        }
    }
    if own.is_empty() && said.is_empty() {
        let _ = writeln!(out, "  no recipe that is enabled reduces it");
    }
}

/// Tasks that are about a frame, or about what is made of it.
fn tasks_of(plan: &Plan, frame: &Frame) -> BTreeSet<usize> {
    let mut own = BTreeSet::new();
    for (n, planned) in plan.tasks().enumerate() {
        let is = |input: &ifured_core::recipe::TaskInput| match plan.maker(&input.name) {
            Some(maker) => own.contains(&maker),
            None => input.identity == frame.hash,
        };
        if planned.task.main().any(is) {
            own.insert(n);
        }
    }
    own
}

/// Tasks whose products these need, directly or not, without other science that only goes into the same combination.
fn needed_by(plan: &Plan, own: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut needed: BTreeSet<usize> = BTreeSet::new();
    let mut waiting: Vec<usize> = own.iter().copied().collect();
    while let Some(n) = waiting.pop() {
        let is_own = own.contains(&n);
        for input in plan.at(n).task.inputs.iter().filter(|i| !(is_own && i.role.is_main())) {
            if let Some(maker) = plan.maker(&input.name)
                && !own.contains(&maker)
                && needed.insert(maker)
            {
                waiting.push(maker);
            }
        }
    }
    needed
}

fn lines_of(planned: &PlannedTask, plan: &Plan, with_frames: bool) -> Vec<Line> {
    let task = &planned.task;
    let mut lines = Vec::new();
    let line = |role: &str| Line {
        recipe: task.recipe.clone(),
        role: role.into(),
        tag: String::new(),
        name: String::new(),
        maker: String::new(),
        time: String::new(),
        level: String::new(),
        reason: String::new(),
    };
    if with_frames {
        lines.push(frames_line(task, line("(frames)")));
    }
    for input in task.calibrations() {
        let maker = plan.maker(&input.name).map(|n| &plan.at(n).task);
        // The time has its own column.
        let (time, reason) = match &input.choice {
            Choice::Fits(fit) => {
                let parts: Vec<String> = std::iter::once(fit.title.clone()).chain(fit.remarks()).collect();
                (Span(fit.days).to_string(), parts.join(", "))
            }
            other => (String::new(), other.to_string()),
        };
        lines.push(Line {
            tag: input.tag.to_string(),
            name: shared_name(&input.name, maker),
            maker: maker.map_or("file".into(), |m| m.recipe.clone()),
            reason,
            time,
            level: input.level.to_string(),
            ..line(input.role.as_str())
        });
    }
    for (missing, lack) in task.missing.iter().zip(&planned.lacks) {
        let reason = format!("{}; {lack}", missing.otherwise);
        lines.push(Line { name: "none".into(), level: missing.level.to_string(), reason, ..line(missing.role.as_str()) });
    }
    lines
}

/// The frames that a task of a calibration is about.
fn frames_line(task: &Task, line: Line) -> Line {
    let names: Vec<&str> = task.main().map(|m| m.name.rsplit('/').next().unwrap_or(&m.name)).collect();
    let tag = task.main().next().map_or(String::new(), |m| m.tag.to_string());
    let name = match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first, .., last] => format!("{} from {first} to {last}", names.len()),
    };
    Line { tag, name: shared_name(&name, Some(task)), ..line }
}

/// The name of a calibration, with `*` for the extension of the task that makes it.
pub fn shared_name(name: &str, maker: Option<&Task>) -> String {
    match maker.and_then(|m| m.extension.as_ref()) {
        Some(extension) => name.replace(&format!("-{extension}"), "-*"),
        None => name.to_owned(),
    }
}

const TITLES: [&str; 8] = ["recipe", "role", "tag", "calibration", "made by", "time", "level", "reason"];

/// Columns as wide as their longest text; of several alike their number behind the name.
fn write_lines(out: &mut String, lines: &[(Line, usize)]) {
    if lines.is_empty() {
        return;
    }
    let row = |(line, times): &(Line, usize)| {
        let name = if *times > 1 { format!("{} (x {times})", line.name) } else { line.name.clone() };
        [&line.recipe, &line.role, &line.tag, &name, &line.maker, &line.time, &line.level, &line.reason].map(Clone::clone)
    };
    let rows: Vec<[String; 8]> = std::iter::once(TITLES.map(str::to_owned)).chain(lines.iter().map(row)).collect();
    let widths: Vec<usize> = (0..8).map(|c| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0)).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| padded(cell, width)).collect();
        let _ = writeln!(out, "  {}", cells.join("  ").trim_end());
    }
}
