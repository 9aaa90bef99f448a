//! The tangential projection (Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3) of a pixel grid.

/// A grid of pixels in the tangential projection, without distortion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TanGrid {
    /// Longitude and latitude of the reference point, degrees.
    pub crval: (f64, f64),
    /// Its column and row, from 1 as in FITS.
    pub crpix: (f64, f64),
    /// Matrix `CDi_j`: degrees per pixel, `[[CD1_1, CD1_2], [CD2_1, CD2_2]]`.
    pub cd: [[f64; 2]; 2],
}

impl TanGrid {
    /// North up, east to the left, square pixels of `scale` degrees.
    pub fn north_up(crval: (f64, f64), crpix: (f64, f64), scale: f64) -> Self {
        TanGrid { crval, crpix, cd: [[-scale, 0.0], [0.0, scale]] }
    }

    /// Longitude (0 to 360) and latitude in degrees of a place (column, row from 0).
    pub fn to_sky(&self, x: f64, y: f64) -> (f64, f64) {
        let (dx, dy) = (x + 1.0 - self.crpix.0, y + 1.0 - self.crpix.1);
        let xi = (self.cd[0][0] * dx + self.cd[0][1] * dy).to_radians();
        let eta = (self.cd[1][0] * dx + self.cd[1][1] * dy).to_radians();
        let (sin0, cos0) = self.crval.1.to_radians().sin_cos();
        let below = cos0 - eta * sin0;
        let longitude = self.crval.0 + xi.atan2(below).to_degrees();
        let latitude = (sin0 + eta * cos0).atan2(xi.hypot(below)).to_degrees();
        (longitude.rem_euclid(360.0), latitude)
    }

    /// Column and row (from 0) of a place on the sky in degrees; NaN for the half of the sky that does not project, or a singular
    /// matrix.
    pub fn to_pixel(&self, longitude: f64, latitude: f64) -> (f64, f64) {
        let (sin0, cos0) = self.crval.1.to_radians().sin_cos();
        let (sin, cos) = latitude.to_radians().sin_cos();
        let (sin_l, cos_l) = (longitude - self.crval.0).to_radians().sin_cos();
        let depth = sin * sin0 + cos * cos0 * cos_l;
        if depth <= 0.0 {
            return (f64::NAN, f64::NAN);
        }
        let xi = (cos * sin_l / depth).to_degrees();
        let eta = ((sin * cos0 - cos * sin0 * cos_l) / depth).to_degrees();
        let [[a, b], [c, d]] = self.cd;
        let determinant = a * d - b * c;
        if determinant == 0.0 {
            return (f64::NAN, f64::NAN);
        }
        let (dx, dy) = ((d * xi - b * eta) / determinant, (a * eta - c * xi) / determinant);
        (dx + self.crpix.0 - 1.0, dy + self.crpix.1 - 1.0)
    }

    /// Where a place of this grid (column, row from 0) lies in another one: the mapping for [`super::resample`] onto this grid.
    pub fn pixel_in(&self, source: &TanGrid, x: f64, y: f64) -> (f64, f64) {
        let (longitude, latitude) = self.to_sky(x, y);
        source.to_pixel(longitude, latitude)
    }
}
