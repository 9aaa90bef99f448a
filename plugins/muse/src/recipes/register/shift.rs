//! The shift of the pointing that puts pixels where they belong on the sky.
//!
//! An exposure is placed by the pointing in its header minus its offset (`muse_exp_combine` subtracts `RA_OFFSET` and `DEC_OFFSET`, differences of
//! coordinates in degrees without a factor cos δ). In an image that is the reference point of the projection (`CRVAL`): moving it moves the whole image on
//! the sky without turning it, which a new reference pixel with the old matrix would do near the poles.

use ifured_pixels::astrometry::TanSip;

/// Steps of the inversion: each gains several digits, for shifts are small.
const MOST_STEPS: usize = 20;
/// Degrees: a microarcsecond.
const SAME_PLACE: f64 = 3e-10;

/// Differences of right ascension and declination in degrees, without cos δ.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Offset {
    /// Right ascension.
    pub ra: f64,
    /// Declination.
    pub dec: f64,
}

impl Offset {
    /// The sum.
    pub fn plus(self, other: Offset) -> Offset {
        Offset { ra: self.ra + other.ra, dec: self.dec + other.dec }
    }

    /// The difference.
    pub fn minus(self, other: Offset) -> Offset {
        Offset { ra: self.ra - other.ra, dec: self.dec - other.dec }
    }

    /// Its components on the sky at a declination, in arcseconds.
    pub fn arcsec(self, dec: f64) -> (f64, f64) {
        (3600.0 * self.ra * dec.to_radians().cos(), 3600.0 * self.dec)
    }

    /// Its length on the sky at a declination, in arcseconds.
    pub fn length(self, dec: f64) -> f64 {
        let (x, y) = self.arcsec(dec);
        x.hypot(y)
    }
}

/// An image whose pointing is moved by minus this offset.
pub fn moved(image: &TanSip, offset: Offset) -> TanSip {
    let mut image = image.clone();
    image.tan.crval.0 = (image.tan.crval.0 - offset.ra).rem_euclid(360.0);
    image.tan.crval.1 -= offset.dec;
    image
}

/// The offset with which a pixel (from 1, as FITS counts) lies at a place (right ascension and declination in degrees); none if there is no such offset.
pub fn offset_to(image: &TanSip, pixel: (f64, f64), place: (f64, f64)) -> Option<Offset> {
    let mut offset = Offset::default();
    for _ in 0..MOST_STEPS {
        let (ra, dec) = moved(image, offset).to_sky(pixel.0 - 1.0, pixel.1 - 1.0);
        let step = Offset { ra: (ra - place.0 + 180.0).rem_euclid(360.0) - 180.0, dec: dec - place.1 };
        if !(step.ra.is_finite() && step.dec.is_finite()) {
            return None;
        }
        offset = offset.plus(step);
        if step.ra.abs() < SAME_PLACE && step.dec.abs() < SAME_PLACE {
            return Some(offset);
        }
    }
    None
}

/// The mean of several, and the scatter of one of them about it in arcseconds on the sky (none of a single one).
pub fn mean(offsets: &[Offset], dec: f64) -> (Offset, Option<f64>) {
    let n = offsets.len() as f64;
    let sum = offsets.iter().fold(Offset::default(), |sum, o| sum.plus(*o));
    let mean = Offset { ra: sum.ra / n, dec: sum.dec / n };
    let squares: f64 = offsets.iter().map(|o| o.minus(mean).length(dec).powi(2)).sum();
    // Two components of n offsets, two of which are the mean.
    (mean, (offsets.len() > 1).then(|| (squares / (2.0 * (n - 1.0))).sqrt()))
}

#[cfg(test)]
mod tests {
    use ifured_pixels::resample::TanGrid;

    use super::*;

    fn image(ra: f64, dec: f64) -> TanSip {
        let (sin, cos) = 30f64.to_radians().sin_cos();
        let s = 0.2 / 3600.0;
        let tan = TanGrid { crval: (ra, dec), crpix: (150.0, 160.0), cd: [[-s * cos, s * sin], [s * sin, s * cos]] };
        TanSip { tan, forward: None, inverse: None }
    }

    #[test]
    fn the_pixel_lies_on_the_place_afterwards_also_near_the_pole_and_over_zero_hours() {
        for (ra, dec) in [(53.1, -27.8), (0.0005, 10.0), (359.9995, -89.0), (120.0, 88.5)] {
            let image = image(ra, dec);
            let pixel = (31.4, 250.7);
            let (there_ra, there_dec) = image.to_sky(pixel.0 - 1.0, pixel.1 - 1.0);
            let place = ((there_ra + 2.0 / 3600.0 / dec.to_radians().cos()).rem_euclid(360.0), there_dec - 3.5 / 3600.0);
            let offset = offset_to(&image, pixel, place).unwrap();
            let found = moved(&image, offset).to_sky(pixel.0 - 1.0, pixel.1 - 1.0);
            let apart = Offset { ra: (found.0 - place.0 + 180.0).rem_euclid(360.0) - 180.0, dec: found.1 - place.1 };
            assert!(apart.length(dec) < 1e-5, "{apart:?}");
            assert!((offset.length(dec) - 2f64.hypot(3.5)).abs() < 0.1, "{offset:?} at {dec}");
        }
        assert_eq!(offset_to(&image(10.0, 0.0), (1.0, 1.0), (f64::NAN, 0.0)), None);
    }

    #[test]
    fn the_offset_is_what_the_place_lacks_whatever_the_pixel_at_low_declination() {
        // Measured minus true, in degrees of right ascension without cos δ: the sign and the unit of ESO's list.
        let image = image(53.1, -27.8);
        for pixel in [(1.0, 1.0), (150.0, 160.0), (300.0, 300.0)] {
            let (ra, dec) = image.to_sky(pixel.0 - 1.0, pixel.1 - 1.0);
            let offset = offset_to(&image, pixel, (ra - 0.001, dec + 0.0005)).unwrap();
            assert!((offset.ra - 0.001).abs() < 1e-6 && (offset.dec + 0.0005).abs() < 1e-6, "{offset:?}");
        }
    }

    #[test]
    fn the_scatter_is_that_of_one_component() {
        let at = |ra: f64, dec: f64| Offset { ra: ra / 3600.0, dec: dec / 3600.0 };
        let (centre, scatter) = mean(&[at(1.1, 2.0), at(0.9, 2.0), at(1.0, 2.1), at(1.0, 1.9)], 0.0);
        assert!((centre.ra * 3600.0 - 1.0).abs() < 1e-9 && (centre.dec * 3600.0 - 2.0).abs() < 1e-9);
        assert!((scatter.unwrap() - (0.04f64 / 6.0).sqrt()).abs() < 1e-9);
        assert_eq!(mean(&[at(1.0, 1.0)], 0.0).1, None);
    }
}
