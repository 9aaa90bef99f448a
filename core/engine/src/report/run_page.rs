//! The page of a run.

use std::collections::{BTreeMap, HashMap};

use ifured_core::{Grade, TaskId};

use super::html::{bytes, count, details, esc, grade, level, list, mark, number, page as html_page, path, seconds, section, table, value};
use super::{State, TaskReport, drawing};
use crate::classify::census;
use crate::error::Result;
use crate::reduce::RunSummary;
use crate::session::Session;

/// Notes and previews that are shown at most.
const MOST: usize = 60;

pub(super) fn page(
    session: &Session,
    summary: &RunSummary,
    tasks: &[TaskReport<'_>],
    thumbnails: &HashMap<TaskId, String>,
) -> Result<String> {
    let last = session.catalogue.last_run()?.filter(|run| run.number == summary.run);
    let mut body = header(session, summary, tasks, last.as_ref().map(|run| (run.number, run.started.as_str(), run.command.as_str())));
    body += &section("failures", "What failed", &failures(tasks));
    body += &section("blocked", "What could not be done", &blocked(summary));
    body += &section("refused", "Frames that were refused", &refused(session));
    body += &section("tasks", "Tasks", &task_table(tasks));
    body += &section("masters", "Calibrations", &masters(tasks, thumbnails));
    body += &section("census", "Frames", &frames(session));
    body += &section("skipped", "Groups left out", &skipped(summary));
    body += &section("notes", "Notes", &notes(session, tasks));
    body += &section("plan", "Plan", &drawing::plan(summary, tasks));
    body += &section("cost", "Cost", &cost(summary, tasks));
    body += &section("configuration", "Configuration", &configuration(session));
    let title = format!(
        "{} · {}",
        session.instrument.name,
        session.output.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    );
    Ok(html_page(&format!("<!-- run {} -->", summary.run), &title, &body))
}

fn header(session: &Session, summary: &RunSummary, tasks: &[TaskReport<'_>], run: Option<(i64, &str, &str)>) -> String {
    let nights: std::collections::BTreeSet<&str> = session.frames.iter().map(|f| f.night.as_str()).collect();
    let number_of = |pick: &dyn Fn(&TaskReport<'_>) -> bool| tasks.iter().filter(|t| pick(t)).count();
    let failed = number_of(&|t| matches!(t.state, State::Failed(_)));
    let waiting = number_of(&|t| matches!(t.state, State::Waiting(_)));
    let graded = |g: Grade| number_of(&|t| t.outcome().is_some_and(|o| o.grade() == g));
    let (questionable, bad) = (graded(Grade::Questionable), graded(Grade::Bad));
    let refused = session.refused().count();
    let mut facts: Vec<(String, String, &str)> = vec![
        (session.frames.len().to_string(), if session.frames.len() == 1 { "frame" } else { "frames" }.into(), "#census"),
        (nights.len().to_string(), if nights.len() == 1 { "night" } else { "nights" }.into(), "#census"),
        (number_of(&|t| t.outcome().is_some()).to_string(), "tasks done".into(), "#tasks"),
    ];
    let mut add = |n: usize, class: &str, symbol: &str, word: &str, link: &'static str| {
        if n > 0 {
            facts.push((n.to_string(), mark(class, symbol, word), link));
        }
    };
    add(failed, "bad", "✖", "failed", "#failures");
    add(summary.plan.blocked.len(), "bad", "✖", "blocked", "#blocked");
    add(refused, "questionable", "▲", "frames refused", "#refused");
    add(bad, "bad", "✖", "bad", "#tasks");
    add(questionable, "questionable", "▲", "questionable", "#tasks");
    add(waiting, "waiting", "○", "not run", "#tasks");
    add(summary.plan.skipped.len(), "waiting", "○", "groups left out", "#skipped");
    let facts: String = facts.iter().map(|(n, word, link)| format!("<li><a href=\"{link}\"><b>{n}</b> {word}</a></li>")).collect();
    let what = run.map_or_else(
        || "<p class=\"lead\">A dry run: nothing was written but this page.</p>".to_owned(),
        |(number, started, command)| {
            let command = if command.is_empty() { String::new() } else { format!("<pre class=\"command\">{}</pre>", esc(command)) };
            format!(
                "<p class=\"lead\">Run {number}, started {} UTC, {}: {} run now, {} done before</p>\n{command}",
                esc(started),
                seconds(summary.seconds),
                count(summary.ran, "task"),
                summary.reused
            )
        },
    );
    format!(
        "<header>\n<h1>{} <span class=\"dir\">{}</span></h1>\n{what}\n<ul class=\"facts\">{facts}</ul>\n</header>\n",
        esc(if session.instrument.title.is_empty() { &session.instrument.name } else { &session.instrument.title }),
        esc(&session.output.display().to_string()),
    )
}

fn task_link(task: &TaskReport<'_>) -> String {
    format!("<a href=\"{}\">{}</a>", esc(&task.page()), path(task.name()))
}

fn failures(tasks: &[TaskReport<'_>]) -> String {
    let failed = tasks.iter().filter_map(|t| match &t.state {
        State::Failed(error) => Some((t, error)),
        _ => None,
    });
    failed
        .map(|(t, error)| {
            let advice =
                if error.advice.is_empty() { String::new() } else { format!("<p><b>What to do:</b> {}</p>\n", esc(&error.advice)) };
            format!(
                "<article class=\"box failed\">\n<h3>{} {}</h3>\n<p>{} in night {}: {}</p>\n{advice}</article>\n",
                mark("bad", "✖", "failed"),
                task_link(t),
                esc(&t.planned.task.recipe),
                esc(&t.planned.task.night),
                esc(&error.what)
            )
        })
        .collect()
}

fn members(frames: &[String]) -> String {
    match frames {
        [] => String::new(),
        [one] => path(one),
        [first, rest @ ..] => format!("{}<span class=\"dir\"> and {} more</span>", path(first), rest.len()),
    }
}

fn groups<'a>(caption: &str, all: impl Iterator<Item = (&'a String, &'a String, &'a Vec<String>, String)>) -> String {
    let mut rows: Vec<Vec<String>> = all
        .map(|(recipe, night, frames, why)| vec![members(frames), esc(recipe), esc(night), frames.len().to_string(), esc(&why)])
        .collect();
    // Said once for all extensions of the same frames.
    rows.dedup();
    table(caption, &[("group", false), ("recipe", false), ("night", false), ("frames", true), ("why", false)], &rows)
}

fn blocked(summary: &RunSummary) -> String {
    let all = summary.plan.blocked.iter().map(|b| (&b.recipe, &b.night, &b.frames, b.why()));
    groups("Groups for which something required is missing", all)
}

fn skipped(summary: &RunSummary) -> String {
    groups(
        "Groups that are left out on purpose",
        summary.plan.skipped.iter().map(|s| (&s.recipe, &s.night, &s.frames, s.reason.to_string())),
    )
}

fn refused(session: &Session) -> String {
    let rows: Vec<Vec<String>> = session.refused().map(|f| vec![path(&f.name), esc(f.tag.as_str()), esc(&f.why)]).collect();
    table("Frames that cannot be read or judged", &[("frame", false), ("tag", false), ("why", false)], &rows)
}

fn frames(session: &Session) -> String {
    let rows: Vec<Vec<String>> = census(&session.frames, &session.instrument)
        .iter()
        .map(|(tag, state, n)| vec![esc(tag.as_str()), esc(state.as_str()), n.to_string()])
        .collect();
    table("Frames by tag and state", &[("tag", false), ("state", false), ("frames", true)], &rows)
}

fn task_table(tasks: &[TaskReport<'_>]) -> String {
    let row = |t: &TaskReport<'_>| {
        let task = &t.planned.task;
        let (verdict, remarks) = match &t.state {
            State::Failed(error) => (mark("bad", "✖", "failed"), esc(&error.what)),
            State::Waiting(why) => (mark("waiting", "○", "not run"), esc(why)),
            State::Done(outcome) => {
                let outside = outcome.quality.iter().filter(|q| q.grade != Grade::Good);
                let mut remarks: Vec<String> =
                    outside.map(|q| format!("{} {} {} ({})", esc(&q.name), value(q), esc(&q.unit), esc(&q.limits))).collect();
                remarks.extend(task.missing.iter().map(|m| esc(&format!("no {}", m.role))));
                if !outcome.rejected.is_empty() {
                    remarks.push(format!("{} rejected", count(outcome.rejected.len(), "frame")));
                }
                if !outcome.notes.is_empty() {
                    remarks.push(count(outcome.notes.len(), "note"));
                }
                (grade(outcome.grade()), remarks.join("; "))
            }
        };
        vec![task_link(t), esc(&task.recipe), esc(&task.night), task.main().count().to_string(), level(task.level), verdict, remarks]
    };
    let columns =
        [("product", false), ("recipe", false), ("night", false), ("frames", true), ("level", true), ("grade", false), ("remarks", false)];
    table("Tasks in the order of the plan", &columns, &tasks.iter().map(row).collect::<Vec<_>>())
}

fn masters(tasks: &[TaskReport<'_>], thumbnails: &HashMap<TaskId, String>) -> String {
    let mut cards = String::new();
    let mut shown = 0;
    for (task, image) in tasks.iter().filter_map(|t| Some((t, thumbnails.get(t.id())?))) {
        let Some(outcome) = task.outcome() else { continue };
        shown += 1;
        if shown > MOST {
            continue;
        }
        let judged = outcome.quality.iter().filter(|q| !q.limits.is_empty());
        let plain = outcome.quality.iter().filter(|q| q.limits.is_empty());
        let quality: String = judged
            .chain(plain)
            .take(5)
            .map(|q| {
                let limits = if q.limits.is_empty() { String::new() } else { format!(" <span class=\"dir\">({})</span>", esc(&q.limits)) };
                let worse = if q.grade == Grade::Good { String::new() } else { format!(" {}", grade(q.grade)) };
                format!("<dt>{}</dt><dd>{} {}{limits}{worse}</dd>", esc(&q.name), value(q), esc(&q.unit))
            })
            .collect();
        let name = task.name().rsplit('/').next().unwrap_or(task.name());
        cards += &format!(
            "<figure class=\"card\"><a href=\"{}\"><img src=\"{image}\" alt=\"preview of {}\" loading=\"lazy\"></a>\n\
             <figcaption><a href=\"{0}\">{}</a><br>{} · {} · {}<dl>{quality}</dl></figcaption></figure>\n",
            esc(&task.page()),
            esc(name),
            path(name),
            esc(&task.planned.task.recipe),
            esc(&task.planned.task.night),
            grade(outcome.grade()),
        );
    }
    if cards.is_empty() {
        return cards;
    }
    let more = if shown > MOST { format!("<p>{} more are in the table of tasks.</p>\n", shown - MOST) } else { String::new() };
    format!("<div class=\"figures\">\n{cards}</div>\n{more}")
}

/// Notes of tasks and frames; equal ones are told once.
fn notes(session: &Session, tasks: &[TaskReport<'_>]) -> String {
    let mut all: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for task in tasks {
        for note in task.outcome().into_iter().flat_map(|o| &o.notes) {
            all.entry(note).or_insert_with(|| (0, task_link(task))).0 += 1;
        }
    }
    for frame in session.frames.iter() {
        for note in &frame.notes {
            all.entry(note).or_insert_with(|| (0, path(&frame.name))).0 += 1;
        }
    }
    let more = all.len().saturating_sub(MOST);
    let mut items: Vec<String> = all
        .iter()
        .take(MOST)
        .map(|(note, (n, first))| {
            let others = if *n > 1 { format!(" and {} more", n - 1) } else { String::new() };
            format!("{} <span class=\"dir\">– {first}{others}</span>", esc(note))
        })
        .collect();
    if more > 0 {
        items.push(format!("and {more} other notes; the pages of the tasks and <code>ifured ls --columns NOTES</code> have them all"));
    }
    list(&items)
}

fn cost(summary: &RunSummary, tasks: &[TaskReport<'_>]) -> String {
    #[derive(Default)]
    struct Sum {
        tasks: usize,
        cpu: f64,
        wall: f64,
        longest: f64,
        memory: u64,
        read: u64,
        written: u64,
    }
    let mut recipes: BTreeMap<&str, Sum> = BTreeMap::new();
    for (recipe, a) in tasks.iter().filter_map(|t| Some((t.planned.task.recipe.as_str(), &t.attempt?.attempt.cost))) {
        for name in [recipe, "\u{10ffff}"] {
            let sum = recipes.entry(name).or_default();
            sum.tasks += 1;
            sum.cpu += a.usage.cpu_seconds;
            sum.wall += a.seconds;
            sum.longest = sum.longest.max(a.seconds);
            sum.memory = sum.memory.max(a.usage.peak_memory);
            sum.read += a.usage.bytes_read;
            sum.written += a.usage.bytes_written;
        }
    }
    let rows: Vec<Vec<String>> = recipes
        .iter()
        .map(|(recipe, s)| {
            let name = if *recipe == "\u{10ffff}" { "<b>all</b>".to_owned() } else { esc(recipe) };
            vec![
                name,
                s.tasks.to_string(),
                seconds(s.cpu),
                seconds(s.cpu / s.tasks as f64),
                seconds(s.longest),
                bytes(s.memory),
                bytes(s.read),
                bytes(s.written),
            ]
        })
        .collect();
    let columns = [
        ("recipe", false),
        ("tasks", true),
        ("processor time", true),
        ("per task", true),
        ("longest", true),
        ("peak memory", true),
        ("read", true),
        ("written", true),
    ];
    let wall: f64 = recipes.get("\u{10ffff}").map_or(0.0, |s| s.wall);
    let parallel = if summary.ran > 0 && summary.seconds > 0.0 && summary.ran == tasks.len() {
        format!("<p>On average {} tasks at once.</p>\n", number(wall / summary.seconds))
    } else {
        String::new()
    };
    table("Last attempt at each task, by recipe", &columns, &rows) + &parallel
}

fn configuration(session: &Session) -> String {
    let text = serde_json::from_str::<serde_json::Value>(&session.config_text)
        .ok()
        .and_then(|v| serde_json::to_string_pretty(&v).ok())
        .unwrap_or_else(|| session.config_text.clone());
    if text == "{}" {
        "<p>Nothing was changed from the defaults.</p>\n".into()
    } else {
        details("What was changed from the defaults", &format!("<pre>{}</pre>\n", esc(&text)))
    }
}
