//! Plugin libraries: finding them, judging whether they may be loaded, loading them.
//!
//! A library is looked for where the user says (`--plugin`, `plugins` of the configuration), in the directories of
//! `IFURED_PLUGIN_PATH`, and in the user's data directory; never in the current directory or beside data. What others can write
//! to is refused, for loading a library runs its code. The version of the interface is read first, from a plain C symbol, so
//! that a library of another time is one line of text; the layout of all types that cross is compared after that.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use abi_stable::library::{LibraryError, lib_header_from_path};
use ifured_core::module::{INTERFACE_VERSION, VERSION_SYMBOL};
use ifured_core::{Library, LoadedInstrument, Module};
use ifured_pixels::fits::hash_of_file;

use crate::error::{Error, Result};

/// Environment variable with directories of plugins, parted by colons.
pub const PATH_VARIABLE: &str = "IFURED_PLUGIN_PATH";

/// Libraries in the directories of `IFURED_PLUGIN_PATH` and in the user's data directory, in this order and by name.
///
/// # Errors
/// If a directory of the variable is not there or cannot be read.
pub fn libraries() -> Result<Vec<PathBuf>> {
    let variable = std::env::var_os(PATH_VARIABLE).unwrap_or_default();
    let mut found = Vec::new();
    for directory in std::env::split_paths(&variable).filter(|p| !p.as_os_str().is_empty()) {
        if !directory.is_absolute() {
            return Err(Error::usage(
                format!("{PATH_VARIABLE}: {} is a relative path, whose meaning changes with the current directory", directory.display()),
                "give absolute paths",
            ));
        }
        found.extend(libraries_in(&directory)?);
    }
    if let Some(directory) = user_directory().filter(|d| d.is_dir()) {
        found.extend(libraries_in(&directory)?);
    }
    Ok(found)
}

/// The user's own directory of plugins: `$XDG_DATA_HOME/ifured/plugins`, or `~/.local/share/ifured/plugins`.
pub fn user_directory() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(data.join("ifured/plugins"))
}

fn libraries_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).map_err(Error::io("cannot look for plugins in", directory))?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| is_library(p)).collect();
    found.sort();
    Ok(found)
}

fn is_library(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|e| e == std::env::consts::DLL_EXTENSION)
}

/// Loads a plugin.
///
/// # Errors
/// If the file is not there, may be changed by others, is no plugin, or is a plugin of another interface: in a line or two, with the cure.
/// All that the loader found goes to the log (`-v`).
pub fn load(path: &Path) -> Result<LoadedInstrument> {
    let shown = path.display().to_string();
    let fail = |what: String, advice: &str| Error::usage(format!("plugin {shown}: {what}"), advice);
    let path =
        path.canonicalize().map_err(|e| fail(format!("{e}"), "check the path; `ifured plugin ls` shows where plugins are looked for"))?;
    if !path.is_file() {
        return Err(fail("this is no file".into(), "name the library itself, lib<name>.so"));
    }
    for part in [Some(path.as_path()), path.parent()].into_iter().flatten() {
        refuse_if_others_can_write(part).map_err(|what| {
            fail(
                what,
                "whoever can change a plugin can run programs as you: take the right to write away (chmod go-w), or copy it elsewhere",
            )
        })?;
    }
    let hash = hash_of_file(&path).map_err(Error::io("cannot read", &path))?;
    check_version(&path).map_err(|(what, advice)| fail(what, advice))?;
    let module = root_module(&path).map_err(|e| {
        tracing::info!("plugin {shown}: {e}");
        fail(
            format!("its interface is laid out in another way than ours ({})", first_cause(&e)),
            "build it again with the ifured-core of this release; -v shows everything that differs",
        )
    })?;
    let instrument =
        LoadedInstrument::new(module).map_err(|e| fail(e.what, "ask its author: `ifured plugin check` shows what is wrong"))?;
    Ok(instrument.of_library(Library { path, hash }))
}

/// The right to write for another owner, the group or all; a directory with the sticky bit is safe, for only owners replace files in it.
fn refuse_if_others_can_write(path: &Path) -> std::result::Result<(), String> {
    let metadata = std::fs::metadata(path).map_err(|e| e.to_string())?;
    let mode = metadata.permissions().mode();
    let sticky = metadata.is_dir() && mode & 0o1000 != 0;
    let shown = format!("{} (mode {:o})", path.display(), mode & 0o7777);
    if mode & 0o002 != 0 && !sticky {
        return Err(format!("everyone can write to {shown}"));
    }
    // A group of one's own, with one's own number, is no danger.
    if mode & 0o020 != 0 && metadata.gid() != metadata.uid() && !sticky {
        return Err(format!("a group can write to {shown}"));
    }
    let (owner, me) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != me && owner != 0 {
        return Err(format!("{} belongs to user {owner}, neither to you nor to root", path.display()));
    }
    Ok(())
}

/// Compares the version of the interface.
fn check_version(path: &Path) -> std::result::Result<(), (String, &'static str)> {
    // SAFETY: loading runs the initialisation of the library. The user named it or put it where plugins are, and nobody else can write to it.
    let library = unsafe { libloading::Library::new(path) };
    let library = library.map_err(|e| (loader_text(&e), "it must be a shared library for this machine, with all libraries it needs"))?;
    // SAFETY: whatever exports this name does so by the macro, as a number of this type.
    let version = unsafe { library.get::<*const u32>(VERSION_SYMBOL.as_bytes()).map(|v| **v) };
    match version {
        Ok(INTERFACE_VERSION) => Ok(()),
        Ok(other) => Err((
            format!("it was made for interface version {other}, this ifured has version {INTERFACE_VERSION}"),
            "build it again with the ifured-core of this release",
        )),
        Err(_) => Err((
            "it is a library, but no plugin of ifured".to_owned(),
            "a plugin ends with ifured_core::export_instrument!(…); and is built with crate-type = [\"cdylib\"]",
        )),
    }
}

fn loader_text(error: &libloading::Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

fn root_module(path: &Path) -> std::result::Result<Module, LibraryError> {
    lib_header_from_path(path)?.init_root_module::<Module>()
}

/// The first line of a long comparison of layouts that says what differs.
fn first_cause(error: &LibraryError) -> String {
    let text = error.to_string();
    let telling = ["incompatible", "mismatched", "too many", "Expected", "expected"];
    let line = text.lines().map(str::trim).find(|l| telling.iter().any(|t| l.contains(t)));
    line.or(text.lines().map(str::trim).find(|l| !l.is_empty())).unwrap_or("no reason given").chars().take(120).collect()
}

/// Refuses two instruments of one name.
///
/// # Errors
/// If there are any, with where they come from.
pub fn refuse_twins(instruments: &[LoadedInstrument]) -> Result<()> {
    for (n, one) in instruments.iter().enumerate() {
        if let Some(other) = instruments[..n].iter().find(|i| i.description().is_called(&one.description().name)) {
            return Err(Error::usage(
                format!(
                    "two instruments are called `{}`: {} and {}",
                    one.description().name,
                    other.description().origin(),
                    one.description().origin()
                ),
                "load one of them only, or rename one",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        load(path).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_no_plugin_is_refused_in_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("libx.so");
        assert!(refusal(&path).contains("No such file"));
        std::fs::write(&path, "text").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refusal(&path).contains("file too short") || refusal(&path).contains("invalid ELF header"), "{}", refusal(&path));
        assert!(refusal(directory.path()).contains("this is no file"));
    }

    #[test]
    fn what_others_can_write_to_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("libx.so");
        std::fs::write(&path, "text").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(refusal(&path).contains("everyone can write to"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(refusal(&path).contains("everyone can write to"));
    }
}
