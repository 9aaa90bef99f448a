//! Triangles of points and their shapes: the asterisms that images and catalogues are compared by.
//!
//! The shape is the shortest and the middle side divided by the longest: it does not change when the points are moved, turned, scaled or
//! mirrored (Valdes et al. 1995, PASP 107, 1119, section 2).

/// Cells of the table of shapes along either ratio.
const CELLS: usize = 100;
/// Triangles whose two sides are more equal than this do not say which corner is which.
const DISTINCT: f64 = 0.97;
/// Triangles flatter or more pointed than this have no stable shape: least shortest side divided by longest.
const LEAST_SIDE: f64 = 0.1;

/// Three points, by index: opposite the longest, the middle, the shortest side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Triangle {
    /// The corners.
    pub corners: [u32; 3],
    /// Shortest and middle side divided by the longest.
    pub shape: [f32; 2],
    /// Longest side in pixels.
    pub longest: f32,
}

fn triangle(points: &[(f64, f64)], corners: [usize; 3]) -> Option<Triangle> {
    let [a, b, c] = corners;
    let side = |i: usize, j: usize| (points[i].0 - points[j].0).hypot(points[i].1 - points[j].1);
    let mut sides = [(side(b, c), a), (side(a, c), b), (side(a, b), c)];
    sides.sort_by(|p, q| q.0.total_cmp(&p.0));
    let [long, middle, short] = sides;
    if short.0 < LEAST_SIDE * long.0 || middle.0 > DISTINCT * long.0 || short.0 > DISTINCT * middle.0 {
        return None;
    }
    let corners = [long.1 as u32, middle.1 as u32, short.1 as u32];
    Some(Triangle { corners, shape: [(short.0 / long.0) as f32, (middle.0 / long.0) as f32], longest: long.0 as f32 })
}

/// All usable triangles of the points whose longest side is within a range.
pub(super) fn triangles(points: &[(f64, f64)], longest: (f64, f64)) -> Vec<Triangle> {
    let mut found = Vec::new();
    let far = |i: usize, j: usize| (points[i].0 - points[j].0).hypot(points[i].1 - points[j].1) > longest.1;
    for c in 2..points.len() {
        for b in 1..c {
            if far(b, c) {
                continue;
            }
            let with = (0..b).filter(|&a| !far(a, b) && !far(a, c)).filter_map(|a| triangle(points, [a, b, c]));
            found.extend(with.filter(|t| f64::from(t.longest) >= longest.0));
        }
    }
    found
}

/// Triangles by shape.
pub(super) struct ShapeTable {
    triangles: Vec<Triangle>,
    starts: Vec<u32>,
}

fn cell(shape: [f32; 2]) -> (usize, usize) {
    let of = |v: f32| ((v * CELLS as f32) as usize).min(CELLS - 1);
    (of(shape[0]), of(shape[1]))
}

impl ShapeTable {
    pub(super) fn new(mut triangles: Vec<Triangle>) -> Self {
        let key = |t: &Triangle| {
            let (a, b) = cell(t.shape);
            a * CELLS + b
        };
        triangles.sort_by_key(key);
        let mut starts = vec![0u32; CELLS * CELLS + 1];
        triangles.iter().for_each(|t| starts[key(t) + 1] += 1);
        for k in 1..starts.len() {
            starts[k] += starts[k - 1];
        }
        ShapeTable { triangles, starts }
    }

    /// Triangles whose ratios differ by at most `tolerance`, which is at most the width of a cell.
    pub(super) fn similar(&self, shape: [f32; 2], tolerance: f32) -> impl Iterator<Item = &Triangle> {
        let (a, b) = cell(shape);
        let tolerance = tolerance.min(1.0 / CELLS as f32);
        let rows = a.saturating_sub(1)..=(a + 1).min(CELLS - 1);
        rows.flat_map(move |row| {
            let (first, last) = (row * CELLS + b.saturating_sub(1), row * CELLS + (b + 1).min(CELLS - 1));
            &self.triangles[self.starts[first] as usize..self.starts[last + 1] as usize]
        })
        .filter(move |t| (t.shape[0] - shape[0]).abs() <= tolerance && (t.shape[1] - shape[1]).abs() <= tolerance)
    }
}
