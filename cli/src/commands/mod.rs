//! One file for each family of commands. Each gives the exit code.

pub mod check;
pub mod configuration;
pub mod exec;
pub mod frames;
pub mod import;
pub mod lists;
pub mod planning;
pub mod plugins;
pub mod products;
pub mod recipes;
pub mod reduce;
pub mod scan;

use std::io::{ErrorKind, Write};
use std::sync::OnceLock;

use ifured_core::InstrumentDescription;
use ifured_engine::{Error, classify};

use crate::Context;

/// The instrument that was named; for commands that have no frames to ask.
pub fn named_instrument(context: &Context) -> Result<&ifured_core::LoadedInstrument, Error> {
    let known: Vec<String> = context.instruments.iter().map(|i| i.description().name.clone()).collect();
    let Some(name) = &context.setup.instrument else {
        return Err(Error::usage("no instrument is named", format!("add --instrument with one of {}", known.join(", "))));
    };
    context.instruments.iter().find(|i| i.description().is_called(name)).ok_or_else(|| {
        Error::usage(format!("unknown instrument `{name}`{}", classify::nearest(name, &known)), "`ifured plugin ls` shows all instruments")
    })
}

/// Description of the instrument that was named.
pub fn named_description(context: &Context) -> Result<&InstrumentDescription, Error> {
    named_instrument(context).map(|i| i.description())
}

/// Prints a value as JSON.
pub fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::Inconsistent(e.to_string()))?;
    say(&text);
    Ok(())
}

/// Why something could not be printed on standard output, the first time.
static UNSAID: OnceLock<std::io::Error> = OnceLock::new();

/// Prints a line; a reader that has gone away (`| head`) is no error, a full disk is (see [`unsaid`]).
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => drop(UNSAID.set(e)),
        _ => {}
    }
}

/// Prints a line on standard error. That nobody reads it any more must not end what is being done.
pub fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Why some of the answer could not be printed; none if all was, or if the reader has gone away.
pub fn unsaid() -> Option<&'static std::io::Error> {
    UNSAID.get()
}
