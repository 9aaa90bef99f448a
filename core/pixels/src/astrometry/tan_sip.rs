//! The tangential projection with a polynomial distortion: `TAN-SIP`.
//!
//! With `u = X - CRPIX1`, `v = Y - CRPIX2` the undistorted place is `u + sum A_p_q u^p v^q`, `v + sum B_p_q u^p v^q`, which the matrix `CD`
//! and the tangential projection take to the sky; `AP`, `BP` are an approximate inverse for readers that want one (Shupe et al. 2005,
//! ADASS XIV, ASP Conf. Ser. 347, 491). Without distortion it is a plain `TAN`.

use ifured_core::Header;

use crate::resample::TanGrid;

/// Steps of the inversion; each gains as many digits as the distortion is small.
const MOST_STEPS: usize = 50;
/// The inversion is good to so many pixels.
const SAME_PIXEL: f64 = 1e-9;

/// Polynomial in two variables: its exponents are those of [`exponents`], coefficients in the same order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distortion {
    /// Largest sum of the exponents.
    pub order: usize,
    /// Coefficients of the correction along the columns (`A` or `AP`), in pixels.
    pub along_columns: Vec<f64>,
    /// Coefficients of the correction along the rows (`B` or `BP`), in pixels.
    pub along_rows: Vec<f64>,
}

/// World coordinates of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct TanSip {
    /// The projection and its linear part.
    pub tan: TanGrid,
    /// From pixels to undistorted pixels: exponents from 2 on. `None` without distortion.
    pub forward: Option<Distortion>,
    /// The approximate inverse: exponents from 1 on.
    pub inverse: Option<Distortion>,
}

/// All pairs of exponents whose sum is from `lowest` to `highest`, by sum.
pub fn exponents(lowest: usize, highest: usize) -> impl Iterator<Item = (usize, usize)> {
    (lowest..=highest).flat_map(|sum| (0..=sum).map(move |q| (sum - q, q)))
}

impl Distortion {
    /// The correction at `u`, `v` of a polynomial whose lowest sum of exponents is `lowest`.
    fn at(&self, u: f64, v: f64, lowest: usize) -> (f64, f64) {
        let mut sum = (0.0, 0.0);
        for (n, (p, q)) in exponents(lowest, self.order).enumerate() {
            let term = u.powi(p as i32) * v.powi(q as i32);
            sum.0 += self.along_columns[n] * term;
            sum.1 += self.along_rows[n] * term;
        }
        sum
    }

    fn write(&self, header: &mut Header, names: [&str; 2], lowest: usize) {
        for (name, values) in names.into_iter().zip([&self.along_columns, &self.along_rows]) {
            header.set(&format!("{name}_ORDER"), self.order, "order of the distortion");
            for ((p, q), value) in exponents(lowest, self.order).zip(values) {
                header.set(&format!("{name}_{p}_{q}"), *value, "");
            }
        }
    }

    fn read(header: &Header, names: [&str; 2], lowest: usize) -> Option<Self> {
        let order = |name: &str| header.integer(&format!("{name}_ORDER")).ok().filter(|n| (0..=9).contains(n)).map(|n| n as usize);
        let order = order(names[0])?.max(order(names[1])?);
        let read = |name: &str| exponents(lowest, order).map(|(p, q)| header.real(&format!("{name}_{p}_{q}")).unwrap_or(0.0)).collect();
        Some(Distortion { order, along_columns: read(names[0]), along_rows: read(names[1]) })
    }
}

impl TanSip {
    /// Longitude and latitude in degrees of a place (column, row from 0).
    pub fn to_sky(&self, x: f64, y: f64) -> (f64, f64) {
        let (dx, dy) = self.correction(x, y);
        self.tan.to_sky(x + dx, y + dy)
    }

    /// Column and row (from 0) of a place on the sky in degrees, by inversion of the distortion (not by `AP`, `BP`); NaN where there is none.
    pub fn to_pixel(&self, longitude: f64, latitude: f64) -> (f64, f64) {
        let goal = self.tan.to_pixel(longitude, latitude);
        let (mut x, mut y) = goal;
        for _ in 0..MOST_STEPS {
            let (dx, dy) = self.correction(x, y);
            let next = (goal.0 - dx, goal.1 - dy);
            let step = (next.0 - x).hypot(next.1 - y);
            (x, y) = next;
            if step < SAME_PIXEL {
                return (x, y);
            }
        }
        (f64::NAN, f64::NAN)
    }

    fn correction(&self, x: f64, y: f64) -> (f64, f64) {
        let at = |d: &Distortion| d.at(x + 1.0 - self.tan.crpix.0, y + 1.0 - self.tan.crpix.1, 2);
        self.forward.as_ref().map_or((0.0, 0.0), at)
    }

    /// Length of a pixel in arcseconds: the square root of its area.
    pub fn scale_arcsec(&self) -> f64 {
        let [[a, b], [c, d]] = self.tan.cd;
        3600.0 * (a * d - b * c).abs().sqrt()
    }

    /// Writes the keywords (positions are ICRS) and removes those of another celestial system.
    pub fn write(&self, header: &mut Header) {
        let old = ["CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT", "CROTA"];
        let polynomials = ["A_", "B_", "AP_", "BP_", "PV1_", "PV2_", "PC1_", "PC2_", "CD1_", "CD2_"];
        header.retain(|card| {
            let key = card.keyword.as_str();
            let axis = old.iter().any(|p| key.strip_prefix(p).is_some_and(|n| n == "1" || n == "2"));
            let term = |rest: &str| rest == "ORDER" || rest == "DMAX" || rest.starts_with(|c: char| c.is_ascii_digit());
            !axis && !polynomials.iter().any(|p| key.strip_prefix(p).is_some_and(term))
        });
        let suffix = if self.forward.is_some() { "-SIP" } else { "" };
        header.set("CTYPE1", format!("RA---TAN{suffix}"), "tangential projection");
        header.set("CTYPE2", format!("DEC--TAN{suffix}"), "tangential projection");
        header.set("CUNIT1", "deg", "");
        header.set("CUNIT2", "deg", "");
        header.set("CRVAL1", self.tan.crval.0, "[deg] right ascension of the reference pixel");
        header.set("CRVAL2", self.tan.crval.1, "[deg] declination of the reference pixel");
        header.set("CRPIX1", self.tan.crpix.0, "reference pixel");
        header.set("CRPIX2", self.tan.crpix.1, "reference pixel");
        for (i, row) in self.tan.cd.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                header.set(&format!("CD{}_{}", i + 1, j + 1), *value, "");
            }
        }
        if let Some(forward) = &self.forward {
            forward.write(header, ["A", "B"], 2);
        }
        if let Some(inverse) = &self.inverse {
            inverse.write(header, ["AP", "BP"], 1);
        }
        header.retain(|card| !matches!(card.keyword.as_str(), "RADECSYS" | "EQUINOX"));
        header.set("RADESYS", "ICRS", "");
    }

    /// From the keywords of a product: `TAN` or `TAN-SIP` with a matrix `CD`; `None` for anything else.
    pub fn of_header(header: &Header) -> Option<Self> {
        let number = |key: &str| header.real(key).ok();
        let kind = header.text("CTYPE1").ok()?.trim().to_owned();
        if kind != "RA---TAN" && kind != "RA---TAN-SIP" {
            return None;
        }
        let tan = TanGrid {
            crval: (number("CRVAL1")?, number("CRVAL2")?),
            crpix: (number("CRPIX1")?, number("CRPIX2")?),
            cd: [[number("CD1_1")?, number("CD1_2")?], [number("CD2_1")?, number("CD2_2")?]],
        };
        let forward = kind.ends_with("SIP").then(|| Distortion::read(header, ["A", "B"], 2)).flatten();
        let inverse = forward.is_some().then(|| Distortion::read(header, ["AP", "BP"], 1)).flatten();
        Some(TanSip { tan, forward, inverse })
    }

    /// Place by the approximate inverse, as a reader that uses `AP` and `BP` finds it.
    pub fn to_pixel_by_inverse(&self, longitude: f64, latitude: f64) -> (f64, f64) {
        let (x, y) = self.tan.to_pixel(longitude, latitude);
        let (u, v) = (x + 1.0 - self.tan.crpix.0, y + 1.0 - self.tan.crpix.1);
        let (dx, dy) = self.inverse.as_ref().map_or((0.0, 0.0), |d| d.at(u, v, 1));
        (x + dx, y + dy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distorted() -> TanSip {
        let tan = TanGrid { crval: (150.0, 40.0), crpix: (825.5, 820.0), cd: [[-1.4e-4, 2e-6], [2e-6, 1.4e-4]] };
        let forward = Distortion {
            order: 3,
            along_columns: vec![1e-6, -2e-6, 3e-7, 4e-9, 0.0, 4e-9, 1e-10],
            along_rows: vec![0.0, 1e-6, 2e-6, 0.0, 4e-9, 0.0, 4e-9],
        };
        TanSip { tan, forward: Some(forward), inverse: None }
    }

    #[test]
    fn sky_and_pixel_are_inverse_and_the_header_keeps_them() {
        let wcs = distorted();
        let mut header = Header::new();
        header.set("PV2_1", 1.0, "");
        header.set("A_NOTE", "kept", "");
        wcs.write(&mut header);
        let read = TanSip::of_header(&header).unwrap();
        assert_eq!(read.tan, wcs.tan);
        assert!(header.real("PV2_1").is_err() && header.text("A_NOTE").is_ok());
        for (x, y) in [(0.0, 0.0), (1649.0, 3.5), (800.0, 1649.0)] {
            let (ra, dec) = read.to_sky(x, y);
            let (a, b) = wcs.to_pixel(ra, dec);
            assert!((a - x).abs() < 1e-6 && (b - y).abs() < 1e-6, "{a} {b}");
        }
    }
}
