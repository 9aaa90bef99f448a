//! A night of MUSE that a test makes, with masters of an archive, and a stand-in for esorex with the products that it copies.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use ifured_core::Header;
use ifured_pixels::fits::{HduToWrite, Table, primary_header, write_product};
use ifured_tests::{Ran, Scenario};
use ndarray::{Array2, Array3};
use serde_json::Value;

const RECIPES: [&str; 6] = ["muse_bias", "muse_scibasic", "muse_create_sky", "muse_scipost", "muse_exp_align", "muse_exp_combine"];

const STAND_IN: &str = r#"#!/bin/sh
# Stand-in for esorex, written by a test: no recipe of ESO is run.
for last; do :; done
for argument in "$@"; do
  case $argument in
    --recipes) echo ' ***** Stand-in for the ESO Recipe Execution Tool, version 3.13.6  *****'; cat "$HERE/recipes.txt"; exit 0;;
    --man-page) echo "  $last -- version 2.8.7"; exit 0;;
    --create-config=*) cat "$HERE/parameters.json" > "${argument#--create-config=}"; exit 0;;
    muse_*) recipe=$argument;;
  esac
done
# Tasks run side by side: the number of a call is taken by making a directory.
n=0
until mkdir "$HERE/calls/$recipe.$n" 2> /dev/null; do n=$((n + 1)); done
cp frames.sof "$HERE/calls/$recipe.$n.sof"
echo "$@" > "$HERE/calls/$recipe.$n.arguments"
echo "00:00:00 [ INFO  ] $recipe: this is a stand-in"
cp "$HERE/products/$recipe"/*.fits . 2> /dev/null
# What differs from exposure to exposure.
for exposure in "$HERE/products/$recipe"/*/; do
  if grep -q "$(basename "$exposure")" frames.sof; then cp "$exposure"/*.fits .; fi
done
exit 0
"#;

/// A night, and a stand-in for esorex with its products.
pub struct Night {
    scenario: Scenario,
    mode: &'static str,
}

/// Science exposures: time, exposure time in seconds, position angle, observing block. All point at one field.
pub const EXPOSURES: [(&str, f64, f64, &str); 4] = [
    ("2024-01-01T20:00:00.000", 900.0, 0.0, "NGC 1 a"),
    ("2024-01-01T20:20:00.000", 900.0, -90.0, "NGC 1 a"),
    ("2024-01-01T20:40:00.000", 60.0, 0.0, "NGC 1 a"),
    ("2024-01-01T21:00:00.000", 900.0, 0.0, "NGC 1 b"),
];
/// Pointing of all exposures.
pub const POINTING: (f64, f64) = (271.129, -24.3878);

impl Night {
    pub fn new(mode: &'static str) -> Self {
        let night = Night { scenario: Scenario::new(), mode };
        for directory in ["raw", "masters", "stand-in/calls", "stand-in/products"] {
            std::fs::create_dir_all(night.path(directory)).unwrap();
        }
        night.stand_in();
        night.masters();
        for n in 0..3 {
            night.raw(&format!("2024-01-01T19:0{n}:00.000"), "BIAS", "BIAS", |_| ());
        }
        for (date, exptime, angle, block) in EXPOSURES {
            night.raw(date, "OBJECT", "OBJECT", |h| {
                h.set("EXPTIME", exptime, "");
                h.set("ESO INS DROT POSANG", angle, "");
                h.set("ESO OBS NAME", block, "");
            });
        }
        night
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scenario.join(name)
    }

    pub fn ifured(&self, arguments: &[&str]) -> Ran {
        let all: Vec<&str> = ["-i", "muse", "--output", "out"].into_iter().chain(arguments.iter().copied()).collect();
        let output = self.scenario.command(&all).env("IFURED_ESOREX", self.path("stand-in/esorex")).output().unwrap();
        self.scenario.ran(all.join(" "), output)
    }

    pub fn reduce(&self, more: &[&str]) -> Ran {
        let all: Vec<&str> = ["reduce", "raw", "masters"].into_iter().chain(more.iter().copied()).collect();
        self.ifured(&all)
    }

    /// The plan, with these settings.
    pub fn plan(&self, set: &[&str]) -> Value {
        let mut all = vec!["--json", "plan", "raw", "masters"];
        all.extend(set.iter().flat_map(|s| ["--set", s]));
        self.ifured(&all).code(0).json()
    }

    /// A raw frame.
    pub fn raw(&self, date: &str, kind: &str, object: &str, change: impl FnOnce(&mut Header)) {
        let mut h = self.header(date);
        let catg = if kind == "OBJECT" { "SCIENCE" } else { "CALIB" };
        h.set("OBJECT", object, "");
        h.set("EXPTIME", 0.0, "");
        h.set("RA", POINTING.0, "");
        h.set("DEC", POINTING.1, "");
        for (key, value) in [("CATG", catg), ("TYPE", kind), ("TECH", "IFU")] {
            h.set(&format!("ESO DPR {key}"), value, "");
        }
        change(&mut h);
        // Each file has a content of its own.
        h.set("ARCFILE", date, "");
        let (channel, pixels) = (named("CHAN01"), Array2::from_elem((8, 8), 100u16));
        let all = [HduToWrite::Empty(&h), HduToWrite::image(&channel, pixels.view())];
        write_product(self.path(&format!("raw/MUSE.{date}.fits")), &all).unwrap();
    }

    fn header(&self, date: &str) -> Header {
        let mut h = Header::new();
        h.set("INSTRUME", "MUSE", "");
        h.set("DATE-OBS", date, "");
        let clock: Vec<f64> = date[11..19].split(':').map(|n| n.parse().unwrap()).collect();
        h.set("MJD-OBS", 60_310.0 + (clock[0] + clock[1] / 60.0 + clock[2] / 3600.0) / 24.0, "");
        h.set("ESO INS MODE", self.mode, "");
        for key in ["BINX", "BINY", "READ CURID"] {
            h.set(&format!("ESO DET {key}"), 1i64, "");
        }
        h.set("ESO TPL START", &date[..13], "");
        h
    }

    /// What an archive has: masters and static calibrations.
    fn masters(&self) {
        let all = [
            "MASTER_BIAS",
            "MASTER_FLAT",
            "TRACE_TABLE",
            "WAVECAL_TABLE",
            "LSF_PROFILE",
            "GEOMETRY_TABLE",
            "TWILIGHT_CUBE",
            "STD_RESPONSE",
            "STD_TELLURIC",
            "EXTINCT_TABLE",
            "SKY_LINES",
            "ASTROMETRY_WCS",
            "FILTER_LIST",
            "RAMAN_LINES",
        ];
        for category in all {
            let mut h = self.header("2024-01-01T18:00:00.000");
            h.set("ESO PRO CATG", category, "");
            let (channel, pixels) = (named("CHAN01.DATA"), Array2::from_elem((4, 4), 1f32));
            let hdus = [HduToWrite::Empty(&h), HduToWrite::image(&channel, pixels.view())];
            write_product(self.path(&format!("masters/{category}.fits")), &hdus).unwrap();
        }
    }

    fn stand_in(&self) {
        let here = format!("\nHERE='{}'\n", self.path("stand-in").display());
        std::fs::write(self.path("stand-in/esorex"), STAND_IN.replacen('\n', &here, 1)).unwrap();
        std::fs::set_permissions(self.path("stand-in/esorex"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let text = |(name, value): (&str, &str)| {
            format!(
                r#"{{"name": "m.{name}", "value": "{value}", "valtype": "string", "partype": "value", "display_name": "{name}", "description": "x"}}"#
            )
        };
        let parameters = [("skymethod", "model"), ("rvcorr", "bary")].map(text).join(", ");
        std::fs::write(self.path("stand-in/parameters.json"), format!("[{parameters}]")).unwrap();
        let list: String = RECIPES.iter().map(|r| format!("  {r:<22}: A stand-in\n")).collect();
        std::fs::write(self.path("stand-in/recipes.txt"), list).unwrap();
        self.image("muse_bias", "", "MASTER_BIAS", "");
        self.image("muse_scibasic", "", "PIXTABLE_OBJECT", "");
        for (date, ..) in EXPOSURES {
            let exposure = format!("MUSE.{date}");
            for category in ["IMAGE_FOV", "PIXTABLE_REDUCED"] {
                self.image("muse_scipost", &exposure, category, date);
            }
            self.cube("muse_scipost", &exposure, date);
        }
        self.offsets();
        self.cube("muse_exp_combine", "", EXPOSURES[0].0);
        self.image("muse_exp_combine", "", "IMAGE_FOV", EXPOSURES[0].0);
    }

    fn product(&self, recipe: &str, exposure: &str, category: &str) -> PathBuf {
        let directory = self.path(&format!("stand-in/products/{recipe}/{exposure}"));
        std::fs::create_dir_all(&directory).unwrap();
        directory.join(format!("{category}.fits"))
    }

    /// An image of 100 pixels of 0.2 arcseconds, north up, whose middle is the pointing.
    fn image(&self, recipe: &str, exposure: &str, category: &str, date: &str) {
        let mut primary = Header::new();
        primary.set("ESO PRO CATG", category, "");
        primary.set("DATE-OBS", date, "");
        let mut h = named("DATA");
        let words = [("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN")];
        words.iter().for_each(|(key, value)| h.set(key, *value, ""));
        let s = 0.2 / 3600.0;
        let numbers = [("CRPIX1", 50.0), ("CRPIX2", 50.0), ("CRVAL1", POINTING.0), ("CRVAL2", POINTING.1)];
        let matrix = [("CD1_1", -s), ("CD1_2", 0.0), ("CD2_1", 0.0), ("CD2_2", s)];
        numbers.iter().chain(&matrix).for_each(|(key, value)| h.set(key, *value, ""));
        let pixels = Array2::from_elem((100, 100), 1f32);
        write_product(self.product(recipe, exposure, category), &[HduToWrite::Empty(&primary), HduToWrite::image(&h, pixels.view())])
            .unwrap();
    }

    fn cube(&self, recipe: &str, exposure: &str, date: &str) {
        let mut primary = Header::new();
        primary.set("ESO PRO CATG", "DATACUBE_FINAL", "");
        primary.set("DATE-OBS", date, "");
        let (data, cube) = (named("DATA"), Array3::from_elem((4, 6, 6), 1f32));
        let hdus = [HduToWrite::Empty(&primary), HduToWrite::image(&data, cube.view())];
        write_product(self.product(recipe, exposure, "DATACUBE_FINAL"), &hdus).unwrap();
    }

    fn offsets(&self) {
        let mut primary = Header::new();
        primary.set("ESO PRO CATG", "OFFSET_LIST", "");
        let mut table = Table::new(named("OFFSET_LIST"), EXPOSURES.len());
        table.push("DATE_OBS", "", EXPOSURES.iter().map(|e| e.0.to_owned()).collect::<Vec<_>>().into());
        table.push("MJD_OBS", "s", vec![60_310.8f64; EXPOSURES.len()].into());
        table.push("RA_OFFSET", "deg", vec![0.0f64, 1e-4, 2e-4, 3e-4].into());
        table.push("DEC_OFFSET", "deg", vec![0.0f64, -1e-4, -2e-4, -3e-4].into());
        table.push("FLUX_SCALE", "", vec![f64::NAN; EXPOSURES.len()].into());
        write_product(self.product("muse_exp_align", "", "OFFSET_LIST"), &[HduToWrite::Empty(&primary), HduToWrite::Table(&table)])
            .unwrap();
    }

    /// Sets of frames, or arguments, of all calls of a recipe, in their order.
    pub fn calls(&self, recipe: &str, what: &str) -> Vec<String> {
        let read = |n: usize| std::fs::read_to_string(self.path(&format!("stand-in/calls/{recipe}.{n}.{what}"))).ok();
        (0..).map_while(read).collect()
    }

    /// The only product of the output directory whose path has these in it.
    pub fn made(&self, parts: &[&str]) -> PathBuf {
        let names: Vec<PathBuf> = ifured_tests::products(&self.path("out")).into_keys().map(PathBuf::from).collect();
        let has = |p: &&PathBuf| parts.iter().all(|part| p.to_string_lossy().contains(part));
        let found: Vec<&PathBuf> = names.iter().filter(has).collect();
        assert_eq!(found.len(), 1, "{parts:?}: {names:?}");
        let path = self.path("out").join(found[0]);
        assert!(primary_header(&path).is_ok());
        path
    }
}

fn named(name: &str) -> Header {
    let mut h = Header::new();
    h.set("EXTNAME", name, "");
    h
}

/// Tasks of a recipe in a plan.
pub fn tasks<'a>(plan: &'a Value, recipe: &str) -> Vec<&'a Value> {
    plan["tasks"].as_array().unwrap().iter().filter(|t| t["recipe"] == recipe).collect()
}

/// Names of the frames that a task has in a role.
pub fn inputs(task: &Value, role: &str) -> Vec<String> {
    let all = task["inputs"].as_array().unwrap().iter().filter(|i| i["role"] == role);
    all.map(|i| i["name"].as_str().unwrap().to_owned()).collect()
}
