//! Stars in a reduced image, and the shift and turn between two lists of them.

use ifured_pixels::statistics::{clipped_moments, median};
use ifured_pixels::{Image, quality};

/// Radius of the aperture in pixels.
const RADIUS: isize = 5;
/// Side of the bins in which the most frequent shift is sought.
const SHIFT_BIN: f64 = 3.0;
const UNUSABLE: u32 =
    quality::MISSING | quality::OUTSIDE | quality::DEAD | quality::HOT | quality::SATURATED_CONVERTER | quality::SATURATED_WELL;

/// A star: position in pixels from 0 and flux in the unit of the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Star {
    /// Column.
    pub x: f64,
    /// Row.
    pub y: f64,
    /// Flux in an aperture of 5 pixels.
    pub flux: f64,
}

/// Stars above `sigma` times the noise in a box of 3 x 3 pixels, brightest first, at most `most`. Stars with unusable pixels are left out.
pub fn find_stars(image: &Image, sigma: f64, most: usize) -> Vec<Star> {
    let (rows, columns) = image.shape();
    let usable = |y: usize, x: usize| image.quality[[y, x]] & UNUSABLE == 0 && image.data[[y, x]].is_finite();
    let stride = (rows * columns).div_ceil(100_000).max(1);
    let sample: Vec<f32> = (0..rows * columns)
        .step_by(stride)
        .map(|n| (n / columns, n % columns))
        .filter(|(y, x)| usable(*y, *x))
        .map(|(y, x)| image.data[[y, x]])
        .collect();
    let sky = clipped_moments(&sample, 3.0);
    let limit = (sky.mean + sigma * sky.sigma / 3.0) as f32;
    let margin = RADIUS as usize + 1;
    let box_mean = |y: usize, x: usize| -> f32 {
        (y - 1..y + 2).flat_map(|b| (x - 1..x + 2).map(move |a| (b, a))).map(|at| image.data[[at.0, at.1]]).sum::<f32>() / 9.0
    };
    let mut stars = Vec::new();
    for y in margin..rows.saturating_sub(margin) {
        for x in margin..columns.saturating_sub(margin) {
            let v = image.data[[y, x]];
            if !(v > limit) || image.quality[[y, x]] & UNUSABLE != 0 {
                continue;
            }
            let peak = (y - 1..y + 2).all(|b| {
                (x - 1..x + 2).all(|a| (b, a) == (y, x) || image.data[[b, a]] < v || (image.data[[b, a]] == v && (b, a) > (y, x)))
            });
            if !peak || !(box_mean(y, x) > limit) {
                continue;
            }
            stars.extend(measure(image, (y, x), sky.mean, usable));
        }
    }
    stars.sort_by(|a, b| b.flux.total_cmp(&a.flux));
    stars.truncate(most);
    stars
}

/// Centroid and flux in an aperture; `None` if it has unusable pixels.
fn measure(image: &Image, (y, x): (usize, usize), sky: f64, usable: impl Fn(usize, usize) -> bool) -> Option<Star> {
    let (mut flux, mut sx, mut sy, mut core) = (0.0, 0.0, 0.0, 0.0);
    for dy in -RADIUS..=RADIUS {
        for dx in -RADIUS..=RADIUS {
            let r2 = dx * dx + dy * dy;
            if r2 > RADIUS * RADIUS {
                continue;
            }
            let at = ((y as isize + dy) as usize, (x as isize + dx) as usize);
            if !usable(at.0, at.1) {
                return None;
            }
            let v = f64::from(image.data[[at.0, at.1]]) - sky;
            flux += v;
            if r2 <= 9 {
                core += v;
                sx += v * dx as f64;
                sy += v * dy as f64;
            }
        }
    }
    (core > 0.0 && flux > 0.0).then(|| Star { x: x as f64 + sx / core, y: y as f64 + sy / core, flux })
}

/// From the pixels of a reference image to those of another: a shift and a small turn about a centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    /// Shift in columns and rows.
    pub shift: (f64, f64),
    /// Turn in radians.
    pub turn: f64,
    /// Centre of the turn in the reference image.
    pub centre: (f64, f64),
    /// Stars that it rests on.
    pub stars: usize,
    /// Root mean square of the distances of these stars, in pixels.
    pub rms: f64,
    /// Flux in the other image divided by that in the reference.
    pub flux_ratio: f64,
}

impl Alignment {
    /// Place in the other image.
    pub fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        let (dx, dy) = (x - self.centre.0, y - self.centre.1);
        let (sin, cos) = self.turn.sin_cos();
        (self.centre.0 + cos * dx - sin * dy + self.shift.0, self.centre.1 + sin * dx + cos * dy + self.shift.1)
    }

    /// The image on itself.
    pub fn identity() -> Self {
        Alignment { shift: (0.0, 0.0), turn: 0.0, centre: (0.0, 0.0), stars: 0, rms: 0.0, flux_ratio: 1.0 }
    }
}

/// Finds the alignment near an expected shift, within `search` pixels of it; `None` unless at least 3 stars agree.
pub fn align(reference: &[Star], other: &[Star], expected: (f64, f64), search: f64) -> Option<Alignment> {
    let shift = most_frequent_shift(reference, other, expected, search)?;
    let n = reference.len() as f64;
    let centre = (reference.iter().map(|s| s.x).sum::<f64>() / n, reference.iter().map(|s| s.y).sum::<f64>() / n);
    let mut alignment = Alignment { shift, turn: 0.0, centre, stars: 0, rms: SHIFT_BIN, flux_ratio: 1.0 };
    for limit in [4.0, 2.0, 1.0, 1.0] {
        let pairs = matches(reference, other, &alignment, limit);
        if pairs.len() < 3 {
            return None;
        }
        alignment = refine(&pairs, alignment);
    }
    Some(alignment)
}

fn most_frequent_shift(reference: &[Star], other: &[Star], expected: (f64, f64), search: f64) -> Option<(f64, f64)> {
    let mut shifts = Vec::new();
    for a in reference.iter().take(80) {
        for b in other.iter().take(80) {
            let (dx, dy) = (b.x - a.x, b.y - a.y);
            if (dx - expected.0).hypot(dy - expected.1) <= search {
                shifts.push((dx, dy));
            }
        }
    }
    let near = |s: &(f64, f64), t: &(f64, f64)| (s.0 - t.0).hypot(s.1 - t.1) <= SHIFT_BIN;
    let best = shifts.iter().max_by_key(|s| shifts.iter().filter(|t| near(s, t)).count())?;
    let cluster: Vec<_> = shifts.iter().filter(|t| near(best, t)).collect();
    let mid = |part: fn(&(f64, f64)) -> f64| median(&cluster.iter().map(|t| part(t) as f32).collect::<Vec<_>>());
    (cluster.len() >= 3).then(|| (mid(|t| t.0), mid(|t| t.1)))
}

fn matches(reference: &[Star], other: &[Star], alignment: &Alignment, limit: f64) -> Vec<(Star, Star)> {
    let nearest = |a: &Star| {
        let (x, y) = alignment.apply(a.x, a.y);
        let distance = |b: &Star| (b.x - x).hypot(b.y - y);
        let found = other.iter().min_by(|b, c| distance(b).total_cmp(&distance(c)))?;
        (distance(found) <= limit).then_some((*a, *found))
    };
    reference.iter().filter_map(nearest).collect()
}

/// Least squares for the shift and a small turn.
fn refine(pairs: &[(Star, Star)], old: Alignment) -> Alignment {
    let n = pairs.len() as f64;
    let offset = |(a, b): &(Star, Star)| (b.x - a.x, b.y - a.y);
    let place = |(a, _): &(Star, Star)| (a.x - old.centre.0, a.y - old.centre.1);
    let mean = |f: &dyn Fn(&(Star, Star)) -> f64| pairs.iter().map(f).sum::<f64>() / n;
    let (mx, my) = (mean(&|p| place(p).0), mean(&|p| place(p).1));
    let (ox, oy) = (mean(&|p| offset(p).0), mean(&|p| offset(p).1));
    let lever = mean(&|p| (place(p).0 - mx).powi(2) + (place(p).1 - my).powi(2));
    let torque = mean(&|p| (place(p).0 - mx) * (offset(p).1 - oy) - (place(p).1 - my) * (offset(p).0 - ox));
    let turn = if lever > 0.0 && pairs.len() > 3 { torque / lever } else { 0.0 };
    let mut new = Alignment { shift: (ox + turn * my, oy - turn * mx), turn, stars: pairs.len(), ..old };
    let residual = |(a, b): &(Star, Star)| {
        let (x, y) = new.apply(a.x, a.y);
        (b.x - x).powi(2) + (b.y - y).powi(2)
    };
    let rms = (pairs.iter().map(residual).sum::<f64>() / n).sqrt();
    new.rms = rms;
    new.flux_ratio = median(&pairs.iter().map(|(a, b)| (b.flux / a.flux) as f32).collect::<Vec<_>>());
    new
}

/// Sky level and its noise inside the field.
pub fn sky(image: &Image) -> (f64, f64) {
    let values = crate::products::sample(image, UNUSABLE, 200_000);
    let found = clipped_moments(&values, 3.0);
    (found.mean, found.sigma)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shift_and_turn_come_back() {
        let truth = Alignment { shift: (12.3, -7.8), turn: 0.001, centre: (150.0, 150.0), ..Alignment::identity() };
        let reference: Vec<Star> =
            (0..30).map(|k| Star { x: f64::from(k * 97 % 300), y: f64::from(k * 53 % 290), flux: 1e5 / f64::from(k + 1) }).collect();
        let other: Vec<Star> = reference
            .iter()
            .map(|s| {
                let (x, y) = truth.apply(s.x, s.y);
                Star { x, y, flux: 2.0 * s.flux }
            })
            .collect();
        let found = align(&reference, &other, (0.0, 0.0), 40.0).unwrap();
        for star in &reference {
            let (a, b) = (truth.apply(star.x, star.y), found.apply(star.x, star.y));
            assert!((a.0 - b.0).hypot(a.1 - b.1) < 1e-3, "{found:?}");
        }
        assert!((found.flux_ratio - 2.0).abs() < 1e-6 && found.stars == 30);
        assert!(align(&reference, &other[..1], (0.0, 0.0), 40.0).is_none());
    }
}
