//! Spectra of a real CAFOS night: flexure by the night-sky lines, noise, and a standard star that calibrates itself.

use ifured_pixels::fits::{ColumnData, HduSelect, Table, read_table};
use ifured_pixels::spectrum::response::{CountSample, ResponseOptions, is_telluric, response};
use ifured_pixels::spectrum::standards::named;
use ifured_tests::{Scenario, shared};

fn reals(table: &Table, name: &str) -> Vec<f64> {
    match &table.column(name).unwrap_or_else(|| panic!("no column {name}")).data {
        ColumnData::F64(cells) => (0..table.rows).map(|r| cells.row(r).unwrap()[0]).collect(),
        other => panic!("{name}: {other:?}"),
    }
}

fn flags(table: &Table, name: &str) -> Vec<bool> {
    match &table.column(name).unwrap().data {
        ColumnData::Logical(cells) => (0..table.rows).map(|r| cells.row(r).unwrap()[0] == Some(true)).collect(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_standard_and_a_faint_transient_are_extracted_and_calibrated() {
    let Some(night) = shared("data/cafos/20240720") else { return };
    let s = Scenario::new();
    s.ifured(&["--instrument", "cafos", "reduce", night.to_str().unwrap()]).code(0);
    s.ifured(&["ls", "--tag", "science-spectroscopy", "--columns", "STANDARD"]).code(0).says("Feige 66");

    let star = s.join("extraction/20240720/extracted_caf-20240720-20-38-31-sci-wavm.fits");
    let transient = s.join("extraction/20240720/extracted_caf-20240720-22-24-10-sci-wavm.fits");
    for (product, lines) in [(&star, 5), (&transient, 12)] {
        sky_lines_are_in_place(product, lines);
    }
    // The galaxy, and the transient beside it.
    assert!(read_table(&transient, HduSelect::name("SPECTRUM2")).is_ok());

    let extracted = read_table(&star, HduSelect::name("SPECTRUM1")).unwrap();
    half_of_the_columns_calibrate_the_other(&extracted);
    let calibrated = s.join("flux-calibration/20240720/calibrated_caf-20240720-20-38-31-sci-wavm.fits");
    let calibrated = read_table(&calibrated, HduSelect::name("SPECTRUM1")).unwrap();
    assert_eq!(calibrated.column("FLUX").unwrap().unit, "erg.s-1.cm-2.Angstrom-1");
    assert_eq!(calibrated.rows, 1600);
    for product in [&star, &transient] {
        s.ifured(&["verify", product.to_str().unwrap()]).code(0);
    }
    s.ifured(&["why", "flux-calibration/20240720/calibrated_caf-20240720-22-24-10-sci-wavm.fits"]).code(0).says("response");
}

/// Lines that are well measured lie where they should, once the flexure is corrected.
fn sky_lines_are_in_place(product: &std::path::Path, least: usize) {
    let table = read_table(product, HduSelect::name("SKYLINES")).unwrap();
    let (shift, error, correction) = (reals(&table, "SHIFT"), reals(&table, "ERROR"), reals(&table, "CORRECTION"));
    let used = flags(&table, "USED");
    let left: Vec<f64> = (0..table.rows).filter(|&k| used[k] && error[k] < 0.35).map(|k| shift[k] - correction[k]).collect();
    let rms = (left.iter().map(|l| l * l).sum::<f64>() / left.len() as f64).sqrt();
    assert!(left.len() >= least && rms < 0.45, "{}: {} lines, {rms} Angstrom", product.display(), left.len());
    let mean = left.iter().sum::<f64>() / left.len() as f64;
    assert!(mean.abs() < 0.3, "{}: {mean} Angstrom", product.display());
}

/// A response of the even pixels gives the odd ones the fluxes of the table.
fn half_of_the_columns_calibrate_the_other(table: &Table) {
    let (wavelength, flux, error) = (reals(table, "WAVELENGTH"), reals(table, "FLUX"), reals(table, "UNCERTAINTY"));
    let samples = |odd: usize| -> Vec<CountSample> {
        let pixels = (0..table.rows).filter(|k| k % 2 == odd);
        pixels.map(|k| CountSample { wavelength: wavelength[k], value: flux[k], error: error[k] }).collect()
    };
    let known = named("Feige 66").unwrap().fluxes();
    let options = ResponseOptions::default();
    let even = response(&samples(0), &known, &options).unwrap();
    let odd = response(&samples(1), &known, &ResponseOptions { clip: f64::INFINITY, ..options }).unwrap();
    // Bins of the odd pixels against the curve of the even ones: flux of the table over calibrated flux.
    let lines = [4101.7, 4340.5, 4861.3, 6562.8];
    let clean = |w: f64| !is_telluric(w, 50.0) && lines.iter().all(|l| (w - l).abs() > 60.0) && (4000.0..8800.0).contains(&w);
    let bins = odd.bins.iter().filter(|b| clean(b.wavelength));
    let off: Vec<f64> = bins.filter_map(|b| Some(b.ratio / even.at(b.wavelength)?.0 - 1.0)).collect();
    let within = off.iter().filter(|o| o.abs() < 0.03).count() as f64 / off.len() as f64;
    let rms = (off.iter().map(|o| o * o).sum::<f64>() / off.len() as f64).sqrt();
    assert!(off.len() > 60 && rms < 0.015 && within > 0.95, "{} bins, rms {rms}, {within} within 3 %: {off:?}", off.len());
}
