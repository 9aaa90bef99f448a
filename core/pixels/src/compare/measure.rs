//! The numbers that describe how two sets of values differ.
//!
//! Slope and offset are those of the reduced major axis (Kermack & Haldane 1950, Biometrika 37, 30; Isobe et al. 1990, ApJ 364, 104): right where the
//! noise of both scales as their values do, whether the noise is shared or not. A least-squares slope of noisy values is too small.

use crate::fits::FitsError;
use crate::statistics::MAD_TO_SIGMA;

use super::median::Coarse;

/// Below this correlation a slope means nothing.
const LEAST_CORRELATION: f64 = 0.5;
/// A pull beyond this is no noise.
const FAR: f64 = 5.0;

/// Values of both engines at the same places.
pub(super) struct Block<'a> {
    pub(super) values: [&'a [f64]; 2],
    /// Empty where there are none.
    pub(super) variances: [&'a [f64]; 2],
}

/// Values in the order of the file; they can be gone through several times.
pub(super) trait Pairs {
    fn each(&self, take: &mut dyn FnMut(&Block<'_>)) -> Result<(), FitsError>;
}

/// What values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Quantities.
    Numbers,
    /// Bits or truth values, equal or not.
    Flags,
}

/// How two sets of values differ; undefined numbers are NaN. See the head of the parent module.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) compared: u64,
    pub(super) one_only: u64,
    pub(super) equal: u64,
    pub(super) median: f64,
    pub(super) scatter: f64,
    pub(super) largest: f64,
    /// Number of the value of the largest difference, from 0; none if all differences are 0.
    pub(super) at: Option<u64>,
    pub(super) relative: f64,
    pub(super) correlation: f64,
    pub(super) slope: f64,
    pub(super) slope_error: f64,
    pub(super) offset: f64,
    pub(super) pulls: u64,
    pub(super) pull_rms: f64,
    pub(super) far_pulls: u64,
}

impl Default for Numbers {
    fn default() -> Self {
        const NAN: f64 = f64::NAN;
        Numbers {
            compared: 0,
            one_only: 0,
            equal: 0,
            median: NAN,
            scatter: NAN,
            largest: NAN,
            at: None,
            relative: NAN,
            correlation: NAN,
            slope: NAN,
            slope_error: NAN,
            offset: NAN,
            pulls: 0,
            pull_rms: NAN,
            far_pulls: 0,
        }
    }
}

/// Measures how values differ.
///
/// # Errors
/// Those of reading the values.
pub(super) fn measure(pairs: &dyn Pairs, meaning: Meaning) -> Result<Numbers, FitsError> {
    let mut first = FirstPass::new(meaning);
    pairs.each(&mut |block| first.take(block))?;
    let mut numbers = first.numbers();
    if meaning == Meaning::Flags || numbers.compared == 0 {
        return Ok(numbers);
    }
    // More than half of the differences are 0: so are their median and that of their magnitudes.
    if 2 * numbers.equal > numbers.compared {
        (numbers.median, numbers.scatter) = (0.0, 0.0);
        return Ok(numbers);
    }
    numbers.median = median(pairs, &first.differences, |d| d)?;
    let centre = numbers.median;
    let mut distances = Coarse::new();
    differences(pairs, &mut |d| distances.push((d - centre).abs() as f32))?;
    numbers.scatter = MAD_TO_SIGMA * median(pairs, &distances, |d| (d - centre).abs())?;
    Ok(numbers)
}

/// The median of a function of the differences, of which the first pass has been made.
fn median(pairs: &dyn Pairs, coarse: &Coarse, of: impl Fn(f64) -> f64) -> Result<f64, FitsError> {
    let Some(mut fine) = coarse.refine() else { return Ok(f64::NAN) };
    differences(pairs, &mut |d| fine.push(of(d) as f32))?;
    Ok(fine.median())
}

fn differences(pairs: &dyn Pairs, take: &mut dyn FnMut(f64)) -> Result<(), FitsError> {
    pairs.each(&mut |block| {
        for (a, b) in block.values[0].iter().zip(block.values[1]).filter(|(a, b)| a.is_finite() && b.is_finite()) {
            take(a - b);
        }
    })
}

/// What is found without the median.
struct FirstPass {
    meaning: Meaning,
    numbers: Numbers,
    /// Values so far.
    count: u64,
    squared_pulls: f64,
    relation: Relation,
    differences: Coarse,
}

impl FirstPass {
    fn new(meaning: Meaning) -> Self {
        FirstPass {
            meaning,
            numbers: Numbers::default(),
            count: 0,
            squared_pulls: 0.0,
            relation: Relation::default(),
            differences: Coarse::new(),
        }
    }

    fn take(&mut self, block: &Block<'_>) {
        for (n, (&a, &b)) in block.values[0].iter().zip(block.values[1]).enumerate() {
            let at = self.count + n as u64;
            match (a.is_finite(), b.is_finite()) {
                (true, true) => self.numbers.compared += 1,
                (false, false) => continue,
                _ => {
                    self.numbers.one_only += 1;
                    continue;
                }
            }
            self.numbers.equal += u64::from(a == b);
            if self.meaning == Meaning::Numbers {
                self.difference(a, b, at);
                if let (Some(va), Some(vb)) = (block.variances[0].get(n), block.variances[1].get(n)) {
                    self.pull(a - b, va + vb);
                }
            }
        }
        self.count += block.values[0].len() as u64;
    }

    fn difference(&mut self, a: f64, b: f64, at: u64) {
        let difference = a - b;
        self.differences.push(difference as f32);
        self.relation.push(a, b);
        let numbers = &mut self.numbers;
        if difference == 0.0 {
            // `max` prefers any number to NaN.
            numbers.relative = numbers.relative.max(0.0);
            if numbers.largest.is_nan() {
                numbers.largest = 0.0;
            }
            return;
        }
        if numbers.largest.is_nan() || difference.abs() > numbers.largest.abs() {
            (numbers.largest, numbers.at) = (difference, Some(at));
        }
        numbers.relative = numbers.relative.max(difference.abs() / a.abs().max(b.abs()));
    }

    fn pull(&mut self, difference: f64, variance: f64) {
        if variance > 0.0 && variance.is_finite() {
            let square = difference * difference / variance;
            self.squared_pulls += square;
            self.numbers.pulls += 1;
            self.numbers.far_pulls += u64::from(square > FAR * FAR);
        }
    }

    fn numbers(&self) -> Numbers {
        let mut numbers = self.numbers.clone();
        if numbers.pulls > 0 {
            numbers.pull_rms = (self.squared_pulls / numbers.pulls as f64).sqrt();
        }
        self.relation.describe(&mut numbers);
        numbers
    }
}

/// Running means and products of deviations (Welford 1962, Technometrics 4, 419).
#[derive(Default)]
struct Relation {
    count: f64,
    mean: [f64; 2],
    squares: [f64; 2],
    product: f64,
}

impl Relation {
    fn push(&mut self, a: f64, b: f64) {
        self.count += 1.0;
        let before = [a - self.mean[0], b - self.mean[1]];
        self.mean[0] += before[0] / self.count;
        self.mean[1] += before[1] / self.count;
        let after = [a - self.mean[0], b - self.mean[1]];
        self.squares[0] += before[0] * after[0];
        self.squares[1] += before[1] * after[1];
        self.product += before[0] * after[1];
    }

    fn describe(&self, numbers: &mut Numbers) {
        let norm = (self.squares[0] * self.squares[1]).sqrt();
        if self.count < 3.0 || !(norm > 0.0 && norm.is_finite()) {
            return;
        }
        let correlation = (self.product / norm).clamp(-1.0, 1.0);
        numbers.correlation = correlation;
        if correlation.abs() >= LEAST_CORRELATION {
            let slope = (self.squares[1] / self.squares[0]).sqrt().copysign(correlation);
            numbers.slope = slope;
            numbers.slope_error = slope.abs() * ((1.0 - correlation * correlation) / self.count).sqrt();
            numbers.offset = self.mean[1] - slope * self.mean[0];
        }
    }
}
