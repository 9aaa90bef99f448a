//! The bytes of a FITS file, wherever they are: a plain file read with `pread`, or decompressed memory.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::FitsError;
use super::inflate::{Inflating, Limits, Packing, packing};

/// Bytes that are read in order by the walk over the HDUs.
pub(super) trait Bytes {
    /// How many bytes there are, at least as far as `end`: a compressed file is decompressed no further than that.
    fn available(&mut self, end: u64) -> Result<u64, FitsError>;
    /// Reads exactly `buffer.len()` bytes; `available` has said that they are there.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), FitsError>;
}

/// Where the bytes are, once the HDUs are known.
#[derive(Debug)]
pub(super) enum Place {
    /// A plain file.
    File(File),
    /// A decompressed file.
    Memory(Vec<u8>),
}

/// Bytes of a whole FITS file with random access.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) place: Place,
}

/// A file that is not yet walked.
pub(super) enum Opened {
    Plain { path: PathBuf, file: File, length: u64 },
    Packed(Inflating),
}

pub(super) fn io_error(path: &Path, what: &'static str, source: std::io::Error) -> FitsError {
    FitsError::Io { path: path.to_owned(), what, source }
}

/// Opens a file and recognises its compression.
pub(super) fn open(path: &Path, limits: &Limits) -> Result<Opened, FitsError> {
    let mut file = File::open(path).map_err(|e| io_error(path, "open", e))?;
    let metadata = file.metadata().map_err(|e| io_error(path, "ask for the length", e))?;
    if !metadata.is_file() {
        return Err(io_error(path, "read", std::io::Error::new(ErrorKind::InvalidInput, "not a regular file")));
    }
    let length = metadata.len();
    if length == 0 {
        return Err(FitsError::Empty { path: path.to_owned() });
    }
    let mut first = [0u8; 6];
    let mut got = 0;
    while got < first.len() {
        match file.read(&mut first[got..]).map_err(|e| io_error(path, "read", e))? {
            0 => break,
            n => got += n,
        }
    }
    match packing(&first[..got]) {
        Packing::None => Ok(Opened::Plain { path: path.to_owned(), file, length }),
        packed => {
            file.rewind().map_err(|e| io_error(path, "rewind", e))?;
            Ok(Opened::Packed(Inflating::new(path, file, packed, limits)?))
        }
    }
}

impl Bytes for Opened {
    fn available(&mut self, end: u64) -> Result<u64, FitsError> {
        match self {
            Opened::Plain { length, .. } => Ok(*length),
            Opened::Packed(inflating) => inflating.advance(end),
        }
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), FitsError> {
        match self {
            Opened::Plain { path, file, .. } => file.read_exact_at(buffer, offset).map_err(|e| io_error(path, "read", e)),
            Opened::Packed(inflating) => {
                let end = (offset + buffer.len() as u64) as usize;
                inflating.advance(end as u64)?;
                buffer.copy_from_slice(&inflating.bytes[offset as usize..end]);
                Ok(())
            }
        }
    }
}

impl Source {
    /// The bytes of a file whose HDUs are known: no more of a compressed file is decompressed.
    pub(super) fn of(path: &Path, opened: Opened) -> Source {
        let place = match opened {
            Opened::Plain { file, .. } => Place::File(file),
            Opened::Packed(inflating) => Place::Memory(inflating.bytes),
        };
        Source { path: path.to_owned(), place }
    }

    /// Reads exactly `buffer.len()` bytes; a file that has become shorter since it was opened is an error, not a crash.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FitsError> {
        match &self.place {
            Place::File(file) => file.read_exact_at(buffer, offset).map_err(|e| io_error(&self.path, "read", e)),
            Place::Memory(bytes) => {
                let start = usize::try_from(offset).ok();
                let from = start.and_then(|s| bytes.get(s..s.checked_add(buffer.len())?));
                match from {
                    Some(from) => {
                        buffer.copy_from_slice(from);
                        Ok(())
                    }
                    None => Err(io_error(&self.path, "read", ErrorKind::UnexpectedEof.into())),
                }
            }
        }
    }

    /// Bytes there are.
    pub(super) fn length(&self) -> Result<u64, FitsError> {
        match &self.place {
            Place::File(file) => file.metadata().map(|m| m.len()).map_err(|e| io_error(&self.path, "ask for the length", e)),
            Place::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Reads a region whose size has been checked against the file.
    pub(super) fn read_vec(&self, offset: u64, length: u64) -> Result<Vec<u8>, FitsError> {
        let mut buffer = vec![0; length as usize];
        self.read_at(offset, &mut buffer)?;
        Ok(buffer)
    }
}
