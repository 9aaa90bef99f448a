//! The walk over the HDUs of a file, in blocks of 2880 bytes (FITS standard 4.0, section 3).
//!
//! Every size that a header claims is compared with the length of the file before anything is read or allocated.
//! Whatever follows the last HDU and is no extension is ignored (special records, section 3.5, or junk).

use std::path::Path;

use ifured_core::header::CARD;
use ifured_core::{Header, Value};

use super::error::FitsError;
use super::inflate::Limits;
use super::kind::{HduKind, kind_and_size};
use super::source::{Bytes, Source, open};

/// Bytes of a FITS block.
pub(super) const BLOCK: u64 = 2880;

/// Largest header that is read: 100 000 cards.
const LARGEST_HEADER: u64 = 8_000_000;

/// One header and data unit of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct HduInfo {
    /// Number, from 0 (the primary HDU).
    pub index: usize,
    /// Header.
    pub header: Header,
    /// What the data are.
    pub kind: HduKind,
    /// Byte in the (decompressed) file where the header begins.
    pub header_offset: u64,
    /// Byte in the (decompressed) file where the data begin.
    pub data_offset: u64,
    /// Bytes of data, without the padding to a whole block.
    pub data_bytes: u64,
    /// What is odd about the HDU and was read all the same.
    pub issues: Vec<String>,
}

impl HduInfo {
    /// `EXTNAME`, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.header.text("EXTNAME").ok().map(str::trim)
    }

    /// First byte after the padded data.
    pub(super) fn end(&self) -> u64 {
        self.data_offset + self.data_bytes.next_multiple_of(BLOCK)
    }
}

/// All HDUs of a file; see [`hdus_within`].
///
/// # Errors
/// As [`hdus_within`].
pub fn hdus(path: impl AsRef<Path>) -> Result<Vec<HduInfo>, FitsError> {
    hdus_within(path, &Limits::default())
}

/// All HDUs of a file, plain or compressed, within the limits given.
///
/// # Errors
/// If the file cannot be read, is empty, is not FITS, has a header without END, has less data than a header claims, claims
/// impossible sizes, or decompresses to more than the limit.
pub fn hdus_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Vec<HduInfo>, FitsError> {
    open_walked(path.as_ref(), limits).map(|(_, hdus)| hdus)
}

/// The primary header; nothing after it is read or checked.
///
/// # Errors
/// If the file cannot be read, is empty, is not FITS, or has a primary header without END.
pub fn primary_header(path: impl AsRef<Path>) -> Result<Header, FitsError> {
    let path = path.as_ref();
    let mut bytes = open(path, &Limits::default())?;
    match read_header(path, &mut bytes, 0, 0)? {
        Some((header, _)) => Ok(header),
        None => Err(FitsError::Empty { path: path.to_owned() }),
    }
}

/// Opens a file and walks over all of its HDUs.
pub(super) fn open_walked(path: &Path, limits: &Limits) -> Result<(Source, Vec<HduInfo>), FitsError> {
    let mut opened = open(path, limits)?;
    let hdus = walk(path, &mut opened)?;
    Ok((Source::of(path, opened), hdus))
}

fn walk(path: &Path, bytes: &mut impl Bytes) -> Result<Vec<HduInfo>, FitsError> {
    let mut hdus: Vec<HduInfo> = Vec::new();
    let mut offset = 0;
    while let Some((header, header_bytes)) = read_header(path, bytes, offset, hdus.len())? {
        let hdu = hdus.len();
        let (kind, needed) =
            kind_and_size(&header, hdu == 0).map_err(|(keyword, what)| FitsError::Keyword { path: path.to_owned(), hdu, keyword, what })?;
        let data_offset = offset + header_bytes;
        let truncated = |found| FitsError::TruncatedData { path: path.to_owned(), hdu, needed, found };
        // No file is longer than this, so the sums below cannot overflow.
        let data_bytes = u64::try_from(needed).ok().filter(|&n| n < 1 << 62).ok_or(()).or_else(|()| {
            let found = bytes.available(data_offset)?.saturating_sub(data_offset);
            Err(truncated(found))
        })?;
        // Nothing but blanks is missing where the file ends within the last block of a header without data.
        let data_offset = if data_bytes == 0 { data_offset.min(bytes.available(data_offset)?) } else { data_offset };
        let mut info = HduInfo { index: hdu, header, kind, header_offset: offset, data_offset, data_bytes, issues: Vec::new() };
        if hdu == 0 && info.header.get("SIMPLE") != Some(&Value::Logical(true)) {
            info.issues.push("SIMPLE is not T: the writer says that the file departs from the standard".to_owned());
        }
        let end = info.end().next_multiple_of(BLOCK);
        let available = bytes.available(end)?;
        hdus.push(info);
        if available < data_offset + data_bytes {
            return Err(truncated(available.saturating_sub(data_offset)));
        }
        if available < end {
            if let Some(last) = hdus.last_mut() {
                last.issues.push(format!("the last block lacks {} bytes of padding", end - available));
            }
            break;
        }
        offset = end;
    }
    Ok(hdus)
}

/// The header at `offset` and its length in bytes; `None` if no HDU begins there.
fn read_header(path: &Path, bytes: &mut impl Bytes, offset: u64, hdu: usize) -> Result<Option<(Header, u64)>, FitsError> {
    let mut text = Vec::new();
    loop {
        let from = offset + text.len() as u64;
        // As much again as there is: a header of ESO has fifty blocks.
        let wanted = (text.len() as u64).clamp(BLOCK, 32 * BLOCK);
        let length = bytes.available(from + wanted)?.saturating_sub(from).min(wanted) as usize;
        let start = text.len();
        text.resize(start + length, 0);
        bytes.read_at(from, &mut text[start..])?;
        if start == 0 && !begins_hdu(path, &text, hdu)? {
            return Ok(None);
        }
        // Records begin at multiples of 80 columns, and so do blocks.
        let end = text[start..].chunks(CARD).position(|record| record.starts_with(b"END") && record[3..].iter().all(|&b| b == b' '));
        if let Some(card) = end {
            text.truncate(start + card * CARD);
            // Blank cards at the end are room that a writer has reserved: there may be thousands.
            while text.ends_with(&[b' '; CARD]) {
                text.truncate(text.len() - CARD);
            }
            return Ok(Some((Header::parse(&text), ((start + (card + 1) * CARD) as u64).next_multiple_of(BLOCK))));
        }
        if (length as u64) < wanted || text.len() as u64 > LARGEST_HEADER {
            return Err(FitsError::TruncatedHeader { path: path.to_owned(), hdu, bytes: text.len() as u64 });
        }
    }
}

/// Whether a block begins an HDU; the first block of a file must.
fn begins_hdu(path: &Path, block: &[u8], hdu: usize) -> Result<bool, FitsError> {
    if hdu > 0 {
        return Ok(block.starts_with(b"XTENSION="));
    }
    if block.starts_with(b"SIMPLE  =") {
        return Ok(true);
    }
    let first: String = block.iter().take(24).map(|&b| if (b' '..=b'~').contains(&b) { b as char } else { '.' }).collect();
    let found = if block.is_empty() { "nothing".to_owned() } else { format!("`{first}`") };
    Err(FitsError::NotFits { path: path.to_owned(), found })
}
