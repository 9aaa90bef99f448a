//! Lists of frames, groups, tasks and products: selected, sorted, with the columns that are asked for.
//!
//! A row has fields of its own (`NAME`, `TAG`, …), values that belong to it (quality numbers, associated calibrations) and
//! the keywords and pixel statistics of its frame, or of the first frame a product was made from. They are looked up in that
//! order, by one name without regard to case.

pub mod answer;
mod origin;
mod render;
mod rows;

use ifured_core::header::normalise;
use ifured_core::{Lookup, Value};

use crate::error::{Error, Result};
use crate::filter::{Filter, Judgement, no_such_key};
use crate::view::{Snapshot, TaskState, frames, groups, products, quality, tasks};

pub use origin::{Origin, origin};
pub use render::Format;
pub use rows::Row;

/// What is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum What {
    /// Raw frames.
    #[default]
    Frames,
    /// Groups of frames that belong together, planned or not.
    Groups,
    /// Tasks of the plan.
    Tasks,
    /// Products in the catalogue.
    Products,
    /// Quality numbers of the products, over time.
    Quality,
}

impl What {
    /// The word for so many of them.
    pub fn word(self, count: usize) -> &'static str {
        match (self, count) {
            (What::Frames, 1) => "frame",
            (What::Frames, _) => "frames",
            (What::Groups, 1) => "group",
            (What::Groups, _) => "groups",
            (What::Tasks, 1) => "task",
            (What::Tasks, _) => "tasks",
            (What::Products, 1) => "product",
            (What::Products, _) => "products",
            (What::Quality, 1) => "value",
            (What::Quality, _) => "values",
        }
    }

    /// Whether the plan has to be known for it.
    pub fn needs_plan(self) -> bool {
        matches!(self, What::Groups | What::Tasks)
    }
}

/// What is asked of a list.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Only these tags; `*` and `?` are wild. For groups and tasks the tags of main frames and products, or the recipe.
    pub tags: Vec<String>,
    /// Only nights that match this pattern.
    pub night: Option<String>,
    /// Only rows for which this filter holds.
    pub filter: Option<String>,
    /// Columns after the usual ones.
    pub columns: Vec<String>,
    /// Columns to sort by, then by name; they are shown too.
    pub sort: Vec<String>,
    /// Every row says why it is what it is, and what was odd about it, also the good ones: for machines.
    pub reasons: bool,
    /// Most decimals of a real number; 5 in tables, all in CSV and JSON if not given.
    pub decimals: Option<usize>,
}

/// A list, ready to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// What is listed.
    pub what: What,
    /// Names of the columns; the first is `name`.
    pub columns: Vec<String>,
    /// Values, one row each; `None` where a row has no such key.
    pub rows: Vec<Vec<Option<Value>>>,
    /// Where each row's file is; empty where there is none.
    pub paths: Vec<String>,
    /// Tag of each row, for colours in plots.
    pub tags: Vec<String>,
    /// What the reader should know: rows that could not be judged.
    pub notes: Vec<String>,
    decimals: Option<usize>,
}

/// Lists what is asked for.
///
/// # Errors
/// As [`table`]; if the snapshot has no plan and one is needed.
pub fn list(snapshot: &Snapshot, what: What, options: &ListOptions) -> Result<Table> {
    let rows = collect(snapshot, what)?;
    let mut table = table(what, &rows, options, &usual_columns(snapshot, what, &rows, options))?;
    if what == What::Tasks {
        let note = other_plans(&table);
        table.notes.extend(note);
    }
    Ok(table)
}

/// Says where the listed products come from that this plan does not make.
fn other_plans(table: &Table) -> Option<String> {
    let state = TaskState::NotPlanned.as_str();
    let column = table.column("STATE").ok()?;
    let count = table.rows.iter().filter(|row| row[column].as_ref().and_then(Value::as_text) == Some(state)).count();
    let what = "made with other settings, or of frames that are not known now; with the same --set they are `done`";
    (count > 0).then(|| format!("{count} {} {state}: {what}", What::Tasks.word(count)))
}

/// The keys that columns, sorting and filters of such a list can name, in alphabetical order: for `--columns all`.
///
/// # Errors
/// If the snapshot has no plan and one is needed.
pub fn keys(snapshot: &Snapshot, what: What, options: &ListOptions) -> Result<Vec<String>> {
    let rows = collect(snapshot, what)?;
    let chosen: Vec<&Row> = rows.iter().filter(|r| is_selected(r, options)).collect();
    Ok(known_keys(&chosen))
}

fn collect(snapshot: &Snapshot, what: What) -> Result<Vec<Row>> {
    Ok(match what {
        What::Frames => frames::frames(snapshot).into_iter().map(rows::of_frame).collect(),
        What::Products => products::products(snapshot).into_iter().map(rows::of_product).collect(),
        What::Groups => groups::groups(snapshot, snapshot.planned()?).into_iter().map(rows::of_group).collect(),
        What::Tasks => tasks::tasks(snapshot, snapshot.planned()?).into_iter().map(rows::of_task).collect(),
        What::Quality => quality::quality(snapshot).series.iter().flat_map(rows::of_series).collect(),
    })
}

fn usual_columns(snapshot: &Snapshot, what: What, rows: &[Row], options: &ListOptions) -> Vec<String> {
    let mut columns: Vec<&str> = match what {
        What::Frames => vec!["name", "night", "tag", "state"],
        What::Groups => vec!["name", "night", "recipe", "state", "frames"],
        What::Tasks => vec!["name", "recipe", "night", "state", "level", "grade", "cpu", "peak_mb"],
        What::Products => vec!["name", "tag", "night", "level", "grade", "frames"],
        What::Quality => vec!["name", "tag", "night", "number", "value", "error", "unit", "median", "mad", "limits", "grade"],
    };
    if what == What::Frames {
        let listed: Vec<&Row> = rows.iter().filter(|r| is_selected(r, options)).collect();
        columns.extend(snapshot.instrument.columns.iter().map(String::as_str).filter(|c| listed.iter().any(|r| r.has(c))));
    }
    columns.into_iter().map(str::to_owned).collect()
}

fn is_selected(row: &Row, options: &ListOptions) -> bool {
    use ifured_core::rule::like;
    let tag = options.tags.is_empty() || options.tags.iter().any(|p| row.tags.iter().any(|t| like(&p.to_lowercase(), &t.to_lowercase())));
    tag && options.night.as_ref().is_none_or(|p| like(p, &row.night))
}

fn known_keys(rows: &[&Row]) -> Vec<String> {
    let keys: std::collections::BTreeSet<String> = rows.iter().flat_map(|r| r.keys()).collect();
    keys.into_iter().collect()
}

/// Makes a table of rows: selects, sorts, looks up the columns. `usual` are shown before those that are asked for.
///
/// # Errors
/// A filter that cannot be read; a key in filter, columns or sorting that no row has, with the nearest one.
pub fn table(what: What, rows: &[Row], options: &ListOptions, usual: &[String]) -> Result<Table> {
    let all: Vec<&Row> = rows.iter().collect();
    let has = |key: &str| all.iter().any(|r| r.has(key));
    let filter = options.filter.as_deref().map(Filter::parse).transpose()?;
    if !all.is_empty() {
        if let Some(filter) = &filter {
            filter.check_keys(&|key| has(key) || has(&key.replace('.', " ")), &|| known_keys(&all))?;
        }
        if let Some(missing) = options.columns.iter().chain(&options.sort).find(|k| !has(k)) {
            return Err(no_such_key(&normalise(missing), &known_keys(&all)));
        }
    }
    let mut chosen: Vec<&Row> = Vec::new();
    let mut unjudged: Vec<(&Row, String)> = Vec::new();
    for row in all.iter().filter(|r| is_selected(r, options)) {
        match filter.as_ref().map_or(Judgement::Holds, |f| f.judge(&|key| row.lookup(key))) {
            Judgement::Holds => chosen.push(row),
            Judgement::Fails => {}
            Judgement::Unknown(why) => unjudged.push((row, why)),
        }
    }
    sort(&mut chosen, &options.sort);
    let mut columns: Vec<String> = usual.to_vec();
    for asked in options.columns.iter().chain(&options.sort) {
        if !columns.iter().any(|c| normalise(c) == normalise(asked)) {
            columns.push(normalise(asked));
        }
    }
    let says_why = |r: &&&Row| r.lookup("WHY").and_then(|v| v.as_text().map(|t| !t.is_empty())).unwrap_or(false);
    if matches!(what, What::Frames | What::Groups) && (options.reasons || chosen.iter().any(|r| says_why(&r))) {
        columns.retain(|c| normalise(c) != "WHY");
        columns.push("why".into());
    }
    if what == What::Frames && options.reasons {
        columns.retain(|c| normalise(c) != "NOTES");
        columns.push("notes".into());
    }
    let notes = unjudged.first().map(|(row, why)| {
        let count = unjudged.len();
        format!("{count} {} not judged by the filter, so not listed; the first is {}: {why}", what.word(count), row.name)
    });
    Ok(Table {
        what,
        rows: chosen.iter().map(|r| columns.iter().map(|c| r.lookup(c)).collect()).collect(),
        paths: chosen.iter().map(|r| r.path.clone()).collect(),
        tags: chosen.iter().map(|r| r.tags.first().cloned().unwrap_or_default()).collect(),
        columns,
        notes: notes.into_iter().collect(),
        decimals: options.decimals,
    })
}

/// By each key in turn, numbers before text, rows without the key last; then by name.
fn sort(rows: &mut [&Row], keys: &[String]) {
    use std::cmp::Ordering;
    let compare = |a: Option<Value>, b: Option<Value>| match (a, b) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Greater,
        (_, None) => Ordering::Less,
        (Some(a), Some(b)) => match (a.as_real(), b.as_real()) {
            (Some(x), Some(y)) => x.total_cmp(&y),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            _ => a.to_string().to_lowercase().cmp(&b.to_string().to_lowercase()),
        },
    };
    rows.sort_by(|a, b| {
        let by_keys = keys.iter().map(|k| compare(a.lookup(k), b.lookup(k))).find(|o| o.is_ne());
        by_keys.unwrap_or(Ordering::Equal).then_with(|| a.name.cmp(&b.name)).then_with(|| a.path.cmp(&b.path))
    });
}

impl Table {
    /// `12 frames`.
    pub fn count(&self) -> String {
        format!("{} {}", self.rows.len(), self.what.word(self.rows.len()))
    }

    /// Keeps these columns, in this order.
    ///
    /// # Errors
    /// If the table has no such column.
    pub fn keep(&mut self, names: &[String]) -> Result<()> {
        let kept: Vec<usize> = names.iter().map(|n| self.column(n)).collect::<Result<_>>()?;
        self.columns = kept.iter().map(|&c| self.columns[c].clone()).collect();
        self.rows = self.rows.iter().map(|row| kept.iter().map(|&c| row[c].clone()).collect()).collect();
        Ok(())
    }

    /// Column by its name, without regard to case.
    ///
    /// # Errors
    /// If the table has no such column.
    pub fn column(&self, name: &str) -> Result<usize> {
        let found = self.columns.iter().position(|c| normalise(c) == normalise(name));
        found.ok_or_else(|| Error::usage(format!("the list has no column `{name}`"), format!("it has {}", self.columns.join(", "))))
    }
}

#[cfg(test)]
pub(crate) mod tests;
