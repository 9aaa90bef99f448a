//! `recipe ls|show|run`.

use std::path::PathBuf;

use ifured_core::RecipeDescription;
use ifured_core::recipe::QuietHost;
use ifured_engine::manual::{MAIN, Named};
use ifured_engine::session::Reporter;
use ifured_engine::{Error, classify, config, file_parameters, manual, worker};

use super::{named_description, named_instrument, print_json, say};
use crate::Context;
use crate::arguments::RecipeCommand;

/// The recipes of an instrument.
pub fn recipe(context: &Context, what: RecipeCommand) -> Result<u8, Error> {
    let instrument = named_description(context)?;
    let find = |name: &str| -> Result<&RecipeDescription, Error> {
        let known: Vec<String> = instrument.recipes.iter().map(|r| r.name.clone()).collect();
        instrument.recipe(name).ok_or_else(|| {
            Error::usage(
                format!("{} has no recipe `{name}`{}", instrument.name, classify::nearest(name, &known)),
                "`ifured recipe ls` lists them",
            )
        })
    };
    match what {
        RecipeCommand::Ls if context.json => print_json(&instrument.recipes)?,
        RecipeCommand::Ls => {
            for r in &instrument.recipes {
                let products: Vec<&str> = r.products.iter().map(|p| p.tag.as_str()).collect();
                let off = if r.enabled { "" } else { "  (off unless enabled)" };
                say(&format!("{:<26} {:<50} -> {}{off}", r.name, r.title, products.join(", ")));
            }
            if instrument.recipes.is_empty() {
                say(&format!("{} has no recipes in this version", instrument.name));
            }
        }
        RecipeCommand::Show { name } if context.json => print_json(find(&name)?)?,
        RecipeCommand::Show { name } => show(find(&name)?),
        RecipeCommand::Run { name, frames, inputs, sof, extension } => {
            let installed = named_instrument(context)?.as_installed()?;
            let recipe = installed.recipe(&find(&name)?.name).ok_or_else(|| Error::Inconsistent(format!("no recipe {name}")))?;
            let written = config::document(context.setup.config.as_deref(), &context.setup.set, context.setup.instrument.as_deref())?;
            let mut config = config::checked(&written, instrument)?;
            file_parameters::resolve(&mut config, instrument, context.setup.config.as_deref());
            let named = match &sof {
                Some(sof) => ifured_engine::sof::read(sof, recipe)?,
                None => named_by_role(&frames, &inputs)?,
            };
            let output = std::path::absolute(&context.setup.output).map_err(Error::io("cannot find", &context.setup.output))?;
            let (task, notes) = manual::task(instrument, recipe, &config, &named, extension.as_deref(), &output)?;
            notes.iter().for_each(|note| context.progress.note(note));
            let outcome = worker::run(&context.instruments, &task, &QuietHost)?;
            if context.json {
                print_json(&outcome)?;
            } else {
                report(&outcome);
            }
        }
    }
    Ok(0)
}

/// Main frames, and calibrations given as `ROLE=FILE`.
fn named_by_role(frames: &[PathBuf], inputs: &[String]) -> Result<Vec<Named>, Error> {
    let main = frames.iter().map(|path| Named { role: MAIN.into(), path: path.clone(), tag: None });
    let mut named: Vec<Named> = main.collect();
    for input in inputs {
        let (role, file) = input.split_once('=').ok_or_else(|| {
            Error::usage(format!("--input {input}: no `=`"), "write --input ROLE=FILE, for example --input bias=master.fits")
        })?;
        named.push(Named { role: role.to_owned(), path: file.into(), tag: None });
    }
    Ok(named)
}

fn report(outcome: &ifured_core::Outcome) {
    for product in &outcome.products {
        say(&format!("{:<24} {}", product.tag, product.name));
    }
    for q in &outcome.quality {
        let value = q.value.map_or("-".to_owned(), |v| format!("{v:.5}"));
        let error = q.error.map_or(String::new(), |e| format!(" +- {e:.5}"));
        let grade = if q.grade == ifured_core::Grade::Good { "" } else { "  outside its limits" };
        say(&format!("  {:<28} {value}{error} {}  {}{grade}", q.name, q.unit, q.limits));
    }
    for rejected in &outcome.rejected {
        say(&format!("  left out {}: {}", rejected.name, rejected.why));
    }
    for note in &outcome.notes {
        say(&format!("  {note}"));
    }
}

fn show(r: &RecipeDescription) {
    say(&format!("{} (version {}): {}", r.name, r.version, r.title));
    say(&format!("\n{}\n", r.description));
    let tags = |tags: &[ifured_core::Tag]| tags.iter().map(|t| t.as_str()).collect::<Vec<_>>().join(" or ");
    say(&format!("frames   {}", tags(&r.main.tags)));
    let keys: Vec<&str> = r.main.group.signature.0.iter().map(|k| k.key.as_str()).collect();
    let span =
        r.main.group.span_hours.map_or(String::new(), |h| if h == 0.0 { "each frame alone".into() } else { format!("within {h} h") });
    say(&format!("grouped  by {} {span}", keys.join(" ")));
    for input in &r.inputs {
        let need = if input.required {
            "required".to_owned()
        } else {
            format!("optional; without: {} (level {})", input.otherwise, input.level_without)
        };
        say(&format!("input    {} ({}), {need}", input.role, tags(&input.tags)));
        for level in &input.levels {
            let age = level.max_age_days.map_or(String::new(), |d| format!(", at most {d} d away"));
            say(&format!("           level {}: {}{age}", level.level, level.title));
        }
    }
    for product in &r.products {
        say(&format!("product  {} -> {}: {}", product.tag, product.path, product.title));
    }
    for engine in &r.engines {
        let by = engine.external.as_ref().map_or_else(String::new, |e| format!(": {e}"));
        let which = if r.engines.len() > 1 { format!(" of engine {}{by}", engine.name) } else { String::new() };
        say(&format!("\nparameters{which}"));
        for (key, property) in engine.schema["properties"].as_object().into_iter().flatten() {
            say(&format!("  {key} = {}", engine.defaults.get(key).cloned().unwrap_or_default()));
            say(&format!("      {}", property["description"].as_str().unwrap_or_default().replace('\n', "\n      ")));
        }
    }
}
