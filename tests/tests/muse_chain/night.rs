//! Raw frames of one MUSE channel that ESO's recipes accept: 48 slices on a detector of four outputs, with true traces and wavelengths.
//!
//! The detector is that of the instrument (four quadrants of 2048 x 2056 pixels, each with 32 pixels of pre- and overscan), and so is the arrangement of
//! the slices and of the wavelengths; the numbers are the test's own. Signals are in electrons, one electron a count.

use std::path::Path;

use ifured_core::Header;
use ifured_pixels::fits::{HduToWrite, Table, write_product};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The channel.
const CHANNEL: &str = "CHAN07";
/// Trimmed detector.
const COLUMNS: usize = 4096;
const ROWS: usize = 4112;
/// Pre- and overscan at each end of an output.
const SCAN: usize = 32;
const SLICES: usize = 48;
const BIAS: f64 = 1000.0;
const READ_NOISE: f64 = 2.8;
/// Width of a slice, and sigma of a line, in pixels.
const SLICE_WIDTH: f64 = 76.6;
const LINE_SIGMA: f64 = 0.85;

/// Lamp, its number in the header, ion.
type Lamp = (&'static str, usize, &'static [(f64, f64, &'static str)]);

/// Wavelength in air (Angstrom), relative flux, ion: strong lines that stand alone (NIST Atomic Spectra Database).
const LAMPS: [Lamp; 3] = [
    (
        "NE",
        3,
        &[
            (5330.778, 60.0, "NeI"),
            (5400.562, 100.0, "NeI"),
            (5748.298, 60.0, "NeI"),
            (5852.488, 900.0, "NeI"),
            (5881.895, 300.0, "NeI"),
            (5944.834, 350.0, "NeI"),
            (5975.534, 120.0, "NeI"),
            (6029.997, 200.0, "NeI"),
            (6074.338, 500.0, "NeI"),
            (6096.163, 550.0, "NeI"),
            (6143.063, 800.0, "NeI"),
            (6163.594, 300.0, "NeI"),
            (6217.281, 250.0, "NeI"),
            (6266.495, 500.0, "NeI"),
            (6334.428, 700.0, "NeI"),
            (6382.992, 700.0, "NeI"),
            (6402.248, 1500.0, "NeI"),
            (6506.528, 900.0, "NeI"),
            (6532.882, 350.0, "NeI"),
            (6598.953, 500.0, "NeI"),
            (6678.276, 900.0, "NeI"),
            (6717.043, 400.0, "NeI"),
            (6929.467, 800.0, "NeI"),
            (7032.413, 1400.0, "NeI"),
            (7173.938, 300.0, "NeI"),
            (7245.167, 1100.0, "NeI"),
            (7438.898, 400.0, "NeI"),
            (8136.406, 100.0, "NeI"),
            (8377.608, 400.0, "NeI"),
            (8495.360, 250.0, "NeI"),
            (8634.647, 200.0, "NeI"),
            (8783.753, 150.0, "NeI"),
            (8853.867, 120.0, "NeI"),
            (9201.759, 90.0, "NeI"),
            (9300.853, 100.0, "NeI"),
        ],
    ),
    (
        "XE",
        4,
        &[
            (4624.276, 150.0, "XeI"),
            (4671.226, 250.0, "XeI"),
            (4734.152, 150.0, "XeI"),
            (4807.019, 80.0, "XeI"),
            (7119.598, 200.0, "XeI"),
            (7584.680, 90.0, "XeI"),
            (7642.024, 200.0, "XeI"),
            (7887.393, 120.0, "XeI"),
            (7967.342, 200.0, "XeI"),
            (8231.635, 1200.0, "XeI"),
            (8280.116, 900.0, "XeI"),
            (8346.822, 400.0, "XeI"),
            (8409.189, 400.0, "XeI"),
            (8819.411, 900.0, "XeI"),
            (8952.251, 400.0, "XeI"),
            (9045.446, 200.0, "XeI"),
            (9162.652, 400.0, "XeI"),
        ],
    ),
    (
        "HGCD",
        5,
        &[
            (4678.149, 250.0, "CdI"),
            (4799.912, 600.0, "CdI"),
            (4916.068, 60.0, "HgI"),
            (5085.822, 900.0, "CdI"),
            (5460.735, 1500.0, "HgI"),
            (5769.598, 300.0, "HgI"),
            (6438.470, 1500.0, "CdI"),
        ],
    ),
];

/// Position along the detector, -1 to 1.
fn along(row: f64) -> f64 {
    (row - 2055.5) / 2055.5
}

/// Column of the middle of a slice, from 0.
fn centre(slice: usize, t: f64) -> f64 {
    let across = (slice as f64 - 23.5) / 23.5;
    59.0 + 84.3 * slice as f64 + 6.0 * across * t + 1.5 * across * t * t
}

/// Wavelength (Angstrom) at a distance from the middle of a slice: 1.25 Angstrom a pixel, slices staggered by four.
fn wavelength(slice: usize, t: f64, distance: f64) -> f64 {
    let stagger = 18.0 * ((slice % 4) as f64 - 1.5);
    7000.0 + stagger + 2560.0 * t + 30.0 * t * t - 12.0 * t.powi(3) + 0.012 * distance + 4e-4 * distance * distance
}

/// Where a wavelength falls, by Newton's method.
fn row_of(slice: usize, distance: f64, lambda: f64) -> f64 {
    let mut t = (lambda - 7000.0) / 2560.0;
    for _ in 0..5 {
        t -= (wavelength(slice, t, distance) - lambda) / (2560.0 + 60.0 * t - 36.0 * t * t);
    }
    2055.5 + 2055.5 * t
}

/// Row, from 0, at which a line falls on a column (from 0) of a slice.
pub fn row_of_line(slice: usize, column: f64, lambda: f64) -> f64 {
    row_of(slice, column - column_of_line(slice, lambda), lambda)
}

/// Column of the middle of a slice where a line is.
fn column_of_line(slice: usize, lambda: f64) -> f64 {
    centre(slice, along(row_of(slice, 0.0, lambda)))
}

/// Electrons in the trimmed detector.
fn dark_detector() -> Array2<f32> {
    Array2::zeros((ROWS, COLUMNS))
}

/// Calls for each pixel that a slice lights: row, column, how much of it, distance from the middle of the slice.
fn lit(slice: usize, mut pixel: impl FnMut(usize, usize, f64, f64)) {
    // Edges are not sharp: half of the light within half a pixel of the edge is beyond it.
    let inside = |d: f64| 1.0 / (1.0 + (-d / 0.3).exp());
    for row in 0..ROWS {
        let middle = centre(slice, along(row as f64));
        let (first, last) = ((middle - SLICE_WIDTH / 2.0 - 3.0).max(0.0), (middle + SLICE_WIDTH / 2.0 + 3.0).min(COLUMNS as f64 - 1.0));
        for column in first as usize..=last as usize {
            let distance = column as f64 - middle;
            pixel(row, column, inside(SLICE_WIDTH / 2.0 - distance.abs()), distance);
        }
    }
}

/// A lamp with a smooth spectrum.
fn lamp_flat() -> Array2<f32> {
    let mut image = dark_detector();
    for slice in 0..SLICES {
        lit(slice, |row, column, share, _| {
            let t = along(row as f64);
            image[[row, column]] += (share * 22_000.0 * (1.0 - 0.5 * (t - 0.1) * (t - 0.1))) as f32;
        });
    }
    image
}

/// A lamp with lines.
fn arc(lines: &[(f64, f64, &str)]) -> Array2<f32> {
    let mut image = dark_detector();
    for slice in 0..SLICES {
        for &(lambda, flux, _) in lines {
            let at = column_of_line(slice, lambda);
            for column in (at - 42.0).max(0.0) as usize..=(at + 42.0).min(COLUMNS as f64 - 1.0) as usize {
                let distance = column as f64 - at;
                let share = 1.0 / (1.0 + (-(SLICE_WIDTH / 2.0 - distance.abs()) / 0.3).exp());
                let line = row_of_line(slice, column as f64, lambda);
                for row in (line - 7.0).max(0.0) as usize..=(line + 7.0).clamp(0.0, ROWS as f64 - 1.0) as usize {
                    let d = (row as f64 - line) / LINE_SIGMA;
                    image[[row, column]] += (share * 30.0 * flux * (-0.5 * d * d).exp()) as f32;
                }
            }
        }
    }
    image
}

/// A number of mean 0 and sigma 1: the sum of four uniform ones, cut off at 3.5 sigma, which is normal enough for noise.
fn noise(random: &mut ChaCha8Rng) -> f64 {
    let bits: u64 = random.random();
    let sum: f64 = (0..4).map(|n| ((bits >> (16 * n)) & 0xffff) as f64 / 65_535.0).sum();
    (sum - 2.0) * 3f64.sqrt()
}

/// The frame as it is read out: bias, noise, pre- and overscans.
fn read_out(electrons: &Array2<f32>, seed: u64) -> Array2<u16> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (rows, columns) = (ROWS + 4 * SCAN, COLUMNS + 4 * SCAN);
    // Place in the trimmed detector of a place in the frame, along one axis.
    let trimmed = |at: usize, half: usize| {
        let (output, within) = (at / (half + 2 * SCAN), at % (half + 2 * SCAN));
        (SCAN..SCAN + half).contains(&within).then(|| output * half + within - SCAN)
    };
    Array2::from_shape_fn((rows, columns), |(y, x)| {
        let signal = match (trimmed(y, ROWS / 2), trimmed(x, COLUMNS / 2)) {
            (Some(row), Some(column)) => f64::from(electrons[[row, column]]),
            _ => 0.0,
        };
        let sigma = (signal + READ_NOISE * READ_NOISE).sqrt();
        (BIAS + signal + sigma * noise(&mut random)).round().clamp(0.0, 65_535.0) as u16
    })
}

/// Primary header of a frame taken `n` minutes after noon.
fn primary(n: usize, kind: &str, template: &str, exptime_s: f64, lamp: Option<usize>) -> Header {
    let mut h = Header::new();
    let time = format!("2017-09-04T12:{n:02}:00.000");
    h.set("ORIGIN", "TEST", "");
    h.set("TELESCOP", "ESO-VLT-U4", "");
    h.set("INSTRUME", "MUSE", "");
    h.set("OBJECT", kind, "");
    h.set("DATE", time.as_str(), "");
    h.set("DATE-OBS", time.as_str(), "");
    h.set("MJD-OBS", 58_000.5 + n as f64 / 1440.0, "");
    h.set("EXPTIME", exptime_s, "");
    h.set("ESO DPR CATG", if kind == "OBJECT" { "SCIENCE" } else { "CALIB" }, "");
    h.set("ESO DPR TYPE", kind, "");
    h.set("ESO DPR TECH", "IFU", "");
    h.set("ESO TPL START", template, "");
    h.set("ESO INS MODE", "WFM-NOAO-N", "");
    h.set("ESO INS LAMPNUM", 6i64, "");
    for number in 1..=6usize {
        h.set(&format!("ESO INS LAMP{number} NAME"), format!("CU-LAMP{number}"), "");
        h.set(&format!("ESO INS LAMP{number} ST"), lamp == Some(number), "");
        h.set(&format!("ESO INS SHUT{number} NAME"), format!("CU-SHUT{number}"), "");
        h.set(&format!("ESO INS SHUT{number} ST"), lamp == Some(number), "");
    }
    h.set("ESO DET READ CURID", 1i64, "");
    h.set("ESO DET READ CURNAME", "SCI1.0", "");
    h.set("ESO DET BINX", 1i64, "");
    h.set("ESO DET BINY", 1i64, "");
    h
}

fn detector(channel: &str) -> Header {
    let mut h = Header::new();
    h.set("EXTNAME", channel, "");
    h.set("ESO DET BINX", 1i64, "");
    h.set("ESO DET BINY", 1i64, "");
    h.set("ESO DET CHIP NAME", "TEST", "");
    h.set("ESO DET CHIP ID", "test", "");
    h.set("ESO DET CHIP DATE", "2014-01-01", "");
    h.set("ESO DET CHIP LIVE", true, "");
    h.set("ESO DET CHIP NX", COLUMNS as i64, "");
    h.set("ESO DET CHIP NY", ROWS as i64, "");
    h.set("ESO DET OUTPUTS", 4i64, "");
    for (n, (x, y)) in [(1i64, 1i64), (4096, 1), (4096, 4112), (1, 4112)].into_iter().enumerate() {
        let mut of_output = |key: &str, value: f64| h.set(&format!("ESO DET OUT{} {key}", n + 1), value, "");
        of_output("GAIN", 1.0);
        of_output("RON", READ_NOISE);
        let mut of_output = |key: &str, value: i64| h.set(&format!("ESO DET OUT{} {key}", n + 1), value, "");
        of_output("X", x);
        of_output("Y", y);
        of_output("NX", (COLUMNS / 2) as i64);
        of_output("NY", (ROWS / 2) as i64);
        for key in ["PRSCX", "PRSCY", "OVSCX", "OVSCY"] {
            of_output(key, SCAN as i64);
        }
    }
    h
}

fn write(directory: &Path, name: &str, primary: &Header, electrons: &Array2<f32>, seed: u64) {
    let (detector, pixels) = (detector(CHANNEL), read_out(electrons, seed));
    write_product(directory.join(name), &[HduToWrite::Empty(primary), HduToWrite::image(&detector, pixels.view())]).unwrap();
}

/// Three biases, three lamp flats, an arc of each of three lamps, and the catalogue of their lines.
pub fn write_calibrations(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    let (dark, flat) = (dark_detector(), lamp_flat());
    for (n, (lamp, number, lines)) in LAMPS.into_iter().enumerate() {
        let header = primary(n, "BIAS", "2017-09-04T12:00:00", 0.0, None);
        write(directory, &format!("bias{n}.fits"), &header, &dark, n as u64);
        let header = primary(10 + n, "FLAT,LAMP", "2017-09-04T12:10:00", 2.0, Some(1));
        write(directory, &format!("flat{n}.fits"), &header, &flat, 10 + n as u64);
        let header = primary(20 + n, &format!("WAVE,{lamp}"), "2017-09-04T12:20:00", 10.0, Some(number));
        write(directory, &format!("arc{n}.fits"), &header, &arc(lines), 20 + n as u64);
    }
    line_catalogue(directory);
}

fn line_catalogue(directory: &Path) {
    let mut lines: Vec<(f64, f64, &str)> = LAMPS.iter().flat_map(|(_, _, lines)| lines.iter().copied()).collect();
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut table = Table::new(Header::new(), lines.len());
    table.push("lambda", "Angstrom", lines.iter().map(|l| l.0 as f32).collect::<Vec<f32>>().into());
    table.push("flux", "", lines.iter().map(|l| 100.0 * l.1 as f32).collect::<Vec<f32>>().into());
    table.push("ion", "", lines.iter().map(|l| l.2.to_owned()).collect::<Vec<String>>().into());
    table.push("quality", "", lines.iter().map(|l| if l.1 >= 200.0 { 5i32 } else { 3 }).collect::<Vec<i32>>().into());
    table.push("comment", "", lines.iter().map(|_| "test".to_owned()).collect::<Vec<String>>().into());
    let mut header = of_category("LINE_CATALOG");
    header.set("VERSION", 3i64, "");
    write_product(directory.join("line_catalog.fits"), &[HduToWrite::Empty(&header), HduToWrite::Table(&table)]).unwrap();
}

fn of_category(category: &str) -> Header {
    let mut header = Header::new();
    header.set("INSTRUME", "MUSE", "");
    header.set("ESO PRO CATG", category, "");
    header
}

/// Channels of [`write_headers`].
const TWO_CHANNELS: [&str; 2] = ["CHAN07", "CHAN08"];

/// A night of two channels to be planned and not reduced: true headers, next to no pixels, and science exposures of one field from the first to before the
/// last number.
pub fn write_headers(directory: &Path, exposures: std::ops::Range<usize>) {
    std::fs::create_dir_all(directory).unwrap();
    let write = |name: &str, primary: &Header| {
        let (detectors, pixels) = (TWO_CHANNELS.map(detector), Array2::<u16>::from_elem((4, 4), primary.real("EXPTIME").unwrap() as u16));
        let [first, second] = detectors.each_ref().map(|d| HduToWrite::image(d, pixels.view()));
        write_product(directory.join(name), &[HduToWrite::Empty(primary), first, second]).unwrap();
    };
    for n in 0..3 {
        write(&format!("bias{n}.fits"), &primary(n, "BIAS", "2017-09-04T12:00:00", 0.0, None));
        write(&format!("flat{n}.fits"), &primary(10 + n, "FLAT,LAMP", "2017-09-04T12:10:00", 2.0, Some(1)));
        write(&format!("arc{n}.fits"), &primary(20 + n, "WAVE", "2017-09-04T12:20:00", 10.0, Some(3 + n)));
    }
    write("std.fits", &primary(30, "STD", "2017-09-04T12:30:00", 30.0, None));
    for n in exposures {
        let mut header = primary(40 + n, "OBJECT", "2017-09-04T12:40:00", 600.0, None);
        header.set("RA", 53.16 + 0.001 * n as f64, "");
        header.set("DEC", -27.79, "");
        write(&format!("object{n}.fits"), &header);
    }
    for category in ["LINE_CATALOG", "GEOMETRY_TABLE", "EXTINCT_TABLE", "STD_FLUX_TABLE", "SKY_LINES", "ASTROMETRY_WCS", "FILTER_LIST"] {
        let mut table = Table::new(Header::new(), 1);
        table.push("lambda", "Angstrom", vec![5000.0f64].into());
        let name = format!("{}.fits", category.to_lowercase());
        write_product(directory.join(name), &[HduToWrite::Empty(&of_category(category)), HduToWrite::Table(&table)]).unwrap();
    }
}
