//! Drawings of a plan: DOT for Graphviz, Mermaid for Markdown.

use super::graph::{Blocked, Plan, PlannedTask};

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

/// What is blocked, in words; what is blocked for the same reason in several extensions is said once.
pub fn blocked_lines(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<(&Blocked, Vec<&str>)> = Vec::new();
    for blocked in &plan.blocked {
        // The names of products have the extension in them.
        let reason = |b: &Blocked| b.why().replace(b.extension.as_deref().filter(|e| !e.is_empty()).unwrap_or("\0"), "*");
        let same = |b: &Blocked| b.recipe == blocked.recipe && b.frames == blocked.frames && reason(b) == reason(blocked);
        let extension = blocked.extension.as_deref().unwrap_or_default();
        match lines.iter_mut().find(|(b, _)| same(b)) {
            Some((_, extensions)) => extensions.push(extension),
            None => lines.push((blocked, vec![extension])),
        }
    }
    let line = |(b, extensions): &(&Blocked, Vec<&str>)| {
        let of = match extensions.as_slice() {
            [""] => String::new(),
            [one] => format!(" [{one}]"),
            many => format!(" [{} to {}]", many[0], many[many.len() - 1]),
        };
        let more = if b.frames.len() > 1 { format!(" and {} more", b.frames.len() - 1) } else { String::new() };
        format!("blocked: {}{of} of {}{more}: {}", b.recipe, b.frames[0], b.why())
    };
    lines.iter().map(line).collect()
}
