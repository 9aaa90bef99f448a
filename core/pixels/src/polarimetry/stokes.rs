//! Normalised Stokes parameters from the two beams of a polarimeter at several angles of its modulator.
//!
//! A Wollaston prism behind a half-wave plate at the angle `a` gives the fluxes `T g_o I (1 + m) / 2` and `T g_e I (1 - m) / 2` with the modulation
//! `m = q cos 4a + u sin 4a` (an analyser that is turned itself: `2a`); `T` is the transparency of the moment, `g` the response of a beam. The
//! normalised difference `F = (f_o - f_e) / (f_o + f_e)` is free of `T` and of the flux of the star (Tinbergen 1996, *Astronomical Polarimetry*;
//! Patat & Romaniello 2006, PASP 118, 146). With the contrast of the beams `d = (g_o - g_e) / (g_o + g_e)` it is
//! `F = (m + d) / (1 + m d)`: q, u and d are fitted to all angles by weighted least squares. So the response of the beams goes without being known, to
//! all orders, as in the ratio method (Bagnulo et al. 2009, PASP 121, 993), for any number of angles. Four positions leave one
//! degree of freedom: its chi square is the null test.

use ndarray::Array2;

use crate::fit::{FitError, NormalEquations};

/// Angles whose modulation has phases nearer than this, in degrees, are one angle.
const SAME_PHASE: f64 = 4.0;
/// Fewest angles: three numbers are fitted, and one is left to test them.
const FEWEST_ANGLES: usize = 4;
const STEPS: usize = 30;
/// The fit has settled when no number changes by more than this.
const SETTLED: f64 = 1e-12;

/// What is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modulator {
    /// A half-wave plate: the plane of polarisation turns by twice its angle.
    HalfWavePlate,
    /// The analyser itself, or the whole instrument.
    Analyser,
}

impl Modulator {
    /// Phase of the modulation (degrees) per degree of the angle.
    pub fn factor(self) -> f64 {
        match self {
            Modulator::HalfWavePlate => 4.0,
            Modulator::Analyser => 2.0,
        }
    }
}

/// The two images of a source at one angle: fluxes above the sky with their variances, in any one unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BeamPair {
    /// Angle of the modulator in degrees.
    pub angle: f64,
    /// Ordinary flux and its variance.
    pub ordinary: (f64, f64),
    /// Extraordinary flux and its variance.
    pub extraordinary: (f64, f64),
}

/// Normalised Stokes parameters with their errors.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Polarisation {
    /// Q/I.
    pub q: f64,
    /// U/I.
    pub u: f64,
    /// Covariance of q and u.
    pub covariance: [[f64; 2]; 2],
}

impl Polarisation {
    /// Of independent errors.
    pub fn new((q, q_error): (f64, f64), (u, u_error): (f64, f64)) -> Self {
        Polarisation { q, u, covariance: [[q_error * q_error, 0.0], [0.0, u_error * u_error]] }
    }

    /// From degree (a fraction) and angle (degrees), with one error of the degree for both parameters.
    pub fn of_degree(p: f64, error: f64, angle: f64) -> Self {
        let (sin, cos) = (2.0 * angle).to_radians().sin_cos();
        Polarisation::new((p * cos, error), (p * sin, error))
    }

    /// Standard error of q.
    pub fn q_error(&self) -> f64 {
        self.covariance[0][0].sqrt()
    }

    /// Standard error of u.
    pub fn u_error(&self) -> f64 {
        self.covariance[1][1].sqrt()
    }

    /// The same light, its angle counted from a direction that lies `angle` degrees before the old one: the angle grows by so much.
    #[must_use]
    pub fn rotated(&self, angle: f64) -> Self {
        let (s, c) = (2.0 * angle).to_radians().sin_cos();
        let [[a, b], [_, d]] = self.covariance;
        let across = s * c * (a - d) + b * (c * c - s * s);
        Polarisation {
            q: c * self.q - s * self.u,
            u: s * self.q + c * self.u,
            covariance: [[c * c * a - 2.0 * s * c * b + s * s * d, across], [across, s * s * a + 2.0 * s * c * b + c * c * d]],
        }
    }

    /// Without another polarisation that was added to it, to first order; the errors of both add.
    #[must_use]
    pub fn minus(&self, other: &Polarisation) -> Self {
        let mut covariance = self.covariance;
        covariance.iter_mut().flatten().zip(other.covariance.iter().flatten()).for_each(|(a, b)| *a += b);
        Polarisation { q: self.q - other.q, u: self.u - other.u, covariance }
    }
}

/// What the angles of one source say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FittedStokes {
    /// Stokes parameters in the frame of the modulator.
    pub polarisation: Polarisation,
    /// Response of the ordinary beam divided by that of the extraordinary one.
    pub gain_ratio: f64,
    /// Its standard error.
    pub gain_ratio_error: f64,
    /// Sum of the squared residuals in units of their errors.
    pub chi2: f64,
    /// Pairs less the three numbers that are fitted.
    pub degrees_of_freedom: usize,
    /// Angles of different modulation.
    pub angles: usize,
}

/// Why there are no Stokes parameters.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PolarimetryError {
    /// Not enough angles.
    #[error("{angles} angles of different modulation, {FEWEST_ANGLES} are needed")]
    TooFewAngles {
        /// Angles of different modulation that there are.
        angles: usize,
    },
    /// No light, or no error.
    #[error("the fluxes of the two beams at {angle} degrees are not positive numbers with errors")]
    NoFlux {
        /// The angle.
        angle: f64,
    },
    /// The fit has no solution.
    #[error("q and u cannot be told apart: {0}")]
    Fit(#[from] FitError),
    /// The fit does not settle.
    #[error("the fit of q and u does not settle: the fluxes are all noise")]
    Unsettled,
}

/// Fits q, u and the ratio of the beams to pairs at four or more angles.
///
/// *Accuracy*: pulls of q and u have standard deviation 1 from a signal to noise ratio of 5 per beam on, and any ratio of the beams is taken up
/// exactly (tests).
///
/// # Errors
/// [`PolarimetryError`].
pub fn fit_stokes(pairs: &[BeamPair], modulator: Modulator) -> Result<FittedStokes, PolarimetryError> {
    let angles = distinct_angles(pairs.iter().map(|p| p.angle), modulator);
    if angles < FEWEST_ANGLES {
        return Err(PolarimetryError::TooFewAngles { angles });
    }
    let points = pairs.iter().map(|p| Point::of(p, modulator)).collect::<Result<Vec<_>, _>>()?;
    // Where to start: no polarisation, the mean contrast.
    let mut model = [0.0, 0.0, points.iter().map(|p| p.difference).sum::<f64>() / points.len() as f64];
    for _ in 0..STEPS {
        let mut equations = NormalEquations::new(3);
        for point in &points {
            let (difference, slopes) = point.model(&model);
            equations.add(&slopes, point.difference - difference, 1.0 / point.variance(difference));
        }
        let step = equations.solve()?;
        model.iter_mut().zip(&step.coefficients).for_each(|(m, s)| *m += s);
        if !model.iter().all(|m| m.abs() < 1.0) {
            return Err(PolarimetryError::Unsettled);
        }
        if step.coefficients.iter().all(|s| s.abs() < SETTLED) {
            return Ok(summary(&points, &model, &step.covariance, angles));
        }
    }
    Err(PolarimetryError::Unsettled)
}

fn summary(points: &[Point], model: &[f64; 3], covariance: &Array2<f64>, angles: usize) -> FittedStokes {
    let [q, u, contrast] = *model;
    let chi2 = points.iter().map(|p| {
        let (difference, _) = p.model(model);
        (p.difference - difference).powi(2) / p.variance(difference)
    });
    FittedStokes {
        polarisation: Polarisation {
            q,
            u,
            covariance: [[covariance[[0, 0]], covariance[[0, 1]]], [covariance[[1, 0]], covariance[[1, 1]]]],
        },
        gain_ratio: (1.0 + contrast) / (1.0 - contrast),
        gain_ratio_error: 2.0 * covariance[[2, 2]].sqrt() / (1.0 - contrast).powi(2),
        chi2: chi2.sum(),
        degrees_of_freedom: points.len() - 3,
        angles,
    }
}

/// A normalised difference and what it depends on.
struct Point {
    difference: f64,
    cos: f64,
    sin: f64,
    sum: f64,
    variances: (f64, f64),
}

impl Point {
    fn of(pair: &BeamPair, modulator: Modulator) -> Result<Self, PolarimetryError> {
        let ((o, variance_o), (e, variance_e)) = (pair.ordinary, pair.extraordinary);
        if !(o > 0.0 && e > 0.0 && variance_o > 0.0 && variance_e > 0.0 && (o + e + variance_o + variance_e).is_finite()) {
            return Err(PolarimetryError::NoFlux { angle: pair.angle });
        }
        let (sin, cos) = (modulator.factor() * pair.angle).to_radians().sin_cos();
        Ok(Point { difference: (o - e) / (o + e), cos, sin, sum: o + e, variances: (variance_o, variance_e) })
    }

    /// The difference that a model gives, and its derivatives by q, u and the contrast.
    fn model(&self, [q, u, contrast]: &[f64; 3]) -> (f64, [f64; 3]) {
        let m = q * self.cos + u * self.sin;
        let below = 1.0 + m * contrast;
        let by_m = (1.0 - contrast * contrast) / (below * below);
        ((m + contrast) / below, [by_m * self.cos, by_m * self.sin, (1.0 - m * m) / (below * below)])
    }

    /// Variance of the difference: with that of the model, so that the weight does not follow the noise.
    fn variance(&self, difference: f64) -> f64 {
        let (o, e) = self.variances;
        ((1.0 - difference).powi(2) * o + (1.0 + difference).powi(2) * e) / (self.sum * self.sum)
    }
}

/// Number of angles (degrees) with different phases of the modulation.
pub fn distinct_angles(angles: impl IntoIterator<Item = f64>, modulator: Modulator) -> usize {
    let mut phases: Vec<f64> = Vec::new();
    for angle in angles {
        let phase = (modulator.factor() * angle).rem_euclid(360.0);
        let apart = |other: &f64| {
            let d = (phase - other).abs();
            d.min(360.0 - d) > SAME_PHASE
        };
        if phases.iter().all(apart) {
            phases.push(phase);
        }
    }
    phases.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    const FOUR: [f64; 4] = [0.0, 22.5, 45.0, 67.5];

    /// Expected fluxes of a source of 1 (both beams together) without errors.
    fn beams(angle: f64, (q, u): (f64, f64), gain: f64, modulator: Modulator) -> (f64, f64) {
        let phase = (modulator.factor() * angle).to_radians();
        let m = q * phase.cos() + u * phase.sin();
        (0.5 * gain * (1.0 + m), 0.5 * (1.0 - m))
    }

    fn exact(angles: &[f64], truth: (f64, f64), gain: f64, modulator: Modulator) -> Vec<BeamPair> {
        let pair = |&angle: &f64| {
            let (o, e) = beams(angle, truth, gain, modulator);
            BeamPair { angle, ordinary: (o, 1e-6 * o), extraordinary: (e, 1e-6 * e) }
        };
        angles.iter().map(pair).collect()
    }

    proptest! {
        #[test]
        fn without_noise_the_truth_comes_back(
            p in 0.0..0.9_f64, theta in 0.0..180.0_f64, gain in 0.3..3.0_f64, first in -90.0..90.0_f64, plate in any::<bool>(),
        ) {
            let modulator = if plate { Modulator::HalfWavePlate } else { Modulator::Analyser };
            let truth = Polarisation::of_degree(p, 0.0, theta);
            let angles: Vec<f64> = FOUR.iter().map(|a| first + a * 4.0 / modulator.factor()).collect();
            let found = fit_stokes(&exact(&angles, (truth.q, truth.u), gain, modulator), modulator).unwrap();
            prop_assert!((found.polarisation.q - truth.q).abs() < 1e-9 && (found.polarisation.u - truth.u).abs() < 1e-9);
            prop_assert!((found.gain_ratio - gain).abs() < 1e-8 && found.chi2 < 1e-9);
        }

        #[test]
        fn turning_there_and_back_changes_nothing(q in -1.0..1.0_f64, u in -1.0..1.0_f64, angle in -400.0..400.0_f64) {
            let start = Polarisation { q, u, covariance: [[4.0, 1.0], [1.0, 2.0]] };
            let back = start.rotated(angle).rotated(-angle);
            prop_assert!((back.q - q).abs() < 1e-12 && (back.u - u).abs() < 1e-12);
            for (a, b) in back.covariance.iter().flatten().zip(start.covariance.iter().flatten()) {
                prop_assert!((a - b).abs() < 1e-11);
            }
            prop_assert!((start.rotated(180.0).u - u).abs() < 1e-12);
        }
    }

    /// Pulls of q, u and the logarithm of the gain ratio, and the mean reduced chi square.
    fn pulls(angles: &[f64], signal_to_noise: f64, seed: u64) -> (Moments, Moments, f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut of_stokes, mut of_gain, mut chi2, mut freedom) = (Moments::default(), Moments::default(), 0.0, 0.0);
        for _ in 0..4000 {
            let truth = Polarisation::of_degree(rng.random_range(0.0..0.2), 0.0, rng.random_range(0.0..180.0));
            let gain = rng.random_range(0.8..1.25);
            let noise = 0.5 / signal_to_noise;
            let mut with_noise = |flux: f64, transparency: f64| {
                let z: f64 = StandardNormal.sample(&mut rng);
                (transparency * flux + noise * z, noise * noise)
            };
            let pairs: Vec<BeamPair> = angles
                .iter()
                .enumerate()
                .map(|(n, &angle)| {
                    let (o, e) = beams(angle, (truth.q, truth.u), gain, Modulator::HalfWavePlate);
                    let transparency = 1.0 - 0.1 * (n % 3) as f64;
                    BeamPair { angle, ordinary: with_noise(o, transparency), extraordinary: with_noise(e, transparency) }
                })
                .collect();
            let found = fit_stokes(&pairs, Modulator::HalfWavePlate).unwrap();
            of_stokes.push((found.polarisation.q - truth.q) / found.polarisation.q_error());
            of_stokes.push((found.polarisation.u - truth.u) / found.polarisation.u_error());
            of_gain.push((found.gain_ratio - gain) / found.gain_ratio_error);
            chi2 += found.chi2;
            freedom += found.degrees_of_freedom as f64;
        }
        (of_stokes, of_gain, chi2 / freedom)
    }

    #[test]
    fn pulls_are_one() {
        let sixteen: Vec<f64> = (0..16).map(|n| 22.5 * f64::from(n)).collect();
        for (seed, angles, signal_to_noise) in [(1, &FOUR[..], 1000.0), (2, &FOUR, 30.0), (3, &sixteen, 30.0), (4, &sixteen[..7], 100.0)] {
            let (of_stokes, of_gain, chi2) = pulls(angles, signal_to_noise, seed);
            assert!((of_stokes.std() - 1.0).abs() < 0.04 && of_stokes.mean().abs() < 0.05, "{of_stokes:?} {}", of_stokes.std());
            assert!((of_gain.std() - 1.0).abs() < 0.06, "{}", of_gain.std());
            assert!((chi2 - 1.0).abs() < 0.1, "{chi2}");
        }
        let (faint, ..) = pulls(&FOUR, 6.0, 5);
        assert!((faint.std() - 1.0).abs() < 0.1 && faint.mean().abs() < 0.05, "{}", faint.std());
    }

    #[test]
    fn what_the_angles_cannot_tell_is_an_error() {
        let plate = Modulator::HalfWavePlate;
        let three = exact(&[0.0, 22.5, 45.0], (0.05, 0.0), 1.0, plate);
        assert_eq!(fit_stokes(&three, plate), Err(PolarimetryError::TooFewAngles { angles: 3 }));
        // 90 degrees is 0 degrees again.
        let turned = exact(&[0.0, 22.5, 45.0, 90.0], (0.05, 0.0), 1.0, plate);
        assert_eq!(fit_stokes(&turned, plate), Err(PolarimetryError::TooFewAngles { angles: 3 }));
        let mut dark = exact(&FOUR, (0.05, 0.0), 1.0, plate);
        dark[2].extraordinary.0 = -1.0;
        assert_eq!(fit_stokes(&dark, plate), Err(PolarimetryError::NoFlux { angle: 45.0 }));
        dark[2].extraordinary = (1.0, f64::NAN);
        assert!(fit_stokes(&dark, plate).is_err() && fit_stokes(&[], plate).is_err());
    }

    #[test]
    fn an_odd_pair_is_seen_in_the_null_test() {
        let mut pairs = exact(&FOUR, (0.05, 0.02), 1.1, Modulator::HalfWavePlate);
        pairs[1].ordinary.0 *= 1.02;
        assert!(fit_stokes(&pairs, Modulator::HalfWavePlate).unwrap().chi2 > 10.0);
    }
}
