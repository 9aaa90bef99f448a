//! Things that go wrong around a run: other runs, hands, disks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use ifured_tests::{Scenario, assert_same_products, copy, products};

const REDUCE: [&str; 6] = ["-i", "cafos", "-o", "out", "reduce", "night/raw"];

fn one_product(s: &Scenario, tag: &str) -> PathBuf {
    let listed = s.ifured(&["-o", "out", "ls", "products", "--json"]).code(0).json();
    let row = listed.as_array().unwrap().iter().find(|r| r["tag"] == tag).unwrap_or_else(|| panic!("no {tag} in {listed}"));
    s.join("out").join(row["name"].as_str().unwrap())
}

#[test]
fn two_runs_at_once_in_one_directory() {
    let s = Scenario::new();
    s.simulate(&[]);
    let mut first = s.command(&REDUCE).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    while !s.join("out/ifured.sqlite").exists() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let second = s.ifured(&REDUCE);
    let first_code = first.wait().unwrap().code();
    assert_eq!(first_code, Some(0));
    // The first may have been faster than the start of the second.
    if second.code != Some(0) {
        second.code(1).says("another ifured is working in").says("help: wait until it has finished");
    }
}

#[test]
fn a_product_edited_by_hand_is_kept_and_made_again() {
    let s = Scenario::new();
    s.simulate(&[]);
    s.ifured(&REDUCE).code(0);
    let expected = products(&s.join("out"));
    let bias = one_product(&s, "master-bias");
    let mut bytes = fs::read(&bias).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&bias, &bytes).unwrap();
    s.ifured(&["-o", "out", "verify", bias.to_str().unwrap()]).code(1).says("WRONG");
    s.ifured(&REDUCE).code(0).says("was changed by someone else; it is kept as");
    assert_same_products(&expected, &products(&s.join("out")));
    let kept = bias.with_file_name(format!("{}.edited", bias.file_name().unwrap().to_string_lossy()));
    assert_eq!(fs::read(kept).unwrap(), bytes);
    s.ifured(&["-o", "out", "verify", bias.to_str().unwrap()]).code(0);
}

#[test]
fn a_raw_frame_replaced_under_its_name_is_noticed() {
    let s = Scenario::new();
    let raw = s.simulate(&[]);
    s.ifured(&REDUCE).code(0);
    let frames = s.ifured(&["-o", "out", "ls", "--tag", "bias", "--json"]).code(0).json();
    let name = frames[0]["name"].as_str().unwrap();
    let path = raw.parent().unwrap().join(name);
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // One pixel, same size, same modification time.
    let end = bytes.len() - 2880 * 2;
    bytes[end + 1] ^= 1;
    fs::write(&path, &bytes).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    let again = s.ifured(&REDUCE).code(0).says("has another content than before");
    assert!(!again.stdout.contains(" 0 run now"), "{again}");

    // Nothing stale: the same as from scratch.
    s.ifured(&["-i", "cafos", "-o", "fresh", "reduce", "night/raw"]).code(0);
    assert_same_products(&products(&s.join("fresh")), &products(&s.join("out")));
}

#[test]
fn a_directory_that_cannot_be_written() {
    let s = Scenario::new();
    s.simulate(&["--size", "128"]);
    fs::create_dir(s.join("closed")).unwrap();
    fs::set_permissions(s.join("closed"), fs::Permissions::from_mode(0o555)).unwrap();
    // Root may write anywhere: there, a file in the place of a directory has to serve.
    let root = fs::write(s.join("closed/probe"), b"x").is_ok();
    let place = if root {
        fs::write(s.join("a-file"), b"x").unwrap();
        "a-file/out"
    } else {
        "closed/out"
    };
    let ran = s.ifured(&["-i", "cafos", "-o", place, "reduce", "night/raw"]).code(1).says("error: cannot create");
    assert!(root || ran.stderr.contains("--output DIR"), "{ran}");
}

/// A file system of its own, small; unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(at: PathBuf, kib: u32) -> Option<Self> {
        fs::create_dir_all(&at).ok()?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|m| m.status.success()).then_some(SmallDisk(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    let s = Scenario::new();
    s.simulate(&["--size", "256"]);
    s.ifured(&["-i", "cafos", "-o", "fresh", "reduce", "night/raw"]).code(0);
    let Some(disk) = SmallDisk::new(s.join("out"), 6000) else {
        ifured_tests::skip("no file system can be mounted here");
        return;
    };
    let ran = s.ifured(&REDUCE).code(1);
    let text = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
    assert!(text.contains("no space") || text.contains("full"), "{ran}");
    let expected = products(&s.join("fresh"));
    for (name, bytes) in products(&s.join("out")) {
        assert!(expected[&name] == bytes, "{name} is not whole");
    }
    let more = Command::new("mount").args(["-o", "remount,size=1g"]).arg(&disk.0).status().unwrap();
    assert!(more.success());
    s.ifured(&REDUCE).code(0);
    assert_same_products(&expected, &products(&s.join("out")));
}

#[test]
fn duplicates_across_nights_destroy_nothing() {
    let s = Scenario::new();
    let raw = s.simulate(&["--nights", "2"]);
    s.ifured(&REDUCE).code(0);
    let expected = products(&s.join("out"));
    let frames = s.ifured(&["-o", "out", "ls", "--tag", "bias", "--json"]).code(0).json();
    let frames = frames.as_array().unwrap();
    let first_night = frames[0]["night"].as_str().unwrap();
    let other = frames.iter().find(|f| f["night"] != first_night).unwrap()["night"].as_str().unwrap();
    for frame in frames.iter().filter(|f| f["night"] == first_night).take(2) {
        let path = raw.parent().unwrap().join(frame["name"].as_str().unwrap());
        fs::copy(&path, raw.join(other).join(path.file_name().unwrap())).unwrap();
    }
    let again = s.ifured(&REDUCE).code(0).says("duplicate");
    assert!(again.stdout.contains(" 0 run now"), "{again}");
    assert_same_products(&expected, &products(&s.join("out")));
    s.ifured(&["-o", "out", "ls", "--where", "STATE == 'duplicate'"]).code(0).says("same content as");
}

#[test]
fn raw_frames_are_never_touched() {
    let s = Scenario::new();
    let raw = s.simulate(&["--size", "128"]);
    let before = products(&raw);
    copy(&raw, &s.join("copy"));
    s.ifured(&["-i", "cafos", "-o", "night/raw", "reduce", "night/raw"]).code(0);
    let after = products(&raw);
    for (name, bytes) in &before {
        assert!(after[name] == *bytes, "{name} was changed");
    }
    // Products inside the data directory are not taken for raw frames.
    let again = s.ifured(&["-i", "cafos", "-o", "night/raw", "reduce", "night/raw"]).code(0);
    assert!(again.stdout.contains(" 0 run now"), "{again}");
}
