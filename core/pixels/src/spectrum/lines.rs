//! Emission lines of a one-dimensional spectrum.
//!
//! Model of a line: a Gaussian on a straight background, fitted by weighted least squares (Gauss-Newton) over about 1.3 times the full
//! width at half maximum to either side. Saturated pixels are left out of the fit, so that a saturated line is placed by its wings, and says
//! so. Errors are those of the variances, enlarged where the profile is not that of a Gaussian (reduced chi-square above 1).

use ndarray::{Array1, Array2};
use ndarray_linalg::Solve;

use crate::filter::{Edge, running_median};
use crate::statistics::median;

/// Ratio of the full width at half maximum to the standard deviation of a Gaussian.
pub const FWHM_OF_SIGMA: f64 = 2.354_820_045;

/// A spectrum: values, variances and which of them are saturated, all of the same length. Values that are not finite are unknown.
#[derive(Clone, Debug, Default)]
pub struct Spectrum {
    /// Values.
    pub values: Vec<f64>,
    /// Variances.
    pub variances: Vec<f64>,
    /// Saturated, or next to what is.
    pub saturated: Vec<bool>,
}

/// A line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Centre in pixels from 0.
    pub position: f64,
    /// Its standard error.
    pub position_error: f64,
    /// Full width at half maximum in pixels.
    pub fwhm: f64,
    /// Height above the background.
    pub height: f64,
    /// Integral above the background, in the unit of the values times pixels.
    pub flux: f64,
    /// Its standard error.
    pub flux_error: f64,
    /// Some pixels are saturated.
    pub saturated: bool,
    /// Another line is near enough to move this one.
    pub blended: bool,
}

/// What counts as a line.
#[derive(Clone, Copy, Debug)]
pub struct LineSearch {
    /// Height above the background in units of the noise, and of the scatter of the background.
    pub threshold: f64,
    /// Pixels over which the background is a running median.
    pub background: usize,
}

impl Default for LineSearch {
    fn default() -> Self {
        LineSearch { threshold: 8.0, background: 101 }
    }
}

/// All lines above the threshold, by position.
pub fn find_lines(spectrum: &Spectrum, search: &LineSearch) -> Vec<Line> {
    let peaks = peaks(spectrum, search);
    let width = usual_width(spectrum, &peaks);
    // The light of a neighbour stays out of the fit from half way on.
    let between = |a: usize, b: usize| 0.5 * (peaks[a].centre + peaks[b].centre);
    let mut lines: Vec<Line> = (0..peaks.len())
        .filter_map(|k| {
            let from = if k > 0 { between(k - 1, k) } else { 0.0 };
            let to = if k + 1 < peaks.len() { between(k, k + 1) } else { spectrum.values.len() as f64 };
            fit_line(spectrum, peaks[k].centre, width, (from, to))
        })
        .collect();
    lines.retain(|l| l.height > 0.0 && l.flux > search.threshold / 2.0 * l.flux_error);
    lines.sort_by(|a, b| a.position.total_cmp(&b.position));
    lines.dedup_by(|a, b| (a.position - b.position).abs() < 0.5 * width);
    flag_blends(&mut lines, &peaks, width);
    lines
}

struct Peak {
    centre: f64,
    height: f64,
    saturated: bool,
}

/// Local maxima of the spectrum above its background; a plateau of saturated pixels is one.
fn peaks(spectrum: &Spectrum, search: &LineSearch) -> Vec<Peak> {
    let n = spectrum.values.len();
    let values: Vec<f32> = spectrum.values.iter().map(|v| *v as f32).collect();
    let background = running_median(&values, search.background.max(3), Edge::Ignore);
    let above: Vec<f64> = (0..n).map(|i| spectrum.values[i] - f64::from(background[i])).collect();
    // From pixel to pixel, where the background is no straight line: half the second difference has the noise times the root of 3 / 2.
    let second = |i: usize| (values[i] - 0.5 * (values[i.saturating_sub(1)] + values[(i + 1).min(n - 1)])).abs() / 1.5_f32.sqrt();
    let scatter: Vec<f32> = (0..n).map(second).collect();
    let scatter = running_median(&scatter, search.background.max(3), Edge::Ignore);
    let mut found = Vec::new();
    let mut i = 1;
    while i + 1 < n {
        let mut end = i;
        while end + 1 < n && spectrum.saturated[i] && spectrum.saturated[end + 1] {
            end += 1;
        }
        let right = above.get(end + 1).copied().unwrap_or(f64::NAN);
        let noise = spectrum.variances[i].max(0.0).sqrt().max(1.4826 * f64::from(scatter[i]));
        let is_peak = above[i] > search.threshold * noise && (spectrum.saturated[i] || above[i] >= above[i - 1] && above[i] > right);
        if is_peak {
            found.push(Peak { centre: 0.5 * (i + end) as f64, height: above[i], saturated: end > i || spectrum.saturated[i] });
        }
        i = end + 1;
    }
    found
}

/// Median full width at half maximum of the brighter half of the peaks, from where they fall to half their height.
fn usual_width(spectrum: &Spectrum, peaks: &[Peak]) -> f64 {
    let mut good: Vec<&Peak> = peaks.iter().filter(|p| !p.saturated).collect();
    good.sort_by(|a, b| b.height.total_cmp(&a.height));
    good.truncate(good.len().div_ceil(2));
    let half_way = |peak: &Peak, step: isize| {
        let centre = peak.centre as isize;
        let at = |k: isize| usize::try_from(centre + k * step).ok().and_then(|i| spectrum.values.get(i)).copied();
        let top = at(0)?;
        let level = top - 0.5 * peak.height;
        let k = (1..60).find(|&k| at(k).is_some_and(|v| v < level))?;
        let (before, after) = (at(k - 1)?, at(k)?);
        Some(k as f64 - 1.0 + (before - level) / (before - after))
    };
    let widths: Vec<f32> = good.iter().filter_map(|p| Some((half_way(p, 1)? + half_way(p, -1)?) as f32)).collect();
    if widths.is_empty() { 3.0 } else { median(&widths).clamp(1.5, 40.0) }
}

/// Fits a line near a position, with a first guess of its full width at half maximum, from pixels within an interval. `None` if nothing
/// like a line is there.
pub fn fit_line(spectrum: &Spectrum, near: f64, fwhm: f64, within: (f64, f64)) -> Option<Line> {
    let n = spectrum.values.len();
    let inside = |from: f64, to: f64| from.floor().max(0.0) as usize..(to.ceil().max(0.0) as usize + 1).min(n);
    let saturated = inside(near - 0.6 * fwhm, near + 0.6 * fwhm).any(|i| spectrum.saturated[i]);
    // The wings of a saturated line are all there is.
    let reach = if saturated { 2.5 * fwhm } else { (1.3 * fwhm).max(3.0) };
    let window: Vec<usize> = inside(near - reach, near + reach)
        .filter(|&i| {
            (within.0..=within.1).contains(&(i as f64))
                && spectrum.values[i].is_finite()
                && spectrum.variances[i] > 0.0
                && !spectrum.saturated[i]
        })
        .collect();
    if window.len() < 6 {
        return None;
    }
    let lowest = window.iter().map(|&i| spectrum.values[i]).fold(f64::INFINITY, f64::min);
    let highest = window.iter().map(|&i| spectrum.values[i]).fold(f64::NEG_INFINITY, f64::max);
    // Height, centre, standard deviation, background and its slope.
    let mut p = [highest - lowest, near, fwhm / FWHM_OF_SIGMA, lowest, 0.0];
    let (mut chi2, _, mut inverse) = normal_step(spectrum, &window, near, &p)?;
    for _ in 0..30 {
        let (_, step, _) = normal_step(spectrum, &window, near, &p)?;
        let mut scale = 1.0;
        let improved = (0..8).find_map(|_| {
            let trial: [f64; 5] = std::array::from_fn(|k| p[k] + scale * step[k]);
            scale *= 0.5;
            let legal = (trial[1] - near).abs() < fwhm && trial[2] > 0.2 * fwhm / FWHM_OF_SIGMA && trial[2] < 3.0 * fwhm / FWHM_OF_SIGMA;
            let (better, _, covariance) = if legal { normal_step(spectrum, &window, near, &trial)? } else { return None };
            (better <= chi2 * (1.0 + 1e-12)).then_some((trial, better, covariance))
        });
        let Some((trial, better, covariance)) = improved else { break };
        let done = (trial[1] - p[1]).abs() < 1e-5 && chi2 - better < 1e-4 * (1.0 + chi2);
        (p, chi2, inverse) = (trial, better, covariance);
        if done {
            break;
        }
    }
    let freedom = window.len().saturating_sub(5).max(1) as f64;
    let misfit = (chi2 / freedom).max(1.0);
    let [height, centre, sigma, ..] = p;
    let error = |k: usize, l: usize| inverse[[k, l]] * misfit;
    let root = (2.0 * std::f64::consts::PI).sqrt();
    let flux_variance = root * root * (sigma * sigma * error(0, 0) + height * height * error(2, 2) + 2.0 * height * sigma * error(0, 2));
    let position_error = error(1, 1).sqrt();
    (height > 0.0 && position_error.is_finite()).then(|| Line {
        position: centre,
        position_error,
        fwhm: FWHM_OF_SIGMA * sigma,
        height,
        flux: root * height * sigma,
        flux_error: flux_variance.max(0.0).sqrt(),
        saturated,
        blended: false,
    })
}

/// Chi-square at the parameters, the Gauss-Newton step from there, and the inverse of the normal matrix.
fn normal_step(spectrum: &Spectrum, window: &[usize], origin: f64, p: &[f64; 5]) -> Option<(f64, [f64; 5], Array2<f64>)> {
    let (mut matrix, mut right, mut chi2) = (Array2::<f64>::zeros((5, 5)), Array1::<f64>::zeros(5), 0.0);
    for &i in window {
        let x = i as f64;
        let u = (x - p[1]) / p[2];
        let gauss = (-0.5 * u * u).exp();
        let slope = [gauss, p[0] * gauss * u / p[2], p[0] * gauss * u * u / p[2], 1.0, x - origin];
        let residual = spectrum.values[i] - (p[0] * gauss + p[3] + p[4] * (x - origin));
        let weight = 1.0 / spectrum.variances[i];
        chi2 += weight * residual * residual;
        for k in 0..5 {
            right[k] += weight * slope[k] * residual;
            (0..5).for_each(|l| matrix[[k, l]] += weight * slope[k] * slope[l]);
        }
    }
    let size: Vec<f64> = (0..5).map(|k| matrix[[k, k]].sqrt()).collect();
    if !size.iter().all(|s| *s > 0.0 && s.is_finite()) {
        return None;
    }
    let scaled = Array2::from_shape_fn((5, 5), |(k, l)| matrix[[k, l]] / (size[k] * size[l]));
    let mut inverse = Array2::<f64>::zeros((5, 5));
    for l in 0..5 {
        let unit = Array1::from_shape_fn(5, |k| f64::from(u8::from(k == l)));
        let column = scaled.solve(&unit).ok()?;
        (0..5).for_each(|k| inverse[[k, l]] = column[k] / (size[k] * size[l]));
    }
    let step = inverse.dot(&right);
    Some((chi2, std::array::from_fn(|k| step[k]), inverse))
}

/// A line is blended if one of at least a tenth of its height is nearer than two and a half times the width, or its own width is unusual.
fn flag_blends(lines: &mut [Line], peaks: &[Peak], width: f64) {
    for line in lines {
        let disturbed = peaks.iter().any(|other| {
            let distance = (other.centre - line.position).abs();
            other.height > 0.1 * line.height && (width..2.5 * width).contains(&distance)
        });
        line.blended = disturbed || !line.saturated && !(0.6..1.5).contains(&(line.fwhm / width));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    /// Lines (position, height) of standard deviation 1.3 on a sloping background, photon noise of gain 1 and read noise 5.
    fn spectrum(lines: &[(f64, f64)], seed: u64) -> Spectrum {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut s = Spectrum::default();
        for i in 0..400 {
            let x = f64::from(i);
            let truth = 50.0 + 0.05 * x + lines.iter().map(|(c, h)| h * (-0.5 * ((x - c) / 1.3).powi(2)).exp()).sum::<f64>();
            let noise: f64 = StandardNormal.sample(&mut rng);
            s.variances.push(truth + 25.0);
            s.values.push((truth + noise * (truth + 25.0).sqrt()).min(60_000.0));
            s.saturated.push(truth >= 60_000.0);
        }
        s
    }

    #[test]
    fn positions_and_fluxes_come_back_within_their_errors() {
        let truth = [(50.3, 400.0), (120.71, 3000.0), (200.0, 20_000.0), (310.45, 900.0)];
        let (mut positions, mut fluxes) = (Moments::default(), Moments::default());
        for seed in 0..300 {
            let found = find_lines(&spectrum(&truth, seed), &LineSearch::default());
            assert_eq!(found.len(), 4, "{found:?}");
            for (line, (centre, height)) in found.iter().zip(truth) {
                assert!(!line.saturated && !line.blended);
                positions.push((line.position - centre) / line.position_error);
                fluxes.push((line.flux - height * 1.3 * (2.0 * std::f64::consts::PI).sqrt()) / line.flux_error);
            }
        }
        // Errors are enlarged by chi-square above 1 and never made smaller: pulls are a little below 1.
        for (what, pulls) in [("position", positions), ("flux", fluxes)] {
            assert!((0.8..1.08).contains(&pulls.std()) && pulls.mean().abs() < 0.15, "{what}: {} {}", pulls.mean(), pulls.std());
        }
    }

    #[test]
    fn noise_has_no_lines_and_trouble_is_flagged() {
        assert!((0..50).all(|seed| find_lines(&spectrum(&[], seed), &LineSearch::default()).is_empty()));
        let found =
            find_lines(&spectrum(&[(100.2, 300_000.0), (200.0, 5000.0), (204.5, 4000.0), (300.0, 5000.0)], 3), &LineSearch::default());
        let flags: Vec<_> = found.iter().map(|l| (l.saturated, l.blended)).collect();
        assert_eq!(flags, [(true, false), (false, true), (false, true), (false, false)], "{found:?}");
        assert!((found[0].position - 100.2).abs() < 0.3, "wings place a saturated line: {}", found[0].position);
    }
}
