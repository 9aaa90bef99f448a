//! Whole files in gzip or Unix `compress` form, decompressed as far as the HDUs in them reach.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::error::FitsError;
use super::lzw::LzwReader;

/// Bounds on what reading a file may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest decompressed size of a compressed file, in bytes; 4 GiB unless told.
    pub decompressed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { decompressed: 4 << 30 }
    }
}

/// Compression of a whole file, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// Not compressed.
    None,
    /// gzip, which packs at most 1032 to 1.
    Gzip,
    /// Unix compress.
    Compress,
    /// A format that is recognised but not read, and what unpacks it.
    Foreign(&'static str, &'static str),
}

/// What the first bytes of a file say.
pub(super) fn packing(first: &[u8]) -> Packing {
    match first {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x1f, 0x9d, ..] => Packing::Compress,
        [b'B', b'Z', b'h', ..] => Packing::Foreign("bzip2", "bunzip2"),
        [b'P', b'K', 3, 4, ..] => Packing::Foreign("zip", "unzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Foreign("zstd", "unzstd"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Packing::Foreign("xz", "unxz"),
        _ => Packing::None,
    }
}

/// A compressed file, decompressed into memory on demand and never past the point asked for.
pub(super) struct Inflating {
    path: PathBuf,
    format: &'static str,
    reader: Box<dyn Read + Send>,
    /// What is decompressed so far.
    pub(super) bytes: Vec<u8>,
    ended: bool,
    limit: u64,
}

impl Inflating {
    /// Starts on an open file, positioned at its beginning.
    pub(super) fn new(path: &Path, file: File, packing: Packing, limits: &Limits) -> Result<Self, FitsError> {
        let failed = |format, e: std::io::Error| FitsError::Decompression { path: path.to_owned(), format, what: e.to_string() };
        let file_bytes =
            file.metadata().map_err(|source| FitsError::Io { path: path.to_owned(), what: "ask for the length", source })?.len();
        let mut buffered = BufReader::with_capacity(1 << 18, file);
        let (format, reader, ratio): (_, Box<dyn Read + Send>, u64) = match packing {
            Packing::Gzip => ("gzip", Box::new(MultiGzDecoder::new(buffered)), 1100),
            Packing::Compress => {
                let mut magic = [0u8; 2];
                buffered.read_exact(&mut magic).map_err(|e| failed("compress", e))?;
                // A code of 16 bits can stand for 65 536 bytes.
                ("compress", Box::new(LzwReader::new(buffered).map_err(|e| failed("compress", e))?), 1 << 16)
            }
            Packing::Foreign(format, program) => {
                let what = format!("this compression is not read; unpack the file with {program}, or pack it with gzip");
                return Err(FitsError::Decompression { path: path.to_owned(), format, what });
            }
            Packing::None => ("uncompressed", Box::new(buffered), 1),
        };
        let limit = limits.decompressed.min(file_bytes.saturating_mul(ratio).saturating_add(1 << 16));
        Ok(Inflating { path: path.to_owned(), format, reader, bytes: Vec::new(), ended: false, limit })
    }

    /// Decompresses up to `end`; answers how many bytes there are, which is fewer if the file ends before.
    pub(super) fn advance(&mut self, end: u64) -> Result<u64, FitsError> {
        if end > self.limit && !self.ended {
            let (claimed, limit) = (u128::from(end), u128::from(self.limit));
            return Err(FitsError::TooLarge { path: self.path.clone(), hdu: 0, what: "the decompressed size", claimed, limit });
        }
        while !self.ended && (self.bytes.len() as u64) < end {
            let start = self.bytes.len();
            let step = ((end - start as u64) as usize).min(start.max(1 << 20));
            self.bytes.resize(start + step, 0);
            let mut filled = start;
            while filled < start + step {
                match self.reader.read(&mut self.bytes[filled..start + step]) {
                    Ok(0) => {
                        self.ended = true;
                        break;
                    }
                    Ok(n) => filled += n,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    // Junk after the last member of a gzip file (tape padding) is the end of the file.
                    Err(e) if e.kind() == ErrorKind::InvalidInput && filled > 0 => {
                        self.ended = true;
                        break;
                    }
                    Err(e) => {
                        let what = format!("damaged after {filled} bytes of content: {e}; copy the file again");
                        return Err(FitsError::Decompression { path: self.path.clone(), format: self.format, what });
                    }
                }
            }
            self.bytes.truncate(filled);
        }
        Ok(self.bytes.len() as u64)
    }
}
