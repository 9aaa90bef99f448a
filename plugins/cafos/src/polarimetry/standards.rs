//! Stars of known polarisation.
//!
//! Degrees and angles in V and R, and of stars that are hardly polarised in V: Schmidt, Elston & Lupie (1992, AJ 104, 1563); HD 154892 and HD 94851 in B: Turnshek et al. (1990, AJ
//! 99, 1243); BD+33 2642: Skalidis et al. (2018, A&A 616, A52). Positions are of the equinox J2000.

use ifured_core::Header;
use ifured_pixels::polarimetry::Polarisation;

use ifured_core::precession::to_j2000;

/// A pointing further away from a standard is of another field, in arcseconds.
pub const FIELD: f64 = 180.0;

/// A measured polarisation: degree and its error in percent, angle in degrees.
type Percent = (f64, f64, f64);

/// A standard star.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standard {
    /// Name.
    pub name: &'static str,
    /// Right ascension and declination in degrees.
    pub place: (f64, f64),
    light: Light,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Light {
    /// Not polarised: degree that was measured and its error, in percent.
    Unpolarised(f64, f64),
    /// Polarised: in V and in R.
    Polarised { v: Percent, r: Percent },
}

const fn unpolarised(name: &'static str, ra: [f64; 3], dec: [f64; 3], p: f64, error: f64) -> Standard {
    Standard { name, place: degrees(ra, dec), light: Light::Unpolarised(p, error) }
}

const fn polarised(name: &'static str, ra: [f64; 3], dec: [f64; 3], v: Percent, r: Percent) -> Standard {
    Standard { name, place: degrees(ra, dec), light: Light::Polarised { v, r } }
}

/// Degrees; a negative declination has three negative parts.
const fn degrees(ra: [f64; 3], dec: [f64; 3]) -> (f64, f64) {
    (15.0 * (ra[0] + ra[1] / 60.0 + ra[2] / 3600.0), dec[0] + dec[1] / 60.0 + dec[2] / 3600.0)
}

/// All of them.
pub const STANDARDS: &[Standard] = &[
    unpolarised("HD 14069", [2.0, 16.0, 45.19], [7.0, 41.0, 10.7], 0.022, 0.019),
    unpolarised("HD 21447", [3.0, 30.0, 0.21], [55.0, 27.0, 7.0], 0.051, 0.020),
    unpolarised("G191B2B", [5.0, 5.0, 30.62], [52.0, 49.0, 54.0], 0.061, 0.038),
    unpolarised("HD 94851", [10.0, 56.0, 44.17], [-20.0, -39.0, -51.6], 0.057, 0.018),
    unpolarised("BD+33 2642", [15.0, 51.0, 59.86], [32.0, 56.0, 54.8], 0.20, 0.15),
    unpolarised("HD 154892", [17.0, 7.0, 41.38], [15.0, 12.0, 37.6], 0.050, 0.030),
    unpolarised("BD+32 3739", [20.0, 12.0, 2.11], [32.0, 47.0, 43.5], 0.025, 0.017),
    unpolarised("BD+28 4211", [21.0, 51.0, 11.02], [28.0, 51.0, 50.4], 0.054, 0.027),
    unpolarised("HD 212311", [22.0, 21.0, 58.6], [56.0, 31.0, 55.0], 0.034, 0.021),
    polarised("BD+64 106", [0.0, 57.0, 36.69], [64.0, 51.0, 34.9], (5.687, 0.037, 96.63), (5.150, 0.098, 96.74)),
    polarised("BD+59 389", [2.0, 2.0, 42.09], [60.0, 15.0, 26.4], (6.701, 0.015, 98.09), (6.430, 0.022, 98.14)),
    polarised("HD 19820", [3.0, 14.0, 5.34], [59.0, 33.0, 48.5], (4.787, 0.028, 114.93), (4.526, 0.025, 114.46)),
    polarised("HD 155197", [17.0, 10.0, 15.75], [-4.0, -50.0, -3.7], (4.320, 0.023, 102.84), (4.274, 0.027, 102.88)),
    polarised("HD 161056", [17.0, 43.0, 47.02], [-7.0, -4.0, -46.6], (4.030, 0.025, 66.93), (4.012, 0.032, 67.33)),
    polarised("Hiltner 960", [20.0, 23.0, 28.4], [39.0, 20.0, 56.0], (5.663, 0.021, 54.79), (5.210, 0.029, 54.54)),
    polarised("VI Cyg 12", [20.0, 32.0, 40.96], [41.0, 14.0, 29.3], (8.947, 0.088, 115.03), (7.893, 0.037, 116.23)),
    polarised("HD 204827", [21.0, 28.0, 57.6], [58.0, 44.0, 24.0], (5.322, 0.014, 58.73), (4.893, 0.029, 59.10)),
];

impl Standard {
    /// The standard that a frame shows: the one where the telescope pointed (`RA`, `DEC`: of date), by name (`OBJECT`) where the header does not say where that is.
    pub fn of(header: &Header) -> Option<&'static Standard> {
        let number = |key: &str| header.real(key).ok();
        if let (Some(ra), Some(dec), Some(mjd)) = (number("RA"), number("DEC"), number("MJD-OBS").filter(|m| *m > 0.0)) {
            let place = to_j2000(ra, dec, mjd);
            return STANDARDS.iter().find(|s| distance(place, s.place) <= FIELD);
        }
        let object = header.text("OBJECT").ok()?;
        STANDARDS.iter().find(|s| is_called(object, s.name))
    }

    /// The star of that name.
    pub fn named(name: &str) -> Option<&'static Standard> {
        STANDARDS.iter().find(|s| s.name == name)
    }

    /// Whether its light is not polarised.
    pub fn is_unpolarised(&self) -> bool {
        matches!(self.light, Light::Unpolarised(..))
    }

    /// Its polarisation on the sky in the filter of a frame; `None` for a polarised star in a filter other than V and R. That of an unpolarised star is 0 with what was
    /// measured as error.
    pub fn polarisation(&self, header: &Header) -> Option<Polarisation> {
        let percent = |(p, error, angle): Percent| Polarisation::of_degree(p / 100.0, error / 100.0, angle);
        match self.light {
            Light::Unpolarised(p, error) => {
                let error = p.max(error) / 100.0;
                Some(Polarisation::new((0.0, error), (0.0, error)))
            }
            Light::Polarised { v, r } => match band(header)? {
                'V' => Some(percent(v)),
                'R' => Some(percent(r)),
                _ => None,
            },
        }
    }
}

/// Last letter of the name of the filter where it stands alone: `John R`.
fn band(header: &Header) -> Option<char> {
    let last = header.text("INSFLNAM").ok()?.split_whitespace().last()?.to_owned();
    let mut letters = last.chars();
    letters.next().filter(|_| letters.next().is_none())
}

/// Distance of two places in arcseconds.
pub fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    let half = |d: f64| (0.5 * d.to_radians()).sin().powi(2);
    let h = half(b.1 - a.1) + a.1.to_radians().cos() * b.1.to_radians().cos() * half(b.0 - a.0);
    2.0 * h.sqrt().min(1.0).asin().to_degrees() * 3600.0
}

/// Whether a target begins with a name, whatever is between letters and digits (`BD+28d4211 R`); the number must end there.
fn is_called(object: &str, name: &str) -> bool {
    let mut wanted = name.chars().filter(char::is_ascii_alphanumeric).peekable();
    for c in object.chars() {
        match wanted.peek() {
            None => return !c.is_ascii_digit(),
            Some(w) if w.eq_ignore_ascii_case(&c) => _ = wanted.next(),
            // A `d` between degrees and number is written by many.
            Some(_) if !c.is_ascii_alphanumeric() || c.eq_ignore_ascii_case(&'d') => {}
            Some(_) => return false,
        }
    }
    wanted.peek().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ifured_core::precession::from_j2000;

    #[test]
    fn names_are_recognised_as_observers_write_them() {
        for (object, name) in [
            ("BD+28d4211 R pol", "BD+28 4211"),
            ("bd_28_4211", "BD+28 4211"),
            ("BD+28 4211", "BD+28 4211"),
            ("HD212311", "HD 212311"),
            ("G191-B2B V 22.5", "G191B2B"),
            ("hiltner960", "Hiltner 960"),
        ] {
            assert!(is_called(object, name), "{object} {name}");
        }
        for (object, name) in [("HD 2123110", "HD 212311"), ("HD 21", "HD 212311"), ("NGC 1", "HD 14069"), ("", "G191B2B")] {
            assert!(!is_called(object, name), "{object} {name}");
        }
    }

    #[test]
    fn a_pointing_of_date_is_recognised_whatever_the_name() {
        let mut header = Header::new();
        header.set("OBJECT", "HD 14069", "");
        header.set("INSFLNAM", "John R", "");
        assert_eq!(Standard::of(&header).map(|s| s.name), Some("HD 14069"), "by its name where there is no pointing");
        let star = Standard::named("HD 204827").unwrap();
        let (ra, dec) = from_j2000(star.place.0 + 0.01, star.place.1 + 0.01, 60000.0);
        for (key, value) in [("RA", ra), ("DEC", dec), ("MJD-OBS", 60000.0)] {
            header.set(key, value, "");
        }
        assert_eq!(Standard::of(&header), Some(star));
        let light = star.polarisation(&header).unwrap().degree(Default::default());
        assert!((light.p - 0.04893).abs() < 1e-9 && (light.theta - 59.10).abs() < 1e-9);
        header.set("INSFLNAM", "SDSS g'", "");
        assert_eq!(star.polarisation(&header), None);
        header.set("DEC", dec + 0.5, "");
        assert_eq!(Standard::of(&header), None, "another field, though it is called as a standard");
    }

    #[test]
    fn all_places_and_numbers_are_possible() {
        let mut header = Header::new();
        for (filter, polarised) in [("V", true), ("Cousins R", true), ("I", false)] {
            header.set("INSFLNAM", filter, "");
            for star in STANDARDS {
                let light = star.polarisation(&header);
                assert_eq!(light.is_some(), polarised || star.is_unpolarised(), "{}", star.name);
                let p = light.map_or(0.0, |l| l.q.hypot(l.u));
                assert!(if star.is_unpolarised() { p == 0.0 } else { !polarised || (0.03..0.1).contains(&p) }, "{}", star.name);
                assert!((0.0..360.0).contains(&star.place.0) && star.place.1.abs() < 90.0);
                assert_eq!(STANDARDS.iter().filter(|s| distance(s.place, star.place) < 2.0 * FIELD).count(), 1);
            }
        }
    }
}
