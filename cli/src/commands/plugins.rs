//! `plugin ls`, `new`, `check`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ifured_core::module::INTERFACE_VERSION;
use ifured_core::{InstrumentDescription, LoadedInstrument};
use ifured_engine::conformance::{self, Check};
use ifured_engine::view::answer::PluginView;
use ifured_engine::{Error, answers, plugin};

use super::{named_instrument, print_json, say};
use crate::Context;
use crate::arguments::PluginCommand;

/// Does what is asked about plugins.
pub fn run(context: &Context, what: &PluginCommand) -> Result<u8, Error> {
    match what {
        PluginCommand::Ls => list(context),
        PluginCommand::New { name, directory, source } => new(context, name, directory.as_deref(), source.as_deref()),
        PluginCommand::Check { library, keep, here: true, .. } => check_here(context, library.as_deref(), keep.as_deref()),
        PluginCommand::Check { library, minutes, keep, .. } => check(context, library.as_deref(), *minutes, keep.as_deref()),
        PluginCommand::Describe { library } => describe(library),
    }
}

/// What a library says of itself, or why it cannot be loaded: one JSON value, whatever the library prints.
fn describe(library: &Path) -> Result<u8, Error> {
    let mut out = answers::take_stdout()?;
    let (answer, code) = match plugin::load(library) {
        Ok(instrument) => (serde_json::to_value(instrument.description()), 0),
        Err(e) => (Ok(serde_json::json!({"error": e.to_string(), "advice": e.advice()})), e.exit_code()),
    };
    let answer = answer.map_err(|e| Error::Inconsistent(e.to_string()))?;
    out.write_all(answer.to_string().as_bytes()).map_err(Error::io("cannot write to", "standard output"))?;
    Ok(code)
}

fn list(context: &Context) -> Result<u8, Error> {
    let all = || context.instruments.iter().map(|i| i.description());
    if context.json {
        let row = |d: &InstrumentDescription| PluginView { interface_version: INTERFACE_VERSION, description: d.clone() };
        let rows: Vec<PluginView> = all().map(row).collect();
        print_json(&rows)?;
        return Ok(0);
    }
    for d in all() {
        let rule: Vec<String> = d.recognise.iter().map(ToString::to_string).collect();
        say(&format!("{:<12} {:<8} {}", d.name, d.version, d.title));
        say(&format!(
            "             {} kinds of frames, {} recipes; takes frames with {}",
            d.frame_types.len(),
            d.recipes.len(),
            rule.join(" and ")
        ));
        match &d.library {
            Some(library) => {
                say(&format!("             {}", library.path.display()));
                say(&format!("             hash {}, interface version {INTERFACE_VERSION}", library.hash));
            }
            None => say(&format!("             built in, interface version {INTERFACE_VERSION}")),
        }
    }
    Ok(0)
}

fn new(context: &Context, name: &str, directory: Option<&Path>, source: Option<&Path>) -> Result<u8, Error> {
    let directory = directory.unwrap_or(Path::new(name));
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let files = plugin::create(name, directory, source.unwrap_or(built_from))?;
    if context.json {
        print_json(&files)?;
    } else if !context.quiet {
        for file in files {
            say(&format!("wrote {}", file.display()));
        }
        let library = format!("target/release/lib{}.so", name.replace('-', "_"));
        say(&format!("next: cd {} && cargo test && cargo build --release && ifured plugin check {library}", directory.display()));
    }
    Ok(0)
}

/// Checks in a process of its own, which may crash or never end.
fn check(context: &Context, library: Option<&Path>, minutes: f64, keep: Option<&Path>) -> Result<u8, Error> {
    if minutes.is_nan() || minutes <= 0.0 {
        return Err(Error::usage(format!("--minutes {minutes}: not a time"), "give a number above 0"));
    }
    let program = std::env::current_exe().map_err(Error::io("cannot find", Path::new("ifured")))?;
    let mut command = Command::new(program);
    command.args(context.json.then_some("--json")).args(context.quiet.then_some("--quiet"));
    match (library, &context.setup.instrument) {
        (Some(_), _) => {}
        (None, Some(name)) => {
            // It must be known here, so that a slip is said as everywhere.
            named_instrument(context)?;
            command.args(["--instrument", name]);
        }
        (None, None) => {
            return Err(Error::usage("no plugin is named", "give its library: ifured plugin check target/release/libmyspec.so"));
        }
    }
    for known in context.instruments.iter().filter_map(|i| i.description().library.as_ref()) {
        command.arg("--plugin").arg(&known.path);
    }
    command.args(["plugin", "check", "--here"]).args(library);
    if let Some(keep) = keep {
        command.arg("--keep").arg(keep);
    }
    let failed = |e| Error::io("cannot start", Path::new("ifured"))(e);
    let mut child = command.stdin(Stdio::null()).spawn().map_err(failed)?;
    let since = Instant::now();
    let limit = Duration::from_secs_f64(minutes.min(1e6) * 60.0);
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return match status.code() {
                Some(code) => Ok(u8::try_from(code).unwrap_or(1)),
                None => Err(ended(&format!("the check died ({status})"))),
            };
        }
        if since.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return Err(ended(&format!("the check took longer than {minutes} minutes and was ended")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ended(what: &str) -> Error {
    Error::Recipe(ifured_core::RecipeError::new(
        format!("{what}: the plugin crashed or hung in the step after the last line above"),
        "run `cargo test` in its crate, where a debugger or a print shows what it was doing",
    ))
}

fn check_here(context: &Context, library: Option<&Path>, keep: Option<&Path>) -> Result<u8, Error> {
    let loaded: LoadedInstrument = match library {
        Some(path) => plugin::load(path)?,
        None => named_instrument(context)?.clone(),
    };
    let temporary = tempfile::tempdir().map_err(Error::io("cannot create a directory in", &std::env::temp_dir()))?;
    let directory: PathBuf = keep.map_or_else(|| temporary.path().to_owned(), Path::to_owned);
    if keep.is_some_and(|k| k.read_dir().is_ok_and(|mut entries| entries.next().is_some())) {
        return Err(Error::usage(format!("{} is not empty", directory.display()), "name a directory that is not there yet"));
    }
    if !context.json && !context.quiet && loaded.description().library.is_some() {
        say(&format!("ok     {:<44} version {INTERFACE_VERSION}, layout the same", "interface"));
    }
    let checks = conformance::check(&loaded, &directory, &mut |check: &Check| {
        if !context.json && (!context.quiet || check.right == Some(false)) {
            say(&check.to_string());
        }
    });
    let wrong = checks.iter().filter(|c| c.right == Some(false)).count();
    if context.json {
        print_json(&checks)?;
    } else if !context.quiet {
        let remarks = checks.iter().filter(|c| c.right.is_none()).count();
        say(&format!("{} of {} checks pass, {remarks} remarks", checks.len() - wrong - remarks, checks.len() - remarks));
    }
    Ok(u8::from(wrong > 0))
}
