//! FITS in and out: the only module that knows bytes on disk.
//!
//! Models the FITS standard 4.0 (Pence et al. 2010, A&A 524, A42; version 4.0 of 2018): header and data units (section 3),
//! headers (4), data representation (5), random groups (6), images and tables (7), tile compression (10), and the checksum
//! convention (4.4.2.7 and appendix J). Headers, plain images and tables are read and written by this module itself, with
//! `pread` and every size in a header checked against the length of the file first; tile-compressed images (`.fz`) are
//! decoded by CFITSIO through the crate `fitsio`. Whole files in gzip or in Unix `compress` form are decompressed on the way, recognised by their
//! first bytes and not by name.
//!
//! Shapes are `(rows, columns)`, which is `(NAXIS2, NAXIS1)`. Axes are in FITS order, `NAXIS1` first.
//! What gives an image of two axes refuses any other ([`FitsError::Axes`]; further axes of length 1 do not count). An
//! [`ImageReader`] reads images of any axes by planes, by rows, or as a whole in their own shape. [`scan_file`] takes its
//! statistics over all planes; [`verify`] and [`copy_with_header`] see bytes, whatever their axes.

mod bands;
mod cfitsio;
mod checksum;
mod content_hash;
mod convert;
mod copy;
mod error;
mod image_reader;
mod inflate;
mod kind;
mod layout;
mod lzw;
mod percentile;
mod product_header;
mod scaling;
mod scan;
mod select;
mod source;
mod table;
mod table_format;
mod table_read;
mod table_write;
mod tile_claims;
mod tiled;
mod verify;
mod walk;
mod write;
mod write_header;

pub use bands::ImageBands;
pub use content_hash::{ContentHasher, hash_of_bytes, hash_of_file};
pub use copy::copy_with_header;
pub use error::FitsError;
pub use image_reader::ImageReader;
pub use inflate::Limits;
pub use kind::HduKind;
pub use layout::{Layout, read_image, write_image, write_image_and_tables};
pub use percentile::PixelStatistics;
pub use product_header::product_header;
pub use scaling::Scaling;
pub use scan::{ScannedFile, scan_file, scan_file_unless};
pub use select::HduSelect;
pub use table::{Cells, Column, ColumnData, Table};
pub use table_read::read_table;
pub use verify::{HduVerdict, Verdict, verify};
pub use walk::{HduInfo, hdus, hdus_within, primary_header};
pub use write::{HduToWrite, PixelType, Pixels, PlannedImage, ProducerError, ProductWriter, Written, write_product};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_axes;
