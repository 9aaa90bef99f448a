//! A night of KMOS that a test makes, and a stand-in for esorex with the products that it copies.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use ifured_core::Header;
use ifured_pixels::fits::{HduToWrite, primary_header, write_product};
use ifured_tests::{Ran, Scenario};
use ndarray::{Array2, Array3};

/// Start of the first template.
const START_MJD: f64 = 59_371.0;
const RECIPES: [&str; 7] =
    ["kmos_dark", "kmos_flat", "kmos_wave_cal", "kmos_illumination", "kmos_std_star", "kmos_sci_red", "kmos_combine"];

const STAND_IN: &str = r#"#!/bin/sh
# Stand-in for esorex, written by a test: no recipe of ESO is run.
for last; do :; done
for argument in "$@"; do
  case $argument in
    --recipes) echo ' ***** Stand-in for the ESO Recipe Execution Tool, version 3.13.6  *****'; cat "$HERE/recipes.txt"; exit 0;;
    --man-page) echo "  $last -- version 1.4.3"; exit 0;;
    --create-config=*) cat "$HERE/parameters/$last.json" > "${argument#--create-config=}"; exit 0;;
    --obj_sky_table=*) cp "${argument#--obj_sky_table=}" "$HERE/calls/obj_sky_table.txt";;
    --filename=*) cp "${argument#--filename=}" "$HERE/calls/filename.txt";;
    kmos_*) recipe=$argument;;
  esac
done
cp frames.sof "$HERE/calls/$recipe.sof"
echo "$@" > "$HERE/calls/$recipe.arguments"
echo "00:00:00 [ INFO  ] $recipe: this is a stand-in"
cp "$HERE/products/$recipe"/*.fits .
exit 0
"#;

/// A night, and a stand-in for esorex with its products.
pub struct Night {
    scenario: Scenario,
}

/// Letters of the arms 1 to 6 of the science exposures; arm 5 is off, and arm 6 has no name.
pub const ARMS: [&str; 4] = ["OORO.O", "SSSS.S", "OORO.O", "SSSS.S"];

impl Night {
    pub fn new() -> Self {
        let night = Night { scenario: Scenario::new() };
        for directory in ["raw", "stand-in/parameters", "stand-in/calls", "stand-in/products"] {
            std::fs::create_dir_all(night.path(directory)).unwrap();
        }
        night.stand_in();
        night.calibrations();
        for (n, letters) in ARMS.iter().enumerate() {
            night.science(n, "2021-06-06T03:00:00", "1001", letters, "K");
        }
        night
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scenario.join(name)
    }

    fn stand_in(&self) {
        let here = format!("\nHERE='{}'\n", self.path("stand-in").display());
        let script = STAND_IN.replacen('\n', &here, 1);
        std::fs::write(self.path("stand-in/esorex"), script).unwrap();
        std::fs::set_permissions(self.path("stand-in/esorex"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let text = |name: &str| {
            format!(
                r#"{{"name": "k.{name}", "value": "", "valtype": "string", "partype": "value", "display_name": "{name}", "description": "x"}}"#
            )
        };
        let mut list = String::new();
        for recipe in RECIPES {
            list += &format!("  {recipe:<22}: A stand-in\n");
            let parameters = format!("[{}, {}, {}]", text("obj_sky_table"), text("filename"), text("method"));
            std::fs::write(self.path(&format!("stand-in/parameters/{recipe}.json")), parameters).unwrap();
            std::fs::create_dir_all(self.path(&format!("stand-in/products/{recipe}"))).unwrap();
        }
        std::fs::write(self.path("stand-in/recipes.txt"), list).unwrap();
        let detectors: [(&str, &str, &str); 10] = [
            ("kmos_dark", "MASTER_DARK", "DATA"),
            ("kmos_dark", "BADPIXEL_DARK", "BADPIX"),
            ("kmos_flat", "MASTER_FLAT", "DATA"),
            ("kmos_flat", "XCAL", "DATA"),
            ("kmos_flat", "YCAL", "DATA"),
            ("kmos_flat", "BADPIXEL_FLAT", "BADPIX"),
            ("kmos_flat", "FLAT_EDGE", "DATA"),
            ("kmos_wave_cal", "LCAL", "DATA"),
            ("kmos_wave_cal", "DET_IMG_WAVE", "DATA"),
            ("kmos_illumination", "ILLUM_CORR", "DATA"),
        ];
        for (recipe, category, layer) in detectors {
            self.detectors(recipe, category, layer);
        }
        self.cubes("kmos_std_star", "TELLURIC", "TELLURIC", "", &[(1, Fill::Light, 0.001)]);
        for n in [0, 2] {
            self.reconstructed(n, &[1, 2, 3, 4, 6], Fill::Light, 0.000_28);
        }
        for target in ["galaxy 1", "galaxy 2", "star_3", "galaxy 4"] {
            self.combined("kmos_sci_red", "SCI_COMBINED", target);
        }
    }

    /// F2D and B2D: an image for each detector.
    fn detectors(&self, recipe: &str, category: &str, layer: &str) {
        let mut primary = Header::new();
        primary.set("ESO PRO CATG", category, "");
        let headers: Vec<Header> = (1..=3)
            .map(|n| {
                let mut h = Header::new();
                h.set("EXTNAME", format!("DET.{n}.{layer}"), "");
                h.set("ESO PRO ROT NAANGLE", 0.0, "");
                h
            })
            .collect();
        let pixels = Array2::from_elem((8, 8), 1f32);
        let images = headers.iter().map(|h| HduToWrite::image(h, pixels.view()));
        let hdus: Vec<HduToWrite> = std::iter::once(HduToWrite::Empty(&primary)).chain(images).collect();
        write_product(self.path(&format!("stand-in/products/{recipe}/{category}.fits")), &hdus).unwrap();
    }

    /// F3I: 24 extensions, of which those of unused arms have no data.
    fn cubes(&self, recipe: &str, file: &str, category: &str, date: &str, cubes: &[(u8, Fill, f64)]) {
        let mut primary = Header::new();
        primary.set("ESO PRO CATG", category, "");
        primary.set("DATE-OBS", date, "");
        let of = |arm: u8| cubes.iter().find(|(a, ..)| *a == arm);
        let headers: Vec<Header> = (1..=24u8)
            .map(|arm| {
                let mut h = Header::new();
                h.set("EXTNAME", format!("IFU.{arm}.DATA"), "");
                if let Some((_, _, step)) = of(arm) {
                    h.set("CRVAL3", 1.925, "");
                    h.set("CDELT3", *step, "");
                    h.set(&format!("ESO OCS ARM{arm} NAME"), target(arm), "");
                }
                h
            })
            .collect();
        let data: Vec<Option<Array3<f32>>> =
            (1..=24u8).map(|arm| of(arm).map(|(_, fill, _)| Array3::from_elem((16, 14, 14), fill.value()))).collect();
        let extensions = headers.iter().zip(&data).map(|(h, d)| match d {
            Some(d) => HduToWrite::image(h, d.view()),
            None => HduToWrite::Empty(h),
        });
        let hdus: Vec<HduToWrite> = std::iter::once(HduToWrite::Empty(&primary)).chain(extensions).collect();
        write_product(self.path(&format!("stand-in/products/{recipe}/{file}.fits")), &hdus).unwrap();
    }

    pub fn reconstructed(&self, n: usize, arms: &[u8], fill: Fill, step: f64) {
        let cubes: Vec<(u8, Fill, f64)> = arms.iter().map(|a| (*a, fill, step)).collect();
        let file = format!("SCI_RECONSTRUCTED_{}", science_name(n).trim_end_matches(".fits"));
        self.cubes("kmos_sci_red", &file, "SCI_RECONSTRUCTED", &date(science_mjd(n), 4), &cubes);
    }

    pub fn combined(&self, recipe: &str, category: &str, target: &str) {
        let (mut primary, mut data) = (Header::new(), Header::new());
        primary.set("ESO PRO CATG", format!("{category}_{}", target.replace(' ', "_")), "");
        data.set("EXTNAME", format!("{target}.DATA"), "");
        data.set("CDELT3", 0.000_28, "");
        let cube = Array3::from_elem((16, 18, 19), 1f32);
        let file = self.path(&format!("stand-in/products/{recipe}/{category}_{}.fits", target.replace(' ', "_")));
        write_product(file, &[HduToWrite::Empty(&primary), HduToWrite::image(&data, cube.view())]).unwrap();
    }

    fn raw(&self, name: &str, header: &Header) {
        let pixels = Array2::from_elem((8, 8), 100u16);
        let headers: Vec<Header> = (1..=3i64)
            .map(|n| {
                let mut h = Header::new();
                h.set("EXTNAME", format!("CHIP{n}.INT1"), "");
                h
            })
            .collect();
        let images = headers.iter().map(|h| HduToWrite::image(h, pixels.view()));
        let hdus: Vec<HduToWrite> = std::iter::once(HduToWrite::Empty(header)).chain(images).collect();
        write_product(self.path(&format!("raw/{name}")), &hdus).unwrap();
    }

    /// Three darks; flats and arcs at two rotator angles; a standard star; static calibrations.
    fn calibrations(&self) {
        let mut minute = 0;
        let mut template = |dpr: [&str; 3], filter: &str, exposure_s: f64, start: &str, angle: f64| {
            minute += 2;
            let mjd = START_MJD + 0.02 + f64::from(minute) / 1440.0;
            let mut h = raw_header(dpr, mjd, start, filter, "K", exposure_s);
            h.set("ESO OCS ROT NAANGLE", angle, "");
            if dpr[1].contains("STD") {
                h.set("ESO OCS STDSTAR TYPE", "G2V", "");
                h.set("ESO OCS ARM1 TYPE", "O", "");
                h.set("ESO OCS ARM1 NAME", "HD 1", "");
            }
            self.raw(&format!("KMOS.{}.fits", date(mjd, 3)), &h);
        };
        for _ in 0..3 {
            template(["CALIB", "DARK", "IMAGE"], "Block", 60.0, "dark", 0.0);
        }
        for _ in 0..3 {
            template(["CALIB", "FLAT,OFF", "IMAGE"], "Block", 3.0, "flat", 0.0);
        }
        for angle in [0.0, 60.0, 120.0] {
            template(["CALIB", "FLAT,LAMP", "SPECTRUM"], "K", 3.0, "flat", angle);
        }
        template(["CALIB", "WAVE,OFF", "IMAGE"], "Block", 8.0, "arc", 0.0);
        for angle in [0.0, 60.0] {
            template(["CALIB", "WAVE,LAMP", "SPECTRUM"], "K", 8.0, "arc", angle);
        }
        for _ in 0..2 {
            template(["CALIB", "OBJECT,SKY,STD,FLUX", "IFU"], "K", 5.0, "standard", 0.0);
        }
        for (category, band) in [
            ("ARC_LIST", Some("K")),
            ("ARC_LIST", Some("H")),
            ("OH_SPEC", Some("H")),
            ("OH_SPEC", Some("K")),
            ("SOLAR_SPEC", Some("K")),
            ("ATMOS_MODEL", Some("K")),
            ("REF_LINES", None),
            ("WAVE_BAND", None),
            ("SPEC_TYPE_LOOKUP", None),
        ] {
            let mut h = Header::new();
            h.set("INSTRUME", "KMOS", "");
            h.set("ESO PRO CATG", category, "");
            if let Some(band) = band {
                h.set("ESO FILT ID", band, "");
            }
            self.raw(&format!("kmos_{}_{}.fits", category.to_lowercase(), band.unwrap_or("all").to_lowercase()), &h);
        }
    }

    pub fn science(&self, n: usize, start: &str, block: &str, letters: &str, band: &str) {
        let mut h = raw_header(["SCIENCE", "OBJECT,SKY", "IFU"], science_mjd(n), start, band, band, 300.0);
        h.set("ESO OBS ID", block, "");
        h.set("ESO OCS ROT NAANGLE", 17.0, "");
        h.set("ESO OCS ROT OFFANGLE", 0.0, "");
        let letters: Vec<char> = letters.chars().collect();
        for arm in 1..=24u8 {
            match letters.get(usize::from(arm) - 1) {
                Some(letter @ ('O' | 'S' | 'R')) => {
                    h.set(&format!("ESO OCS ARM{arm} TYPE"), letter.to_string(), "");
                    h.set(&format!("ESO OCS ARM{arm} NAME"), target(arm), "");
                }
                _ => h.set(&format!("ESO OCS ARM{arm} NOTUSED"), "NotInPAF/Locked", ""),
            }
        }
        self.raw(&science_name(n), &h);
    }

    pub fn ifured(&self, arguments: &[&str]) -> Ran {
        let all: Vec<&str> = ["-i", "kmos", "--output", "out"].into_iter().chain(arguments.iter().copied()).collect();
        let output = self.scenario.command(&all).env("IFURED_ESOREX", self.path("stand-in/esorex")).output().unwrap();
        self.scenario.ran(all.join(" "), output)
    }

    pub fn reduce(&self, more: &[&str]) -> Ran {
        let all: Vec<&str> = ["reduce", "raw"].into_iter().chain(more.iter().copied()).collect();
        self.ifured(&all)
    }

    /// The quality numbers and the notes of the science task, in one text.
    pub fn science_says(&self, numbers: &[(&str, f64)], grade: &str) -> String {
        let header = primary_header(self.product("SCI_RECONSTRUCTED")).unwrap();
        let names: Vec<String> = (1..40).filter_map(|n| Some(header.text(&format!("IFURED QC{n} NAME")).ok()?.to_owned())).collect();
        for (name, value) in numbers {
            let n = names.iter().position(|q| q == name).unwrap_or_else(|| panic!("no {name} in {names:?}")) + 1;
            assert_eq!(header.real(&format!("IFURED QC{n} VALUE")).unwrap(), *value, "{name}");
        }
        assert_eq!(header.text("IFURED GRADE"), Ok(grade), "{names:?}");
        self.report()
    }

    /// All pages of the report in one text.
    pub fn report(&self) -> String {
        let mut text = String::new();
        let mut directories = vec![self.path("out/report")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap().flatten() {
                if entry.path().is_dir() {
                    directories.push(entry.path());
                } else if entry.path().extension().is_some_and(|e| e == "html") {
                    text += &std::fs::read_to_string(entry.path()).unwrap();
                }
            }
        }
        text
    }

    /// The first product of a tag.
    pub fn product(&self, tag: &str) -> PathBuf {
        let mut found = Vec::new();
        let mut directories = vec![self.path("out")];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory).unwrap().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.path().is_dir() {
                    directories.push(entry.path());
                } else if name.starts_with(&format!("{tag}_KMOS")) && name.ends_with(".fits") && !name.contains(".fits.") {
                    found.push(entry.path());
                }
            }
        }
        found.sort_by_key(|p| (p.file_name().map(|n| n.len()), p.clone()));
        found.first().unwrap_or_else(|| panic!("no {tag}")).clone()
    }

    pub fn call(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("stand-in/calls/{name}"))).unwrap_or_default()
    }
}

/// What a simulated cube holds.
#[derive(Clone, Copy)]
pub enum Fill {
    Light,
    Zero,
}

impl Fill {
    fn value(self) -> f32 {
        match self {
            Fill::Light => 3.0,
            Fill::Zero => 0.0,
        }
    }
}

/// Target of an arm; arm 6 has no name.
fn target(arm: u8) -> String {
    match arm {
        3 => "star_3".into(),
        6 => String::new(),
        arm => format!("galaxy {arm}"),
    }
}

fn science_mjd(n: usize) -> f64 {
    START_MJD + 0.125 + n as f64 * 6.0 / 1440.0
}

pub fn science_name(n: usize) -> String {
    format!("KMOS.{}.fits", date(science_mjd(n), 3))
}

/// A date of 2021-06-06, with so many decimals.
fn date(mjd: f64, decimals: usize) -> String {
    // Whole seconds: a date in a double is known to microseconds.
    let seconds = ((mjd - START_MJD) * 86_400.0).round();
    let (hours, minutes) = ((seconds / 3600.0) as u32, (seconds / 60.0) as u32 % 60);
    format!("2021-06-06T{hours:02}:{minutes:02}:{:0width$.decimals$}", seconds % 60.0, width = decimals + 3)
}

fn raw_header(dpr: [&str; 3], mjd: f64, start: &str, filter: &str, grating: &str, exposure_s: f64) -> Header {
    let mut h = Header::new();
    h.set("INSTRUME", "KMOS", "");
    h.set("OBJECT", dpr[1], "");
    h.set("EXPTIME", exposure_s, "");
    h.set("MJD-OBS", mjd, "");
    h.set("DATE-OBS", date(mjd, 4), "");
    h.set("RA", 266.4, "");
    h.set("DEC", -29.0, "");
    for (key, value) in ["CATG", "TYPE", "TECH"].iter().zip(dpr) {
        h.set(&format!("ESO DPR {key}"), value, "");
    }
    h.set("ESO TPL START", start, "");
    for n in 1..=3 {
        h.set(&format!("ESO INS FILT{n} ID"), filter, "");
        h.set(&format!("ESO INS GRAT{n} ID"), grating, "");
    }
    h.set("ESO DET SEQ1 DIT", exposure_s, "");
    h.set("ESO DET NDIT", 1i64, "");
    h.set("ESO DET READ CURNAME", "Nondest", "");
    h
}
