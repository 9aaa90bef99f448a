//! Products with errors: data, variance (`STAT`) and quality (`DQ`), in the two layouts that users' tools read.

use std::path::Path;
use std::sync::Arc;

use ifured_core::{Card, Header, Value};

use super::error::FitsError;
use super::image_reader::ImageReader;
use super::inflate::Limits;
use super::product_header::product_header;
use super::select::HduSelect;
use super::table::Table;
use super::walk::{HduInfo, open_walked};
use super::write::{HduToWrite, Pixels, Written, write_product};
use super::write_header::numbered;
use crate::image::Image;

/// Where data, variance and quality are in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Data in the primary HDU, extensions `STAT` and `DQ`.
    PrimaryData,
    /// An empty primary HDU, extensions `DATA`, `STAT` and `DQ`, as MUSE and KMOS products have them.
    Extensions,
}

/// Headers of the HDUs of a product, in order: those of the primary HDU, of `DATA` (if it is an extension), `STAT` and `DQ`.
pub(super) struct PlaneHeaders {
    pub(super) primary: Header,
    pub(super) data: Header,
    pub(super) stat: Header,
    pub(super) quality: Header,
}

/// Parts a header: what describes the pixels (unit, world coordinates) goes with every plane, the rest is in the primary HDU.
pub(super) fn plane_headers(header: &Header, layout: Layout) -> PlaneHeaders {
    let clean = product_header(header);
    let of_pixels = |c: &Card| c.value().is_some() && is_pixel_keyword(&c.keyword);
    let coordinates: Vec<Card> = clean.cards().iter().filter(|c| of_pixels(c) && c.keyword != "BUNIT").cloned().collect();
    let unit = clean.text("BUNIT").ok().map(|u| u.trim().to_owned()).filter(|u| !u.is_empty());
    let plane = |name: &str, unit: Option<&str>, comment: &str| {
        let mut h = Header::new();
        h.push(Card::new("EXTNAME", name, comment));
        if let Some(unit) = unit {
            h.push(Card::new("BUNIT", unit, ""));
        }
        coordinates.iter().for_each(|c| h.push(c.clone()));
        h
    };
    let squared = unit.as_ref().map(|u| format!("({u})**2"));
    let data = plane("DATA", unit.as_deref(), "data");
    let stat = plane("STAT", squared.as_deref(), "variance of the data");
    let quality = plane("DQ", None, "quality bits, 0 is good");
    let mut primary = clean;
    primary.remove("EXTNAME");
    if layout == Layout::Extensions {
        primary.retain(|c| !of_pixels(c));
    }
    PlaneHeaders { primary, data, stat, quality }
}

/// Unit and linear world coordinates (FITS standard 4.0, section 8).
fn is_pixel_keyword(keyword: &str) -> bool {
    let matrix = |k: &str| {
        let ij = k.strip_prefix("CD").or_else(|| k.strip_prefix("PC"));
        ij.and_then(|ij| ij.split_once('_')).is_some_and(|(i, j)| [i, j].iter().all(|n| n.parse::<u8>().is_ok()))
    };
    matches!(keyword, "BUNIT" | "WCSAXES" | "SPECSYS" | "RADESYS" | "EQUINOX" | "LONPOLE" | "LATPOLE" | "RESTFRQ" | "RESTWAV")
        || numbered(keyword, &["CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT", "CROTA", "CNAME", "CRDER", "CSYER"])
        || matrix(keyword)
}

/// Writes an image with its errors; the header is cleaned by [`product_header`] on the way.
///
/// Data and variance are `f32`, quality is the bit pattern of `u32` in a signed integer of 32 bits. `STAT` has the unit of
/// the data squared.
///
/// # Errors
/// If the three planes differ in shape, or as [`write_product`].
pub fn write_image(path: impl AsRef<Path>, header: &Header, image: &Image, layout: Layout) -> Result<Written, FitsError> {
    write_image_and_tables(path, header, image, layout, &[])
}

/// As [`write_image`], with tables behind the three planes.
///
/// # Errors
/// As there.
pub fn write_image_and_tables(
    path: impl AsRef<Path>,
    header: &Header,
    image: &Image,
    layout: Layout,
    tables: &[Table],
) -> Result<Written, FitsError> {
    let shape = image.data.dim();
    if image.variance.dim() != shape || image.quality.dim() != shape {
        let what = format!("data {shape:?}, variance {:?} and quality {:?} differ in shape", image.variance.dim(), image.quality.dim());
        return Err(FitsError::Unwritable { path: path.as_ref().to_owned(), hdu: 0, what });
    }
    let headers = plane_headers(header, layout);
    let stat = HduToWrite::image(&headers.stat, image.variance.view());
    let quality = HduToWrite::Image { header: &headers.quality, pixels: Pixels::from(image.quality.view()) };
    let mut hdus = match layout {
        Layout::PrimaryData => vec![HduToWrite::image(&headers.primary, image.data.view())],
        Layout::Extensions => vec![HduToWrite::Empty(&headers.primary), HduToWrite::image(&headers.data, image.data.view())],
    };
    hdus.extend([stat, quality]);
    hdus.extend(tables.iter().map(HduToWrite::Table));
    write_product(path, &hdus)
}

/// Readers of the three planes of a product, with the header that describes it.
pub(super) fn open_planes(path: &Path) -> Result<(Header, [ImageReader; 3]), FitsError> {
    let (source, hdus) = open_walked(path, &Limits::default())?;
    let source = Arc::new(source);
    let named = |name: &str| HduSelect::name(name).find(path, &hdus);
    let data = match named("DATA") {
        Ok(n) => n,
        Err(_) => HduSelect::First.find(path, &hdus)?,
    };
    let header = whole_header(&hdus, data);
    let (stat, quality) = (named("STAT")?, named("DQ")?);
    let open = |n: usize| ImageReader::of(source.clone(), hdus[n].clone());
    let planes = [open(data)?, open(stat)?, open(quality)?];
    let shape = planes[0].image_shape()?;
    for plane in &planes[1..] {
        let found = plane.image_shape()?;
        if found != shape {
            let what = format!("shape {found:?} differs from that of the data, {shape:?}");
            return Err(FitsError::Shape { path: path.to_owned(), hdu: plane.info().index, what });
        }
    }
    Ok((header, planes))
}

/// The primary header together with what the DATA extension adds to it.
fn whole_header(hdus: &[HduInfo], data: usize) -> Header {
    let mut header = product_header(&hdus[0].header);
    if data > 0 {
        let more = product_header(&hdus[data].header);
        for card in more.cards().iter().filter(|c| c.keyword != "EXTNAME") {
            match card.value() {
                Some(_) if header.contains(&card.keyword) => {}
                Some(Value::Undefined) | None => {}
                Some(_) => header.push(card.clone()),
            }
        }
    }
    header
}

/// Reads an image with its errors, in either layout. The header is without structural keywords; that of a `DATA` extension is
/// joined to that of the primary HDU.
///
/// # Errors
/// As [`super::hdus`]; if an extension `STAT` or `DQ` is missing (a raw frame is read with [`ImageReader`]); if the shapes
/// differ; if the image has not two axes ([`FitsError::Axes`]).
pub fn read_image(path: impl AsRef<Path>) -> Result<(Header, Image), FitsError> {
    let (header, [data, variance, quality]) = open_planes(path.as_ref())?;
    Ok((header, Image { data: data.read_all()?, variance: variance.read_all()?, quality: quality.read_all_bits()? }))
}
