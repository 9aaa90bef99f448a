//! What can be wrong with a FITS file: where, what, why, and what to do about it.

use std::io;
use std::path::PathBuf;

/// An error of reading or writing FITS. HDUs are numbered from 0, the primary HDU.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitsError {
    /// The operating system refused.
    #[error("{path}: cannot {what}: {source}", path = path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Answer of the system.
        source: io::Error,
    },
    /// The file has no bytes.
    #[error("{path}: the file is empty; copy or download it again", path = path.display())]
    Empty {
        /// File.
        path: PathBuf,
    },
    /// The file does not begin as FITS does.
    #[error("{path}: not FITS: begins with {found}, where FITS has `SIMPLE  =`", path = path.display())]
    NotFits {
        /// File.
        path: PathBuf,
        /// The first bytes, printable.
        found: String,
    },
    /// The header has no END card before the file ends (or within the largest header that is read).
    #[error("{path}: HDU {hdu}: header without END in {bytes} bytes; the file is truncated or damaged: copy it again", path = path.display())]
    TruncatedHeader {
        /// File.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// Bytes from the start of the header to the end of the file (or to the limit).
        bytes: u64,
    },
    /// The file is shorter than its header says.
    #[error("{path}: HDU {hdu}: truncated: the header claims {needed} bytes of data, the file has {found}; copy it again", path = path.display())]
    TruncatedData {
        /// File.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// Bytes of data that the header claims.
        needed: u128,
        /// Bytes there are.
        found: u64,
    },
    /// A keyword that the structure of the file depends on is missing or makes no sense.
    #[error("{path}: HDU {hdu}: keyword {keyword} {what}", path = path.display())]
    Keyword {
        /// File.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// Keyword.
        keyword: String,
        /// What is wrong with it.
        what: String,
    },
    /// A size beyond a limit, or beyond what so few bytes can hold.
    #[error("{path}: HDU {hdu}: refused: {what} is {claimed}, more than {limit}", path = path.display())]
    TooLarge {
        /// File.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// What is too large.
        what: &'static str,
        /// Size claimed.
        claimed: u128,
        /// Largest size accepted.
        limit: u128,
    },
    /// A compressed file (gzip, compress) cannot be decompressed.
    #[error("{path}: {format}: {what}", path = path.display())]
    Decompression {
        /// File.
        path: PathBuf,
        /// Compression format.
        format: &'static str,
        /// What is wrong.
        what: String,
    },
    /// Legal perhaps, but not read or written here.
    #[error("{path}: HDU {hdu}: not supported: {what}", path = path.display())]
    Unsupported {
        /// File.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// What is not supported.
        what: String,
    },
    /// The HDU asked for is not there.
    #[error("{path}: no HDU {wanted}; there are: {present}", path = path.display())]
    NoSuchHdu {
        /// File.
        path: PathBuf,
        /// What was asked for.
        wanted: String,
        /// What there is.
        present: String,
    },
    /// The HDU is of another kind.
    #[error("{path}: HDU {hdu}: wanted {wanted}, found {found}", path = path.display())]
    WrongKind {
        /// File.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// What was asked for.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// Rows outside the image, or a buffer of another size than the rows.
    #[error("{path}: HDU {hdu}: {what}", path = path.display())]
    Shape {
        /// File.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// What does not fit, with the sizes.
        what: String,
    },
    /// The image has not the two axes that were asked for.
    #[error("{path}: HDU {hdu}: wanted an image of two axes, found {found}; choose another HDU, or read it plane by plane", path = path.display(), found = in_words(axes))]
    Axes {
        /// File.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// Lengths of its axes, `NAXIS1` first.
        axes: Vec<u64>,
    },
    /// CFITSIO could not decode a tile-compressed image.
    #[error("{path}: HDU {hdu}: CFITSIO status {status}: {message}; the compressed data are damaged", path = path.display())]
    Cfitsio {
        /// File.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// CFITSIO's status number.
        status: i32,
        /// CFITSIO's messages.
        message: String,
    },
    /// The bytes of a table do not fit its header.
    #[error("{path}: HDU {hdu}: column {column}: {what}", path = path.display())]
    Column {
        /// File.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// Name or number of the column.
        column: String,
        /// What is wrong.
        what: String,
    },
    /// What is to be written makes no legal file.
    #[error("{path}: cannot write HDU {hdu}: {what}", path = path.display())]
    Unwritable {
        /// File that was to be written.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// Why not.
        what: String,
    },
    /// The producer of rows of a streamed image failed.
    #[error("{path}: HDU {hdu}: the rows could not be made: {source}", path = path.display())]
    Producer {
        /// File that was to be written.
        path: PathBuf,
        /// HDU.
        hdu: usize,
        /// Error of the producer.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Axes as one writes them.
fn in_words(axes: &[u64]) -> String {
    match axes {
        [] => "none".to_owned(),
        [one] => format!("one of length {one}"),
        more => more.iter().map(u64::to_string).collect::<Vec<_>>().join(" x "),
    }
}
