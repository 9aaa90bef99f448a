//! What is remembered of the files of hints.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ToSqlOutput;

use super::Catalogue;
use super::schema::HINTS;
use super::sealed::{Conflict, bytes, get, json, text};
use crate::error::Result;
use crate::hint_file::HintFile;

impl Catalogue {
    /// Replaces what is remembered of the files of hints below a root.
    pub fn store_hints(&mut self, root: &Path, files: &[HintFile]) -> Result<()> {
        self.change(|tx| {
            tx.execute("DELETE FROM hints WHERE root = ?1", [ToSqlOutput::Borrowed(bytes(root))])?;
            files.iter().try_for_each(|file| store(tx, root, file))
        })
    }

    /// All files of hints, in the order of their paths. What is damaged is left out; the next scan reads it again.
    pub fn hints(&self) -> Result<Vec<HintFile>> {
        self.ask(|db| Ok(HINTS.read(db, "ORDER BY path", [], |r| serde_json::from_str(&get::<String>(r, "says")?).ok())?.whole))
    }
}

pub(super) fn store(db: &Connection, root: &Path, file: &HintFile) -> rusqlite::Result<()> {
    let says = json(file)?;
    HINTS.insert(db, Conflict::Replace, &[("path", bytes(&file.path)), ("root", bytes(root)), ("says", text(&says))])
}
