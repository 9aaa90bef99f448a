//! The catalogue: an SQLite database of frames, tasks, attempts and products in the output directory.
//!
//! It is a memory, never the only truth. Frames are what the raw files say, tasks and products what the journal says (see
//! [`crate::attempt`]): whatever is lost or damaged is read again. Therefore
//!
//! * the file says its version (`PRAGMA user_version`); an older one is migrated, a newer one is refused and left alone;
//! * every row has a digest over what is read of it, and a row whose digest does not fit is forgotten, not believed;
//! * every change is one transaction;
//! * paths are bytes, for the name of a file need not be text.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{Error, Result};

mod attempts;
mod damage;
mod frames;
mod hints;
mod known;
mod migrate;
mod open;
mod remark;
mod runs;
mod schema;
mod sealed;
mod tasks;
#[cfg(test)]
mod tests;

pub use attempts::LastAttempt;
pub use damage::unused_name;
pub use frames::ScannedRow;
pub use known::Known;
pub use remark::Remark;
pub use runs::RunRow;
pub use tasks::{KnownProduct, KnownTask};

/// Name of the catalogue in an output directory.
pub const FILE: &str = "ifured.sqlite";

/// An open catalogue.
pub struct Catalogue {
    path: PathBuf,
    db: Connection,
    /// Whether this process may write.
    writes: bool,
}

impl Catalogue {
    /// Opens the catalogue of an output directory, or makes an empty one, and says what a person should know of it. An older one is
    /// migrated; one that is damaged is moved aside (`ifured.sqlite.damaged`) and begun anew with the directories and runs that it knew.
    ///
    /// # Errors
    /// [`Error::CatalogueVersion`] if a newer ifured wrote it; the file is left alone. If the directory cannot be written.
    pub fn open(directory: &Path) -> Result<(Self, Vec<Remark>)> {
        std::fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
        let path = directory.join(FILE);
        let (db, remarks) = open::to_write(&path)?;
        Ok((Catalogue { path, db, writes: true }, remarks))
    }

    /// Opens the catalogue of an output directory while another process may write into it. Nothing is written: an older catalogue is
    /// migrated in memory.
    ///
    /// # Errors
    /// As [`Catalogue::open`]; also if there is none, or if it is damaged.
    pub fn open_to_read(directory: &Path) -> Result<(Self, Vec<Remark>)> {
        let path = directory.join(FILE);
        let (db, remarks) = open::to_read(&path)?;
        Ok((Catalogue { path, db, writes: false }, remarks))
    }

    /// Whether an output directory has a catalogue.
    pub fn exists(directory: &Path) -> bool {
        directory.join(FILE).is_file()
    }

    /// Runs queries.
    fn ask<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        question(&self.db).map_err(|source| Error::Catalogue { path: self.path.clone(), source })
    }

    /// Makes changes, all or none.
    fn change<T>(&mut self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        in_transaction(&mut self.db, change).map_err(|source| Error::Catalogue { path: self.path.clone(), source })
    }
}

/// Immediate, so that two processes that write wait for each other instead of failing.
fn in_transaction<T, E: From<rusqlite::Error>>(
    db: &mut Connection,
    change: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let made = change(&transaction)?;
    transaction.commit()?;
    Ok(made)
}
