//! The pixels of a sum, and where they lie in each image.
//!
//! Where the first image has fitted world coordinates the grid is their tangential projection without distortion, enlarged so that it holds all
//! images; an image with fitted coordinates is found on it by the sky. Without, the grid is that of the first image, and the others are found by their
//! alignment with it.

use ifured_pixels::astrometry::TanSip;
use ifured_pixels::resample::TanGrid;

use super::layer::Placed;

/// The grid reaches no further from the first image than this many times its size.
const REACH: f64 = 1.0;

/// The common grid.
pub struct Grid {
    /// Its first pixel (column, row), as a pixel of the first image.
    pub origin: (isize, isize),
    /// Rows and columns.
    pub shape: (usize, usize),
    /// Projection and distortion of the first image, if they are fitted.
    first: Option<TanSip>,
}

impl Grid {
    /// A grid that holds all images; those far from the first are cut.
    pub fn of(layers: &[Placed]) -> Grid {
        let mut grid = Grid { origin: (0, 0), shape: layers[0].layer.shape, first: layers[0].layer.wcs.clone() };
        let (rows, columns) = (grid.shape.0 as f64, grid.shape.1 as f64);
        let (mut low, mut high) = ((0.0_f64, 0.0_f64), (columns - 1.0, rows - 1.0));
        for placed in layers {
            for (x, y) in outline(placed.layer.shape) {
                let (u, v) = grid.of_layer(placed, x, y);
                low = (low.0.min(u), low.1.min(v));
                high = (high.0.max(u), high.1.max(v));
            }
        }
        // A hundredth of a pixel is no reason for another row.
        let origin = |v: f64, n: f64| (v + 0.01).floor().max(-REACH * n) as isize;
        let far = |v: f64, n: f64| (v - 0.01).ceil().min((1.0 + REACH) * n) as isize;
        grid.origin = (origin(low.0, columns), origin(low.1, rows));
        let (right, top) = (far(high.0, columns), far(high.1, rows));
        grid.shape = ((top - grid.origin.1 + 1) as usize, (right - grid.origin.0 + 1) as usize);
        grid
    }

    /// The place in an image of a pixel (column, row) of the grid.
    pub fn in_layer(&self, placed: &Placed, x: f64, y: f64) -> (f64, f64) {
        let (x, y) = (x + self.origin.0 as f64, y + self.origin.1 as f64);
        match (&self.first, &placed.layer.wcs) {
            (None, _) => placed.alignment.apply(x, y),
            (Some(first), Some(wcs)) => {
                let (ra, dec) = first.tan.to_sky(x, y);
                wcs.to_pixel(ra, dec)
            }
            (Some(first), None) => {
                let (ra, dec) = first.tan.to_sky(x, y);
                let (u, v) = first.to_pixel(ra, dec);
                placed.alignment.apply(u, v)
            }
        }
    }

    /// The pixel of the grid, counted from the first pixel of the first image, of a place in an image. Turns without fitted coordinates are small: the shift
    /// stands for the alignment.
    fn of_layer(&self, placed: &Placed, x: f64, y: f64) -> (f64, f64) {
        let shift = placed.alignment.shift;
        match (&self.first, &placed.layer.wcs) {
            (None, _) => (x - shift.0, y - shift.1),
            (Some(first), wcs) => {
                let (ra, dec) = match wcs {
                    Some(wcs) => wcs.to_sky(x, y),
                    None => first.to_sky(x - shift.0, y - shift.1),
                };
                first.tan.to_pixel(ra, dec)
            }
        }
    }

    /// The projection of the grid, if it is fitted.
    pub fn projection(&self) -> Option<TanSip> {
        let first = self.first.as_ref()?;
        let crpix = (first.tan.crpix.0 - self.origin.0 as f64, first.tan.crpix.1 - self.origin.1 as f64);
        Some(TanSip { tan: TanGrid { crpix, ..first.tan }, forward: None, inverse: None })
    }
}

/// Places along the edge of an image.
fn outline(shape: (usize, usize)) -> impl Iterator<Item = (f64, f64)> {
    let (h, w) = (shape.0 as f64 - 1.0, shape.1 as f64 - 1.0);
    (0..=4).flat_map(move |n| {
        let part = n as f64 / 4.0;
        [(part * w, 0.0), (part * w, h), (0.0, part * h), (w, part * h)]
    })
}
