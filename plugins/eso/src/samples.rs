//! Real headers for tests.
//!
//! They lie in a directory that is not part of the repository: `IFURED_SHARED`, or `../shared` beside the workspace. A
//! test that does not find them says `SKIPPED` and why, and passes.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use ifured_core::Header;

/// Bytes of one FITS block.
const BLOCK: usize = 2880;

/// A sample file below `data` of the shared directory, if it is there; otherwise a line that says what is skipped.
pub fn sample(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("IFURED_SHARED").map_or_else(default_directory, PathBuf::from);
    let path = shared.join("data").join(name);
    if path.is_file() {
        return Some(path);
    }
    // Not `eprintln!`, whose lines the test harness hides for tests that pass.
    let _ = writeln!(std::io::stderr(), "SKIPPED: no sample {} (set IFURED_SHARED)", path.display());
    None
}

fn default_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared")
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
