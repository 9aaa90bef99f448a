//! Whether the cubes that a recipe made are those that should be there, and are cubes.
//!
//! ESO's recipes end well with targets left out, with cubes of zeros, and with a wavelength step of 0 where a static calibration is of a wrong
//! type. So targets in are counted against cubes out, by name, and each cube is read.

use std::collections::BTreeSet;

use ifured_core::{Grade, Header, QualityNumber, RecipeError};
use ifured_eso::esorex::Product;
use ifured_pixels::fits::{HduInfo, HduSelect, ImageReader, hdus};

/// Pixels read at a time.
const BAND: usize = 1 << 18;
/// Least share of finite pixels of a good cube: dithered cubes have a border without numbers.
const FINITE: f64 = 0.3;

/// Quality numbers and notes.
pub type Found = (Vec<QualityNumber>, Vec<String>);

/// The cubes that should come of one exposure.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Name of the exposure.
    pub frame: String,
    /// Its `DATE-OBS`.
    pub date: String,
    /// Arms with an object, each with the name of its target.
    pub arms: Vec<(u8, String)>,
}

/// One cube that was read.
struct Cube {
    name: String,
    /// Share of its pixels that are numbers.
    finite: f64,
    /// Whether it has a number that is not zero.
    has_light: bool,
    /// Wavelength step.
    step: Option<f64>,
}

/// Checks the cubes of single exposures, 24 to a file, against what the exposures ask for.
pub fn of_exposures(products: &[Product], tag: &str, wanted: &[Wanted]) -> Result<Found, RecipeError> {
    let files: Vec<&Product> = products.iter().filter(|p| p.tag == tag).collect();
    let mut found = Checked::default();
    for want in wanted {
        let Some(file) = files.iter().find(|p| is_of(p, want)) else {
            let count = want.arms.len();
            found.missing += count;
            found.notes.push(format!("no {tag} of {} was made: {count} cubes are missing", want.frame));
            continue;
        };
        let all = hdus(&file.path)?;
        let is_there = |arm: u8| all.iter().any(|h| h.name() == Some(&unit(arm)) && has_data(h));
        let absent: Vec<String> = want.arms.iter().filter(|(arm, _)| !is_there(*arm)).map(|(arm, name)| arm_and_name(*arm, name)).collect();
        if !absent.is_empty() {
            found.missing += absent.len();
            found.notes.push(format!("no cube in {tag} of {}: arm {}", want.frame, absent.join(", ")));
        }
    }
    for file in files {
        found.read(file)?;
    }
    let number = QualityNumber::new("CUBES MISSING", found.missing as f64, "", "arms with an object and without a cube");
    Ok(found.numbers(number.within(0.0, 0.0, Grade::Bad)))
}

/// Checks combined cubes, one to a file, against the names of the targets.
pub fn combined(products: &[Product], tag: &str, targets: &BTreeSet<String>) -> Result<Found, RecipeError> {
    let files: Vec<&Product> = products.iter().filter(|p| p.tag == tag).collect();
    let mut found = Checked::default();
    let made: BTreeSet<String> = files.iter().flat_map(|p| names_in(p)).map(|n| plain(&n)).collect();
    let absent: Vec<&str> = targets.iter().filter(|t| !made.contains(&plain(t))).map(String::as_str).collect();
    if !absent.is_empty() {
        let (some, all) = (targets.len() - absent.len(), targets.len());
        found.notes.push(format!("{some} of {all} targets were combined; no {tag} of {}", absent.join(", ")));
    }
    let missing = absent.len();
    for file in files {
        found.read(file)?;
    }
    let number = QualityNumber::new(&format!("TARGETS MISSING {tag}"), missing as f64, "", "targets that were not combined");
    Ok(found.numbers(number.within(0.0, 0.0, Grade::Bad)))
}

/// The names of the targets of the cubes in a file of single exposures: arm and name, of cubes with data.
pub fn targets_in(file: &std::path::Path) -> Result<Vec<(u8, String)>, RecipeError> {
    let all = hdus(file)?;
    let primary = all.first().map(|h| h.header.clone()).unwrap_or_default();
    let name = |header: &Header, arm: u8| header.text(&format!("ESO OCS ARM{arm} NAME")).map(|n| n.trim().to_owned()).ok();
    let of = |arm: u8| {
        let cube = all.iter().find(|h| h.name() == Some(&unit(arm)) && has_data(h))?;
        Some((arm, name(&cube.header, arm).or_else(|| name(&primary, arm)).unwrap_or_default()))
    };
    Ok((1..=crate::arms::ARMS).filter_map(of).collect())
}

/// Name of the extension with the cube of an arm.
fn unit(arm: u8) -> String {
    format!("IFU.{arm}.DATA")
}

fn arm_and_name(arm: u8, name: &str) -> String {
    if name.is_empty() { arm.to_string() } else { format!("{arm} ({name})") }
}

/// Whether a product is of an exposure: the pipeline keeps its date, and writes its name into that of the file.
fn is_of(product: &Product, want: &Wanted) -> bool {
    let date = product.headers.first().and_then(|h| h.text("DATE-OBS").ok()).unwrap_or_default();
    let file = product.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = want.frame.split(".fits").next().unwrap_or_default();
    (!date.is_empty() && date.trim() == want.date.trim()) || (!stem.is_empty() && file.contains(stem))
}

/// Names of the targets in a combined file: those of its extensions, without `.DATA`.
fn names_in(product: &Product) -> Vec<String> {
    let names = product.headers.iter().filter_map(|h| h.text("EXTNAME").ok());
    names.filter_map(|n| n.trim().strip_suffix(".DATA")).map(str::to_owned).collect()
}

/// A name without what the pipeline may write otherwise.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn has_data(hdu: &HduInfo) -> bool {
    hdu.kind.image().is_some_and(|(_, axes)| !axes.is_empty() && !axes.contains(&0))
}

/// What was found so far.
#[derive(Default)]
struct Checked {
    missing: usize,
    cubes: Vec<Cube>,
    notes: Vec<String>,
}

impl Checked {
    /// Reads all cubes of a file.
    fn read(&mut self, product: &Product) -> Result<(), RecipeError> {
        let file = product.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        for hdu in hdus(&product.path)?.iter().filter(|h| has_data(h) && h.name().is_some_and(|n| n.ends_with(".DATA"))) {
            let (finite, has_light) = pixels(&product.path, hdu.index)?;
            let step = ["CDELT3", "CD3_3"].iter().find_map(|key| hdu.header.real(key).ok());
            let name = format!("{} in {file}", hdu.name().unwrap_or_default());
            self.cubes.push(Cube { name, finite, has_light, step });
        }
        Ok(())
    }

    /// The first number, and those of all cubes.
    fn numbers(mut self, first: QualityNumber) -> Found {
        let of = |bad: &dyn Fn(&Cube) -> bool| self.cubes.iter().filter(|c| bad(c)).map(|c| c.name.as_str()).collect::<Vec<_>>();
        let dark = of(&|c| !c.has_light);
        let flat = of(&|c| !c.step.is_some_and(|s| s > 0.0));
        let mut notes = Vec::new();
        for (names, what) in [
            (&dark, "all pixels are zero, or none is a number"),
            (
                &flat,
                "the wavelength step is not positive (CDELT3): a static calibration of another type or version does this; compare WAVE_BAND",
            ),
        ] {
            if let [name, more @ ..] = names.as_slice() {
                let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
                notes.push(format!("{name}{more}: {what}"));
            }
        }
        let none = |name: &str, count: usize, title: &str| QualityNumber::new(name, count as f64, "", title).within(0.0, 0.0, Grade::Bad);
        let mut numbers = vec![
            first,
            none("CUBES EMPTY", dark.len(), "cubes of zeros, or without a number"),
            none("CUBES WITHOUT WAVELENGTHS", flat.len(), "cubes whose wavelength step is not positive"),
        ];
        if let Some(least) = self.cubes.iter().min_by(|a, b| a.finite.total_cmp(&b.finite)) {
            let number = QualityNumber::new("CUBES FINITE", least.finite, "", "least share of pixels that are numbers of a cube");
            numbers.push(number.within(FINITE, 1.0, Grade::Questionable));
        }
        self.notes.extend(notes);
        (numbers, self.notes)
    }
}

/// Share of the pixels that are numbers, and whether one of these is not zero.
fn pixels(path: &std::path::Path, index: usize) -> Result<(f64, bool), RecipeError> {
    let reader = ImageReader::open(path, HduSelect::Index(index))?;
    let (rows, columns) = reader.stacked_shape();
    let step = (BAND / columns.max(1)).clamp(1, rows.max(1));
    let mut band = vec![0f32; step * columns];
    let (mut finite, mut has_light) = (0usize, false);
    for first in (0..rows).step_by(step) {
        let range = first..(first + step).min(rows);
        let values = &mut band[..range.len() * columns];
        reader.read_rows(range, values)?;
        finite += values.iter().filter(|v| v.is_finite()).count();
        has_light |= values.iter().any(|v| v.is_finite() && *v != 0.0);
    }
    Ok((finite as f64 / (rows * columns).max(1) as f64, has_light))
}
