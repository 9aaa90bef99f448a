//! First world coordinates of an image, from where the telescope says it points.
//!
//! The header gives RA and DEC of the equinox of date, whatever `EQUINOX` says. They are precessed to J2000, and a tangential
//! projection is put on the optical axis (`INSTRPX0`, `INSTRPY0`), north along the columns and east to the left at adapter position
//! angle 0. *Accuracy*: that of the pointing, some 10 arcsec, and of the position angle.

use ifured_core::Header;
use ifured_core::precession::to_j2000;

use ifured_pixels::detector::RawFormat;

use crate::Cafos;

/// Centre of the chip, where the header does not give the optical axis.
const CHIP_CENTRE: f64 = 1024.5;

/// A tangential projection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tan {
    /// Right ascension and declination of the reference pixel, degrees.
    pub crval: (f64, f64),
    /// Reference pixel, from 1.
    pub crpix: (f64, f64),
    /// Degrees per pixel: `[[dx/dX, dx/dY], [dy/dX, dy/dY]]`.
    pub cd: [[f64; 2]; 2],
}

impl Tan {
    /// From the pointing in a raw header; `None` where a keyword is missing.
    pub fn of_pointing(header: &Header, shape: (usize, usize)) -> Option<Tan> {
        let (ra, dec) = (header.real("RA").ok()?, header.real("DEC").ok()?);
        let mjd = header.real("MJD-OBS").ok().filter(|m| *m > 0.0)?;
        let scale = header.real("INSTRSCL").ok().filter(|s| *s > 0.0)? / 3600.0;
        let binning = |key: &str| header.real(key).ok().filter(|b| *b >= 1.0).unwrap_or(1.0);
        let (bx, by) = (binning("CCDBINX"), binning("CCDBINY"));
        let axis = |key: &str| header.real(key).ok().filter(|p| (1.0..4096.0).contains(p)).unwrap_or(CHIP_CENTRE);
        let corner = Cafos.window(header, shape);
        let crpix = ((axis("INSTRPX0") - corner.x1 as f64 + 0.5) / bx + 0.5, (axis("INSTRPY0") - corner.y1 as f64 + 0.5) / by + 0.5);
        let angle = header.real("CAHA ADA POSANG").or_else(|_| header.real("PA-CASS")).unwrap_or(0.0).to_radians();
        let (sin, cos) = angle.sin_cos();
        let cd = [[-scale * bx * cos, scale * by * sin], [scale * bx * sin, scale * by * cos]];
        Some(Tan { crval: to_j2000(ra, dec, mjd), crpix, cd })
    }

    /// From the keywords of a product.
    pub fn of_header(header: &Header) -> Option<Tan> {
        let number = |key: &str| header.real(key).ok();
        header.text("CTYPE1").ok().filter(|t| *t == "RA---TAN")?;
        Some(Tan {
            crval: (number("CRVAL1")?, number("CRVAL2")?),
            crpix: (number("CRPIX1")?, number("CRPIX2")?),
            cd: [[number("CD1_1")?, number("CD1_2")?], [number("CD2_1")?, number("CD2_2")?]],
        })
    }

    /// Writes the keywords and removes those of another system.
    pub fn write(&self, header: &mut Header) {
        let old = ["CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT", "CROTA"];
        header.retain(|c| {
            !(old.iter().any(|p| c.keyword.strip_prefix(p).is_some_and(|n| n == "1" || n == "2"))
                || c.keyword.starts_with("PC1_")
                || c.keyword.starts_with("PC2_"))
        });
        header.set("CTYPE1", "RA---TAN", "tangential projection");
        header.set("CTYPE2", "DEC--TAN", "tangential projection");
        header.set("CUNIT1", "deg", "");
        header.set("CUNIT2", "deg", "");
        header.set("CRVAL1", self.crval.0, "[deg] right ascension of the reference pixel");
        header.set("CRVAL2", self.crval.1, "[deg] declination of the reference pixel");
        header.set("CRPIX1", self.crpix.0, "reference pixel");
        header.set("CRPIX2", self.crpix.1, "reference pixel");
        for (i, row) in self.cd.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                header.set(&format!("CD{}_{}", i + 1, j + 1), *value, "");
            }
        }
        header.set("RADESYS", "FK5", "");
        header.set("EQUINOX", 2000.0, "");
        header.set("IFURED WCS", "approximate", "from the pointing, not fitted to stars");
    }

    /// Pixel (from 1) of a position in degrees (Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3).
    pub fn to_pixel(self, ra: f64, dec: f64) -> (f64, f64) {
        let (a, d) = ((ra - self.crval.0).to_radians(), dec.to_radians());
        let d0 = self.crval.1.to_radians();
        let cos = d.sin() * d0.sin() + d.cos() * d0.cos() * a.cos();
        let xi = (d.cos() * a.sin() / cos).to_degrees();
        let eta = ((d.sin() * d0.cos() - d.cos() * d0.sin() * a.cos()) / cos).to_degrees();
        let [[a, b], [c, e]] = self.cd;
        let determinant = a * e - b * c;
        let dx = (e * xi - b * eta) / determinant;
        let dy = (a * eta - c * xi) / determinant;
        (self.crpix.0 + dx, self.crpix.1 + dy)
    }

    /// Position in degrees of a pixel (from 1).
    #[cfg(test)]
    pub fn to_sky(self, x: f64, y: f64) -> (f64, f64) {
        let (dx, dy) = (x - self.crpix.0, y - self.crpix.1);
        let xi = (self.cd[0][0] * dx + self.cd[0][1] * dy).to_radians();
        let eta = (self.cd[1][0] * dx + self.cd[1][1] * dy).to_radians();
        let d0 = self.crval.1.to_radians();
        let ra = self.crval.0 + xi.atan2(d0.cos() - eta * d0.sin()).to_degrees();
        let dec = (d0.sin() + eta * d0.cos()).atan2(xi.hypot(d0.cos() - eta * d0.sin()));
        (ra.rem_euclid(360.0), dec.to_degrees())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sky_and_pixel_are_inverse() {
        let s = 0.53 / 3600.0;
        let tan = Tan { crval: (150.0, 40.0), crpix: (825.5, 820.0), cd: [[-s, 1e-6], [1e-6, s]] };
        let (ra, dec) = tan.to_sky(10.0, 1500.0);
        let (x, y) = tan.to_pixel(ra, dec);
        assert!((x - 10.0).abs() < 1e-6 && (y - 1500.0).abs() < 1e-6);
        assert!(tan.to_sky(10.0, 820.0).0 > 150.0, "east is to the left");
    }
}
