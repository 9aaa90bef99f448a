//! Matching the stars of an image with those of a catalogue, without knowing turn, flip, exact scale or place.
//!
//! Both lists are points in one plane, brightest first: the image in its pixels, the catalogue in the pixels in which it is expected. Triangles
//! of bright stars with the same shape propose a similarity; it is accepted when so many other stars fall on one another that
//! chance does not explain it: with `n` stars tried, each of which meets a catalogue star by accident with probability `p`, the probability of `k` or
//! more is a binomial tail, and it is multiplied by the number of proposals that were tested (as Lang et al. 2010, AJ 139, 1782, section 2.3, who
//! weigh the same hypotheses by odds). Distortion must move stars by less than [`MatchOptions::tolerance`].

use super::triangles::{ShapeTable, triangles};

/// Numbers of bright stars of the image that triangles are made of, in turn until there is a match.
const ROUNDS: [usize; 3] = [12, 20, 30];
/// Catalogue stars that triangles are made of, at most.
const MOST_CATALOGUE: usize = 170;
/// Stars of the image that a proposal is tested with.
const TESTED: usize = 100;
/// Of so many of the brightest, which hold the three that proposed, some more must agree before the others are looked at.
const FIRST: usize = 30;
const FEWEST_OF_FIRST: usize = 5;
/// Cells along either axis, at most.
const MOST_CELLS: f64 = 1000.0;
/// Proposals tested in all, at most.
const MOST_PROPOSALS: usize = 400_000;

/// What is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatchOptions {
    /// The centre of the image is within so many pixels of where it is expected.
    pub search: f64,
    /// The scale may be off by this fraction.
    pub scale_error: f64,
    /// Stars within this many pixels are one.
    pub tolerance: f64,
    /// Largest probability that a match is an accident.
    pub chance: f64,
}

/// A linear map from pixels of the image to expected pixels: `x' = m[0] x + m[1] y + m[2]`, `y' = m[3] x + m[4] y + m[5]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearMap(pub [f64; 6]);

impl LinearMap {
    /// Where a place of the image is expected.
    pub fn apply(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let m = &self.0;
        (m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5])
    }

    /// The similarity (turn, scale, shift, and mirrored if asked for) nearest to three pairs.
    fn similarity(from: [(f64, f64); 3], to: [(f64, f64); 3], mirrored: bool) -> Self {
        let centre = |p: [(f64, f64); 3]| (p.iter().map(|q| q.0).sum::<f64>() / 3.0, p.iter().map(|q| q.1).sum::<f64>() / 3.0);
        let sign = if mirrored { -1.0 } else { 1.0 };
        let (f, t) = (centre(from), centre(to));
        let (mut a, mut b, mut norm) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(&to) {
            let (x, y, u, v) = (p.0 - f.0, sign * (p.1 - f.1), q.0 - t.0, q.1 - t.1);
            a += x * u + y * v;
            b += x * v - y * u;
            norm += x * x + y * y;
        }
        let (a, b) = (a / norm, b / norm);
        let m = [a, -b * sign, b, a * sign];
        LinearMap([m[0], m[1], t.0 - m[0] * f.0 - m[1] * f.1, m[2], m[3], t.1 - m[2] * f.0 - m[3] * f.1])
    }

    fn scale(&self) -> f64 {
        (self.0[0] * self.0[4] - self.0[1] * self.0[3]).abs().sqrt()
    }
}

/// A match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Image to expected pixels.
    pub map: LinearMap,
    /// Stars that agree.
    pub agreeing: usize,
    /// Probability that it is an accident.
    pub chance: f64,
}

/// Matches an image of `shape` (rows, columns) with a catalogue; `Err` has the number of proposals that were tested.
///
/// *Accuracy*: with half of the stars in either list absent from the other, any turn, mirrored or not, and the scale off by 20 %, all fields
/// are matched, and none of other stars (test, 8 of each).
pub fn match_stars(image: &[(f64, f64)], catalogue: &[(f64, f64)], shape: (usize, usize), options: &MatchOptions) -> Result<Match, usize> {
    let (rows, columns) = (shape.0 as f64, shape.1 as f64);
    let diagonal = rows.hypot(columns);
    let centre = (0.5 * (columns - 1.0), 0.5 * (rows - 1.0));
    let reach = 0.5 * diagonal * (1.0 + options.scale_error) + options.search;
    let near: Vec<(f64, f64)> = catalogue.iter().copied().filter(|p| (p.0 - centre.0).hypot(p.1 - centre.1) <= reach).collect();
    let ratio = (std::f64::consts::PI * reach * reach / (rows * columns)).max(1.0);
    let test = Test::new(image, &near, ratio, options, reach);
    let mut tested = 0;
    let mut rounds = ROUNDS.map(|n| (n.min(image.len()), ((1.5 * n as f64 * ratio) as usize).min(near.len()).min(MOST_CATALOGUE))).to_vec();
    rounds.dedup();
    for (of_image, of_catalogue) in rounds {
        let scales = (1.0 - options.scale_error, 1.0 + options.scale_error);
        let proposers = triangles(&image[..of_image], (0.08 * diagonal, diagonal));
        let range = (0.08 * diagonal * scales.0, diagonal * scales.1);
        let table = ShapeTable::new(triangles(&near[..of_catalogue], range));
        for t in &proposers {
            // Ratios are off by the error of a place over the longest side, and by the distortion across the triangle.
            let tolerance = 1.0 / t.longest + 0.002;
            for c in table.similar(t.shape, tolerance) {
                let scale = f64::from(c.longest / t.longest);
                if scale < scales.0 || scale > scales.1 {
                    continue;
                }
                let (from, to) = (t.corners.map(|i| image[i as usize]), c.corners.map(|i| near[i as usize]));
                let map = LinearMap::similarity(from, to, area(from) * area(to) < 0.0);
                let at = map.apply(centre);
                if (at.0 - centre.0).hypot(at.1 - centre.1) > options.search || map.scale() < scales.0 || map.scale() > scales.1 {
                    continue;
                }
                tested += 1;
                if let Some(found) = test.accept(map, tested) {
                    return Ok(found);
                }
                if tested >= MOST_PROPOSALS {
                    return Err(tested);
                }
            }
        }
    }
    Err(tested)
}

/// Twice the area with its sign.
fn area([a, b, c]: [(f64, f64); 3]) -> f64 {
    (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)
}

/// Points in cells, for the nearest one within a distance.
pub(super) struct Cells<'a> {
    points: &'a [(f64, f64)],
    /// Indices of the points, cell by cell, and where each cell begins.
    members: Vec<u32>,
    starts: Vec<u32>,
    corner: (f64, f64),
    side: f64,
    shape: (usize, usize),
    distance: f64,
}

impl<'a> Cells<'a> {
    pub(super) fn new(points: &'a [(f64, f64)], distance: f64) -> Self {
        let finite = || points.iter().filter(|p| p.0.is_finite() && p.1.is_finite());
        let far = (f64::INFINITY, f64::NEG_INFINITY);
        let (x, y) = finite().fold((far, far), |(x, y), p| ((x.0.min(p.0), x.1.max(p.0)), (y.0.min(p.1), y.1.max(p.1))));
        let extent = (x.1 - x.0).max(y.1 - y.0).max(0.0);
        let side = distance.max(extent / MOST_CELLS);
        let cells = |range: (f64, f64)| if range.1 >= range.0 { ((range.1 - range.0) / side) as usize + 1 } else { 0 };
        let mut found =
            Cells { points, members: Vec::new(), starts: Vec::new(), corner: (x.0, y.0), side, shape: (cells(y), cells(x)), distance };
        let mut order: Vec<(usize, u32)> = Vec::new();
        for (n, p) in points.iter().enumerate().filter(|(_, p)| p.0.is_finite() && p.1.is_finite()) {
            let (row, column) = found.cell(*p);
            order.push((row as usize * found.shape.1 + column as usize, n as u32));
        }
        order.sort_unstable();
        found.starts = vec![0; found.shape.0 * found.shape.1 + 1];
        order.iter().for_each(|(cell, _)| found.starts[cell + 1] += 1);
        for k in 1..found.starts.len() {
            found.starts[k] += found.starts[k - 1];
        }
        found.members = order.into_iter().map(|(_, n)| n).collect();
        found
    }

    fn cell(&self, at: (f64, f64)) -> (i64, i64) {
        (((at.1 - self.corner.1) / self.side).floor() as i64, ((at.0 - self.corner.0) / self.side).floor() as i64)
    }

    /// Index of the nearest point within the distance, and how far it is.
    pub(super) fn nearest(&self, at: (f64, f64)) -> Option<(usize, f64)> {
        let (row, column) = self.cell(at);
        let within = |centre: i64, n: usize| (centre - 1).max(0)..=(centre + 1).min(n as i64 - 1);
        let columns = within(column, self.shape.1);
        let mut best: Option<(usize, f64)> = None;
        for row in within(row, self.shape.0).filter(|_| !columns.is_empty()) {
            let first = row as usize * self.shape.1;
            let (start, end) = (self.starts[first + *columns.start() as usize], self.starts[first + *columns.end() as usize + 1]);
            for &n in &self.members[start as usize..end as usize] {
                let p = self.points[n as usize];
                let distance = (p.0 - at.0).hypot(p.1 - at.1);
                if distance <= self.distance && best.is_none_or(|b| distance < b.1) {
                    best = Some((n as usize, distance));
                }
            }
        }
        best
    }
}

/// The test of proposals.
struct Test<'a> {
    stars: &'a [(f64, f64)],
    cells: Cells<'a>,
    accident: f64,
    options: &'a MatchOptions,
}

impl<'a> Test<'a> {
    fn new(image: &'a [(f64, f64)], near: &'a [(f64, f64)], ratio: f64, options: &'a MatchOptions, reach: f64) -> Self {
        let stars = &image[..image.len().min(TESTED)];
        let depth = ((1.5 * stars.len() as f64 * ratio) as usize).min(near.len());
        let density = depth as f64 / (std::f64::consts::PI * reach * reach);
        let accident = (density * std::f64::consts::PI * options.tolerance.powi(2)).clamp(1e-9, 0.5);
        Test { stars, cells: Cells::new(&near[..depth], options.tolerance), accident, options }
    }

    fn accept(&self, map: LinearMap, tested: usize) -> Option<Match> {
        let mut met: Vec<usize> = Vec::with_capacity(self.stars.len());
        for (n, star) in self.stars.iter().enumerate() {
            met.extend(self.cells.nearest(map.apply(*star)).map(|(place, _)| place));
            if n + 1 == FIRST && met.len() < FEWEST_OF_FIRST {
                return None;
            }
        }
        met.sort_unstable();
        met.dedup();
        // The three that proposed it agree in any case.
        let further = met.len().checked_sub(3).filter(|n| *n > 0)?;
        let chance = tested as f64 * binomial_tail(self.stars.len() - 3, further, self.accident);
        (chance <= self.options.chance).then_some(Match { map, agreeing: met.len(), chance })
    }
}

/// Probability of `k` or more successes in `n` trials of probability `p`.
pub(super) fn binomial_tail(n: usize, k: usize, p: f64) -> f64 {
    let mut log_term = n as f64 * (1.0 - p).ln();
    let mut sum = 0.0;
    for i in 0..=n {
        if i >= k {
            sum += log_term.exp();
        }
        log_term += ((n - i) as f64 / (i + 1) as f64).ln() + (p / (1.0 - p)).ln();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const OPTIONS: MatchOptions = MatchOptions { search: 300.0, scale_error: 0.25, tolerance: 4.0, chance: 1e-6 };

    fn scatter(count: usize, low: f64, high: f64, rng: &mut ChaCha8Rng) -> Vec<(f64, f64)> {
        (0..count).map(|_| (rng.random_range(low..high), rng.random_range(low..high))).collect()
    }

    #[test]
    fn any_turn_flip_and_scale_is_matched_and_nothing_else() {
        let mut rng = ChaCha8Rng::seed_from_u64(31);
        for trial in 0..8 {
            let sky = scatter(700, -400.0, 912.0, &mut rng);
            let (angle, scale): (f64, f64) = (rng.random_range(0.0..std::f64::consts::TAU), rng.random_range(0.8..1.2));
            let flip = if trial % 2 == 0 { 1.0 } else { -1.0 };
            let shift = (rng.random_range(-150.0..150.0), rng.random_range(-150.0..150.0));
            // From the sky to the image, about the centre of the image.
            let place = |p: &(f64, f64)| {
                let (u, v) = (p.0 - 256.0 - shift.0, flip * (p.1 - 256.0 - shift.1));
                (256.0 + (angle.cos() * u - angle.sin() * v) / scale, 256.0 + (angle.sin() * u + angle.cos() * v) / scale)
            };
            let inside = |p: &(f64, f64)| p.0 > 0.0 && p.1 > 0.0 && p.0 < 512.0 && p.1 < 512.0;
            let mut image: Vec<(f64, f64)> = sky.iter().map(place).filter(inside).collect();
            // Of every two stars one is in the catalogue; of the image others are missing: stars and their order differ.
            let catalogue: Vec<(f64, f64)> = sky.iter().enumerate().filter(|(n, _)| n % 4 != 0).map(|(_, p)| *p).collect();
            for n in (0..image.len()).step_by(4) {
                image[n] = (rng.random_range(0.0..512.0), rng.random_range(0.0..512.0));
            }
            let found = match_stars(&image, &catalogue, (512, 512), &OPTIONS).unwrap_or_else(|n| panic!("trial {trial}, {n} proposals"));
            for p in sky.iter().filter(|p| inside(&place(p))) {
                let (x, y) = found.map.apply(place(p));
                assert!((x - p.0).hypot(y - p.1) < 1.0, "{found:?}");
            }
            let other = scatter(700, -400.0, 912.0, &mut rng);
            assert!(match_stars(&image, &other, (512, 512), &OPTIONS).is_err(), "trial {trial}");
        }
    }

    #[test]
    fn the_tail_of_the_binomial_distribution() {
        assert!((binomial_tail(10, 0, 0.3) - 1.0).abs() < 1e-12);
        assert!((binomial_tail(3, 2, 0.5) - 0.5).abs() < 1e-12);
        assert!((binomial_tail(100, 100, 0.01) / 1e-200 - 1.0).abs() < 1e-9);
    }
}
