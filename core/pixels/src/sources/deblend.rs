//! Objects that touch are parted at the saddles between their peaks.
//!
//! Pixels are visited from the brightest of the smoothed frame down: one without a brighter neighbour begins a peak, others join the peak of
//! their brightest neighbour; where two peaks meet, the lower one is given up unless it rises above the meeting point by more than the noise allows (a watershed
//! of topographic persistence; Edelsbrunner, Letscher & Zomorodian 2002, Discrete Comput. Geom. 28, 511).

use std::collections::HashMap;

use ndarray::ArrayView2;

/// Least rise of a peak above the saddle as a fraction of the brighter peak: less is a bump in its wings.
const LEAST_CONTRAST: f32 = 0.005;

/// Parts connected pixels (row, column) by the peaks of `smooth`; a peak must rise by `rise(pixel)` above the saddle to a brighter one.
/// The parts hold all pixels, that of the brightest peak first.
pub(super) fn part(members: &[(usize, usize)], smooth: ArrayView2<f32>, rise: impl Fn((usize, usize)) -> f32) -> Vec<Vec<(usize, usize)>> {
    let mut order = members.to_vec();
    order.sort_by(|a, b| smooth[*b].total_cmp(&smooth[*a]).then(a.cmp(b)));
    let mut peaks: Vec<(usize, usize)> = Vec::new();
    let mut master: Vec<usize> = Vec::new();
    let mut label: HashMap<(usize, usize), usize> = HashMap::with_capacity(order.len());
    for &(y, x) in &order {
        let mut around: Vec<usize> = Vec::new();
        let mut brightest: Option<(f32, usize)> = None;
        for v in y.saturating_sub(1)..=y + 1 {
            for u in x.saturating_sub(1)..=x + 1 {
                let Some(&found) = label.get(&(v, u)) else { continue };
                let root = root(&master, found);
                if !around.contains(&root) {
                    around.push(root);
                }
                if brightest.is_none_or(|b| smooth[[v, u]] > b.0) {
                    brightest = Some((smooth[[v, u]], root));
                }
            }
        }
        let Some((_, mut own)) = brightest else {
            label.insert((y, x), peaks.len());
            master.push(peaks.len());
            peaks.push((y, x));
            continue;
        };
        // The oldest peak is the brightest.
        let first = around.iter().copied().min().unwrap_or(own);
        for other in around.into_iter().filter(|o| *o != first) {
            let above = smooth[peaks[other]] - smooth[[y, x]];
            if above <= rise(peaks[other]).max(LEAST_CONTRAST * smooth[peaks[first]]) {
                master[other] = first;
                if own == other {
                    own = first;
                }
            }
        }
        label.insert((y, x), own);
    }
    let mut parts: Vec<Vec<(usize, usize)>> = vec![Vec::new(); peaks.len()];
    for p in members {
        parts[root(&master, label[p])].push(*p);
    }
    parts.retain(|p| !p.is_empty());
    parts
}

fn root(master: &[usize], mut label: usize) -> usize {
    while master[label] != label {
        label = master[label];
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn scene(stars: &[(f64, f64, f64)]) -> (Array2<f32>, Vec<(usize, usize)>) {
        let smooth = Array2::from_shape_fn((30, 40), |(y, x)| {
            stars.iter().map(|(a, b, f)| f * (-0.5 * ((x as f64 - a).powi(2) + (y as f64 - b).powi(2)) / 3.2).exp()).sum::<f64>() as f32
        });
        let members = smooth.indexed_iter().filter(|(_, v)| **v > 1.0).map(|(p, _)| p).collect();
        (smooth, members)
    }

    #[test]
    fn two_stars_are_parted_and_noise_is_not() {
        let (smooth, members) = scene(&[(15.0, 15.0, 1000.0), (21.0, 16.0, 300.0)]);
        let parts = part(&members, smooth.view(), |_| 5.0);
        assert_eq!(parts.len(), 2);
        assert!(parts[0].contains(&(15, 15)) && parts[1].contains(&(16, 21)));
        assert_eq!(parts[0].len() + parts[1].len(), members.len());
        assert_eq!(part(&members, smooth.view(), |_| 500.0).len(), 1);
        let (smooth, members) = scene(&[(15.0, 15.0, 1000.0)]);
        assert_eq!(part(&members, smooth.view(), |_| 0.0).len(), 1);
    }
}
