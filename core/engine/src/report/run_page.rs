//! The page of a run.

use std::collections::HashMap;

use ifured_core::TaskId;

use super::html::{bytes, count, details, esc, grade, level, list, mark, number, page as html_page, path, seconds, section, table, value};
use super::{State, TaskReport, drawing};
use crate::view::Snapshot;
use crate::view::frames::{CensusRow, RefusedFrame};
use crate::view::run::{NoteSource, RecipeCost, Remark, RunView};

/// Notes and previews that are shown at most.
const MOST: usize = 60;

pub(super) fn page(snapshot: &Snapshot, view: &RunView, tasks: &[TaskReport<'_>], thumbnails: &HashMap<TaskId, String>) -> String {
    let mut body = header(snapshot, view);
    body += &section("failures", "What failed", &failures(tasks));
    body += &section("blocked", "What could not be done", &blocked(view));
    body += &section("refused", "Frames that were refused", &refused(&view.refused));
    body += &section("tasks", "Tasks", &task_table(tasks));
    body += &section("masters", "Calibrations", &masters(tasks, thumbnails));
    body += &section("census", "Frames", &frames(&view.census));
    body += &section("skipped", "Groups left out", &skipped(view));
    body += &section("notes", "Notes", &notes(view, tasks));
    body += &section("plan", "Plan", &drawing::plan(view, tasks));
    body += &section("cost", "Cost", &cost(view));
    body += &section("configuration", "Configuration", &configuration(&snapshot.config_text));
    let title = format!(
        "{} · {}",
        snapshot.instrument.name,
        snapshot.output.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    );
    html_page(&format!("<!-- run {} -->", view.run.as_ref().map_or(0, |run| run.number)), &title, &body)
}

fn header(snapshot: &Snapshot, view: &RunView) -> String {
    let counts = &view.counts;
    let mut facts: Vec<(String, String, &str)> = vec![
        (counts.frames.to_string(), if counts.frames == 1 { "frame" } else { "frames" }.into(), "#census"),
        (counts.nights.to_string(), if counts.nights == 1 { "night" } else { "nights" }.into(), "#census"),
        (counts.done.to_string(), "tasks done".into(), "#tasks"),
    ];
    let mut add = |n: usize, class: &str, symbol: &str, word: &str, link: &'static str| {
        if n > 0 {
            facts.push((n.to_string(), mark(class, symbol, word), link));
        }
    };
    add(counts.failed, "bad", "✖", "failed", "#failures");
    add(counts.blocked, "bad", "✖", "blocked", "#blocked");
    add(counts.refused, "questionable", "▲", "frames refused", "#refused");
    add(counts.bad, "bad", "✖", "bad", "#tasks");
    add(counts.questionable, "questionable", "▲", "questionable", "#tasks");
    add(counts.not_run, "waiting", "○", "not run", "#tasks");
    add(counts.left_out, "waiting", "○", "groups left out", "#skipped");
    let facts: String = facts.iter().map(|(n, word, link)| format!("<li><a href=\"{link}\"><b>{n}</b> {word}</a></li>")).collect();
    let what = view.run.as_ref().map_or_else(
        || "<p class=\"lead\">A dry run: nothing was written but this page.</p>".to_owned(),
        |run| {
            let command =
                if run.command.is_empty() { String::new() } else { format!("<pre class=\"command\">{}</pre>", esc(&run.command)) };
            format!(
                "<p class=\"lead\">Run {}, started {} UTC, {}: {} run now, {} done before</p>\n{command}",
                run.number,
                esc(&run.started),
                seconds(view.seconds),
                count(counts.ran, "task"),
                counts.reused
            )
        },
    );
    let instrument = &snapshot.instrument;
    format!(
        "<header>\n<h1>{} <span class=\"dir\">{}</span></h1>\n{what}\n<ul class=\"facts\">{facts}</ul>\n</header>\n",
        esc(if instrument.title.is_empty() { &instrument.name } else { &instrument.title }),
        esc(&view.output),
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

fn groups<'a>(caption: &str, all: impl Iterator<Item = (&'a String, &'a String, &'a Vec<String>, &'a String)>) -> String {
    let rows: Vec<Vec<String>> = all
        .map(|(recipe, night, frames, why)| vec![members(frames), esc(recipe), esc(night), frames.len().to_string(), esc(why)])
        .collect();
    table(caption, &[("group", false), ("recipe", false), ("night", false), ("frames", true), ("why", false)], &rows)
}

fn blocked(view: &RunView) -> String {
    let all = view.blocked_groups.iter().map(|b| (&b.recipe, &b.night, &b.frames, &b.why));
    groups("Groups for which something required is missing", all)
}

fn skipped(view: &RunView) -> String {
    groups("Groups that are left out on purpose", view.left_out_groups.iter().map(|s| (&s.recipe, &s.night, &s.frames, &s.why)))
}

fn refused(frames: &[RefusedFrame]) -> String {
    let rows: Vec<Vec<String>> = frames.iter().map(|f| vec![path(&f.frame), esc(f.tag.as_str()), esc(&f.why)]).collect();
    table("Frames that cannot be read or judged", &[("frame", false), ("tag", false), ("why", false)], &rows)
}

fn frames(census: &[CensusRow]) -> String {
    let rows: Vec<Vec<String>> =
        census.iter().map(|row| vec![esc(row.tag.as_str()), esc(row.state.as_str()), row.frames.to_string()]).collect();
    table("Frames by tag and state", &[("tag", false), ("state", false), ("frames", true)], &rows)
}

fn remark(remark: &Remark) -> String {
    match remark {
        Remark::Quality { number: q } => format!("{} {} {} ({})", esc(&q.name), value(q), esc(&q.unit), esc(&q.limits)),
        Remark::Missing { role } => esc(&format!("no {role}")),
        Remark::Rejected { frames } => format!("{} rejected", count(*frames, "frame")),
        Remark::Notes { notes } => count(*notes, "note"),
    }
}

fn task_table(tasks: &[TaskReport<'_>]) -> String {
    let row = |t: &TaskReport<'_>| {
        let task = &t.planned.task;
        let (verdict, remarks) = match &t.state {
            State::Failed(error) => (mark("bad", "✖", "failed"), esc(&error.what)),
            State::Waiting(why) => (mark("waiting", "○", "not run"), esc(why)),
            State::Done(outcome) => (grade(outcome.grade()), t.view.remarks.iter().map(remark).collect::<Vec<_>>().join("; ")),
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
                let worse = if q.grade == ifured_core::Grade::Good { String::new() } else { format!(" {}", grade(q.grade)) };
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
fn notes(view: &RunView, tasks: &[TaskReport<'_>]) -> String {
    let by_id: HashMap<&TaskId, &TaskReport<'_>> = tasks.iter().map(|t| (t.id(), t)).collect();
    let place = |source: &NoteSource| match source {
        NoteSource::Task(id) => by_id.get(id).map_or_else(String::new, |task| task_link(task)),
        NoteSource::Frame(name) => path(name),
    };
    let mut items: Vec<String> = view
        .notes
        .iter()
        .take(MOST)
        .map(|note| {
            let others = if note.count > 1 { format!(" and {} more", note.count - 1) } else { String::new() };
            format!("{} <span class=\"dir\">– {}{others}</span>", esc(&note.text), place(&note.first))
        })
        .collect();
    let more = view.notes.len().saturating_sub(MOST);
    if more > 0 {
        items.push(format!("and {more} other notes; the pages of the tasks and <code>ifured ls --columns NOTES</code> have them all"));
    }
    list(&items)
}

fn cost(view: &RunView) -> String {
    let row = |c: &RecipeCost| {
        vec![
            c.recipe.as_ref().map_or_else(|| "<b>all</b>".to_owned(), |recipe| esc(recipe)),
            c.tasks.to_string(),
            seconds(c.cpu_seconds),
            seconds(c.cpu_seconds / c.tasks as f64),
            seconds(c.longest),
            bytes(c.peak_memory),
            bytes(c.bytes_read),
            bytes(c.bytes_written),
        ]
    };
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
    let rows: Vec<Vec<String>> = view.costs.iter().map(row).collect();
    table("Last attempt at each task, by recipe", &columns, &rows) + &at_once(view)
}

/// How many tasks ran at once, where all of them were run now.
fn at_once(view: &RunView) -> String {
    let all_now = view.counts.ran > 0 && view.counts.ran == view.all_tasks().count();
    match view.costs.last() {
        Some(all) if all_now && view.seconds > 0.0 => {
            format!("<p>On average {} tasks at once.</p>\n", number(all.seconds / view.seconds))
        }
        _ => String::new(),
    }
}

fn configuration(text: &str) -> String {
    let pretty = serde_json::from_str::<serde_json::Value>(text).ok().and_then(|v| serde_json::to_string_pretty(&v).ok());
    let text = pretty.unwrap_or_else(|| text.to_owned());
    if text == "{}" {
        "<p>Nothing was changed from the defaults.</p>\n".into()
    } else {
        details("What was changed from the defaults", &format!("<pre>{}</pre>\n", esc(&text)))
    }
}
