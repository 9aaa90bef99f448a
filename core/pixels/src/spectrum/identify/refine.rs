//! From a rough solution to a sharp one: matches within a shrinking tolerance, and the polynomial through them.

use super::vote::{Candidate, VOTE, bent};
use super::{FEWEST, Matching};
use crate::fit::{Basis, FitOptions, Polynomial, fit_polynomial};

/// A polynomial, the matches (detected, listed) that it goes by, and the tolerance of the matches.
type Refined = (Polynomial, Vec<(usize, usize)>, f64);

/// Polynomials of growing degree with shrinking tolerance; each that is sharp enough to be judged, with its matches and the tolerance.
pub(super) fn refine(voters: &[f64], list: &[f64], candidate: &Candidate, matching: &Matching) -> Vec<Refined> {
    let last = matching.pixels as f64 - 1.0;
    let mut good = Vec::new();
    for start in bent(voters, list, candidate, matching.pixels) {
        sharpen(voters, list, start, matching, last, &mut good);
    }
    good
}

/// The steps of [`refine`] from one start.
fn sharpen(voters: &[f64], list: &[f64], mut polynomial: Polynomial, matching: &Matching, last: f64, good: &mut Vec<Refined>) {
    let end = matching.tolerance;
    for (degree, tolerance) in [
        (3, 0.75 * VOTE),
        (3, 0.5 * VOTE),
        (3, 0.25 * VOTE),
        (3, end),
        (matching.degree, end),
        (matching.degree, 0.5 * end),
        (matching.degree, 0.25 * end),
    ] {
        let Some((next, pairs, _)) = settle(voters, list, polynomial, degree.min(matching.degree), tolerance) else { break };
        polynomial = next;
        if tolerance <= end && is_steady(&polynomial, last, matching.curvature) {
            good.push((polynomial.clone(), pairs, tolerance));
        }
    }
}

/// A spectrum has one direction, and a dispersion that changes little.
pub(super) fn is_steady(polynomial: &Polynomial, last: f64, curvature: f64) -> bool {
    let at = |k: u32| polynomial.at(f64::from(k) * last / 16.0);
    let mean = (at(16) - at(0)) / 16.0;
    (0..16).all(|k| ((at(k + 1) - at(k)) / mean - 1.0).abs() < 1.5 * curvature)
}

/// Matches within the tolerance and the polynomial through them, until they agree.
#[allow(clippy::type_complexity)]
pub(super) fn settle(
    positions: &[f64],
    list: &[f64],
    mut polynomial: Polynomial,
    degree: usize,
    tolerance: f64,
) -> Option<(Polynomial, Vec<(usize, usize)>, f64)> {
    let interval = polynomial.interval;
    let mut pairs = Vec::new();
    let mut rms = 0.0;
    for _ in 0..6 {
        let found = matches(positions, list, &polynomial, tolerance);
        if found == pairs {
            break;
        }
        pairs = found;
        // The ends of the interval stay those of the spectrum: points there without weight.
        let mut x: Vec<f64> = pairs.iter().map(|p| positions[p.0]).collect();
        let mut y: Vec<f64> = pairs.iter().map(|p| list[p.1]).collect();
        x.extend([interval.0, interval.1]);
        y.extend([f64::NAN, f64::NAN]);
        let degree = degree.min(pairs.len().saturating_sub(3).max(1));
        let fit = fit_polynomial(&x, &y, None, degree, &FitOptions { basis: Basis::Chebyshev, clip: None }).ok()?;
        (polynomial, rms) = (fit.polynomial, fit.rms);
    }
    (pairs.len() >= FEWEST).then_some((polynomial, pairs, rms))
}

/// Each detected line with the nearest listed line within the tolerance; a listed line that two want goes to the nearer.
pub(super) fn matches(positions: &[f64], list: &[f64], polynomial: &Polynomial, tolerance: f64) -> Vec<(usize, usize)> {
    let mut of_listed: Vec<Option<(f64, usize)>> = vec![None; list.len()];
    for (i, &x) in positions.iter().enumerate() {
        let wavelength = polynomial.at(x);
        let scale = (polynomial.at(x + 0.5) - polynomial.at(x - 0.5)).abs();
        let k = list.partition_point(|w| *w < wavelength);
        let neighbours = [k.checked_sub(1), Some(k)];
        let nearest = neighbours.into_iter().flatten().filter(|k| *k < list.len()).map(|k| ((list[k] - wavelength).abs() / scale, k));
        let Some((distance, k)) = nearest.min_by(|a, b| a.0.total_cmp(&b.0)) else { continue };
        if distance <= tolerance && of_listed[k].is_none_or(|(d, _)| distance < d) {
            of_listed[k] = Some((distance, i));
        }
    }
    of_listed.iter().enumerate().filter_map(|(k, found)| found.map(|(_, i)| (i, k))).collect()
}
