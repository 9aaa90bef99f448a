//! A crate to begin a plugin with: it compiles, passes its tests, classifies and reduces what it simulates.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;

/// Files of a new crate, with `myspec` for its name and `@IFURED@` for the source of ifured.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("src/lib.rs", include_str!("template/lib.rs")),
    ("rustfmt.toml", "max_width = 140\nuse_small_heuristics = \"Max\"\n"),
    (".gitignore", "/target\n"),
];

/// Writes the crate of an instrument into `directory`, which must not be there yet. `ifured` is the source of ifured that it is built
/// with. Gives the files.
///
/// # Errors
/// If the name is none for a crate, the directory is there, or the source is not.
pub fn create(name: &str, directory: &Path, ifured: &Path) -> Result<Vec<PathBuf>> {
    check_name(name)?;
    if directory.exists() {
        return Err(Error::usage(format!("{} is there already", directory.display()), "choose another directory; nothing was written"));
    }
    let ifured = ifured.canonicalize().ok().filter(|p| p.join("core/contract/Cargo.toml").is_file()).ok_or_else(|| {
        Error::usage(
            format!("the source of ifured is not in {}", ifured.display()),
            "a plugin is built with it: name its directory with --source DIR",
        )
    })?;
    let fill = |text: &str| {
        // The path may contain what looks like a placeholder: it comes last.
        let text = text.replace("MYSPEC", &name.to_uppercase()).replace("MySpec", &camel(name)).replace("myspec", name);
        text.replace("@IFURED@", &ifured.to_string_lossy())
    };
    let source = directory.join("src");
    std::fs::create_dir_all(&source).map_err(Error::io("cannot create", &source))?;
    let mut written = Vec::new();
    for (file, text) in FILES {
        let path = directory.join(file);
        files::write_atomically(&path, fill(text).as_bytes())?;
        written.push(path);
    }
    // The versions of all libraries that ifured itself was built with: types that cross the interface must be the same.
    let lock = ifured.join("Cargo.lock");
    if let Ok(text) = std::fs::read(&lock) {
        files::write_atomically(&directory.join("Cargo.lock"), &text)?;
    }
    Ok(written)
}

fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let begins = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    // What cargo does not take as the name of a crate, or what would be in the way of ifured's own crates.
    let taken = ["test", "core", "std", "alloc", "self", "super", "crate"].contains(&name) || name.starts_with("ifured");
    if begins && name.chars().all(plain) && !taken && name.len() <= 40 {
        return Ok(());
    }
    Err(Error::usage(
        format!("`{name}` cannot be the name of a plugin"),
        "begin with a letter, then a-z, 0-9, - or _: ifured plugin new myspec",
    ))
}

/// `my-spec` as the name of a type: `MySpec`.
fn camel(name: &str) -> String {
    let word = |part: &str| part[..1].to_uppercase() + &part[1..];
    name.split(['-', '_']).filter(|p| !p.is_empty()).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_crates() {
        assert_eq!((camel("my-spec_2"), camel("kast")), ("MySpec2".into(), "Kast".into()));
        for name in ["", "9x", "My", "../x", "a b", "ifured-x", "test", "ä"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("my-spec2").is_ok());
    }

    #[test]
    fn the_template_is_at_most_two_hundred_lines() {
        let lines: usize = FILES.iter().map(|(_, text)| text.lines().count()).sum();
        assert!(lines <= 200, "{lines}");
    }
}
