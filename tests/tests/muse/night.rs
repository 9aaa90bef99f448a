//! A simulated night of MUSE with two channels, and a stand-in for esorex with the products that it copies.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ifured_core::Header;
use ifured_core::recipe::SimulationRequest;
use ifured_muse::simulation::raw_frames;
use ifured_pixels::fits::{HduToWrite, write_product};
use ifured_tests::{Ran, Scenario};
use ndarray::Array2;

/// What each recipe makes; pixel tables go by the tag of the exposure.
const PRODUCTS: [(&str, &[&str]); 16] = [
    ("muse_bias", &["MASTER_BIAS"]),
    ("muse_flat", &["MASTER_FLAT", "TRACE_TABLE", "TRACE_SAMPLES"]),
    ("muse_wavecal", &["WAVECAL_TABLE"]),
    ("muse_lsf", &["LSF_PROFILE"]),
    ("muse_twilight", &["TWILIGHT_CUBE"]),
    ("muse_scibasic", &[]),
    ("OBJECT", &["PIXTABLE_OBJECT"]),
    ("STD", &["PIXTABLE_STD"]),
    ("SKY", &["PIXTABLE_SKY"]),
    ("ASTROMETRY", &["PIXTABLE_ASTROMETRY"]),
    ("muse_standard", &["STD_RESPONSE", "STD_TELLURIC", "STD_FLUXES"]),
    ("muse_create_sky", &["SKY_LINES", "SKY_CONTINUUM"]),
    ("muse_scipost", &["DATACUBE_FINAL", "IMAGE_FOV", "IMAGE_FOV", "PIXTABLE_REDUCED"]),
    ("muse_exp_align", &["OFFSET_LIST"]),
    ("muse_exp_combine", &["DATACUBE_FINAL", "IMAGE_FOV"]),
    ("muse_dark", &["MASTER_DARK"]),
];

const STAND_IN: &str = r#"#!/bin/sh
# Stand-in for esorex, written by a test: no recipe of ESO is run.
for argument in "$@"; do
  case $argument in
    --recipes) echo ' ***** Stand-in for the ESO Recipe Execution Tool, version 3.13.6  *****'; cat "$HERE/recipes.txt"; exit 0;;
    --man-page) page=yes;;
    --create-config=*) cat "$HERE/parameters.json" > "${argument#--create-config=}"; exit 0;;
    --nifu=*) nifu=${argument#--nifu=};;
    muse_*) recipe=$argument;;
  esac
done
if [ "$page" ]; then echo "  $recipe -- version $(cat "$HERE/version.txt")"; exit 0; fi
echo "00:00:00 [ INFO  ] $recipe: this is a stand-in"
kind=$recipe
read -r path tag < frames.sof
[ $recipe = muse_scibasic ] && kind=$tag
cp frames.sof "$HERE/calls/$kind.sof"
[ -f "$HERE/behave/$kind.sh" ] && . "$HERE/behave/$kind.sh"
cp "$HERE/products/$kind"/*.fits .
exit 0
"#;

const PARAMETERS: &str =
    r#"[{"name": "m.nifu", "value": 0, "valtype": "int", "partype": "value", "display_name": "nifu", "description": "IFU."}]"#;

/// A night, and a stand-in for esorex with its products.
pub struct Night {
    scenario: Scenario,
}

impl Night {
    /// A night in which the frames are changed before they are written; a frame without a name is left out.
    pub fn with(change: impl Fn(&mut Header, &mut String)) -> Self {
        let night = Night { scenario: Scenario::new() };
        for directory in ["raw", "stand-in/behave", "stand-in/calls"] {
            std::fs::create_dir_all(night.path(directory)).unwrap();
        }
        let request = SimulationRequest { directory: night.path(""), seed: 1, nights: 1, size: None };
        for mut frame in raw_frames(&request) {
            change(&mut frame.primary, &mut frame.name);
            frame.detectors.truncate(2);
            if !frame.name.is_empty() {
                night.raw(&frame.name, &frame.primary, &frame.detectors);
            }
        }
        night.stand_in();
        night
    }

    pub fn new() -> Self {
        Night::with(|_, _| {})
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scenario.join(name)
    }

    fn raw(&self, name: &str, primary: &Header, detectors: &[Header]) {
        // No two frames have one content.
        let value = name.bytes().fold(100u16, |sum, b| sum.wrapping_mul(31).wrapping_add(u16::from(b)));
        let pixels = Array2::from_elem((8, 8), value);
        let images = detectors.iter().map(|h| HduToWrite::image(h, pixels.view()));
        let hdus: Vec<HduToWrite> = std::iter::once(HduToWrite::Empty(primary)).chain(images).collect();
        write_product(self.path(&format!("raw/{name}")), &hdus).unwrap();
    }

    fn stand_in(&self) {
        let script = STAND_IN.replacen('\n', &format!("\nHERE='{}'\n", self.path("stand-in").display()), 1);
        std::fs::write(self.path("stand-in/esorex"), script).unwrap();
        std::fs::set_permissions(self.path("stand-in/esorex"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(self.path("stand-in/parameters.json"), PARAMETERS).unwrap();
        self.version("2.8.7");
        let mut list = String::new();
        for (kind, categories) in PRODUCTS {
            list += &format!("  {kind:<22}: A stand-in\n");
            std::fs::create_dir_all(self.path(&format!("stand-in/products/{kind}"))).unwrap();
            for (n, category) in categories.iter().enumerate() {
                self.product(&format!("stand-in/products/{kind}/{category}_{n}.fits"), category, n as f32 + 1.0);
            }
        }
        std::fs::write(self.path("stand-in/recipes.txt"), list).unwrap();
    }

    /// A product of ESO's layout whose pixels all have this value.
    pub fn product(&self, file: &str, category: &str, value: f32) {
        let (mut primary, mut data) = (Header::new(), Header::new());
        primary.set("ESO PRO CATG", category, "");
        data.set("EXTNAME", "DATA", "");
        let pixels = Array2::from_elem((8, 8), value);
        write_product(self.path(file), &[HduToWrite::Empty(&primary), HduToWrite::image(&data, pixels.view())]).unwrap();
    }

    /// Which version of the pipeline the stand-in says it is.
    pub fn version(&self, version: &str) {
        std::fs::write(self.path("stand-in/version.txt"), version).unwrap();
    }

    /// What a recipe does before it copies its products, in words of the shell; `$nifu` is the channel.
    pub fn behave(&self, kind: &str, script: &str) {
        std::fs::write(self.path(&format!("stand-in/behave/{kind}.sh")), format!("{script}\n")).unwrap();
    }

    pub fn ifured(&self, arguments: &[&str]) -> Ran {
        let all: Vec<&str> = ["-i", "muse", "--output", "out"].into_iter().chain(arguments.iter().copied()).collect();
        let output = self.scenario.command(&all).env("IFURED_ESOREX", self.path("stand-in/esorex")).output().unwrap();
        self.scenario.ran(all.join(" "), output)
    }

    pub fn reduce(&self, more: &[&str]) -> Ran {
        let all: Vec<&str> = ["reduce", "raw"].into_iter().chain(more.iter().copied()).collect();
        self.ifured(&all)
    }

    /// The set of frames of the last call of a recipe.
    pub fn call(&self, kind: &str) -> String {
        std::fs::read_to_string(self.path(&format!("stand-in/calls/{kind}.sof"))).unwrap_or_default()
    }

    /// Products whose names start with a tag, of all channels and exposures.
    pub fn made(&self, tag: &str) -> Vec<PathBuf> {
        let name = |p: &Path| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let all = self.found("out", tag).into_iter();
        all.filter(|p| name(p).starts_with(&format!("{tag}_MUSE")) && name(p).ends_with(".fits") && !name(p).ends_with("_2.fits")).collect()
    }

    /// Files and directories below a directory whose names hold this, in order.
    pub fn found(&self, directory: &str, part: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(&self.path(directory), part, &mut found);
        found
    }
}

fn collect(directory: &Path, part: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    for entry in entries {
        if entry.file_name().is_some_and(|n| n.to_string_lossy().contains(part)) {
            found.push(entry.clone());
        }
        if entry.is_dir() {
            collect(&entry, part, found);
        }
    }
}
