//! Reduces a folder of nights with the small engine of the tests: `reduce_nights RAW OUT`. Prints quality numbers and times.

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::Path;
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, raw, out] = arguments.as_slice() else {
        eprintln!("usage: reduce_nights RAW OUT");
        std::process::exit(2);
    };
    let start = Instant::now();
    let mut engine = common::MiniEngine::new(Path::new(raw), Path::new(out));
    println!("scan {:.2} s, {} frames", start.elapsed().as_secs_f64(), engine.frames.len());
    for recipe in common::DEFAULT_RECIPES {
        let start = Instant::now();
        let before = engine.done.len();
        engine.run(recipe);
        let tasks = engine.done.len() - before;
        println!("== {recipe}: {tasks} tasks, {:.3} s each", start.elapsed().as_secs_f64() / tasks.max(1) as f64);
        for done in &engine.done[before..] {
            match &done.result {
                Ok(outcome) => {
                    let numbers: Vec<String> = outcome
                        .quality
                        .iter()
                        .map(|q| {
                            format!(
                                "{} {:.4}{}",
                                q.name,
                                q.value.unwrap_or(f64::NAN),
                                q.error.map_or(String::new(), |e| format!("+-{e:.4}"))
                            )
                        })
                        .collect();
                    println!("  {} L{} {:?}: {}", done.task.outputs[0].name, done.task.level, outcome.grade(), numbers.join(", "));
                    outcome.rejected.iter().for_each(|r| println!("     rejected {}: {}", r.name, r.why));
                    outcome.notes.iter().for_each(|n| println!("     note {n}"));
                }
                Err(error) => println!("  FAILED {}: {error}", done.task.outputs[0].name),
            }
        }
    }
}
