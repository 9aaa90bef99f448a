//! Files: finding frames, telling whether a file has changed, locking a directory.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// What tells, without reading it, that a file is still the one that was read: size, times of change, inode.
/// The time of status change cannot be set back by `cp -p` or `touch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fingerprint {
    /// Bytes.
    pub size: i64,
    /// Modification time in nanoseconds.
    pub mtime_ns: i64,
    /// Status change time in nanoseconds.
    pub ctime_ns: i64,
    /// Inode.
    pub inode: i64,
}

impl Fingerprint {
    /// Of a file; links are followed.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let m = fs::metadata(path)?;
        let ns = |s: i64, n: i64| s.wrapping_mul(1_000_000_000).wrapping_add(n);
        Ok(Fingerprint {
            size: m.size() as i64,
            mtime_ns: ns(m.mtime(), m.mtime_nsec()),
            ctime_ns: ns(m.ctime(), m.ctime_nsec()),
            inode: m.ino() as i64,
        })
    }
}

/// File name endings of frames, compared without regard to case.
pub const ENDINGS: &[&str] = &[".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fits.fz", ".fits.z", ".fits.bz2"];

/// Mark of our own unfinished files, anywhere in a file name.
pub const UNFINISHED: &str = "ifured-tmp";

/// Whether a file name is one of a frame.
pub fn is_frame_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    !name.starts_with('.') && ENDINGS.iter().any(|e| lower.ends_with(e))
}

/// Name of a frame without its directory and ending: `caf-20170319-16:00:00-cal-synt`.
pub fn stem(name: &str) -> String {
    let file = Path::new(name).file_name().map(ifured_core::path::shown).unwrap_or_default();
    let lower = file.to_lowercase();
    let ending = ENDINGS.iter().filter(|e| lower.ends_with(**e)).map(|e| e.len()).max().unwrap_or(0);
    file[..file.len() - ending].to_owned()
}

/// All frames below a directory in the order of their paths, and what could not be looked into.
pub fn find_frames(directory: &Path) -> Result<(Vec<PathBuf>, Vec<String>)> {
    find(directory, &is_frame_name)
}

/// All files below a directory whose names are wanted, in the order of their paths, and what could not be looked into.
pub fn find(directory: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<(Vec<PathBuf>, Vec<String>)> {
    if !directory.is_dir() {
        let source = fs::read_dir(directory).err().unwrap_or_else(|| std::io::ErrorKind::NotADirectory.into());
        return Err(Error::Io { what: "cannot look into", path: directory.into(), source });
    }
    let mut frames = Vec::new();
    let mut problems = Vec::new();
    let walk = walkdir::WalkDir::new(directory).follow_links(true).sort_by_file_name().into_iter();
    let hidden = |e: &walkdir::DirEntry| e.depth() > 0 && e.file_name().to_string_lossy().starts_with('.');
    for entry in walk.filter_entry(|e| !hidden(e)) {
        match entry {
            Ok(e) if e.file_type().is_file() && wanted(&e.file_name().to_string_lossy()) => frames.push(e.into_path()),
            Ok(_) => {}
            // A link that leads nowhere is still a name that looks like a frame: it gets its row.
            Err(e) => match e.path() {
                Some(p) if wanted(&p.file_name().unwrap_or_default().to_string_lossy()) => frames.push(p.to_owned()),
                _ => problems.push(e.to_string()),
            },
        }
    }
    Ok((frames, problems))
}

/// The only run in a directory; released when dropped, also by a crash.
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock of an output directory (created if need be), or says who holds it.
    pub fn take(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
        let path = directory.join(".ifured.lock");
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("cannot write in", directory))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(Error::Busy { directory: directory.into(), holder: holder.trim().to_owned() });
            }
            Err(fs::TryLockError::Error(source)) => return Err(Error::Io { what: "cannot lock", path, source }),
        }
        let _ = file.set_len(0);
        let _ = file.rewind();
        let _ = write!(file, "process {}: {}", std::process::id(), command_line());
        Ok(DirectoryLock { _file: file })
    }
}

/// Directories in which recipes of version 0.1 ran; now there is a place for them (see [`crate::execute::scratch`]).
const OLD_SCRATCH: &str = ".ifured-esorex-";

/// What was typed, for the record.
pub fn command_line() -> String {
    std::env::args_os().map(ifured_core::path::shown).collect::<Vec<_>>().join(" ")
}

/// Removes what a killed run left unfinished below a directory. Only with the lock held.
pub fn remove_unfinished(directory: &Path) -> usize {
    let walk = walkdir::WalkDir::new(directory).max_depth(4).contents_first(true).into_iter().filter_map(|e| e.ok());
    let remove = |e: walkdir::DirEntry| {
        let name = e.file_name().to_string_lossy();
        match (e.file_type().is_file(), name.starts_with('.')) {
            (true, true) if name.contains(UNFINISHED) => fs::remove_file(e.path()).is_ok(),
            (false, true) if name.starts_with(OLD_SCRATCH) => fs::remove_dir_all(e.path()).is_ok(),
            _ => false,
        }
    };
    walk.map(remove).filter(|removed| *removed).count()
}

/// Writes a small file so that it is there completely or not at all.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, |file| file.write_all(bytes))
}

/// Writes a file piece by piece so that it is there completely or not at all.
pub fn write_atomically_with(path: &Path, content: impl Fn(&mut BufWriter<&mut NamedTempFile>) -> std::io::Result<()>) -> Result<()> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(directory)?;
        let mut file = tempfile::Builder::new().prefix(&format!(".{UNFINISHED}-")).tempfile_in(directory)?;
        let mut writer = BufWriter::with_capacity(1 << 16, &mut file);
        content(&mut writer)?;
        writer.flush()?;
        drop(writer);
        file.as_file().sync_all()?;
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(Error::io("cannot write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_lose_directory_and_ending() {
        assert_eq!(stem("a/b/caf-20170319-16:00:00-cal.fits"), "caf-20170319-16:00:00-cal");
        assert_eq!(stem("x.fits.gz"), "x");
        assert_eq!(stem("x.FITS.Z"), "x");
    }

    #[test]
    fn second_lock_names_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let _first = DirectoryLock::take(dir.path()).unwrap();
        let Err(Error::Busy { holder, .. }) = DirectoryLock::take(dir.path()) else { panic!("locked twice") };
        assert!(holder.contains(&std::process::id().to_string()));
    }
}
