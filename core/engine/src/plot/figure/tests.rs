use ifured_core::Header;
use ifured_pixels::fits::{HduToWrite, write_product};
use proptest::prelude::*;

use super::*;

/// Four numbers and whether they count.
type AnyRow = (f64, f64, f64, f64, Option<bool>);
type Columns<'a> = &'a [(&'a str, &'a str, Vec<f64>)];

fn table(name: &str, columns: Columns<'_>) -> Table {
    let mut header = Header::new();
    header.set("EXTNAME", name, "");
    let mut table = Table::new(header, columns.first().map_or(0, |c| c.2.len()));
    columns.iter().for_each(|(name, unit, values)| table.push(name, unit, values.clone().into()));
    table
}

/// Draws, keeps the drawing for the eye if asked to, and looks whether it is sound.
fn drawn(name: &str, figure: &Figure, table: Table) -> String {
    let svg = of_table(figure, &Ok(table), false);
    if let Ok(directory) = std::env::var("IFURED_KEEP_PLOTS") {
        std::fs::write(Path::new(&directory).join(format!("figure-{name}.svg")), &svg).unwrap();
    }
    sound(&svg);
    svg
}

/// Every element is closed, every number is one.
fn sound(svg: &str) {
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    assert!(svg.len() < 150_000, "{} bytes", svg.len());
    let mut open = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap_or_else(|| panic!("<{piece} has no end"));
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split([' ', '/']).find(|w| !w.is_empty()).unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{svg}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} left open");
}

/// Numbers that look random, from 0 to 1.
fn noise(n: usize) -> f64 {
    let x = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1u64 << 53) as f64
}

fn spectrum(rows: usize) -> Table {
    let at = |n: usize| 3500.0 + 5500.0 * n as f64 / rows as f64;
    let gap = |n: usize| (0.40..0.43).contains(&(n as f64 / rows as f64));
    let line = |w: f64, centre: f64| 2.6 * (-((w - centre) / 6.0).powi(2)).exp();
    let flux = |n: usize| {
        let w = at(n);
        (w / 9000.0).sqrt() + line(w, 4861.3) + line(w, 6562.8) + 0.1 * (noise(n) - 0.5)
    };
    let numbers = |f: &dyn Fn(usize) -> f64| (0..rows).map(f).collect::<Vec<f64>>();
    let columns = [
        ("WAVELENGTH", "Angstrom", numbers(&at)),
        (
            "FLUX",
            "1e-16 erg/s/cm2/Angstrom",
            numbers(&|n| {
                if gap(n) {
                    f64::NAN
                } else if n == 77 {
                    4e5
                } else {
                    flux(n)
                }
            }),
        ),
        ("UNCERTAINTY", "1e-16 erg/s/cm2/Angstrom", numbers(&|n| 0.05 + if n < rows / 20 { 0.4 } else { 0.0 })),
        ("SKY", "1e-16 erg/s/cm2/Angstrom", numbers(&|n| 0.3 + 0.2 * (at(n) / 300.0).sin().powi(8))),
        ("FWHM", "arcsec", numbers(&|n| 1.2 - 0.2 * n as f64 / rows as f64)),
    ];
    table("SPECTRUM", &columns)
}

#[test]
fn a_spectrum_with_its_error_and_a_panel_of_another_unit() {
    let figure = Figure::new("Feige 66 <standard> & sky", "WAVELENGTH").line("FLUX").error("UNCERTAINTY").line("SKY").line("FWHM");
    let svg = drawn("spectrum", &figure, spectrum(2000));
    for text in ["Feige 66 &lt;standard&gt; &amp; sky", "WAVELENGTH [Å]", "FWHM [arcsec]", "FLUX ± UNCERTAINTY", "1 value outside"] {
        assert!(svg.contains(text), "{text}");
    }
    assert_eq!(svg.matches("<clipPath").count(), 2);
    drawn("spectrum-long", &figure, spectrum(200_000));
}

#[test]
fn residuals_with_points_that_do_not_count() {
    let rows = 60;
    let numbers = |f: &dyn Fn(usize) -> f64| (0..rows).map(f).collect::<Vec<f64>>();
    let columns = [
        ("WAVELENGTH", "Angstrom", numbers(&|n| 4000.0 + 70.0 * n as f64 + 20.0 * noise(n))),
        ("RESIDUAL", "Angstrom", numbers(&|n| if n % 17 == 5 { 9.0 } else { 0.4 * (noise(n + 500) - 0.5) })),
        ("RESIDUAL_ERROR", "Angstrom", numbers(&|n| 0.05 + 0.1 * noise(n + 900))),
    ];
    let mut table = table("LINES", &columns);
    table.push("USED", "", (0..rows).map(|n| n % 17 != 5).collect::<Vec<bool>>().into());
    let figure = Figure::new("Residuals of the arc lines", "WAVELENGTH").points("RESIDUAL").error("RESIDUAL_ERROR").used("USED");
    let svg = drawn("residuals", &figure, table);
    assert!(svg.contains("not used (4)") && svg.contains("4 values outside"), "rejected points do not stretch the axis");
}

fn distortion(rows: usize, size: f64) -> Table {
    let place = |n: usize| (1600.0 * noise(n), 1100.0 * noise(n + 7777));
    let numbers = |f: &dyn Fn(f64, f64) -> f64| (0..rows).map(place).map(|(x, y)| f(x, y)).collect::<Vec<f64>>();
    let columns = [
        ("X", "pixel", numbers(&|x, _| x)),
        ("Y", "pixel", numbers(&|_, y| y)),
        ("DX", "arcsec", numbers(&|x, y| size * (y - 550.0) / 550.0 + size * 0.2 * noise(x as usize))),
        ("DY", "arcsec", numbers(&|x, _| -size * (x - 800.0) / 550.0)),
    ];
    let mut table = table("STARS", &columns);
    table.push("USED", "", (0..rows).map(|n| n % 11 != 0).collect::<Vec<bool>>().into());
    table
}

#[test]
fn arrows_have_one_to_compare_with() {
    let figure = Figure::new("Residuals of the astrometry", "X").arrows("Y", "DX", "DY").used("USED");
    let svg = drawn("arrows", &figure, distortion(300, 0.13));
    assert!(svg.contains("0.2 arcsec") && svg.contains("not used (28)"), "{svg}");
    drawn("arrows-many", &figure, distortion(60_000, 1e-7));
    drawn("arrows-none", &figure, distortion(20, 0.0));
}

#[test]
fn very_many_points_and_lines_in_no_order() {
    let rows = 100_000;
    let numbers = |f: &dyn Fn(usize) -> f64| (0..rows).map(f).collect::<Vec<f64>>();
    let columns = [
        ("MAG", "mag", numbers(&|n| 14.0 + 8.0 * noise(n).sqrt())),
        ("ERROR", "mag", numbers(&|n| 0.01 * (1.0 + noise(n + 1)) * (4.0 * noise(n).sqrt()).exp())),
        ("E2", "mag", numbers(&|_| 0.1)),
        ("TIME", "s", numbers(&|n| if n % 2 == 0 { f64::NAN } else { n as f64 })),
    ];
    let table = table("STARS", &columns);
    drawn("many-points", &Figure::new("Errors of magnitudes", "MAG").points("ERROR").error("E2"), table.clone());
    drawn("many-lines", &Figure::new("In no order", "MAG").line("ERROR").error("E2"), table.clone());
    let svg = drawn("many-gaps", &Figure::new("With gaps", "TIME").line("ERROR"), table);
    assert!(svg.matches("<path").count() < 40);
}

#[test]
fn what_cannot_be_drawn_is_a_note() {
    let mut odd = table("ODD", &[("X", "", vec![1.0, 2.0]), ("Y", "", vec![1.0, f64::NAN])]);
    odd.push("NAME", "", vec!["a".to_owned(), "b".to_owned()].into());
    let table_of: &[(Figure, &str)] = &[
        (Figure::new("t", "X").line("Z"), "the table has no column Z; it has X, Y, NAME"),
        (Figure::new("t", "NAME").line("Y"), "column NAME does not hold one number a row"),
        (Figure::new("t", "X"), "it names no column"),
        (Figure::new("t", "X").points("Y").error("E"), "no column E"),
        (Figure::new("t", "X").arrows("Y", "X", "<b>"), "no column &lt;b&gt;"),
    ];
    for (figure, said) in table_of {
        let svg = drawn("note", figure, odd.clone());
        assert!(svg.contains(said), "{said}: {svg}");
    }
    assert!(drawn("one", &Figure::new("One value", "X").line("Y"), odd).contains("<path"), "a single value is a dot");
    let none = table("NONE", &[("X", "", vec![]), ("Y", "", vec![])]);
    assert!(drawn("none", &Figure::new("Nothing", "X").points("Y"), none).contains("no values"));
}

#[test]
fn a_small_figure() {
    let columns = [("TIME", "h", vec![0.0, 1.0, 2.0, 3.0]), ("SEEING", "arcsec", vec![1.1, 0.9, f64::NAN, 1.4])];
    let svg = drawn("seeing", &Figure::new("Seeing", "TIME").line("SEEING").points("SEEING"), table("NIGHT", &columns));
    insta::assert_snapshot!(svg);
}

#[test]
fn figures_of_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spectrum.fits");
    let mut first = spectrum(300);
    Figure::new("Spectrum", "WAVELENGTH").line("FLUX").write(&mut first.header);
    Figure::new("Sky, and more", "WAVELENGTH").line("SKY").write(&mut first.header);
    let mut second = distortion(10, 1.0);
    Figure::new("Stars", "X").arrows("Y", "DX", "DY").write(&mut second.header);
    let empty = HduToWrite::Empty(&Header::new());
    write_product(&path, &[empty, HduToWrite::Table(&first), HduToWrite::Table(&second)]).unwrap();
    assert_eq!(titles(&path).unwrap(), ["Spectrum", "Sky, and more", "Stars"]);
    let all = figures(&path).unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(figure(&path, "2").unwrap(), all[1].1);
    assert_eq!(figure(&path, " stars ").unwrap(), all[2].1);
    for wrong in ["0", "4", "nonsense", ""] {
        let error = figure(&path, wrong).unwrap_err();
        assert!(error.advice().contains("1 Spectrum; 2 Sky, and more; 3 Stars"), "{error:?}");
    }
    let preview = small(&path).unwrap();
    sound(&preview);
    assert!(preview.len() < 20_000 && !preview.contains("<text"));
    assert!(figures(&directory.path().join("none.fits")).is_err());
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -10.0..10.0f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e-320, 1e300]),
    ]
}

proptest! {
    #[test]
    fn any_numbers_are_drawn(
        rows in prop::collection::vec((any_number(), any_number(), any_number(), any_number(), any::<Option<bool>>()), 0..40),
        scale in prop::sample::select(vec![1.0, 1e-12, 1e12, 1e200]),
    ) {
        let column = |f: fn(&AnyRow) -> f64| rows.iter().map(|r| f(r) * scale).collect::<Vec<f64>>();
        let columns = [("A", "m", column(|r| r.0)), ("B", "m", column(|r| r.1)), ("C", "s", column(|r| r.2)), ("D", "s", column(|r| r.3))];
        let mut table = table("ANY", &columns);
        table.push("U", "", rows.iter().map(|r| r.4).collect::<Vec<_>>().into());
        let lines = Figure::new("", "A").line("B").error("C").used("U").line("C").points("D").error("B").used("U");
        let arrows = Figure::new("", "A").arrows("B", "C", "D").used("U").points("C");
        for figure in [lines, arrows] {
            sound(&of_table(&figure, &Ok(table.clone()), false));
            sound(&of_table(&figure, &Ok(table.clone()), true));
        }
    }
}
