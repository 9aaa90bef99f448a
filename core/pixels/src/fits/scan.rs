//! The one pass over a file when an archive is scanned: headers, content hash and pixel statistics.

use std::path::Path;

use ifured_core::Header;

use super::content_hash::hash_of_rest;
use super::error::FitsError;
use super::image_reader::ImageReader;
use super::inflate::Limits;
use super::percentile::{Histogram, PixelStatistics, of_f32, of_f64};
use super::scaling::Scaling;
use super::source::{Place, Source, io_error};
use super::walk::{HduInfo, open_walked};

/// What a scan finds in a file.
#[derive(Clone, Debug)]
pub struct ScannedFile {
    /// All HDUs.
    pub hdus: Vec<HduInfo>,
    /// Content hash of the file as it is on disk (see [`super::hash_of_file`]).
    pub hash: String,
    /// Statistics of the first image with data (the primary HDU, or else the first image extension); `None` if they were not
    /// asked for, if there is no such image, or if all of its pixels are undefined.
    pub statistics: Option<PixelStatistics>,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// Reads a file for the catalogue: its headers, its content hash and, if wanted, the statistics of its pixels. The content of
/// an uncompressed file is read once.
///
/// Statistics are over all planes of an image. Those of 8- and 16-bit images take a histogram of fixed size; those of other types
/// hold all pixels.
///
/// # Errors
/// As [`super::hdus`]; as [`ImageReader::open`] for the image.
pub fn scan_file(path: impl AsRef<Path>, want_statistics: bool) -> Result<ScannedFile, FitsError> {
    let (source, hdus) = open_walked(path.as_ref(), &Limits::default())?;
    scanned(source, hdus, want_statistics)
}

/// As [`scan_file`]; where the primary header is not one to go on with, the headers are all that is read.
///
/// # Errors
/// As [`scan_file`].
pub fn scan_file_unless(
    path: impl AsRef<Path>,
    want_statistics: bool,
    stop: impl Fn(&Header) -> bool,
) -> Result<Result<ScannedFile, Vec<HduInfo>>, FitsError> {
    let (source, hdus) = open_walked(path.as_ref(), &Limits::default())?;
    if hdus.first().is_some_and(|h| stop(&h.header)) {
        return Ok(Err(hdus));
    }
    scanned(source, hdus, want_statistics).map(Ok)
}

fn scanned(source: Source, hdus: Vec<HduInfo>, want_statistics: bool) -> Result<ScannedFile, FitsError> {
    let image = hdus.iter().find(|h| h.kind.image().is_some_and(|(_, axes)| !axes.is_empty() && !axes.contains(&0)));
    let image = image.filter(|_| want_statistics).cloned();
    match image {
        // A plain image of integers: counted on the way.
        Some(info) if matches!(source.place, Place::File(_)) && is_plain_small(&info) => {
            let bitpix = info.kind.image().map_or(16, |(b, _)| b);
            let scaling = Scaling::of(&info.header, bitpix, &mut Vec::new());
            let mut histogram = Histogram::new(bitpix);
            let data = info.data_offset..info.data_offset + info.data_bytes;
            let (hash, bytes) = hash_file(&source, |offset, chunk| {
                let start = data.start.clamp(offset, offset + chunk.len() as u64) - offset;
                let end = data.end.clamp(offset, offset + chunk.len() as u64) - offset;
                histogram.add(&chunk[start as usize..end as usize]);
            })?;
            Ok(ScannedFile { hdus, hash, statistics: histogram.statistics(&scaling), bytes })
        }
        Some(info) => {
            let (hash, bytes) = hash_file(&source, |_, _| {})?;
            let statistics = statistics_by_selection(&ImageReader::of(source.into(), info)?)?;
            Ok(ScannedFile { hdus, hash, statistics, bytes })
        }
        None => {
            let (hash, bytes) = hash_file(&source, |_, _| {})?;
            Ok(ScannedFile { hdus, hash, statistics: None, bytes })
        }
    }
}

fn is_plain_small(info: &HduInfo) -> bool {
    matches!(info.kind, super::kind::HduKind::Image { bitpix: 8 | 16, .. }) && info.data_bytes < 1 << 32
}

/// Statistics over all pixels of all planes.
fn statistics_by_selection(reader: &ImageReader) -> Result<Option<PixelStatistics>, FitsError> {
    let (rows, columns) = reader.stacked_shape();
    if matches!(reader.bitpix(), -32 | 16 | 8) {
        let mut values = vec![0f32; rows * columns];
        reader.read_rows(0..rows, &mut values)?;
        Ok(of_f32(&values))
    } else {
        let mut values = vec![0f64; rows * columns];
        reader.read_rows_f64(0..rows, &mut values)?;
        Ok(of_f64(&values))
    }
}

/// Content hash of a file and its length; `each` sees every chunk of a plain file with its offset.
fn hash_file(source: &Source, each: impl FnMut(u64, &[u8])) -> Result<(String, u64), FitsError> {
    let path = &source.path;
    let mut again;
    let mut file = match &source.place {
        Place::File(file) => file,
        Place::Memory(_) => {
            again = std::fs::File::open(path).map_err(|e| io_error(path, "open", e))?;
            &mut again
        }
    };
    // The first bytes were read to recognise the format.
    std::io::Seek::rewind(&mut file).map_err(|e| io_error(path, "rewind", e))?;
    hash_of_rest(&mut file, each).map_err(|e| io_error(path, "read", e))
}
