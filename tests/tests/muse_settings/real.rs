//! ESO's own `muse_exp_combine` on pixel tables that the test makes: the sign and the unit of the offsets are its, not ours.
//!
//! Two exposures of a star, dithered, with pointings that are off; the list sets the second beside the first. A pixel table holds the native spherical
//! coordinates of the tangential projection about the true pointing, its header the wrong one.

use std::path::Path;
use std::process::Command;

use ifured_core::Header;
use ifured_pixels::astrometry::TanSip;
use ifured_pixels::fits::{HduSelect, HduToWrite, ImageReader, Table, hdus, write_product};
use ifured_pixels::resample::TanGrid;
use ifured_tests::Scenario;
use ndarray::Array2;

const STAR: (f64, f64) = (150.003, -62.001);
const DATES: [&str; 2] = ["2017-09-04T02:24:00.000", "2017-09-04T02:44:00.000"];
/// True pointings, and measured minus true.
const POINTINGS: [(f64, f64); 2] = [(150.0, -62.0), (150.001, -62.0005)];
const ERRORS: [(f64, f64); 2] = [(2.0e-4, -1.5e-4), (-3.0e-4, 0.5e-4)];
/// Degrees per pixel.
const SCALE: f64 = 0.2 / 3600.0;
/// Spread of the star in arcseconds.
const SIGMA: f64 = 0.35;
const CRPIX: (f64, f64) = (100.0, 101.0);

fn grid(crval: (f64, f64)) -> TanGrid {
    TanGrid::north_up(crval, CRPIX, SCALE)
}

/// Pixel of the star in an exposure, from 0.
fn pixel(n: usize) -> (f64, f64) {
    grid(POINTINGS[n]).to_pixel(STAR.0, STAR.1)
}

fn header_pointing(n: usize) -> (f64, f64) {
    (POINTINGS[n].0 + ERRORS[n].0, POINTINGS[n].1 + ERRORS[n].1)
}

fn primary(n: usize, category: &str) -> Header {
    let mut h = Header::new();
    h.set("INSTRUME", "MUSE", "");
    h.set("OBJECT", "star", "");
    h.set("ESO PRO CATG", category, "");
    h.set("DATE-OBS", DATES[n], "");
    h.set("ESO INS MODE", "WFM-NOAO-N", "");
    h.set("ESO INS DROT MODE", "SKY", "");
    let (ra, dec) = header_pointing(n);
    let mjd = 58_000.1 + 0.0139 * n as f64;
    let numbers =
        [("RA", ra), ("DEC", dec), ("EXPTIME", 600.0), ("MJD-OBS", mjd), ("ESO INS DROT POSANG", 0.0), ("LST", 1000.0), ("UTC", 100.0)];
    numbers.iter().for_each(|(key, value)| h.set(key, *value, ""));
    h
}

fn light(dx: f64, dy: f64) -> f64 {
    1000.0 * (-(dx * dx + dy * dy) * (SCALE * 3600.0).powi(2) / (2.0 * SIGMA * SIGMA)).exp()
}

fn image(n: usize, to: &Path) {
    let (x, y) = pixel(n);
    let pixels = Array2::from_shape_fn((200, 200), |(row, column)| light(column as f64 - x, row as f64 - y) as f32);
    let mut h = Header::new();
    h.set("EXTNAME", "DATA", "");
    TanSip { tan: grid(header_pointing(n)), forward: None, inverse: None }.write(&mut h);
    write_product(to, &[HduToWrite::Empty(&primary(n, "IMAGE_FOV")), HduToWrite::image(&h, pixels.view())]).unwrap();
}

fn pixel_table(n: usize, to: &Path) {
    let (x0, y0) = pixel(n);
    let (mut phi, mut theta, mut lambda, mut data) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for i in -40..=40 {
        for j in -40..=40 {
            for k in 0..8 {
                // Pixels of the star's surroundings, not centred on it.
                let (dx, dy) = (f64::from(i) + 0.03, f64::from(j) - 0.07);
                let xi = (-SCALE * (x0 + dx + 1.0 - CRPIX.0)).to_radians();
                let eta = (SCALE * (y0 + dy + 1.0 - CRPIX.1)).to_radians();
                phi.push(xi.atan2(-eta) as f32);
                theta.push((1f64.atan2(xi.hypot(eta)) - std::f64::consts::FRAC_PI_2) as f32);
                lambda.push(5000.0 + 1.25 * k as f32);
                data.push(light(dx, dy) as f32);
            }
        }
    }
    let rows = phi.len();
    let mut h = primary(n, "PIXTABLE_REDUCED");
    let limits = |v: &[f32]| (f64::from(v.iter().copied().fold(f32::MAX, f32::min)), f64::from(v.iter().copied().fold(f32::MIN, f32::max)));
    for (name, (low, high)) in
        [("X", limits(&phi)), ("Y", limits(&theta)), ("LAMBDA", limits(&lambda)), ("IFU", (1.0, 1.0)), ("SLICE", (1.0, 48.0))]
    {
        h.set(&format!("ESO DRS MUSE PIXTABLE LIMITS {name} LOW"), low, "");
        h.set(&format!("ESO DRS MUSE PIXTABLE LIMITS {name} HIGH"), high, "");
    }
    (1..=48).for_each(|slice| h.set(&format!("ESO DRS MUSE PIXTABLE EXP0 IFU01 SLICE{slice:02} XOFFSET"), 0i64, ""));
    h.set("ESO DRS MUSE PIXTABLE TYPE", "GEOFULL", "");
    h.set("ESO DRS MUSE PIXTABLE FLUXCAL", true, "");
    h.set("ESO DRS MUSE PIXTABLE RVCORR", 0.0, "");
    h.set("ESO DRS MUSE PIXTABLE WCS", "projected (intermediate)", "");
    TanSip { tan: TanGrid::north_up((0.0, 0.0), (0.0, 0.0), SCALE), forward: None, inverse: None }.write(&mut h);
    let column = |name: &str, unit: &str| {
        let mut h = Header::new();
        h.set("EXTNAME", name, "");
        if !unit.is_empty() {
            h.set("BUNIT", unit, "");
        }
        h
    };
    let flux = "10**(-20)*erg/s/cm**2/Angstrom";
    let variance = "(10**(-20)*erg/s/cm**2/Angstrom)**2";
    let headers =
        [("xpos", "rad"), ("ypos", "rad"), ("lambda", "Angstrom"), ("data", flux), ("stat", variance), ("dq", ""), ("origin", "")]
            .map(|(name, unit)| column(name, unit));
    let real = |values: Vec<f32>| Array2::from_shape_vec((rows, 1), values).unwrap();
    let reals = [phi, theta, lambda, data, vec![1.0; rows]].map(real);
    let origin = (0..rows).map(|i| ((i % 70 + 5) << 24 | (i % 4000 + 1) << 11 | 1 << 6 | (i % 48 + 1)) as i32).collect();
    let whole = [vec![0i32; rows], origin].map(|values| Array2::from_shape_vec((rows, 1), values).unwrap());
    let mut all = vec![HduToWrite::Empty(&h)];
    all.extend(headers.iter().zip(&reals).map(|(h, p)| HduToWrite::image(h, p.view())));
    all.extend(headers[5..].iter().zip(&whole).map(|(h, p)| HduToWrite::image(h, p.view())));
    write_product(to, &all).unwrap();
}

fn offsets(to: &Path) {
    let mut header = Header::new();
    header.set("EXTNAME", "OFFSET_LIST", "");
    let mut table = Table::new(header, 2);
    table.push("DATE_OBS", "", DATES.map(str::to_owned).to_vec().into());
    table.push("MJD_OBS", "d", vec![58_000.1f64, 58_000.113_9].into());
    table.push("RA_OFFSET", "deg", vec![0.0, ERRORS[1].0 - ERRORS[0].0].into());
    table.push("DEC_OFFSET", "deg", vec![0.0, ERRORS[1].1 - ERRORS[0].1].into());
    table.push("FLUX_SCALE", "", vec![f64::NAN; 2].into());
    write_product(to, &[HduToWrite::Empty(&primary(0, "OFFSET_LIST")), HduToWrite::Table(&table)]).unwrap();
}

/// How far the centre of all light is from the star's place, in arcseconds along right ascension and declination.
fn off(image: &Path) -> (f64, f64) {
    let wcs = hdus(image).unwrap().iter().find_map(|h| Some((TanSip::of_header(&h.header)?, h.index))).unwrap();
    let pixels = ImageReader::open(image, HduSelect::Index(wcs.1)).unwrap().read_all().unwrap();
    let brightest = pixels.iter().copied().filter(|v| v.is_finite()).fold(0f32, f32::max);
    let (mut sum, mut x, mut y) = (0.0, 0.0, 0.0);
    for ((row, column), &v) in pixels.indexed_iter().filter(|(_, v)| **v > 0.02 * brightest) {
        sum += f64::from(v);
        x += f64::from(v) * column as f64;
        y += f64::from(v) * row as f64;
    }
    let (ra, dec) = wcs.0.to_sky(x / sum, y / sum);
    (3600.0 * (ra - STAR.0) * STAR.1.to_radians().cos(), 3600.0 * (dec - STAR.1))
}

fn combined(s: &Scenario, list: &str, to: &str) -> (f64, f64) {
    let list = format!("offsets={list}");
    s.ifured(&["-i", "muse", "-o", to, "recipe", "run", "muse_exp_combine", "0-table.fits", "1-table.fits", "--input", &list]).code(0);
    let found = ifured_tests::products(&s.join(to)).into_keys().find(|n| n.starts_with("IMAGE_FOV")).unwrap();
    off(&s.join(to).join(found))
}

#[test]
fn the_star_lands_on_its_place_in_the_cube_that_eso_combines() {
    let recipes = Command::new("esorex").arg("--recipes").output().map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    if !recipes.is_ok_and(|r| r.contains("muse_exp_combine")) {
        ifured_tests::skip("esorex with the recipes of MUSE is not installed");
        return;
    }
    let s = Scenario::new();
    for n in 0..2 {
        image(n, &s.join(format!("{n}-image.fits")));
        pixel_table(n, &s.join(format!("{n}-table.fits")));
    }
    offsets(&s.join("list.fits"));
    // Without registration the error of the first pointing is left.
    let (ra, dec) = combined(&s, "list.fits", "plain");
    let expected = (3600.0 * ERRORS[0].0 * STAR.1.to_radians().cos(), 3600.0 * ERRORS[0].1);
    assert!((ra - expected.0).abs() < 0.02 && (dec - expected.1).abs() < 0.02, "{ra} {dec}, expected {expected:?}");
    // In the image of either exposure; the second is not the reference.
    for (n, date) in DATES.iter().enumerate() {
        let (x, y) = pixel(n);
        let position = serde_json::json!([{"x": x + 1.0, "y": y + 1.0, "ra": STAR.0, "dec": STAR.1, "exposure": date}]);
        let set = format!("recipes.muse_register.positions={position}");
        let to = format!("registered-{n}");
        let run =
            ["-i", "muse", "-o", &to, "recipe", "run", "muse_register", "0-image.fits", "1-image.fits", "--input", "offsets=list.fits"];
        s.ifured(&[&run[..], &["--set", &set]].concat()).code(0);
        let made = |tag: &str| {
            let name = ifured_tests::products(&s.join(&to)).into_keys().find(|name| name.starts_with(tag)).unwrap();
            format!("{to}/{name}")
        };
        let moved = off(&s.join(made("IMAGE_FOV_REGISTERED")));
        assert!(moved.0.hypot(moved.1) < 0.002, "{moved:?}");
        // A fiftieth of a pixel: the resampling, see the plain combination.
        let (ra, dec) = combined(&s, &made("OFFSET_LIST_REGISTERED"), &format!("combined-{n}"));
        assert!(ra.hypot(dec) < 0.02, "{ra} {dec}");
    }
}
