//! All stars of an image: found, parted, placed, and measured in apertures.
//!
//! Stars are found above a background in blocks ([`super::measure_background`], [`super::detect_sources`]), parted where they touch, and placed by a
//! profile fit ([`super::fit_stars`]). The profiles of all *other* stars are then subtracted, and the flux is summed in an aperture of some
//! FWHM above the median of a ring. What light such an aperture misses comes from bright lone stars in a large one: the aperture correction
//! (Stetson 1990, PASP 102, 932, by a single step of the curve of growth). Fluxes are those of the large aperture.

#[cfg(test)]
mod tests;

use ndarray::{Array2, ArrayView2, s};

use super::positions::{adaptive_sigma, neighbours, profile};
use super::{
    Aperture, BackgroundOptions, DetectionOptions, FittedStar, Interpolation, Source, aperture_flux, detect_sources, fit_stars,
    measure_background, seeing,
};
use crate::Image;
use crate::statistics::{median, robust_sigma};

/// Radius of the large aperture, inner and outer radius of the ring of sky, in FWHM.
const LARGE: f64 = 2.5;
const RING: (f64, f64) = (3.0, 4.5);
/// A neighbour with less than this part of the light does not count.
const FAINT_NEIGHBOUR: f64 = 0.05;
/// Stars of the aperture correction have at least this ratio of signal to noise; it takes at least so many, and at most.
const BRIGHT: f64 = 30.0;
const FEWEST: usize = 3;
const MOST: usize = 200;
/// The noise of the sky comes from at most about so many pixels.
const SAMPLE: usize = 300_000;

/// What there is to know of a flux; 0 is good.
pub mod flags {
    /// Another star with more than 5 % of the light is closer than the radius of the aperture and 1 FWHM; its profile was subtracted.
    pub const NEIGHBOUR: i16 = 1;
    /// The aperture is not whole: the edge, the rim of the field, or pixels without data. There is no flux.
    pub const INCOMPLETE: i16 = 2;
    /// A pixel of the aperture is saturated: the flux is a lower limit.
    pub const SATURATED: i16 = 4;
    /// A pixel of the aperture was repaired (cosmic ray).
    pub const REPAIRED: i16 = 8;
    /// No profile could be fitted: the place is a centroid.
    pub const NOT_FITTED: i16 = 16;
}

/// Choices of the measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StarOptions {
    /// Stars are found above this many times the noise.
    pub sigma: f64,
    /// Stars that touch are parted where they rise by so many sigma.
    pub deblend: f64,
    /// Side of the blocks of the background, in pixels.
    pub block: usize,
    /// Radius of the aperture in FWHM.
    pub aperture: f64,
    /// Quality bits of pixels that hold no light of the sky: not used at all.
    pub unusable: u32,
    /// Quality bits of saturated pixels.
    pub saturated: u32,
    /// Quality bits of repaired pixels.
    pub repaired: u32,
}

/// A star.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredStar {
    /// Place and flux of the profile; its error is NaN for a star that is no measure of place (saturated, or not fitted).
    pub fit: FittedStar,
    /// Flux, corrected to the large aperture; NaN where the aperture is not whole.
    pub flux: f64,
    /// Standard error of the flux: photons, detector, and local sky. The error of the correction is common to all stars and not in it.
    pub flux_error: f64,
    /// Level of the ring above the background, per pixel.
    pub sky: f64,
    /// Full width at half maximum in pixels, by adaptive moments; NaN where it could not be measured.
    pub fwhm: f64,
    /// What there is to know, see [`flags`].
    pub flags: i16,
}

/// What an aperture misses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApertureCorrection {
    /// Radius of the aperture in pixels.
    pub radius: f64,
    /// Radius of the large aperture in pixels.
    pub large_radius: f64,
    /// Flux in the large aperture divided by that in the small one.
    pub factor: f64,
    /// Its standard error.
    pub error: f64,
    /// Stars that it rests on; with 0 it is that of a Gaussian.
    pub stars: usize,
}

/// The stars of an image.
#[derive(Clone, Debug)]
pub struct StarField {
    /// Stars, the brightest profile first.
    pub stars: Vec<MeasuredStar>,
    /// Background, of the shape of the image.
    pub background: Array2<f32>,
    /// Full width at half maximum of stars in pixels; NaN without stars.
    pub fwhm: f64,
    /// Median of the background.
    pub sky: f64,
    /// Standard deviation of pixels beside the stars.
    pub noise: f64,
    /// The aperture correction.
    pub correction: ApertureCorrection,
}

impl StarField {
    /// Finds and measures the stars.
    ///
    /// *Accuracy*: pulls of the fluxes of unflagged stars have the robust width 1.02 for Gaussian profiles, and 1.11 for Moffat profiles (beta 3), whose
    /// wings a Gaussian does not take from their neighbours (test).
    pub fn measure(image: &Image, options: &StarOptions) -> StarField {
        let blocks = BackgroundOptions {
            block: options.block,
            interpolation: Interpolation::Bilinear,
            exclude: options.unusable | options.saturated,
            ..BackgroundOptions::default()
        };
        let background = measure_background(image, None, &blocks).image();
        let detection = DetectionOptions {
            sigma: options.sigma,
            exclude: options.unusable,
            deblend: Some(options.deblend),
            ..DetectionOptions::default()
        };
        let found = detect_sources(image, background.view(), &detection).sources;
        let signal = &image.data - &background;
        let spoilt = options.unusable | options.saturated | options.repaired;
        let fwhm = seeing(image, signal.view(), &found, spoilt).unwrap_or(f64::NAN);
        let width = if fwhm.is_nan() { detection.fwhm } else { fwhm };
        let fitted = fit_stars(image, signal.view(), &found, width, spoilt);
        let mut stars: Vec<(Source, FittedStar, bool)> =
            found.iter().zip(fitted).filter_map(|(source, fit)| accepted(source, fit, options)).collect();
        stars.sort_by(|a, b| b.1.flux.total_cmp(&a.1.flux));
        let photometry = Photometry::new(image, signal, &stars, width, options);
        let noise = photometry.noise();
        let (stars, correction) = photometry.all();
        let sky = median(&sampled(&background, &image.quality, spoilt));
        StarField { stars, background, fwhm, sky, noise, correction }
    }

    /// Flux of a star whose profile is measured with that ratio of signal to noise on the sky; NaN without stars.
    pub fn limiting_flux(&self, signal_to_noise: f64) -> f64 {
        limiting_flux(self.noise, self.fwhm, signal_to_noise)
    }
}

/// Flux of a star that is measured with `signal_to_noise` by its profile, a Gaussian of the given FWHM in pixels, on a sky whose pixels
/// scatter by `sky_noise`: the flux error is `sqrt(4 pi) sigma sky_noise` (King 1983, PASP 95, 163).
pub fn limiting_flux(sky_noise: f64, fwhm: f64, signal_to_noise: f64) -> f64 {
    signal_to_noise * (4.0 * std::f64::consts::PI).sqrt() * fwhm / 2.354_82 * sky_noise
}

/// A detection that is a star; whether its profile was fitted. A saturated star has no place that could be fitted, but it is one.
fn accepted(source: &Source, fit: Option<FittedStar>, options: &StarOptions) -> Option<(Source, FittedStar, bool)> {
    let spoilt = source.quality & (options.saturated | options.unusable) != 0;
    let rough = FittedStar { x: source.x, y: source.y, error: f64::NAN, flux: source.flux, flux_error: f64::NAN };
    match fit {
        Some(fit) if spoilt => Some((*source, FittedStar { error: f64::NAN, ..fit }, true)),
        Some(fit) => (fit.flux > 3.0 * fit.flux_error).then_some((*source, fit, true)),
        None => spoilt.then_some((*source, rough, false)),
    }
}

/// Values of pixels without any of the bits, from an evenly spread part of the image.
fn sampled(values: &Array2<f32>, quality: &Array2<u32>, exclude: u32) -> Vec<f32> {
    let step = (values.len().div_ceil(SAMPLE)).max(1) | 1;
    let both = values.iter().zip(quality).step_by(step);
    both.filter(|(v, q)| **q & exclude == 0 && v.is_finite()).map(|(v, _)| *v).collect()
}

/// An image without its stars, and the stars to be measured on it one after the other.
struct Photometry<'a> {
    image: &'a Image,
    /// Data without background and profiles.
    residual: Array2<f32>,
    stars: &'a [(Source, FittedStar, bool)],
    near: Vec<Vec<usize>>,
    fwhm: f64,
    options: &'a StarOptions,
}

impl<'a> Photometry<'a> {
    fn new(
        image: &'a Image,
        signal: Array2<f32>,
        stars: &'a [(Source, FittedStar, bool)],
        fwhm: f64,
        options: &'a StarOptions,
    ) -> Photometry<'a> {
        let places: Vec<Source> = stars.iter().map(|(source, fit, _)| Source { x: fit.x, y: fit.y, ..*source }).collect();
        let near = neighbours(&places, (LARGE + 1.0) * fwhm);
        let mut residual = signal;
        for (_, fit, fitted) in stars {
            if *fitted {
                add_profile(&mut residual, (0, 0), fit, fwhm, -1.0);
            }
        }
        Photometry { image, residual, stars, near, fwhm, options }
    }

    fn noise(&self) -> f64 {
        let exclude = self.options.unusable | self.options.saturated | self.options.repaired;
        robust_sigma(&sampled(&self.residual, &self.image.quality, exclude))
    }

    fn all(&self) -> (Vec<MeasuredStar>, ApertureCorrection) {
        let radius = self.options.aperture * self.fwhm;
        let mut measured: Vec<MeasuredStar> = (0..self.stars.len()).map(|n| self.star(n, radius)).collect();
        let correction = self.correction(&measured, radius);
        for star in &mut measured {
            star.flux *= correction.factor;
            star.flux_error *= correction.factor;
        }
        (measured, correction)
    }

    fn star(&self, n: usize, radius: f64) -> MeasuredStar {
        let (source, fit, fitted) = &self.stars[n];
        let (cutout, centre) = self.alone(n);
        let mut flags = if *fitted { 0 } else { flags::NOT_FITTED };
        let distance = |m: usize| (self.stars[m].1.x - fit.x).hypot(self.stars[m].1.y - fit.y);
        let counts = |m: &usize| self.stars[*m].1.flux > FAINT_NEIGHBOUR * fit.flux && distance(*m) < radius + self.fwhm;
        if self.near[n].iter().any(counts) {
            flags |= flags::NEIGHBOUR;
        }
        let bits = bits_within(cutout.quality.view(), centre, radius);
        for (some, flag) in [(self.options.saturated, flags::SATURATED), (self.options.repaired, flags::REPAIRED)] {
            if bits & some != 0 {
                flags |= flag;
            }
        }
        let found = self.in_aperture(&cutout, centre, radius);
        if found.is_none() {
            flags |= flags::INCOMPLETE;
        }
        let at = Source { x: centre.0, y: centre.1, ..*source };
        let bad = self.options.unusable | self.options.saturated;
        let fwhm = adaptive_sigma(&cutout, cutout.data.view(), &at, bad).map_or(f64::NAN, |sigma| 2.354_82 * sigma);
        let (flux, flux_error, sky) = found.unwrap_or((f64::NAN, f64::NAN, f64::NAN));
        MeasuredStar { fit: *fit, flux, flux_error, sky, fwhm, flags }
    }

    /// A piece of the image with one star on it, and where that is.
    fn alone(&self, n: usize) -> (Image, (f64, f64)) {
        let (_, fit, fitted) = &self.stars[n];
        let reach = RING.1 * self.fwhm + 2.0;
        let range = |centre: f64, n: usize| {
            let low = (centre - reach).floor().clamp(0.0, n as f64) as usize;
            low..((centre + reach).ceil().max(0.0) as usize + 1).clamp(low, n)
        };
        let (rows, columns) = (range(fit.y, self.image.shape().0), range(fit.x, self.image.shape().1));
        let origin = (rows.start, columns.start);
        let part = s![rows, columns];
        let mut data = self.residual.slice(part).to_owned();
        if *fitted {
            add_profile(&mut data, origin, fit, self.fwhm, 1.0);
        }
        let (variance, quality) = (self.image.variance.slice(part).to_owned(), self.image.quality.slice(part).to_owned());
        (Image { data, variance, quality }, (fit.x - origin.1 as f64, fit.y - origin.0 as f64))
    }

    fn in_aperture(&self, cutout: &Image, centre: (f64, f64), radius: f64) -> Option<(f64, f64, f64)> {
        let ring = Some((RING.0 * self.fwhm, RING.1 * self.fwhm));
        let aperture = Aperture { radius, ring, exclude: self.options.unusable };
        aperture_flux(cutout, centre, &aperture).map(|f| (f.flux, f.error, f.sky))
    }

    /// From bright lone stars: the mean of the ratios weighted by their errors, widened where they scatter by more.
    fn correction(&self, measured: &[MeasuredStar], radius: f64) -> ApertureCorrection {
        let large_radius = (LARGE * self.fwhm).max(radius);
        let inside = |r: f64| 1.0 - (-4.0 * std::f64::consts::LN_2 * (r / self.fwhm).powi(2)).exp();
        let gaussian = ApertureCorrection { radius, large_radius, factor: inside(large_radius) / inside(radius), error: 0.0, stars: 0 };
        let bright = (0..measured.len()).filter(|&n| {
            let star = &measured[n];
            star.flags == 0 && star.flux > BRIGHT * star.flux_error && self.near[n].is_empty()
        });
        let ratio = |n: usize| {
            let (cutout, centre) = self.alone(n);
            let bits = bits_within(cutout.quality.view(), centre, large_radius);
            let (flux, error, _) = self.in_aperture(&cutout, centre, large_radius)?;
            let small = &measured[n];
            // Both apertures hold the same photons of the core: the error is that of what lies between.
            let between = (error.powi(2) - small.flux_error.powi(2)).max(0.0).sqrt();
            (bits & (self.options.saturated | self.options.repaired) == 0).then_some((flux / small.flux, between / small.flux))
        };
        let ratios: Vec<(f64, f64)> = bright.take(MOST).filter_map(ratio).filter(|(r, e)| r.is_finite() && *e > 0.0).collect();
        match weighted(&ratios) {
            Some((factor, error)) => ApertureCorrection { factor, error, stars: ratios.len(), ..gaussian },
            None => gaussian,
        }
    }
}

/// Mean of values with errors, without those beyond 3 robust standard deviations; `None` from fewer than 3.
fn weighted(values: &[(f64, f64)]) -> Option<(f64, f64)> {
    if values.len() < FEWEST {
        return None;
    }
    let all: Vec<f32> = values.iter().map(|v| v.0 as f32).collect();
    let middle = median(&all);
    let pulls: Vec<f32> = values.iter().map(|(v, e)| ((v - middle) / e) as f32).collect();
    let width = robust_sigma(&pulls).max(1.0);
    let (mut sum, mut weights) = (0.0, 0.0);
    for (v, e) in values.iter().zip(&pulls).filter(|(_, p)| f64::from(p.abs()) <= 3.0 * width).map(|(v, _)| v) {
        sum += v / (e * e);
        weights += 1.0 / (e * e);
    }
    (weights > 0.0).then(|| (sum / weights, width / weights.sqrt()))
}

/// Adds the profile of a star, times a factor, to a piece of an image whose first pixel is at `origin` (row, column).
fn add_profile(data: &mut Array2<f32>, origin: (usize, usize), star: &FittedStar, fwhm: f64, factor: f64) {
    let sigma = (fwhm / 2.354_82).max(0.5);
    let (x, y) = (star.x - origin.1 as f64, star.y - origin.0 as f64);
    let shape = data.dim();
    let local = FittedStar { x, y, ..*star };
    for at in super::positions::pixels(shape, (x, y), 6.0 * sigma) {
        data[at] += (factor * star.flux * profile(&local, at, sigma)) as f32;
    }
}

fn bits_within(quality: ArrayView2<u32>, centre: (f64, f64), radius: f64) -> u32 {
    super::positions::pixels(quality.dim(), centre, radius + 0.5).fold(0, |bits, at| bits | quality[at])
}
