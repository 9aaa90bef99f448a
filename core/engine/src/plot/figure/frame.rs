//! The box in which a panel is drawn.

use crate::plot::ticks::Axis;

/// Box of a panel with its axes.
pub(super) struct Frame {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Frame {
    /// Where a value is; `None` if a coordinate is missing. What lies far outside is moved nearer, so that files stay short.
    pub(super) fn place(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        (x.is_finite() && y.is_finite()).then(|| (self.across(x), self.up(y)))
    }

    pub(super) fn across(&self, x: f64) -> f64 {
        near(self.x.place(x), self.left, self.width)
    }

    pub(super) fn up(&self, y: f64) -> f64 {
        near(self.y.place(y), self.top, self.height)
    }

    /// Whether a place is in the box.
    pub(super) fn holds(&self, (px, py): (f64, f64)) -> bool {
        let inside = |p: f64, start: f64, length: f64| p >= start - 0.01 && p <= start + length + 0.01;
        inside(px, self.left, self.width) && inside(py, self.top, self.height)
    }
}

fn near(place: f64, start: f64, length: f64) -> f64 {
    place.clamp(start - 2.0 * length, start + 3.0 * length)
}
