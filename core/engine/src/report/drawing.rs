//! The plan as a drawing: tasks in layers from left to right, makers before users.
//!
//! Tasks of one recipe, one state and the same makers are drawn as one; if that is still too much, those of one recipe and
//! night, then those of one recipe. Inside a layer nodes are ordered by the mean place of their makers (barycentre method of
//! Sugiyama, Tagawa & Toda 1981, IEEE Trans. SMC 11, 109).

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use ifured_core::{Grade, TaskId};

use super::html::{count, esc};
use super::{State, TaskReport};
use crate::plot::svg::n;
use crate::view::run::RunView;

/// Nodes that can be looked at.
const MOST: usize = 60;
const WIDTH: f64 = 196.0;
const HEIGHT: f64 = 36.0;
const GAP_X: f64 = 64.0;
const GAP_Y: f64 = 10.0;

struct Node<'a> {
    tasks: Vec<&'a TaskReport<'a>>,
    recipe: &'a str,
    second_line: String,
    class: &'static str,
    makers: Vec<usize>,
    layer: usize,
    y: f64,
}

fn class(task: &TaskReport<'_>) -> &'static str {
    match &task.state {
        State::Failed(_) => "failed",
        State::Waiting(_) => "waiting",
        State::Done(outcome) if outcome.grade() == Grade::Bad => "failed",
        State::Done(outcome) if outcome.grade() == Grade::Questionable => "questionable",
        State::Done(_) => "done",
    }
}

/// The drawing as inline SVG; empty without tasks.
pub(super) fn plan(view: &RunView, tasks: &[TaskReport<'_>]) -> String {
    if tasks.is_empty() {
        return String::new();
    }
    let mut nodes = nodes(tasks);
    blocked(view, &mut nodes);
    place(&mut nodes);
    draw(&nodes)
}

fn nodes<'a>(tasks: &'a [TaskReport<'a>]) -> Vec<Node<'a>> {
    let by_makers = |t: &TaskReport<'_>| format!("{} {} {:?}", t.planned.task.recipe, class(t), t.needs);
    let by_night = |t: &TaskReport<'_>| format!("{} {} {}", t.planned.task.recipe, class(t), t.planned.task.night);
    let by_recipe = |t: &TaskReport<'_>| format!("{} {}", t.planned.task.recipe, class(t));
    let ways: [&dyn Fn(&TaskReport<'_>) -> String; 4] = [&|t| t.id().to_string(), &by_makers, &by_night, &by_recipe];
    let mut nodes: Vec<Node<'a>> = Vec::new();
    for way in ways {
        nodes.clear();
        let mut place: HashMap<String, usize> = HashMap::new();
        let mut home: HashMap<&TaskId, usize> = HashMap::new();
        for task in tasks {
            let at = *place.entry(way(task)).or_insert(nodes.len());
            if at == nodes.len() {
                let (makers, layer, y) = (Vec::new(), 0, 0.0);
                nodes.push(Node {
                    tasks: Vec::new(),
                    recipe: &task.planned.task.recipe,
                    second_line: String::new(),
                    class: class(task),
                    makers,
                    layer,
                    y,
                });
            }
            home.insert(task.id(), at);
            let makers: Vec<usize> = task.needs.iter().filter_map(|d| home.get(d).copied()).filter(|m| *m != at).collect();
            nodes[at].tasks.push(task);
            nodes[at].makers.extend(makers);
        }
        for node in &mut nodes {
            node.makers.sort_unstable();
            node.makers.dedup();
            node.second_line = second_line(&node.tasks);
        }
        if nodes.len() <= MOST {
            break;
        }
    }
    nodes
}

fn second_line(tasks: &[&TaskReport<'_>]) -> String {
    match tasks {
        [one] => one.name().rsplit('/').next().unwrap_or(one.name()).to_owned(),
        many => {
            let nights: std::collections::BTreeSet<&str> = many.iter().map(|t| t.planned.task.night.as_str()).collect();
            let frames: usize = many.iter().map(|t| t.planned.task.main().count()).sum();
            format!("{}, {}, {}", count(many.len(), "task"), count(frames, "frame"), count(nights.len(), "night"))
        }
    }
}

fn blocked<'a>(view: &'a RunView, nodes: &mut Vec<Node<'a>>) {
    let mut recipes: BTreeMap<&str, usize> = BTreeMap::new();
    view.blocked.iter().for_each(|b| *recipes.entry(&b.recipe).or_default() += 1);
    for (recipe, groups) in recipes {
        let second_line = format!("{} blocked", count(groups, "group"));
        nodes.push(Node { tasks: Vec::new(), recipe, second_line, class: "blocked", makers: Vec::new(), layer: 0, y: 0.0 });
    }
}

fn place(nodes: &mut [Node<'_>]) {
    // Makers come first in the list, except where merging made them meet; a few rounds settle that.
    for _ in 0..20 {
        let layers: Vec<usize> =
            nodes.iter().map(|node| node.makers.iter().map(|m| nodes[*m].layer + 1).max().unwrap_or(0).min(30)).collect();
        let settled = nodes.iter().zip(&layers).all(|(node, l)| node.layer == *l);
        nodes.iter_mut().zip(&layers).for_each(|(node, l)| node.layer = *l);
        if settled {
            break;
        }
    }
    let last = nodes.iter().filter(|node| !node.tasks.is_empty()).map(|node| node.layer).max().unwrap_or(0);
    for at in 0..nodes.len() {
        if nodes[at].tasks.is_empty() {
            let same = nodes.iter().filter(|o| !o.tasks.is_empty() && o.recipe == nodes[at].recipe).map(|o| o.layer).max();
            nodes[at].layer = same.unwrap_or(last);
        }
    }
    let mut layers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    nodes.iter().enumerate().for_each(|(at, node)| layers.entry(node.layer).or_default().push(at));
    let tallest = layers.values().map(Vec::len).max().unwrap_or(1) as f64 * (HEIGHT + GAP_Y);
    for order in layers.values_mut() {
        let centre = |at: &usize| {
            let makers = &nodes[*at].makers;
            if makers.is_empty() { f64::INFINITY } else { makers.iter().map(|m| nodes[*m].y).sum::<f64>() / makers.len() as f64 }
        };
        order.sort_by(|a, b| centre(a).total_cmp(&centre(b)).then(a.cmp(b)));
        let top = (tallest - order.len() as f64 * (HEIGHT + GAP_Y)) / 2.0;
        for (row, at) in order.iter().enumerate() {
            nodes[*at].y = top + row as f64 * (HEIGHT + GAP_Y) + 4.0;
        }
    }
}

/// A text cut in the middle so that it fits a box.
fn fitted(text: &str, most: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= most {
        return text.to_owned();
    }
    let (head, tail) = (most / 2 - 1, most - most / 2);
    format!("{}…{}", chars[..head].iter().collect::<String>(), chars[chars.len() - tail..].iter().collect::<String>())
}

fn draw(nodes: &[Node<'_>]) -> String {
    let x = |node: &Node<'_>| node.layer as f64 * (WIDTH + GAP_X) + 4.0;
    let width = nodes.iter().map(|node| x(node) + WIDTH).fold(0.0, f64::max) + 4.0;
    let height = nodes.iter().map(|node| node.y + HEIGHT).fold(0.0, f64::max) + 4.0;
    let mut body = String::new();
    for node in nodes {
        for maker in &node.makers {
            let (x1, y1) = (x(&nodes[*maker]) + WIDTH, nodes[*maker].y + HEIGHT / 2.0);
            let (x2, y2) = (x(node), node.y + HEIGHT / 2.0);
            let bend = (x2 - x1).abs().max(20.0) / 2.0;
            let _ = writeln!(
                body,
                r#"<path class="edge" d="M{} {}C{} {} {} {} {} {}"/>"#,
                n(x1),
                n(y1),
                n(x1 + bend),
                n(y1),
                n(x2 - bend),
                n(y2),
                n(x2),
                n(y2)
            );
        }
    }
    for node in nodes {
        let (left, top) = (x(node), node.y);
        let symbol = match node.class {
            "failed" | "blocked" => "✖ ",
            "questionable" => "▲ ",
            "waiting" => "○ ",
            _ => "",
        };
        let mut shape =
            format!(r#"<rect class="node {}" x="{}" y="{}" width="{WIDTH}" height="{HEIGHT}" rx="3"/>"#, node.class, n(left), n(top));
        let _ = write!(
            shape,
            r#"<text x="{}" y="{}" class="recipe">{symbol}{}</text>"#,
            n(left + 9.0),
            n(top + 15.0),
            esc(&fitted(node.recipe, 30))
        );
        let _ = write!(
            shape,
            r#"<text x="{}" y="{}" class="name">{}</text>"#,
            n(left + 9.0),
            n(top + 28.5),
            esc(&fitted(&node.second_line, 33))
        );
        let _ = match node.tasks[..] {
            [one] => writeln!(body, r#"<a href="{}"><title>{}</title>{shape}</a>"#, esc(&one.page()), esc(one.name())),
            _ => writeln!(body, "<g>{shape}</g>"),
        };
    }
    let tasks: usize = nodes.iter().map(|node| node.tasks.len()).sum();
    format!(
        "<div class=\"scroll\"><svg class=\"plan\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" aria-label=\"Graph of {}\">\n{body}</svg></div>\n",
        count(tasks, "task"),
        w = n(width),
        h = n(height),
    )
}
