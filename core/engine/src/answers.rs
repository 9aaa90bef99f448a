//! Standard output for answers that another process reads.

use std::fs::File;

use crate::error::{Error, Result};

/// Takes standard output away from everything else in this process: what is written into the file reaches whoever started it, and
/// what a library prints from now on goes to standard error, where it cannot spoil an answer.
///
/// # Errors
/// If the process has no standard output or no standard error.
pub fn take_stdout() -> Result<File> {
    let failed = |e: rustix::io::Errno| Error::io("cannot take", "standard output")(e.into());
    let ours = rustix::io::dup(std::io::stdout()).map_err(failed)?;
    rustix::stdio::dup2_stdout(std::io::stderr()).map_err(failed)?;
    Ok(File::from(ours))
}
