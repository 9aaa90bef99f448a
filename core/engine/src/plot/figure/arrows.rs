//! Arrows: as long as they can be read, with one of a round length to compare with.

use super::content::{Curve, Kind};
use super::frame::Frame;
use super::marks::c;
use super::range::quantile;

/// Length that nine of ten arrows do not exceed, and the longest that is drawn, in pixels.
const LENGTH: f64 = 38.0;
const LONGEST: f64 = 220.0;
/// Most arrows that are drawn.
const MOST: usize = 800;

/// How long arrows are drawn.
pub(super) struct Scale {
    /// Pixels for a unit of the components.
    pub(super) pixels: f64,
    /// A round length, to compare with.
    pub(super) key: f64,
}

/// The scale for one series; `None` if it has no arrows or all are of no length.
pub(super) fn scale(curve: &Curve) -> Option<Scale> {
    let Kind::Arrows { dx, dy, .. } = &curve.kind else { return None };
    let lengths = |used: bool| {
        let rows = dx.iter().zip(dy).zip(&curve.used).filter(move |(_, u)| **u || !used);
        rows.map(|((dx, dy), _)| dx.hypot(*dy)).filter(|l| *l > 0.0)
    };
    let typical = quantile(lengths(true), 0.9).or_else(|| quantile(lengths(false), 0.9))?;
    let pixels = LENGTH / typical;
    Some(Scale { pixels, key: round_below(60.0 / pixels) }).filter(|s| s.pixels.is_finite() && s.key > 0.0)
}

/// The largest of 1, 2, 5 times a power of ten that is not larger.
fn round_below(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|m| m * power).find(|v| *v <= value * 1.0001).unwrap_or(power)
}

/// Every how many-th arrow is drawn.
pub(super) fn step(curve: &Curve) -> usize {
    curve.values.iter().filter(|v| v.is_finite()).count().div_ceil(MOST).max(1)
}

/// Arrows of the rows that count, or of those that do not.
pub(super) fn path(x: &[f64], curve: &Curve, used: bool, scale: &Scale, frame: &Frame) -> String {
    let Kind::Arrows { dx, dy, .. } = &curve.kind else { return String::new() };
    let wanted: Vec<usize> = (0..x.len()).filter(|n| curve.used[*n] == used && dx[*n].is_finite() && dy[*n].is_finite()).collect();
    let step = step(curve);
    let mut path = String::new();
    for n in wanted.into_iter().step_by(step) {
        if let Some(from) = frame.place(x[n], curve.values[n]).filter(|p| frame.holds(*p)) {
            path += &arrow(from, dx[n] * scale.pixels, -dy[n] * scale.pixels);
        }
    }
    path
}

/// One arrow from a place, with its head; a dot if it has no length.
pub(super) fn arrow((x, y): (f64, f64), dx: f64, dy: f64) -> String {
    // Far beyond the paper is far enough: squares of what is longer are no numbers.
    let (dx, dy) = (dx.clamp(-1e6, 1e6), dy.clamp(-1e6, 1e6));
    let length = dx.hypot(dy);
    if length < 0.3 {
        return format!("M{} {}a1 1 0 1 0 2 0a1 1 0 1 0-2 0", c(x - 1.0), c(y));
    }
    let shorter = (LONGEST / length).min(1.0);
    let (dx, dy) = (dx * shorter, dy * shorter);
    let head = (0.35 * length * shorter).min(5.0) / (length * shorter);
    let side = |turn: f64| {
        let (sin, cos) = turn.sin_cos();
        (x + dx - head * (dx * cos - dy * sin), y + dy - head * (dx * sin + dy * cos))
    };
    let ((ax, ay), (bx, by)) = (side(0.5), side(-0.5));
    let tip = format!("{} {}", c(x + dx), c(y + dy));
    format!("M{} {}L{tip}M{} {}L{tip}L{} {}", c(x), c(y), c(ax), c(ay), c(bx), c(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_lengths() {
        let found: Vec<f64> = [1.999, 1.0, 3.7, 49.0, 7e-5].map(round_below).to_vec();
        let wanted = [1.0, 1.0, 2.0, 20.0, 5e-5];
        assert!(found.iter().zip(wanted).all(|(f, w)| (f / w - 1.0).abs() < 1e-9), "{found:?}");
    }
}
