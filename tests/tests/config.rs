//! Wrong configurations, and what is said of them: all at once, each at its line and column.

use std::fs;

use ifured_tests::{Ran, Scenario};

/// What `config check` says of a file with this content, without the advice that follows.
fn check(name: &str, content: impl AsRef<[u8]>) -> String {
    let s = Scenario::new();
    fs::write(s.join(name), content).unwrap();
    said(&s.ifured(&["config", "check", name]).code(2))
}

fn said(ran: &Ran) -> String {
    assert!(ran.stdout.is_empty(), "{ran}");
    ran.stderr.lines().filter(|l| !l.starts_with("help: ")).map(|l| l.to_owned() + "\n").collect()
}

const WRONG_TOML: &str = "\
instrument = \"cafos\"
wolf = 3

[recipes.master-bias]
clip_sgima = 3
clip_sigma = 1000
method = \"medain\"
enabled = 1

[recipes.master-biass]

[[frames.ignore]]
flies = [\"a\"]

[[frames.force]]
files = [\"a\"]
tag = \"bais\"

[classification.bias]
expect = [ { key = \"A\", is = \"=>\", value = 3 }, { is = \"=\" } ]
signature = [ { key = \"ä\", compare = { withn = 3 } }, { key = \"ö\", compare = \"exakt\" }, { key = \"RA\", compare = { sky = { arcsec = 3 } } } ]
";

#[test]
fn all_that_is_wrong_in_toml_comes_at_once() {
    insta::assert_snapshot!(check("bad.toml", WRONG_TOML));
}

#[test]
fn all_that_is_wrong_in_json_comes_at_once() {
    let text = "{\n  \"instrument\": \"cafos\",\n  \"wolf\": 3,\n  \"recipes\": {\n    \"master-bias\": {\"clip_sgima\": 3, \"clip_sigma\": 1000, \
                \"method\": \"medain\"},\n    \"master-biass\": {}\n  },\n  \"frames\": {\"force\": [{\"files\": \"a\", \"tag\": \"bais\"}]},\n  \
                \"resources\": {\"threads\": null}\n}\n";
    insta::assert_snapshot!(check("bad.json", text));
}

#[test]
fn a_number_with_its_unit_is_told_the_unit_of_the_key() {
    let text = "instrument = \"cafos\"\n[association.science-imaging.bias]\nmax_age = \"3 days\"\nmax_age_days = \"3 d\"\n\
                [grouping.master-bias]\nspan_hours = \"15h\"\n[resources]\nmemory_gb = \"16 MB\"\n[recipes.coadd]\nsearch = \"60 pixels\"\n";
    insta::assert_snapshot!(check("units.toml", text));
}

#[test]
fn columns_count_characters_whatever_the_line_looks_like() {
    // A byte order mark, ends of lines of Windows, tabs, letters of two and three bytes before what is wrong.
    let text = "\u{feff}instrmnt = \"cafos\"\r\n[resources]\r\n\tthreads = 0 # ä\r\n\"größe in Å\".x = { y = 3 }\r\nframes = { ä = 1 }\r\n";
    insta::assert_snapshot!(check("windows.toml", text));
    let json = "\u{feff}{\"instrument\": \"cafos\",\r\n\t\"frames\": {\"ignore\": [{\"why\": \"Å 星\", \"flies\": []}]}}\r\n";
    insta::assert_snapshot!(check("windows.json", json));
}

#[test]
fn duplicate_keys_are_errors_in_both_formats() {
    let toml =
        "instrument = \"cafos\"\nresources.threads = 3\n[resources]\nthreads = 4\n[recipes.coadd]\nsearch = 10\nsearch = 11\nserch = 3\n";
    insta::assert_snapshot!(check("twice.toml", toml));
    insta::assert_snapshot!(check(
        "twice.json",
        "{\"instrument\": \"cafos\",\n \"recipes\": {},\n \"recipes\": {\"coadd\": {\"serch\": 1}}}\n"
    ));
}

#[test]
fn wrong_syntax_does_not_hide_the_rest() {
    insta::assert_snapshot!(check(
        "syntax.toml",
        "instrument = \"cafos\"\n[resources]\nthreads = \n[recipes.coadd]\nserch = 3\nsearch = inf\n"
    ));
    insta::assert_snapshot!(check(
        "syntax.json",
        "{\"instrument\": \"cafos\",\n // the search\n \"recipes\": {\"coadd\": {\"serch\": 1,}}}\n"
    ));
}

#[test]
fn an_unknown_instrument_does_not_hide_the_rest() {
    insta::assert_snapshot!(check(
        "unknown.toml",
        "instrument = \"cafs\"\n[resources]\nthredas = 1\n[recipes.master-bias]\nmethod = \"medain\"\n"
    ));
}

#[test]
fn what_is_nested_without_end_is_one_error() {
    let deep = 100_000;
    let texts = [
        ("list.toml", format!("a = {}", "[".repeat(deep))),
        ("closed.toml", format!("a = {}{}", "[".repeat(deep), "]".repeat(deep))),
        ("inline.toml", format!("a = {}", "{a=".repeat(deep))),
        ("dotted.toml", format!("{} = 1", vec!["a"; deep].join("."))),
        ("header.toml", "[".repeat(deep)),
        ("list.json", "[".repeat(deep)),
        ("closed.json", format!("{}{}", "[".repeat(deep), "]".repeat(deep))),
        ("object.json", "{\"a\":".repeat(deep)),
        ("hundred.json", format!("{{\"a\": {}{}}}", "[".repeat(100), "]".repeat(100))),
    ];
    for (name, text) in texts {
        let said = check(name, text);
        let errors: Vec<&str> = said.lines().filter(|l| l.starts_with("error: ") && !l.contains("unknown key")).collect();
        assert!(errors.len() == 1 && errors[0].starts_with(&format!("error: {name}:1:")), "{name}: {said}");
        assert!(said.lines().all(|l| l.len() < 400), "{name}: {said}");
    }
    let s = Scenario::new();
    s.ifured(&["config", "check", "--set", &format!("{}=1", vec!["a"; 100_000 / 8].join("."))]).code(2).says("is no key");
}

#[test]
fn files_that_are_no_text_or_not_there() {
    insta::assert_snapshot!(check("latin.toml", b"instrument = \"cafos\"\n# \xc3\xa4\xc3\xb6 \xff\n"));
    insta::assert_snapshot!(check("latin.json", b"{\"instrument\": \"caf\xe4s\"}"));
    let s = Scenario::new();
    fs::create_dir(s.join("directory.toml")).unwrap();
    s.ifured(&["config", "check", "directory.toml"]).code(2).says("directory.toml: is a directory");
    s.ifured(&["config", "check", "missing.toml"]).code(2).says("missing.toml: there is no such file");
    s.ifured(&["config", "check"]).code(2).says("there is neither ifured.toml nor ifured.json in");
    for name in ["empty.toml", "empty.json"] {
        fs::write(s.join(name), "").unwrap();
        s.ifured(&["config", "check", name]).code(0).says("nothing is wrong, but it names no instrument");
        s.ifured(&["-i", "cafos", "config", "check", name]).code(0).says("nothing is wrong (checked for cafos)");
    }
}

#[test]
fn set_is_checked_in_the_same_way() {
    let s = Scenario::new();
    let sets = [
        "recipes.master-bias.clip_sgima=4",
        "recipes.master-bias.clip_sigma=4 sigma",
        "recipes.master-bias.method=medain",
        "grouping.master-bias.span_hours=15h",
        "plugins=[1",
        "=3",
        "a..b=3",
    ];
    let mut all = String::new();
    for set in sets {
        all += &said(&s.ifured(&["-i", "cafos", "config", "check", "--set", set]).code(2));
    }
    insta::assert_snapshot!(all);
    s.ifured(&["-i", "cafos", "config", "check", "--set", "nothing"]).code(2).says("--set nothing: no `=`");
}

#[test]
fn all_commands_say_the_same() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    fs::write(s.join("ifured.toml"), WRONG_TOML).unwrap();
    let whole = said(&s.ifured(&["config", "check"]).code(2));
    for arguments in [&["reduce", "night/raw"][..], &["plan", "night/raw"], &["scan", "night/raw"], &["config", "show"]] {
        assert_eq!(said(&s.ifured(arguments).code(2)), whole, "{arguments:?}");
    }
}

#[test]
fn machines_get_places_and_suggestions() {
    let s = Scenario::new();
    fs::write(s.join("ifured.toml"), WRONG_TOML).unwrap();
    let answer = s.ifured(&["config", "check", "--json"]).code(2).json();
    assert_eq!((&answer["valid"], &answer["instrument"]), (&false.into(), &"cafos".into()));
    let typo = answer["problems"].as_array().unwrap().iter().find(|p| p["line"] == 5).unwrap();
    assert_eq!(
        (&typo["column"], &typo["key"], &typo["suggestion"]),
        (&1.into(), &"recipes.master-bias.clip_sgima".into(), &"clip_sigma".into())
    );
}

#[test]
fn resolved_values_say_where_they_come_from() {
    let s = Scenario::new();
    fs::write(s.join("ifured.toml"), "instrument = \"CAFOS\"\n\n[recipes.master-bias]\nclip_sigma = 5\n").unwrap();
    let ran = s.ifured(&["config", "show", "--resolved", "--set", "recipes.master-bias.method=median"]).code(0);
    let line = |key: &str| {
        let found = ran.stdout.lines().find(|l| l.starts_with(key)).unwrap_or_else(|| panic!("{key}\n{ran}"));
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("recipes.master-bias.clip_sigma"), "recipes.master-bias.clip_sigma = 5 # ifured.toml:4");
    let set = "recipes.master-bias.method = \"median\" # --set recipes.master-bias.method=median";
    assert_eq!(line("recipes.master-bias.method"), set);
    assert_eq!(line("recipes.master-bias.hot_pixel"), "recipes.master-bias.hot_pixel = 50.0 # ADU; built-in default");
    assert_eq!(line("# resources.threads"), "# resources.threads is not set # built-in default: all cores");
    // What is shown is itself a configuration.
    fs::write(s.join("shown.toml"), &ran.stdout).unwrap();
    s.ifured(&["-i", "cafos", "config", "check", "shown.toml"]).code(0);
    let set = s.ifured(&["config", "show"]).code(0).stdout;
    assert_eq!(set.lines().count(), 2, "{set}");
}
