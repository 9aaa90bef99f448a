//! Plugin libraries, built from crates outside the workspace as their authors would: begun, checked, found, refused, loaded, used.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ifured_tests::{Ran, Scenario, plugin_library, shared, workspace};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `ifured --plugin LIBRARY ...`.
fn with(s: &Scenario, library: &Path, arguments: &[&str]) -> Ran {
    s.ifured(&[&["--plugin", text(library)], arguments].concat())
}

/// The library of the crate that `ifured plugin new myspec` writes.
fn myspec() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let s = Scenario::new();
        let directory = plugin_library::directory().join("myspec");
        let _ = fs::remove_dir_all(&directory);
        let written = s.ifured(&["plugin", "new", "myspec", text(&directory)]).code(0);
        assert!(written.stdout.contains("cargo test"), "{}", written.stdout);
        // Its own test is the conformance kit.
        assert!(plugin_library::cargo(&directory).args(["test", "--release", "--quiet"]).status().unwrap().success());
        plugin_library::build(&directory, "myspec")
    })
}

fn misbehaving() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        plugin_library::build_from("misbehaving", include_str!("misbehaving/Cargo.toml.in"), include_str!("misbehaving/lib.rs"))
    })
}

#[test]
fn a_new_plugin_classifies_and_reduces_what_it_simulates() {
    let library = myspec();
    let s = Scenario::new();
    with(&s, library, &["--instrument", "myspec", "simulate", "night"]).code(0);
    with(&s, library, &["--output", "out", "reduce", "night/raw"]).code(0);
    with(&s, library, &["--output", "out", "verify", "--truth", "night/truth"]).code(0).says("4 of 4 comparisons recover the truth");
    let checked = s.ifured(&["plugin", "check", text(library)]).code(0);
    assert!(checked.stdout.contains("17 of 17 checks pass, 0 remarks"), "{}", checked.stdout);
    // The schema of its parameters is merged, and its configuration checked.
    let schema = with(&s, library, &["-i", "myspec", "schema"]).code(0).json();
    assert_eq!(schema["properties"]["recipes"]["properties"]["image"]["properties"]["gain"]["maximum"], 100.0);
    let refused = with(&s, library, &["-o", "out", "reduce", "--set", "recipes.image.gian=2"]).code(2);
    assert!(refused.stderr.contains("gain"), "{}", refused.stderr);
    // A configuration that `init` writes knows the library; without one, the directory says what is missing.
    let missing = s.ifured(&["-o", "out", "ls"]).code(2);
    assert!(missing.stderr.contains("`myspec`") && missing.stderr.contains("--plugin"), "{}", missing.stderr);
    for format in ["toml", "json"] {
        with(&s, library, &["-i", "myspec", "init", "out", "--format", format, "--force"]).code(0);
        s.ifured(&["-o", "out", "config", "check"]).code(0);
        s.ifured(&["-o", "out", "ls"]).code(0);
        fs::remove_file(s.join(format!("out/ifured.{format}"))).unwrap();
    }
    // The library is part of the provenance of each product.
    let listed = with(&s, library, &["--json", "plugin", "ls"]).code(0).json();
    let hash = listed.as_array().unwrap().iter().find_map(|i| i["description"]["library"]["hash"].as_str()).unwrap().to_owned();
    let product = fs::read_dir(s.join("out/bias")).unwrap().flatten().next().unwrap().path();
    let product = fs::read_dir(product).unwrap().flatten().next().unwrap().path();
    let header = s.ifured(&["show", "--header", text(&product)]).code(0);
    assert!(header.stdout.contains(&hash), "{hash}\n{}", header.stdout);
}

#[test]
fn plugins_are_found_where_the_user_says_and_nowhere_else() {
    let library = myspec();
    let s = Scenario::new();
    let known = |ran: &Ran| ran.stdout.contains("myspec");
    let listed = with(&s, library, &["plugin", "ls"]).code(0);
    assert!(listed.stdout.contains("libmyspec.so") && listed.stdout.contains("interface version 4"), "{}", listed.stdout);

    fs::create_dir_all(s.join("plugins")).unwrap();
    fs::create_dir_all(s.join("home/ifured/plugins")).unwrap();
    fs::copy(library, s.join("plugins/libmyspec.so")).unwrap();
    // Never in the current directory, nor beside data.
    fs::copy(library, s.join("libmyspec.so")).unwrap();
    assert!(!known(&s.ifured(&["plugin", "ls"]).code(0)));
    // By the variable.
    let asked = |variable: &str, value: &Path| {
        let mut command = s.command(&["plugin", "ls"]);
        let output = command.env(variable, value).output().unwrap();
        s.ran(format!("{variable}={} ifured plugin ls", value.display()), output)
    };
    assert!(known(&asked("IFURED_PLUGIN_PATH", &s.join("plugins")).code(0)));
    asked("IFURED_PLUGIN_PATH", Path::new("plugins")).code(2);
    // By the configuration, seen from its file.
    fs::write(s.join("my.toml"), "plugins = [\"plugins/libmyspec.so\"]\n").unwrap();
    assert!(known(&s.ifured(&["--config", "my.toml", "plugin", "ls"]).code(0)));
    // In the user's data directory; a bad one there is said and is not in the way.
    fs::copy(library, s.join("home/ifured/plugins/libmyspec.so")).unwrap();
    fs::write(s.join("home/ifured/plugins/libbroken.so"), "broken").unwrap();
    let found = asked("XDG_DATA_HOME", &s.join("home")).code(0);
    assert!(known(&found) && found.stderr.contains("note: not loaded") && found.stderr.contains("libbroken.so"), "{}", found.stderr);

    // What others can change is not loaded, be it the file or its directory.
    for (path, mode) in [("plugins/libmyspec.so", 0o777), ("plugins", 0o777)] {
        let before = fs::metadata(s.join(path)).unwrap().permissions();
        fs::set_permissions(s.join(path), fs::Permissions::from_mode(mode)).unwrap();
        let refused = s.ifured(&["--plugin", "plugins/libmyspec.so", "plugin", "ls"]).code(2);
        assert!(refused.stderr.contains("everyone can write to") && refused.stderr.contains("chmod go-w"), "{}", refused.stderr);
        fs::set_permissions(s.join(path), before).unwrap();
    }
    s.ifured(&["--plugin", "plugins/libmyspec.so", "plugin", "ls"]).code(0);
}

#[test]
fn what_is_no_plugin_of_ours_is_said_in_two_lines() {
    let s = Scenario::new();
    let refused = |library: &Path, what: &str| {
        let ran = with(&s, library, &["plugin", "ls"]).code(2);
        assert!(ran.stderr.contains(what) && ran.stderr.lines().count() <= 2, "{}", ran.stderr);
    };
    refused(Path::new("nothing.so"), "plugin nothing.so");
    fs::write(s.join("text.so"), "no library").unwrap();
    fs::set_permissions(s.join("text.so"), fs::Permissions::from_mode(0o644)).unwrap();
    refused(Path::new("text.so"), "text.so");
    // Another version of the interface: all that is read of it is one symbol.
    let small = "[package]\nname = \"@NAME@\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n";
    let library = |name: &str, source: &str| plugin_library::build_from(name, &small.replace("@NAME@", name), source);
    let other = library("other_version", "#[unsafe(no_mangle)]\npub static IFURED_INTERFACE_VERSION: u32 = 999;\n");
    refused(&other, "it was made for interface version 999");
    let none = library("no_plugin", "#[unsafe(no_mangle)]\npub static SOMETHING: u32 = 1;\n");
    refused(&none, "no plugin of ifured");
    // The same version with another layout: two fields of the interface have changed places.
    let other = other_layout();
    refused(&other, "its interface is laid out in another way");
    let full = with(&s, &other, &["-v", "plugin", "ls"]).code(2);
    assert!(full.stderr.lines().count() > 20, "-v shows all that differs: {}", full.stderr);
}

/// A plugin that was built with a contract whose interface has two fields in another order.
fn other_layout() -> PathBuf {
    let directory = plugin_library::directory().join("other_layout");
    let contract = directory.join("core/contract");
    let copy = |from: &Path, to: &Path| {
        for entry in walk(from) {
            let target = to.join(entry.strip_prefix(from).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(&entry, target).unwrap();
        }
    };
    copy(&workspace().join("core/contract"), &contract);
    let module = fs::read_to_string(contract.join("src/module.rs")).unwrap();
    let swapped = module.replace("pub run: extern", "pub RUN: extern").replace("pub simulate: extern", "pub run: extern");
    let swapped = swapped.replace("pub RUN: extern", "pub simulate: extern");
    assert_ne!(module, swapped);
    fs::write(contract.join("src/module.rs"), swapped).unwrap();
    // The workspace's manifest, for the versions in it.
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find(|l| l.starts_with("members")).unwrap();
    fs::write(directory.join("Cargo.toml"), manifest.replace(members, "members = [\"core/contract\", \"plugin\"]")).unwrap();
    fs::copy(workspace().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    fs::create_dir_all(directory.join("plugin/src")).unwrap();
    let plugin = "[package]\nname = \"other_layout\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[dependencies]\nifured-core = { path = \"../core/contract\" }\n";
    fs::write(directory.join("plugin/Cargo.toml"), plugin).unwrap();
    let source = "use ifured_core::prelude::*;
struct Other;
impl Instrument for Other {
    fn describe(&self) -> InstrumentDescription { InstrumentDescription { name: \"other\".into(), ..Default::default() } }
    fn recipes(&self) -> Result<Vec<Box<dyn AnyRecipe>>, RecipeError> { Ok(vec![]) }
    fn simulate(&self, _: &SimulationRequest, _: &dyn Host) -> Result<Simulation, RecipeError> { Ok(Simulation::default()) }
    fn compare_with_truth(&self, _: &std::path::Path, _: &[ProductPath]) -> Result<Vec<TruthRow>, RecipeError> { Ok(vec![]) }
}
ifured_core::export_instrument!(Other);
";
    fs::write(directory.join("plugin/src/lib.rs"), source).unwrap();
    plugin_library::build(&directory.join("plugin"), "other_layout")
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().flatten().map(|e| e.path());
    entries.flat_map(|p| if p.is_dir() { walk(&p) } else { vec![p] }).collect()
}

#[test]
fn what_a_task_of_a_plugin_does_costs_that_task_only() {
    let library = misbehaving();
    let s = Scenario::new();
    with(&s, library, &["-i", "misbehaving", "simulate", "night"]).code(0);
    for (behave, said) in [
        ("panic", "the plugin panicked: seven stars in the slit"),
        ("abort", "signal 6"),
        ("segfault", "signal 11"),
        ("loop", "took longer than 0.02 minutes"),
    ] {
        let set = format!("recipes.work.behave={behave}");
        let ran = with(&s, library, &["-o", behave, "reduce", "night/raw", "--set", &set, "--set", "resources.task_minutes=0.02"]).code(1);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(said), "{behave}: {}\n{}", ran.stdout, ran.stderr);
        assert!(s.join(behave).join("copy/bystander_copy.fits").is_file() && !s.join(behave).join("copy/victim_copy.fits").exists());
        // Mended, it is done; the other is not done again.
        with(&s, library, &["-o", behave, "reduce"]).code(0);
        assert!(s.join(behave).join("copy/victim_copy.fits").is_file());
    }
}

#[test]
fn what_a_plugin_says_of_itself_cannot_bring_a_command_down() {
    let library = misbehaving();
    let s = Scenario::new();
    let run = |how: &str, arguments: &[&str]| {
        let all = [&["--plugin", text(library)], arguments].concat();
        s.ran(format!("MISBEHAVE={how} ifured {}", all.join(" ")), s.command(&all).env("MISBEHAVE", how).output().unwrap())
    };
    let refused = |how: &str, what: &str| {
        let ran = run(how, &["plugin", "ls"]).code(2);
        assert!(ran.stderr.contains(what) && ran.stderr.contains("libmisbehaving.so"), "{how}: {}", ran.stderr);
    };
    refused("abort", "signal 6");
    refused("panic", "no description today");
    refused("twin", "two instruments are called `cafos`");
    // An invalid schema is found by the kit, and by whatever needs the schema.
    let check = run("schema", &["plugin", "check", text(library)]).code(1);
    assert!(check.stdout.contains("WRONG  schemas are JSON Schema"), "{}", check.stdout);
    let schema = run("schema", &["-i", "misbehaving", "reduce", "."]);
    assert!(schema.code != Some(0) && schema.stderr.contains("schema"), "{}", schema.stderr);
    // The kit survives what it checks.
    let died = run("simulate", &["plugin", "check", text(library)]).code(1);
    assert!(died.stderr.contains("the check died"), "{}", died.stderr);
    let wrong = s.ifured(&["plugin", "check", text(library)]).code(1);
    assert!(wrong.stdout.contains("WRONG  the truth comes back"), "{}", wrong.stdout);
}

#[test]
fn two_plugins_that_claim_the_same_frames_are_both_named() {
    let s = Scenario::new();
    let both = ["--plugin", text(myspec()), "--plugin", text(misbehaving())];
    let run = |arguments: &[&str]| s.ifured(&[&both[..], arguments].concat());
    run(&["-i", "myspec", "simulate", "night"]).code(0);
    let refused = run(&["-o", "out", "reduce", "night/raw"]).code(2);
    for word in ["myspec", "misbehaving", "libmyspec.so", "libmisbehaving.so", "--instrument"] {
        assert!(refused.stderr.contains(word), "{word}: {}", refused.stderr);
    }
    run(&["-o", "out", "-i", "myspec", "reduce", "night/raw"]).code(0);
}

/// The Lick Kast blue spectrograph of the book: nine real frames of an instrument that the program does not know.
#[test]
fn the_instrument_of_the_book_reduces_real_frames() {
    let kast = workspace().join("docs/examples/kast");
    fs::copy(workspace().join("Cargo.lock"), kast.join("Cargo.lock")).unwrap();
    assert!(plugin_library::cargo(&kast).args(["test", "--release", "--quiet"]).status().unwrap().success());
    let library = plugin_library::build(&kast, "kast");
    let s = Scenario::new();
    s.ifured(&["plugin", "check", text(&library)]).code(0);
    let lines = |file: &str| fs::read_to_string(kast.join(file)).unwrap().lines().count();
    assert!(lines("src/lib.rs") + lines("Cargo.toml") <= 300);

    let Some(raw) = shared("data/kast") else { return };
    with(&s, &library, &["-o", "out", "reduce", text(&raw)]).code(0);
    let listed = with(&s, &library, &["-o", "out", "--json", "ls", "--columns", "OBJECT"]).code(0).json();
    let count = |tag: &str| listed.as_array().unwrap().iter().filter(|f| f["tag"] == tag).count();
    assert_eq!(["bias", "flat", "arc", "science"].map(count), [3, 3, 1, 2]);
    let image = |name: &str| ifured_pixels::fits::read_image(s.join("out").join(name)).unwrap().1;
    // Bias: scatter of the pixels as their variance says; the amplifiers differ by less than the structure of the bias.
    let bias = image("bias/2015-05-19/b21_bias.fits");
    let pulls = bias.pulls(|(_, x)| if x < 1024 { 1.55 } else { 1.29 });
    assert!((pulls.std() - 1.0).abs() < 0.1 && bias.median().abs() < 5.0, "{pulls:?}");
    // Flat: a response about 1.
    let flat = image("flat/2015-05-19/b11_flat.fits");
    assert!((flat.median() - 1.0).abs() < 0.002, "{}", flat.median());
    // Science: no step where one amplifier ends and the other begins, though their bias levels are 22 ADU apart.
    let science = image("science/2015-05-19/b27_red.fits");
    let column = |range: std::ops::Range<usize>| science.data.slice(ndarray::s![20..60, range]).mean().unwrap();
    assert!((column(1014..1024) - column(1024..1034)).abs() < 5.0);
    // The arc was taken through another slit than the flat: quality level 1, and said so.
    let why = with(&s, &library, &["-o", "out", "why", "b1_red.fits"]).code(0);
    assert!(why.stdout.contains("SLIT_N"), "{}", why.stdout);
}
