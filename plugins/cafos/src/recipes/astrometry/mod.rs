//! World coordinates from stars, and with them seeing, zero point and depth, against a catalogue in a file.
//!
//! Stars are found above the background, parted where they touch and placed by a profile fit; they are matched with the catalogue near the
//! pointing by the shapes of triangles, and TAN-SIP is fitted ([`ifured_pixels::astrometry`]). *Accuracy*: simulated images of 512 to
//! 1650 pixels have true errors of some
//! thousandths of a pixel (see the book).

mod calibration;

use std::path::Path;

use ifured_core::recipe::{MainInput, Memory, ProductSpec};
use ifured_core::{Grade, Header, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::astrometry::{AstrometryError, Catalogue, Expected, ImageStar, Solution, SolveOptions, catalogue::Place, solve};
use ifured_pixels::fits::read_image;
use ifured_pixels::resample::TanGrid;
use ifured_pixels::sources::StarField;
use ifured_pixels::task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::calibration::Matched;
use super::parameters::Detection;
use crate::wcs::Tan;
use crate::{products, signatures, stars, tags};

/// Modified Julian date and Julian year of J2000.0, days of a Julian year.
const J2000: (f64, f64, f64) = (51544.5, 2000.0, 365.25);

/// Parameters of `astrometry`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// File with the stars of the fields: FITS table, VOTable, or text with a line of names; degrees (ICRS), mas per year, magnitudes, with the
    /// column names of the Gaia archive or VizieR. The recipe runs when it is given. Relative to the configuration file.
    #[schemars(extend("x-file" = true, "examples" = ["gaia.fits"]))]
    pub catalogue: String,
    /// Epoch of the positions of a catalogue that has no column `ref_epoch`, as a Julian year; Gaia DR3 has 2016.
    #[schemars(range(min = 1900.0, max = 2100.0), extend("x-unit" = "years"))]
    pub epoch: f64,
    #[serde(flatten)]
    detection: Detection,
    /// Radius of the apertures of the photometry, in units of the full width at half maximum of stars.
    #[schemars(range(min = 0.5, max = 2.5), extend("x-unit" = "1"))]
    pub aperture: f64,
    /// How far the pointing may be off, in arcseconds.
    #[schemars(range(min = 1.0, max = 3600.0), extend("x-unit" = "arcsec"))]
    pub search: f64,
    /// Fraction by which the scale may differ from that in the header.
    #[schemars(range(min = 0.0, max = 0.5), extend("x-unit" = "1"))]
    pub scale_error: f64,
    /// Highest order of the distortion; 1 is none. The order that is used depends on the number of stars and on what they show.
    #[schemars(range(min = 1, max = 5), extend("x-unit" = "1"))]
    pub distortion_order: u32,
    /// Stars that are off by more than this many standard deviations are not fitted.
    #[schemars(range(min = 2.0, max = 100.0), extend("x-unit" = "1"))]
    pub clip_sigma: f64,
    /// Largest standard error of good world coordinates, in pixels.
    #[schemars(range(min = 0.0), extend("x-unit" = "pixels"))]
    pub error_high: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            catalogue: String::new(),
            epoch: 2016.0,
            detection: Detection::default(),
            aperture: 1.5,
            search: 180.0,
            scale_error: 0.2,
            distortion_order: 3,
            clip_sigma: 4.0,
            error_high: 0.1,
        }
    }
}

/// The recipe.
pub struct Astrometry;

impl Recipe for Astrometry {
    type Parameters = Parameters;

    fn describe(&self) -> RecipeDescription {
        RecipeDescription {
            name: "astrometry".into(),
            version: 2,
            title: "Image with fitted world coordinates".into(),
            description: "Runs when a catalogue is given. Finds stars, parts those that touch, fits their places, matches them with the catalogue \
                          (proper motions applied) near the pointing by the shapes of triangles, whatever the turn or flip, fits TAN-SIP, \
                          and measures all stars in apertures: seeing, zero point and limiting magnitude. The table SOURCES behind the image \
                          lists the stars, the table STARS what is left of those that are in the catalogue. An image without enough stars, or \
                          of another field, is an error that leaves the others alone."
                .into(),
            main: MainInput::single(&[tags::REDUCED_IMAGING], &signatures::science()),
            inputs: vec![],
            products: vec![ProductSpec::new(
                tags::SOLVED_IMAGING,
                "Image with fitted world coordinates",
                "astrometry/{night}/astrometry_{stem}.fits",
                &signatures::science(),
            )],
            enabled: false,
            memory: Memory::streaming(150e6, 60.0),
            ..RecipeDescription::default()
        }
    }

    fn run(&self, task: &Task, parameters: Parameters, host: &dyn Host) -> Result<Outcome, RecipeError> {
        let input = task.main().next().ok_or_else(|| RecipeError::new("no frame", "give one reduced image"))?;
        let (header, image) = read_image(&input.path)?;
        let pointing = Tan::of_header(&header).ok_or_else(|| {
            RecipeError::new(
                format!("{} has no first world coordinates", input.name),
                "set `recipes.science-imaging.wcs`, and correct RA, DEC, MJD-OBS or INSTRSCL in the header with `frames.correct`",
            )
        })?;
        let tan = TanGrid { crval: pointing.crval, crpix: pointing.crpix, cd: pointing.cd };
        let expected = Expected { tan, search_arcsec: parameters.search, scale_error: parameters.scale_error };
        host.progress(0.1, "catalogue");
        let (places, band) = stars_of_catalogue(task, &parameters, &header, image.shape(), &expected)?;
        host.progress(0.2, "finding stars");
        let field = stars::measure(&image, parameters.detection.detection_sigma, parameters.aperture);
        host.progress(0.6, "matching");
        let found: Vec<ImageStar> = field.stars.iter().map(|s| ImageStar { x: s.fit.x, y: s.fit.y, error: s.fit.error }).collect();
        let options = SolveOptions { most_order: parameters.distortion_order as usize, clip: parameters.clip_sigma };
        let solution = solve(&found, &places, image.shape(), &expected, &options).map_err(|e| advised(&e))?;
        let wcs = &solution.fit.wcs;
        let exposure = header.real("EXPTIME").unwrap_or(f64::NAN);
        let mut outcome = Outcome::default();
        judge(&mut outcome, &solution, &parameters, &expected);
        outcome.quality.extend(sky_numbers(&field));
        outcome.quality.extend(stars::numbers(&field, wcs.scale_arcsec(), exposure));
        outcome.quality.extend(stars::aperture_numbers(&field));
        let matched = Matched { field: &field, solution: &solution, places: &places, band: &band };
        let magnitudes = matched.calibrate(&mut outcome, exposure);
        let mut header = products::header_of(&header);
        wcs.write(&mut header);
        header.set("IFURED WCS", "fitted", "fitted to stars of a catalogue");
        if let Some(m) = &magnitudes {
            header.set("PHOTZP", m.of_one, "[mag] magnitude of 1 adu");
        }
        products::write_statistics(&mut header, &image);
        host.progress(0.8, "writing");
        let tables = [stars::sources(&field, Some(wcs), magnitudes.as_ref(), 1.0), matched.table()];
        task::write_with_tables(task, &mut outcome, tags::SOLVED_IMAGING, header, &image, &tables)?;
        Ok(outcome)
    }
}

fn sky_numbers(field: &StarField) -> [QualityNumber; 2] {
    [
        QualityNumber::new("SKY", field.sky, "adu", "median of the background"),
        QualityNumber::new("SKY NOISE", field.noise, "adu", "standard deviation beside the stars"),
    ]
}

/// The stars of the catalogue near the pointing at the time of the image, and the name of their magnitudes.
fn stars_of_catalogue(
    task: &Task,
    parameters: &Parameters,
    header: &Header,
    shape: (usize, usize),
    expected: &Expected,
) -> Result<(Vec<Place>, String), RecipeError> {
    let file = task
        .role("catalogue")
        .next()
        .map(|i| i.path.as_path())
        .or_else(|| Some(Path::new(&parameters.catalogue)).filter(|p| *p != Path::new("")));
    let file =
        file.ok_or_else(|| RecipeError::new("no catalogue is given", "name a file of stars: --set recipes.astrometry.catalogue=FILE"))?;
    let advice = "give a FITS table, VOTable or text with columns ra and dec in degrees, such as an extract of Gaia";
    let catalogue = Catalogue::read(file).map_err(|e| RecipeError::new(e.to_string(), advice))?;
    let year = match header.real("MJD-OBS").ok().filter(|m| *m > 0.0) {
        Some(mjd) => J2000.1 + (mjd - J2000.0) / J2000.2,
        None => parameters.epoch,
    };
    let centre = expected.tan.to_sky(0.5 * shape.1 as f64, 0.5 * shape.0 as f64);
    let half = 0.5 * (shape.0 as f64).hypot(shape.1 as f64) * expected.tan.cd[0][0].hypot(expected.tan.cd[1][0]);
    let radius = half * (1.0 + parameters.scale_error) + expected.search_arcsec / 3600.0;
    Ok((catalogue.at(year, parameters.epoch, centre, radius), catalogue.band))
}

/// What to do about an image without a solution.
fn advised(error: &AstrometryError) -> RecipeError {
    let advice = match error {
        AstrometryError::FewStars { .. } => "was there cloud? Lower `detection_sigma`, or leave the frame out with `frames.ignore`",
        AstrometryError::FewInCatalogue { .. } => "the catalogue does not hold this field: extend it, or check RA and DEC in the header",
        _ => "raise `search` if the pointing may be further off, or check RA, DEC and the catalogue (is it as deep as the image?)",
    };
    RecipeError::new(format!("no world coordinates: {error}"), advice)
}

fn judge(outcome: &mut Outcome, solution: &Solution, parameters: &Parameters, expected: &Expected) {
    let fit = &solution.fit;
    let scale = fit.wcs.scale_arcsec();
    let used = fit.used.iter().filter(|u| **u).count() as f64;
    let reference = fit.wcs.tan.crpix;
    let (ra, dec) = expected.tan.to_sky(reference.0 - 1.0, reference.1 - 1.0);
    let (x, y) = fit.wcs.to_pixel(ra, dec);
    let offset = (x - reference.0 + 1.0).hypot(y - reference.1 + 1.0) * scale;
    let turn = fit.wcs.tan.cd[0][1].atan2(fit.wcs.tan.cd[1][1]).to_degrees();
    outcome.quality.extend([
        QualityNumber::new("N MATCHED", solution.matched.len() as f64, "", "stars that are in the catalogue"),
        QualityNumber::new("N FITTED", used, "", "stars that the world coordinates rest on"),
        QualityNumber::new("WCS ERROR", fit.error, "pixel", "standard error of the world coordinates").within(
            0.0,
            parameters.error_high,
            Grade::Questionable,
        ),
        QualityNumber::new("WCS EXTERNAL", fit.external, "pixel", "rms distance of stars left out of the fit"),
        QualityNumber::new("WCS EXT ARCSEC", fit.external * scale, "arcsec", "the same on the sky"),
        QualityNumber::new("WCS SCATTER", fit.scatter, "pixel", "of a coordinate beyond its photon noise"),
        QualityNumber::new("WCS ORDER", fit.order as f64, "", "order of the distortion, 1 is none"),
        QualityNumber::new("WCS SCALE", scale, "arcsec", "length of a pixel"),
        QualityNumber::new("WCS TURN", turn, "deg", "north, from columns"),
        QualityNumber::new("POINTING", offset, "arcsec", "distance of the pointing from where it was"),
    ]);
}
