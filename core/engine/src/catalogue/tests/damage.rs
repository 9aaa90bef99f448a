//! What is damaged is not believed, and comes back.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::*;
use crate::catalogue::{FILE, Remark};
use crate::error::Damage;
use crate::error::Error;

fn filled() -> (tempfile::TempDir, BTreeSet<String>) {
    let directory = tempfile::tempdir().unwrap();
    let (mut catalogue, _) = Catalogue::open(directory.path()).unwrap();
    fill(&mut catalogue);
    let says = all(&catalogue);
    (directory, says)
}

/// What is said before the last attempts: right, and all that is left where one of them is damaged.
fn early() -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    let (mut catalogue, _) = Catalogue::open(directory.path()).unwrap();
    catalogue.merge(&journal()[..2]).unwrap();
    all(&catalogue)
}

/// Without waiting for the disk, which would take most of the time of the test.
fn hasty(db: Connection) -> Connection {
    db.pragma_update(None, "synchronous", "OFF").unwrap();
    db
}

fn damaged_rows(catalogue: &mut Catalogue) -> usize {
    crate::catalogue::damage::forget_damaged(&mut catalogue.db).unwrap().len()
}

/// Some values that differ from one by little.
fn damaged(value: &Value) -> Vec<Value> {
    let flip = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let mut places = vec![0, bytes.len() / 2, bytes.len().saturating_sub(1)];
        places.retain(|place| *place < bytes.len());
        places.dedup();
        let flipped = |(n, place): (usize, &usize)| {
            let mut bytes = bytes.to_vec();
            bytes[*place] ^= 1 << (n * 3 % 8);
            bytes
        };
        places.iter().enumerate().map(flipped).chain([[bytes, b"x"].concat()]).collect()
    };
    match value {
        Value::Null => vec![Value::Integer(0), Value::Text(String::new())],
        Value::Integer(i) => vec![Value::Integer(i ^ 1), Value::Integer(i ^ (1 << 40)), Value::Real(0.5)],
        Value::Real(r) => vec![Value::Real(f64::from_bits(r.to_bits() ^ 1))],
        // As SQLite has it: the type of a text whatever its bytes are.
        Value::Text(text) => flip(text.as_bytes()).into_iter().map(Value::Blob).collect(),
        Value::Blob(bytes) => flip(bytes).into_iter().map(Value::Blob).chain([Value::Text("x".into())]).collect(),
    }
}

#[test]
fn no_damaged_row_is_believed_whatever_byte_of_it_is_flipped() {
    let (directory, says) = filled();
    let believable: BTreeSet<String> = says.union(&early()).cloned().collect();
    let file = directory.path().join(FILE);
    let original = std::fs::read(&file).unwrap();
    let columns = crate::catalogue::schema::columns(&Connection::open(&file).unwrap()).unwrap();
    let mut flips = 0;
    for column in columns {
        let (table, column) = (column.table, column.column);
        let select = format!("SELECT rowid AS place, {column} AS value FROM {table}");
        let values: Vec<(i64, Value)> = {
            let db = Connection::open(&file).unwrap();
            let mut query = db.prepare(&select).unwrap();
            query.query_map([], |r| Ok((r.get("place")?, r.get("value")?))).unwrap().map(Result::unwrap).collect()
        };
        for (place, value, odd) in values.iter().flat_map(|(p, v)| damaged(v).into_iter().map(move |odd| (p, v, odd))) {
            std::fs::write(&file, &original).unwrap();
            let db = hasty(Connection::open(&file).unwrap());
            let cast = if matches!(value, Value::Text(_)) { "CAST(?2 AS TEXT)" } else { "?2" };
            // What the database itself does not take is no damage.
            if db.execute(&format!("UPDATE {table} SET {column} = {cast} WHERE rowid = ?1"), (place, &odd)).is_err() {
                continue;
            }
            drop(db);
            flips += 1;
            let what = format!("{table}.{column} of {place} as {odd:?}");
            let (reader, _) = Catalogue::open_to_read(directory.path()).unwrap();
            let left = all(&reader);
            assert!(left.is_subset(&believable), "{what}: {:?}", left.difference(&believable).collect::<Vec<_>>());
            assert!(table != "attempts" || reader.known().unwrap().remarks.len() == 1, "{what}");
            drop(reader);
            let (mut catalogue, remarks) = Catalogue::open(directory.path()).unwrap();
            catalogue.db = hasty(catalogue.db);
            let (_, more) = catalogue.scanned().unwrap();
            let left = all(&catalogue);
            assert!(left.is_subset(&says), "{what}: {:?}", left.difference(&says).collect::<Vec<_>>());
            // Said once, and brought back by the journal.
            let of_journal = ["tasks", "products", "attempts"].contains(&table.as_str());
            assert_eq!(of_journal || left.len() < says.len() - 1, of_journal || remarks.len() + more.len() > 1, "{what}");
            let merged = catalogue.merged().unwrap();
            let missing: Vec<_> = journal().into_iter().filter(|(record, _)| !merged.contains(record)).collect();
            catalogue.merge(&missing).unwrap();
            if of_journal {
                assert_eq!(remarks.len(), 1, "{what}");
                assert_eq!(all(&catalogue), says, "{what}");
            }
            assert_eq!((damaged_rows(&mut catalogue), catalogue.scanned().unwrap().1), (0, vec![]), "{what}");
        }
    }
    assert!(flips > 200, "{flips}");
}

#[test]
fn a_damaged_frame_is_forgotten_said_and_read_again() {
    let (directory, says) = filled();
    let db = Connection::open(directory.path().join(FILE)).unwrap();
    assert_eq!(db.execute("UPDATE headers SET cards = replace(cards, 'star 2', 'star 7')", []).unwrap(), 3);
    drop(db);
    let (mut catalogue, remarks) = Catalogue::open(directory.path()).unwrap();
    let (rows, more) = catalogue.scanned().unwrap();
    assert_eq!((remarks, more), (vec![], vec![Remark::DamagedRows { table: "frames", count: 1 }]));
    assert_eq!(rows.len(), 2);
    catalogue.store_scan(&odd_path(b"Mu\xf1oz"), &[frame(odd_path(b"b\xfe.fits"), 2)], &[]).unwrap();
    assert_eq!(all(&catalogue), says);
}

#[test]
fn a_lost_directory_is_known_from_its_frames() {
    let (directory, says) = filled();
    let db = Connection::open(directory.path().join(FILE)).unwrap();
    db.execute("UPDATE roots SET path = x'2f'", []).unwrap();
    drop(db);
    let (catalogue, remarks) = Catalogue::open(directory.path()).unwrap();
    assert_eq!(remarks, [Remark::DamagedRows { table: "roots", count: 1 }]);
    assert_eq!(all(&catalogue), says);
}

#[test]
fn a_file_with_other_tables_than_its_version_has_is_begun_anew_with_directories_and_runs() {
    for (change, column) in [
        ("ALTER TABLE frames DROP COLUMN axes", "frames.axes"),
        ("DROP TABLE attempts", "attempts.record"),
        ("ALTER TABLE products ADD COLUMN colour TEXT", "products.colour"),
        ("ALTER TABLE tasks RENAME COLUMN made_ms TO made", "tasks.made_ms"),
    ] {
        let (directory, _) = filled();
        let file = directory.path().join(FILE);
        Connection::open(&file).unwrap().execute_batch(change).unwrap();
        assert!(matches!(Catalogue::open_to_read(directory.path()), Err(Error::CatalogueDamaged { .. })));
        let (catalogue, remarks) = Catalogue::open(directory.path()).unwrap();
        let kept_as = directory.path().join("ifured.sqlite.damaged");
        assert!(kept_as.is_file());
        let why = Damage::Column(column.into());
        assert_eq!(remarks, [Remark::DamagedFile { kept_as, why, roots: 1, runs: 1 }], "{change}");
        assert_eq!(catalogue.roots().unwrap(), [odd_path(b"Mu\xf1oz")]);
        assert_eq!(catalogue.last_run().unwrap().unwrap().command, "ifured reduce");
        assert!(catalogue.merged().unwrap().is_empty() && catalogue.scanned().unwrap().0.is_empty());
    }
}

#[test]
fn tables_of_others_do_not_matter() {
    let (directory, says) = filled();
    let db = Connection::open(directory.path().join(FILE)).unwrap();
    db.execute_batch("CREATE TABLE mine (a); CREATE VIEW biases AS SELECT * FROM frames WHERE tag = 'bias'").unwrap();
    drop(db);
    let (catalogue, remarks) = Catalogue::open(directory.path()).unwrap();
    assert_eq!((all(&catalogue), remarks), (says, vec![]));
}

#[test]
fn a_file_that_is_no_database_is_kept_beside() {
    let directory = tempfile::tempdir().unwrap();
    for (n, name) in ["ifured.sqlite.damaged", "ifured.sqlite.damaged-2"].iter().enumerate() {
        std::fs::write(directory.path().join(FILE), format!("this is no database, whatever its name says {n}")).unwrap();
        let (catalogue, remarks) = Catalogue::open(directory.path()).unwrap();
        assert!(matches!(&remarks[..], [Remark::DamagedFile { kept_as, .. }] if kept_as.ends_with(name)), "{remarks:?}");
        assert!(remarks[0].to_string().contains("file is not a database"), "{}", remarks[0]);
        assert!(catalogue.roots().unwrap().is_empty());
    }
}

#[test]
fn a_file_that_was_cut_or_overwritten_is_rebuilt() {
    let (directory, _) = filled();
    let file = directory.path().join(FILE);
    let original = std::fs::read(&file).unwrap();
    for page in 1..original.len() / 16384 {
        let mut damaged = original.clone();
        damaged[page * 16384..][..64].fill(0x5a);
        std::fs::write(&file, damaged).unwrap();
        let (catalogue, remarks) = Catalogue::open(directory.path()).unwrap();
        assert!(matches!(&remarks[..], [Remark::DamagedFile { why: Damage::Unreadable(_), .. }]), "{page}: {remarks:?}");
        assert!(catalogue.merged().unwrap().is_empty());
    }
    std::fs::write(&file, &original[..original.len() / 2]).unwrap();
    assert!(matches!(Catalogue::open(directory.path()).unwrap().1[..], [Remark::DamagedFile { .. }]));
}

#[test]
fn a_file_whose_index_is_damaged_is_begun_anew() {
    let (directory, _) = filled();
    {
        // Its rows are whole; what is written next would fail.
        let db = Connection::open(directory.path().join(FILE)).unwrap();
        db.pragma_update(None, "writable_schema", true).unwrap();
        let place = "(SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_attempts_1')";
        db.execute(&format!("UPDATE sqlite_master SET rootpage = {place} WHERE name = 'sqlite_autoindex_tasks_1'"), []).unwrap();
    }
    assert!(matches!(Catalogue::open_to_read(directory.path()), Err(Error::CatalogueDamaged { .. })));
    let (catalogue, remarks) = Catalogue::open(directory.path()).unwrap();
    assert!(matches!(&remarks[..], [Remark::DamagedFile { why: Damage::Unreadable(_), .. }]), "{remarks:?}");
    assert!(catalogue.known().unwrap().tasks.is_empty() && !catalogue.roots().unwrap().is_empty());
}
