//! Zero point from stars that are in the catalogue, and the table of these stars.

use ifured_core::{Figure, Header, Outcome, QualityNumber};
use ifured_pixels::astrometry::{Solution, catalogue::Place, zero_point};
use ifured_pixels::fits::Table;
use ifured_pixels::sources::StarField;

use crate::stars::{self, Magnitudes};

/// The zero point comes from stars with at least this ratio of signal to noise.
const BRIGHT: f64 = 20.0;
const MAGNITUDES: f64 = 1.085_736;

/// What the catalogue knows and the image has.
pub struct Matched<'a> {
    pub field: &'a StarField,
    pub solution: &'a Solution,
    pub places: &'a [Place],
    /// Name of the catalogue's magnitude, empty without one.
    pub band: &'a str,
}

impl Matched<'_> {
    /// Magnitude of 1 adu by a star of the image that is one of the catalogue; NaN where it has no good flux.
    fn magnitude_of_one(&self, star: usize, place: usize) -> f64 {
        let measured = &self.field.stars[star];
        let good = measured.flags == 0 && measured.flux > 0.0;
        if good { self.places[place].magnitude + 2.5 * measured.flux.log10() } else { f64::NAN }
    }

    fn counts(&self, star: usize, place: usize) -> bool {
        let measured = &self.field.stars[star];
        self.magnitude_of_one(star, place).is_finite() && measured.flux > BRIGHT * measured.flux_error
    }

    /// Zero point and limiting magnitude as quality numbers; `None` and a note where there is none.
    pub fn calibrate(&self, outcome: &mut Outcome, exposure: f64) -> Option<Magnitudes> {
        if self.band.is_empty() {
            outcome.notes.push("no zero point: the catalogue has no magnitudes".into());
            return None;
        }
        let good = self.solution.fitted.iter().filter(|(s, c)| self.counts(*s, *c));
        let stars: Vec<(f64, f64)> = good.map(|&(s, c)| (self.places[c].magnitude, self.field.stars[s].flux)).collect();
        let Some(found) = zero_point(&stars) else {
            outcome.notes.push(format!("no zero point: only {} stars are bright enough and stand alone", stars.len()));
            return None;
        };
        let correction = MAGNITUDES * self.field.correction.error / self.field.correction.factor;
        let error = found.error.hypot(correction);
        let magnitudes = Magnitudes { band: self.band.to_owned(), of_one: found.value, error };
        let per_second = found.value - 2.5 * exposure.log10();
        outcome.quality.extend([
            QualityNumber::new("ZERO POINT", per_second, "mag", &format!("{} of a star of 1 adu/s", self.band)).with_error(error),
            QualityNumber::new("ZP SCATTER", found.scatter, "mag", "of a star about the zero point"),
            QualityNumber::new("N PHOT", found.stars as f64, "", "stars of the zero point"),
            stars::depth(self.field, &magnitudes, 1.0),
        ]);
        Some(magnitudes)
    }

    /// Table `STARS`: one row for each star of the image that is in the catalogue, with what is left of place and brightness.
    pub fn table(&self) -> Table {
        let mut header = Header::new();
        header.set("EXTNAME", "STARS", "stars that are in the catalogue");
        let brightness = if self.band.is_empty() { "INST_MAG" } else { "MAG_CAT" };
        Figure::new("Residuals of the world coordinates", "X").arrows("Y", "DX", "DY").used("USED").write(&mut header);
        Figure::new("Residuals and brightness", brightness).points("RESIDUAL").error("XY_ERR").used("USED").write(&mut header);
        if !self.band.is_empty() {
            header.set("PHOTBAND", self.band, "magnitude of the catalogue");
            Figure::new("Magnitude of 1 adu by each star", "MAG_CAT").points("ZP").error("ZP_ERR").used("ZP_USED").write(&mut header);
        }
        let rows = &self.solution.matched;
        let mut table = Table::new(header, rows.len());
        let mut add = |name: &str, unit: &str, value: &dyn Fn(usize, usize) -> f64| {
            table.push(name, unit, rows.iter().map(|&(s, c)| value(s, c)).collect::<Vec<f64>>().into());
        };
        let star = |s: usize| &self.field.stars[s];
        let left = |s: usize, c: usize| {
            let (x, y) = self.solution.fit.wcs.to_pixel(self.places[c].ra, self.places[c].dec);
            (star(s).fit.x - x, star(s).fit.y - y)
        };
        add("X", "pixel", &|s, _| star(s).fit.x + 1.0);
        add("Y", "pixel", &|s, _| star(s).fit.y + 1.0);
        add("XY_ERR", "pixel", &|s, _| star(s).fit.error);
        add("RA_CAT", "deg", &|_, c| self.places[c].ra);
        add("DEC_CAT", "deg", &|_, c| self.places[c].dec);
        add("DX", "pixel", &|s, c| left(s, c).0);
        add("DY", "pixel", &|s, c| left(s, c).1);
        add("RESIDUAL", "pixel", &|s, c| left(s, c).0.hypot(left(s, c).1));
        add("INST_MAG", "mag", &|s, _| -2.5 * star(s).fit.flux.log10());
        if !self.band.is_empty() {
            add("MAG_CAT", "mag", &|_, c| self.places[c].magnitude);
            add("ZP", "mag", &|s, c| self.magnitude_of_one(s, c));
            add("ZP_ERR", "mag", &|s, _| MAGNITUDES * star(s).flux_error / star(s).flux);
        }
        let used: Vec<(usize, usize)> =
            self.solution.fitted.iter().zip(&self.solution.fit.used).filter(|(_, used)| **used).map(|(pair, _)| *pair).collect();
        table.push("USED", "", rows.iter().map(|pair| used.contains(pair)).collect::<Vec<bool>>().into());
        if !self.band.is_empty() {
            let fitted = &self.solution.fitted;
            table.push("ZP_USED", "", rows.iter().map(|p| fitted.contains(p) && self.counts(p.0, p.1)).collect::<Vec<bool>>().into());
        }
        table
    }
}
