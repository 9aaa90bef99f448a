//! Stars of known position and brightness, from a local file: an extract of Gaia or a list of one's own.
//!
//! FITS tables, VOTables and text with separators are told apart by their content; any may be packed by gzip. Columns are found by the names
//! that the Gaia archive, VizieR and common programs give them; angles are degrees, proper motions mas per year with the factor cos(dec) in that of
//! the right ascension, positions ICRS at the epoch of the column `ref_epoch`, or at one that is told.

mod text;
mod votable;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::fits::{Cells, Column, ColumnData, FitsError, HduSelect, read_table};

/// A file larger than this, unpacked, is not read: a field needs some thousand stars, not the sky.
const MOST_BYTES: u64 = 2_000_000_000;
const MAS: f64 = std::f64::consts::PI / 180.0 / 3.6e6;

const RA: &[&str] = &["ra", "ra_icrs", "raj2000", "_raj2000", "ra_deg", "radeg", "right_ascension", "x_world"];
const DEC: &[&str] = &["dec", "de", "dec_icrs", "de_icrs", "decj2000", "dej2000", "_dej2000", "dec_deg", "dedeg", "declination", "y_world"];
const PM_RA: &[&str] = &["pmra", "pm_ra", "pmra_cosdec"];
const PM_DEC: &[&str] = &["pmdec", "pm_dec", "pmde", "pm_de"];
const MAGNITUDE: &[&str] =
    &["phot_g_mean_mag", "gmag", "g_mag", "mag", "magnitude", "rmag", "phot_rp_mean_mag", "rpmag", "phot_bp_mean_mag", "bpmag", "vmag"];
const EPOCH: &[&str] = &["ref_epoch", "epoch", "refepoch"];

/// A star as the file has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CatalogueStar {
    /// Right ascension, degrees.
    pub ra: f64,
    /// Declination, degrees.
    pub dec: f64,
    /// Proper motion in right ascension times cos(dec), mas per year; 0 where it is not known.
    pub pm_ra: f64,
    /// Proper motion in declination, mas per year; 0 where it is not known.
    pub pm_dec: f64,
    /// Magnitude; NaN where it is not known.
    pub magnitude: f64,
    /// Epoch of the position, Julian years; NaN where it is not told.
    pub epoch: f64,
}

/// A star where it is at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Right ascension, degrees.
    pub ra: f64,
    /// Declination, degrees.
    pub dec: f64,
    /// Magnitude; NaN where it is not known.
    pub magnitude: f64,
}

/// Stars of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalogue {
    /// The stars in the order of the file; those without a position are left out.
    pub stars: Vec<CatalogueStar>,
    /// Name of the column of magnitudes, empty without one.
    pub band: String,
}

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A FITS file without a readable table.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// Text or XML that is not a table.
    #[error("{path}: {what}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// No column for a quantity.
    #[error("{path} has no column of {quantity} (looked for {}; it has {columns})", names.join(", "))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// What is missing.
        quantity: &'static str,
        /// Names that would do.
        names: &'static [&'static str],
        /// Names that there are.
        columns: String,
    },
    /// Angles in another unit than degrees.
    #[error("{path}: column {column} is in {unit}, not in degrees")]
    Unit {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its unit.
        unit: String,
    },
}

/// A column of numbers under a name; what is no number is NaN.
#[derive(Clone, Debug, PartialEq)]
struct Numbers {
    name: String,
    unit: String,
    values: Vec<f64>,
}

impl Catalogue {
    /// Reads a file.
    ///
    /// # Errors
    /// [`CatalogueError`]: the file cannot be read, is no table, has no column of right ascension or declination, or these are not
    /// in degrees.
    pub fn read(path: &Path) -> Result<Self, CatalogueError> {
        let io = |source| CatalogueError::Io { path: path.to_owned(), source };
        let mut start = Vec::new();
        open(path).map_err(io)?.take(512).read_to_end(&mut start).map_err(io)?;
        if start.starts_with(b"SIMPLE") {
            let table = read_table(path, HduSelect::First)?;
            return Self::of_columns(path, table.columns.iter().filter_map(numbers).collect());
        }
        let mut bytes = Vec::new();
        open(path).map_err(io)?.take(MOST_BYTES).read_to_end(&mut bytes).map_err(io)?;
        let is_xml = start.iter().find(|b| !b.is_ascii_whitespace() && **b != 0xEF && **b != 0xBB && **b != 0xBF) == Some(&b'<');
        let columns = if is_xml { votable::columns(&bytes) } else { text::columns(&bytes) };
        Self::of_columns(path, columns.map_err(|what| CatalogueError::Format { path: path.to_owned(), what })?)
    }

    fn of_columns(path: &Path, columns: Vec<Numbers>) -> Result<Self, CatalogueError> {
        let find = |names: &[&str]| names.iter().find_map(|n| columns.iter().find(|c| c.name.trim().eq_ignore_ascii_case(n)));
        let angle = |quantity, names: &'static [&'static str]| {
            let column = find(names).ok_or_else(|| {
                let columns = columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
                CatalogueError::NoColumn { path: path.to_owned(), quantity, names, columns }
            })?;
            match column.unit.trim().to_ascii_lowercase().as_str() {
                "" | "deg" | "degree" | "degrees" | "angle[deg]" => Ok(column),
                _ => Err(CatalogueError::Unit { path: path.to_owned(), column: column.name.clone(), unit: column.unit.clone() }),
            }
        };
        let (ra, dec) = (angle("right ascension", RA)?, angle("declination", DEC)?);
        let band = find(MAGNITUDE);
        let (pm_ra, pm_dec, epoch) = (find(PM_RA), find(PM_DEC), find(EPOCH));
        let value = |column: Option<&Numbers>, n: usize| column.and_then(|c| c.values.get(n)).copied().unwrap_or(f64::NAN);
        let or_zero = |v: f64| if v.is_finite() { v } else { 0.0 };
        let star = |n: usize| CatalogueStar {
            ra: ra.values[n],
            dec: value(Some(dec), n),
            pm_ra: or_zero(value(pm_ra, n)),
            pm_dec: or_zero(value(pm_dec, n)),
            magnitude: value(band, n),
            epoch: value(epoch, n),
        };
        let has_place = |s: &CatalogueStar| s.ra.is_finite() && s.dec.abs() <= 90.0;
        let stars = (0..ra.values.len()).map(star).filter(has_place).collect();
        Ok(Catalogue { stars, band: band.map(|c| c.name.clone()).unwrap_or_default() })
    }

    /// Where the stars are at a Julian year, within `radius` degrees of a place, brightest first; stars without an epoch of their own are at
    /// `epoch` where the file has them.
    ///
    /// Motion is along a great circle, without parallax and radial motion: for 20 years it is right to 1 mas for all but some twenty stars.
    pub fn at(&self, year: f64, epoch: f64, (ra, dec): (f64, f64), radius: f64) -> Vec<Place> {
        let centre = vector(ra, dec);
        // Fast stars come in from outside: 10 arcsec per year is the fastest of all.
        let limit = (radius.to_radians() + 1e-2_f64.to_radians()).min(std::f64::consts::PI);
        let near = |s: &&CatalogueStar| chord(centre, vector(s.ra, s.dec)) <= 2.0 * (0.5 * limit).sin();
        let move_to = |s: &CatalogueStar| {
            let years = year - if s.epoch.is_finite() { s.epoch } else { epoch };
            let (ra, dec) = moved(s, years);
            Place { ra, dec, magnitude: s.magnitude }
        };
        let mut places: Vec<Place> = self.stars.iter().filter(near).map(move_to).collect();
        let faint = |p: &Place| if p.magnitude.is_finite() { p.magnitude } else { f64::INFINITY };
        places.sort_by(|a, b| faint(a).total_cmp(&faint(b)));
        places
    }
}

fn vector(ra: f64, dec: f64) -> [f64; 3] {
    let ((sin_a, cos_a), (sin_d, cos_d)) = (ra.to_radians().sin_cos(), dec.to_radians().sin_cos());
    [cos_d * cos_a, cos_d * sin_a, sin_d]
}

fn chord(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// The place after some years.
fn moved(star: &CatalogueStar, years: f64) -> (f64, f64) {
    let ((sin_a, cos_a), (sin_d, cos_d)) = (star.ra.to_radians().sin_cos(), star.dec.to_radians().sin_cos());
    let (east, north) = (star.pm_ra * MAS * years, star.pm_dec * MAS * years);
    if east == 0.0 && north == 0.0 {
        return (star.ra.rem_euclid(360.0), star.dec);
    }
    let at = vector(star.ra, star.dec);
    let to = [at[0] - east * sin_a - north * sin_d * cos_a, at[1] + east * cos_a - north * sin_d * sin_a, at[2] + north * cos_d];
    (to[1].atan2(to[0]).to_degrees().rem_euclid(360.0), to[2].atan2(to[0].hypot(to[1])).to_degrees())
}

fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let mut file = std::fs::File::open(path)?;
    let mut magic = [0; 2];
    let packed = file.read(&mut magic)? == 2 && magic == [0x1F, 0x8B];
    let file = std::io::BufReader::new(std::fs::File::open(path)?);
    Ok(if packed { Box::new(flate2::bufread::MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// A column of one number a row.
fn numbers(column: &Column) -> Option<Numbers> {
    let null = column.null;
    let integer = |v: i64| if null == Some(v) { f64::NAN } else { v as f64 };
    macro_rules! cells {
        ($cells:expr, $convert:expr) => {
            match $cells {
                Cells::Fixed { repeat: 1, values } => Some(values.iter().map($convert).collect::<Vec<f64>>()),
                _ => None,
            }
        };
    }
    let values = match &column.data {
        ColumnData::F64(c) => cells!(c, |v| *v),
        ColumnData::F32(c) => cells!(c, |v| f64::from(*v)),
        ColumnData::I64(c) => cells!(c, |v| integer(*v)),
        ColumnData::I32(c) => cells!(c, |v| integer(i64::from(*v))),
        ColumnData::I16(c) => cells!(c, |v| integer(i64::from(*v))),
        ColumnData::Text(c) => cells!(c, |v| v.trim().parse().unwrap_or(f64::NAN)),
        _ => None,
    }?;
    Some(Numbers { name: column.name.clone(), unit: column.unit.clone(), values })
}

#[cfg(test)]
mod tests;
