//! World coordinates from stars, and with them seeing, zero point and depth, against a catalogue in a file.
//!
//! Stars are found above the background, parted where they touch and placed by a profile fit; they are matched with the catalogue near the
//! pointing by the shapes of triangles, and TAN-SIP is fitted ([`ifured_pixels::astrometry`]). *Accuracy*: simulated images of 512 to
//! 1650 pixels have true errors of some
//! thousandths of a pixel (see the book).

use std::path::Path;

use ifured_core::recipe::{Grouping, MainInput, Memory, ProductSpec};
use ifured_core::{Grade, Header, Host, Outcome, QualityNumber, Recipe, RecipeDescription, RecipeError, Task};
use ifured_pixels::astrometry::{
    AstrometryError, Catalogue, Expected, ImageStar, Solution, SolveOptions, catalogue::Place, limiting_magnitude, solve, zero_point,
};
use ifured_pixels::fits::read_image;
use ifured_pixels::resample::TanGrid;
use ifured_pixels::sources::{
    Aperture, BackgroundOptions, DetectionOptions, FittedStar, Interpolation, Source, aperture_flux, detect_sources, fit_stars,
    measure_background, seeing,
};
use ifured_pixels::task;
use ifured_pixels::{Image, quality};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wcs::Tan;
use crate::{products, signatures, tags};

/// Side of the blocks of the background in pixels.
const BACKGROUND_BLOCK: usize = 128;
/// Parts of an object are stars of their own where they rise by so many sigma.
const DEBLEND: f64 = 5.0;
/// Radius of the apertures of the zero point, in FWHM: a Gaussian star has all but 1.5e-5 of its light in it.
const APERTURE: f64 = 2.0;
/// The zero point comes from stars with at least this ratio of signal to noise.
const BRIGHT: f64 = 20.0;
/// The limiting magnitude is that of this ratio of signal to noise.
const LIMIT: f64 = 5.0;
/// Modified Julian date and Julian year of J2000.0, days of a Julian year.
const J2000: (f64, f64, f64) = (51544.5, 2000.0, 365.25);
const SATURATED: u32 = quality::SATURATED_CONVERTER | quality::SATURATED_WELL;
const UNUSABLE: u32 = quality::MISSING | quality::OUTSIDE | quality::DEAD | quality::HOT;
/// What spoils a star: its light is not what the sky sent.
const SPOILT: u32 = UNUSABLE | SATURATED | quality::COSMIC_RAY;

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
    /// Stars are found above this many times the noise.
    #[schemars(range(min = 3.0), extend("x-unit" = "1"))]
    pub detection_sigma: f64,
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
            detection_sigma: 5.0,
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
            version: 1,
            title: "Image with fitted world coordinates".into(),
            description: "Runs when a catalogue is given. Finds stars, parts those that touch, fits their places, matches \
            them with the catalogue (proper motions applied) near the pointing by the shapes of \
                          triangles, whatever the turn or flip, fits TAN-SIP, and measures seeing, zero point and limiting \
                          magnitude. An image without enough stars, or of another field, is an error that \
                          leaves the others alone."
                .into(),
            main: MainInput {
                tags: vec![tags::REDUCED_IMAGING.into()],
                when: vec![],
                group: Grouping {
                    signature: signatures::science(),
                    span_hours: Some(0.0),
                    within_night: true,
                    apart: vec![],
                    min_frames: 1,
                },
            },
            inputs: vec![],
            products: vec![ProductSpec::new(
                tags::SOLVED_IMAGING,
                "Image with fitted world coordinates",
                "astrometry/{night}/astrometry_{stem}.fits",
                &signatures::science(),
            )],
            enabled: false,
            memory: Memory { fixed: 150e6, per_pixel: 60.0, per_pixel_and_frame: 0.0 },
            schema: serde_json::Value::Null,
            defaults: serde_json::Value::Null,
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
        let field = Field::measure(&image, parameters.detection_sigma);
        host.progress(0.6, "matching");
        let stars: Vec<ImageStar> = field.stars.iter().map(|s| ImageStar { x: s.x, y: s.y, error: s.error }).collect();
        let options = SolveOptions { most_order: parameters.distortion_order as usize, clip: parameters.clip_sigma };
        let solution = solve(&stars, &places, image.shape(), &expected, &options).map_err(|e| advised(&e))?;
        let mut outcome = Outcome::default();
        judge(&mut outcome, &solution, &field, &parameters, &expected);
        field.calibrate(&mut outcome, &image, &solution, &places, header.real("EXPTIME").unwrap_or(f64::NAN), &band);
        let mut header = products::header_of(&header);
        solution.fit.wcs.write(&mut header);
        header.set("IFURED WCS", "fitted", "fitted to stars of a catalogue");
        products::write_statistics(&mut header, &image);
        host.progress(0.8, "writing");
        task::write(task, &mut outcome, tags::SOLVED_IMAGING, header, &image)?;
        Ok(outcome)
    }
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

/// The stars of an image, brightest first, above its background.
struct Field {
    stars: Vec<FittedStar>,
    background: ndarray::Array2<f32>,
    fwhm: f64,
    noise: f64,
}

impl Field {
    fn measure(image: &Image, sigma: f64) -> Field {
        let blocks = BackgroundOptions {
            block: BACKGROUND_BLOCK,
            interpolation: Interpolation::Bilinear,
            exclude: UNUSABLE | SATURATED,
            ..BackgroundOptions::default()
        };
        let background = measure_background(image, None, &blocks).image();
        let options = DetectionOptions { sigma, exclude: UNUSABLE, deblend: Some(DEBLEND), ..DetectionOptions::default() };
        let found = detect_sources(image, background.view(), &options).sources;
        let signal = &image.data - &background;
        let fwhm = seeing(image, signal.view(), &found, SPOILT).unwrap_or(f64::NAN);
        let fitted = fit_stars(image, signal.view(), &found, if fwhm.is_nan() { options.fwhm } else { fwhm }, SPOILT);
        // A saturated star has no place that could be fitted, but it takes part in the match.
        let star = |(source, fit): (Source, Option<FittedStar>)| {
            let spoilt = source.quality & (SATURATED | UNUSABLE) != 0;
            let rough = FittedStar { x: source.x, y: source.y, error: f64::NAN, flux: source.flux, flux_error: f64::NAN };
            match fit {
                Some(fit) if spoilt => Some(FittedStar { error: f64::NAN, ..fit }),
                Some(fit) => (fit.flux > 3.0 * fit.flux_error).then_some(fit),
                None => spoilt.then_some(rough),
            }
        };
        let mut stars: Vec<FittedStar> = found.into_iter().zip(fitted).filter_map(star).collect();
        stars.sort_by(|a, b| b.flux.total_cmp(&a.flux));
        Field { stars, background, fwhm, noise: products::sky(image).1 }
    }

    /// Zero point and limiting magnitude, from matched stars whose aperture is whole.
    fn calibrate(&self, outcome: &mut Outcome, image: &Image, solution: &Solution, places: &[Place], exposure: f64, band: &str) {
        if band.is_empty() || !(exposure > 0.0) {
            outcome.notes.push("no zero point: the catalogue has no magnitudes, or EXPTIME is missing".into());
            return;
        }
        let above = Image { data: &image.data - &self.background, variance: image.variance.clone(), quality: image.quality.clone() };
        let radius = APERTURE * self.fwhm;
        let aperture = Aperture { radius, ring: Some((1.5 * radius, 2.2 * radius)), exclude: SPOILT };
        let star = |&(s, c): &(usize, usize)| {
            let at = &self.stars[s];
            let alone = solution.matched.iter().all(|&(o, _)| o == s || !near(&self.stars[o], at, radius + self.fwhm));
            let flux = aperture_flux(&above, (at.x, at.y), &aperture).filter(|f| alone && f.flux > BRIGHT * f.error)?;
            Some((places[c].magnitude, flux.flux / exposure))
        };
        let stars: Vec<(f64, f64)> = solution.fitted.iter().filter_map(star).collect();
        let Some(found) = zero_point(&stars) else {
            outcome.notes.push(format!("no zero point: only {} stars are bright enough and stand alone", stars.len()));
            return;
        };
        let depth = limiting_magnitude(found.value, self.noise / exposure, self.fwhm, LIMIT);
        outcome.quality.extend([
            QualityNumber::new("ZERO POINT", found.value, "mag", &format!("{band} of a star of 1 adu/s")).with_error(found.error),
            QualityNumber::new("ZP SCATTER", found.scatter, "mag", "of a star about the zero point"),
            QualityNumber::new("N PHOT", found.stars as f64, "", "stars of the zero point"),
            QualityNumber::new("LIMIT MAG", depth, "mag", "star of signal to noise 5"),
        ]);
    }
}

fn near(a: &FittedStar, b: &FittedStar, distance: f64) -> bool {
    (a.x - b.x).hypot(a.y - b.y) < distance
}

fn judge(outcome: &mut Outcome, solution: &Solution, field: &Field, parameters: &Parameters, expected: &Expected) {
    let fit = &solution.fit;
    let scale = fit.wcs.scale_arcsec();
    let used = fit.used.iter().filter(|u| **u).count() as f64;
    let reference = fit.wcs.tan.crpix;
    let (ra, dec) = expected.tan.to_sky(reference.0 - 1.0, reference.1 - 1.0);
    let (x, y) = fit.wcs.to_pixel(ra, dec);
    let offset = (x - reference.0 + 1.0).hypot(y - reference.1 + 1.0) * scale;
    let turn = fit.wcs.tan.cd[0][1].atan2(fit.wcs.tan.cd[1][1]).to_degrees();
    outcome.quality.extend([
        QualityNumber::new("N DETECTED", field.stars.len() as f64, "", "stars found in the image"),
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
        QualityNumber::new("SEEING", field.fwhm * scale, "arcsec", "full width at half maximum of stars"),
    ]);
}
