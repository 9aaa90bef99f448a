//! Stokes parameters against those that were put in.

use ifured_core::recipe::ProductPath;
use ifured_core::{Header, RecipeError};
use ifured_pixels::fits::{ColumnData, HduSelect, Table, primary_header, read_table};
use ifured_pixels::statistics::Moments;

use super::{Add, number};
use crate::simulate::TruePolarisation;

/// A source and a star this far apart are one, in pixels.
const SAME: f64 = 1.5;
/// How far the standard deviation of many pulls may be from 1.
const PULL_TOLERANCE: f64 = 0.1;

/// The sequence that a product was made from.
pub fn sequence<'a>(all: &'a [TruePolarisation], product: &ProductPath) -> Result<&'a TruePolarisation, RecipeError> {
    let of_product = |t: &&TruePolarisation| {
        let stem = t.file.trim_end_matches(".fits");
        product.name.contains(stem) && product.name.split('/').any(|part| part == t.night)
    };
    let missing = || RecipeError::new(format!("{} comes from no simulated sequence", product.name), "leave it out of the comparison");
    all.iter().find(of_product).ok_or_else(missing)
}

/// The table of sources.
pub fn stokes(truth: &TruePolarisation, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
    let header = primary_header(&product.path)?;
    let table = read_table(&product.path, HduSelect::Name("STOKES".into()))?;
    let corrected = header.contains("IFURED POL INSTR Q");
    let rest = if corrected { [0.0, 0.0] } else { truth.instrumental };
    let column = |name: &str| numbers(&table, name);
    let [x, y, q, q_error, u, u_error] = ["X", "Y", "Q", "Q_ERR", "U", "U_ERR"].map(column);
    let used = flags(&table, "USED");
    let (mut pulls, mut found) = (Moments::default(), 0.0);
    for [star_x, star_y, _, star_q, star_u] in &truth.stars {
        let near = (0..table.rows).find(|&n| (x[n] - 1.0 - star_x).hypot(y[n] - 1.0 - star_y) < SAME);
        let Some(n) = near.filter(|&n| used[n]) else { continue };
        found += 1.0;
        pulls.push((q[n] - star_q - rest[0]) / q_error[n]);
        pulls.push((u[n] - star_u - rest[1]) / u_error[n]);
    }
    let stars = truth.stars.len() as f64;
    // A cosmic ray on any of eight images costs a star.
    add("fraction of the stars measured", found / stars, 1.0, 0.5, "");
    let scatter = 4.0 / (2.0 * pulls.count() as f64).sqrt();
    let root = (pulls.std().powi(2) + pulls.mean().powi(2)).sqrt();
    add("pull of q and u", root, 1.0, PULL_TOLERANCE + scatter, "");
    measured(truth, &header, add);
    Ok(())
}

/// The instrumental polarisation.
pub fn instrumental(truth: &TruePolarisation, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
    let header = primary_header(&product.path)?;
    for (name, value) in ["Q INSTR", "U INSTR"].into_iter().zip(truth.instrumental) {
        let (found, error) = number(&header, name);
        add(&name.to_lowercase(), found, value, 4.0 * error, "");
    }
    measured(truth, &header, add);
    Ok(())
}

/// What both products say of the beams.
fn measured(truth: &TruePolarisation, header: &Header, add: Add) {
    let (gain, error) = number(header, "GAIN RATIO");
    // The flat, and what the aperture loses of either image, change the ratio a little.
    add("gain ratio", gain, truth.gain_ratio, 4.0 * error + 0.01, "");
    add("separation in columns", number(header, "SEPARATION X").0, truth.separation[0], 0.2, "pixel");
    add("separation in rows", number(header, "SEPARATION Y").0, truth.separation[1], 0.2, "pixel");
}

fn numbers(table: &Table, name: &str) -> Vec<f64> {
    match table.column(name).map(|c| &c.data) {
        Some(ColumnData::F64(cells)) => (0..table.rows).map(|n| cells.row(n).map_or(f64::NAN, |r| r[0])).collect(),
        _ => vec![f64::NAN; table.rows],
    }
}

fn flags(table: &Table, name: &str) -> Vec<bool> {
    match table.column(name).map(|c| &c.data) {
        Some(ColumnData::Logical(cells)) => (0..table.rows).map(|n| cells.row(n).is_some_and(|r| r[0] == Some(true))).collect(),
        _ => vec![false; table.rows],
    }
}
