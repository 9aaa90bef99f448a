//! Raw FITS files changed card by card, as archives hold them.

use std::path::{Path, PathBuf};

/// Bytes of one FITS block.
const BLOCK: usize = 2880;
/// Bytes of one card.
const CARD: usize = 80;

/// Replaces the card of a keyword; `None` makes it a comment.
#[track_caller]
pub fn set_card(bytes: &mut [u8], keyword: &str, line: Option<&str>) {
    let name = format!("{keyword:<8}=");
    let at = bytes.chunks(CARD).position(|c| c.starts_with(name.as_bytes())).unwrap_or_else(|| panic!("no {keyword}")) * CARD;
    let new = line.map_or_else(|| format!("COMMENT {:<72}", "removed"), |l| format!("{l:<80}"));
    bytes[at..at + CARD].copy_from_slice(new.as_bytes());
}

/// A copy with one other card.
#[track_caller]
pub fn changed(bytes: &[u8], keyword: &str, line: Option<&str>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    set_card(&mut bytes, keyword, line);
    bytes
}

/// Where the data begin.
pub fn data_start(bytes: &[u8]) -> usize {
    let end = bytes.chunks(CARD).position(|c| c.starts_with(b"END      ")).expect("an END card") * CARD;
    (end / BLOCK + 1) * BLOCK
}

/// A copy of a 16-bit frame whose pixels all have this value.
pub fn filled(bytes: &[u8], value: u16) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let start = data_start(&bytes);
    // Stored with BZERO = 32768.
    let stored = (value ^ 0x8000).to_be_bytes();
    bytes[start..].chunks_exact_mut(2).for_each(|pixel| pixel.copy_from_slice(&stored));
    bytes
}

/// A copy of a 16-bit frame whose pixels are changed: all of them, row by row.
pub fn with_pixels(bytes: &[u8], change: impl FnOnce(&mut [u16])) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let start = data_start(&bytes);
    let mut pixels: Vec<u16> = bytes[start..].chunks_exact(2).map(|p| u16::from_be_bytes([p[0], p[1]]) ^ 0x8000).collect();
    change(&mut pixels);
    bytes[start..].chunks_exact_mut(2).zip(pixels).for_each(|(p, v)| p.copy_from_slice(&(v ^ 0x8000).to_be_bytes()));
    bytes
}

/// The raw frames below a directory, by name.
pub fn raw_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    super::walk(directory, &mut found);
    found
}
