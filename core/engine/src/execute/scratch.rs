//! Scratch directories: where a task keeps what it needs only while it runs, on the file system of the products.
//!
//! Whoever runs the task makes the directory, holds a lock on a file beside it, and removes both when the task has ended, in whatever way. If it is killed
//! itself the system drops the lock, so that the next one knows that nobody needs the directory any more.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ifured_core::TaskId;

use crate::error::{Error, Result};

/// Directory of all scratch directories, below the output directory.
const DIRECTORY: &str = ".ifured-scratch";

/// A scratch directory; removed when dropped.
pub struct Scratch {
    path: PathBuf,
    lock: PathBuf,
    _locked: File,
}

impl Scratch {
    /// An empty one for a task.
    pub fn new(output: &Path, task: &TaskId) -> Result<Self> {
        let all = output.join(DIRECTORY);
        fs::create_dir_all(&all).map_err(Error::io("cannot create", &all))?;
        let mut n = 0;
        loop {
            let name = format!("{}-{}-{n}", task.short(), std::process::id());
            let (path, lock) = (all.join(&name), all.join(format!("{name}.lock")));
            let file = File::create(&lock).map_err(Error::io("cannot create", &lock))?;
            if file.try_lock().is_ok() && fs::create_dir(&path).is_ok() {
                return Ok(Scratch { path, lock, _locked: file });
            }
            n += 1;
            if n > 1000 {
                let source = std::io::ErrorKind::AlreadyExists.into();
                return Err(Error::Io { what: "cannot create", path, source });
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
        let _ = fs::remove_file(&self.lock);
        // The last one takes the room away.
        let _ = self.path.parent().map(fs::remove_dir);
    }
}

/// Scratch directories below an output directory that nobody needs any more.
pub fn abandoned(output: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(output.join(DIRECTORY)).into_iter().flatten().flatten();
    let is_free = |path: &PathBuf| match File::open(lock_of(path)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => true,
    };
    let mut found: Vec<PathBuf> = entries.map(|e| e.path()).filter(|p| p.is_dir() && is_free(p)).collect();
    found.sort();
    found
}

fn lock_of(scratch: &Path) -> PathBuf {
    let mut name = scratch.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    scratch.with_file_name(name)
}

/// Removes the locks of directories that were never made or are gone: a killed task may leave its lock alone.
pub fn remove_lone_locks(output: &Path) {
    let all = output.join(DIRECTORY);
    let entries = fs::read_dir(&all).into_iter().flatten().flatten().map(|e| e.path());
    for lock in entries.filter(|p| p.is_file() && p.extension().is_some_and(|e| e == "lock") && !p.with_extension("").is_dir()) {
        if File::open(&lock).is_ok_and(|f| f.try_lock().is_ok()) {
            let _ = fs::remove_file(&lock);
        }
    }
    let _ = fs::remove_dir(&all);
}

/// Holds the right to run a task; whoever wants it meanwhile waits. Released when dropped, also by a crash.
pub struct TaskLock {
    path: PathBuf,
    _locked: File,
}

impl TaskLock {
    /// Waits for the right to run a task.
    pub fn take(output: &Path, task: &TaskId) -> Result<Self> {
        let all = output.join(DIRECTORY);
        loop {
            fs::create_dir_all(&all).map_err(Error::io("cannot create", &all))?;
            let path = all.join(format!("{}.task.lock", task.short()));
            let file = File::create(&path).map_err(Error::io("cannot create", &path))?;
            file.lock().map_err(Error::io("cannot lock", &path))?;
            // Whoever had it before may have removed it meanwhile: then it is another file by now.
            use std::os::unix::fs::MetadataExt;
            let same = file.metadata().ok().zip(fs::metadata(&path).ok()).is_some_and(|(a, b)| (a.dev(), a.ino()) == (b.dev(), b.ino()));
            if same {
                return Ok(TaskLock { path, _locked: file });
            }
        }
    }
}

impl Drop for TaskLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        let _ = self.path.parent().map(fs::remove_dir);
    }
}

/// Removes a scratch directory that nobody needs any more; says whether it is gone.
pub fn remove(scratch: &Path) -> bool {
    let gone = fs::remove_dir_all(scratch).is_ok();
    let _ = fs::remove_file(lock_of(scratch));
    let _ = scratch.parent().map(fs::remove_dir);
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_in_use_is_not_abandoned_and_one_whose_owner_is_gone_is() {
        let output = tempfile::tempdir().unwrap();
        let (one, two) = (Scratch::new(output.path(), &"abc".into()).unwrap(), Scratch::new(output.path(), &"abc".into()).unwrap());
        fs::write(one.path().join("large"), "x").unwrap();
        assert_ne!(one.path(), two.path());
        assert!(abandoned(output.path()).is_empty());
        // As a kill leaves it: the directory is there, the lock is not held.
        let left = output.path().join(DIRECTORY).join("def-1-0");
        fs::create_dir(&left).unwrap();
        fs::write(lock_of(&left), "").unwrap();
        assert_eq!(abandoned(output.path()), std::slice::from_ref(&left));
        assert!(remove(&left) && one.path().join("large").exists());
        drop((one, two));
        assert!(!output.path().join(DIRECTORY).exists());
    }
}
