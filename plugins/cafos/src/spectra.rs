//! Tables of spectra, as the recipes of spectroscopy hand them on.

use ifured_core::{Figure, Header, RecipeError};
use ifured_pixels::fits::{ColumnData, HduSelect, Table, read_table};
use ifured_pixels::spectrum::air;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Keyword that says `air` or `vacuum`.
const MEDIUM: &str = "IFURED WAVE MEDIUM";
/// What wavelengths are measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// Standard air.
    #[default]
    Air,
    /// Vacuum (Ciddor 1996).
    Vacuum,
}

impl Medium {
    /// Says it in the header of a product.
    pub fn write(self, header: &mut Header) {
        header.set(MEDIUM, if self == Medium::Air { "air" } else { "vacuum" }, "what wavelengths are measured in");
    }

    /// What the header of a product says; air if it says nothing.
    pub fn of(header: &Header) -> Medium {
        if header.text(MEDIUM).is_ok_and(|m| m.trim() == "vacuum") { Medium::Vacuum } else { Medium::Air }
    }

    /// A wavelength of this medium, in air.
    pub fn to_air(self, wavelength: f64) -> f64 {
        if self == Medium::Vacuum { air::to_air(wavelength) } else { wavelength }
    }

    /// A wavelength in air, in this medium.
    pub fn of_air(self, wavelength: f64) -> f64 {
        if self == Medium::Vacuum { air::to_vacuum(wavelength) } else { wavelength }
    }
}

/// Names of the tables of objects, brightest first: `SPECTRUM1`, `SPECTRUM2`…
pub const SPECTRUM: &str = "SPECTRUM";

/// A spectrum: columns of the same length, rising wavelengths.
#[derive(Clone, Debug, Default)]
pub struct SpectrumTable {
    /// Wavelength, Angstrom.
    pub wavelength: Vec<f64>,
    /// Flux by optimal extraction.
    pub flux: Vec<f64>,
    /// Its standard error.
    pub error: Vec<f64>,
    /// Flux summed over the aperture.
    pub sum: Vec<f64>,
    /// Its standard error.
    pub sum_error: Vec<f64>,
    /// Sky in the aperture.
    pub sky: Vec<f64>,
    /// Whether no pixel of the aperture is saturated and most of the profile is there.
    pub usable: Vec<bool>,
}

impl SpectrumTable {
    /// The table of the `n`th object (from 1), with its figures; `header` may bring more keywords.
    pub fn table(&self, n: usize, unit: &str, mut header: Header) -> Table {
        header.set("EXTNAME", format!("{SPECTRUM}{n}"), "");
        Figure::new(&format!("Spectrum of object {n}"), "WAVELENGTH").line("FLUX").error("UNCERTAINTY").write(&mut header);
        Figure::new(&format!("Sky in the aperture of object {n}"), "WAVELENGTH").line("SKY").write(&mut header);
        let mut table = Table::new(header, self.wavelength.len());
        table.push("WAVELENGTH", "Angstrom", self.wavelength.clone().into());
        for (name, values) in [
            ("FLUX", &self.flux),
            ("UNCERTAINTY", &self.error),
            ("FLUX_SUM", &self.sum),
            ("UNCERTAINTY_SUM", &self.sum_error),
            ("SKY", &self.sky),
        ] {
            table.push(name, unit, values.clone().into());
        }
        table.push("USABLE", "", self.usable.clone().into());
        table
    }

    /// The spectrum that a table holds.
    ///
    /// # Errors
    /// If a column is missing.
    pub fn of(table: &Table, name: &str) -> Result<Self, RecipeError> {
        let real = |column: &str| column_of_reals(table, column, name);
        let usable = match table.column("USABLE").map(|c| &c.data) {
            Some(ColumnData::Logical(cells)) => (0..table.rows).map(|r| cells.row(r).is_some_and(|c| c[0] == Some(true))).collect(),
            _ => return Err(no_column("USABLE", name)),
        };
        Ok(SpectrumTable {
            wavelength: real("WAVELENGTH")?,
            flux: real("FLUX")?,
            error: real("UNCERTAINTY")?,
            sum: real("FLUX_SUM")?,
            sum_error: real("UNCERTAINTY_SUM")?,
            sky: real("SKY")?,
            usable,
        })
    }

    /// Width of each pixel in Angstrom: half the distance of its neighbours.
    pub fn widths(&self) -> Vec<f64> {
        let w = &self.wavelength;
        let last = w.len().saturating_sub(1);
        (0..w.len())
            .map(|k| {
                let (a, b) = (k.saturating_sub(1), (k + 1).min(last));
                if b > a { (w[b] - w[a]) / (b - a) as f64 } else { f64::NAN }
            })
            .collect()
    }

    /// Every column of flux times a factor that depends on the pixel.
    pub fn scaled(mut self, factor: impl Fn(usize) -> f64) -> Self {
        for column in [&mut self.flux, &mut self.error, &mut self.sum, &mut self.sum_error, &mut self.sky] {
            column.iter_mut().enumerate().for_each(|(k, v)| *v *= factor(k));
        }
        self
    }
}

/// A column of real numbers.
///
/// # Errors
/// If the table has no such column.
pub fn column_of_reals(table: &Table, column: &str, name: &str) -> Result<Vec<f64>, RecipeError> {
    match table.column(column).map(|c| &c.data) {
        Some(ColumnData::F64(cells)) => Ok((0..table.rows).map(|r| cells.row(r).map_or(f64::NAN, |c| c[0])).collect()),
        _ => Err(no_column(column, name)),
    }
}

fn no_column(column: &str, name: &str) -> RecipeError {
    RecipeError::new(format!("{name} has no column {column}"), "give a product of the recipe that makes it, or make it again")
}

/// All spectra of a product, brightest first, with the headers of their tables.
///
/// # Errors
/// If a table cannot be read.
pub fn read(path: &std::path::Path, name: &str) -> Result<Vec<(Header, SpectrumTable)>, RecipeError> {
    let mut all = Vec::new();
    while let Ok(table) = read_table(path, HduSelect::name(&format!("{SPECTRUM}{}", all.len() + 1))) {
        let spectrum = SpectrumTable::of(&table, name)?;
        all.push((table.header, spectrum));
    }
    Ok(all)
}
