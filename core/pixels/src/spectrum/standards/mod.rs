//! Spectrophotometric standard stars and atmospheric extinction that come with the program. Each file says its source.

/// A standard star.
#[derive(Clone, Copy, Debug)]
pub struct Standard {
    /// Name.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Right ascension and declination, J2000, degrees.
    pub position: (f64, f64),
    table: &'static str,
}

/// The standards.
pub const STANDARDS: &[Standard] = &[
    standard("Feige 66", &["BD+25 2534"], (189.34799, 25.06663), include_str!("feige66.dat")),
    standard("BD+25 4655", &["BD+25d4655"], (329.92493, 26.43266), include_str!("bd25d4655.dat")),
    standard("Feige 110", &[], (349.99333, -5.16561), include_str!("feige110.dat")),
    standard("GD 71", &[], (88.11504, 15.88700), include_str!("gd71.dat")),
    standard("HZ 21", &[], (183.48458, 32.94194), include_str!("hz21.dat")),
    standard("EG 274", &["CD-38 10980"], (245.89099, -39.22950), include_str!("eg274.dat")),
    standard("LTT 3218", &[], (130.38542, -32.94278), include_str!("ltt3218.dat")),
    standard("LTT 7987", &[], (302.73688, -30.21850), include_str!("ltt7987.dat")),
    standard("CD-32 9927", &["CD-32d9927"], (212.94282, -33.05393), include_str!("cd32d9927.dat")),
];

const fn standard(name: &'static str, aliases: &'static [&'static str], position: (f64, f64), table: &'static str) -> Standard {
    Standard { name, aliases, position, table }
}

impl Standard {
    /// Air wavelength in Angstrom and flux in erg/s/cm2/Angstrom, mean of each step.
    pub fn fluxes(&self) -> Vec<(f64, f64)> {
        pairs(self.table)
    }
}

/// The standard of that name.
pub fn named(name: &str) -> Option<&'static Standard> {
    STANDARDS.iter().find(|s| s.name.eq_ignore_ascii_case(name.trim()))
}

/// Extinction of a table at an air wavelength in Angstrom, magnitudes per air mass; beyond the table that of its end.
pub fn extinction(table: &[(f64, f64)], wavelength: f64) -> f64 {
    interpolate(table, wavelength)
}

/// The table of extinction at La Palma.
pub fn extinction_la_palma() -> Vec<(f64, f64)> {
    pairs(include_str!("../extinction_la_palma.dat"))
}

/// Two columns of numbers; lines that begin with `#` are comments.
fn pairs(text: &str) -> Vec<(f64, f64)> {
    let pair = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    text.lines().filter(|l| !l.starts_with('#')).filter_map(pair).collect()
}

/// Straight lines between the points; the end beyond them.
fn interpolate(table: &[(f64, f64)], x: f64) -> f64 {
    let k = table.partition_point(|(w, _)| *w <= x);
    match (k.checked_sub(1).and_then(|j| table.get(j)), table.get(k)) {
        (Some((a, ya)), Some((b, yb))) => ya + (yb - ya) * (x - a) / (b - a),
        (Some((_, y)), None) | (None, Some((_, y))) => *y,
        (None, None) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_complete_and_in_order() {
        for star in STANDARDS {
            let fluxes = star.fluxes();
            assert!(fluxes.len() > 100 && fluxes.windows(2).all(|w| w[0].0 < w[1].0), "{}", star.name);
            assert!(fluxes.iter().all(|(_, f)| (1e-16..1e-11).contains(f)), "{}", star.name);
            let head: Vec<&str> = star.table.lines().take(2).collect();
            assert!(head[0].contains(star.name) && head[1].starts_with("# Source: "), "{}", star.name);
            assert_eq!(named(star.name).unwrap().position, star.position);
        }
        // V = 10.5 (Feige 66): 3.63e-9 erg/s/cm2/A at V = 0.
        let v = interpolate(&named("feige 66").unwrap().fluxes(), 5450.0);
        assert!((-2.5 * (v / 3.63e-9).log10() - 10.51).abs() < 0.05);
        let table = extinction_la_palma();
        assert!((extinction(&table, 5500.0) - 0.12).abs() < 0.02 && extinction(&table, 3000.0) > 3.0 && extinction(&table, 20000.0) < 0.01);
    }
}
