//! The tables of this version.

use rusqlite::Connection;

use super::sealed::Table;

/// Version of the schema. One more with every change of a table, of a column or of what a column means, and a reader of the version before
/// in `migrate`.
pub(super) const VERSION: i64 = 1;

/// What `frames` has beyond its digest is for whoever looks into the catalogue with other tools; it is never read back.
const SCHEMA: &str = "
CREATE TABLE roots (path BLOB NOT NULL PRIMARY KEY, digest TEXT NOT NULL);
CREATE TABLE frames (
    path BLOB NOT NULL PRIMARY KEY, root BLOB NOT NULL, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER,
    hash TEXT NOT NULL, statistics TEXT NOT NULL, axes TEXT NOT NULL, extensions TEXT NOT NULL, error TEXT NOT NULL, digest TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '', night TEXT NOT NULL DEFAULT '', mjd REAL, tag TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT '', why TEXT NOT NULL DEFAULT '');
CREATE TABLE headers (path BLOB NOT NULL PRIMARY KEY, cards TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE hints (path BLOB NOT NULL PRIMARY KEY, root BLOB NOT NULL, says TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE tasks (
    id TEXT NOT NULL PRIMARY KEY, record TEXT, recipe TEXT NOT NULL, night TEXT NOT NULL, made_ms INTEGER NOT NULL, task TEXT NOT NULL,
    outcome TEXT NOT NULL, grade TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE products (
    name TEXT NOT NULL PRIMARY KEY, tag TEXT NOT NULL, task TEXT NOT NULL, made_ms INTEGER NOT NULL, hash TEXT NOT NULL,
    bytes INTEGER NOT NULL, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER, digest TEXT NOT NULL);
CREATE TABLE attempts (
    record TEXT NOT NULL PRIMARY KEY, task TEXT NOT NULL, run INTEGER, started_ms INTEGER NOT NULL, state TEXT NOT NULL,
    attempt TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE logs (record TEXT NOT NULL PRIMARY KEY, log TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE runs (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, started TEXT NOT NULL, command TEXT NOT NULL, version TEXT NOT NULL,
    instrument TEXT NOT NULL, config TEXT NOT NULL, plan TEXT NOT NULL, exit_code INTEGER, digest TEXT NOT NULL DEFAULT '');
";

pub(super) const ROOTS: Table = Table { name: "roots", key: "path", columns: &["path"] };
pub(super) const FRAMES: Table = Table {
    name: "frames",
    key: "path",
    columns: &["path", "root", "size", "mtime_ns", "ctime_ns", "inode", "hash", "statistics", "axes", "extensions", "error"],
};
pub(super) const HEADERS: Table = Table { name: "headers", key: "path", columns: &["path", "cards"] };
pub(super) const HINTS: Table = Table { name: "hints", key: "path", columns: &["path", "root", "says"] };
pub(super) const TASKS: Table =
    Table { name: "tasks", key: "id", columns: &["id", "record", "recipe", "night", "made_ms", "task", "outcome", "grade"] };
pub(super) const PRODUCTS: Table = Table {
    name: "products",
    key: "name",
    columns: &["name", "tag", "task", "made_ms", "hash", "bytes", "size", "mtime_ns", "ctime_ns", "inode"],
};
pub(super) const ATTEMPTS: Table =
    Table { name: "attempts", key: "record", columns: &["record", "task", "run", "started_ms", "state", "attempt"] };
pub(super) const LOGS: Table = Table { name: "logs", key: "record", columns: &["record", "log"] };
pub(super) const RUNS: Table = Table {
    name: "runs",
    key: "number",
    columns: &["number", "started", "command", "version", "instrument", "config", "plan", "exit_code"],
};

/// Makes the tables of this version.
pub(super) fn create(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(SCHEMA)?;
    db.pragma_update(None, "user_version", VERSION)
}

/// The version that a database says it is of.
pub(super) fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |r| r.get("user_version"))
}

/// A column as SQLite describes it.
#[derive(Debug, PartialEq)]
pub(super) struct ColumnShape {
    pub table: String,
    pub column: String,
    kind: String,
    not_null: bool,
    key: i64,
}

/// All columns of all tables, in order.
pub(super) fn columns(db: &Connection) -> rusqlite::Result<Vec<ColumnShape>> {
    let sql = "SELECT m.name AS table_name, c.name AS column_name, c.type AS kind, c.\"notnull\" AS not_null, c.pk AS key
        FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, c.cid";
    let shape = |r: &rusqlite::Row<'_>| {
        Ok(ColumnShape {
            table: r.get("table_name")?,
            column: r.get("column_name")?,
            kind: r.get("kind")?,
            not_null: r.get("not_null")?,
            key: r.get("key")?,
        })
    };
    db.prepare(sql)?.query_map([], shape)?.collect()
}

/// The first column in which the tables are not those of this version, as `frames.axes`. Tables of others do not matter.
pub(super) fn difference(db: &Connection) -> rusqlite::Result<Option<String>> {
    let model = Connection::open_in_memory()?;
    create(&model)?;
    let (wanted, found) = (columns(&model)?, columns(db)?);
    let absent = wanted.iter().find(|c| !found.contains(c));
    let odd = || found.iter().find(|c| wanted.iter().any(|w| w.table == c.table) && !wanted.contains(c));
    Ok(absent.or_else(odd).map(|c| format!("{}.{}", c.table, c.column)))
}
