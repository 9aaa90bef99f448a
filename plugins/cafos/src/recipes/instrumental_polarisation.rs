//! The polarisation that telescope and instrument add, from a star whose own is known.
//!
//! It is additive and fixed to the instrument (Patat & Taubenberger 2011, A&A 529, A57), so what a star without polarisation shows is subtracted from all others. A field is recognised
//! as that of a standard by where the telescope pointed; of any other field there is no product.

use ifured_core::recipe::{MainInput, ProductSpec};
use ifured_core::rule::key;
use ifured_core::{Grade, Header, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::fits::primary_header;
use ifured_pixels::polarimetry::Polarisation;
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::in_order;
use super::polarimetry_sequence::{MEMORY, product_header, sequence};
use crate::description::POLARISATION_STANDARD;
use crate::polarimetry::options::{Goodness, Measurement};
use crate::polarimetry::standards::Standard;
use crate::polarimetry::table::{Calibration, stokes_table};
use crate::polarimetry::{adapter_angle, chi2_number, measure, standard_star};
use crate::{signatures, tags};

/// Keywords of q and u.
const PARAMETERS: [&str; 2] = ["IFURED POL Q", "IFURED POL U"];
/// Keywords of the covariance of q and u.
const COVARIANCE: [&str; 3] = ["IFURED POL VAR QQ", "IFURED POL VAR QU", "IFURED POL VAR UU"];

/// Parameters of `instrumental-polarisation`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    #[serde(flatten)]
    measurement: Measurement,
    /// Whether polarised standards are used, too. Their angle must be known in the frame of the instrument: `angle_zero` must be right.
    pub polarised: bool,
    /// Position angle of the zero of the half-wave plate at adapter position 0; matters for polarised standards.
    #[schemars(range(min = -180.0, max = 180.0), extend("x-unit" = "degrees"))]
    pub angle_zero: f64,
    #[serde(flatten)]
    goodness: Goodness,
    /// Largest instrumental polarisation that is believed without doubt, as a fraction.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-unit" = "1"))]
    pub p_high: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { measurement: Measurement::default(), polarised: false, angle_zero: 0.0, goodness: Goodness::default(), p_high: 0.02 }
    }
}

/// The recipe.
pub struct InstrumentalPolarisation;

impl Recipe for InstrumentalPolarisation {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: tags::INSTRUMENTAL_POLARISATION.into(),
            title: "Polarisation that telescope and instrument add".into(),
            description: "Measures a standard star of known polarisation as the recipe polarimetry measures a field; what is not its own comes from telescope \
                and instrument. Fields without a standard make no product."
                .into(),
            main: MainInput { when: vec![key(POLARISATION_STANDARD).present()], ..sequence() },
            products: vec![ProductSpec::new(
                tags::INSTRUMENTAL_POLARISATION,
                "Polarisation that telescope and instrument add",
                "polarimetry/{night}/instrumental-polarisation_{stem}.fits",
                &signatures::optics_of_all_angles(),
            )],
            memory: MEMORY,
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let task = &in_order(task);
        let mut outcome = Outcome::default();
        let first = task.main().next().ok_or_else(|| RecipeError::new("no frames", "give the frames of a sequence"))?;
        let header = primary_header(&first.path)?;
        let (standard, truth) = match star_of(&header, &parameters) {
            Ok(known) => known,
            Err(why) => {
                outcome.notes.push(why);
                return Ok(outcome);
            }
        };
        let Some(measured) = measure(task, &parameters.measurement, &mut outcome, host)? else { return Ok(outcome) };
        let Some((star, found)) = standard_star(&measured, standard) else {
            outcome.quality.push(QualityNumber::new("P INSTR", f64::NAN, "", "degree of the instrumental polarisation").within(
                0.0,
                parameters.p_high,
                Grade::Bad,
            ));
            outcome.notes.push(format!("{} is not among the sources that could be measured: saturated, or another field", standard.name));
            return Ok(outcome);
        };
        let rotation = parameters.angle_zero + adapter_angle(&measured.field.header);
        let light = found.polarisation.minus(&truth.rotated(-rotation));
        let degree = light.degree(Default::default());
        outcome.quality.extend([
            chi2_number(&measured.stars, parameters.goodness.chi2_high),
            QualityNumber::new("Q INSTR", light.q, "", "instrumental q").with_error(light.q_error()),
            QualityNumber::new("U INSTR", light.u, "", "instrumental u").with_error(light.u_error()),
            QualityNumber::new("P INSTR", degree.debiased, "", "degree of the instrumental polarisation").with_error(degree.error).within(
                0.0,
                parameters.p_high,
                Grade::Questionable,
            ),
        ]);
        let (x, y) = (star.ordinary.0 + 1.0, star.ordinary.1 + 1.0);
        outcome.notes.push(format!("standard {} at column {x:.1}, row {y:.1}", standard.name));
        let mut header = product_header(&measured);
        header.set("IFURED POL STANDARD", standard.name, "star of known polarisation");
        write_instrumental(&mut header, &light);
        let table = stokes_table(&measured, &Calibration { columns: adapter_angle(&measured.field.header), ..Calibration::default() });
        task::write_with_tables(task, &mut outcome, tags::INSTRUMENTAL_POLARISATION, header, &measured.field.image, &[table])?;
        Ok(outcome)
    }
}

/// The standard of a field and its polarisation on the sky, or why it is of no use.
fn star_of(header: &Header, parameters: &Parameters) -> Result<(&'static Standard, Polarisation), String> {
    let object = header.text("OBJECT").unwrap_or("").trim();
    let standard = Standard::of(header).ok_or_else(|| format!("the field of {object} is that of no standard star of polarisation"))?;
    if !standard.is_unpolarised() && !parameters.polarised {
        return Err(format!("{} is polarised: it is used when `polarised` is true and `angle_zero` is known", standard.name));
    }
    let truth =
        standard.polarisation(header).ok_or_else(|| format!("the polarisation of {} in this filter is not known", standard.name))?;
    Ok((standard, truth))
}

fn write_instrumental(header: &mut Header, light: &Polarisation) {
    let [[qq, qu], [_, uu]] = light.covariance;
    for (key, value) in PARAMETERS.iter().zip([light.q, light.u]) {
        header.set(key, value, "instrumental polarisation in the frame of the plate");
    }
    for (key, value) in COVARIANCE.iter().zip([qq, qu, uu]) {
        header.set(key, value, "its covariance");
    }
}

/// The instrumental polarisation that the header of a product says.
pub fn read_instrumental(header: &Header) -> Option<Polarisation> {
    let number = |key: &str| header.real(key).ok().filter(|v| v.is_finite());
    let [q, u] = PARAMETERS.map(number);
    let [qq, qu, uu] = COVARIANCE.map(number);
    Some(Polarisation { q: q?, u: u?, covariance: [[qq?, qu?], [qu?, uu?]] })
}
