//! A mapping that is computed at some places and interpolated between them.

/// Distance of the places in pixels.
const STEP: usize = 16;

/// A smooth mapping of pixels, linear between places 16 pixels apart: for projections and distortions, which cost more than the interpolation.
///
/// *Accuracy*: that of linear interpolation, `32` times the second derivative: 2e-4 pixels for a distortion of a pixel in 1000 that grows with the
/// cube of the radius (test).
#[derive(Clone, Debug)]
pub struct SmoothMap {
    across: usize,
    nodes: Vec<(f64, f64)>,
}

impl SmoothMap {
    /// For an image of `shape` (rows, columns) whose pixel (column, row) is mapped by `map`.
    pub fn new(shape: (usize, usize), map: impl Fn(f64, f64) -> (f64, f64)) -> Self {
        let count = |n: usize| n.div_ceil(STEP) + 1;
        let (down, across) = (count(shape.0), count(shape.1));
        let node = |n: usize| map(((n % across) * STEP) as f64, ((n / across) * STEP) as f64);
        SmoothMap { across, nodes: (0..down * across).map(node).collect() }
    }

    /// Where a pixel (column, row from 0) is mapped; extrapolated outside.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let cell = |v: f64, last: usize| {
            let n = ((v / STEP as f64).max(0.0) as usize).min(last);
            (n, v / STEP as f64 - n as f64)
        };
        let down = self.nodes.len() / self.across;
        let ((i, a), (j, b)) = (cell(x, self.across - 2), cell(y, down - 2));
        let node = |i: usize, j: usize| self.nodes[j * self.across + i];
        let [p, q, r, s] = [node(i, j), node(i + 1, j), node(i, j + 1), node(i + 1, j + 1)];
        let mix = |p: f64, q: f64, r: f64, s: f64| (1.0 - b) * ((1.0 - a) * p + a * q) + b * ((1.0 - a) * r + a * s);
        (mix(p.0, q.0, r.0, s.0), mix(p.1, q.1, r.1, s.1))
    }

    /// Least and largest row that pixels of the image are mapped to; `None` if some are mapped nowhere.
    pub fn rows(&self) -> Option<(f64, f64)> {
        let rows = self.nodes.iter().map(|n| n.1);
        let (low, high) = rows.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| if v.is_nan() { (v, v) } else { (l.min(v), h.max(v)) });
        (low <= high).then_some((low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distorted_mapping_is_followed() {
        let map = |x: f64, y: f64| {
            let (u, v) = (x - 800.0, y - 800.0);
            let r2 = u * u + v * v;
            (3.0 + 1.01 * u + 0.02 * v + 1e-9 * u * r2, 5.0 - 0.02 * u + 0.99 * v + 1e-9 * v * r2)
        };
        let smooth = SmoothMap::new((1650, 1650), map);
        for (x, y) in [(0.0, 0.0), (7.3, 1640.9), (1649.0, 1649.0), (808.0, 8.0), (1600.5, 1231.7)] {
            let (a, b) = (smooth.at(x, y), map(x, y));
            assert!((a.0 - b.0).hypot(a.1 - b.1) < 5e-4, "{a:?} {b:?}");
        }
        let (low, high) = smooth.rows().unwrap();
        assert!(low < map(1649.0, 0.0).1 && high > map(0.0, 1649.0).1);
        assert!(SmoothMap::new((5, 5), |_, _| (f64::NAN, f64::NAN)).rows().is_none());
    }
}
