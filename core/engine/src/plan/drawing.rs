//! Drawings of a plan: DOT for Graphviz, Mermaid for Markdown.

use std::collections::HashMap;

use super::graph::{Plan, PlannedTask};

fn nodes(plan: &Plan) -> HashMap<&str, String> {
    plan.tasks.iter().enumerate().map(|(n, t)| (t.task.id.as_str(), format!("t{n}"))).collect()
}

fn label(planned: &PlannedTask, line: &str) -> String {
    let task = &planned.task;
    let frames = task.main().count();
    let name = task.outputs.first().map(|o| o.name.rsplit('/').next().unwrap_or(&o.name).to_owned()).unwrap_or_default();
    let level = if task.level > 0 { format!("{line}level {}", task.level) } else { String::new() };
    format!("{}{line}{name}{line}{frames} frame{}{level}", task.recipe, if frames == 1 { "" } else { "s" })
}

/// The plan as a directed graph in DOT.
pub fn dot(plan: &Plan) -> String {
    let nodes = nodes(plan);
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n");
    for planned in &plan.tasks {
        let text = label(planned, "\\n").replace('"', "\\\"");
        out += &format!("  {} [label=\"{text}\"];\n", nodes[planned.task.id.as_str()]);
        for needed in planned.depends_on.iter().filter_map(|d| nodes.get(d.as_str())) {
            out += &format!("  {needed} -> {};\n", nodes[planned.task.id.as_str()]);
        }
    }
    for (n, blocked) in plan.blocked.iter().enumerate() {
        let why = blocked.why.replace('"', "\\\"");
        out += &format!(
            "  b{n} [label=\"{}\\n{} frames\\nblocked: {why}\", style=dashed, color=red];\n",
            blocked.recipe,
            blocked.frames.len()
        );
    }
    out + "}\n"
}

/// The plan as a Mermaid flowchart.
pub fn mermaid(plan: &Plan) -> String {
    let nodes = nodes(plan);
    let mut out = String::from("flowchart LR\n");
    for planned in &plan.tasks {
        let text = label(planned, "<br/>").replace('"', "#quot;");
        out += &format!("  {}[\"{text}\"]\n", nodes[planned.task.id.as_str()]);
        for needed in planned.depends_on.iter().filter_map(|d| nodes.get(d.as_str())) {
            out += &format!("  {needed} --> {}\n", nodes[planned.task.id.as_str()]);
        }
    }
    for (n, blocked) in plan.blocked.iter().enumerate() {
        let why = blocked.why.replace('"', "#quot;");
        out += &format!("  b{n}[\"{}<br/>blocked: {why}\"]:::blocked\n", blocked.recipe);
    }
    out + "  classDef blocked stroke:#c00,stroke-dasharray:4\n"
}
