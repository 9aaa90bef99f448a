//! Real headers for tests.
//!
//! They are not part of the repository: see `ifured-test-support`.

use std::io::Read;
use std::path::{Path, PathBuf};

use ifured_core::Header;

/// Bytes of one FITS block.
const BLOCK: usize = 2880;

/// A sample file below `data` of the shared directory, if it is there; otherwise a line that says what is skipped.
pub fn sample(name: &str) -> Option<PathBuf> {
    ifured_test_support::shared(&format!("data/{name}"))
}

/// The primary header of an uncompressed FITS file.
pub fn primary_header(path: &Path) -> std::io::Result<Header> {
    let mut file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    let mut block = [0u8; BLOCK];
    loop {
        file.read_exact(&mut block)?;
        bytes.extend_from_slice(&block);
        if block.chunks(80).any(|card| card.starts_with(b"END") && card[3..].iter().all(|&b| b == b' ')) {
            return Ok(Header::parse(&bytes));
        }
    }
}
