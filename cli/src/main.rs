//! `ifured`: what was typed, and what is said about it. The work is in the engine and in the instruments.

mod arguments;
mod commands;
mod progress;

use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use ifured_core::LoadedInstrument;
use ifured_engine::session::Setup;
use ifured_engine::view::answer::ErrorView;
use ifured_engine::{Error, answers, config, plugin};

use commands::tell;

use arguments::{Arguments, Command, ConfigCommand, Global, PluginCommand};
use progress::{Loudness, Progress};

/// Everything a command needs: what was typed for all commands, the instruments, the voice.
pub struct Context {
    pub instruments: Vec<LoadedInstrument>,
    pub setup: Setup,
    pub progress: Progress,
    pub json: bool,
    pub quiet: bool,
}

fn main() -> std::process::ExitCode {
    let arguments = match Arguments::try_parse_from(arguments::gathered(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(e) => {
            let _ = e.print();
            let asked = matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return std::process::ExitCode::from(if asked { 0 } else { 2 });
        }
    };
    start_log(&arguments.global);
    let json = arguments.global.json;
    let code = match run(arguments) {
        Ok(code) => code,
        Err(e) => {
            complain(&e, json);
            e.exit_code()
        }
    };
    let code = match commands::unsaid() {
        Some(e) => {
            tell(&format!("error: cannot write to standard output: {e}"));
            code.max(1)
        }
        None => code,
    };
    std::process::ExitCode::from(code)
}

fn start_log(global: &Global) {
    let level = match global.verbose {
        0 => "warn",
        1 => "ifured=info,warn",
        2 => "ifured=debug,info",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("IFURED_LOG").unwrap_or_else(|_| level.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .without_time()
        .with_target(false)
        // It would be said on standard error, which is what failed.
        .log_internal_errors(false)
        .init();
}

/// An error as a person (or a machine) reads it: what and where, then what to do.
fn complain(error: &Error, json: bool) {
    let advice = error.advice();
    if json {
        commands::say(&serde_json::to_string(&ErrorView::from(error)).unwrap_or_default());
        return;
    }
    match error {
        Error::Configuration(problems) => problems.0.iter().for_each(|p| tell(&format!("error: {p}"))),
        other => tell(&format!("error: {other}")),
    }
    if !advice.is_empty() {
        tell(&format!("help: {advice}"));
    }
}

/// The instruments that are built in, and those of plugins. A worker loads what the run that started it says, and nothing else.
fn instruments(global: &Global, command: &Command) -> Result<Vec<LoadedInstrument>, Error> {
    let modules = [ifured_cafos::module(), ifured_kmos::module(), ifured_muse::module()];
    let mut all: Vec<LoadedInstrument> =
        modules.into_iter().map(|m| LoadedInstrument::new(m).map_err(Error::from)).collect::<Result<_, _>>()?;
    match command {
        Command::Plugin { what: PluginCommand::Describe { .. } } => return Ok(Vec::new()),
        Command::Exec { stdin: true, .. } => {
            for library in &global.plugins {
                all.push(plugin::load(library)?);
            }
            return Ok(all);
        }
        _ => {}
    }
    let probe = probe(global)?;
    let mut named = global.plugins.clone();
    let file = match command {
        Command::Config { what: ConfigCommand::Check { file } | ConfigCommand::Show { file, .. } } => file.as_deref(),
        _ => None,
    };
    named.extend(config::plugins(file.or(global.config.as_deref()), &global.output)?);
    let mut known = Vec::new();
    let mut is_new = |library: &Path| {
        let file = library.canonicalize().unwrap_or_else(|_| library.to_owned());
        let new = !known.contains(&file);
        known.push(file);
        new
    };
    for library in named {
        if is_new(&library) {
            all.push(plugin::deferred(&library, &probe)?);
        }
    }
    // What merely lies there must not be in the way of work with other instruments.
    for library in plugin::libraries()? {
        if is_new(&library) {
            match plugin::deferred(&library, &probe) {
                Ok(instrument) => all.push(instrument),
                Err(e) if !global.quiet => tell(&format!("note: not loaded: {e}\n      {}", e.advice())),
                Err(_) => {}
            }
        }
    }
    plugin::refuse_twins(&all)?;
    Ok(all)
}

/// This program, asked what a plugin says of itself.
fn probe(global: &Global) -> Result<plugin::Probe, Error> {
    let program = std::env::current_exe().map_err(Error::io("cannot find", Path::new("ifured")))?;
    let mut arguments = vec!["--json".to_owned()];
    arguments.extend(std::iter::repeat_n("-v".to_owned(), usize::from(global.verbose)));
    arguments.extend(["plugin", "describe"].map(str::to_owned));
    Ok(plugin::Probe { program, arguments })
}

fn run(arguments: Arguments) -> Result<u8, Error> {
    let global = arguments.global;
    let loudness = match (global.quiet || global.json, global.verbose) {
        (true, _) => Loudness::Quiet,
        (false, 0) => Loudness::Normal,
        (false, _) => Loudness::Verbose,
    };
    if let Some(n) = global.threads {
        // Fails only if the pool is already there, which it is not.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(usize::from(n)).build_global();
    }
    // Before any library is loaded: loading may already print.
    let worker = matches!(arguments.command, Command::Exec { stdin: true, .. }).then(answers::take_stdout).transpose()?;
    let context = Context {
        instruments: instruments(&global, &arguments.command)?,
        setup: Setup {
            output: global.output,
            config: global.config,
            set: global.set,
            instrument: global.instrument,
            threads: global.threads.map(usize::from),
        },
        progress: Progress::new(loudness),
        json: global.json,
        quiet: global.quiet,
    };
    match arguments.command {
        Command::Init { directory, format, full, force } => commands::configuration::init(&context, &directory, format, full, force),
        Command::Import(arguments) => commands::import::import(&context, &arguments),
        Command::Schema { write: Some(directory), .. } => commands::configuration::write_schemas(&directory),
        Command::Schema { of: Some(name), .. } => commands::configuration::schema_of(&name),
        Command::Schema { .. } => commands::configuration::schema(&context),
        Command::Config { what } => commands::check::config(&context, what),
        Command::Scan { forget: true, directories } => commands::scan::forget(&context, &directories),
        Command::Scan { directories, .. } => commands::scan::scan(&context, &directories),
        Command::Ls(ls) => commands::lists::ls(&context, &ls),
        Command::Plan { directories, graph, sof, calplan, targets } => {
            commands::planning::plan(&context, &directories, graph, sof.as_deref(), calplan.as_deref(), &targets)
        }
        Command::Why { product } => commands::planning::why(&context, &product),
        Command::Whynot { frame, calibration } => commands::planning::whynot(&context, &frame, &calibration),
        Command::Reduce { directories, targets, force, dry_run } => {
            commands::reduce::reduce(&context, &directories, &targets, force, dry_run)
        }
        Command::Recipe { what } => commands::recipes::recipe(&context, what),
        Command::Show { frame, header, preview } => commands::frames::show(&context, &frame, header, preview.as_deref()),
        Command::Plot { keywords, frame, figure, to, selection } => match frame {
            Some(frame) => commands::frames::draw(&context, &frame, figure.as_deref(), &to),
            None => commands::frames::plot(&context, &keywords, &to, &selection),
        },
        Command::Report => commands::reduce::report(&context),
        Command::Verify { products, truth } => commands::products::verify(&context, &products, truth.as_deref()),
        Command::Plugin { what } => commands::plugins::run(&context, &what),
        Command::Simulate { directory, seed, nights, size } => commands::scan::simulate(&context, &directory, seed, nights, size),
        Command::Collect(arguments) => commands::products::collect(&context, &arguments),
        Command::Clean { products, tag, left_over, dry_run } => commands::products::clean(&context, &products, &tag, left_over, dry_run),
        Command::Exec { task, plan, .. } => commands::exec::exec(&context, task.as_deref(), plan.as_deref(), worker),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "ifured", &mut script);
            commands::say(&String::from_utf8_lossy(&script));
            Ok(0)
        }
        Command::Man { directory } => commands::configuration::man(&directory),
    }
}
