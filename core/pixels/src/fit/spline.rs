//! Cubic splines on given knots, as sums of B-splines (de Boor 1978, A Practical Guide to Splines).

/// The cubic B-splines of a sequence of breakpoints.
#[derive(Clone, Debug, PartialEq)]
pub struct CubicSplines {
    /// Breakpoints with three more at each end.
    knots: Vec<f64>,
}

/// B-splines that are not zero at a place: the number of the first, and their values.
pub type Local = (usize, [f64; 4]);

impl CubicSplines {
    /// B-splines of rising breakpoints; none if there are fewer than two, or they do not rise.
    pub fn new(breakpoints: &[f64]) -> Option<Self> {
        let (first, last) = (*breakpoints.first()?, *breakpoints.last()?);
        if breakpoints.len() < 2 || !breakpoints.windows(2).all(|w| w[0] < w[1]) {
            return None;
        }
        let knots = [first; 3].into_iter().chain(breakpoints.iter().copied()).chain([last; 3]).collect();
        Some(CubicSplines { knots })
    }

    /// B-splines of `intervals` equal intervals.
    pub fn uniform(from: f64, to: f64, intervals: usize) -> Option<Self> {
        let n = intervals.max(1);
        CubicSplines::new(&(0..=n).map(|k| from + (to - from) * k as f64 / n as f64).collect::<Vec<_>>())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.knots.len() - 4
    }

    /// First and last breakpoint.
    pub fn range(&self) -> (f64, f64) {
        (self.knots[3], self.knots[self.knots.len() - 4])
    }

    /// Those that are not zero at `x`; none outside the breakpoints, or where `x` is no number.
    pub fn at(&self, x: f64) -> Option<Local> {
        self.at_near(x, 0)
    }

    /// As [`CubicSplines::at`], sooner where the first that is not zero is `hint` or one beside it: for places in order.
    #[inline]
    pub fn at_near(&self, x: f64, hint: usize) -> Option<Local> {
        let (low, high) = self.range();
        if !(low..=high).contains(&x) {
            return None;
        }
        let t = &self.knots;
        // The interval that holds x; the last one holds its end.
        let last = t.len() - 5;
        let near = [hint + 3, hint + 4, hint + 2].into_iter().find(|&s| (3..=last).contains(&s) && t[s] <= x && x < t[s + 1]);
        let span = near.unwrap_or_else(|| (t.partition_point(|k| *k <= x)).clamp(4, last + 1) - 1);
        let mut values = [1.0, 0.0, 0.0, 0.0];
        for degree in 1..4 {
            let mut saved = 0.0;
            for r in 0..degree {
                let (right, left) = (t[span + r + 1], t[span + 1 + r - degree]);
                let part = values[r] / (right - left);
                values[r] = saved + (right - x) * part;
                saved = (x - left) * part;
            }
            values[degree] = saved;
        }
        Some((span - 3, values))
    }
}

/// Most functions of another coordinate that the splines may be multiplied with.
pub const MOST_TERMS: usize = 8;

/// Products of the splines at a place with functions of another coordinate, for coefficients in the order (spline, function); gives the number of the
/// first coefficient.
#[inline]
pub fn products((first, values): &Local, along: &[f64], out: &mut [f64; 4 * MOST_TERMS]) -> usize {
    for (out, value) in out.chunks_exact_mut(along.len()).zip(values) {
        out.iter_mut().zip(along).for_each(|(out, term)| *out = value * term);
    }
    first * along.len()
}

#[cfg(test)]
mod tests {
    use super::super::BandedEquations;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_sum_to_one_and_reproduce_cubics(mut breaks in prop::collection::vec(-100.0..100.0f64, 3..12), u in 0.0..1.0f64) {
            breaks.sort_by(f64::total_cmp);
            breaks.dedup_by(|a, b| (*a - *b).abs() < 3.0);
            prop_assume!(breaks.len() > 1);
            let splines = CubicSplines::new(&breaks).unwrap();
            let (low, high) = splines.range();
            let (first, values) = splines.at((low + u * (high - low)).min(high)).unwrap();
            prop_assert!(first + 4 <= splines.count());
            for hint in 0..splines.count() + 3 {
                prop_assert_eq!(splines.at_near((low + u * (high - low)).min(high), hint), Some((first, values)));
            }
            prop_assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let cubic = |x: f64| 1.0 + 0.02 * x - 1e-3 * x * x + 1e-5 * x * x * x;
            let mut equations = BandedEquations::new(splines.count(), 4);
            for k in 0..=400 {
                let x = (low + (high - low) * f64::from(k) / 400.0).min(high);
                let (first, values) = splines.at(x).unwrap();
                equations.add(first, &values, cubic(x), 1.0);
            }
            let solution = equations.solve(1e-13).unwrap();
            let x = low + u * (high - low);
            prop_assert!((solution.value(first, &values) - cubic(x)).abs() < 1e-4, "{} {}", solution.value(first, &values), cubic(x));
        }
    }

    #[test]
    fn ends_and_nonsense() {
        let splines = CubicSplines::uniform(0.0, 10.0, 5).unwrap();
        assert_eq!(splines.count(), 8);
        assert_eq!(splines.at(0.0).unwrap(), (0, [1.0, 0.0, 0.0, 0.0]));
        let (first, values) = splines.at(10.0).unwrap();
        assert!(first == 4 && (values[3] - 1.0).abs() < 1e-12);
        assert!(splines.at(-0.1).is_none() && splines.at(f64::NAN).is_none() && splines.at(10.1).is_none());
        assert!(CubicSplines::new(&[1.0, 1.0]).is_none() && CubicSplines::new(&[1.0]).is_none());
    }
}
