//! `init`, `schema`, `man`.

use std::path::Path;

use clap::CommandFactory;
use ifured_engine::view::schemas;
use ifured_engine::{Error, classify, config, files, init};

use super::{named_description, print_json, say, tell};
use crate::Context;
use crate::arguments::{Arguments, ConfigFormat};

/// Writes a configuration and its schema beside it.
pub fn init(context: &Context, directory: &Path, format: ConfigFormat, full: bool, force: bool) -> Result<u8, Error> {
    let instrument = named_description(context)?;
    let (format, name) = match format {
        ConfigFormat::Toml => (init::Format::Toml, "ifured.toml"),
        ConfigFormat::Json => (init::Format::Json, "ifured.json"),
    };
    let path = directory.join(name);
    if let Some(there) = config::NAMES.iter().map(|n| directory.join(n)).find(|p| p.exists())
        && !force
    {
        return Err(Error::usage(format!("{} is there already", there.display()), "edit it, or replace it with --force"));
    }
    let schema_name = format!("ifured-{}.schema.json", instrument.name);
    let schema = serde_json::to_string_pretty(&config::schema(instrument)).unwrap_or_default() + "\n";
    files::write_atomically(&directory.join(&schema_name), schema.as_bytes())?;
    files::write_atomically(&path, init::text(instrument, format, full, &format!("./{schema_name}")).as_bytes())?;
    if !context.quiet {
        say(&format!("wrote {} and its schema {schema_name}", path.display()));
    }
    Ok(0)
}

/// Prints the schema of the instrument that is named on the command line or in the configuration; without one that of the
/// general keys, in which recipes may have any name.
pub fn schema(context: &Context) -> Result<u8, Error> {
    let named = match &context.setup.instrument {
        Some(_) => Some(named_description(context)?),
        None => {
            let file = config::file(context.setup.config.as_deref(), &context.setup.output);
            config::instrument(&config::document(file.as_deref(), &context.setup.set, None)?, &context.instruments)
        }
    };
    let all: Vec<_> = context.instruments.iter().map(|i| i.description()).collect();
    print_json(&named.map_or_else(|| config::schema_of_any(&all), config::schema))?;
    if named.is_none() && !context.quiet && !context.json {
        let names: Vec<&str> = all.iter().map(|d| d.name.as_str()).collect();
        tell(&format!(
            "note: no instrument is named, so the keys of recipes are not in it; add --instrument with one of {}",
            names.join(", ")
        ));
    }
    Ok(0)
}

/// Prints the schema of what a command answers, or of a file in the output directory.
pub fn schema_of(name: &str) -> Result<u8, Error> {
    let file = name.strip_suffix(".json");
    let table = if file.is_some() { schemas::FILES } else { schemas::ANSWERS };
    let Some(entry) = table.iter().find(|e| e.name == file.unwrap_or(name)) else {
        let answers = schemas::ANSWERS.iter().map(|e| e.name.to_owned());
        let known: Vec<String> = answers.chain(schemas::FILES.iter().map(|e| format!("{}.json", e.name))).collect();
        let what = format!("nothing that is printed or written is called `{name}`{}", classify::nearest(name, &known));
        return Err(Error::usage(what, format!("there are {}", known.join(", "))));
    };
    print_json(&entry.schema())?;
    Ok(0)
}

/// Writes the schemas of all answers and files, for `make schemas`.
pub fn write_schemas(directory: &Path) -> Result<u8, Error> {
    for (name, text) in schemas::all() {
        files::write_atomically(&directory.join(name), text.as_bytes())?;
    }
    Ok(0)
}

/// Writes the manual pages, one a command.
pub fn man(directory: &Path) -> Result<u8, Error> {
    std::fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
    clap_mangen::generate_to(Arguments::command(), directory).map_err(Error::io("cannot write", directory))?;
    Ok(0)
}
