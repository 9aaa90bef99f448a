//! Plugin libraries, built as their authors do: a crate outside the workspace, `cargo build --release`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace;

/// Where the crates of tests and what cargo makes of them are kept. One directory for all: their common parts are built once.
pub fn directory() -> PathBuf {
    let this = std::env::current_exe().expect("path of the test");
    this.ancestors().nth(3).expect("target/<profile>/deps/<test>").join("plugin-tests")
}

/// `cargo` in a crate outside the workspace.
pub fn cargo(crate_directory: &Path) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(crate_directory);
    // What cargo sets for a test must not reach another cargo.
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if (name.starts_with("CARGO") && name != "CARGO_HOME") || name == "LD_LIBRARY_PATH" {
            cargo.env_remove(&key);
        }
    }
    cargo.env("CARGO_TARGET_DIR", directory().join("target"));
    cargo
}

/// Builds a crate and gives its library.
pub fn build(crate_directory: &Path, name: &str) -> PathBuf {
    let built = cargo(crate_directory).args(["build", "--release", "--quiet"]).status().expect("cargo");
    assert!(built.success(), "the plugin in {} does not build", crate_directory.display());
    let library = directory().join(format!("target/release/lib{}.so", name.replace('-', "_")));
    // Whatever the umask of the machine is.
    for path in [library.as_path(), library.parent().expect("a directory")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permissions");
    }
    library
}

/// Writes a crate of one source file and builds it. `@IFURED@` in the manifest is the workspace.
pub fn build_from(name: &str, manifest: &str, source: &str) -> PathBuf {
    let crate_directory = directory().join(name);
    fs::create_dir_all(crate_directory.join("src")).expect("directory");
    fs::write(crate_directory.join("Cargo.toml"), manifest.replace("@IFURED@", &workspace().to_string_lossy())).expect("manifest");
    fs::write(crate_directory.join("src/lib.rs"), source).expect("source");
    // The versions that the workspace uses, so that nothing new is fetched.
    fs::copy(workspace().join("Cargo.lock"), crate_directory.join("Cargo.lock")).expect("lock");
    build(&crate_directory, name)
}
