//! Products: written under a temporary name, synced, renamed; equal content gives equal bytes (FITS standard 4.0, section 3).

use std::cell::RefCell;
use std::fs::{File, Permissions};
use std::io::{Seek, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ifured_core::Header;
use ndarray::{ArrayView, ArrayViewD, Dimension};
use tempfile::NamedTempFile;

use super::checksum::Sum;
use super::content_hash::hash_of_rest;
use super::error::FitsError;
use super::source::io_error;
use super::table::Table;
use super::table_write::encode_table;
use super::walk::BLOCK;
use super::write_header::{HeaderBytes, Structure};

/// Bytes converted, summed and written at a time: they stay in the cache.
const CHUNK: usize = 1 << 17;

/// Error of a producer of rows.
pub type ProducerError = Box<dyn std::error::Error + Send + Sync>;

/// A closure that fills rows of a streamed image; rows are asked for in order, each once.
pub type RowProducer<'a, T> = RefCell<Box<dyn FnMut(Range<usize>, &mut [T]) -> Result<(), ProducerError> + 'a>>;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Content hash of the file (see [`super::hash_of_file`]).
    pub hash: String,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// How pixels are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelType {
    /// Unsigned bytes, BITPIX 8.
    U8,
    /// BITPIX 16.
    I16,
    /// BITPIX 16 with BZERO 32768.
    U16,
    /// BITPIX 32.
    I32,
    /// BITPIX 32 with the bits of an unsigned number: quality flags.
    U32Bits,
    /// BITPIX -32.
    F32,
    /// BITPIX -64.
    F64,
}

mod sealed {
    /// A number that can be a pixel of a product.
    pub trait Pixel: Copy {
        /// How it is stored.
        const TYPE: super::PixelType;
        /// The stored, big-endian form of many; it replaces what is in `out`.
        fn put(values: &[Self], out: &mut Vec<u8>);
    }
}
pub(super) use sealed::Pixel;

macro_rules! pixel {
    ($($t:ty, $variant:ident, $stored:expr;)*) => {$(
        impl Pixel for $t {
            const TYPE: PixelType = PixelType::$variant;
            fn put(values: &[Self], out: &mut Vec<u8>) {
                let stored = $stored;
                out.resize(size_of_val(values), 0);
                let places = out.as_chunks_mut::<{ size_of::<$t>() }>().0;
                places.iter_mut().zip(values).for_each(|(to, &v)| *to = stored(v));
            }
        }
        impl<'a, D: Dimension> From<ArrayView<'a, $t, D>> for Pixels<'a> {
            fn from(view: ArrayView<'a, $t, D>) -> Self { Pixels::$variant(view.into_dyn()) }
        }
    )*};
}
pixel! {
    u8, U8, |v: u8| [v];
    i16, I16, |v: i16| v.to_be_bytes();
    u16, U16, |v: u16| (v ^ 0x8000).to_be_bytes();
    i32, I32, |v: i32| v.to_be_bytes();
    u32, U32Bits, |v: u32| v.to_be_bytes();
    f32, F32, |v: f32| v.to_be_bytes();
    f64, F64, |v: f64| v.to_be_bytes();
}

/// Pixels of an image to be written. Shapes are as in ndarray, slowest axis first: `(rows, columns)`, `(planes, rows, columns)`.
pub enum Pixels<'a> {
    /// Bytes.
    U8(ArrayViewD<'a, u8>),
    /// Signed integers of 16 bits.
    I16(ArrayViewD<'a, i16>),
    /// Unsigned integers of 16 bits, as detectors give them.
    U16(ArrayViewD<'a, u16>),
    /// Signed integers of 32 bits.
    I32(ArrayViewD<'a, i32>),
    /// Bits, stored as BITPIX 32 without BZERO: quality flags.
    U32Bits(ArrayViewD<'a, u32>),
    /// Real numbers.
    F32(ArrayViewD<'a, f32>),
    /// Real numbers of double precision.
    F64(ArrayViewD<'a, f64>),
    /// Real numbers that a closure makes, band of rows by band of rows.
    F32Rows {
        /// Shape of the image.
        shape: Vec<usize>,
        /// Fills the rows it is asked for.
        rows: RowProducer<'a, f32>,
    },
    /// Bits that a closure makes, stored as [`Pixels::U32Bits`].
    U32BitsRows {
        /// Shape of the image.
        shape: Vec<usize>,
        /// Fills the rows it is asked for.
        rows: RowProducer<'a, u32>,
    },
}

/// One HDU of a product. Structural keywords in the header given are ignored: they are made from the data.
pub enum HduToWrite<'a> {
    /// A header without data.
    Empty(&'a Header),
    /// An image.
    Image {
        /// Its header.
        header: &'a Header,
        /// Its pixels.
        pixels: Pixels<'a>,
    },
    /// A binary table, never the first HDU.
    Table(&'a Table),
}

impl<'a> HduToWrite<'a> {
    /// An image from a view of an array.
    pub fn image(header: &'a Header, pixels: impl Into<Pixels<'a>>) -> Self {
        HduToWrite::Image { header, pixels: pixels.into() }
    }

    /// A streamed image of `f32`: `rows` is called with the range of rows that it is to fill.
    pub fn image_by_rows(
        header: &'a Header,
        shape: &[usize],
        rows: impl FnMut(Range<usize>, &mut [f32]) -> Result<(), ProducerError> + 'a,
    ) -> Self {
        HduToWrite::Image { header, pixels: Pixels::F32Rows { shape: shape.to_vec(), rows: RefCell::new(Box::new(rows)) } }
    }

    fn header_and_plan(&self) -> Result<(&Header, Structure, Option<Vec<u8>>), String> {
        Ok(match self {
            HduToWrite::Empty(header) => (header, Structure::Image { bitpix: 8, axes: Vec::new(), unsigned: false }, None),
            HduToWrite::Image { header, pixels } => {
                let (kind, shape) = pixels.kind_and_shape();
                (header, image_structure(kind, shape), None)
            }
            HduToWrite::Table(table) => {
                let encoded = encode_table(table)?;
                (&table.header, encoded.structure, Some(encoded.bytes))
            }
        })
    }
}

impl Pixels<'_> {
    fn kind_and_shape(&self) -> (PixelType, &[usize]) {
        match self {
            Pixels::U8(v) => (PixelType::U8, v.shape()),
            Pixels::I16(v) => (PixelType::I16, v.shape()),
            Pixels::U16(v) => (PixelType::U16, v.shape()),
            Pixels::I32(v) => (PixelType::I32, v.shape()),
            Pixels::U32Bits(v) => (PixelType::U32Bits, v.shape()),
            Pixels::F32(v) => (PixelType::F32, v.shape()),
            Pixels::F64(v) => (PixelType::F64, v.shape()),
            Pixels::F32Rows { shape, .. } => (PixelType::F32, shape),
            Pixels::U32BitsRows { shape, .. } => (PixelType::U32Bits, shape),
        }
    }
}

fn image_structure(kind: PixelType, shape: &[usize]) -> Structure {
    let bitpix = match kind {
        PixelType::U8 => 8,
        PixelType::I16 | PixelType::U16 => 16,
        PixelType::I32 | PixelType::U32Bits => 32,
        PixelType::F32 => -32,
        PixelType::F64 => -64,
    };
    Structure::Image { bitpix, axes: shape.iter().rev().copied().collect(), unsigned: kind == PixelType::U16 }
}

pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file beside `path` that will get its name when it is complete.
pub(super) fn temporary_beside(path: &Path) -> Result<NamedTempFile, FitsError> {
    tempfile::Builder::new()
        .prefix(&format!(".ifured-tmp-{}-", std::process::id()))
        .suffix(".fits")
        // The usual rights of a new file; the system takes away those of the umask.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory_of(path))
        .map_err(|e| io_error(path, "create a temporary file beside it", e))
}

/// Syncs a complete file and gives it its name.
pub(super) fn publish(mut file: NamedTempFile, path: &Path) -> Result<(), FitsError> {
    file.as_file_mut().flush().and_then(|()| file.as_file().sync_all()).map_err(|e| io_error(path, "sync", e))?;
    file.persist(path).map_err(|e| io_error(path, "rename the temporary file to it", e.error))?;
    sync_directory_of(path)
}

/// Makes the name of a file safe: it is only when its directory is. File systems that cannot sync a directory say EINVAL.
pub(super) fn sync_directory_of(path: &Path) -> Result<(), FitsError> {
    match File::open(directory_of(path)).and_then(|d| d.sync_all()) {
        Err(e) if e.raw_os_error() != Some(libc::EINVAL) => Err(io_error(path, "sync its directory", e)),
        _ => Ok(()),
    }
}

/// An image that will be written: its header, and its type and shape (slowest axis first), or `None` for no data.
pub type PlannedImage<'a> = (&'a Header, Option<(PixelType, &'a [usize])>);

/// One HDU in a file that is being written.
struct Unit {
    header: HeaderBytes,
    kind: Option<PixelType>,
    offset: u64,
    data_bytes: u64,
    written: u64,
    sum: Sum,
}

/// A product that is written piece by piece, its image HDUs in any order: for recipes that make data, variance and quality
/// of a band of rows together. Dropped before [`ProductWriter::finish`] it leaves nothing behind.
pub struct ProductWriter {
    path: PathBuf,
    file: NamedTempFile,
    units: Vec<Unit>,
    length: u64,
    /// Stored bytes of the pixels that are being written.
    buffer: Vec<u8>,
}

impl ProductWriter {
    /// Starts a product of images.
    ///
    /// # Errors
    /// If the directory cannot be written to.
    pub fn create(path: impl AsRef<Path>, images: &[PlannedImage<'_>]) -> Result<Self, FitsError> {
        let plans = images.iter().map(|(header, image)| match image {
            Some((kind, shape)) => (*header, image_structure(*kind, shape), Some(*kind)),
            None => (*header, Structure::Image { bitpix: 8, axes: Vec::new(), unsigned: false }, None),
        });
        Self::plan(path.as_ref(), plans.collect())
    }

    fn plan(path: &Path, plans: Vec<(&Header, Structure, Option<PixelType>)>) -> Result<Self, FitsError> {
        let unwritable = |hdu, what: &str| FitsError::Unwritable { path: path.to_owned(), hdu, what: what.to_owned() };
        if matches!(plans.first(), None | Some((_, Structure::Table { .. }, _))) {
            return Err(unwritable(0, "the first HDU of a file must be an image or empty"));
        }
        let count = plans.len();
        let mut units = Vec::with_capacity(count);
        let mut offset = 0u64;
        for (n, (header, structure, kind)) in plans.into_iter().enumerate() {
            let data_bytes = data_bytes(&structure).ok_or_else(|| unwritable(n, "the shape is larger than any file"))?;
            let header = HeaderBytes::new(&structure, header, n == 0, count > 1);
            let length = header.bytes.len() as u64;
            units.push(Unit { header, kind, offset, data_bytes, written: 0, sum: Sum::default() });
            offset += length + data_bytes.next_multiple_of(BLOCK);
        }
        let file = temporary_beside(path)?;
        file.as_file().set_len(offset).map_err(|e| io_error(path, "reserve space", e))?;
        Ok(ProductWriter { path: path.to_owned(), file, units, length: offset, buffer: Vec::new() })
    }

    /// Appends pixels to image `hdu` (from 0), in the order of the file.
    ///
    /// # Errors
    /// If the pixels are of another type than planned or more than the image has; if the disk is full.
    pub fn append<T: Pixel>(&mut self, hdu: usize, pixels: &[T]) -> Result<(), FitsError> {
        if self.units.get(hdu).is_none_or(|u| u.kind != Some(T::TYPE)) {
            let planned = self.units.get(hdu).and_then(|u| u.kind);
            return Err(self.unwritable(hdu, format!("pixels of type {:?} given, planned is {planned:?}", T::TYPE)));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let written = pixels.chunks(CHUNK / size_of::<T>()).try_for_each(|piece| {
            T::put(piece, &mut buffer);
            self.append_bytes(hdu, &buffer)
        });
        self.buffer = buffer;
        written
    }

    fn append_bytes(&mut self, hdu: usize, bytes: &[u8]) -> Result<(), FitsError> {
        let unit = &mut self.units[hdu];
        let room = unit.data_bytes - unit.written;
        if bytes.len() as u64 > room {
            return Err(self.unwritable(hdu, format!("{} bytes given, there is room for {room}", bytes.len())));
        }
        unit.sum.add(bytes);
        let at = unit.offset + unit.header.bytes.len() as u64 + unit.written;
        self.file.as_file().write_all_at(bytes, at).map_err(|e| io_error(&self.path, "write", e))?;
        unit.written += bytes.len() as u64;
        Ok(())
    }

    /// Completes the checksums, syncs the file and gives it its name. Answers the hash of its content.
    ///
    /// # Errors
    /// If an image is not complete; if the disk is full; if the file cannot be renamed.
    pub fn finish(mut self) -> Result<Written, FitsError> {
        for (n, unit) in self.units.iter_mut().enumerate() {
            if unit.written != unit.data_bytes {
                let what = format!("{} of {} bytes of data were given", unit.written, unit.data_bytes);
                return Err(FitsError::Unwritable { path: self.path.clone(), hdu: n, what });
            }
            unit.header.seal(unit.sum.value());
            self.file.as_file().write_all_at(&unit.header.bytes, unit.offset).map_err(|e| io_error(&self.path, "write", e))?;
        }
        // Headers come last, for they hold the sums of the data; the hash is of the file as it is, read while it is in memory.
        let mut file = self.file.as_file();
        let hash = file.rewind().and_then(|()| hash_of_rest(&mut file, |_, _| {})).map_err(|e| io_error(&self.path, "read back", e))?.0;
        publish(self.file, &self.path)?;
        Ok(Written { hash, bytes: self.length })
    }

    fn unwritable(&self, hdu: usize, what: String) -> FitsError {
        FitsError::Unwritable { path: self.path.clone(), hdu, what }
    }

    fn append_view<T: Pixel>(&mut self, hdu: usize, view: &ArrayViewD<'_, T>) -> Result<(), FitsError> {
        if let Some(pixels) = view.as_slice() {
            return self.append(hdu, pixels);
        }
        let mut band = Vec::with_capacity(CHUNK / size_of::<T>());
        for &pixel in view {
            band.push(pixel);
            if band.len() == band.capacity() {
                self.append(hdu, &band)?;
                band.clear();
            }
        }
        self.append(hdu, &band)
    }

    fn append_rows<T: Pixel + Default>(&mut self, hdu: usize, shape: &[usize], rows: &RowProducer<'_, T>) -> Result<(), FitsError> {
        let columns = shape.last().copied().unwrap_or(0);
        let count: usize = shape.split_last().map_or(0, |(_, slower)| slower.iter().product());
        if columns == 0 {
            return Ok(());
        }
        let step = ((1 << 18) / columns).max(1);
        let mut band = Vec::new();
        let mut producer =
            rows.try_borrow_mut().map_err(|_| self.unwritable(hdu, "the producer of its rows is in use already".to_owned()))?;
        for first in (0..count).step_by(step) {
            let range = first..(first + step).min(count);
            band.clear();
            band.resize(range.len() * columns, T::default());
            producer(range, &mut band).map_err(|source| FitsError::Producer { path: self.path.clone(), hdu, source })?;
            self.append(hdu, &band)?;
        }
        Ok(())
    }

    fn append_pixels(&mut self, hdu: usize, pixels: &Pixels<'_>) -> Result<(), FitsError> {
        match pixels {
            Pixels::U8(v) => self.append_view(hdu, v),
            Pixels::I16(v) => self.append_view(hdu, v),
            Pixels::U16(v) => self.append_view(hdu, v),
            Pixels::I32(v) => self.append_view(hdu, v),
            Pixels::U32Bits(v) => self.append_view(hdu, v),
            Pixels::F32(v) => self.append_view(hdu, v),
            Pixels::F64(v) => self.append_view(hdu, v),
            Pixels::F32Rows { shape, rows } => self.append_rows(hdu, shape, rows),
            Pixels::U32BitsRows { shape, rows } => self.append_rows(hdu, shape, rows),
        }
    }
}

fn data_bytes(structure: &Structure) -> Option<u64> {
    match structure {
        Structure::Image { axes, .. } if axes.is_empty() => Some(0),
        Structure::Image { bitpix, axes, .. } => {
            let width = u64::from(bitpix.unsigned_abs() / 8);
            axes.iter().try_fold(width, |p, &n| p.checked_mul(n as u64)).filter(|&n| n < 1 << 60)
        }
        Structure::Table { row_bytes, rows, heap_bytes, .. } => Some((row_bytes * rows + heap_bytes) as u64),
    }
}

/// Writes a product: all of it appears under its name, or nothing does.
///
/// Headers should have gone through [`super::product_header`] where they come from raw files. DATASUM and CHECKSUM are
/// written in every HDU. The same input gives the same bytes.
///
/// # Errors
/// If the first HDU is a table, a table or shape is not legal, a producer of rows fails, or the file cannot be written.
pub fn write_product(path: impl AsRef<Path>, hdus: &[HduToWrite<'_>]) -> Result<Written, FitsError> {
    let path = path.as_ref();
    let mut plans = Vec::with_capacity(hdus.len());
    let mut tables = Vec::with_capacity(hdus.len());
    for (n, hdu) in hdus.iter().enumerate() {
        let (header, structure, table) =
            hdu.header_and_plan().map_err(|what| FitsError::Unwritable { path: path.to_owned(), hdu: n, what })?;
        let kind = if let HduToWrite::Image { pixels, .. } = hdu { Some(pixels.kind_and_shape().0) } else { None };
        plans.push((header, structure, kind));
        tables.push(table);
    }
    let mut writer = ProductWriter::plan(path, plans)?;
    for (n, (hdu, table)) in hdus.iter().zip(tables).enumerate() {
        match (hdu, table) {
            (HduToWrite::Image { pixels, .. }, _) => writer.append_pixels(n, pixels)?,
            (_, Some(bytes)) => writer.append_bytes(n, &bytes)?,
            _ => {}
        }
    }
    writer.finish()
}
