//! Fit of TAN-SIP to pairs of pixel and sky.
//!
//! About a reference point the gnomonic coordinates of the stars are polynomials of their pixels, linear in the coefficients: weighted least
//! squares, the reference point moved until the constants vanish; matrix and SIP terms follow from the coefficients. Positions have the error of
//! their centre and a scatter common to all (undersampling, blends, flat field, catalogue), found so that chi square is what it should be. The
//! order is the lowest that explains the stars by the criterion of Schwarz (1978, Ann. Statist. 6, 461), with at least 4 stars for
//! each coefficient.

use ndarray::Array2;

use super::tan_sip::{Distortion, TanSip, exponents};
use crate::fit::{FitError, NormalEquations};
use crate::resample::TanGrid;

/// Stars for each coefficient of either coordinate, at least.
const STARS_PER_COEFFICIENT: usize = 4;
/// Passes of clipping.
const CLIP_PASSES: usize = 8;
/// Least scatter beyond the errors of the centres, in pixels.
const LEAST_SCATTER: f64 = 0.002;
/// Parts of the list of stars, each left out once, that external residuals come from.
const PARTS: usize = 5;
/// Points along either axis of the grid that errors and inverse are computed on.
const GRID: usize = 13;

/// A star of the image that is one of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Column from 0.
    pub x: f64,
    /// Row from 0.
    pub y: f64,
    /// Standard error of either, in pixels.
    pub error: f64,
    /// Right ascension in degrees.
    pub ra: f64,
    /// Declination in degrees.
    pub dec: f64,
}

/// World coordinates from stars.
#[derive(Clone, Debug, PartialEq)]
pub struct WcsFit {
    /// The world coordinates.
    pub wcs: TanSip,
    /// Order of the polynomials; 1 is no distortion.
    pub order: usize,
    /// Whether each pair took part.
    pub used: Vec<bool>,
    /// Scatter of either coordinate beyond the errors of the centres, in pixels.
    pub scatter: f64,
    /// Standard error of the world coordinates, both coordinates together, the root mean square over the image, in pixels.
    pub error: f64,
    /// Root mean square distance of stars that took part from where the fit has them, in pixels.
    pub internal: f64,
    /// The same for stars that were left out of the fit that predicts them, in pixels.
    pub external: f64,
}

/// Pixel frame of a fit: reference pixel (from 0) and half the diagonal, which scales the terms.
#[derive(Clone, Copy)]
struct Frame {
    centre: (f64, f64),
    half: f64,
    shape: (usize, usize),
}

impl Frame {
    fn of(shape: (usize, usize)) -> Self {
        let (rows, columns) = (shape.0 as f64, shape.1 as f64);
        Frame { centre: (0.5 * (columns - 1.0), 0.5 * (rows - 1.0)), half: 0.5 * rows.hypot(columns), shape }
    }

    fn terms(&self, x: f64, y: f64, order: usize) -> Vec<f64> {
        let (u, v) = ((x - self.centre.0) / self.half, (y - self.centre.1) / self.half);
        exponents(0, order).map(|(p, q)| u.powi(p as i32) * v.powi(q as i32)).collect()
    }

    fn grid(&self) -> impl Iterator<Item = (f64, f64)> {
        let (rows, columns) = (self.shape.0 as f64 - 1.0, self.shape.1 as f64 - 1.0);
        let along = |n: usize, length: f64| length * n as f64 / (GRID - 1) as f64;
        (0..GRID * GRID).map(move |n| (along(n % GRID, columns), along(n / GRID, rows)))
    }
}

/// Fits world coordinates to an image of `shape` (rows, columns), starting from the pointing `near` (degrees), with a distortion of at most `most_order`
/// and stars that are off by more than `clip` standard deviations left out.
///
/// *Accuracy*: the pulls of the world coordinates have standard deviation 1, and the external residual is that of new stars (test).
///
/// # Errors
/// [`FitError`] where there are too few stars or they lie on a line.
pub fn fit_tan_sip(pairs: &[Pair], shape: (usize, usize), near: (f64, f64), most_order: usize, clip: f64) -> Result<WcsFit, FitError> {
    let frame = Frame::of(shape);
    let enough = |order: &usize| *order == 1 || pairs.len() >= STARS_PER_COEFFICIENT * exponents(0, *order).count();
    let mut best: Option<(f64, WcsFit, Array2<f64>)> = None;
    // From the highest order on: what the best one leaves is the scatter that the others are judged by.
    for order in (1..=most_order.max(1)).rev().filter(enough) {
        let fixed = best.as_ref().map(|(_, fit, _)| fit.scatter);
        let (fit, covariance) = fit_order(pairs, &frame, near, order, clip)?;
        let scatter = fixed.unwrap_or(fit.scatter);
        // Stars that are off by more count as if they were at the limit, so that fits with other stars clipped compare.
        let chi2: f64 = pairs
            .iter()
            .map(|p| {
                let (dx, dy) = residual(&fit.wcs, p);
                let variance = p.error * p.error + scatter * scatter;
                ((dx * dx + dy * dy) / variance).min(2.0 * clip * clip)
            })
            .sum();
        let criterion = chi2 + 2.0 * exponents(0, order).count() as f64 * (2.0 * pairs.len() as f64).ln();
        if best.as_ref().is_none_or(|b| criterion < b.0) {
            best = Some((criterion, fit, covariance));
        }
    }
    let (_, mut fit, covariance) = best.ok_or(FitError::TooFewPoints { points: pairs.len(), coefficients: 3 })?;
    let count = (GRID * GRID) as f64;
    let variance_at = |at: (f64, f64)| {
        let terms = ndarray::Array1::from(frame.terms(at.0, at.1, fit.order));
        2.0 * terms.dot(&covariance.dot(&terms))
    };
    fit.error = (frame.grid().map(variance_at).sum::<f64>() / count).sqrt();
    fit.external = external(pairs, &fit, &frame)?;
    fit.wcs.inverse = fit.wcs.forward.is_some().then(|| inverse(&fit.wcs, &frame)).transpose()?;
    Ok(fit)
}

/// Root mean square distance of the stars in use from fits that they are left out of.
fn external(pairs: &[Pair], fit: &WcsFit, frame: &Frame) -> Result<f64, FitError> {
    let used: Vec<Pair> = pairs.iter().zip(&fit.used).filter(|(_, u)| **u).map(|(p, _)| *p).collect();
    let mut squares = 0.0;
    for part in 0..PARTS.min(used.len()) {
        let weights: Vec<f64> =
            used.iter().enumerate().map(|(n, p)| if n % PARTS == part { 0.0 } else { weight(p, fit.scatter) }).collect();
        let (wcs, _) = solve_weighted(&used, &weights, frame, fit.wcs.tan.crval, fit.order)?;
        for p in used.iter().skip(part).step_by(PARTS) {
            let (dx, dy) = residual(&wcs, p);
            squares += dx * dx + dy * dy;
        }
    }
    Ok((squares / used.len() as f64).sqrt())
}

fn weight(p: &Pair, scatter: f64) -> f64 {
    1.0 / (p.error * p.error + scatter * scatter)
}

/// Where the star is, less where the world coordinates have it, in pixels.
fn residual(wcs: &TanSip, p: &Pair) -> (f64, f64) {
    let (x, y) = wcs.to_pixel(p.ra, p.dec);
    (p.x - x, p.y - y)
}

/// A fit of one order, with clipping; the covariance is that of the scaled terms of one coordinate, in pixels squared.
fn fit_order(pairs: &[Pair], frame: &Frame, near: (f64, f64), order: usize, clip: f64) -> Result<(WcsFit, Array2<f64>), FitError> {
    let coefficients = exponents(0, order).count();
    let mut used = vec![true; pairs.len()];
    let mut scatter = 0.05;
    for pass in 0.. {
        let weights: Vec<f64> = pairs.iter().zip(&used).map(|(p, u)| if *u { weight(p, scatter) } else { 0.0 }).collect();
        let (wcs, covariance) = solve_weighted(pairs, &weights, frame, near, order)?;
        let residuals: Vec<(f64, f64)> = pairs.iter().map(|p| residual(&wcs, p)).collect();
        let before = scatter;
        scatter = common_scatter(pairs, &residuals, &used, coefficients);
        let keep = |n: usize| residuals[n].0.hypot(residuals[n].1) <= clip * (2.0 / weight(&pairs[n], scatter)).sqrt();
        let next: Vec<bool> = (0..pairs.len()).map(keep).collect();
        let settled = next == used && (scatter - before).abs() < 1e-3 * before;
        let enough = next.iter().filter(|u| **u).count() > coefficients;
        if settled || pass >= CLIP_PASSES || !enough {
            let (mut squares, mut count) = (0.0, 0.0);
            for (r, _) in residuals.iter().zip(&used).filter(|(_, u)| **u) {
                squares += r.0 * r.0 + r.1 * r.1;
                count += 1.0;
            }
            let internal = (squares / f64::max(count, 1.0)).sqrt();
            let fit = WcsFit { wcs, order, used, scatter, error: f64::NAN, internal, external: f64::NAN };
            return Ok((fit, covariance));
        }
        used = next;
    }
    unreachable!("the loop ends after some passes")
}

/// The scatter that makes chi square of the residuals what it should be; while outliers are among them, from the median.
fn common_scatter(pairs: &[Pair], residuals: &[(f64, f64)], used: &[bool], coefficients: usize) -> f64 {
    let selected: Vec<(f64, f64)> =
        pairs.iter().zip(residuals).zip(used).filter(|(_, u)| **u).map(|((p, r), _)| (r.0 * r.0 + r.1 * r.1, p.error * p.error)).collect();
    let freedom = 2.0 * (selected.len() as f64 - coefficients as f64);
    if freedom <= 0.0 {
        return LEAST_SCATTER;
    }
    let share = freedom / (2.0 * selected.len() as f64);
    let excess = |scatter: f64| {
        let mut ratios: Vec<f64> = selected.iter().map(|(r2, e2)| r2 / (e2 + scatter * scatter)).collect();
        let middle = ratios.len() / 2;
        // Sums of two squares: the median is 2 ln 2, of which the fit leaves a share.
        *ratios.select_nth_unstable_by(middle, f64::total_cmp).1 - 2.0 * std::f64::consts::LN_2 * share
    };
    if excess(LEAST_SCATTER) <= 0.0 {
        return LEAST_SCATTER;
    }
    let (mut low, mut high) = (LEAST_SCATTER, 1e3);
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        if excess(middle) > 0.0 { low = middle } else { high = middle }
    }
    high
}

/// Weighted least squares of one order, without inverse.
fn solve_weighted(
    pairs: &[Pair],
    weights: &[f64],
    frame: &Frame,
    near: (f64, f64),
    order: usize,
) -> Result<(TanSip, Array2<f64>), FitError> {
    let coefficients = exponents(0, order).count();
    let mut crval = near;
    for _ in 0..20 {
        let plane = TanGrid { crval, crpix: (1.0, 1.0), cd: [[1.0, 0.0], [0.0, 1.0]] };
        let (mut in_xi, mut in_eta) = (NormalEquations::new(coefficients), NormalEquations::new(coefficients));
        for (p, &weight) in pairs.iter().zip(weights).filter(|(_, w)| **w > 0.0) {
            let terms = frame.terms(p.x, p.y, order);
            let (xi, eta) = plane.to_pixel(p.ra, p.dec);
            if xi.is_finite() && eta.is_finite() {
                in_xi.add(&terms, xi, weight);
                in_eta.add(&terms, eta, weight);
            }
        }
        let (xi, eta) = (in_xi.solve()?, in_eta.solve()?);
        let (dx, dy) = (xi.coefficients[0], eta.coefficients[0]);
        if dx.hypot(dy) > 1e-11 {
            crval = plane.to_sky(dx, dy);
            continue;
        }
        return Ok((from_coefficients(&xi.coefficients, &eta.coefficients, crval, frame, order), xi.covariance));
    }
    Err(FitError::Singular(coefficients))
}

/// Matrix and SIP terms of polynomials in scaled pixels.
fn from_coefficients(xi: &[f64], eta: &[f64], crval: (f64, f64), frame: &Frame, order: usize) -> TanSip {
    let cd = [[xi[1] / frame.half, xi[2] / frame.half], [eta[1] / frame.half, eta[2] / frame.half]];
    let tan = TanGrid { crval, crpix: (frame.centre.0 + 1.0, frame.centre.1 + 1.0), cd };
    let [[a, b], [c, d]] = cd;
    let determinant = a * d - b * c;
    let mut forward = Distortion { order, ..Distortion::default() };
    for (n, (p, q)) in exponents(2, order).enumerate() {
        let unit = frame.half.powi((p + q) as i32);
        let (x, y) = (xi[n + 3] / unit, eta[n + 3] / unit);
        forward.along_columns.push((d * x - b * y) / determinant);
        forward.along_rows.push((a * y - c * x) / determinant);
    }
    TanSip { tan, forward: (order > 1).then_some(forward), inverse: None }
}

/// The approximate inverse, one order higher, by least squares over a grid of pixels.
fn inverse(wcs: &TanSip, frame: &Frame) -> Result<Distortion, FitError> {
    let order = wcs.forward.as_ref().map_or(1, |f| f.order) + 1;
    let count = exponents(1, order).count();
    let (mut columns, mut rows) = (NormalEquations::new(count), NormalEquations::new(count));
    for (x, y) in frame.grid() {
        let (ra, dec) = wcs.to_sky(x, y);
        let (u, v) = wcs.tan.to_pixel(ra, dec);
        let terms = &frame.terms(u, v, order)[1..];
        columns.add(terms, x - u, 1.0);
        rows.add(terms, y - v, 1.0);
    }
    let unscaled =
        |solution: &[f64]| exponents(1, order).zip(solution).map(|((p, q), c)| c / frame.half.powi((p + q) as i32)).collect::<Vec<f64>>();
    let (columns, rows) = (columns.solve()?, rows.solve()?);
    Ok(Distortion { order, along_columns: unscaled(&columns.coefficients), along_rows: unscaled(&rows.coefficients) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    fn truth(distorted: bool) -> TanSip {
        let tan = TanGrid { crval: (150.0, 60.0), crpix: (400.0, 380.0), cd: [[-1.4e-4, 2e-6], [3e-6, 1.45e-4]] };
        let terms = |scale: f64| vec![1e-6 * scale, -2e-6, 1e-6, 0.0, 0.0, 0.0, 0.0];
        let forward = Distortion { order: 3, along_columns: terms(1.0), along_rows: terms(-1.0) };
        TanSip { tan, forward: distorted.then_some(forward), inverse: None }
    }

    fn pairs(count: usize, wcs: &TanSip, rng: &mut ChaCha8Rng) -> Vec<Pair> {
        let star = |_| {
            let (x, y) = (rng.random_range(0.0..799.0), rng.random_range(0.0..899.0));
            let (ra, dec) = wcs.to_sky(x, y);
            let error = rng.random_range(0.01..0.1);
            let mut noise = || {
                let z: f64 = StandardNormal.sample(rng);
                z * (error * error + 0.02f64 * 0.02).sqrt()
            };
            Pair { x: x + noise(), y: y + noise(), error, ra, dec }
        };
        (0..count).map(star).collect()
    }

    #[test]
    fn world_coordinates_come_back_within_their_errors() {
        for (distorted, order) in [(false, 1), (true, 2)] {
            let (wcs, mut rng) = (truth(distorted), ChaCha8Rng::seed_from_u64(5));
            let (mut pulls, mut outside) = (Moments::default(), Moments::default());
            let mut orders = 0;
            for _ in 0..100 {
                let mut stars = pairs(120, &wcs, &mut rng);
                stars[7].ra += 0.001;
                stars[50].dec -= 0.002;
                let fit = fit_tan_sip(&stars, (900, 800), (150.05, 59.98), 3, 4.0).unwrap();
                orders += usize::from(fit.order == order);
                let frame = Frame::of((900, 800));
                let mut squares = 0.0;
                for (x, y) in frame.grid() {
                    let (ra, dec) = wcs.to_sky(x, y);
                    let (a, b) = fit.wcs.to_pixel(ra, dec);
                    squares += (a - x).powi(2) + (b - y).powi(2);
                    if fit.wcs.inverse.is_some() {
                        let (c, d) = fit.wcs.to_pixel_by_inverse(ra, dec);
                        assert!((c - a).hypot(d - b) < 1e-3, "{c} {a} {d} {b}");
                    }
                }
                pulls.push(squares / (GRID * GRID) as f64 / fit.error.powi(2));
                let new = pairs(200, &wcs, &mut rng);
                let square = |p: &Pair| {
                    let (dx, dy) = residual(&fit.wcs, p);
                    dx * dx + dy * dy
                };
                outside.push((new.iter().map(square).sum::<f64>() / 200.0).sqrt() / fit.external);
                assert!(!fit.used[7] && !fit.used[50] && fit.external > fit.internal);
            }
            assert!(orders >= 97, "{orders}");
            assert!((pulls.mean().sqrt() - 1.0).abs() < 0.1, "{}", pulls.mean().sqrt());
            assert!((outside.mean() - 1.0).abs() < 0.05, "{}", outside.mean());
        }
    }

    #[test]
    fn too_few_stars_are_refused() {
        let stars = pairs(2, &truth(false), &mut ChaCha8Rng::seed_from_u64(6));
        assert!(fit_tan_sip(&stars, (900, 800), (150.0, 60.0), 3, 4.0).is_err());
    }
}
