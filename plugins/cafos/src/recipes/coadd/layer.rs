//! One image of a sum: its stars, and where it lies.

use std::path::{Path, PathBuf};

use ifured_core::{Header, RecipeError, provenance, recipe::TaskInput};
use ifured_pixels::astrometry::TanSip;
use ifured_pixels::fits::{hdus, read_image};
use ifured_pixels::sources::{Alignment, MeasuredStar, Source, StarField, align};

use super::Parameters;
use crate::stars::{self, Magnitudes};
use crate::wcs::Tan;

/// Images with fewer stars are placed by the pointing.
const FEWEST_STARS: usize = 3;
/// Stars of an image that are compared with those of the others, at most.
const MOST_STARS: usize = 300;
/// How far a star may be from where fitted world coordinates have it, in pixels.
const SAME_STAR: f64 = 3.0;
/// Radius of the apertures of stars, in FWHM.
const APERTURE: f64 = 1.5;

/// An image with its stars.
pub struct Layer {
    pub name: String,
    pub path: PathBuf,
    pub header: Header,
    pub shape: (usize, usize),
    pub exposure: f64,
    /// Level and noise of the sky.
    pub level: f64,
    pub noise: f64,
    /// Full width at half maximum of stars in pixels; NaN without stars.
    pub fwhm: f64,
    /// World coordinates that were fitted to stars.
    pub wcs: Option<TanSip>,
    /// Magnitude of 1 adu, where the image has been calibrated.
    pub magnitudes: Option<Magnitudes>,
    stars: Vec<Source>,
}

/// Where a layer lies relative to the first one, and how bright it is.
pub struct Placed {
    pub layer: Layer,
    /// From pixels of the first layer to its own. Meaningless where both have fitted world coordinates: see [`super::grid`].
    pub alignment: Alignment,
}

impl Layer {
    /// Reads an image and finds its stars.
    pub fn read(input: &TaskInput, parameters: &Parameters) -> Result<Layer, RecipeError> {
        let (header, image) = read_image(&input.path)?;
        let field = stars::measure(&image, parameters.detection.detection_sigma, APERTURE);
        let is_fitted = header.text("IFURED WCS").is_ok_and(|t| t.trim() == "fitted");
        let exposure = header.real("EXPTIME").unwrap_or(0.0);
        Ok(Layer {
            name: input.name.clone(),
            path: input.path.clone(),
            shape: image.shape(),
            exposure,
            level: field.sky,
            noise: field.noise,
            fwhm: field.fwhm,
            wcs: TanSip::of_header(&header).filter(|_| is_fitted),
            magnitudes: magnitudes(&header, &input.path, exposure)?,
            stars: lone_stars(&field),
            header,
        })
    }

    pub fn count(&self) -> usize {
        self.stars.len()
    }

    /// Where this layer lies relative to the first; a note where the pointing had to do. `None` where it does not fit.
    pub fn placed(&self, first: &Layer, search: f64) -> (Option<Alignment>, Option<String>) {
        let by_exposure = self.exposure / first.exposure;
        let few = first.stars.len() < FEWEST_STARS || self.stars.len() < FEWEST_STARS;
        if let (Some(here), Some(there)) = (&self.wcs, &first.wcs) {
            // In pixels of the first layer by the sky: what is left is an error of either.
            let moved: Vec<Source> = self.stars.iter().map(|s| through(s, here, there)).collect();
            let found = if few { None } else { align(&first.stars, &moved, (0.0, 0.0), SAME_STAR) };
            return match found {
                Some(alignment) => (Some(alignment), None),
                None => {
                    let note = format!("{}: too few stars in common, its brightness is taken from the exposure time", self.name);
                    (Some(Alignment { flux_ratio: by_exposure, ..Alignment::identity() }), Some(note))
                }
            };
        }
        let expected = expected_shift(&first.header, &self.header);
        if few {
            let note = format!("{}: too few stars, placed by the pointing", self.name);
            return (Some(Alignment { shift: expected, flux_ratio: by_exposure, ..Alignment::identity() }), Some(note));
        }
        (align(&first.stars, &self.stars, expected, search), None)
    }
}

fn through(star: &Source, from: &TanSip, to: &TanSip) -> Source {
    let (ra, dec) = from.to_sky(star.x, star.y);
    let (x, y) = to.to_pixel(ra, dec);
    Source { x, y, ..*star }
}

/// The shift from the first image that the coordinates let expect.
fn expected_shift(first: &Header, other: &Header) -> (f64, f64) {
    let (Some(a), Some(b)) = (Tan::of_header(first), Tan::of_header(other)) else { return (0.0, 0.0) };
    let (x, y) = b.to_pixel(a.crval.0, a.crval.1);
    (x - a.crpix.0, y - a.crpix.1)
}

/// The zero point that the astrometry wrote; the name of the magnitude is with its table of stars.
fn magnitudes(header: &Header, path: &Path, exposure: f64) -> Result<Option<Magnitudes>, RecipeError> {
    let numbers = provenance::outcome(header).quality;
    let Some(found) = numbers.iter().find(|q| q.name == "ZERO POINT").filter(|_| exposure > 0.0) else { return Ok(None) };
    let Some(per_second) = found.value else { return Ok(None) };
    let band = hdus(path)?.iter().find_map(|h| h.header.text("PHOTBAND").map(|b| b.trim().to_owned()).ok()).unwrap_or_default();
    let of_one = per_second + 2.5 * exposure.log10();
    Ok(Some(Magnitudes { band, of_one, error: found.error.unwrap_or(f64::NAN) }))
}

/// The brightest stars with whole apertures; cosmic rays that were removed are estimates, and do not spoil a star.
fn lone_stars(field: &StarField) -> Vec<Source> {
    use ifured_pixels::sources::star_field::flags::{INCOMPLETE, NOT_FITTED, SATURATED};
    let whole = |s: &&MeasuredStar| s.flags & (INCOMPLETE | SATURATED | NOT_FITTED) == 0 && s.flux > 0.0;
    let source = |s: &MeasuredStar| Source {
        x: s.fit.x,
        y: s.fit.y,
        error: s.fit.error,
        flux: s.flux,
        flux_error: s.flux_error,
        peak: f64::NAN,
        pixels: 0,
        quality: 0,
    };
    let mut stars: Vec<Source> = field.stars.iter().filter(whole).map(source).take(MOST_STARS).collect();
    stars.sort_by(|a, b| b.flux.total_cmp(&a.flux));
    stars
}
