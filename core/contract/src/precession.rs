//! Precession of the mean equator, and distances on the sky.
//!
//! The angles are those of the IAU 1976 precession (Lieske et al. 1977, A&A 58, 1, eq. 7). *Accuracy*: an arcsecond within two centuries
//! of J2000; nutation and aberration (20 arcsec) are left out.

const ARCSEC: f64 = std::f64::consts::PI / 180.0 / 3600.0;
/// Modified Julian date of J2000.0.
pub const MJD_J2000: f64 = 51544.5;

/// The precession angles zeta, z, theta from J2000 to a date, in radians.
fn angles(mjd: f64) -> (f64, f64, f64) {
    let t = (mjd - MJD_J2000) / 36525.0;
    let zeta = 2306.2181 * t + 0.30188 * t * t + 0.017998 * t.powi(3);
    let z = 2306.2181 * t + 1.09468 * t * t + 0.018203 * t.powi(3);
    let theta = 2004.3109 * t - 0.42665 * t * t - 0.041833 * t.powi(3);
    (zeta * ARCSEC, z * ARCSEC, theta * ARCSEC)
}

/// Turns by `before` about the pole, by `tilt` about the node, by `after` about the new pole; degrees in and out.
fn turn(ra: f64, dec: f64, before: f64, tilt: f64, after: f64) -> (f64, f64) {
    let (a, d) = (ra.to_radians() + before, dec.to_radians());
    let x = d.cos() * a.cos() * tilt.cos() - d.sin() * tilt.sin();
    let y = d.cos() * a.sin();
    let z = d.cos() * a.cos() * tilt.sin() + d.sin() * tilt.cos();
    ((y.atan2(x) + after).to_degrees().rem_euclid(360.0), z.atan2(x.hypot(y)).to_degrees())
}

/// Right ascension and declination (degrees) of the mean equator of date, precessed to J2000.
pub fn to_j2000(ra: f64, dec: f64, mjd: f64) -> (f64, f64) {
    let (zeta, z, theta) = angles(mjd);
    turn(ra, dec, -z, -theta, -zeta)
}

/// Right ascension and declination (degrees) of J2000, precessed to the mean equator of date.
pub fn from_j2000(ra: f64, dec: f64, mjd: f64) -> (f64, f64) {
    let (zeta, z, theta) = angles(mjd);
    turn(ra, dec, zeta, theta, z)
}

/// Angle between two positions, all in degrees (haversines: exact for small angles).
pub fn separation((ra1, dec1): (f64, f64), (ra2, dec2): (f64, f64)) -> f64 {
    let half = |a: f64, b: f64| (0.5 * (a - b).to_radians()).sin().powi(2);
    let h = half(dec1, dec2) + dec1.to_radians().cos() * dec2.to_radians().cos() * half(ra1, ra2);
    (2.0 * h.clamp(0.0, 1.0).sqrt().asin()).to_degrees()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precession_of_the_textbook() {
        // Meeus, Astronomical Algorithms, example 21.b: theta Persei with its proper motion, J2000 and 2028 November 13.19.
        let (ra, dec) = from_j2000(41.054_063, 49.227_750, 62088.19);
        assert!((ra - 41.547_214).abs() < 2e-6 && (dec - 49.348_483).abs() < 2e-6, "{ra} {dec}");
        let (ra, dec) = to_j2000(ra, dec, 62088.19);
        assert!((ra - 41.054_063).abs() < 1e-9 && (dec - 49.227_750).abs() < 1e-9, "{ra} {dec}");
    }

    #[test]
    fn separations() {
        // Meeus, chapter 17: Arcturus and Spica.
        assert!((separation((213.9154, 19.1825), (201.2983, -11.1614)) - 32.7930).abs() < 1e-4);
        assert!((separation((359.9999, 60.0), (0.0001, 60.0)) - 1e-4).abs() < 1e-9);
        assert_eq!(separation((10.0, 90.0), (200.0, 90.0)).round(), 0.0);
    }
}
