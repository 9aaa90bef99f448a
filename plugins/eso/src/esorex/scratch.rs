//! The directory of a run: where it is, and what of it is kept.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use ifured_core::recipe::SideFile;
use ifured_core::{Host, RecipeError, TaskId};
use walkdir::WalkDir;

use super::run::{LOG, PRINTED};

/// The directory of a run. It is removed with this value.
pub struct Scratch {
    /// Where it is.
    pub directory: PathBuf,
    recipe: String,
    failed: PathBuf,
}

impl Scratch {
    /// Makes it where the host has room for what is needed only during the task, else beside the outputs, so that large products are not copied from disk to
    /// disk. What an earlier run of this task left is removed.
    pub fn new(beside: &Path, host: &dyn Host, recipe: &str, task: &TaskId) -> Result<Self, RecipeError> {
        let id = task.short();
        let name = format!(".ifured-esorex-{recipe}-{id}");
        let failed = beside.join(format!("failed-{recipe}-{id}"));
        let own = beside.join(&name);
        let directory = host.scratch().map_or_else(|| own.clone(), |place| place.join(&name));
        for old in [&failed, &own, &directory] {
            let _ = std::fs::remove_dir_all(old);
        }
        std::fs::create_dir_all(&directory).and_then(|()| std::path::absolute(&directory)).map_or_else(
            |e| {
                let what = format!("cannot create {}: {e}", directory.display());
                Err(RecipeError::new(what, "choose another --output DIR, or make room"))
            },
            |directory| Ok(Scratch { directory, recipe: recipe.to_owned(), failed }),
        )
    }

    /// Keeps it beside the outputs if there is something to be looked at, and says where it is.
    pub fn keep(self, mut error: RecipeError) -> RecipeError {
        if ![LOG, PRINTED].iter().any(|f| self.directory.join(f).is_file()) {
            // It was not even started.
            return error;
        }
        if let Err(e) = moved(&self.directory, &self.failed) {
            error.what += &format!("\n  the run could not be kept in {}: {e}", self.failed.display());
            return error;
        }
        error.what += &format!("\n  all of the run is in {}", self.failed.display());
        error.with_side_file(SideFile { what: format!("failed run of {}", self.recipe), path: self.failed.clone() })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Moves a file or directory. Where the other place is on another file system it is copied, and the original is left to whoever removes its directory.
pub fn moved(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(e) if e.kind() == ErrorKind::CrossesDevices => copied(from, to),
        done => done,
    }
}

/// Copies a file or directory, links as links.
fn copied(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_file() {
        return std::fs::copy(from, to).map(drop);
    }
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let place = to.join(entry.path().strip_prefix(from).map_err(io::Error::other)?);
        let kind = entry.file_type();
        if kind.is_dir() {
            std::fs::create_dir_all(place)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, place)?;
        } else {
            std::fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}
