//! Shared set-up of the end-to-end scenarios: a fresh directory and the command, as a user would have them.
//!
//! A scenario that fails prints the command, its status, both outputs and what is in the directory.

pub mod plugin_library;
pub mod raw_file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

pub use ifured_test_support::{shared, skip};
use tempfile::TempDir;

/// The `ifured` program: the one that `IFURED_PROGRAM` names (`make test` builds it first), or built here in the profile of
/// the tests.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("IFURED_PROGRAM") {
        Some(program) => workspace().join(program),
        None => build(),
    })
}

fn build() -> PathBuf {
    // target/<profile>/deps/<test>: the program lies two levels up.
    let this = std::env::current_exe().expect("path of the test");
    let profile_dir = this.parent().and_then(Path::parent).expect("target/<profile>/deps").to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "ifured"]).current_dir(workspace());
    if profile_dir.ends_with("release") {
        cargo.arg("--release");
    }
    // What cargo sets for a test would make build scripts believe that everything has changed.
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        let kept = matches!(&*name, "CARGO_HOME" | "CARGO_TARGET_DIR" | "CARGO_INCREMENTAL");
        if (name.starts_with("CARGO") && !kept) || name == "LD_LIBRARY_PATH" {
            cargo.env_remove(key);
        }
    }
    assert!(cargo.status().expect("cargo").success(), "ifured does not build");
    profile_dir.join("ifured")
}

/// Root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// A fresh directory.
pub struct Scenario {
    directory: TempDir,
}

/// What a command did.
pub struct Ran {
    /// The command line.
    pub command: String,
    /// Exit code; none if it was killed.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    tree: String,
}

impl Default for Scenario {
    fn default() -> Self {
        Self::new()
    }
}

impl Scenario {
    /// A fresh directory, removed at the end.
    pub fn new() -> Self {
        Scenario { directory: tempfile::Builder::new().prefix("ifured-scenario-").tempdir().expect("a temporary directory") }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A path in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// The command in this directory, not started yet.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(self.path()).env_remove("IFURED_LOG");
        command
    }

    /// Runs `ifured` with these arguments.
    pub fn ifured<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Ran {
        let output = self.command(arguments).output().expect("ifured runs");
        let words: Vec<String> = arguments.iter().map(|a| a.as_ref().to_string_lossy().into_owned()).collect();
        self.ran(words.join(" "), output)
    }

    /// What a finished command did.
    pub fn ran(&self, command: String, output: Output) -> Ran {
        Ran {
            command,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            tree: tree(self.path()).join("\n"),
        }
    }

    /// Simulates a CAFOS night into `night/raw` and `night/truth`.
    pub fn simulate(&self, more: &[&str]) -> PathBuf {
        let mut arguments = vec!["--instrument", "cafos", "simulate", "night"];
        arguments.extend(more);
        self.ifured(&arguments).code(0);
        self.join("night/raw")
    }
}

impl Ran {
    /// Checks the exit code.
    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert!(self.code == Some(expected), "expected exit code {expected}\n{self}");
        self
    }

    /// Checks that either output says this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "does not say `{text}`\n{self}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON: {e}\n{self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "command: ifured {}", self.command)?;
        writeln!(f, "status:  {:?}", self.code)?;
        writeln!(f, "---- standard output\n{}", self.stdout)?;
        writeln!(f, "---- standard error\n{}", self.stderr)?;
        writeln!(f, "---- directory\n{}", self.tree)
    }
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            walk(&entry, found);
        } else {
            found.push(entry);
        }
    }
}

fn tree(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    walk(directory, &mut found);
    found.iter().map(|p| p.strip_prefix(directory).unwrap_or(p).display().to_string()).collect()
}

/// All FITS files below a directory by name, with their content: to compare products byte for byte. Hidden files are no products.
pub fn products(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = Vec::new();
    walk(directory, &mut found);
    let hidden = |p: &Path| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
    let fits = found.into_iter().filter(|p| p.extension().is_some_and(|e| e == "fits") && !hidden(p));
    fits.map(|p| (p.strip_prefix(directory).unwrap_or(&p).display().to_string(), std::fs::read(&p).expect("a product"))).collect()
}

/// Says which products differ.
#[track_caller]
pub fn assert_same_products(expected: &BTreeMap<String, Vec<u8>>, found: &BTreeMap<String, Vec<u8>>) {
    let names = |m: &BTreeMap<String, Vec<u8>>| m.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(found), "not the same products");
    let differ: Vec<&String> = expected.iter().filter(|(name, bytes)| found[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(differ.is_empty(), "other bytes in {differ:?}");
}

/// Copies a directory.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
