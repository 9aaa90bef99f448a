//! Drawings of a plan: DOT for Graphviz, Mermaid for Markdown.

use super::graph::{Plan, PlannedTask};

fn label(planned: &PlannedTask, line: &str) -> String {
    let task = &planned.task;
    let frames = task.main().count();
    let name = task.outputs.first().map(|o| o.name.rsplit('/').next().unwrap_or(&o.name).to_owned()).unwrap_or_default();
    let level = if task.level > 0 { format!("{line}level {}", task.level) } else { String::new() };
    format!("{}{line}{name}{line}{frames} frame{}{level}", task.recipe, if frames == 1 { "" } else { "s" })
}

/// The plan as a directed graph in DOT.
pub fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n");
    for (place, planned) in plan.tasks().enumerate() {
        let text = label(planned, "\\n").replace('"', "\\\"");
        out += &format!("  t{place} [label=\"{text}\"];\n");
        plan.needs(place).iter().for_each(|maker| out += &format!("  t{maker} -> t{place};\n"));
    }
    for (n, blocked) in plan.blocked.iter().enumerate() {
        let why = blocked.why().replace('"', "\\\"");
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
    let mut out = String::from("flowchart LR\n");
    for (place, planned) in plan.tasks().enumerate() {
        let text = label(planned, "<br/>").replace('"', "#quot;");
        out += &format!("  t{place}[\"{text}\"]\n");
        plan.needs(place).iter().for_each(|maker| out += &format!("  t{maker} --> t{place}\n"));
    }
    for (n, blocked) in plan.blocked.iter().enumerate() {
        let why = blocked.why().replace('"', "#quot;");
        out += &format!("  b{n}[\"{}<br/>blocked: {why}\"]:::blocked\n", blocked.recipe);
    }
    out + "  classDef blocked stroke:#c00,stroke-dasharray:4\n"
}
