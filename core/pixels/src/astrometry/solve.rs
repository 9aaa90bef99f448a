//! From the stars of an image and a catalogue to world coordinates.

use super::catalogue::Place;
use super::fit::{Pair, WcsFit, fit_tan_sip};
use super::matching::{Cells, LinearMap, MatchOptions, binomial_tail, match_stars};
use super::tan_sip::TanSip;
use crate::fit::FitError;
use crate::resample::TanGrid;

/// Fewest stars that can be matched with confidence.
const FEWEST: usize = 5;
/// Largest probability that the match is an accident.
const CHANCE: f64 = 1e-6;
/// Stars are taken as one within ever smaller distances, as parts of the first.
const SHRINK: [f64; 4] = [1.0, 0.5, 0.25, 0.15];

/// A star of the image, where and how bright it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageStar {
    /// Column from 0.
    pub x: f64,
    /// Row from 0.
    pub y: f64,
    /// Standard error of either, in pixels; NaN for a star that is matched but not fitted (saturated, struck).
    pub error: f64,
}

/// What is known of the world coordinates beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Pointing and scale.
    pub tan: TanGrid,
    /// How far the pointing may be off, in arcseconds.
    pub search_arcsec: f64,
    /// By which fraction the scale may be off.
    pub scale_error: f64,
}

/// Choices of a solution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SolveOptions {
    /// Highest order of the distortion; 1 is none.
    pub most_order: usize,
    /// Stars that are off by more than so many standard deviations are not fitted.
    pub clip: f64,
}

/// World coordinates with the pairs that they rest on.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The fit; its `used` belongs to `fitted`.
    pub fit: WcsFit,
    /// Indices of stars of the image and of the catalogue that were fitted.
    pub fitted: Vec<(usize, usize)>,
    /// Indices of all stars that are one, those not fitted too.
    pub matched: Vec<(usize, usize)>,
    /// Probability that the match is an accident.
    pub chance: f64,
}

/// Why there are no world coordinates.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AstrometryError {
    /// Too few stars in the image.
    #[error("only {found} stars in the image, at least {FEWEST} are needed")]
    FewStars {
        /// Stars.
        found: usize,
    },
    /// Too few stars in the catalogue.
    #[error("only {found} stars of the catalogue lie within {radius_arcmin:.1} arcmin of RA {ra:.4}, DEC {dec:.4} deg")]
    FewInCatalogue {
        /// Stars.
        found: usize,
        /// Radius that was searched.
        radius_arcmin: f64,
        /// Right ascension of its centre, degrees.
        ra: f64,
        /// Declination of its centre, degrees.
        dec: f64,
    },
    /// Nothing agrees.
    #[error("{image} stars of the image and {catalogue} of the catalogue do not match ({tested} arrangements tested)")]
    NoMatch {
        /// Stars of the image.
        image: usize,
        /// Stars of the catalogue nearby.
        catalogue: usize,
        /// Arrangements that were tested.
        tested: usize,
    },
    /// The stars that match do not determine the coordinates.
    #[error("the stars that match do not determine world coordinates: {0}")]
    Fit(#[from] FitError),
}

/// Finds the world coordinates of an image of `shape` (rows, columns). Both lists have the brightest first.
///
/// # Errors
/// [`AstrometryError`].
pub fn solve(
    stars: &[ImageStar],
    catalogue: &[Place],
    shape: (usize, usize),
    expected: &Expected,
    options: &SolveOptions,
) -> Result<Solution, AstrometryError> {
    let scale = 3600.0 * (expected.tan.cd[0][0] * expected.tan.cd[1][1] - expected.tan.cd[0][1] * expected.tan.cd[1][0]).abs().sqrt();
    let diagonal = (shape.0 as f64).hypot(shape.1 as f64);
    let search = expected.search_arcsec / scale;
    let radius = 0.5 * diagonal * (1.0 + expected.scale_error) + search;
    let centre = (0.5 * (shape.1 as f64 - 1.0), 0.5 * (shape.0 as f64 - 1.0));
    let places: Vec<(f64, f64)> = catalogue.iter().map(|p| expected.tan.to_pixel(p.ra, p.dec)).collect();
    let is_near = |p: &(f64, f64)| (p.0 - centre.0).hypot(p.1 - centre.1) <= radius;
    let nearby: Vec<usize> = (0..places.len()).filter(|&n| is_near(&places[n])).collect();
    if stars.len() < FEWEST {
        return Err(AstrometryError::FewStars { found: stars.len() });
    }
    if nearby.len() < FEWEST {
        let (ra, dec) = expected.tan.to_sky(centre.0, centre.1);
        return Err(AstrometryError::FewInCatalogue { found: nearby.len(), radius_arcmin: radius * scale / 60.0, ra, dec });
    }
    let image: Vec<(f64, f64)> = stars.iter().map(|s| (s.x, s.y)).collect();
    let near: Vec<(f64, f64)> = nearby.iter().map(|&n| places[n]).collect();
    let tolerance = (0.003 * diagonal).max(3.0);
    let limits = MatchOptions { search, scale_error: expected.scale_error, tolerance, chance: CHANCE };
    let none = |tested| AstrometryError::NoMatch { image: stars.len(), catalogue: nearby.len(), tested };
    let found = match_stars(&image, &near, shape, &limits).map_err(none)?;
    let mut wcs = through(&expected.tan, &found.map, centre);
    let mut fit = None;
    for part in SHRINK {
        let matched = mutual(&wcs, stars, catalogue, &nearby, part * tolerance);
        let fitted: Vec<(usize, usize)> = matched.iter().copied().filter(|(s, _)| stars[*s].error > 0.0).collect();
        let pairs: Vec<Pair> = fitted.iter().map(|&(s, c)| pair(&stars[s], &catalogue[c])).collect();
        // Far away stars are matched by what is known near the first ones: first a plain fit, then a distorted one.
        let order = if part == 1.0 { 1 } else { options.most_order };
        let next = fit_tan_sip(&pairs, shape, wcs.tan.crval, order, options.clip)?;
        wcs = next.wcs.clone();
        fit = Some((next, fitted, matched));
    }
    let (fit, fitted, matched) = fit.ok_or_else(|| none(0))?;
    let used = fit.used.iter().filter(|u| **u).count();
    if used < FEWEST {
        return Err(none(used));
    }
    // The match again, now that it is precise: stars beyond the three that any arrangement brings together.
    let density = nearby.len() as f64 / (std::f64::consts::PI * radius * radius);
    let accident = (density * std::f64::consts::PI * (SHRINK[3] * tolerance).powi(2)).clamp(1e-9, 0.5);
    let chance = found.chance.min(binomial_tail(stars.len(), matched.len().saturating_sub(3), accident));
    Ok(Solution { fit, fitted, matched, chance })
}

fn pair(star: &ImageStar, place: &Place) -> Pair {
    Pair { x: star.x, y: star.y, error: star.error, ra: place.ra, dec: place.dec }
}

/// World coordinates of the image that a map takes to expected pixels.
fn through(expected: &TanGrid, map: &LinearMap, centre: (f64, f64)) -> TanSip {
    let m = &map.0;
    let at = map.apply(centre);
    let [[a, b], [c, d]] = expected.cd;
    let cd = [[a * m[0] + b * m[3], a * m[1] + b * m[4]], [c * m[0] + d * m[3], c * m[1] + d * m[4]]];
    let tan = TanGrid { crval: expected.to_sky(at.0, at.1), crpix: (centre.0 + 1.0, centre.1 + 1.0), cd };
    TanSip { tan, forward: None, inverse: None }
}

/// Pairs that are each other's nearest within a distance, in the order of the stars.
fn mutual(wcs: &TanSip, stars: &[ImageStar], catalogue: &[Place], nearby: &[usize], limit: f64) -> Vec<(usize, usize)> {
    let places: Vec<(f64, f64)> = nearby.iter().map(|&n| wcs.to_pixel(catalogue[n].ra, catalogue[n].dec)).collect();
    let image: Vec<(f64, f64)> = stars.iter().map(|s| (s.x, s.y)).collect();
    let (of_catalogue, of_image) = (Cells::new(&places, limit), Cells::new(&image, limit));
    let back = |place: usize| of_image.nearest(places[place]).map(|(n, _)| n);
    let partner = |(n, at): (usize, &(f64, f64))| {
        let (place, _) = of_catalogue.nearest(*at)?;
        (back(place) == Some(n)).then_some((n, nearby[place]))
    };
    image.iter().enumerate().filter_map(partner).collect()
}
