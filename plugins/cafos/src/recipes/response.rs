//! Response of telescope and spectrograph from a standard star.

use ifured_core::recipe::{MainInput, Memory, ProductSpec};
use ifured_core::{Condition, Figure, Grade, Header, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task, Test};
use ifured_pixels::fits::{Table, primary_header};
use ifured_pixels::spectrum::response::{CountSample, Response, ResponseOptions, response};
use ifured_pixels::spectrum::standards;
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flux_calibration::{above_atmosphere, air_mass, exposure};
use crate::description::STANDARD;
use crate::spectra::{self, Medium, SpectrumTable};
use crate::{products, signatures, tags};

/// Parameters of `response`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Width over which counts and known flux are averaged, in Angstrom.
    #[schemars(range(min = 5.0, max = 500.0), extend("x-unit" = "Angstrom"))]
    pub bin: f64,
    /// Distance of the breakpoints of the smooth curve, in Angstrom.
    #[schemars(range(min = 50.0, max = 5000.0), extend("x-unit" = "Angstrom"))]
    pub spacing: f64,
    /// Bins this many times the scatter off the curve are left out: lines of the star.
    #[schemars(range(min = 1.0, max = 100.0), extend("x-unit" = "1"))]
    pub clip: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        let usual = ResponseOptions::default();
        Parameters { bin: usual.bin, spacing: usual.spacing, clip: usual.clip }
    }
}

/// The recipe.
pub struct ResponseRecipe;

impl Recipe for ResponseRecipe {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        let of_a_standard = Condition { is: Test::Present, ..Condition::new(STANDARD, Test::Equal, "") };
        RecipeDescription {
            name: "response".into(),
            title: "Response of telescope and spectrograph".into(),
            description:
                "For frames that point at a standard star whose fluxes are known: corrects the counts of the brightest object for the \
                extinction of the atmosphere (La Palma, King 1985), divides the known fluxes by them in bins free of telluric bands, and \
                draws a smooth curve through the ratios."
                    .into(),
            main: MainInput { when: vec![of_a_standard], ..MainInput::single(&[tags::EXTRACTED_SPECTRUM], &signatures::science()) },
            products: vec![ProductSpec::new(
                tags::RESPONSE,
                "Response of telescope and spectrograph",
                "response/{night}/response_{stem}.fits",
                &signatures::slit(),
            )],
            memory: Memory::fixed(40e6),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, _: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task::single(task)?;
        let header = primary_header(&input.path)?;
        let name = header.text(STANDARD).unwrap_or("").trim().to_owned();
        let star = standards::named(&name).ok_or_else(|| {
            let known: Vec<&str> = standards::STANDARDS.iter().map(|s| s.name).collect();
            RecipeError::new(
                format!("{}: `{name}` is no standard star that is known", input.name),
                format!("there are {}", known.join(", ")),
            )
        })?;
        let spectra = spectra::read(&input.path, &input.name)?;
        let (_, spectrum) = spectra.first().ok_or_else(|| RecipeError::new(format!("{} holds no spectrum", input.name), ""))?;
        let medium = Medium::of(&header);
        let options = ResponseOptions { bin: parameters.bin, spacing: parameters.spacing, clip: parameters.clip };
        let counts = above_atmosphere(spectrum.clone(), air_mass(&header).unwrap_or(1.0), medium, exposure(&header, &input.name)?);
        let mut outcome = Outcome::default();
        match response(&samples(&counts, medium), &star.fluxes(), &options) {
            Ok(found) => {
                judge(&mut outcome, &found);
                let mut header = products::header_of(&header);
                header.set(STANDARD, star.name, "the star that the response is of");
                let tables = [curve_table(&counts.wavelength, &found, medium), bins_table(&found, medium)];
                task::write_tables(task, &mut outcome, tags::RESPONSE, header, &tables)?;
            }
            Err(why) => {
                outcome.quality.push(QualityNumber::new("N BINS", why.0 as f64, "", "bins used").within(8.0, f64::INFINITY, Grade::Bad));
                outcome.notes.push(format!("no response from {}: {why}", star.name));
            }
        }
        Ok(outcome)
    }
}

/// Samples that are good enough to calibrate by.
fn samples(spectrum: &SpectrumTable, medium: Medium) -> Vec<CountSample> {
    let sample = |k: usize| CountSample {
        wavelength: medium.to_air(spectrum.wavelength[k]),
        value: if spectrum.usable[k] { spectrum.flux[k] } else { f64::NAN },
        error: spectrum.error[k],
    };
    (0..spectrum.wavelength.len()).map(sample).collect()
}

fn judge(outcome: &mut Outcome, found: &Response) {
    let used: Vec<f64> = found.bins.iter().filter(|b| b.used).map(|b| b.wavelength).collect();
    outcome.quality.extend([
        QualityNumber::new("RMS", 100.0 * found.rms, "%", "scatter of the bins about the curve").within(0.0, 5.0, Grade::Questionable),
        QualityNumber::new("N BINS", used.len() as f64, "", "bins used").within(12.0, f64::INFINITY, Grade::Questionable),
        QualityNumber::new("FROM", used.first().copied().unwrap_or(f64::NAN), "Angstrom", "first wavelength in air that has a response"),
        QualityNumber::new("TO", used.last().copied().unwrap_or(f64::NAN), "Angstrom", "last wavelength in air that has a response"),
    ]);
}

/// Unit of a response.
pub const UNIT: &str = "erg.s-1.cm-2.Angstrom-1/(adu.s-1.Angstrom-1)";

fn curve_table(wavelengths: &[f64], found: &Response, medium: Medium) -> Table {
    let rows: Vec<(f64, f64, f64)> =
        wavelengths.iter().filter_map(|w| found.at(medium.to_air(*w)).map(|(value, error)| (*w, value, value * error))).collect();
    let mut header = Header::new();
    header.set("EXTNAME", "RESPONSE", "");
    Figure::new("Response", "WAVELENGTH").line("RESPONSE").error("ERROR").logarithmic().write(&mut header);
    let mut table = Table::new(header, rows.len());
    table.push("WAVELENGTH", "Angstrom", rows.iter().map(|r| r.0).collect::<Vec<f64>>().into());
    table.push("RESPONSE", UNIT, rows.iter().map(|r| r.1).collect::<Vec<f64>>().into());
    table.push("ERROR", UNIT, rows.iter().map(|r| r.2).collect::<Vec<f64>>().into());
    table
}

fn bins_table(found: &Response, medium: Medium) -> Table {
    let mut header = Header::new();
    header.set("EXTNAME", "BINS", "");
    Figure::new("Known flux over counts, and the curve", "WAVELENGTH")
        .points("RATIO")
        .error("ERROR")
        .used("USED")
        .line("CURVE")
        .logarithmic()
        .write(&mut header);
    Figure::new("Distance of the bins from the curve", "WAVELENGTH").points("RESIDUAL").used("USED").write(&mut header);
    let column = |f: &dyn Fn(&ifured_pixels::spectrum::response::ResponseBin) -> f64| found.bins.iter().map(f).collect::<Vec<f64>>();
    let mut table = Table::new(header, found.bins.len());
    table.push("WAVELENGTH", "Angstrom", column(&|b| medium.of_air(b.wavelength)).into());
    table.push("RATIO", UNIT, column(&|b| b.ratio).into());
    table.push("ERROR", UNIT, column(&|b| b.error).into());
    table.push("CURVE", UNIT, column(&|b| found.at(b.wavelength).map_or(f64::NAN, |r| r.0)).into());
    table.push("RESIDUAL", "", column(&|b| b.residual).into());
    table.push("USED", "", found.bins.iter().map(|b| b.used).collect::<Vec<bool>>().into());
    table
}
