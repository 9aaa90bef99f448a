//! Reduces a folder of nights with the small engine of the tests: `reduce_nights RAW OUT [--keep-cosmic-rays]`. Prints quality numbers and times.
//! With `--keep-cosmic-rays` images are not searched for cosmic rays.

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::Path;
use std::time::Instant;

/// Processor time of all threads of this process, in seconds.
fn processor_time() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|t| {
        let text = std::fs::read_to_string(t.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() * 1e-9
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, raw, out, options @ ..] = arguments.as_slice() else {
        eprintln!("usage: reduce_nights RAW OUT [--keep-cosmic-rays]");
        std::process::exit(2);
    };
    let start = Instant::now();
    let mut engine = common::MiniEngine::new(Path::new(raw), Path::new(out));
    if options.iter().any(|o| o == "--keep-cosmic-rays") {
        engine.set("science-imaging", "cosmic_rays", false.into());
    }
    println!("scan {:.2} s, {} frames", start.elapsed().as_secs_f64(), engine.frames.len());
    for recipe in common::DEFAULT_RECIPES {
        let (start, processor) = (Instant::now(), processor_time());
        let before = engine.done.len();
        engine.run(recipe);
        let tasks = engine.done.len() - before;
        let each = |seconds: f64| seconds / tasks.max(1) as f64;
        let (clock, processor) = (each(start.elapsed().as_secs_f64()), each(processor_time() - processor));
        println!("== {recipe}: {tasks} tasks, {clock:.3} s each, {processor:.3} s of processor time");
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
