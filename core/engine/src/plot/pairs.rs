//! A pairs plot: every numeric column against every other, histograms on the diagonal.

use std::fmt::Write;

use super::svg::{COLOURS, Svg, marker, n};
use super::ticks::Axis;
use crate::error::{Error, Result};
use crate::list::Table;

const CELL: f64 = 170.0;
const GAP: f64 = 12.0;
const LEFT: f64 = 66.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = 48.0;
/// Size of points.
const RADIUS: f64 = 2.6;
/// Most columns: more are not readable.
const MOST: usize = 8;

/// Plots the numeric columns of a list against each other, points coloured and shaped by tag. Two columns make one plot.
/// `units` gives the unit of a column, where it is known.
///
/// # Errors
/// If fewer than one or more than eight columns have numbers.
pub fn pairs(table: &Table, title: &str, units: &dyn Fn(&str) -> String) -> Result<String> {
    let value = |row: usize, column: usize| table.rows[row][column].as_ref().and_then(|v| v.as_real()).filter(|v| v.is_finite());
    let numeric: Vec<usize> = (0..table.columns.len()).filter(|&c| (0..table.rows.len()).any(|r| value(r, c).is_some())).collect();
    if numeric.is_empty() {
        return Err(Error::usage(
            "no column of the list has numbers to plot",
            "choose columns with --columns, for example EXPTIME,QUANT500",
        ));
    }
    if numeric.len() > MOST {
        let advice = format!("choose at most {MOST} columns with --columns");
        return Err(Error::usage(format!("{} columns have numbers: too many for one plot", numeric.len()), advice));
    }
    let mut tags: Vec<&str> = table.tags.iter().map(String::as_str).collect();
    tags.sort_unstable();
    tags.dedup();
    let series = |row: usize| tags.binary_search(&table.tags[row].as_str()).unwrap_or(0);
    let label = |c: usize| {
        let unit = units(&table.columns[c]);
        let name = &table.columns[c];
        if unit.is_empty() { name.clone() } else { format!("{name} [{unit}]") }
    };
    let drawn: Vec<(usize, usize)> = match numeric[..] {
        [x, y] => vec![(y, x)],
        _ => numeric.iter().flat_map(|&y| numeric.iter().map(move |&x| (y, x))).collect(),
    };
    let (rows, columns) = if numeric.len() == 2 { (1, 1) } else { (numeric.len(), numeric.len()) };
    let cell = if numeric.len() <= 2 { 420.0 } else { CELL };
    let width = LEFT + columns as f64 * (cell + GAP) + 8.0;
    let legend_rows = tags.len().div_ceil(((width - LEFT) / 130.0).max(1.0) as usize) as f64;
    let height = TOP + rows as f64 * (cell + GAP) + BOTTOM + 16.0 * legend_rows;
    let mut svg = Svg::new(width, height, title);
    svg.text(LEFT, 24.0, title, r#"class="t""#);
    svg.text(LEFT, 42.0, &table.count(), r#"class="s""#);
    for (place, (y_column, x_column)) in drawn.iter().enumerate() {
        let (row, column) = (place / columns, place % columns);
        let (left, top) = (LEFT + column as f64 * (cell + GAP), TOP + row as f64 * (cell + GAP));
        let x = Axis::of((0..table.rows.len()).filter_map(|r| value(r, *x_column)), (left, left + cell));
        let y = Axis::of((0..table.rows.len()).filter_map(|r| value(r, *y_column)), (top + cell, top));
        let wanted = if columns == 1 { 7 } else { 4 };
        let (x_ticks, x_offset) = x.ticks(wanted);
        x_ticks.iter().for_each(|(at, _)| svg.line((*at, top), (*at, top + cell), "g"));
        if x_column == y_column {
            histogram(&mut svg, (0..table.rows.len()).filter_map(|r| value(r, *x_column)), &x, top, cell);
        } else {
            y.ticks(wanted).0.iter().for_each(|(at, _)| svg.line((left, *at), (left + cell, *at), "g"));
            let mut paths = vec![String::new(); tags.len().max(1)];
            for r in 0..table.rows.len() {
                if let (Some(a), Some(b)) = (value(r, *x_column), value(r, *y_column)) {
                    let s = series(r);
                    let _ = write!(paths[s], "{}", marker(s, x.place(a), y.place(b), RADIUS));
                }
            }
            for (s, path) in paths.iter().enumerate().filter(|(_, p)| !p.is_empty()) {
                svg.raw(&format!(r#"<path d="{path}" fill="{}" fill-opacity=".75"/>"#, COLOURS[s % COLOURS.len()]));
            }
        }
        svg.rect(left, top, cell, cell, r#"class="f""#);
        if row + 1 == rows {
            for (at, text) in &x_ticks {
                svg.line((*at, top + cell), (*at, top + cell + 4.0), "k");
                svg.text(*at, top + cell + 16.0, text, r#"class="s" text-anchor="middle""#);
            }
            let name = format!("{}{}", label(*x_column), x_offset.map(|o| format!(" {o}")).unwrap_or_default());
            svg.text(left + cell / 2.0, top + cell + 33.0, &name, r#"text-anchor="middle""#);
        }
        if column == 0 {
            // The first cell of a matrix is a histogram: its vertical axis counts.
            let (y_ticks, y_offset) = if x_column == y_column { (Vec::new(), None) } else { y.ticks(wanted) };
            for (at, text) in &y_ticks {
                svg.line((left - 4.0, *at), (left, *at), "k");
                svg.text(left - 7.0, at + 3.5, text, r#"class="s" text-anchor="end""#);
            }
            let name = if x_column == y_column && columns == 1 { "number".to_owned() } else { label(*y_column) };
            let name = format!("{name}{}", y_offset.map(|o| format!(" {o}")).unwrap_or_default());
            let middle = top + cell / 2.0;
            svg.text(16.0, middle, &name, &format!(r#"text-anchor="middle" transform="rotate(-90 16 {})""#, n(middle)));
        }
    }
    let per_row = ((width - LEFT) / 130.0).max(1.0) as usize;
    for (s, tag) in tags.iter().enumerate().filter(|(_, t)| !t.is_empty()) {
        let (x, y) = (LEFT + (s % per_row) as f64 * 130.0, height - 16.0 * legend_rows + 6.0 + (s / per_row) as f64 * 16.0);
        svg.raw(&format!(r#"<path d="{}" fill="{}"/>"#, marker(s, x + 4.0, y - 3.5, RADIUS), COLOURS[s % COLOURS.len()]));
        svg.text(x + 12.0, y, tag, r#"class="s""#);
    }
    Ok(svg.finish())
}

fn histogram(svg: &mut Svg, values: impl Iterator<Item = f64>, x: &Axis, top: f64, cell: f64) {
    let values: Vec<f64> = values.collect();
    let bins = ((values.len() as f64).sqrt().ceil() as usize).clamp(5, 30);
    let mut counts = vec![0usize; bins];
    let (low, high) = x.values;
    for v in &values {
        counts[(((v - low) / (high - low) * bins as f64) as usize).min(bins - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1) as f64;
    let width = cell / bins as f64;
    for (bin, count) in counts.iter().enumerate().filter(|(_, c)| **c > 0) {
        let height = *count as f64 / most * cell * 0.92;
        svg.rect(x.places.0 + bin as f64 * width, top + cell - height, width, height, r#"class="b""#);
    }
    svg.text(x.places.0 + cell - 4.0, top + 12.0, &format!("max {most}"), r#"class="s" text-anchor="end""#);
}
