//! Stokes parameters of the sources of a field from a sequence of frames through the Wollaston prism.
//!
//! The two images of each source are found, paired and measured in all frames; q and u are fitted to all angles with the ratio of the beams eliminated (see
//! `ifured_pixels::polarimetry`), freed of the instrumental polarisation and turned to the sky.

use ifured_core::recipe::{ProductSpec, TaskInput};
use ifured_core::{Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::fits::primary_header;
use ifured_pixels::polarimetry::{self, Polarisation};
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::instrumental_polarisation::read_instrumental;
use super::polarimetry_sequence::{MEMORY, SAME_FIELD, product_header, sequence};
use super::{in_order, inputs};
use crate::polarimetry::options::{Goodness, Measurement};
use crate::polarimetry::standards::Standard;
use crate::polarimetry::table::{Calibration, stokes_table};
use crate::polarimetry::{Measured, adapter_angle, chi2_number, measure, standard_star};
use crate::{signatures, tags};

/// How the bias of the degree of polarisation by noise is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Debias {
    /// Modified asymptotic estimator (Plaszczynski et al. 2014).
    ModifiedAsymptotic,
    /// Root of the difference of the squares (Wardle & Kronberg 1974).
    WardleKronberg,
    /// Not at all.
    None,
}

impl From<Debias> for polarimetry::Debias {
    fn from(debias: Debias) -> Self {
        match debias {
            Debias::ModifiedAsymptotic => polarimetry::Debias::ModifiedAsymptotic,
            Debias::WardleKronberg => polarimetry::Debias::WardleKronberg,
            Debias::None => polarimetry::Debias::None,
        }
    }
}

/// Parameters of `polarimetry`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    #[serde(flatten)]
    measurement: Measurement,
    /// Whether the instrumental polarisation is subtracted where it is known.
    pub instrumental: bool,
    /// Position angle of the zero of the half-wave plate at adapter position 0, added to all angles. The quality number `ANGLE ZERO` of a polarised standard says it.
    #[schemars(range(min = -180.0, max = 180.0), extend("x-unit" = "degrees"))]
    pub angle_zero: f64,
    /// Whether the position angle of the adapter is added to all angles.
    pub adapter: bool,
    /// How the bias of the degree of polarisation is removed.
    pub debias: Debias,
    #[serde(flatten)]
    goodness: Goodness,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            measurement: Measurement::default(),
            instrumental: true,
            angle_zero: 0.0,
            adapter: true,
            debias: Debias::ModifiedAsymptotic,
            goodness: Goodness::default(),
        }
    }
}

/// The recipe.
pub struct Polarimetry;

impl Recipe for Polarimetry {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "polarimetry".into(),
            title: "Stokes parameters of the sources of a field".into(),
            description: "Aligns and adds reduced frames of one field at four or more angles of the half-wave plate, finds the ordinary and the extraordinary \
                image of each source and their separation, measures both in every frame in apertures with local sky, fits q and u with the ratio of the beams \
                eliminated, subtracts the instrumental polarisation, turns to the sky, and removes the bias of the degree. Table `STOKES` behind the \
                mean of the frames."
                .into(),
            main: sequence(),
            inputs: vec![inputs::instrumental_polarisation()],
            products: vec![ProductSpec::new(
                tags::STOKES,
                "Stokes parameters of the sources of a field",
                "polarimetry/{night}/polarimetry_{stem}.fits",
                &signatures::same_field_of_all_angles(SAME_FIELD),
            )],
            memory: MEMORY,
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let task = &in_order(task);
        let mut outcome = Outcome::default();
        let Some(measured) = measure(task, &parameters.measurement, &mut outcome, host)? else { return Ok(outcome) };
        let used = task.role(tags::INSTRUMENTAL_POLARISATION).next().filter(|_| parameters.instrumental);
        let instrumental = used.map(known).transpose()?;
        let columns = adapter_angle(&measured.field.header);
        let calibration = Calibration {
            instrumental,
            rotation: parameters.angle_zero + if parameters.adapter { columns } else { 0.0 },
            columns,
            debias: parameters.debias.into(),
        };
        judge(&mut outcome, &measured, &calibration, &parameters);
        let mut header = product_header(&measured);
        match used.zip(instrumental) {
            Some((input, light)) => {
                header.set("IFURED POL INSTR Q", light.q, "instrumental polarisation that was subtracted");
                header.set("IFURED POL INSTR U", light.u, "instrumental polarisation that was subtracted");
                outcome.notes.push(format!("instrumental polarisation of {} subtracted", input.name));
            }
            None => outcome.notes.push("no instrumental polarisation was subtracted".into()),
        }
        host.progress(0.95, "writing");
        let table = stokes_table(&measured, &calibration);
        task::write_with_tables(task, &mut outcome, tags::STOKES, header, &measured.field.image, &[table])?;
        Ok(outcome)
    }
}

fn known(input: &TaskInput) -> Result<Polarisation, RecipeError> {
    read_instrumental(&primary_header(&input.path)?).ok_or_else(|| {
        RecipeError::new(
            format!("{} says no instrumental polarisation", input.name),
            "give a product of the recipe instrumental-polarisation",
        )
    })
}

fn judge(outcome: &mut Outcome, measured: &Measured, calibration: &Calibration, parameters: &Parameters) {
    outcome.quality.push(chi2_number(&measured.stars, parameters.goodness.chi2_high));
    let header = &measured.field.header;
    let Some(standard) = Standard::of(header).filter(|s| !s.is_unpolarised()) else { return };
    let (Some(truth), Some((_, found))) = (standard.polarisation(header), standard_star(measured, standard)) else {
        outcome.notes.push(format!("{}: not found, or its polarisation in this filter is not known", standard.name));
        return;
    };
    let (truth, found) = (truth.degree(calibration.debias), calibration.apply(&found.polarisation).degree(calibration.debias));
    let zero = (truth.theta - found.theta + parameters.angle_zero + 90.0).rem_euclid(180.0) - 90.0;
    outcome.quality.extend([
        QualityNumber::new("ANGLE ZERO", zero, "deg", "zero of the half-wave plate by this standard: what `angle_zero` should be")
            .with_error(found.theta_error),
        QualityNumber::new("P STANDARD", found.debiased / truth.debiased, "", "degree of polarisation of the standard, measured by known")
            .with_error(found.error / truth.debiased),
    ]);
    outcome.notes.push(format!("polarised standard {}", standard.name));
}
