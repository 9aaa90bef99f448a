//! Which lamps an arc was lit by, and their lines.
//!
//! The header names the lamps twice: each with its switch (`CAHA INS LAMP1 NAME`, `STATUS`), and all that are on in `INSCALNM`
//! (`HgCd/He  /Rb`). The wavelengths are those of the NIST Atomic Spectra Database; the file says more.

use ifured_core::Header;

const LINES: &str = include_str!("lines.dat");
/// Lamps that a frame may have.
const LAMPS: u32 = 8;

/// Names of the lamps that are on, as the header has them, in capital letters.
pub fn lamps_on(header: &Header) -> Vec<String> {
    let name = |n: u32, what: &str| header.text(&format!("CAHA INS LAMP{n} {what}")).map(|t| t.trim().to_uppercase());
    let switched = (1..=LAMPS).filter(|n| name(*n, "STATUS").is_ok_and(|s| s == "ON")).filter_map(|n| name(n, "NAME").ok());
    let on: Vec<String> = switched.filter(|n| n != "CONT" && !n.is_empty()).collect();
    if !on.is_empty() {
        return on;
    }
    let all = header.text("INSCALNM").unwrap_or("");
    all.split('/').map(|t| t.trim().to_uppercase()).filter(|t| !t.is_empty() && t != "CONT").collect()
}

/// Wavelengths in air (Angstrom) of the lines of lamps; a lamp that is not known has none.
pub fn lines_of(lamps: &[String]) -> Vec<f64> {
    let elements: Vec<&str> = lamps.iter().flat_map(|l| elements_of(l)).copied().collect();
    let rows = LINES.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once(' '));
    rows.filter(|(element, _)| elements.contains(element)).filter_map(|(_, wavelength)| wavelength.trim().parse().ok()).collect()
}

/// Elements whose lines a lamp shows: its own, those of the gas that starts it, and of impurities.
fn elements_of(lamp: &str) -> &'static [&'static str] {
    match lamp {
        "HGCD" | "HGCD/AR" => &["Hg", "Cd", "Ar"],
        "HG" => &["Hg", "Ar"],
        "CD" => &["Cd", "Ar"],
        "HE" => &["He"],
        "RB" => &["Rb", "K", "Ar"],
        "NE" => &["Ne"],
        "AR" => &["Ar"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switches_of_the_lamps_count_and_the_list_of_names_stands_in() {
        let mut header = Header::new();
        header.set("INSCALNM", "HgCd/He  /Rb  ", "");
        assert_eq!(lamps_on(&header), ["HGCD", "HE", "RB"]);
        for (n, name, status) in [(1, "HGCD", "OFF"), (2, "HE", "ON"), (4, "CONT", "ON")] {
            header.set(&format!("CAHA INS LAMP{n} NAME"), name, "");
            header.set(&format!("CAHA INS LAMP{n} STATUS"), status, "");
        }
        assert_eq!(lamps_on(&header), ["HE"]);
        let helium = lines_of(&lamps_on(&header));
        assert!(helium.contains(&5875.621) && !helium.contains(&5460.750));
        assert!(lines_of(&["THAR".into()]).is_empty());
    }

    #[test]
    fn every_row_of_the_list_is_read() {
        let lamps = ["HGCD", "HE", "RB", "NE"].map(String::from);
        let rows = LINES.lines().filter(|l| !l.starts_with('#')).count();
        assert_eq!(lines_of(&lamps).len(), rows);
    }
}
