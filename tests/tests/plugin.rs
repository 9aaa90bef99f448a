//! A plugin library, built from a crate outside the workspace as its author would, found, refused, loaded and used.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ifured_tests::{Scenario, workspace};

/// Builds the instrument of the book as a library in a directory of its own; dependencies are those of the workspace.
fn toycam_library() -> PathBuf {
    library("toycam", &fs::read_to_string(workspace().join("tests/tests/toycam/toycam.rs")).unwrap())
}

fn library(name: &str, source: &str) -> PathBuf {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let crate_directory = target.join("plugin-tests").join(name);
    fs::create_dir_all(crate_directory.join("src")).unwrap();
    let root = workspace();
    let manifest = format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"
[lib]
crate-type = ["cdylib"]
[workspace]
[profile.release]
debug = false
[dependencies]
ifured-core = {{ path = "{core}" }}
ifured-pixels = {{ path = "{pixels}" }}
ndarray = "0.17"
rand = "0.9"
rand_chacha = "0.9"
rand_distr = "0.5"
schemars = "1"
serde = {{ version = "1", features = ["derive"] }}
serde_json = "1"
"#,
        core = root.join("core/contract").display(),
        pixels = root.join("core/pixels").display(),
    );
    fs::write(crate_directory.join("Cargo.toml"), manifest).unwrap();
    fs::write(crate_directory.join("src/lib.rs"), source).unwrap();
    // The versions that the workspace uses, so that nothing new is fetched.
    fs::copy(root.join("Cargo.lock"), crate_directory.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--quiet"]).current_dir(&crate_directory);
    for (key, _) in std::env::vars_os() {
        let key = key.to_string_lossy();
        if (key.starts_with("CARGO") && key != "CARGO_HOME") || key == "LD_LIBRARY_PATH" || key == "RUSTUP_TOOLCHAIN" {
            cargo.env_remove(&*key);
        }
    }
    // One directory for all plugins of these tests: their common parts are built once.
    cargo.env("CARGO_TARGET_DIR", target.join("plugin-tests/target"));
    assert!(cargo.status().unwrap().success(), "the plugin {name} does not build");
    let library = target.join(format!("plugin-tests/target/release/lib{name}.so"));
    // Whatever the umask of the machine is.
    fs::set_permissions(&library, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(library.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    library
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_instrument_of_the_book_as_a_library() {
    let library = toycam_library();
    let s = Scenario::new();
    let plugin = ["--plugin", text(&library)];
    let listed = s.ifured(&[&plugin[..], &["plugin", "ls"]].concat()).code(0);
    assert!(listed.stdout.contains("toycam") && listed.stdout.contains("libtoycam.so"), "{}", listed.stdout);

    s.ifured(&[&plugin[..], &["--instrument", "toycam", "simulate", "toy"]].concat()).code(0);
    s.ifured(&[&plugin[..], &["--output", "out", "reduce", "toy/raw"]].concat()).code(0);
    let truth = s.ifured(&[&plugin[..], &["--output", "out", "verify", "--truth", "toy/truth"]].concat()).code(0);
    assert!(truth.stdout.contains("2 of 2 comparisons recover the truth"), "{}", truth.stdout);
    // The library is part of the provenance.
    let product = s.ifured(&["--output", "out", "--json", "ls", "products"]);
    assert!(product.code != Some(0) || product.stdout.contains("toycam"), "{}", product.stdout);

    // Found by the variable, and by the configuration; never in the current directory.
    fs::create_dir(s.join("plugins")).unwrap();
    fs::copy(&library, s.join("plugins/libtoycam.so")).unwrap();
    fs::copy(&library, s.join("libtoycam.so")).unwrap();
    let without = s.ifured(&["plugin", "ls"]).code(0);
    assert!(!without.stdout.contains("toycam"));
    let mut command = s.command(&["plugin", "ls"]);
    command.env("IFURED_PLUGIN_PATH", s.join("plugins"));
    assert!(String::from_utf8_lossy(&command.output().unwrap().stdout).contains("toycam"));
    fs::write(s.join("my.toml"), "plugins = [\"plugins/libtoycam.so\"]\n").unwrap();
    let configured = s.ifured(&["--config", "my.toml", "plugin", "ls"]).code(0);
    assert!(configured.stdout.contains("toycam"));

    // What others can change is not loaded.
    fs::set_permissions(s.join("plugins/libtoycam.so"), fs::Permissions::from_mode(0o777)).unwrap();
    let refused = s.ifured(&["--plugin", "plugins/libtoycam.so", "plugin", "ls"]).code(2);
    assert!(refused.stderr.contains("everyone can write to"), "{}", refused.stderr);
}

#[test]
fn libraries_that_are_no_plugins_of_ours_say_so_in_two_lines() {
    let s = Scenario::new();
    let missing = s.ifured(&["--plugin", "nothing.so", "plugin", "ls"]).code(2);
    assert!(missing.stderr.contains("plugin nothing.so") && missing.stderr.lines().count() <= 2, "{}", missing.stderr);
    fs::write(s.join("text.so"), "no library").unwrap();
    let text = s.ifured(&["--plugin", "text.so", "plugin", "ls"]).code(2);
    assert!(text.stderr.lines().count() <= 2, "{}", text.stderr);
    // Another version of the interface: all that is read of it is one symbol.
    let other = library("other_version", "#[unsafe(no_mangle)]\npub static IFURED_INTERFACE_VERSION: u32 = 999;\n");
    let refused = s.ifured(&["--plugin", other.to_str().unwrap(), "plugin", "ls"]).code(2);
    assert!(refused.stderr.contains("interface version 999") && refused.stderr.lines().count() <= 2, "{}", refused.stderr);
    let none = library("no_plugin", "#[unsafe(no_mangle)]\npub static SOMETHING: u32 = 1;\n");
    let refused = s.ifured(&["--plugin", none.to_str().unwrap(), "plugin", "ls"]).code(2);
    assert!(refused.stderr.contains("no plugin of ifured"), "{}", refused.stderr);
}
