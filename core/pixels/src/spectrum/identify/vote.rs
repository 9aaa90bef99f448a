//! Voting for the middle, dispersion and curvature of a spectrum, and the best cubic solutions about a vote.

use super::Matching;
use crate::fit::{Basis, Polynomial};

/// Half the width of a vote, in pixels.
pub(super) const VOTE: f64 = 4.0;
/// Candidates that are refined.
const CANDIDATES: usize = 24;
/// Starts of the refinement of each.
const KEPT: usize = 12;

/// A solution on the grid: wavelength `centre + dispersion * (t + bend * t^2)`, t in pixels from the middle.
pub(super) struct Candidate {
    votes: f64,
    centre: f64,
    dispersion: f64,
    bend: f64,
}

/// The candidates with the most votes in excess of chance, and the number of independent trials.
pub(super) fn vote(voters: &[f64], list: &[f64], matching: &Matching) -> (Vec<Candidate>, f64) {
    let half = 0.5 * matching.pixels as f64;
    let middle = half - 0.5;
    let offsets: Vec<f64> = voters.iter().map(|x| x - middle).collect();
    // The middle half of the detected lines is no longer than the list; foreign lines may be anywhere at the ends.
    let mut sorted = voters.to_vec();
    sorted.sort_by(f64::total_cmp);
    let span = sorted[sorted.len() - 1 - sorted.len() / 4] - sorted[sorted.len() / 4];
    let range = list[list.len() - 1] - list[0];
    let largest = (range / span.max(1.0)).min(4.0 * range / matching.pixels as f64);
    let smallest = largest / 60.0;
    let step = VOTE / half;
    let mut kept: Vec<Candidate> = Vec::new();
    let (mut trials, mut histogram) = (0.0, Vec::new());
    let bends: Vec<f64> = {
        // Dispersion changes by 4 * bend * half over the spectrum; the positions at its ends move by bend * half^2.
        let (most, fine) = (matching.curvature / (4.0 * half), VOTE / (half * half));
        let count = (most / fine).ceil() as i32;
        (-count..=count).map(|k| f64::from(k) * fine).collect()
    };
    let mut dispersion = smallest;
    // A list without extent has no dispersion.
    while dispersion > 0.0 && dispersion <= largest {
        let bin = VOTE * dispersion;
        let (low, high) = (list[0] - dispersion * half * 1.2, list[list.len() - 1] + dispersion * half * 1.2);
        let bins = ((high - low) / bin) as usize + 3;
        trials += 2.0 * bends.len() as f64 * bins as f64;
        for sign in [1.0, -1.0] {
            for &bend in &bends {
                histogram.clear();
                histogram.resize(bins, 0u16);
                for t in &offsets {
                    let shift = sign * dispersion * (t + bend * t * t);
                    let mut last = usize::MAX;
                    for wavelength in list {
                        let place = (wavelength - shift - low) / bin;
                        // One vote of each detected line for a bin.
                        if place >= 0.0 && (place as usize) < bins && place as usize != last {
                            last = place as usize;
                            histogram[last] += 1;
                        }
                    }
                }
                let worst = if kept.len() < CANDIDATES { 0.0 } else { kept[CANDIDATES - 1].votes };
                let mut found: Option<(f64, usize)> = None;
                for k in 1..bins {
                    let votes = f64::from(histogram[k - 1] + histogram[k]);
                    if votes <= 3.0 || votes < worst {
                        continue;
                    }
                    let votes = excess(votes, low + k as f64 * bin, sign * dispersion, half, voters.len(), list);
                    if votes > worst && found.is_none_or(|f| votes > f.0) {
                        found = Some((votes, k));
                    }
                }
                if let Some((votes, k)) = found {
                    insert(&mut kept, Candidate { votes, centre: low + k as f64 * bin, dispersion: sign * dispersion, bend });
                }
            }
        }
        dispersion *= 1.0 + step;
    }
    (kept, trials.max(1.0))
}

/// Votes beyond those that chance gives where so many listed lines are in the spectrum.
fn excess(votes: f64, centre: f64, dispersion: f64, half: f64, voters: usize, list: &[f64]) -> f64 {
    let reach = dispersion.abs() * half;
    let inside = list.partition_point(|w| *w < centre + reach) - list.partition_point(|w| *w < centre - reach);
    let expected = voters as f64 * (1.0 - (-(inside as f64) * VOTE / half).exp());
    votes.min(2.0 * inside as f64) - expected
}

/// Keeps the list sorted by votes, with one candidate for each neighbourhood.
fn insert(kept: &mut Vec<Candidate>, new: Candidate) {
    let near = |c: &Candidate| {
        (c.dispersion / new.dispersion - 1.0).abs() < 0.02 && (c.centre - new.centre).abs() < 4.0 * VOTE * new.dispersion.abs()
    };
    if let Some(k) = kept.iter().position(near) {
        if kept[k].votes >= new.votes {
            return;
        }
        kept.remove(k);
    }
    let place = kept.partition_point(|c| c.votes >= new.votes);
    kept.insert(place, new);
    kept.truncate(CANDIDATES);
}

/// The candidate with the cubic terms, and the small changes of the rest, that match most lines: the grid is too coarse for the ends of
/// a spectrum. The best few, as other combinations may by chance match as many.
pub(super) fn bent(voters: &[f64], list: &[f64], candidate: &Candidate, pixels: usize) -> Vec<Polynomial> {
    let half = 0.5 * (pixels as f64 - 1.0);
    let scale = candidate.dispersion;
    // Distance to the nearest listed line in steps of a quarter of a pixel.
    let (fine, low) = (0.25 * scale.abs(), list[0] - 20.0 * scale.abs());
    let cells = ((list[list.len() - 1] - low) / fine) as usize + 80;
    let distance: Vec<f32> = (0..cells)
        .map(|k| {
            let wavelength = low + k as f64 * fine;
            let n = list.partition_point(|w| *w < wavelength);
            let near = |n: usize| list.get(n).map_or(f64::INFINITY, |w| (w - wavelength).abs() / scale.abs());
            near(n).min(n.checked_sub(1).map_or(f64::INFINITY, near)) as f32
        })
        .collect();
    let scaled: Vec<f64> = voters.iter().map(|x| x / half - 1.0).collect();
    // The terms leave the middle of the spectrum about as it was voted: shifts of half a vote, slopes of half a percent.
    let (shifts, slopes, bends, cubics) = (-2..=2, -3..=3, -6..=6, -24..=24);
    let mut best: Vec<(f32, [f64; 4])> = Vec::new();
    for cubic in cubics.map(|k| f64::from(k) * 0.5 * VOTE * scale) {
        for bend in bends.clone().map(|k| candidate.bend * half * half * scale + f64::from(k) * VOTE * scale) {
            for slope in slopes.clone().map(|k| scale * half * (1.0 + 0.005 * f64::from(k))) {
                for shift in shifts.clone().map(|k| candidate.centre + f64::from(k) * 0.5 * VOTE * scale) {
                    let explained: f32 = scaled
                        .iter()
                        .map(|t| {
                            let place = (shift + t * (slope + t * (bend + t * cubic)) - low) / fine;
                            let distance = if place >= 0.0 { distance.get(place as usize).copied() } else { None };
                            let off = distance.map_or(1.0, |d| d / (0.5 * VOTE) as f32);
                            (1.0 - off * off).max(0.0)
                        })
                        .sum();
                    if best.len() < KEPT || explained > best[KEPT - 1].0 {
                        let place = best.partition_point(|b| b.0 >= explained);
                        best.insert(place, (explained, [shift, slope, bend, cubic]));
                        best.truncate(KEPT);
                    }
                }
            }
        }
    }
    // t^2 = (T0 + T2) / 2, t^3 = (3 T1 + T3) / 4.
    let chebyshev = |[a, b, c, d]: [f64; 4]| vec![a + 0.5 * c, b + 0.75 * d, 0.5 * c, 0.25 * d];
    best.into_iter()
        .map(|(_, terms)| Polynomial { basis: Basis::Chebyshev, interval: (0.0, 2.0 * half), coefficients: chebyshev(terms) })
        .collect()
}
