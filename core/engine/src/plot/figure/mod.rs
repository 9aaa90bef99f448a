//! The figures that the tables of a product describe in their headers (see `ifured_core::figure`), as SVG.
//!
//! What cannot be drawn, because a column is missing or holds no numbers, becomes a note in place of the figure: a report is never lost over
//! one of them.

mod arrows;
mod content;
mod draw;
mod frame;
mod legend;
mod marks;
mod number;
mod range;

use std::path::Path;

use ifured_core::Figure;
use ifured_pixels::fits::{FitsError, HduSelect, Table, hdus, read_table};

use crate::error::{Error, Result};
use content::Content;

/// Titles of the figures that the tables of a file describe, in order. Only headers are read.
///
/// # Errors
/// If the file cannot be read.
pub fn titles(path: &Path) -> Result<Vec<String>> {
    Ok(described(path)?.into_iter().flat_map(|(_, figures)| figures).map(|f| f.title).collect())
}

/// All figures of a file: title and SVG.
///
/// # Errors
/// If the file cannot be read. A figure that cannot be drawn is a note that says why.
pub fn figures(path: &Path) -> Result<Vec<(String, String)>> {
    let mut drawn = Vec::new();
    for (hdu, figures) in described(path)? {
        let table = read_table(path, HduSelect::Index(hdu));
        drawn.extend(figures.into_iter().map(|figure| {
            let svg = of_table(&figure, &table, false);
            (figure.title, svg)
        }));
    }
    Ok(drawn)
}

/// One figure of a file as SVG: by its number from 1, or its title.
///
/// # Errors
/// If the file cannot be read, or has no such figure; the message lists those it has.
pub fn figure(path: &Path, which: &str) -> Result<String> {
    let titles = titles(path)?;
    let number = which.trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < titles.len());
    let called = || titles.iter().position(|t| t.eq_ignore_ascii_case(which.trim()));
    let Some(n) = number.or_else(called) else {
        let all: Vec<String> = titles.iter().enumerate().map(|(n, t)| format!("{} {t}", n + 1)).collect();
        let advice = if all.is_empty() { "its tables describe none".to_owned() } else { format!("there are: {}", all.join("; ")) };
        return Err(Error::usage(format!("{} has no figure `{which}`", path.display()), advice));
    };
    one(path, n, false)
}

/// The first figure of a file, small and without text; `None` if it has no figures.
pub(crate) fn small(path: &Path) -> Option<String> {
    one(path, 0, true).ok()
}

fn one(path: &Path, n: usize, small: bool) -> Result<String> {
    let all = described(path)?.into_iter().flat_map(|(hdu, figures)| figures.into_iter().map(move |f| (hdu, f)));
    let (hdu, figure) =
        all.into_iter().nth(n).ok_or_else(|| Error::usage(format!("{} has no figures", path.display()), "its tables describe none"))?;
    Ok(of_table(&figure, &read_table(path, HduSelect::Index(hdu)), small))
}

/// Tables with figures: the number of the HDU, and what its header describes.
fn described(path: &Path) -> Result<Vec<(usize, Vec<Figure>)>> {
    let all = hdus(path).map_err(|e| Error::usage(e.to_string(), "check the file"))?;
    Ok(all.iter().map(|h| (h.index, Figure::of(&h.header))).filter(|(_, figures)| !figures.is_empty()).collect())
}

fn of_table(figure: &Figure, table: &std::result::Result<Table, FitsError>, small: bool) -> String {
    let content = table.as_ref().map_err(ToString::to_string).and_then(|t| Content::of(figure, t));
    match content {
        Ok(content) if small => draw::small(&content),
        Ok(content) => draw::whole(&content),
        Err(why) => draw::note(&figure.title, &why),
    }
}

#[cfg(test)]
mod tests;
