//! What a figure shows: the numbers of its columns, sorted into panels.

use ifured_core::Figure;
use ifured_core::figure::{Series, Style};
use ifured_pixels::fits::{Cells, ColumnData, Table};

use super::marks::MANY;

/// A figure with its numbers. All columns have as many values; what is not a number is NaN.
pub(super) struct Content {
    pub(super) title: String,
    /// Name of the table and its number of rows.
    pub(super) about: String,
    pub(super) x_label: String,
    pub(super) x: Vec<f64>,
    pub(super) panels: Vec<Panel>,
}

/// Series of one unit.
pub(super) struct Panel {
    pub(super) unit: String,
    pub(super) curves: Vec<Curve>,
}

/// One series.
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) values: Vec<f64>,
    /// Name and values of the standard error.
    pub(super) error: Option<(String, Vec<f64>)>,
    /// Which rows count.
    pub(super) used: Vec<bool>,
    /// Place of its column among those of the figure.
    pub(super) number: usize,
}

pub(super) enum Kind {
    Line,
    Points,
    Arrows { dx: Vec<f64>, dy: Vec<f64>, unit: String },
}

impl Content {
    /// The numbers of a figure.
    ///
    /// # Errors
    /// Which column is missing or cannot be drawn.
    pub(super) fn of(figure: &Figure, table: &Table) -> Result<Content, String> {
        if figure.series.is_empty() {
            return Err("it names no column to draw".into());
        }
        let x = numbers(table, &figure.x)?;
        let mut panels: Vec<Panel> = Vec::new();
        for (number, series) in figure.series.iter().enumerate() {
            // A line and points of one column have one colour.
            let number = figure.series.iter().position(|s| s.y == series.y).unwrap_or(number);
            let mut curve = curve(table, series, number, x.len())?;
            let mut unit = unit_of(table, &series.y);
            if figure.logarithmic {
                curve.take_logarithms();
                unit = if unit.is_empty() { "log₁₀".to_owned() } else { format!("log₁₀ {unit}") };
            }
            match panels.iter_mut().find(|p| p.unit == unit) {
                Some(panel) => panel.curves.push(curve),
                None => panels.push(Panel { unit, curves: vec![curve] }),
            }
        }
        let rows = if x.len() == 1 { "1 row".to_owned() } else { format!("{} rows", x.len()) };
        let name = table.header.text("EXTNAME").unwrap_or("").trim();
        let about = if name.is_empty() { rows } else { format!("{name}, {rows}") };
        Ok(Content { title: figure.title.clone(), about, x_label: label(&figure.x, &unit_of(table, &figure.x)), x, panels })
    }
}

impl Curve {
    /// Decimal logarithms of the values, their errors with them; what is not positive has none.
    fn take_logarithms(&mut self) {
        if let Some((_, errors)) = &mut self.error {
            errors.iter_mut().zip(&self.values).for_each(|(e, v)| *e /= v * std::f64::consts::LN_10);
        }
        self.values.iter_mut().for_each(|v| *v = if *v > 0.0 { v.log10() } else { f64::NAN });
    }
}

/// A column with its unit, as at an axis.
pub(super) fn label(name: &str, unit: &str) -> String {
    if unit.is_empty() { name.to_owned() } else { format!("{name} [{unit}]") }
}

fn curve(table: &Table, series: &Series, number: usize, rows: usize) -> Result<Curve, String> {
    let column = |name: &str| {
        let values = numbers(table, name)?;
        if values.len() == rows { Ok(values) } else { Err(format!("column {name} has {} values, not {rows}", values.len())) }
    };
    let kind = match &series.style {
        Style::Line => Kind::Line,
        Style::Points => Kind::Points,
        Style::Arrows { dx, dy } => Kind::Arrows { dx: column(dx)?, dy: column(dy)?, unit: unit_of(table, dx) },
    };
    // Bars of very many points would hide them.
    let error = series.error.as_ref().filter(|_| !matches!(kind, Kind::Points) || rows <= MANY);
    let error = error.map(|name| Ok::<_, String>((name.clone(), column(name)?))).transpose()?;
    let used = match &series.used {
        Some(name) => column(name)?.iter().map(|v| *v != 0.0 && !v.is_nan()).collect(),
        None => vec![true; rows],
    };
    Ok(Curve { name: series.y.clone(), kind, values: column(&series.y)?, error, used, number })
}

fn unit_of(table: &Table, name: &str) -> String {
    let unit = table.column(name).map_or("", |c| c.unit.trim());
    if unit == "um" { "µm".to_owned() } else { unit.replace("Angstrom", "Å").replace("angstrom", "Å") }
}

/// The values of a column, one a row; of a table of one row, all values in its cell. Logicals are 0 and 1.
fn numbers(table: &Table, name: &str) -> Result<Vec<f64>, String> {
    let column = table.column(name).ok_or_else(|| {
        let known: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        format!("the table has no column {name}; it has {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })
    })?;
    let null = column.null;
    let whole = |v: i128| if null.is_some_and(|n| i128::from(n) == v) { f64::NAN } else { v as f64 };
    let rows = table.rows;
    match &column.data {
        ColumnData::Logical(c) => flat(c, rows, |v| v.map_or(f64::NAN, |b| f64::from(u8::from(b)))),
        ColumnData::Bit(c) => flat(c, rows, |v| f64::from(u8::from(*v))),
        ColumnData::U8(c) => flat(c, rows, |v| whole((*v).into())),
        ColumnData::I8(c) => flat(c, rows, |v| whole((*v).into())),
        ColumnData::I16(c) => flat(c, rows, |v| whole((*v).into())),
        ColumnData::U16(c) => flat(c, rows, |v| whole((*v).into())),
        ColumnData::I32(c) => flat(c, rows, |v| whole((*v).into())),
        ColumnData::U32(c) => flat(c, rows, |v| whole((*v).into())),
        ColumnData::I64(c) => flat(c, rows, |v| whole((*v).into())),
        ColumnData::U64(c) => flat(c, rows, |v| whole((*v).into())),
        ColumnData::F32(c) => flat(c, rows, |v| drawable(f64::from(*v))),
        ColumnData::F64(c) => flat(c, rows, |v| drawable(*v)),
        ColumnData::Complex32(_) | ColumnData::Complex64(_) | ColumnData::Text(_) => None,
    }
    .ok_or_else(|| format!("column {name} does not hold one number a row"))
}

fn flat<T>(cells: &Cells<T>, rows: usize, number: impl Fn(&T) -> f64) -> Option<Vec<f64>> {
    if rows == 1 {
        return cells.row(0).map(|row| row.iter().map(number).collect());
    }
    (0..rows).map(|r| cells.row(r).filter(|row| row.len() == 1).map(|row| number(&row[0]))).collect()
}

/// NaN for what is no number or so large that sums overflow; 0 for what is so small that fractions of it vanish.
fn drawable(value: f64) -> f64 {
    match value.abs() {
        v if !v.is_finite() || v > 1e250 => f64::NAN,
        v if v < 1e-250 => 0.0,
        _ => value,
    }
}
