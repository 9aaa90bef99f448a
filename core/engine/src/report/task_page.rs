//! The page of one task.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::html::{bytes, count, details, esc, grade, level, list, mark, page, path, quality, seconds, section, table};
use super::{FORMAT, State, TaskReport, is_current, previews, store};
use ifured_core::Outcome;
use ifured_core::recipe::Span;
use ifured_pixels::fits::hash_of_bytes;

use crate::attempt;
use crate::error::Result;
use crate::plan::Plan;
use crate::plan::associate::{Association, Candidate};

/// Candidates that are shown at once; the rest on demand.
const SHOWN: usize = 8;

pub(super) fn write(directory: &Path, output: &Path, plan: &Plan, task: &TaskReport<'_>, makers: &HashMap<&str, String>) -> Result<()> {
    let file = directory.join(task.page());
    let associations = plan.associations(task.planned);
    let first_line = first_line(output, task, &associations);
    if is_current(&file, &first_line) {
        return Ok(());
    }
    store(&file, page(&first_line, task.name(), &body(output, task, &associations, makers)))
}

/// Task, attempt, and a hash of all that the page shows.
fn first_line(output: &Path, task: &TaskReport<'_>, associations: &[Association]) -> String {
    let state = match &task.state {
        State::Done(outcome) => serde_json::json!(["done", outcome]),
        State::Failed(error) => serde_json::json!(["failed", error]),
        State::Waiting(why) => serde_json::json!(["waiting", why]),
    };
    let content = serde_json::json!([FORMAT, env!("CARGO_PKG_VERSION"), task.planned.task, associations, state, logs(output, task)]);
    let hash = hash_of_bytes(content.to_string().as_bytes());
    format!("<!-- task {} attempt {} content {} -->", task.id(), task.attempt.map_or("none", |last| last.record.as_str()), hash)
}

fn body(output: &Path, report: &TaskReport<'_>, associations: &[Association], makers: &HashMap<&str, String>) -> String {
    let task = &report.planned.task;
    let verdict = match &report.state {
        State::Done(outcome) => grade(outcome.grade()),
        State::Failed(_) => mark("bad", "✖", "failed"),
        State::Waiting(_) => mark("waiting", "○", "not run"),
    };
    let mut out = format!(
        "<nav><a href=\"index.html\">The whole run</a></nav>\n<header>\n<h1>{}</h1>\n<p class=\"lead\">{} · night {} · {} · level {} · {verdict}</p>\n</header>\n",
        path(report.name()),
        esc(&task.recipe),
        esc(&task.night),
        count(task.main().count(), "frame"),
        level(task.level),
    );
    match &report.state {
        State::Failed(error) => out += &failure(&log_of(output, report), &error.what, &error.advice),
        State::Waiting(why) => out += &format!("<p class=\"box\">Not run: {}</p>\n", esc(why)),
        State::Done(_) => {}
    }
    if let Some(outcome) = report.outcome() {
        out += &section("quality", "Quality", &quality(outcome));
        let rows: Vec<Vec<String>> = outcome.rejected.iter().map(|r| vec![path(&r.name), esc(&r.why)]).collect();
        out += &section("rejected", "Rejected frames", &table("Frames that were left out", &[("frame", false), ("why", false)], &rows));
        out += &section("notes", "Notes", &list(&outcome.notes.iter().map(|n| esc(n)).collect::<Vec<_>>()));
        out += &section("figures", "Figures", &of_products(outcome, output, previews::figures));
        out += &section("previews", "Previews", &of_products(outcome, output, previews::planes));
    }
    out += &section("frames", "Frames", &frames(report, makers));
    out += &section("calibrations", "Calibrations", &calibrations(report, associations, makers));
    out += &section("parameters", "Parameters", &parameters(&task.parameters));
    out += &section("cost", "Cost and identity", &cost(report));
    out += &section("logs", "Logs of the recipe", &list(&logs(output, report)));
    let log = log_of(output, report);
    if matches!(report.state, State::Done(_)) && !log.trim().is_empty() {
        out += &section("log", "Log", &details("What the worker wrote", &format!("<pre>{}</pre>\n", esc(&log))));
    }
    out
}

/// What there is to be seen of each product, under its name.
fn of_products(outcome: &Outcome, output: &Path, seen: impl Fn(&Path) -> String) -> String {
    let mut out = String::new();
    for product in &outcome.products {
        let pictures = seen(&output.join(&product.name));
        if !pictures.is_empty() {
            out += &format!(
                "<h3>{} <span class=\"dir\">{}</span></h3>\n<div class=\"figures\">{pictures}</div>\n",
                esc(product.tag.as_str()),
                path(&product.name)
            );
        }
    }
    out
}

/// What the last attempt wrote on its standard error, as the journal has it.
fn log_of(output: &Path, report: &TaskReport<'_>) -> String {
    report.attempt.and_then(|last| attempt::read(output, &last.record)).map(|a| a.log).unwrap_or_default()
}

fn failure(log: &str, what: &str, advice: &str) -> String {
    let advice = if advice.is_empty() { String::new() } else { format!("<p><b>What to do:</b> {}</p>", esc(advice)) };
    let log = log.trim();
    let log = if log.is_empty() { String::new() } else { format!("<pre>{}</pre>", esc(log)) };
    format!("<section id=\"failure\" class=\"box failed\">\n<h2>It failed</h2>\n<p>{}</p>{advice}{log}</section>\n", esc(what))
}

/// Links to what the last attempt left beside the products.
fn logs(output: &Path, report: &TaskReport<'_>) -> Vec<String> {
    let files: Vec<PathBuf> = report.attempt.into_iter().flat_map(|last| last.attempt.side_files()).map(|f| f.path.clone()).collect();
    // Characters that have a meaning in a link.
    let encoded = |name: &str| name.replace('%', "%25").replace('#', "%23").replace('?', "%3F");
    let below = |file: PathBuf| file.strip_prefix(output).ok().filter(|_| file.exists()).map(|p| p.display().to_string());
    files.into_iter().filter_map(below).map(|name| format!("<a href=\"../{}\">{}</a>", esc(&encoded(&name)), path(&name))).collect()
}

fn linked(name: &str, makers: &HashMap<&str, String>) -> String {
    match makers.get(name) {
        Some(page) => format!("<a href=\"{}\">{}</a>", esc(page), path(name)),
        None => path(name),
    }
}

fn frames(report: &TaskReport<'_>, makers: &HashMap<&str, String>) -> String {
    let row = |i: &ifured_core::recipe::TaskInput| {
        let corrected: Vec<String> = i.corrections.iter().map(|(k, v)| format!("{} = {}", esc(k), esc(&v.to_string()))).collect();
        let time = i.mjd.map(crate::time::iso).unwrap_or_else(|| "–".into());
        vec![linked(&i.name, makers), esc(i.tag.as_str()), esc(&time), corrected.join(", ")]
    };
    let rows: Vec<Vec<String>> = report.planned.task.main().map(row).collect();
    let corrected = rows.iter().any(|r| !r[3].is_empty());
    let columns = [("frame", false), ("tag", false), ("time (UTC)", false), ("corrected keywords", false)];
    let width = if corrected { 4 } else { 3 };
    let rows: Vec<Vec<String>> = rows.into_iter().map(|r| r.into_iter().take(width).collect()).collect();
    let signature = &report.planned.task.signature;
    let signature = if signature.is_empty() { String::new() } else { format!("<p>Signature <code>{}</code></p>\n", esc(signature)) };
    signature + &table("Frames that are combined", &columns[..width], &rows)
}

fn calibrations(report: &TaskReport<'_>, associations: &[Association], makers: &HashMap<&str, String>) -> String {
    associations.iter().map(|a| association(report, a, makers)).collect()
}

fn association(report: &TaskReport<'_>, a: &Association, makers: &HashMap<&str, String>) -> String {
    let task = &report.planned.task;
    let mut out = format!("<h3>{}</h3>\n", esc(a.role.as_str()));
    let missing = task.missing.iter().zip(&report.planned.lacks).find(|(m, _)| m.role == a.role);
    if let Some((missing, lack)) = missing {
        let instead = if missing.otherwise.is_empty() { "the step is left out" } else { &missing.otherwise };
        out += &format!(
            "<p>{} {}; instead: {}; level {}.</p>\n",
            mark("questionable", "▲", "None."),
            esc(&lack.to_string()),
            esc(instead),
            level(missing.level)
        );
    }
    if let Some(adapt) = task.role(a.role.as_str()).find_map(|i| i.adapt.as_ref()) {
        out += &format!("<p>Adapted: {}.</p>\n", esc(adapt));
    }
    let row = |c: &Candidate| {
        let taken = a.chosen.contains(&c.name);
        let choice = if taken { mark("taken", "►", "taken") } else { String::new() };
        let fit = c.level().map_or_else(|| "–".to_owned(), |l| l.to_string());
        let reason = c.why();
        let stricter = c
            .failed
            .iter()
            .map(|(l, o)| (l, o.to_string()))
            .filter(|(_, why)| *why != reason)
            .map(|(l, why)| format!("not level {l}: {}", esc(&why)));
        let mut why = vec![if c.fit.is_none() { format!("does not fit: {}", esc(&reason)) } else { esc(&reason) }];
        why.extend(stricter.map(|s| format!("<span class=\"dir\">{s}</span>")));
        vec![linked(&c.name, makers), choice, fit, esc(&Span(c.days).to_string()), why.join("<br>")]
    };
    let rows: Vec<Vec<String>> = a.candidates.iter().map(row).collect();
    let columns = [("candidate", false), ("choice", false), ("level", true), ("time", true), ("why", false)];
    if rows.is_empty() && missing.is_none() {
        out += "<p>There are no candidates.</p>\n";
    }
    let split = rows.len().min(SHOWN);
    out += &table(&format!("Candidates for {}, best first", a.role), &columns, &rows[..split]);
    let more = table(&format!("Further candidates for {}", a.role), &columns, &rows[split..]);
    out + &details(&format!("{} more", count(rows.len() - split, "candidate")), &more)
}

fn parameters(parameters: &serde_json::Value) -> String {
    let show = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let rows: Vec<Vec<String>> = parameters.as_object().into_iter().flatten().map(|(k, v)| vec![esc(k), esc(&show(v))]).collect();
    table("Parameters of the recipe", &[("parameter", false), ("value", false)], &rows)
}

fn cost(report: &TaskReport<'_>) -> String {
    let task = &report.planned.task;
    let mut rows = vec![
        vec!["task".to_owned(), format!("<code>{}</code>", task.id)],
        vec!["recipe".to_owned(), format!("{} version {}", esc(&task.recipe), task.recipe_version)],
        vec!["memory planned".to_owned(), bytes(task.memory)],
    ];
    if let Some(last) = report.attempt {
        let (run, cost) = (last.attempt.run, &last.attempt.cost);
        rows.extend([
            vec!["attempt".to_owned(), run.map_or_else(|| "alone, by `exec`".to_owned(), |run| format!("in run {run}"))],
            vec!["time".to_owned(), seconds(cost.seconds)],
            vec!["processor time".to_owned(), seconds(cost.usage.cpu_seconds)],
            vec!["peak memory".to_owned(), bytes(cost.usage.peak_memory)],
            vec!["read, written".to_owned(), format!("{}, {}", bytes(cost.usage.bytes_read), bytes(cost.usage.bytes_written))],
        ]);
    }
    for product in report.outcome().into_iter().flat_map(|o| &o.products) {
        rows.push(vec![
            format!("hash of {}", esc(product.tag.as_str())),
            format!("<code>{}</code> ({})", esc(&product.hash), bytes(product.bytes)),
        ]);
    }
    table("What the task cost and what it is known by", &[("what", false), ("value", false)], &rows)
}
