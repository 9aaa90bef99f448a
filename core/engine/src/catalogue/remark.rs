//! What a person should know of a catalogue that was opened or read.

use std::fmt;
use std::path::PathBuf;

use crate::error::Damage;

/// What a person should know of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// The file could not be used; another was begun.
    DamagedFile {
        /// Where it is now.
        kept_as: PathBuf,
        /// Why it could not be used.
        why: Damage,
        /// Scanned directories that were carried over.
        roots: usize,
        /// Runs that were carried over.
        runs: usize,
    },
    /// Rows were damaged and are forgotten.
    DamagedRows {
        /// Their table.
        table: &'static str,
        /// How many.
        count: usize,
    },
    /// An older catalogue was brought to this version.
    Migrated {
        /// Its version.
        from: i64,
        /// This version.
        to: i64,
        /// Frames that the next scan reads again, for the old version did not say all of them.
        to_read_again: usize,
        /// Rows that could not be carried over.
        left_out: usize,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::DamagedFile { kept_as, why, roots, runs } => {
                let kept_as = ifured_core::path::shown(kept_as);
                write!(f, "the catalogue was damaged ({why}); it is kept as {kept_as} and rebuilt")?;
                match (roots, runs) {
                    (0, 0) => Ok(()),
                    _ => write!(f, ", with the {roots} directories and {runs} runs that it knew"),
                }
            }
            Remark::DamagedRows { table, count } => {
                write!(f, "{count} damaged {} of the catalogue forgotten ({table}): ", if *count == 1 { "row" } else { "rows" })?;
                f.write_str(match *table {
                    "frames" | "headers" | "hints" => "the next scan reads the files again",
                    "tasks" | "products" | "attempts" => "rebuilt from the journal",
                    "roots" => "name the directories again if the next scan misses one",
                    _ => "not rebuilt",
                })
            }
            Remark::Migrated { from, to, to_read_again, left_out } => {
                write!(f, "the catalogue was brought from version {from} to version {to}")?;
                if *to_read_again > 0 {
                    write!(f, "; the next scan reads {to_read_again} frames again")?;
                }
                if *left_out > 0 {
                    write!(f, "; {left_out} rows could not be carried over and will be made anew")?;
                }
                Ok(())
            }
        }
    }
}
