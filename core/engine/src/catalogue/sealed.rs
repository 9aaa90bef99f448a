//! Rows with a digest over their content, so that a damaged one is noticed wherever the damage is.
//!
//! The digest is the content hash of frames (XXH3): it notices any change by accident and is no defence against forgery.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use ifured_pixels::fits::ContentHasher;
use rayon::prelude::*;
use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Params, Row, params_from_iter};

use super::remark::Remark;

/// A table and the columns that its digest covers, which are those that are read.
pub(super) struct Table {
    pub name: &'static str,
    /// What a row is known by.
    pub key: &'static str,
    pub columns: &'static [&'static str],
}

/// What happens to a row of the same key.
#[derive(Clone, Copy)]
pub(super) enum Conflict {
    /// The new one takes its place.
    Replace,
    /// It stays.
    Keep,
    /// The one that was made later stays (`made_ms`); of two, the new one.
    Newest,
}

/// A value for a column.
pub(super) type Cell<'a> = (&'static str, ValueRef<'a>);

/// Rows of a table that are whole, and the others.
pub(super) struct Rows<T> {
    pub whole: Vec<T>,
    /// Where those are that are not.
    pub damaged: Vec<i64>,
}

impl Table {
    /// Writes a row: all columns of the table, in their order.
    pub fn insert(&self, db: &Connection, conflict: Conflict, cells: &[Cell<'_>]) -> rusqlite::Result<()> {
        debug_assert!(cells.iter().map(|(name, _)| name).eq(self.columns), "columns of {}", self.name);
        let (verb, otherwise) = match conflict {
            Conflict::Replace => ("INSERT OR REPLACE", String::new()),
            Conflict::Keep => ("INSERT", format!(" ON CONFLICT ({}) DO NOTHING", self.key)),
            Conflict::Newest => ("INSERT", self.newest()),
        };
        let places: Vec<String> = (1..=cells.len() + 1).map(|n| format!("?{n}")).collect();
        let sql = format!("{verb} INTO {} ({}, digest) VALUES ({}){otherwise}", self.name, self.columns.join(", "), places.join(", "));
        let digest = digest(cells.iter().map(|(_, value)| Ok(*value)))?;
        let values = cells.iter().map(|(_, value)| *value).chain([text(&digest)]);
        db.prepare_cached(&sql)?.execute(params_from_iter(values.map(ToSqlOutput::Borrowed)))?;
        Ok(())
    }

    fn newest(&self) -> String {
        let set: Vec<String> = self.columns.iter().chain(&["digest"]).map(|c| format!("{c} = excluded.{c}")).collect();
        format!(" ON CONFLICT ({}) DO UPDATE SET {} WHERE excluded.made_ms >= {}.made_ms", self.key, set.join(", "), self.name)
    }

    /// Gives a row its digest, after it was changed in place.
    pub fn seal(&self, db: &Connection, row: i64) -> rusqlite::Result<()> {
        let digest = db.query_row(&self.select("WHERE rowid = ?1"), [row], |r| self.digest(r))?;
        db.execute(&format!("UPDATE {} SET digest = ?2 WHERE rowid = ?1", self.name), (row, digest))?;
        Ok(())
    }

    fn select(&self, which: &str) -> String {
        // `rowid` alone would be named as the key is where that is a number.
        format!("SELECT rowid AS place, {}, digest FROM {} {which}", self.columns.join(", "), self.name)
    }

    fn digest(&self, row: &Row<'_>) -> rusqlite::Result<String> {
        digest(self.columns.iter().map(|column| row.get_ref(*column)))
    }

    /// Whether the digest of a row fits.
    pub fn is_whole(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let digest = self.digest(row)?;
        Ok(matches!(row.get_ref("digest")?, ValueRef::Text(found) if found == digest.as_bytes()))
    }

    /// Reads rows. One that is not whole, or that `decode` makes nothing of, counts as damaged.
    pub fn read<T>(
        &self,
        db: &Connection,
        which: &str,
        params: impl Params,
        mut decode: impl FnMut(&Row<'_>) -> Option<T>,
    ) -> rusqlite::Result<Rows<T>> {
        let mut found = Rows { whole: Vec::new(), damaged: Vec::new() };
        let mut query = db.prepare(&self.select(which))?;
        let mut rows = query.query(params)?;
        while let Some(row) = rows.next()? {
            match self.is_whole(row)?.then(|| decode(row)).flatten() {
                Some(value) => found.whole.push(value),
                None => found.damaged.push(row.get("place")?),
            }
        }
        Ok(found)
    }

    /// Forgets rows.
    pub fn forget(&self, db: &Connection, places: &[i64]) -> rusqlite::Result<()> {
        let mut delete = db.prepare(&format!("DELETE FROM {} WHERE rowid = ?1", self.name))?;
        places.iter().try_for_each(|place| delete.execute([place]).map(drop))
    }
}

/// Hash of values with their types: no two rows that differ are written the same.
fn digest<'a>(values: impl Iterator<Item = rusqlite::Result<ValueRef<'a>>>) -> rusqlite::Result<String> {
    let mut hasher = ContentHasher::default();
    let mut add = |kind: u8, bytes: &[u8]| {
        let mut head = [kind; 9];
        head[1..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        hasher.add(&head);
        hasher.add(bytes);
    };
    for value in values {
        match value? {
            ValueRef::Null => add(0, &[]),
            ValueRef::Integer(i) => add(1, &i.to_le_bytes()),
            ValueRef::Real(r) => add(2, &r.to_bits().to_le_bytes()),
            ValueRef::Text(t) => add(3, t),
            ValueRef::Blob(b) => add(4, b),
        }
    }
    Ok(hasher.finish())
}

/// A text as a value.
pub(super) fn text(text: &str) -> ValueRef<'_> {
    ValueRef::Text(text.as_bytes())
}

/// A path as a value.
pub(super) fn bytes(path: &Path) -> ValueRef<'_> {
    ValueRef::Blob(path.as_os_str().as_bytes())
}

/// A number as a value.
pub(super) fn number(number: Option<i64>) -> ValueRef<'static> {
    number.map_or(ValueRef::Null, ValueRef::Integer)
}

/// A column as what it should be.
pub(super) fn get<T: FromSql>(row: &Row<'_>, column: &str) -> Option<T> {
    row.get(column).ok()
}

/// A column that holds a path.
pub(super) fn path(row: &Row<'_>, column: &str) -> Option<PathBuf> {
    get::<Vec<u8>>(row, column).map(|bytes| std::ffi::OsString::from_vec(bytes).into())
}

/// A value as JSON.
pub(super) fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

/// Decodes rows on all cores, and says how many were damaged.
pub(super) fn decoded<T: Send, R: Send>(
    rows: Rows<T>,
    table: &'static str,
    remarks: &mut Vec<Remark>,
    decode: impl Fn(T) -> Option<R> + Send + Sync,
) -> Vec<R> {
    let found = rows.whole.len() + rows.damaged.len();
    let decoded: Vec<R> = rows.whole.into_par_iter().filter_map(decode).collect();
    if decoded.len() < found {
        remarks.push(Remark::DamagedRows { table, count: found - decoded.len() });
    }
    decoded
}
