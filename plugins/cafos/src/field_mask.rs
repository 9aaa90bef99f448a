//! The illuminated field, from a flat.
//!
//! CAFOS shows a circular field of 16 arcmin on a square chip. The edge of the field is where the flat falls to half of its level;
//! it falls like a logistic function of the distance, `1 / (1 + exp(-d / s))`, whose scale `s` is measured from the gradient
//! of `ln(f / (1 - f))` at the edge. Light is lost to less than a fraction `e` at distances above `s ln(1/e - 1)` inside the edge,
//! whatever the shape of the field. The flat is binned by block medians first: pixel defects and dust do not matter, and no
//! filter runs over the whole frame, so that corners are treated like the rest.

use ifured_pixels::statistics::{BlockMedians, median, percentile};
use ndarray::{Array2, ArrayView2};

/// Blocks across the short side of the frame, about.
const BLOCKS: usize = 160;
const LARGEST_BLOCK: usize = 8;
/// Regions below half of the level that are smaller than this fraction of the frame are defects inside the field.
const SMALLEST_SHADOW: f64 = 0.002;

/// Bins a flat by the medians of blocks, fine enough for the edge of the field.
pub fn blocks_of(flat: ArrayView2<f32>) -> BlockMedians {
    let (rows, columns) = flat.dim();
    BlockMedians::of(flat, (rows.min(columns) / BLOCKS).clamp(2, LARGEST_BLOCK))
}

/// The level of the lit part.
pub fn lit_level(blocks: &BlockMedians) -> f64 {
    let all: Vec<f32> = blocks.medians.iter().copied().collect();
    let bright = 0.5 * percentile(&all, 90.0);
    median(&all.into_iter().filter(|v| f64::from(*v) > bright).collect::<Vec<_>>())
}

/// The mask: 1 where the field is fully lit, 0 elsewhere.
pub fn field_mask(shape: (usize, usize), blocks: &BlockMedians, edge_loss: f64) -> Array2<u8> {
    let level = lit_level(blocks) as f32;
    let fraction = blocks.medians.mapv(|v| v / level);
    let shadow = shadows(&fraction);
    let edge = edge_points(blocks, &fraction, &shadow);
    if edge.is_empty() {
        let lit = u8::from(!shadow.iter().all(|s| *s));
        return Array2::from_elem(shape, lit);
    }
    let margin = (edge_scale(blocks, &fraction, &shadow) * (1.0 / edge_loss - 1.0).ln()) as f32;
    let edge = beyond_the_frame(edge, shape, blocks.size as f32, margin);
    let mut mask = Array2::zeros(shape);
    for (y, mut row) in mask.rows_mut().into_iter().enumerate() {
        let row = row.as_slice_mut().unwrap_or_default();
        row.chunks_mut(blocks.size).zip(shadow.row(y / blocks.size)).for_each(|(block, shadow)| block.fill(u8::from(!shadow)));
    }
    let within = |centre: f32, end: usize| {
        let limit = |v: f32| (v.max(0.0) as usize).min(end);
        limit((centre - margin).floor())..limit((centre + margin).ceil() + 1.0)
    };
    for point in edge {
        for y in within(point.1, shape.0) {
            for x in within(point.0, shape.1) {
                let clear = distance2(point, x as f32, y as f32) > margin * margin;
                mask[[y, x]] &= u8::from(clear);
            }
        }
    }
    mask
}

fn distance2((px, py): (f32, f32), x: f32, y: f32) -> f32 {
    (px - x).powi(2) + (py - y).powi(2)
}

/// Blocks below half of the level that belong to a region large enough to be a shadow.
fn shadows(fraction: &Array2<f32>) -> Array2<bool> {
    let (rows, columns) = fraction.dim();
    let smallest = (SMALLEST_SHADOW * (rows * columns) as f64).max(4.0) as usize;
    let mut shadow = Array2::from_elem((rows, columns), false);
    let mut seen = Array2::from_elem((rows, columns), false);
    let dark = |j: usize, i: usize| fraction[[j, i]].is_nan() || fraction[[j, i]] < 0.5;
    for start in (0..rows * columns).map(|n| (n / columns, n % columns)) {
        if seen[start] || !dark(start.0, start.1) {
            continue;
        }
        let mut region = vec![start];
        seen[start] = true;
        let mut next = 0;
        while next < region.len() {
            let (j, i) = region[next];
            next += 1;
            for (y, x) in neighbours(j, i, rows, columns) {
                if !seen[[y, x]] && dark(y, x) {
                    seen[[y, x]] = true;
                    region.push((y, x));
                }
            }
        }
        if region.len() >= smallest {
            region.iter().for_each(|at| shadow[*at] = true);
        }
    }
    shadow
}

fn neighbours(j: usize, i: usize, rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let candidates = [(j.wrapping_sub(1), i), (j + 1, i), (j, i.wrapping_sub(1)), (j, i + 1)];
    candidates.into_iter().filter(move |(y, x)| *y < rows && *x < columns)
}

/// Points (column, row) where the flat crosses half of its level, between neighbouring blocks.
fn edge_points(blocks: &BlockMedians, fraction: &Array2<f32>, shadow: &Array2<bool>) -> Vec<(f32, f32)> {
    let (rows, columns) = fraction.dim();
    let mut points = Vec::new();
    for ((j, i), dark) in shadow.indexed_iter() {
        for (y, x) in [(j + 1, i), (j, i + 1)] {
            if y >= rows || x >= columns || shadow[[y, x]] == *dark {
                continue;
            }
            let (a, b) = (fraction[[j, i]], fraction[[y, x]]);
            let (from, to) = (blocks.centre(j, i), blocks.centre(y, x));
            let part = ((0.5 - a) / (b - a)).clamp(0.0, 1.0);
            let part = if part.is_nan() { 0.5 } else { part };
            points.push((from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1)));
        }
    }
    points
}

/// The edge with its continuation outside the frame, as far as it matters: where the edge leaves the frame it goes on straight.
fn beyond_the_frame(edge: Vec<(f32, f32)>, shape: (usize, usize), block: f32, margin: f32) -> Vec<(f32, f32)> {
    let (right, top) = (shape.1 as f32 - 1.0 - block, shape.0 as f32 - 1.0 - block);
    let at_border = |p: &&(f32, f32)| p.0 < block || p.1 < block || p.0 > right || p.1 > top;
    let mut all = edge.clone();
    for &(px, py) in edge.iter().filter(at_border) {
        let behind: Vec<_> = edge.iter().filter(|q| (2.0..8.0).contains(&(distance2(**q, px, py).sqrt() / block))).collect();
        let n = behind.len() as f32;
        let (qx, qy) = (behind.iter().map(|q| q.0).sum::<f32>() / n, behind.iter().map(|q| q.1).sum::<f32>() / n);
        let length = (px - qx).hypot(py - qy);
        if length > block {
            let steps = (2.0 * margin / block).ceil() as usize;
            let place = |k: usize| k as f32 * block / length;
            all.extend((1..=steps).map(|k| (px + place(k) * (px - qx), py + place(k) * (py - qy))));
        }
    }
    all
}

/// Scale of the logistic edge in pixels: the inverse of the gradient of `ln(f / (1 - f))` in blocks on the edge.
fn edge_scale(blocks: &BlockMedians, fraction: &Array2<f32>, shadow: &Array2<bool>) -> f64 {
    let (rows, columns) = fraction.dim();
    let logit = |j: usize, i: usize| {
        let f = fraction[[j, i]].clamp(0.005, 0.97);
        (f / (1.0 - f)).ln()
    };
    let mut scales = Vec::new();
    for j in 1..rows.saturating_sub(2) {
        for i in 1..columns.saturating_sub(2) {
            let f = fraction[[j, i]];
            let at_edge = neighbours(j, i, rows, columns).any(|at| shadow[at] != shadow[[j, i]]);
            if !at_edge || !(0.15..0.85).contains(&f) {
                continue;
            }
            let gx = (logit(j, i + 1) - logit(j, i - 1)) / 2.0;
            let gy = (logit(j + 1, i) - logit(j - 1, i)) / 2.0;
            scales.push(blocks.size as f32 / gx.hypot(gy));
        }
    }
    let scale = median(&scales);
    // An edge sharper than a block leaves no block half lit.
    if scale.is_finite() { scale.max(0.25) } else { 0.25 * blocks.size as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vignetted(n: usize, radius: f32, scale: f32) -> Array2<f32> {
        let centre = (n as f32 - 1.0) / 2.0;
        Array2::from_shape_fn((n, n), |(y, x)| {
            let d = radius - (x as f32 - centre).hypot(y as f32 - centre);
            let slope = 1.0 + 0.05 * (x as f32 / n as f32 - 0.5);
            20_000.0 * slope / (1.0 + (-d / scale).exp())
        })
    }

    #[test]
    fn a_circle_is_found_with_its_edge() {
        for (n, radius, scale) in [(256, 140.0, 0.8), (512, 281.0, 1.5), (1000, 480.0, 4.0)] {
            let flat = vignetted(n, radius, scale);
            let mask = field_mask((n, n), &blocks_of(flat.view()), 0.002);
            let centre = (n as f32 - 1.0) / 2.0;
            let lit = radius - scale * (1.0_f32 / 0.002 - 1.0).ln();
            let (mut lost, mut beyond, mut inside) = (0, 0, 0);
            for ((y, x), m) in mask.indexed_iter() {
                let r = (x as f32 - centre).hypot(y as f32 - centre);
                inside += usize::from(r < lit);
                lost += usize::from(r < lit && *m == 0);
                beyond += usize::from(r > lit + 1.0 && *m == 1);
            }
            assert!(lost as f64 <= 0.012 * inside as f64 && beyond <= n / 4, "{n}: lost {lost} of {inside}, beyond {beyond}");
        }
    }

    #[test]
    fn an_evenly_lit_frame_is_all_field_to_the_corners() {
        let mut flat = Array2::from_elem((300, 200), 100.0_f32);
        flat[[10, 10]] = 0.0;
        flat.column_mut(70).fill(30.0);
        assert!(field_mask((300, 200), &blocks_of(flat.view()), 0.002).iter().all(|m| *m == 1));
    }
}
