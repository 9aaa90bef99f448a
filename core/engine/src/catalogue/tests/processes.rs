//! Several processes at one catalogue.

use std::process::{Command, Stdio};

use super::*;

const DIRECTORY: &str = "IFURED_TEST_CATALOGUE";
const TASKS: usize = 60;

/// The part of a reader; a test only where the other one starts it.
#[test]
fn reader() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let mut before = 0;
    while before < TASKS {
        let (catalogue, remarks) = Catalogue::open_to_read(Path::new(&directory)).unwrap();
        assert_eq!(remarks, []);
        let known = catalogue.known().unwrap();
        assert_eq!((known.tasks.len(), known.attempts.len()), (known.products.len(), known.products.len()), "all of a merge or nothing");
        assert!(known.remarks.is_empty() && known.tasks.len() >= before);
        assert!(catalogue.scanned().unwrap().1.is_empty());
        before = known.tasks.len();
    }
}

#[test]
fn two_processes_read_while_one_writes() {
    let directory = tempfile::tempdir().unwrap();
    let (mut catalogue, _) = Catalogue::open(directory.path()).unwrap();
    let this = std::env::current_exe().unwrap();
    let name = concat!(module_path!(), "::reader");
    let name = name.split_once("::").unwrap().1;
    let start = || {
        let mut command = Command::new(&this);
        command.args(["--exact", name]).env(DIRECTORY, directory.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    // They begin before the first scan, when the file is not yet in its final mode.
    let readers = [start(), start()];
    let root = odd_path(b"Mu\xf1oz");
    for n in 0..TASKS {
        if n % 10 == 5 {
            catalogue.store_scan(&root, &[frame(odd_path(format!("{n}").as_bytes()), 1)], &[]).unwrap();
        }
        let id = format!("task{n}");
        catalogue.merge(&named(&[done(&id, n as u64, &[made(&format!("{n}.fits"), 1)])])).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for reader in readers {
        let output = reader.wait_with_output().unwrap();
        let says = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && says.contains("1 passed"), "{says}{}", String::from_utf8_lossy(&output.stderr));
    }
}
