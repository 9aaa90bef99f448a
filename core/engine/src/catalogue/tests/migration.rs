//! Catalogues of other versions.

use rusqlite::Connection;

use super::*;
use crate::catalogue::{FILE, Remark, schema};
use crate::error::Damage;
use crate::error::Error;

const SHAPES: [&str; 4] = [
    include_str!("version_0_shape_1.sql"),
    include_str!("version_0_shape_2.sql"),
    include_str!("version_0_shape_3.sql"),
    include_str!("version_0_shape_4.sql"),
];
const BIAS: &str = "0b87a2eec0fe6b51f1c60c5a92a1c069";
const FLAT: &str = "77aa2eec0fe6b51f1c60c5a92a1c0a1b";
const NO_STAR: &str = "eeee2eec0fe6b51f1c60c5a92a1c0000";

fn older(sql: &str, ahead: bool) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let db = Connection::open(directory.path().join(FILE)).unwrap();
    if ahead {
        db.pragma_update(None, "journal_mode", "WAL").unwrap();
    }
    db.execute_batch(sql).unwrap();
    directory
}

fn check(shape: usize, catalogue: &Catalogue, remarks: &[Remark]) {
    // A task that nobody can read, and in the first shape a frame with the content hash of that time.
    let left_out = if shape == 1 { 2 } else { 1 };
    assert_eq!(remarks, [Remark::Migrated { from: 0, to: 1, to_read_again: 1, left_out }]);
    assert_eq!(catalogue.roots().unwrap(), [Path::new("/data/night")]);

    let (frames, remarks) = catalogue.scanned().unwrap();
    assert_eq!(remarks, []);
    let [bias, broken, muse] = &frames[..] else { panic!("{frames:?}") };
    // Known completely; to be read again for its axes; as unreadable as before.
    assert!(bias.fingerprint.is_some() && muse.fingerprint.is_none() && broken.fingerprint.is_some());
    assert_eq!((bias.path.as_path(), bias.hash.as_str()), (Path::new("/data/night/bias1.fits"), "d45e339eaad6ae8ee37005e1057024fd"));
    assert_eq!(bias.axes, [1100, 1600]);
    assert_eq!(bias.header.cards().len(), 8);
    assert_eq!(bias.header.text("OBJECT").unwrap(), "sky 20 µ");
    assert_eq!(bias.statistics[2], ("ROBUSTSTD".to_owned(), 6.6716999999999995));
    assert_eq!(muse.extensions.len(), if shape == 1 { 0 } else { 2 });
    assert_eq!(broken.error, "the file ends before its first header does");
    assert_eq!(catalogue.hints().unwrap().len(), usize::from(shape >= 3));

    let known = catalogue.known().unwrap();
    assert_eq!(known.remarks, []);
    assert_eq!(known.tasks.len(), 2);
    assert_eq!(known.tasks[BIAS].task.inputs.len(), 2);
    assert_eq!(known.tasks[BIAS].outcome.quality[0].name, "LEVEL");
    assert_eq!(known.tasks[FLAT].task.missing[0].role, "dark");
    assert_eq!(known.products.len(), 2);
    assert_eq!(known.products["flat/flat1_red.fits"].task, FLAT);
    assert_eq!(known.products["flat/flat1_red.fits"].fingerprint.unwrap().inode, 10084420);
    assert_eq!(known.attempts.len(), 3);
    let last = &known.attempts[BIAS];
    assert_eq!((last.record.as_str(), last.attempt.run, last.attempt.grade()), ("migrated-2", Some(2), Some(ifured_core::Grade::Good)));
    assert_eq!(last.attempt.started_ms, 1_795_299_520_000);
    assert_eq!(last.attempt.cost.usage.peak_memory, 31682560);
    let failed = known.attempts[NO_STAR].attempt.cause().unwrap().error();
    assert_eq!((failed.what.as_str(), failed.advice.as_str()), ("no star", "take another"));
    assert_eq!(catalogue.log("migrated-1").unwrap(), "warning: level\n");
    assert_eq!(catalogue.merged().unwrap().len(), 4);

    let run = catalogue.last_run().unwrap().unwrap();
    assert_eq!((run.number, run.started.as_str()), (2, "2026-11-21T22:18:40"));
}

#[test]
fn every_shape_of_version_0_is_migrated() {
    for (sql, shape) in SHAPES.iter().zip(1..) {
        for ahead in [false, true] {
            let directory = older(sql, ahead);
            let (mut catalogue, remarks) = Catalogue::open(directory.path()).unwrap();
            check(shape, &catalogue, &remarks);
            assert_eq!(catalogue.start_run("ifured", "cafos", "{}", "").unwrap(), 3);
            drop(catalogue);
            assert_eq!(Catalogue::open(directory.path()).unwrap().1, [], "only once");
        }
    }
}

#[test]
fn a_reader_migrates_in_memory() {
    for (sql, shape) in SHAPES.iter().zip(1..) {
        for ahead in [false, true] {
            let directory = older(sql, ahead);
            let before = std::fs::read(directory.path().join(FILE)).unwrap();
            let (mut catalogue, remarks) = Catalogue::open_to_read(directory.path()).unwrap();
            check(shape, &catalogue, &remarks);
            assert!(catalogue.start_run("ifured", "cafos", "{}", "").is_err());
            drop(catalogue);
            assert_eq!(std::fs::read(directory.path().join(FILE)).unwrap(), before);
        }
    }
}

#[test]
fn a_record_of_the_journal_follows_what_was_migrated() {
    let directory = older(SHAPES[3], false);
    let (mut catalogue, _) = Catalogue::open(directory.path()).unwrap();
    let now = done(FLAT, 1_800_000_000_000, &[made("flat/flat1_red.fits", 9)]);
    catalogue.merge(&named(&[now])).unwrap();
    let known = catalogue.known().unwrap();
    assert_eq!(known.products["flat/flat1_red.fits"].hash, made("", 9).hash);
    assert_eq!(known.attempts[FLAT].attempt.started_ms, 1_800_000_000_000);
}

#[test]
fn a_newer_catalogue_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(FILE);
    let db = Connection::open(&file).unwrap();
    db.execute_batch("CREATE TABLE frames (something INTEGER); PRAGMA user_version = 7;").unwrap();
    drop(db);
    let before = std::fs::read(&file).unwrap();
    for opened in [Catalogue::open(directory.path()), Catalogue::open_to_read(directory.path())] {
        let Err(error @ Error::CatalogueVersion { found: 7, known: schema::VERSION, .. }) = opened else { panic!("opened") };
        assert!(error.to_string().contains("a newer ifured wrote it (version 7 of the catalogue"), "{error}");
        assert!(error.advice().contains("use the newer ifured"), "{}", error.advice());
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_database_of_something_else_is_no_older_catalogue() {
    let directory = older("CREATE TABLE roots (path TEXT PRIMARY KEY); INSERT INTO roots VALUES ('/data'); CREATE TABLE other (a);", false);
    let (catalogue, remarks) = Catalogue::open(directory.path()).unwrap();
    let why = Damage::Column("frames.path".into());
    assert!(matches!(&remarks[..], [Remark::DamagedFile { why: w, roots: 1, .. }] if *w == why), "{remarks:?}");
    assert_eq!(catalogue.roots().unwrap(), [Path::new("/data")]);
}

#[test]
fn what_is_not_provably_without_extensions_is_read_again() {
    // Two blocks more than header and data: an extension may follow. Or one block more, which is too little for one.
    for (size, kept) in [(3525120, true), (3525120 + 2879, true), (3525120 + 2880, false), (2880, false)] {
        let directory = older(SHAPES[3], false);
        let db = Connection::open(directory.path().join(FILE)).unwrap();
        db.execute("UPDATE frames SET size = ?1 WHERE path LIKE '%bias1%'", [size]).unwrap();
        drop(db);
        let (catalogue, _) = Catalogue::open(directory.path()).unwrap();
        assert_eq!(catalogue.scanned().unwrap().0[0].fingerprint.is_some(), kept, "{size}");
    }
}
