//! `import`: the configuration of another program becomes one of ours.

use std::path::{Path, PathBuf};

use ifured_core::words::padded;
use ifured_core::{ImportRequest, ImportSource, LoadedInstrument};
use ifured_engine::import::{Import, PlacedSetting, configuration};
use ifured_engine::view::answer::ImportView;
use ifured_engine::{Error, classify, config, files, init};
use serde_json::Value;

use super::{named_instrument, print_json, say, tell};
use crate::Context;
use crate::arguments::ImportArguments;

/// Where the configuration goes.
enum Target {
    File(PathBuf),
    StandardOutput,
}

/// Imports.
pub fn import(context: &Context, arguments: &ImportArguments) -> Result<u8, Error> {
    let instrument = instrument_that_imports(context, &arguments.program)?;
    let description = instrument.description();
    let source = description
        .imports
        .iter()
        .find(|s| s.program.eq_ignore_ascii_case(&arguments.program))
        .ok_or_else(|| Error::Inconsistent(format!("{} imports nothing of {}", description.name, arguments.program)))?;
    let paths = files_of(source, &arguments.files)?;
    let target = target(context, arguments)?;
    let format = match &target {
        Target::File(path) if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) => init::Format::Json,
        _ => init::Format::Toml,
    };
    let request = ImportRequest { program: source.program.clone(), files: paths.clone() };
    // What is wrong in the files is a wrong configuration, and has its exit code.
    let imported = instrument.import(&request).map_err(|e| Error::usage(e.what, e.advice))?;
    let schema_name = format!("ifured-{}.schema.json", description.name);
    let names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    let title = format!("Configuration of ifured for {}, imported from {}: {}.", description.name, source.program, names.join(", "));
    let import = configuration(imported, description, format, &format!("./{schema_name}"), &title)?;
    let written = match &target {
        Target::StandardOutput => None,
        Target::File(path) => {
            let schema = serde_json::to_string_pretty(&config::schema(description)).unwrap_or_default() + "\n";
            files::write_atomically(&path.with_file_name(&schema_name), schema.as_bytes())?;
            files::write_atomically(path, import.text.as_bytes())?;
            Some(path)
        }
    };
    if context.json {
        print_json(&ImportView {
            program: source.program.clone(),
            instrument: description.name.clone(),
            written: written.map(|path| path.display().to_string()),
            text: written.is_none().then(|| import.text.clone()),
            import,
        })?;
    } else if let Some(path) = written {
        if !context.quiet {
            say(&table(&import));
            say(&format!("wrote {} and its schema {schema_name}{}", path.display(), how_it_is_found(context, path)));
        }
    } else {
        say(import.text.trim_end());
        if !context.quiet {
            tell(&table(&import));
        }
    }
    Ok(0)
}

/// The instrument that is named, or the only one that knows the program.
fn instrument_that_imports<'a>(context: &'a Context, program: &str) -> Result<&'a LoadedInstrument, Error> {
    let knows = |i: &&LoadedInstrument| i.description().imports.iter().any(|s| s.program.eq_ignore_ascii_case(program));
    let all: Vec<&LoadedInstrument> = context.instruments.iter().filter(knows).collect();
    let known: Vec<String> = context.instruments.iter().flat_map(|i| &i.description().imports).map(|s| s.program.clone()).collect();
    if all.is_empty() {
        let what = format!("nothing is imported from `{program}`{}", classify::nearest(program, &known));
        return Err(Error::usage(what, format!("`ifured import PROGRAM FILE` knows {}", known.join(", "))));
    }
    if context.setup.instrument.is_some() {
        let named = named_instrument(context)?;
        let names: Vec<&str> = all.iter().map(|i| i.description().name.as_str()).collect();
        let what = format!("{} imports nothing from {program}, but {} does", named.description().name, names.join(", "));
        return Some(named).filter(knows).ok_or_else(|| Error::usage(what, "leave --instrument out, or name another"));
    }
    match all.as_slice() {
        [one] => Ok(one),
        several => {
            let names: Vec<&str> = several.iter().map(|i| i.description().name.as_str()).collect();
            Err(Error::usage(
                format!("several instruments import from {program}"),
                format!("add --instrument with one of {}", names.join(", ")),
            ))
        }
    }
}

/// The files; of a directory those with the names that the program gives them.
fn files_of(source: &ImportSource, arguments: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for argument in arguments {
        if !argument.is_dir() {
            std::fs::metadata(argument).map_err(Error::io("cannot read", argument))?;
            paths.push(argument.clone());
            continue;
        }
        // Names without a `./` before them read better in the comments.
        let base = argument.strip_prefix(".").unwrap_or(argument);
        let found: Vec<PathBuf> = source.files.iter().map(|f| base.join(f)).filter(|p| p.is_file()).collect();
        if found.is_empty() {
            let what = format!("{} has no file of {}: {}", argument.display(), source.program, source.files.join(", "));
            return Err(Error::usage(what, "name the directory where it is run, or the files themselves"));
        }
        paths.extend(found);
    }
    Ok(paths)
}

fn target(context: &Context, arguments: &ImportArguments) -> Result<Target, Error> {
    let path = match &arguments.to {
        Some(to) if to == Path::new("-") => return Ok(Target::StandardOutput),
        Some(to) => to.clone(),
        None => context.setup.output.join("ifured.toml"),
    };
    let is_toml_or_json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml") || e.eq_ignore_ascii_case("json"));
    if !is_toml_or_json || path.is_dir() {
        return Err(Error::usage(
            format!("--to {}: a configuration ends with .toml or .json", path.display()),
            "name the file, for example ifured.toml",
        ));
    }
    // Of two configurations in one directory the first by name would be read, whichever that is.
    let mut rivals = vec![path.clone()];
    if config::NAMES.iter().any(|n| path.file_name().is_some_and(|f| f == *n)) {
        rivals.extend(config::NAMES.iter().map(|n| path.with_file_name(n)));
    }
    match rivals.iter().find(|p| p.exists()) {
        Some(there) if !arguments.force => {
            let advice = "see first what would be written with --to -, write elsewhere with --to FILE, or replace it with --force";
            Err(Error::usage(format!("{} is there already", there.display()), advice))
        }
        _ => Ok(Target::File(path)),
    }
}

/// What to type so that the file is read, where it is not found by itself.
fn how_it_is_found(context: &Context, path: &Path) -> String {
    let found = config::NAMES.iter().any(|n| context.setup.output.join(n) == path);
    if found || config::NAMES.iter().any(|n| path == Path::new(n)) {
        String::new()
    } else {
        format!("; it is read with --config {}", ifured_core::import::shell_word(path))
    }
}

/// All that was found, in the order: set, not set, not needed, not understood, to be typed.
fn table(import: &Import) -> String {
    let mut out = String::new();
    let mut part = |title: &str, rows: Vec<(String, String, Vec<String>)>| {
        if rows.is_empty() {
            return;
        }
        let width = rows.iter().map(|(from, _, _)| from.chars().count()).max().unwrap_or(0).min(44);
        out += &format!("{title}\n");
        for (from, to, remarks) in rows {
            out += &format!("  {}  {to}\n", padded(&from, width));
            remarks.iter().filter(|r| !r.is_empty()).for_each(|r| out += &format!("  {}  {r}\n", padded("", width)));
        }
        out.push('\n');
    };
    let setting = |s: &PlacedSetting| {
        let to = format!("{} = {}", s.setting.key, shown(&s.setting.value));
        (s.setting.from.clone(), to, vec![s.not_set.clone().unwrap_or_default(), s.setting.note.clone()])
    };
    let (set, not_set): (Vec<_>, Vec<_>) = import.settings.iter().partition(|s| s.not_set.is_none());
    part("Set", set.into_iter().map(setting).collect());
    part("Not set: written as a comment, with the reason", not_set.into_iter().map(setting).collect());
    let unneeded = import.not_needed.iter().map(|n| (n.from.clone(), format!("{} = {}", n.key, shown(&n.value)), vec![n.reason.clone()]));
    part("Not needed", unneeded.collect());
    let unknown = import.unknown.iter().map(|u| {
        let nearest = u.nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        (u.from.clone(), format!("{}{nearest}", u.key), Vec::new())
    });
    part("Not understood", unknown.collect());
    if !import.advice.is_empty() {
        out += "To do\n";
        import.advice.iter().for_each(|a| out += &format!("  {a}\n"));
    }
    out.trim_end().to_owned()
}

/// A value on one line, cut where it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
