//! The images of the exposures: where they are on the sky, and copies that are moved there.

use ifured_core::recipe::TaskInput;
use ifured_core::{Header, RecipeError};
use ifured_pixels::astrometry::TanSip;
use ifured_pixels::fits::{HduInfo, HduSelect, HduToWrite, ImageReader, Table, Written, hdus, write_product};
use ndarray::Array2;

use super::shift::{Offset, moved};

/// Keywords of the world coordinates before registration, under the names that mypython gives them.
const ORIGINALS: [(&str, &str); 4] = [("OLDCRV1", "CRVAL1"), ("OLDCRV2", "CRVAL2"), ("OLDCPX1", "CRPIX1"), ("OLDCPX2", "CRPIX2")];

/// The image of an exposure.
pub struct ExposureImage {
    /// Name in messages.
    pub name: String,
    /// `DATE-OBS`.
    pub date: String,
    /// `MJD-OBS`; NaN if unknown.
    pub mjd: f64,
    /// Columns and rows.
    pub size: (u64, u64),
    /// World coordinates before registration.
    pub wcs: TanSip,
    hdus: Vec<HduInfo>,
    path: std::path::PathBuf,
}

impl ExposureImage {
    /// Reads the headers of an image.
    ///
    /// # Errors
    /// If it has no image in a tangential projection, or no date.
    pub fn read(input: &TaskInput) -> Result<Self, RecipeError> {
        let all = hdus(&input.path)?;
        let found = all.iter().find_map(|h| Some((TanSip::of_header(&before_registration(&h.header))?, axes(h)?)));
        let Some((wcs, size)) = found else {
            let what = format!("{}: no image with world coordinates in the tangential projection (CTYPE1 = 'RA---TAN', CDi_j)", input.name);
            return Err(RecipeError::new(what, "give the image of the field that muse_scipost makes"));
        };
        let primary = all.first().map(|h| h.header.clone()).unwrap_or_default();
        let date = primary.text("DATE-OBS").unwrap_or_default().trim().to_owned();
        if date.is_empty() {
            let what = format!("{}: no DATE-OBS, by which offsets are found", input.name);
            return Err(RecipeError::new(what, "give the image of the field that muse_scipost makes"));
        }
        let mjd = primary.real("MJD-OBS").unwrap_or(f64::NAN);
        Ok(ExposureImage { name: input.name.clone(), date, mjd, size, wcs, hdus: all, path: input.path.clone() })
    }

    /// Its primary header.
    pub fn primary(&self) -> Header {
        self.hdus.first().map(|h| h.header.clone()).unwrap_or_default()
    }

    /// Whether a pixel (from 1) lies in it.
    pub fn contains(&self, (x, y): (f64, f64)) -> bool {
        let inside = |v: f64, n: u64| (0.5..=n as f64 + 0.5).contains(&v);
        inside(x, self.size.0) && inside(y, self.size.1)
    }

    /// Writes it with its pointing moved by minus this offset, and a table behind it. `stamp` changes the primary header.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn write_moved(
        &self,
        to: &std::path::Path,
        offset: Offset,
        table: &Table,
        stamp: impl FnOnce(&mut Header),
    ) -> Result<Written, RecipeError> {
        let mut headers: Vec<Header> = self.hdus.iter().map(|h| registered(&h.header, offset)).collect();
        if let Some(primary) = headers.first_mut() {
            primary.remove("DATE");
            stamp(primary);
        }
        let pixels: Vec<Option<Stored>> = self.hdus.iter().map(|h| self.pixels(h)).collect::<Result<_, _>>()?;
        let mut out: Vec<HduToWrite<'_>> = Vec::new();
        for ((header, pixels), hdu) in headers.iter().zip(&pixels).zip(&self.hdus) {
            match pixels {
                Some(Stored::Real(p)) => out.push(HduToWrite::image(header, p.view())),
                Some(Stored::Bits(p)) => out.push(HduToWrite::image(header, p.view())),
                None if hdu.index == 0 => out.push(HduToWrite::Empty(header)),
                // Tables do not move with the image.
                None => {}
            }
        }
        out.push(HduToWrite::Table(table));
        Ok(write_product(to, &out)?)
    }

    fn pixels(&self, hdu: &HduInfo) -> Result<Option<Stored>, RecipeError> {
        if axes(hdu).is_none() {
            return Ok(None);
        }
        let reader = ImageReader::open(&self.path, HduSelect::Index(hdu.index))?;
        if reader.bitpix() < 0 {
            return Ok(Some(Stored::Real(reader.read_all()?)));
        }
        let shape = reader.stacked_shape();
        let mut bits = Array2::<i32>::zeros(shape);
        if let Some(values) = bits.as_slice_mut() {
            reader.read_rows_i32(0..shape.0, values)?;
        }
        Ok(Some(Stored::Bits(bits)))
    }
}

/// Pixels as they are stored: fluxes, or quality bits.
enum Stored {
    Real(Array2<f32>),
    Bits(Array2<i32>),
}

/// Columns and rows of an image of two axes.
fn axes(hdu: &HduInfo) -> Option<(u64, u64)> {
    match hdu.kind.image()? {
        (_, &[columns, rows]) if columns > 0 && rows > 0 => Some((columns, rows)),
        _ => None,
    }
}

/// A header with the world coordinates that it had before it was registered, if it was.
fn before_registration(header: &Header) -> Header {
    let mut header = header.clone();
    for (old, now) in ORIGINALS {
        if let Ok(value) = header.real(old) {
            header.set(now, value, "");
        }
    }
    header
}

/// A header with its reference point moved, if it has world coordinates; what they were before is kept.
fn registered(header: &Header, offset: Offset) -> Header {
    let mut header = before_registration(header);
    let Some(wcs) = TanSip::of_header(&header) else { return header };
    for (old, now) in ORIGINALS {
        if let Ok(value) = header.real(now) {
            header.set(old, value, "before registration");
        }
    }
    let crval = moved(&wcs, offset).tan.crval;
    header.set("CRVAL1", crval.0, "");
    header.set("CRVAL2", crval.1, "");
    header
}
