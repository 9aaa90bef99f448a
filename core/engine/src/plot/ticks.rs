//! Ticks at numbers that people like.

/// Numbers 1, 2 or 5 times a power of ten, inside a range, about `wanted` of them; and the decimals they need.
pub fn nice_ticks(low: f64, high: f64, wanted: usize) -> (Vec<f64>, usize) {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return (Vec::new(), 0);
    }
    let rough = span / wanted.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough * 0.999).unwrap_or(10.0 * power);
    let first = (low / step - 1e-9).ceil();
    let last = (high / step + 1e-9).floor();
    if !(last - first).is_finite() || last - first > 1000.0 {
        return (Vec::new(), 0);
    }
    let ticks = (0..=(last - first).max(-1.0) as i64).map(|n| (first + n as f64) * step).map(|t| if t == 0.0 { 0.0 } else { t });
    let decimals = (-(step * 1.001).log10().floor()).clamp(0.0, 12.0) as usize;
    (ticks.collect(), decimals)
}

/// A range of values on a range of positions.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Lowest and highest value.
    pub values: (f64, f64),
    /// Where they are.
    pub places: (f64, f64),
}

impl Axis {
    /// For values, with a little room at both ends; a single value gets a range around it.
    pub fn of(values: impl Iterator<Item = f64>, places: (f64, f64)) -> Axis {
        let (low, high) = values.filter(|v| v.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let values = if low > high {
            (0.0, 1.0)
        } else if high - low <= 1e-12 * low.abs().max(high.abs()) {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.05 };
            (low - room, high + room)
        } else {
            (low - 0.06 * (high - low), high + 0.06 * (high - low))
        };
        Axis { values, places }
    }

    /// Where a value is.
    pub fn place(&self, value: f64) -> f64 {
        let fraction = (value - self.values.0) / (self.values.1 - self.values.0);
        self.places.0 + fraction * (self.places.1 - self.places.0)
    }

    /// Places and texts of ticks. Far from zero with a small range, ticks are relative to an offset, which comes last.
    pub fn ticks(&self, wanted: usize) -> (Vec<(f64, String)>, Option<String>) {
        let (ticks, decimals) = nice_ticks(self.values.0, self.values.1, wanted);
        let span = self.values.1 - self.values.0;
        let largest = self.values.0.abs().max(self.values.1.abs());
        let tiny_or_huge = largest >= 1e7 || span < 1e-4;
        if largest > 1e5 * span || (tiny_or_huge && largest / span > 1e3) {
            let offset = ticks.first().copied().unwrap_or(0.0);
            let texts = ticks.iter().map(|t| (self.place(*t), format!("{:.decimals$}", t - offset))).collect();
            return (texts, Some(format!("+ {offset:.decimals$}")));
        }
        let show = |t: f64| if tiny_or_huge { short_exponent(t) } else { format!("{t:.decimals$}") };
        (ticks.iter().map(|t| (self.place(*t), show(*t))).collect(), None)
    }
}

fn short_exponent(t: f64) -> String {
    let text = format!("{t:.2e}");
    match text.split_once('e') {
        Some((m, e)) if e != "0" => format!("{}e{e}", m.trim_end_matches('0').trim_end_matches('.')),
        _ => format!("{t}"),
    }
}
