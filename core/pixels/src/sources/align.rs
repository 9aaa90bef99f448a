//! Shift, small turn and flux ratio between two lists of stars of one field.
//!
//! The most frequent difference of two positions, one from either list, is the first shift: false pairs scatter, true ones agree.
//! Stars that match are then taken within ever smaller distances, and a shift and a small turn are fitted to them by least squares
//! (the linearised rigid motion: `dx = sx - t y`, `dy = sy + t x`). Assumed is that both images have one scale and that the turn
//! moves the stars by less than 4 pixels.

use super::Source;
use crate::statistics::median;

/// Differences of positions within so many pixels are one shift.
const SAME_SHIFT: f64 = 3.0;
/// Stars of each list, from the first on, that the first shift is sought with.
const BRIGHTEST: usize = 80;
/// Fewest stars that must agree.
const FEWEST: usize = 3;
/// How far matching stars may be apart in each pass, in pixels.
const MATCH_LIMITS: [f64; 4] = [4.0, 2.0, 1.0, 1.0];

/// From the pixels of a reference image to those of another: a shift and a small turn about a centre. Coordinates are column and
/// row from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    /// Shift in columns and rows.
    pub shift: (f64, f64),
    /// Turn in radians, from columns to rows.
    pub turn: f64,
    /// Centre of the turn in the reference image.
    pub centre: (f64, f64),
    /// Stars that it rests on.
    pub stars: usize,
    /// Root mean square of the distances of these stars, in pixels.
    pub rms: f64,
    /// Flux in the other image divided by that in the reference, the median of the stars.
    pub flux_ratio: f64,
}

impl Alignment {
    /// The image on itself.
    pub fn identity() -> Self {
        Alignment { shift: (0.0, 0.0), turn: 0.0, centre: (0.0, 0.0), stars: 0, rms: 0.0, flux_ratio: 1.0 }
    }

    /// Place in the other image of a place in the reference.
    pub fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        let (dx, dy) = (x - self.centre.0, y - self.centre.1);
        let (sin, cos) = self.turn.sin_cos();
        (self.centre.0 + cos * dx - sin * dy + self.shift.0, self.centre.1 + sin * dx + cos * dy + self.shift.1)
    }
}

/// Aligns two lists of stars, each with the brightest first, whose shift is within `search` pixels of the `expected` one (columns,
/// rows). `None` unless at least 3 stars agree.
///
/// *Accuracy*: with positions good to 0.1 pixel, half of the stars in one list only, the place of a star comes back within the error of
/// the fit, `0.1 sqrt(2 / stars)` per axis near the centre, and the flux ratio within that of a median (test).
pub fn align(reference: &[Source], other: &[Source], expected: (f64, f64), search: f64) -> Option<Alignment> {
    let shift = most_frequent_shift(reference, other, expected, search)?;
    let n = reference.len() as f64;
    let centre = (reference.iter().map(|s| s.x).sum::<f64>() / n, reference.iter().map(|s| s.y).sum::<f64>() / n);
    let mut alignment = Alignment { shift, centre, ..Alignment::identity() };
    for limit in MATCH_LIMITS {
        let pairs = matches(reference, other, &alignment, limit);
        if pairs.len() < FEWEST {
            return None;
        }
        alignment = fit(&pairs, centre);
    }
    Some(alignment)
}

fn most_frequent_shift(reference: &[Source], other: &[Source], expected: (f64, f64), search: f64) -> Option<(f64, f64)> {
    let mut shifts = Vec::new();
    for a in reference.iter().take(BRIGHTEST) {
        for b in other.iter().take(BRIGHTEST) {
            let (dx, dy) = (b.x - a.x, b.y - a.y);
            if (dx - expected.0).hypot(dy - expected.1) <= search {
                shifts.push((dx, dy));
            }
        }
    }
    let near = |s: &(f64, f64), t: &(f64, f64)| (s.0 - t.0).hypot(s.1 - t.1) <= SAME_SHIFT;
    let best = shifts.iter().max_by_key(|s| shifts.iter().filter(|t| near(s, t)).count())?;
    let agreeing: Vec<_> = shifts.iter().filter(|t| near(best, t)).collect();
    let middle = |part: fn(&(f64, f64)) -> f64| median(&agreeing.iter().map(|t| part(t) as f32).collect::<Vec<_>>());
    (agreeing.len() >= FEWEST).then(|| (middle(|t| t.0), middle(|t| t.1)))
}

/// Each star of the reference with the nearest of the other image, if that is within the limit.
fn matches<'a>(reference: &'a [Source], other: &'a [Source], alignment: &Alignment, limit: f64) -> Vec<(&'a Source, &'a Source)> {
    let nearest = |a: &'a Source| {
        let (x, y) = alignment.apply(a.x, a.y);
        let distance = |b: &Source| (b.x - x).hypot(b.y - y);
        let found = other.iter().min_by(|b, c| distance(b).total_cmp(&distance(c)))?;
        (distance(found) <= limit).then_some((a, found))
    };
    reference.iter().filter_map(nearest).collect()
}

/// Least squares for the shift and a small turn; the turn from more than 3 stars only.
fn fit(pairs: &[(&Source, &Source)], centre: (f64, f64)) -> Alignment {
    let n = pairs.len() as f64;
    let offset = |(a, b): &(&Source, &Source)| (b.x - a.x, b.y - a.y);
    let place = |(a, _): &(&Source, &Source)| (a.x - centre.0, a.y - centre.1);
    let mean = |f: &dyn Fn(&(&Source, &Source)) -> f64| pairs.iter().map(f).sum::<f64>() / n;
    let (mx, my) = (mean(&|p| place(p).0), mean(&|p| place(p).1));
    let (ox, oy) = (mean(&|p| offset(p).0), mean(&|p| offset(p).1));
    let lever = mean(&|p| (place(p).0 - mx).powi(2) + (place(p).1 - my).powi(2));
    let torque = mean(&|p| (place(p).0 - mx) * (offset(p).1 - oy) - (place(p).1 - my) * (offset(p).0 - ox));
    let turn = if lever > 0.0 && pairs.len() > FEWEST { torque / lever } else { 0.0 };
    let shift = (ox + turn * my, oy - turn * mx);
    let flux_ratio = median(&pairs.iter().map(|(a, b)| (b.flux / a.flux) as f32).collect::<Vec<_>>());
    let found = Alignment { shift, turn, centre, stars: pairs.len(), rms: 0.0, flux_ratio };
    let square = |(a, b): &(&Source, &Source)| {
        let (x, y) = found.apply(a.x, a.y);
        (b.x - x).powi(2) + (b.y - y).powi(2)
    };
    Alignment { rms: mean(&square).sqrt(), ..found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Moments;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    fn star(x: f64, y: f64, flux: f64) -> Source {
        Source { x, y, error: 0.1, flux, flux_error: 1.0, peak: flux, pixels: 9, quality: 0 }
    }

    fn stars(count: usize, rng: &mut ChaCha8Rng) -> Vec<Source> {
        let mut star = || star(rng.random_range(0.0..1000.0), rng.random_range(0.0..800.0), 10f64.powf(rng.random_range(3.0..5.0)));
        (0..count).map(|_| star()).collect()
    }

    #[test]
    fn shift_turn_and_flux_ratio_come_back_within_their_errors() {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let truth = Alignment { shift: (12.3, -7.8), turn: 0.001, centre: (500.0, 400.0), ..Alignment::identity() };
        let (mut places, mut fluxes) = (Moments::default(), Moments::default());
        for _ in 0..200 {
            let both = stars(40, &mut rng);
            let mut noise = |sigma: f64| {
                let z: f64 = StandardNormal.sample(&mut rng);
                sigma * z
            };
            let mut reference: Vec<Source> = both.iter().map(|s| Source { x: s.x + noise(0.1), y: s.y + noise(0.1), ..*s }).collect();
            let mut other: Vec<Source> = both
                .iter()
                .map(|s| {
                    let (x, y) = truth.apply(s.x, s.y);
                    Source { x: x + noise(0.1), y: y + noise(0.1), flux: s.flux * 2.0 * (1.0 + noise(0.02)), ..*s }
                })
                .collect();
            reference.extend(stars(20, &mut rng));
            other.extend(stars(20, &mut rng));
            for list in [&mut reference, &mut other] {
                list.sort_by(|a, b| b.flux.total_cmp(&a.flux));
            }
            let found = align(&reference, &other, (0.0, 0.0), 40.0).unwrap();
            assert!(found.stars >= 40 && found.stars <= 44 && (found.rms - 0.2).abs() < 0.1, "{found:?}");
            let (a, b) = (truth.apply(500.0, 400.0), found.apply(500.0, 400.0));
            places.push((a.0 - b.0) / (0.1 * (2.0 / 40f64).sqrt()));
            places.push((a.1 - b.1) / (0.1 * (2.0 / 40f64).sqrt()));
            fluxes.push((found.flux_ratio - 2.0) / (0.04 * (1.571 / 40f64).sqrt()));
        }
        assert!((places.std() - 1.0).abs() < 4.0 / 800f64.sqrt() && places.mean().abs() < 0.2, "{} {}", places.std(), places.mean());
        assert!((fluxes.std() - 1.0).abs() < 0.25 && fluxes.mean().abs() < 0.3, "{} {}", fluxes.std(), fluxes.mean());
    }

    #[test]
    fn stars_that_do_not_match_are_not_aligned() {
        let mut rng = ChaCha8Rng::seed_from_u64(13);
        let (reference, other) = (stars(30, &mut rng), stars(30, &mut rng));
        assert!(align(&reference, &reference[..2], (0.0, 0.0), 40.0).is_none());
        assert!(align(&reference, &[], (0.0, 0.0), 40.0).is_none());
        assert!(align(&reference, &other, (0.0, 0.0), 5.0).is_none());
    }
}
