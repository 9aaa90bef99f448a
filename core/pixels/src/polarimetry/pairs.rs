//! The two images of each source of a field behind a Wollaston prism.
//!
//! The prism shifts all extraordinary images by one vector. Among the differences of all positions that vector is the most frequent one between
//! sources of about equal flux; other differences scatter. Assumed is that the fluxes are those of a sum over all angles, in which the polarisation of the
//! sources has averaged out.

use crate::statistics::median;

/// Sources, the brightest first, that the vector is sought with.
const BRIGHTEST: usize = 150;
/// Differences within so many pixels are one vector.
const SAME: f64 = 1.5;
/// Largest logarithm of the ratio of the fluxes of two images of one source.
const FLUX_RATIO: f64 = 0.5;

/// From the ordinary to the extraordinary image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Separation {
    /// Columns and rows.
    pub vector: (f64, f64),
    /// Pairs that agree on it.
    pub pairs: usize,
    /// Root mean square of their distances from it, in pixels and along one axis.
    pub scatter: f64,
}

/// Finds the vector between the images of a field. Sources are (column, row, flux). The length lies within `range`; the vector is given in the sense in which its larger
/// component is positive: which of the two images is the ordinary one cannot be seen. `None` without two sources of similar flux at such a distance.
///
/// *Accuracy*: with positions good to 0.1 pixel the vector is right within `0.1 sqrt(2 / pairs)` per axis, also where a third of the images is lost (test).
pub fn find_separation(sources: &[(f64, f64, f64)], range: (f64, f64)) -> Option<Separation> {
    let mut order: Vec<usize> = (0..sources.len()).filter(|&n| sources[n].2 > 0.0).collect();
    order.sort_by(|&a, &b| sources[b].2.total_cmp(&sources[a].2));
    order.truncate(BRIGHTEST);
    // Vector, and the flux of the fainter image.
    let mut found: Vec<(f64, f64, f64)> = Vec::new();
    for (n, &a) in order.iter().enumerate() {
        for &b in &order[n + 1..] {
            let (first, second) = (sources[a], sources[b]);
            let vector = positive((second.0 - first.0, second.1 - first.1));
            let length = vector.0.hypot(vector.1);
            if length >= range.0 && length <= range.1 && (first.2 / second.2).ln().abs() <= FLUX_RATIO {
                found.push((vector.0, vector.1, second.2));
            }
        }
    }
    let agreeing = |centre: (f64, f64)| found.iter().filter(move |v| (v.0 - centre.0).hypot(v.1 - centre.1) <= SAME);
    // Of equal numbers the brighter pairs.
    let weight = |v: &(f64, f64, f64)| agreeing((v.0, v.1)).fold((0, 0.0), |(n, flux), other| (n + 1, flux + other.2));
    let best = found.iter().map(|v| (weight(v), v)).max_by(|a, b| a.0.0.cmp(&b.0.0).then(a.0.1.total_cmp(&b.0.1)))?.1;
    let mut vector = (best.0, best.1);
    for _ in 0..3 {
        let middle = |part: fn(&(f64, f64, f64)) -> f64| median(&agreeing(vector).map(|v| part(v) as f32).collect::<Vec<_>>());
        vector = (middle(|v| v.0), middle(|v| v.1));
    }
    let squares: Vec<f64> = agreeing(vector).map(|v| (v.0 - vector.0).powi(2) + (v.1 - vector.1).powi(2)).collect();
    Some(Separation { vector, pairs: squares.len(), scatter: (0.5 * squares.iter().sum::<f64>() / squares.len() as f64).sqrt() })
}

/// The vector or its opposite, the larger component positive.
fn positive((dx, dy): (f64, f64)) -> (f64, f64) {
    let larger = if dx.abs() > dy.abs() { dx } else { dy };
    if larger < 0.0 { (-dx, -dy) } else { (dx, dy) }
}

/// Indices of the ordinary and the extraordinary image of each source, the brightest first. The images lie within `tolerance` pixels of the vector and
/// differ by less than a factor of 2; each image belongs to one source at most.
pub fn pair_images(sources: &[(f64, f64, f64)], vector: (f64, f64), tolerance: f64) -> Vec<(usize, usize)> {
    let mut candidates = Vec::new();
    for (o, a) in sources.iter().enumerate() {
        for (e, b) in sources.iter().enumerate() {
            let distance = (b.0 - a.0 - vector.0).hypot(b.1 - a.1 - vector.1);
            if o != e && distance <= tolerance && a.2 > 0.5 * b.2 && b.2 > 0.5 * a.2 {
                candidates.push((o, e, a.2 + b.2));
            }
        }
    }
    candidates.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
    let mut taken = vec![false; sources.len()];
    let mut pairs = Vec::new();
    for (o, e, _) in candidates {
        if !taken[o] && !taken[e] {
            (taken[o], taken[e]) = (true, true);
            pairs.push((o, e));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    type Images = Vec<(f64, f64, f64)>;

    /// Images of stars, each lost with a probability; the true partner of each image.
    fn field(stars: usize, vector: (f64, f64), lost: f64, rng: &mut ChaCha8Rng) -> (Images, Vec<Option<usize>>) {
        let (mut images, mut partners) = (Vec::new(), Vec::new());
        for _ in 0..stars {
            let (x, y, flux) = (rng.random_range(0.0..500.0), rng.random_range(0.0..500.0), 10f64.powf(rng.random_range(3.0..5.0)));
            let mut seen = Vec::new();
            for shift in [(0.0, 0.0), vector] {
                let mut noise = || 0.1 * Distribution::<f64>::sample(&StandardNormal, rng);
                let place = (x + shift.0 + noise(), y + shift.1 + noise(), flux * (1.0 + 0.3 * noise()));
                if rng.random_range(0.0..1.0) >= lost {
                    seen.push(images.len());
                    images.push(place);
                }
            }
            partners.extend(match seen[..] {
                [o, e] => vec![Some(e), Some(o)],
                _ => vec![None; seen.len()],
            });
        }
        (images, partners)
    }

    #[test]
    fn the_vector_is_found_and_the_images_are_paired() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for vector in [(1.7, 35.4), (40.0, -3.0), (22.0, 23.0)] {
            for stars in [4, 15, 60] {
                let (images, partners) = field(stars, vector, if stars > 4 { 0.3 } else { 0.0 }, &mut rng);
                let found = find_separation(&images, (8.0, 120.0)).unwrap();
                let whole = partners.iter().flatten().count() / 2;
                let error = 5.0 * 0.1 * (2.0 / whole as f64).sqrt() + 0.03;
                assert!((found.vector.0 - vector.0).hypot(found.vector.1 - vector.1) < error, "{stars} {vector:?} {found:?}");
                assert!(found.scatter < 0.5, "{found:?}");
                let pairs = pair_images(&images, found.vector, 1.5);
                let right = pairs.iter().filter(|(o, e)| partners[*o] == Some(*e)).count();
                assert!(right as f64 >= 0.95 * whole as f64 && pairs.len() <= right + 2, "{right} of {whole}, {} in all", pairs.len());
            }
        }
    }

    #[test]
    fn without_pairs_there_is_none() {
        assert_eq!(find_separation(&[], (8.0, 120.0)), None);
        assert_eq!(find_separation(&[(10.0, 10.0, 5.0)], (8.0, 120.0)), None);
        // Too near, too far, and not alike.
        assert_eq!(find_separation(&[(10.0, 10.0, 5.0), (12.0, 10.0, 5.0), (300.0, 300.0, 5.0), (11.0, 40.0, 50.0)], (8.0, 120.0)), None);
        assert!(pair_images(&[(10.0, 10.0, 5.0), (10.0, 45.0, 50.0)], (0.0, 35.0), 1.5).is_empty());
    }

    #[test]
    fn one_bright_star_is_enough() {
        let found = find_separation(&[(100.0, 135.0, 1e5), (100.5, 100.0, 1.02e5), (50.0, 60.0, 300.0)], (8.0, 120.0)).unwrap();
        assert_eq!((found.pairs, found.vector.1), (1, 35.0));
    }
}
