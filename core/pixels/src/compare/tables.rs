//! Two tables, column by column.

use ifured_core::{Figure, RecipeError};

use super::HduPair;
use super::hdus::Errors;
use super::measure::{Block, Meaning, Numbers, Pairs, measure};
use super::row::{Label, Row};
use crate::fits::{Cells, Column, ColumnData, FitsError, HduSelect, Table, read_table};

/// Rows of a pair of tables: one for each column.
///
/// # Errors
/// If a file cannot be read.
pub(super) fn compare(pair: &HduPair<'_>, label: &Label) -> Result<Vec<Row>, RecipeError> {
    let read = |n: usize| read_table(pair.paths[n], HduSelect::Index(pair.index[n]));
    let tables = [read(0)?, read(1)?];
    if tables[0].rows != tables[1].rows {
        let what = format!("{} and {} rows", tables[0].rows, tables[1].rows);
        return Ok(vec![Row::differing(label.clone(), "table", &what)]);
    }
    let mut rows = Vec::new();
    for (a, b) in pair_columns(&tables[0], &tables[1]) {
        rows.push(match (a, b) {
            (Some(a), Some(b)) => compare_columns([&tables[0], &tables[1]], [a, b], label)?,
            (Some(a), None) => Row::differing(label.column(&name(&tables[0], a)), "table", &super::only_in(true)),
            (None, b) => Row::differing(label.column(&name(&tables[1], b.unwrap_or(0))), "table", &super::only_in(false)),
        });
    }
    Ok(rows)
}

/// Places of the columns of one name (case does not matter), else of one place.
fn pair_columns(first: &Table, second: &Table) -> Vec<(Option<usize>, Option<usize>)> {
    let mut taken = vec![false; second.columns.len()];
    let mut pairs = Vec::with_capacity(first.columns.len());
    for (a, column) in first.columns.iter().enumerate() {
        let same = |b: &usize| {
            let other = &second.columns[*b];
            !taken[*b] && other.name.eq_ignore_ascii_case(&column.name) && (!column.name.is_empty() || a == *b)
        };
        let found = (0..second.columns.len()).find(same);
        found.into_iter().for_each(|b| taken[b] = true);
        pairs.push((Some(a), found));
    }
    pairs.extend((0..second.columns.len()).filter(|b| !taken[*b]).map(|b| (None, Some(b))));
    pairs
}

fn name(table: &Table, column: usize) -> String {
    match table.columns[column].name.as_str() {
        "" => format!("#{}", column + 1),
        name => name.to_owned(),
    }
}

fn compare_columns(tables: [&Table; 2], at: [usize; 2], label: &Label) -> Result<Row, FitsError> {
    let columns = [&tables[0].columns[at[0]], &tables[1].columns[at[1]]];
    let label = label.column(&name(tables[0], at[0]));
    let row = Row::new(label.clone(), "table").with_units([&columns[0].unit, &columns[1].unit]);
    let [first, second] = [Content::of(columns[0]), Content::of(columns[1])];
    let lengths = [first.lengths(), second.lengths()];
    if let Some(n) = (0..tables[0].rows).find(|n| lengths[0].of_row(*n) != lengths[1].of_row(*n)) {
        let what = format!("cells of {} and {} values in row {}", lengths[0].of_row(n), lengths[1].of_row(n), n + 1);
        return Ok(Row::differing(label, "table", &what));
    }
    match (&first, &second) {
        (Content::Values { values: a, meaning, .. }, Content::Values { values: b, meaning: other, .. }) if meaning == other => {
            let errors = [error_values(tables[0], columns[0], a.len()), error_values(tables[1], columns[1], b.len())];
            let pairs = Columns { values: [a, b], variances: errors };
            let numbers = measure(&pairs, *meaning)?;
            let place = numbers.at.map_or_else(String::new, |at| lengths[0].place(at as usize));
            Ok(Row { place, numbers, ..row })
        }
        (Content::Text { values: a, .. }, Content::Text { values: b, .. }) => {
            let equal = a.iter().zip(b.iter()).filter(|(a, b)| a == b).count() as u64;
            Ok(Row { numbers: Numbers { compared: a.len() as u64, equal, ..Numbers::default() }, ..row })
        }
        _ => Ok(Row::differing(label, "table", &format!("{} and {}", first.describe(), second.describe()))),
    }
}

/// Values of two columns.
struct Columns<'a> {
    values: [&'a [f64]; 2],
    variances: [Vec<f64>; 2],
}

impl Pairs for Columns<'_> {
    fn each(&self, take: &mut dyn FnMut(&Block<'_>)) -> Result<(), FitsError> {
        take(&Block { values: self.values, variances: [&self.variances[0], &self.variances[1]] });
        Ok(())
    }
}

/// The values of a column, one row after another.
enum Content<'a> {
    /// Undefined ones are NaN; a complex number is two values.
    Values {
        values: Vec<f64>,
        lengths: Lengths,
        meaning: Meaning,
    },
    Text {
        values: Vec<&'a str>,
        lengths: Lengths,
    },
}

impl<'a> Content<'a> {
    fn of(column: &'a Column) -> Self {
        use Meaning::{Flags, Numbers};
        let null = column.null;
        macro_rules! integers {
            ($cells:expr) => {
                Self::values($cells, Numbers, 1, |v| {
                    [if null.is_some_and(|n| i128::from(n) == i128::from(*v)) { f64::NAN } else { *v as f64 }]
                })
            };
        }
        match &column.data {
            ColumnData::Logical(c) => Self::values(c, Flags, 1, |v| [v.map_or(f64::NAN, |v| f64::from(u8::from(v)))]),
            ColumnData::Bit(c) => Self::values(c, Flags, 1, |v| [f64::from(u8::from(*v))]),
            ColumnData::U8(c) => integers!(c),
            ColumnData::I8(c) => integers!(c),
            ColumnData::I16(c) => integers!(c),
            ColumnData::U16(c) => integers!(c),
            ColumnData::I32(c) => integers!(c),
            ColumnData::U32(c) => integers!(c),
            ColumnData::I64(c) => integers!(c),
            ColumnData::U64(c) => integers!(c),
            ColumnData::F32(c) => Self::values(c, Numbers, 1, |v| [f64::from(*v)]),
            ColumnData::F64(c) => Self::values(c, Numbers, 1, |v| [*v]),
            ColumnData::Complex32(c) => Self::values(c, Numbers, 2, |v| v.map(f64::from)),
            ColumnData::Complex64(c) => Self::values(c, Numbers, 2, |v| *v),
            ColumnData::Text(c) => Content::Text { values: flat(c).map(String::as_str).collect(), lengths: Lengths::of(c, 1) },
        }
    }

    fn values<T, const N: usize>(cells: &Cells<T>, meaning: Meaning, parts: usize, of: impl Fn(&T) -> [f64; N]) -> Self {
        Content::Values { values: flat(cells).flat_map(of).collect(), lengths: Lengths::of(cells, parts), meaning }
    }

    fn lengths(&self) -> &Lengths {
        match self {
            Content::Values { lengths, .. } | Content::Text { lengths, .. } => lengths,
        }
    }

    fn describe(&self) -> &'static str {
        match self {
            Content::Values { meaning: Meaning::Numbers, .. } => "numbers",
            Content::Values { meaning: Meaning::Flags, .. } => "truth values",
            Content::Text { .. } => "text",
        }
    }
}

fn flat<T>(cells: &Cells<T>) -> Box<dyn Iterator<Item = &T> + '_> {
    match cells {
        Cells::Fixed { values, .. } => Box::new(values.iter()),
        Cells::Variable(lists) => Box::new(lists.iter().flatten()),
    }
}

/// How many values each cell has.
enum Lengths {
    Same(usize),
    Each(Vec<usize>),
}

impl Lengths {
    fn of<T>(cells: &Cells<T>, parts: usize) -> Self {
        match cells {
            Cells::Fixed { repeat, .. } => Lengths::Same(repeat * parts),
            Cells::Variable(lists) => Lengths::Each(lists.iter().map(|l| l.len() * parts).collect()),
        }
    }

    fn of_row(&self, row: usize) -> usize {
        match self {
            Lengths::Same(length) => *length,
            Lengths::Each(lengths) => lengths.get(row).copied().unwrap_or(0),
        }
    }

    /// Row, and element if cells have several, from 1.
    fn place(&self, at: usize) -> String {
        let (row, element) = match self {
            Lengths::Same(1) => return (at + 1).to_string(),
            Lengths::Same(length) => (at / length, at % length),
            Lengths::Each(lengths) => {
                let mut left = at;
                let row = lengths.iter().position(|n| {
                    let here = left < *n;
                    left -= if here { 0 } else { *n };
                    here
                });
                (row.unwrap_or(0), left)
            }
        };
        format!("{},{}", row + 1, element + 1)
    }
}

/// Names of columns of errors: what follows the name of the column, or takes the place of it.
const SUFFIXES: &[(&str, Errors)] = &[
    ("_ERR", Errors::StandardDeviation),
    ("_ERROR", Errors::StandardDeviation),
    ("ERR", Errors::StandardDeviation),
    ("_VAR", Errors::Variance),
];
const NAMES: &[(&str, &str, Errors)] =
    &[("DATA", "STAT", Errors::Variance), ("FLUX", "ERR", Errors::StandardDeviation), ("FLUX", "UNCERTAINTY", Errors::StandardDeviation)];

/// Variances of a column: from the column that a figure of the table draws as its error, else by name. Empty if there are none.
fn error_values(table: &Table, column: &Column, count: usize) -> Vec<f64> {
    let series = Figure::of(&table.header).into_iter().flat_map(|f| f.series);
    let drawn = series.filter(|s| s.y.eq_ignore_ascii_case(&column.name)).find_map(|s| s.error);
    let drawn = drawn.into_iter().map(|name| (name, Errors::StandardDeviation));
    let suffixed = SUFFIXES.iter().map(|(suffix, errors)| (format!("{}{suffix}", column.name), *errors));
    let named =
        NAMES.iter().filter(|(name, ..)| name.eq_ignore_ascii_case(&column.name)).map(|(_, error, kind)| ((*error).to_owned(), *kind));
    let found = drawn.chain(suffixed).chain(named).find_map(|(name, errors)| table.column(&name).map(|c| (c, errors)));
    match found.map(|(column, errors)| (Content::of(column), errors)) {
        Some((Content::Values { mut values, meaning: Meaning::Numbers, .. }, errors)) if values.len() == count => {
            errors.into_variance(&mut values);
            values
        }
        _ => Vec::new(),
    }
}
