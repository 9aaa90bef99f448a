//! What is stored is read back.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::catalogue::FILE;
use crate::frame::{Frame, FrameState};

fn empty() -> (tempfile::TempDir, Catalogue) {
    let directory = tempfile::tempdir().unwrap();
    let (catalogue, remarks) = Catalogue::open(directory.path()).unwrap();
    assert!(remarks.is_empty());
    (directory, catalogue)
}

#[test]
fn everything_survives_closing() {
    let (directory, mut catalogue) = empty();
    fill(&mut catalogue);
    let before = all(&catalogue);
    assert_eq!(before.len(), 1 + 3 + 1 + 1 + 2 + 3 + 3 + 4);
    drop(catalogue);
    let (again, remarks) = Catalogue::open(directory.path()).unwrap();
    assert_eq!((all(&again), remarks), (before.clone(), vec![]));
    let (reader, remarks) = Catalogue::open_to_read(directory.path()).unwrap();
    assert_eq!((all(&reader), remarks), (before, vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_frame_is_read_back_as_it_was_stored(
        name in prop::collection::vec(1u8..=255, 1..40),
        (hash, error) in (any::<String>(), any::<String>()),
        extensions in prop::collection::vec(any::<String>(), 0..4),
        axes in prop::collection::vec(any::<usize>(), 0..5),
        statistics in prop::collection::vec((any::<String>(), -1e300f64..1e300), 0..5),
        numbers in any::<Option<(i64, i64, i64, i64)>>(),
    ) {
        let (_directory, mut catalogue) = empty();
        let fingerprint = numbers.map(|(size, mtime_ns, ctime_ns, inode)| Fingerprint { size, mtime_ns, ctime_ns, inode });
        let row = ScannedRow { hash, error, extensions, axes, statistics, fingerprint, ..frame(odd_path(&name), 1) };
        catalogue.store_scan(&row.root, std::slice::from_ref(&row), &[]).unwrap();
        let (rows, remarks) = catalogue.scanned().unwrap();
        prop_assert_eq!(rows.iter().map(described).collect::<Vec<_>>(), vec![described(&row)]);
        prop_assert!(remarks.is_empty());
    }

    #[test]
    fn an_attempt_is_read_back_as_it_was_stored(
        (recipe, note, log) in (any::<String>(), any::<String>(), any::<String>()),
        (seconds, value) in (0.0f64..1e9, -1e300f64..1e300),
        bytes in 0..=i64::MAX as u64,
        run in any::<Option<i64>>(),
    ) {
        let (_directory, mut catalogue) = empty();
        let made = MadeProduct { bytes, ..made("a.fits", 1) };
        let outcome = Outcome { quality: vec![QualityNumber::new("N", value, "adu", "")], notes: vec![note], ..Outcome::default() };
        let mut stored = attempt("a1", 7, Ending::Done { outcome: outcome.clone(), products: vec![made] });
        (stored.task.recipe, stored.cost.seconds, stored.run) = (recipe, seconds, run);
        stored.log = log.clone();
        catalogue.merge(&[("a1.json".into(), stored.clone())]).unwrap();
        let known = catalogue.known().unwrap();
        prop_assert_eq!(&known.tasks["a1"].outcome, &outcome);
        prop_assert_eq!(&known.tasks["a1"].task, &stored.task);
        prop_assert_eq!(known.products["a.fits"].bytes, bytes);
        prop_assert_eq!(&known.attempts["a1"].attempt, &Attempt { log: String::new(), ..stored });
        prop_assert_eq!(catalogue.log("a1.json").unwrap(), log);
    }
}

#[test]
fn a_product_belongs_to_the_attempt_that_started_last() {
    let early = done("a1", 100, &[made("x.fits", 1)]);
    let late = done("b2", 200, &[made("x.fits", 2)]);
    // Together, or from two machines in either order.
    for batches in [vec![vec![&early, &late]], vec![vec![&late], vec![&early]], vec![vec![&early], vec![&late]]] {
        let (_directory, mut catalogue) = empty();
        for batch in batches {
            catalogue.merge(&named(&batch.into_iter().cloned().collect::<Vec<_>>())).unwrap();
        }
        let known = catalogue.known().unwrap();
        assert_eq!(known.products["x.fits"], product("x.fits", "b2", 2));
        assert_eq!(known.tasks.len(), 2);
    }
}

#[test]
fn the_last_attempt_counts_and_failure_takes_nothing_away() {
    let (_directory, mut catalogue) = empty();
    catalogue.merge(&named(&[failed("a1", 300), done("a1", 200, &[made("x.fits", 1)]), failed("a1", 100)])).unwrap();
    let known = catalogue.known().unwrap();
    assert_eq!(known.attempts["a1"].attempt.started_ms, 300);
    assert_eq!(catalogue.log(&known.attempts["a1"].record).unwrap(), "log of a1 at 300\n");
    assert!(known.tasks.contains_key("a1") && known.products.contains_key("x.fits"));
    assert_eq!(catalogue.merged().unwrap().len(), 3);
}

#[test]
fn a_product_is_adopted_until_something_later_makes_it() {
    let (_directory, mut catalogue) = empty();
    let adopted = product("x.fits", "a1", 1);
    let written_ms = u64::try_from(adopted.fingerprint.unwrap().mtime_ns / 1_000_000).unwrap();
    catalogue.store_done(&task("a1"), &outcome(), std::slice::from_ref(&adopted)).unwrap();
    catalogue.merge(&named(&[done("b2", written_ms - 1, &[made("x.fits", 2)])])).unwrap();
    assert_eq!(catalogue.known().unwrap().products["x.fits"], adopted);
    catalogue.merge(&named(&[done("c3", written_ms + 1, &[made("x.fits", 3)])])).unwrap();
    assert_eq!(catalogue.known().unwrap().products["x.fits"], product("x.fits", "c3", 3));
    catalogue.forget_products(&["x.fits".into()]).unwrap();
    assert!(catalogue.known().unwrap().products.is_empty());
}

#[test]
fn frames_that_are_gone_and_directories_that_are_forgotten_leave_nothing_behind() {
    let (directory, mut catalogue) = empty();
    fill(&mut catalogue);
    let root = odd_path(b"Mu\xf1oz");
    catalogue.store_scan(&root, &[], &[odd_path(b"a\xff.fits")]).unwrap();
    assert_eq!(catalogue.scanned().unwrap().0.len(), 2);
    catalogue.forget_root(&root).unwrap();
    drop(catalogue);
    let db = rusqlite::Connection::open(directory.path().join(FILE)).unwrap();
    for table in ["roots", "frames", "headers", "hints"] {
        let rows: i64 = db.query_row(&format!("SELECT count(*) AS n FROM {table}"), [], |r| r.get("n")).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

#[test]
fn a_classification_is_kept_for_other_tools() {
    let (directory, mut catalogue) = empty();
    fill(&mut catalogue);
    let before = all(&catalogue);
    let row = &catalogue.scanned().unwrap().0[0];
    let frame = Frame {
        path: row.path.clone(),
        name: "night/a.fits".into(),
        night: "20240720".into(),
        hash: row.hash.clone(),
        bytes: 2880,
        header: row.header.clone(),
        extensions: vec![],
        axes: row.axes.clone(),
        statistics: vec![],
        mjd: Some(57831.6667),
        instrument: None,
        tag: "bias".into(),
        state: FrameState::Good,
        why: String::new(),
        notes: vec![],
        trace: vec![],
        signature: Default::default(),
        corrections: vec![],
        exposure_name: None,
    };
    assert_eq!((frame.size().pixels, frame.size().planes, frame.size().bytes), (4224.0 * 4240.0, 1.0, 2880.0));
    catalogue.store_classification(&[Arc::new(frame)]).unwrap();
    assert_eq!(all(&catalogue), before);
    let db = rusqlite::Connection::open(directory.path().join(FILE)).unwrap();
    let of = |r: &rusqlite::Row<'_>| Ok((r.get("tag")?, r.get("mjd")?));
    let found: (String, f64) = db.query_row("SELECT tag, mjd FROM frames WHERE name = 'night/a.fits'", [], of).unwrap();
    assert_eq!(found, ("bias".into(), 57831.6667));
}

#[test]
fn runs_count_on_and_know_how_they_ended() {
    let (_directory, mut catalogue) = empty();
    assert_eq!(catalogue.last_run().unwrap(), None);
    for number in 1..=2 {
        assert_eq!(catalogue.start_run("ifured reduce", "muse", "{}", "").unwrap(), number);
        catalogue.end_run(number, 3).unwrap();
    }
    catalogue.end_run(99, 0).unwrap();
    let last = catalogue.last_run().unwrap().unwrap();
    assert_eq!((last.number, last.instrument.as_str()), (2, "muse"));
}
