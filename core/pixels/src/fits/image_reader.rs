//! Images of any BITPIX and any axes as physical values: whole, by planes, or by bands of rows (FITS standard 4.0, sections
//! 4.4.2.5, 5 and 7.1).
//!
//! A plane is what the first two axes span. The planes of an image follow each other in the file, and so do their rows:
//! `read_rows...` count rows from the first of the first plane, [`ImageReader::rows_of_plane`] says which are of a plane.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ifured_core::Header;
use ndarray::{Array2, ArrayD};

use super::convert;
use super::error::FitsError;
use super::inflate::Limits;
use super::kind::HduKind;
use super::scaling::Scaling;
use super::select::HduSelect;
use super::source::Source;
use super::tiled::TiledImage;
use super::walk::{HduInfo, open_walked};

/// Bytes read at a time: small enough to stay in the second-level cache until they are converted.
const CHUNK: usize = 1 << 18;

#[derive(Debug)]
enum Backend {
    Plain(Arc<Source>),
    /// A copy: the file is not kept open.
    Tiled(Mutex<TiledImage>),
}

/// An image HDU, open for reading. It may be shared between threads.
#[derive(Debug)]
pub struct ImageReader {
    path: PathBuf,
    info: HduInfo,
    bitpix: i32,
    axes: Vec<u64>,
    rows: usize,
    columns: usize,
    scaling: Scaling,
    backend: Backend,
}

impl ImageReader {
    /// Opens an image; compressed files are decompressed into memory.
    ///
    /// # Errors
    /// As [`super::hdus`]; if there is no such HDU; if it is no image; if the sizes claimed by a compressed image are absurd.
    pub fn open(path: impl AsRef<Path>, select: HduSelect) -> Result<Self, FitsError> {
        Self::open_within(path, select, &Limits::default())
    }

    /// As [`ImageReader::open`], with limits of one's own.
    ///
    /// # Errors
    /// As [`ImageReader::open`].
    pub fn open_within(path: impl AsRef<Path>, select: HduSelect, limits: &Limits) -> Result<Self, FitsError> {
        let (source, mut hdus) = open_walked(path.as_ref(), limits)?;
        let index = select.find(path.as_ref(), &hdus)?;
        let info = hdus.swap_remove(index);
        Self::of(source.into(), info)
    }

    pub(super) fn of(source: Arc<Source>, mut info: HduInfo) -> Result<Self, FitsError> {
        let path = source.path.clone();
        let Some((bitpix, axes)) = info.kind.image().map(|(b, a)| (b, a.to_vec())) else {
            let found = info.kind.describe();
            return Err(FitsError::WrongKind { path, hdu: info.index, wanted: "an image", found });
        };
        // A plain image is in the file, so its sizes fit; those of a compressed one are checked by `TiledImage`.
        let scaling = Scaling::of(&info.header, bitpix, &mut info.issues);
        let backend = match info.kind {
            HduKind::CompressedImage { .. } => Backend::Tiled(Mutex::new(TiledImage::open(&source, &info)?)),
            _ => Backend::Plain(source),
        };
        let too_large = || FitsError::Shape { path: path.clone(), hdu: info.index, what: format!("axes {axes:?} are too long") };
        let empty = axes.is_empty() || axes.contains(&0);
        let count = |axes: &[u64]| axes.iter().try_fold(1usize, |p, &n| p.checked_mul(usize::try_from(n).ok()?));
        let (columns, rows) =
            if empty { (0, 0) } else { (count(&axes[..1]).ok_or_else(too_large)?, count(&axes[1..]).ok_or_else(too_large)?) };
        Ok(ImageReader { path, bitpix, axes, rows, columns, scaling, backend, info })
    }

    /// The header of the HDU.
    pub fn header(&self) -> &Header {
        &self.info.header
    }

    /// Number, kind and place of the HDU, and [`HduInfo::issues`] such as a BLANK that no pixel can have.
    pub fn info(&self) -> &HduInfo {
        &self.info
    }

    /// Bits per stored pixel: 8, 16, 32, 64, -32 or -64.
    pub fn bitpix(&self) -> i32 {
        self.bitpix
    }

    /// How stored pixels become values.
    pub fn scaling(&self) -> Scaling {
        self.scaling
    }

    /// Lengths of the axes in FITS order, `NAXIS1` first.
    pub fn axes(&self) -> &[u64] {
        &self.axes
    }

    /// Planes: all axes from the third on multiplied; 1 for one or two axes, 0 where there are no pixels.
    pub fn planes(&self) -> usize {
        let (rows, _) = self.plane_shape();
        self.rows.checked_div(rows).unwrap_or(0)
    }

    /// Rows and columns of a plane: `(NAXIS2, NAXIS1)`; one row for an image of one axis.
    pub fn plane_shape(&self) -> (usize, usize) {
        match self.axes.get(1) {
            Some(&rows) if self.rows > 0 => (rows as usize, self.columns),
            _ => (self.rows, self.columns),
        }
    }

    /// Rows and columns of an image of two axes; further axes of length 1 do not count.
    ///
    /// # Errors
    /// [`FitsError::Axes`] for any other image.
    pub fn image_shape(&self) -> Result<(usize, usize), FitsError> {
        match self.axes.as_slice() {
            [_, _, further @ ..] if further.iter().all(|&n| n == 1) => Ok((self.rows, self.columns)),
            _ => Err(FitsError::Axes { path: self.path.clone(), hdu: self.info.index, axes: self.axes.clone() }),
        }
    }

    /// Rows and columns of all planes stacked: the rows that `read_rows...` count, whatever the axes.
    pub fn stacked_shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// The rows of a plane (from 0), for `read_rows...`.
    ///
    /// # Errors
    /// If there is no such plane.
    pub fn rows_of_plane(&self, plane: usize) -> Result<Range<usize>, FitsError> {
        if plane >= self.planes() {
            return Err(self.shape_error(format!("plane {plane} (from 0) asked for, the image has {}", self.planes())));
        }
        let (rows, _) = self.plane_shape();
        Ok(plane * rows..(plane + 1) * rows)
    }

    /// Reads a plane (from 0) as physical values into `out`, row after row.
    ///
    /// # Errors
    /// If there is no such plane; as [`ImageReader::read_rows`].
    pub fn read_plane(&self, plane: usize, out: &mut [f32]) -> Result<(), FitsError> {
        self.read_rows(self.rows_of_plane(plane)?, out)
    }

    /// Reads rows `range` (from 0) as physical values into `out`, row after row; BLANK pixels become NaN.
    ///
    /// # Errors
    /// If the rows are not in the image, if `out` has another size, if the file cannot be read or decoded.
    pub fn read_rows(&self, range: Range<usize>, out: &mut [f32]) -> Result<(), FitsError> {
        self.check(&range, out.len())?;
        match &self.backend {
            Backend::Tiled(tiled) => self.lock(tiled).read(self.pixel(range.start), out),
            Backend::Plain(source) if self.bitpix == -32 => {
                let mut offset = self.offset(range.start);
                for piece in out.chunks_mut(CHUNK / 4) {
                    source.read_at(offset, bytemuck::cast_slice_mut(piece))?;
                    offset += (piece.len() * 4) as u64;
                    convert::swap_f32(piece, &self.scaling);
                }
                Ok(())
            }
            Backend::Plain(source) => {
                self.converted(source, range.start, out, |raw, out| convert::to_f32(self.bitpix, raw, &self.scaling, out))
            }
        }
    }

    /// As [`ImageReader::read_rows`], in `f64`: exact for integers up to 2^53.
    ///
    /// # Errors
    /// As [`ImageReader::read_rows`].
    pub fn read_rows_f64(&self, range: Range<usize>, out: &mut [f64]) -> Result<(), FitsError> {
        self.check(&range, out.len())?;
        match &self.backend {
            Backend::Tiled(tiled) => self.lock(tiled).read(self.pixel(range.start), out),
            Backend::Plain(source) => {
                self.converted(source, range.start, out, |raw, out| convert::to_f64(self.bitpix, raw, &self.scaling, out))
            }
        }
    }

    /// Whether the pixels are unsigned integers of 16 bits (`BITPIX 16`, `BSCALE 1`, `BZERO 32768`).
    pub fn is_u16(&self) -> bool {
        self.bitpix == 16 && self.scaling.scale == 1.0 && self.scaling.zero == 32768.0
    }

    /// Reads rows of unsigned 16-bit pixels as they are. BLANK is not regarded.
    ///
    /// # Errors
    /// As [`ImageReader::read_rows`]; if the pixels are of another type (see [`ImageReader::is_u16`]) or tile-compressed.
    pub fn read_rows_u16(&self, range: Range<usize>, out: &mut [u16]) -> Result<(), FitsError> {
        self.check(&range, out.len())?;
        let source = self.plain(self.is_u16(), "plain pixels of 16 bits with BZERO 32768")?;
        let mut offset = self.offset(range.start);
        for piece in out.chunks_mut(CHUNK / 2) {
            source.read_at(offset, bytemuck::cast_slice_mut(piece))?;
            offset += (piece.len() * 2) as u64;
            for v in piece {
                *v = u16::from_be(*v) ^ 0x8000;
            }
        }
        Ok(())
    }

    /// Reads rows of stored integers of 8, 16 or 32 bits, neither scaled nor compared with BLANK.
    ///
    /// # Errors
    /// As [`ImageReader::read_rows`]; if the pixels are real or of 64 bits, or tile-compressed.
    pub fn read_rows_i32(&self, range: Range<usize>, out: &mut [i32]) -> Result<(), FitsError> {
        self.check(&range, out.len())?;
        let source = self.plain(matches!(self.bitpix, 8 | 16 | 32), "plain integers of up to 32 bits")?;
        self.converted(source, range.start, out, |raw, out| convert::to_i32(self.bitpix, raw, out))
    }

    /// An image of two axes as physical values, shape as [`ImageReader::image_shape`].
    ///
    /// # Errors
    /// [`FitsError::Axes`] for other images; as [`ImageReader::read_rows`].
    pub fn read_all(&self) -> Result<Array2<f32>, FitsError> {
        let shape = self.image_shape()?;
        self.array(shape, self.read_stacked()?)
    }

    /// All pixels as physical values in the shape of the image: slowest axis first, `NAXIS1` last.
    ///
    /// # Errors
    /// As [`ImageReader::read_rows`].
    pub fn read_array(&self) -> Result<ArrayD<f32>, FitsError> {
        let shape: Vec<usize> = self.axes.iter().rev().map(|&n| n as usize).collect();
        if shape.is_empty() {
            return Ok(ArrayD::zeros(vec![0]));
        }
        ArrayD::from_shape_vec(shape, self.read_stacked()?).map_err(|e| self.shape_error(e.to_string()))
    }

    fn read_stacked(&self) -> Result<Vec<f32>, FitsError> {
        let mut values = vec![0f32; self.rows * self.columns];
        self.read_rows(0..self.rows, &mut values)?;
        Ok(values)
    }

    /// Reads rows of quality bits: stored integers as [`ImageReader::read_rows_i32`], seen as unsigned.
    ///
    /// # Errors
    /// As [`ImageReader::read_rows_i32`].
    pub fn read_rows_bits(&self, range: Range<usize>, out: &mut [u32]) -> Result<(), FitsError> {
        self.check(&range, out.len())?;
        let source = self.plain(matches!(self.bitpix, 8 | 16 | 32), "plain integers of up to 32 bits")?;
        if self.bitpix != 32 {
            return self.converted(source, range.start, out, |raw, out| convert::to_bits(self.bitpix, raw, out));
        }
        let mut offset = self.offset(range.start);
        for piece in out.chunks_mut(CHUNK / 4) {
            source.read_at(offset, bytemuck::cast_slice_mut(piece))?;
            offset += (piece.len() * 4) as u64;
            piece.iter_mut().for_each(|v| *v = u32::from_be(*v));
        }
        Ok(())
    }

    pub(super) fn read_all_bits(&self) -> Result<Array2<u32>, FitsError> {
        let shape = self.image_shape()?;
        let mut values = vec![0u32; shape.0 * shape.1];
        self.read_rows_bits(0..shape.0, &mut values)?;
        self.array(shape, values)
    }

    fn array<T>(&self, shape: (usize, usize), values: Vec<T>) -> Result<Array2<T>, FitsError> {
        Array2::from_shape_vec(shape, values).map_err(|e| self.shape_error(e.to_string()))
    }

    /// Reads stored pixels from a row on, piece by piece, and converts them.
    fn converted<T>(&self, source: &Source, row: usize, out: &mut [T], convert: impl Fn(&[u8], &mut [T])) -> Result<(), FitsError> {
        let width = (self.bitpix.unsigned_abs() / 8) as usize;
        let mut raw = vec![0u8; CHUNK.min(out.len() * width)];
        let mut offset = self.offset(row);
        for piece in out.chunks_mut(CHUNK / width) {
            let bytes = piece.len() * width;
            source.read_at(offset, &mut raw[..bytes])?;
            convert(&raw[..bytes], piece);
            offset += bytes as u64;
        }
        Ok(())
    }

    /// The bytes of a plain image whose pixels are of the kind that is wanted.
    fn plain(&self, is_wanted: bool, wanted: &'static str) -> Result<&Source, FitsError> {
        match &self.backend {
            Backend::Plain(source) if is_wanted => Ok(source),
            _ => Err(self.wrong_kind(wanted)),
        }
    }

    fn pixel(&self, row: usize) -> usize {
        row * self.columns
    }

    fn offset(&self, row: usize) -> u64 {
        self.info.data_offset + self.pixel(row) as u64 * u64::from(self.bitpix.unsigned_abs() / 8)
    }

    fn check(&self, range: &Range<usize>, length: usize) -> Result<(), FitsError> {
        if range.start > range.end || range.end > self.rows {
            return Err(self.shape_error(format!("rows {range:?} asked for, the image has {}", self.rows)));
        }
        let wanted = range.len() * self.columns;
        if wanted != length {
            return Err(self.shape_error(format!("rows {range:?} are {wanted} pixels, the buffer has {length}")));
        }
        Ok(())
    }

    fn shape_error(&self, what: String) -> FitsError {
        FitsError::Shape { path: self.path.clone(), hdu: self.info.index, what }
    }

    fn wrong_kind(&self, wanted: &'static str) -> FitsError {
        let Scaling { scale, zero, .. } = self.scaling;
        let found = format!("{}, BSCALE {scale}, BZERO {zero}", self.info.kind.describe());
        FitsError::WrongKind { path: self.path.clone(), hdu: self.info.index, wanted, found }
    }

    fn lock<'a>(&self, tiled: &'a Mutex<TiledImage>) -> std::sync::MutexGuard<'a, TiledImage> {
        // A panic elsewhere while the lock was held leaves the handle as usable as it was.
        tiled.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
