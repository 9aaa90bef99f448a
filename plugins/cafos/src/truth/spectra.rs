//! Wavelengths, counts and fluxes of spectra against those that were put in.

use ifured_core::recipe::ProductPath;
use ifured_core::{Header, RecipeError};
use ifured_pixels::fits::{HduSelect, primary_header, read_image, read_table};
use ifured_pixels::statistics::{Moments, median};

use super::{Add, number};
use crate::simulate::{TrueSpectrum, response};
use crate::spectra::{self, Medium, SpectrumTable, column_of_reals};

/// Root mean square error of a wavelength in pixels. The profile of a line is known to 0.02 pixels (`SolutionOptions::floor`), and faint lines in
/// the wings of strong ones move them as much again; some fifteen lines carry the six terms along the dispersion, so the curve is about as
/// good as a line. Nights of the usual size have 0.01, finer pixels 0.002.
const WAVELENGTH_TOLERANCE: f64 = 0.05;
/// Error of the place of a sky line in pixels: 0.02 of its width of 2.2 pixels, as the flexure takes it.
const SKY_LINE: f64 = 0.044;
/// How far the standard deviation of very many pulls may be from 1: the profile has its own noise.
const PULL_TOLERANCE: f64 = 0.03;
/// Error of the median flux: half a per cent is what the response takes bins of the standard to be worth, the same for the extraction.
const FLUX_TOLERANCE: f64 = 0.01;
/// Error of the flux anywhere: the curve is less certain at its ends and where lines of the standard are left out.
const BLOCK_TOLERANCE: f64 = 0.03;
/// Pixels along the dispersion are compared in so many blocks, so that noise hardly counts.
const BLOCKS: usize = 12;

/// The spectrum that a product was made from.
pub fn spectrum<'a>(all: &'a [TrueSpectrum], product: &ProductPath) -> Result<&'a TrueSpectrum, RecipeError> {
    let of_product = |t: &&TrueSpectrum| {
        let stem = t.file.trim_end_matches(".fits");
        product.name.contains(stem) && product.name.split('/').any(|part| part == t.night)
    };
    let missing = || RecipeError::new(format!("{} comes from no simulated spectrum", product.name), "leave it out of the comparison");
    all.iter().find(of_product).ok_or_else(missing)
}

/// The wavelength of every pixel.
pub fn wavelengths(truth: &TrueSpectrum, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
    let (header, image) = read_image(&product.path)?;
    let medium = Medium::of(&header);
    let (mut errors, mut count) = (0.0, 0.0);
    for [x, y, wavelength] in &truth.wavelengths {
        let (x, y) = (*x as usize, *y as usize);
        let at = |y: usize| image.data.get((y, x)).map(|w| medium.to_air(f64::from(*w)));
        // Wavelengths fall: the last row has no next one.
        let (Some(found), Some(next)) = (at(y), at(y + 1).or_else(|| at(y.checked_sub(1)?))) else { continue };
        errors += ((found - wavelength) / (next - found)).powi(2);
        count += 1.0;
    }
    add("error of the wavelengths", (errors / count).sqrt(), 0.0, WAVELENGTH_TOLERANCE, "pixel");
    Ok(())
}

/// The brightest object of a spectrum as it was recorded.
pub fn extracted(truth: &TrueSpectrum, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
    let Some((header, found)) = brightest(truth, product)? else { return Ok(()) };
    let medium = Medium::of(&header);
    let (mut errors, mut middle) = (0.0, Vec::new());
    let widths = found.widths();
    for (k, true_wavelength, ..) in samples(truth) {
        let off = (medium.to_air(found.wavelength[k]) - true_wavelength) / widths[k];
        errors += off * off;
        middle.push(off as f32);
    }
    // A frame without sky lines has no flexure.
    let flexure = 3.0 * SKY_LINE / number(&header, "N SKY LINES").0.max(1.0).sqrt();
    let tolerance = WAVELENGTH_TOLERANCE.hypot(flexure);
    add("error of the wavelengths", (errors / middle.len() as f64).sqrt(), 0.0, tolerance, "pixel");
    add("median error of the wavelengths", median(&middle), 0.0, tolerance, "pixel");
    let mut pulls = Moments::default();
    let mut ratios = Vec::new();
    for (k, _, counts, _) in samples(truth).filter(|(k, ..)| found.usable[*k]) {
        pulls.push((found.flux[k] - counts) / found.error[k]);
        ratios.push((found.flux[k] / counts) as f32);
    }
    let scatter = 3.0 / (2.0 * pulls.count() as f64).sqrt();
    add("pull of the counts", pulls.std(), 1.0, PULL_TOLERANCE + scatter, "");
    // The flat is normalised to half a per cent at any wavelength.
    add("median ratio of the counts", median(&ratios), 1.0, 0.005, "");
    Ok(())
}

/// The brightest object in physical units.
pub fn calibrated(truth: &TrueSpectrum, product: &ProductPath, add: Add) -> Result<(), RecipeError> {
    let Some((_, found)) = brightest(truth, product)? else { return Ok(()) };
    let ratios = samples(truth).filter(|(k, ..)| found.usable[*k]).map(|(k, _, _, flux)| found.flux[k] / flux);
    blocks("flux", ratios.collect(), add);
    Ok(())
}

/// The response.
pub fn curve(product: &ProductPath, add: Add) -> Result<(), RecipeError> {
    let medium = Medium::of(&primary_header(&product.path)?);
    let table = read_table(&product.path, HduSelect::name("RESPONSE"))?;
    let (wavelengths, values) =
        (column_of_reals(&table, "WAVELENGTH", &product.name)?, column_of_reals(&table, "RESPONSE", &product.name)?);
    let ratios = wavelengths.iter().zip(&values).map(|(w, v)| v / response(medium.to_air(*w)));
    blocks("response", ratios.collect(), add);
    Ok(())
}

/// Median of ratios to the truth, and the block that is furthest off.
fn blocks(what: &str, ratios: Vec<f64>, add: Add) {
    let ratios: Vec<f32> = ratios.into_iter().map(|r| r as f32).collect();
    if ratios.len() < BLOCKS {
        return;
    }
    let blocks = (0..BLOCKS).map(|b| median(&ratios[b * ratios.len() / BLOCKS..(b + 1) * ratios.len() / BLOCKS]));
    let furthest = blocks.max_by(|a, b| (a - 1.0).abs().total_cmp(&(b - 1.0).abs())).unwrap_or(f64::NAN);
    add(&format!("{what}, median ratio"), median(&ratios), 1.0, FLUX_TOLERANCE, "");
    add(&format!("{what}, ratio of the block furthest off"), furthest, 1.0, BLOCK_TOLERANCE, "");
}

/// The brightest object of a product that has as many pixels as the truth; none where nothing is extracted.
fn brightest(truth: &TrueSpectrum, product: &ProductPath) -> Result<Option<(Header, SpectrumTable)>, RecipeError> {
    let header = primary_header(&product.path)?;
    let Some((_, found)) = spectra::read(&product.path, &product.name)?.into_iter().next() else { return Ok(None) };
    if found.wavelength.len() == truth.object.len() {
        return Ok(Some((header, found)));
    }
    let what = format!("{} has {} pixels, the truth {}", product.name, found.wavelength.len(), truth.object.len());
    Err(RecipeError::new(what, "compare products of the simulated frames"))
}

/// What each pixel of a spectrum must be, wavelengths rising: its number, wavelength, counts, flux.
fn samples(truth: &TrueSpectrum) -> impl Iterator<Item = (usize, f64, f64, f64)> {
    truth.object.iter().rev().enumerate().map(|(k, [_, wavelength, counts, flux])| (k, *wavelength, *counts, *flux))
}
