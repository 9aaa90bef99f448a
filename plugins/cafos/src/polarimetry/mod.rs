//! Polarimetry with the Wollaston prism: from reduced frames of one field at several angles to the Stokes parameters of its sources.
//!
//! [`field`] aligns the frames and adds them, [`stars`] finds the two images of each source and measures them in every frame, [`table`] writes what
//! comes out; [`standards`] knows the stars of known polarisation. The mathematics are in `ifured_pixels::polarimetry`.
//!
//! Angles: `INSPOROT` is the position of the rotator, in degrees, and taken as that of the half-wave plate (parameter `modulator`): CAFOS takes its sequences at
//! 0, 22.5, 45 and 67.5 degrees (Patat & Taubenberger 2011, A&A 529, A57). Position angles on the sky are the angle that is measured, plus the zero point of the
//! half-wave plate (`angle_zero`, from a polarised standard), plus the position angle of the adapter (`CAHA ADA POSANG`), which turns the instrument.

pub mod field;
pub mod options;
pub mod standards;
pub mod stars;
pub mod table;

use ifured_core::{Grade, Header, Host, Outcome, QualityNumber, RecipeError, Task};
use ifured_pixels::polarimetry::{FittedStokes, distinct_angles};
use ifured_pixels::resample::TanGrid;
use ifured_pixels::statistics::median;

use field::Field;
use options::Measurement;
use standards::Standard;
use stars::{Star, Stars};

/// Fewest angles of a sequence.
const FEWEST_ANGLES: usize = 4;
/// Fewest pairs that a separation that was found should rest on.
const FEW_PAIRS: f64 = 3.0;
/// Bright images without a partner that are no reason for doubt, however few pairs there are.
const MANY_UNPAIRED: usize = 10;
/// How far a standard may be from where the pointing has it, in arcseconds.
const POINTING: f64 = 90.0;

/// A field and its sources.
pub struct Measured {
    /// The frames.
    pub field: Field,
    /// The sources.
    pub stars: Stars,
}

/// Measures the sequence of a task, and adds quality numbers that every recipe of polarimetry has. `None` where there is nothing to measure: the outcome is graded as
/// bad and says why.
pub fn measure(task: &Task, options: &Measurement, outcome: &mut Outcome, host: &dyn Host) -> Result<Option<Measured>, RecipeError> {
    let field = Field::of(task, options, outcome, host)?;
    let (frames, angles) = field.as_ref().map_or((0, 0), |f| {
        let angles = f.exposures.iter().map(|e| e.angle);
        (f.exposures.len(), distinct_angles(angles, options.modulator.into()))
    });
    outcome.quality.extend([
        QualityNumber::new("N FRAMES", frames as f64, "", "frames used"),
        QualityNumber::new("N ANGLES", angles as f64, "", "angles of different modulation").within(
            FEWEST_ANGLES as f64,
            f64::INFINITY,
            Grade::Bad,
        ),
    ]);
    let Some(field) = field.filter(|_| angles >= FEWEST_ANGLES) else {
        let rejected: Vec<String> = outcome.rejected.iter().map(|r| format!("{} ({})", r.name, r.why)).collect();
        let without = if rejected.is_empty() { String::new() } else { format!("; left out: {}", rejected.join(", ")) };
        outcome.notes.push(format!(
            "no Stokes parameters: frames at {angles} angles, {FEWEST_ANGLES} are needed (0, 22.5, 45 and 67.5 degrees of the half-wave plate){without}"
        ));
        return Ok(None);
    };
    let stars = Stars::of(&field, options, host)?;
    let good = stars.as_ref().map_or(0, |s| s.good().count());
    outcome.quality.push(QualityNumber::new("N PAIRS", good as f64, "", "sources with two images and a sound polarisation").within(
        1.0,
        f64::INFINITY,
        Grade::Bad,
    ));
    let Some(stars) = stars.filter(|_| good > 0) else {
        outcome.notes.push(format!(
            "no Stokes parameters: of {} images none make a pair that can be measured; give the separation of the two images \
             (`separation_columns`, `separation_rows`), or lower `detection_sigma`; saturated stars cannot be used",
            field.sources.len()
        ));
        return Ok(None);
    };
    judge(outcome, &field, &stars);
    Ok(Some(Measured { field, stars }))
}

fn judge(outcome: &mut Outcome, field: &Field, stars: &Stars) {
    let (dx, dy) = stars.separation.vector;
    let good: Vec<&FittedStokes> = stars.good().map(|(_, s)| s).collect();
    let weight: f64 = good.iter().map(|s| s.gain_ratio_error.powi(-2)).sum();
    let gain = good.iter().map(|s| s.gain_ratio * s.gain_ratio_error.powi(-2)).sum::<f64>() / weight;
    let worst = field.exposures.iter().map(|e| e.alignment.rms).fold(0.0, f64::max);
    outcome.quality.extend([
        QualityNumber::new("N UNPAIRED", stars.unpaired as f64, "", "bright images without a partner").within(
            0.0,
            (2 * stars.stars.len()).max(MANY_UNPAIRED) as f64,
            Grade::Questionable,
        ),
        QualityNumber::new("SEPARATION", dx.hypot(dy), "pixel", "distance of the two images"),
        QualityNumber::new("SEPARATION X", dx, "pixel", "columns from the ordinary to the extraordinary image"),
        QualityNumber::new("SEPARATION Y", dy, "pixel", "rows from the ordinary to the extraordinary image"),
        QualityNumber::new("GAIN RATIO", gain, "", "response of the ordinary beam divided by that of the extraordinary one")
            .with_error(weight.powf(-0.5)),
        QualityNumber::new("SEEING", field.fwhm, "pixel", "full width at half maximum of stars"),
        QualityNumber::new("ALIGNMENT", worst, "pixel", "largest root mean square of the star distances"),
    ]);
    // Nothing was found where the user gives the separation.
    if stars.separation.pairs > 0 {
        let number = QualityNumber::new("N SEPARATION", stars.separation.pairs as f64, "", "pairs that the separation rests on");
        outcome.quality.push(number.within(FEW_PAIRS, f64::INFINITY, Grade::Questionable));
    }
}

/// The quality number `CHI2`: median reduced chi square of the good sources, divided by what is expected: 1 where the errors are honest. The limit allows for what chance
/// does to the median of few sources: two standard errors, in the cube root, which is about normal (Wilson & Hilferty 1931).
pub fn chi2_number(stars: &Stars, high: f64) -> QualityNumber {
    let good: Vec<f64> = stars.good().map(|(_, s)| s.degrees_of_freedom as f64).collect();
    let part = |k: f64| 2.0 / (9.0 * k);
    let reduced: Vec<f32> = stars.good().zip(&good).map(|((_, s), k)| (s.chi2 / (k * (1.0 - part(*k)).powi(3))) as f32).collect();
    let k = good.iter().sum::<f64>() / good.len() as f64;
    let of_median = 1.2533 * part(k).sqrt() / (1.0 - part(k)) / (good.len() as f64).sqrt();
    let limit = (high.cbrt() + 2.0 * of_median).powi(3);
    let number = QualityNumber::new("CHI2", median(&reduced), "", "median reduced chi square of the sources, 1 is expected");
    number.within(0.0, (10.0 * limit).round() / 10.0, Grade::Questionable)
}

/// The brightest good source near where the pointing has a standard; anywhere in the field where there are no world coordinates.
pub fn standard_star<'a>(measured: &'a Measured, standard: &Standard) -> Option<(&'a Star, &'a FittedStokes)> {
    let grid = grid(&measured.field);
    let near = |star: &Star| {
        let middle = (0.5 * (star.ordinary.0 + star.extraordinary.0), 0.5 * (star.ordinary.1 + star.extraordinary.1));
        grid.is_none_or(|g| standards::distance(g.to_sky(middle.0, middle.1), standard.place) <= POINTING)
    };
    measured.stars.good().filter(|(s, _)| near(s)).max_by(|a, b| a.0.flux.0.total_cmp(&b.0.flux.0))
}

/// World coordinates of the pixels of a field.
pub fn grid(field: &Field) -> Option<TanGrid> {
    field.wcs().map(|tan| TanGrid { crval: tan.crval, crpix: tan.crpix, cd: tan.cd })
}

/// Position angle of the adapter in degrees: that of the columns of the detector.
pub fn adapter_angle(header: &Header) -> f64 {
    header.real("CAHA ADA POSANG").or_else(|_| header.real("PA-CASS")).unwrap_or(0.0)
}
