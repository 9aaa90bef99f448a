//! `config check`, `config show`.

use std::path::{Path, PathBuf};

use ifured_core::InstrumentDescription;
use ifured_engine::config::{self, Document, Problem, Problems, Setting};
use ifured_engine::view::answer::ConfigCheckView;
use ifured_engine::{Error, classify};

use super::{print_json, say};
use crate::Context;
use crate::arguments::ConfigCommand;

/// Checks a configuration or shows it.
pub fn config(context: &Context, what: ConfigCommand) -> Result<u8, Error> {
    match what {
        ConfigCommand::Check { file } => check(context, file),
        ConfigCommand::Show { file, resolved } => show(context, file, resolved),
    }
}

/// What was written, the file it is in, and the instrument it is for.
struct Written<'a> {
    file: Option<PathBuf>,
    document: Document,
    instrument: Option<&'a InstrumentDescription>,
    problems: Vec<Problem>,
}

fn written(context: &Context, file: Option<PathBuf>) -> Result<Written<'_>, Error> {
    let setup = &context.setup;
    let file = file.or_else(|| config::file(setup.config.as_deref(), &setup.output));
    let all: Vec<&InstrumentDescription> = context.instruments.iter().map(|i| i.description()).collect();
    if let Some(name) = &setup.instrument
        && !all.iter().any(|d| d.is_called(name))
    {
        let known: Vec<String> = all.iter().map(|d| d.name.clone()).collect();
        let what = format!("unknown instrument `{name}`{}", classify::nearest(name, &known));
        return Err(Error::usage(what, "`ifured plugin ls` shows all instruments"));
    }
    let document = config::document(file.as_deref(), &setup.set, setup.instrument.as_deref())?;
    let instrument = config::instrument(&document, &context.instruments);
    let problems = config::problems(&document, instrument, &all)?;
    Ok(Written { file, document, instrument, problems })
}

fn name(file: Option<&Path>) -> String {
    file.map_or_else(|| "the configuration".to_owned(), |f| f.display().to_string())
}

fn check(context: &Context, file: Option<PathBuf>) -> Result<u8, Error> {
    let Written { file, instrument, problems, .. } = written(context, file)?;
    if file.is_none() && context.setup.set.is_empty() {
        let what = format!("there is neither {} in {}", config::NAMES.join(" nor "), context.setup.output.display());
        return Err(Error::usage(what, "name the file: ifured config check FILE"));
    }
    let name = name(file.as_deref());
    if context.json {
        let valid = problems.is_empty();
        let file = file.map(|f| f.display().to_string());
        print_json(&ConfigCheckView { file, instrument: instrument.map(|d| d.name.clone()), valid, problems })?;
        return Ok(if valid { 0 } else { 2 });
    }
    if !problems.is_empty() {
        return Err(Error::Configuration(Problems(problems)));
    }
    if !context.quiet {
        match instrument {
            Some(d) => say(&format!("{name}: nothing is wrong (checked for {})", d.name)),
            None => say(&format!(
                "{name}: nothing is wrong, but it names no instrument, so recipes, roles and tags were not checked; add --instrument NAME"
            )),
        }
    }
    Ok(0)
}

fn show(context: &Context, file: Option<PathBuf>, resolved: bool) -> Result<u8, Error> {
    let Written { document, instrument, problems, .. } = written(context, file)?;
    if !problems.is_empty() {
        return Err(Error::Configuration(Problems(problems)));
    }
    let all: Vec<&InstrumentDescription> = context.instruments.iter().map(|i| i.description()).collect();
    let mut settings = config::settings(&document, instrument, &all);
    settings.retain(|s| resolved || s.set);
    if context.json {
        print_json(&settings)?;
        return Ok(0);
    }
    for setting in &settings {
        say(&line(setting));
    }
    if settings.is_empty() {
        say("# nothing is set; `ifured config show --resolved` shows the defaults");
    }
    if instrument.is_none() && resolved {
        say("# no instrument is named, so recipes are not shown; add --instrument NAME");
    }
    Ok(0)
}

/// A setting as a line of TOML, where it came from as a comment.
fn line(setting: &Setting) -> String {
    let unit = setting.unit.as_ref().map(|u| format!("{u}; ")).unwrap_or_default();
    match &setting.value {
        Some(value) if !value.is_null() => {
            let text = format!("{} = {}", setting.toml_key, config::toml_text(value));
            format!("{text:<60}  # {unit}{}", setting.origin)
        }
        _ => {
            let text = format!("# {} is not set", setting.toml_key);
            let otherwise = setting.otherwise.as_ref().map(|o| format!(": {o}")).unwrap_or_default();
            format!("{text:<60}  # {unit}{}{otherwise}", setting.origin)
        }
    }
}
