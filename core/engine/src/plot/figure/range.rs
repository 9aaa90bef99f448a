//! Ranges of axes that a few wild values do not stretch.

use crate::plot::ticks::Axis;

/// Lowest and highest of the values, without the few at either end that lie further off than the rest is wide; `None` without values.
///
/// At each end a thousandth of the values, at least two (one of less than 20, none of less than 10), may be left out.
pub(super) fn robust(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let (lowest, highest) = (*sorted.first()?, *sorted.last()?);
    let few = match n {
        0..10 => 0,
        10..20 => 1,
        _ => 2.max(n.div_ceil(1000)),
    };
    let (low, high) = (sorted[few], sorted[n - 1 - few]);
    let span = high - low;
    if span == 0.0 {
        return Some((lowest, highest));
    }
    let within = |v: &&f64| **v >= low - span && **v <= high + span;
    Some((*sorted.iter().find(within).unwrap_or(&low), *sorted.iter().rev().find(within).unwrap_or(&high)))
}

/// The value below which this fraction of the values lies.
pub(super) fn quantile(values: impl IntoIterator<Item = f64>, fraction: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * fraction).round() as usize).copied()
}

/// An axis with room of `room` times the range at both ends; one value gets a range around it.
pub(super) fn axis(range: Option<(f64, f64)>, room: f64, places: (f64, f64)) -> Axis {
    let Some((low, high)) = range else { return Axis { values: (0.0, 1.0), places } };
    let span = high - low;
    if span <= 1e-12 * low.abs().max(high.abs()) {
        return Axis::of([low].into_iter(), places);
    }
    Axis { values: (low - room * span, high + room * span), places }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wild_values_do_not_stretch_an_axis() {
        let ripple: Vec<f64> = (0..2000).map(|n| (f64::from(n) * 0.1).sin()).collect();
        let with = |wild: &[f64]| robust(ripple.iter().copied().chain(wild.iter().copied())).unwrap();
        assert!(with(&[1e9, f64::NAN, -1e30]).1 < 1.1);
        assert_eq!(with(&[1.7]).1, 1.7, "a line that is not much higher is no outlier");
        assert_eq!(robust([0.0; 30].into_iter().chain([1.0])), Some((0.0, 1.0)), "all that varies is seen");
        assert_eq!(robust([5.0, 1e9]), Some((5.0, 1e9)), "of two values none is wild");
        assert_eq!(robust([f64::NAN]), None);
    }
}
