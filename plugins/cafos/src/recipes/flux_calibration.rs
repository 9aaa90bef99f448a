//! Spectra in physical units.

use ifured_core::recipe::{MainInput, Memory, ProductSpec};
use ifured_core::{Grade, Header, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::fits::{HduSelect, primary_header, read_table};
use ifured_pixels::spectrum::standards::{extinction, extinction_la_palma};
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs;
use crate::spectra::{self, Medium, SpectrumTable};
use crate::{products, signatures, tags};

/// Parameters of `flux-calibration`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Air mass of the frame; 0 takes that of the header.
    #[schemars(range(min = 0.0, max = 40.0), extend("x-unit" = "1"))]
    pub air_mass: f64,
}

/// The recipe.
pub struct FluxCalibration;

/// Unit of the fluxes.
const UNIT: &str = "erg.s-1.cm-2.Angstrom-1";
/// Unit without a response.
const COUNTS: &str = "adu.s-1.Angstrom-1";

impl Recipe for FluxCalibration {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "flux-calibration".into(),
            title: "Spectra in physical units".into(),
            description:
                "Corrects the counts of each object for the extinction of the atmosphere (La Palma, King 1985) at the air mass of the \
                frame and multiplies them by the response of a standard star; without one they stay counts per second and Angstrom. The error of the response is in the errors. Outside the \
                wavelengths of the response there is no flux."
                    .into(),
            main: MainInput::single(&[tags::EXTRACTED_SPECTRUM], &signatures::science()),
            inputs: vec![inputs::response()],
            products: vec![ProductSpec::new(
                tags::CALIBRATED_SPECTRUM,
                "Spectra of the objects on the slit, in physical units",
                "flux-calibration/{night}/calibrated_{stem}.fits",
                &signatures::science(),
            )],
            memory: Memory::fixed(40e6),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task::single(task)?;
        let header = primary_header(&input.path)?;
        let seconds = exposure(&header, &input.name)?;
        let air_mass = if parameters.air_mass > 0.0 { Some(parameters.air_mass) } else { air_mass(&header) };
        let curve = Curve::read(task)?;
        let medium = Medium::of(&header);
        let mut tables = Vec::new();
        let mut covered = 0.0;
        for (n, (extra, spectrum)) in spectra::read(&input.path, &input.name)?.into_iter().enumerate() {
            let counts = above_atmosphere(spectrum, air_mass.unwrap_or(1.0), medium, seconds);
            let Some(curve) = &curve else {
                tables.push(counts.table(n + 1, COUNTS, kept(&extra)));
                continue;
            };
            let response: Vec<Option<(f64, f64)>> = counts.wavelength.iter().map(|w| curve.at(medium.to_air(*w))).collect();
            if n == 0 {
                covered = response.iter().flatten().count() as f64 / response.len().max(1) as f64;
            }
            let mut flux = counts.scaled(|k| response[k].map_or(f64::NAN, |r| r.0));
            for (k, (_, relative)) in response.iter().enumerate().filter_map(|(k, r)| Some((k, (*r)?))) {
                flux.error[k] = flux.error[k].hypot(relative * flux.flux[k]);
                flux.sum_error[k] = flux.sum_error[k].hypot(relative * flux.sum[k]);
            }
            (0..response.len()).for_each(|k| flux.usable[k] &= response[k].is_some());
            tables.push(flux.table(n + 1, UNIT, kept(&extra)));
        }
        let mut outcome = Outcome::default();
        if air_mass.is_none() {
            outcome.notes.push("the header has no air mass: 1 is taken; `recipes.flux-calibration.air_mass` says it".into());
        }
        if curve.is_none() {
            let what = "there is no response of a standard star for this grism: the fluxes are counts per second above the atmosphere; \
                        `ifured ls --columns STANDARD` shows which frames are of one";
            outcome.notes.push(what.into());
        }
        outcome.quality.push(QualityNumber::new("COVERED", 100.0 * covered, "%", "share of the spectrum that has a response").within(
            50.0,
            100.0,
            Grade::Questionable,
        ));
        let header = products::header_of(&header);
        task::write_tables(task, &mut outcome, tags::CALIBRATED_SPECTRUM, header, &tables)?;
        Ok(outcome)
    }
}

/// What the table of an object says of it.
fn kept(header: &Header) -> Header {
    let mut out = Header::new();
    for (key, comment) in [
        ("CENTRE", "[pixel] place along the slit"),
        ("FWHM", "[pixel] full width at half maximum"),
        ("APRADIUS", "[pixel] half the aperture"),
    ] {
        if let Ok(value) = header.real(key) {
            out.set(key, value, comment);
        }
    }
    out
}

/// Exposure time in seconds.
///
/// # Errors
/// If the header has none.
pub fn exposure(header: &Header, name: &str) -> Result<f64, RecipeError> {
    header.real("EXPTIME").ok().filter(|t| *t > 0.0).ok_or_else(|| {
        RecipeError::new(format!("{name} has no exposure time (EXPTIME)"), "correct the header of the frame with `frames.correct`")
    })
}

/// The air mass that the header states, if it makes sense.
pub fn air_mass(header: &Header) -> Option<f64> {
    header.real("AIRMASS").ok().filter(|x| (1.0..40.0).contains(x))
}

/// Counts per second and Angstrom above the atmosphere.
pub fn above_atmosphere(spectrum: SpectrumTable, air_mass: f64, medium: Medium, seconds: f64) -> SpectrumTable {
    let table = extinction_la_palma();
    let widths = spectrum.widths();
    let wavelengths = spectrum.wavelength.clone();
    spectrum.scaled(|k| 10f64.powf(0.4 * extinction(&table, medium.to_air(wavelengths[k])) * air_mass) / (seconds * widths[k]))
}

/// A response curve: wavelength in air, response, relative error.
struct Curve(Vec<(f64, f64, f64)>);

impl Curve {
    /// None where the task has none.
    fn read(task: &Task) -> Result<Option<Curve>, RecipeError> {
        let Some(input) = task.role("response").next() else { return Ok(None) };
        let medium = Medium::of(&primary_header(&input.path)?);
        let table = read_table(&input.path, HduSelect::name("RESPONSE"))?;
        let (wavelengths, values, errors) = (
            spectra::column_of_reals(&table, "WAVELENGTH", &input.name)?,
            spectra::column_of_reals(&table, "RESPONSE", &input.name)?,
            spectra::column_of_reals(&table, "ERROR", &input.name)?,
        );
        Ok(Some(Curve((0..table.rows).map(|k| (medium.to_air(wavelengths[k]), values[k], errors[k] / values[k])).collect())))
    }

    /// Response and relative error at a wavelength in air; none outside the curve.
    fn at(&self, air: f64) -> Option<(f64, f64)> {
        let k = self.0.partition_point(|p| p.0 <= air).min(self.0.len().saturating_sub(1));
        let (a, b) = (self.0.get(k.checked_sub(1)?)?, self.0.get(k)?);
        let part = (air - a.0) / (b.0 - a.0);
        // The last point of the curve belongs to it.
        (part <= 1.0).then_some((a.1 + part * (b.1 - a.1), a.2.max(b.2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ifured_pixels::spectrum::air::to_vacuum;

    #[test]
    fn counts_above_the_atmosphere_and_the_curve_in_either_medium() {
        let mut header = Header::new();
        header.set("AIRMASS", 2.0, "");
        assert_eq!(air_mass(&header), Some(2.0));
        let ones = vec![100.0; 3];
        let spectrum = SpectrumTable {
            wavelength: vec![5490.0, 5500.0, 5510.0],
            flux: ones.clone(),
            error: ones.clone(),
            sum: ones.clone(),
            sum_error: ones.clone(),
            sky: ones,
            usable: vec![true; 3],
        };
        let above = above_atmosphere(spectrum, 2.0, Medium::Air, 5.0);
        let expected = 100.0 / 5.0 / 10.0 * 10f64.powf(0.4 * 2.0 * extinction(&extinction_la_palma(), 5500.0));
        assert!((above.flux[1] / expected - 1.0).abs() < 1e-9);
        let curve = Curve(vec![(5000.0, 1.0, 0.01), (6000.0, 2.0, 0.02)]);
        assert_eq!(curve.at(5500.0), Some((1.5, 0.02)));
        assert!((curve.at(Medium::Vacuum.to_air(to_vacuum(5500.0))).unwrap().0 - 1.5).abs() < 1e-6);
        assert!(curve.at(4999.0).is_none() && curve.at(6001.0).is_none());
    }
}
