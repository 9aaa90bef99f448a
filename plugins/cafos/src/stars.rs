//! Stars of reduced images: how they are measured, the numbers they give, and their table.

use ifured_core::{Figure, Grade, Header, QualityNumber};
use ifured_pixels::astrometry::TanSip;
use ifured_pixels::fits::Table;
use ifured_pixels::sources::{MeasuredStar, StarField, StarOptions};
use ifured_pixels::{Image, quality};

/// Pixels that hold no light of the sky.
pub const UNUSABLE: u32 = quality::MISSING | quality::OUTSIDE | quality::DEAD | quality::HOT;
/// Saturated pixels.
pub const SATURATED: u32 = quality::SATURATED_CONVERTER | quality::SATURATED_WELL;
/// Side of the blocks of the background in pixels: large beside stars, small beside the field.
const BACKGROUND_BLOCK: usize = 128;
/// Parts of an object are stars of their own where they rise by so many sigma.
const DEBLEND: f64 = 5.0;
/// Limits are those of this ratio of signal to noise.
pub const LIMIT: f64 = 5.0;
/// Magnitudes for a relative error of 1.
const MAGNITUDES: f64 = 1.085_736;

/// Finds and measures the stars of an image, in apertures of some FWHM.
pub fn measure(image: &Image, sigma: f64, aperture: f64) -> StarField {
    let options = StarOptions {
        sigma,
        deblend: DEBLEND,
        block: BACKGROUND_BLOCK,
        aperture,
        unusable: UNUSABLE,
        saturated: SATURATED,
        repaired: quality::COSMIC_RAY,
    };
    StarField::measure(image, &options)
}

/// Magnitudes of an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Magnitudes {
    /// Name of the catalogue's magnitude.
    pub band: String,
    /// Magnitude of a star of 1 count of the image, not per second.
    pub of_one: f64,
    /// Its standard error.
    pub error: f64,
}

/// Number of stars, seeing, and the faintest star, without a catalogue.
pub fn numbers(field: &StarField, scale_arcsec: f64, exposure: f64) -> Vec<QualityNumber> {
    let count = QualityNumber::new("N STARS", field.stars.len() as f64, "", "stars found in the image");
    let per_second = if exposure > 0.0 { 1.0 / exposure } else { f64::NAN };
    vec![
        count.within(1.0, f64::INFINITY, Grade::Questionable),
        QualityNumber::new("SEEING", field.fwhm * scale_arcsec, "arcsec", "full width at half maximum of stars"),
        QualityNumber::new("LIM FLUX", field.limiting_flux(LIMIT) * per_second, "adu/s", "star of signal to noise 5"),
    ]
}

/// What the apertures of the photometry are.
pub fn aperture_numbers(field: &StarField) -> Vec<QualityNumber> {
    let c = &field.correction;
    let title = format!("from this aperture to one of {:.1} pixels", c.large_radius);
    vec![
        QualityNumber::new("APERTURE", c.radius, "pixel", "radius of the apertures"),
        QualityNumber::new("AP CORR", -2.5 * c.factor.log10(), "mag", &title).with_error(MAGNITUDES * c.error / c.factor),
    ]
}

/// Zero point and depth of an image in magnitudes; its noise is correlated by that factor in variance.
pub fn depth(field: &StarField, magnitudes: &Magnitudes, correlation: f64) -> QualityNumber {
    let limit = magnitudes.of_one - 2.5 * (field.limiting_flux(LIMIT) * correlation.sqrt()).log10();
    QualityNumber::new("LIM MAG", limit, "mag", "star of signal to noise 5")
}

/// Table `SOURCES`: one row a star, the brightest first. Errors of the fluxes are widened by the correlation of the noise (a factor in variance).
pub fn sources(field: &StarField, wcs: Option<&TanSip>, magnitudes: Option<&Magnitudes>, correlation: f64) -> Table {
    let mut header = Header::new();
    let c = &field.correction;
    header.set("EXTNAME", "SOURCES", "stars of the image");
    header.set("APRADIUS", c.radius, "[pixel] radius of the apertures");
    header.set("APLARGE", c.large_radius, "[pixel] radius that FLUX is corrected to");
    header.set("APCOR", c.factor, "factor of the correction, is in FLUX");
    header.set("APCORERR", c.error, "its error, common to all, is not in FLUX_ERR");
    header.set("APSTARS", c.stars as i64, "stars that it rests on; 0: of a Gaussian");
    if let Some(m) = magnitudes {
        header.set("PHOTZP", m.of_one, "[mag] magnitude of 1 adu");
        header.set("PHOTZERR", m.error, "[mag] its error, is not in MAG_ERR");
        header.set("PHOTBAND", m.band.as_str(), "magnitude of the catalogue");
        Figure::new("Errors of the magnitudes", "MAG").points("MAG_ERR").write(&mut header);
    }
    for (bit, what) in
        [(1, "neighbour subtracted"), (2, "aperture not whole"), (4, "saturated"), (8, "repaired pixels"), (16, "no profile fitted")]
    {
        header.set(&format!("FLAG{bit}"), what, "meaning of this number in FLAGS");
    }
    let stars = &field.stars;
    let mut table = Table::new(header, stars.len());
    let mut add = |name: &str, unit: &str, value: &dyn Fn(&MeasuredStar) -> f64| {
        table.push(name, unit, stars.iter().map(value).collect::<Vec<f64>>().into());
    };
    add("X", "pixel", &|s| s.fit.x + 1.0);
    add("Y", "pixel", &|s| s.fit.y + 1.0);
    add("XY_ERR", "pixel", &|s| s.fit.error * correlation.sqrt());
    if let Some(wcs) = wcs {
        add("RA", "deg", &|s| wcs.to_sky(s.fit.x, s.fit.y).0);
        add("DEC", "deg", &|s| wcs.to_sky(s.fit.x, s.fit.y).1);
    }
    add("FLUX", "adu", &|s| s.flux);
    add("FLUX_ERR", "adu", &|s| s.flux_error * correlation.sqrt());
    if let Some(m) = magnitudes {
        add("MAG", "mag", &|s| m.of_one - 2.5 * s.flux.log10());
        add("MAG_ERR", "mag", &|s| if s.flux > 0.0 { MAGNITUDES * s.flux_error * correlation.sqrt() / s.flux } else { f64::NAN });
    }
    add("PROFILE_FLUX", "adu", &|s| s.fit.flux);
    add("PROFILE_FLUX_ERR", "adu", &|s| s.fit.flux_error * correlation.sqrt());
    add("SKY", "adu", &|s| s.sky);
    add("FWHM", "pixel", &|s| s.fwhm);
    table.push("FLAGS", "", stars.iter().map(|s| s.flags).collect::<Vec<i16>>().into());
    table
}
