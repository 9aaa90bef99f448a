//! Which line of a list each detected line is, without a start.
//!
//! Voting (Hough 1962, US patent 3 069 654): for every dispersion and curvature on a grid, and both directions, each pair of a detected and
//! a listed line votes for the wavelength of the middle of the spectrum that would make them one. The grid is so fine that a true solution falls within
//! the tolerance everywhere, so the search is exhaustive. The best votes are refined by polynomials of growing degree with shrinking
//! tolerance, and judged by the fit alone: by how much chance the number of matches has.
//!
//! Chance: with listed lines of density d a detected line matches one within +-t with probability 1 - exp(-2 t d). The binomial probability
//! of as many matches as found, times the number of independent trials of the grid (and without one match for each coefficient that the grid does not
//! have), is the false-alarm probability. A lamp that is not the one of the list fails here. Lines that no list has (other gases, other orders) do no harm as long as they are
//! not the majority.

mod refine;
#[cfg(test)]
mod tests;
mod vote;

use crate::fit::Polynomial;

use refine::{is_steady, matches, refine, settle};
use vote::{VOTE, vote};

/// A detected line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detected {
    /// Position in pixels from 0.
    pub position: f64,
    /// Flux, for the choice of the brightest.
    pub flux: f64,
}

/// How lines are matched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matching {
    /// Pixels of the spectrum.
    pub pixels: usize,
    /// Highest degree of the polynomial.
    pub degree: usize,
    /// Largest distance of a match in the end, in pixels.
    pub tolerance: f64,
    /// So many of the brightest lines vote.
    pub voters: usize,
    /// Largest change of the dispersion over the spectrum, as a fraction of the mean.
    pub curvature: f64,
    /// Largest false-alarm probability that is believed.
    pub false_alarm: f64,
}

impl Matching {
    /// Usual choices for a spectrum of so many pixels.
    pub fn new(pixels: usize) -> Self {
        Matching { pixels, degree: 5, tolerance: 0.5, voters: 30, curvature: 0.3, false_alarm: 1e-3 }
    }
}

/// Detected lines with their wavelengths.
#[derive(Clone, Debug, PartialEq)]
pub struct Identification {
    /// Wavelength of a position in pixels, Angstrom.
    pub polynomial: Polynomial,
    /// Index of the detected and of the listed line of each match, by wavelength.
    pub matches: Vec<(usize, usize)>,
    /// Root mean square residual of the matches, Angstrom.
    pub rms: f64,
    /// Mean dispersion, Angstrom per pixel; negative where the wavelength falls with the pixel.
    pub dispersion: f64,
    /// Probability that chance does as well.
    pub false_alarm: f64,
}

/// Why lines cannot be identified.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifyError {
    /// Not enough lines.
    #[error("{detected} lines are detected and {listed} are in the list: too few (at least {needed} of each)")]
    TooFewLines {
        /// Detected lines.
        detected: usize,
        /// Lines of the list.
        listed: usize,
        /// Lines needed.
        needed: usize,
    },
    /// The best match is no better than chance.
    #[error(
        "the best match explains {matches} of the {detected} brightest lines, which chance does with probability {false_alarm:.1e}: \
         the lamp is not that of the list, or too few of its lines are in the spectrum"
    )]
    NoBetterThanChance {
        /// Lines matched.
        matches: usize,
        /// Lines that voted.
        detected: usize,
        /// Probability of chance.
        false_alarm: f64,
    },
}

/// Fewest lines that anything is said about.
const FEWEST: usize = 5;
/// Solutions of the brightest lines that are extended to all.
const FINISHED: usize = 60;

/// Identifies detected lines with those of a list (wavelengths in Angstrom, in any order).
///
/// # Errors
/// See [`IdentifyError`].
pub fn identify(detected: &[Detected], list: &[f64], matching: &Matching) -> Result<Identification, IdentifyError> {
    let mut wavelengths: Vec<(f64, usize)> = list.iter().copied().zip(0..).filter(|(w, _)| w.is_finite()).collect();
    wavelengths.sort_by(|a, b| a.0.total_cmp(&b.0));
    if detected.len() < FEWEST || wavelengths.len() < FEWEST {
        return Err(IdentifyError::TooFewLines { detected: detected.len(), listed: wavelengths.len(), needed: FEWEST });
    }
    let mut brightest: Vec<usize> = (0..detected.len()).collect();
    brightest.sort_by(|&a, &b| detected[b].flux.total_cmp(&detected[a].flux).then(a.cmp(&b)));
    brightest.truncate(matching.voters);
    let voters: Vec<f64> = brightest.iter().map(|&i| detected[i].position).collect();
    let only: Vec<f64> = wavelengths.iter().map(|w| w.0).collect();
    let (candidates, trials) = vote(&voters, &only, matching);
    let mut good: Vec<(f64, Polynomial, usize)> = Vec::new();
    for candidate in candidates {
        for (polynomial, pairs, tolerance) in refine(&voters, &only, &candidate, matching) {
            let chance = log_chance(&voters, &only, &polynomial, pairs.len(), tolerance) + trials.ln() + cells(tolerance);
            good.push((chance, polynomial, pairs.len()));
        }
    }
    good.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some((chance, _, matched)) = good.first() else {
        return Err(IdentifyError::NoBetterThanChance { matches: 0, detected: voters.len(), false_alarm: 1.0 });
    };
    let chance = *chance;
    if chance > matching.false_alarm.ln() {
        return Err(IdentifyError::NoBetterThanChance { matches: *matched, detected: voters.len(), false_alarm: chance.exp().min(1.0) });
    }
    let matched = *matched;
    // All lines now, also the faint ones: of the best, which may differ at the ends, that which explains most of them.
    let all: Vec<f64> = detected.iter().map(|d| d.position).collect();
    let finished = good.into_iter().take(FINISHED).filter_map(|(_, polynomial, _)| finish(&all, &only, polynomial, matching));
    let best = finished.min_by(|a, b| a.0.total_cmp(&b.0));
    let (_, polynomial, pairs, rms) =
        best.ok_or(IdentifyError::NoBetterThanChance { matches: matched, detected: voters.len(), false_alarm: 1.0 })?;
    let last = matching.pixels as f64 - 1.0;
    let dispersion = (polynomial.at(last) - polynomial.at(0.0)) / last;
    let matches = pairs.into_iter().map(|(d, w)| (d, wavelengths[w].1)).collect();
    Ok(Identification { polynomial, matches, rms, dispersion, false_alarm: chance.exp().min(1.0) })
}

/// Logarithm of how many solutions that differ by more than the tolerance a cell of the grid holds.
fn cells(tolerance: f64) -> f64 {
    3.0 * (VOTE / tolerance).max(1.0).ln()
}

/// A solution of the brightest lines extended to all: its chance at the best of three tolerances, the polynomial, its matches and their scatter.
#[allow(clippy::type_complexity)]
fn finish(all: &[f64], list: &[f64], polynomial: Polynomial, matching: &Matching) -> Option<(f64, Polynomial, Vec<(usize, usize)>, f64)> {
    let mut fitted = (polynomial, Vec::new(), f64::NAN);
    for tolerance in [2.0_f64, 1.0, 0.5] {
        fitted = settle(all, list, fitted.0, matching.degree, tolerance.max(matching.tolerance))?;
    }
    let (polynomial, pairs, rms) = fitted;
    if !is_steady(&polynomial, matching.pixels as f64 - 1.0, matching.curvature) {
        return None;
    }
    let chance = |part: f64| {
        let tolerance = part * matching.tolerance;
        log_chance(all, list, &polynomial, matches(all, list, &polynomial, tolerance).len(), tolerance) + cells(tolerance)
    };
    Some((chance(1.0).min(chance(0.5)).min(chance(0.25)), polynomial, pairs, rms))
}

/// Logarithm of the probability that chance matches so many lines, or more.
fn log_chance(voters: &[f64], list: &[f64], polynomial: &Polynomial, matched: usize, tolerance: f64) -> f64 {
    // Three coefficients are those of the grid, whose trials are counted.
    let free = polynomial.coefficients.len().saturating_sub(3);
    let (trials, successes) = (voters.len().saturating_sub(free), matched.saturating_sub(free));
    let ends = (polynomial.at(polynomial.interval.0), polynomial.at(polynomial.interval.1));
    let (low, high) = (ends.0.min(ends.1), ends.0.max(ends.1));
    let inside = list.iter().filter(|w| (low..=high).contains(*w)).count() as f64;
    let pixels = polynomial.interval.1 - polynomial.interval.0;
    let p = 1.0 - (-2.0 * tolerance * inside / pixels).exp();
    if successes == 0 || p <= 0.0 {
        return 0.0;
    }
    let log_choose = |n: usize, k: usize| (0..k).map(|i| ((n - i) as f64 / (i + 1) as f64).ln()).sum::<f64>();
    let terms: Vec<f64> = (successes..=trials)
        .map(|k| log_choose(trials, k) + k as f64 * p.ln() + (trials - k) as f64 * (1.0 - p).max(1e-300).ln())
        .collect();
    let largest = terms.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
    largest + terms.iter().map(|t| (t - largest).exp()).sum::<f64>().ln()
}
