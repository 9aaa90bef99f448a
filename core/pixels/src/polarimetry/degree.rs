//! Degree and angle of polarisation.
//!
//! Noise makes `sqrt(q^2 + u^2)` too large (Serkowski 1974, in *Methods of Experimental Physics* 12A, 361): it is not zero for light that is not
//! polarised. The bias is removed by the modified asymptotic estimator of Plaszczynski et al. (2014, MNRAS 439, 4048), which is
//! continuous and never negative, or by that of Wardle & Kronberg (1974, ApJ 194, 249), which is 0 below the noise (compared by Simmons & Stewart 1985, A&A 142,
//! 100). Errors may differ between q and u and be correlated: along the polarisation they make the error of the degree, across it bias and error of the angle.

use super::Polarisation;

/// How the bias of the degree is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Debias {
    /// `p - b^2 (1 - exp(-p^2 / b^2)) / 2p`.
    #[default]
    ModifiedAsymptotic,
    /// `sqrt(p^2 - b^2)`, 0 where that is not real.
    WardleKronberg,
    /// Not at all.
    None,
}

/// Degree (fractions of 1) and angle (degrees) of polarisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Degree {
    /// As measured, with its bias.
    pub p: f64,
    /// Standard error of `p`.
    pub error: f64,
    /// Without the bias.
    pub debiased: f64,
    /// Angle, from 0 up to 180.
    pub theta: f64,
    /// Half of the interval that holds the angle with 68.3 % (Naghizadeh-Khouei & Clarke 1993, A&A 274, 968): `28.65 error / p` for strong polarisation, 61 for
    /// none.
    pub theta_error: f64,
    /// Probability that noise alone gives light without polarisation as much as this.
    pub chance: f64,
}

impl Polarisation {
    /// Degree and angle.
    ///
    /// *Accuracy*: from twice the noise on the mean debiased degree is right within 0.1 sigma (modified asymptotic estimator, test).
    pub fn degree(&self, debias: Debias) -> Degree {
        let p = self.q.hypot(self.u);
        let (sin, cos) = if p > 0.0 { (self.u / p, self.q / p) } else { (0.0, 1.0) };
        let [[a, b], [_, d]] = self.covariance;
        let along = (cos * cos * a + 2.0 * sin * cos * b + sin * sin * d).max(0.0);
        let across = (sin * sin * a - 2.0 * sin * cos * b + cos * cos * d).max(0.0);
        let debiased = match debias {
            Debias::ModifiedAsymptotic if p > 0.0 => p - across * -(-p * p / across).exp_m1() / (2.0 * p),
            Debias::ModifiedAsymptotic => 0.0,
            Debias::WardleKronberg => (p * p - across).max(0.0).sqrt(),
            Debias::None => p,
        };
        let determinant = a * d - b * b;
        let distance = (d * self.q * self.q - 2.0 * b * self.q * self.u + a * self.u * self.u) / determinant;
        Degree {
            p,
            error: along.sqrt(),
            debiased,
            theta: (0.5 * self.u.atan2(self.q).to_degrees()).rem_euclid(180.0),
            theta_error: angle_error(debiased / across.sqrt()),
            chance: (-0.5 * distance).exp(),
        }
    }
}

/// Half of the 68.3 % interval of the angle in degrees, for a degree in units of its error.
fn angle_error(p: f64) -> f64 {
    const INSIDE: f64 = 0.682_689_5;
    if p.is_nan() {
        return f64::NAN;
    }
    if p > 12.0 {
        return (0.5 / p).to_degrees();
    }
    // Newton's method: the derivative of the probability is the density. It falls with the phase, so that no step goes too far from below.
    let mut half = (1.0 / p).min(0.5);
    for _ in 0..20 {
        let step = (0.5 * INSIDE - integral(|phase| phase_density(p, phase), half)) / phase_density(p, half);
        half = (half + step).clamp(0.0, std::f64::consts::PI);
        if step.abs() < 1e-7 {
            break;
        }
    }
    0.5 * half.to_degrees()
}

/// Probability density of the phase of (q, u) about the true one, for a degree in units of its error.
fn phase_density(p: f64, phase: f64) -> f64 {
    let eta = p * phase.cos();
    let root = (2.0 * std::f64::consts::PI).sqrt();
    ((-0.5 * p * p).exp() + root * eta * (-0.5 * (p * phase.sin()).powi(2)).exp() * normal(eta)) / (2.0 * std::f64::consts::PI)
}

/// Integral from 0 on by Simpson's rule.
fn integral(f: impl Fn(f64) -> f64, to: f64) -> f64 {
    const INTERVALS: usize = 64;
    let h = to / INTERVALS as f64;
    let weight = |n: usize| if n == 0 || n == INTERVALS { 1.0 } else { 2.0 + 2.0 * (n % 2) as f64 };
    (0..=INTERVALS).map(|n| weight(n) * f(n as f64 * h)).sum::<f64>() * h / 3.0
}

/// Cumulative normal distribution, right to 1e-7 (Abramowitz & Stegun 1964, eq. 26.2.17).
fn normal(x: f64) -> f64 {
    const B: [f64; 5] = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let tail = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt() * B.iter().rev().fold(0.0, |sum, b| (sum + b) * t);
    if x > 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    /// Many measurements of one polarisation, in units of the noise.
    fn measured(p: f64, angle: f64, seed: u64) -> impl Iterator<Item = Polarisation> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let truth = Polarisation::of_degree(p, 1.0, angle);
        (0..20_000).map(move |_| {
            let (a, b): (f64, f64) = (StandardNormal.sample(&mut rng), StandardNormal.sample(&mut rng));
            Polarisation { q: truth.q + a, u: truth.u + b, ..truth }
        })
    }

    fn mean(p: f64, debias: Debias) -> f64 {
        measured(p, 33.0, 7).map(|m| m.degree(debias).debiased).collect::<Moments>().mean()
    }

    #[test]
    fn the_bias_goes() {
        for p in [2.0, 3.0, 5.0, 20.0] {
            let (biased, mas) = (mean(p, Debias::None) - p, mean(p, Debias::ModifiedAsymptotic) - p);
            assert!((biased - 0.5 / p).abs() < 0.08, "{p} {biased}");
            assert!(mas.abs() < 0.1 && mas.abs() < biased.max(0.03), "{p} {mas} {biased}");
        }
        assert!((mean(5.0, Debias::WardleKronberg) - 5.0).abs() < 0.05);
        // Light without polarisation has the Rayleigh distribution, over which the estimators can be integrated.
        let rayleigh = (0.5 * std::f64::consts::PI).sqrt();
        assert!((mean(0.0, Debias::None) - rayleigh).abs() < 0.02);
        assert!((mean(0.0, Debias::ModifiedAsymptotic) - rayleigh * (0.5 + 0.5 / 3f64.sqrt())).abs() < 0.02);
        assert!((mean(0.0, Debias::WardleKronberg) - rayleigh * (-0.5f64).exp()).abs() < 0.02);
    }

    #[test]
    fn pulls_of_degree_and_angle() {
        for p in [4.0, 30.0] {
            let degrees: Vec<Degree> = measured(p, 178.0, 8).map(|m| m.degree(Debias::default())).collect();
            let pulls: Moments = degrees.iter().map(|d| (d.debiased - p) / d.error).collect();
            assert!((pulls.std() - 1.0).abs() < 0.05 && pulls.mean().abs() < 0.05, "{p} {} {}", pulls.mean(), pulls.std());
            let inside = degrees.iter().filter(|d| ((d.theta - 178.0 + 90.0).rem_euclid(180.0) - 90.0).abs() < d.theta_error).count();
            assert!((inside as f64 / 20_000.0 - 0.683).abs() < 0.02, "{p} {inside}");
        }
        // The chance of noise is what noise does.
        let by_chance = measured(0.0, 0.0, 9).filter(|m| m.degree(Debias::None).chance < 0.05).count();
        assert!((by_chance as f64 / 20_000.0 - 0.05).abs() < 0.006, "{by_chance}");
    }

    #[test]
    fn errors_of_the_angle_have_their_limits() {
        assert!((angle_error(0.0) - 0.682_689_5 * 90.0).abs() < 1e-3);
        assert!((angle_error(11.99) - angle_error(12.01)).abs() < 0.02, "{} {}", angle_error(11.99), angle_error(12.01));
        assert!((normal(1.0) - 0.841_344_75).abs() < 1e-6 && (normal(-2.0) - 0.022_750_13).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn degrees_are_sound(q in -1.0..1.0_f64, u in -1.0..1.0_f64, a in 1e-6..0.1_f64, d in 1e-6..0.1_f64, r in -0.9..0.9_f64) {
            let b = r * (a * d).sqrt();
            let light = Polarisation { q, u, covariance: [[a, b], [b, d]] };
            for debias in [Debias::ModifiedAsymptotic, Debias::WardleKronberg, Debias::None] {
                let found = light.degree(debias);
                prop_assert!((0.0..=found.p).contains(&found.debiased), "{found:?}");
                prop_assert!((0.0..180.0).contains(&found.theta) && found.theta_error > 0.0 && found.theta_error < 61.5);
                prop_assert!((0.0..=1.0).contains(&found.chance));
                // Only the angle knows from where it is counted.
                let turned = light.rotated(25.0).degree(debias);
                prop_assert!((turned.debiased - found.debiased).abs() < 1e-9 && (turned.chance - found.chance).abs() < 1e-9);
                let by = (turned.theta - found.theta - 25.0 + 90.0).rem_euclid(180.0) - 90.0;
                prop_assert!(by.abs() < 1e-6 || found.p < 1e-9, "{by}");
            }
        }
    }
}
