//! Whether the checksums in a file agree with its bytes (FITS standard 4.0, section 4.4.2.7).

use std::path::Path;

use ifured_core::Value;

use super::checksum::Sum;
use super::error::FitsError;
use super::inflate::Limits;
use super::walk::open_walked;

/// What a checksum says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bytes are those that were written.
    Right,
    /// The bytes have changed, or the keyword has.
    Wrong,
    /// There is no such keyword, or it is empty.
    Absent,
}

/// Verdicts on one HDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HduVerdict {
    /// Number of the HDU, from 0.
    pub index: usize,
    /// `EXTNAME`, if it has one.
    pub name: Option<String>,
    /// CHECKSUM: the whole HDU.
    pub checksum: Verdict,
    /// DATASUM: the data alone.
    pub datasum: Verdict,
}

impl HduVerdict {
    /// Whether nothing is wrong (absent is not wrong).
    pub fn is_intact(&self) -> bool {
        self.checksum != Verdict::Wrong && self.datasum != Verdict::Wrong
    }
}

/// Checks CHECKSUM and DATASUM of every HDU of a file.
///
/// # Errors
/// As [`super::hdus`].
pub fn verify(path: impl AsRef<Path>) -> Result<Vec<HduVerdict>, FitsError> {
    let (source, hdus) = open_walked(path.as_ref(), &Limits::default())?;
    let length = source.length()?;
    let sum = |from: u64, to: u64| -> Result<Sum, FitsError> {
        let mut sum = Sum::default();
        let mut buffer = vec![0u8; (1 << 18).min((to - from) as usize)];
        let mut at = from;
        while at < to {
            let n = ((to - at) as usize).min(buffer.len());
            source.read_at(at, &mut buffer[..n])?;
            sum.add(&buffer[..n]);
            at += n as u64;
        }
        Ok(sum)
    };
    hdus.iter()
        .map(|hdu| {
            // A file may end before the padding of its last block; zeros that are missing do not change the sum.
            let end = hdu.end().min(length);
            let of_data = sum(hdu.data_offset.min(end), end)?.value();
            let whole = sum(hdu.header_offset, hdu.data_offset)?.plus(of_data);
            let datasum = match hdu.header.get("DATASUM") {
                None | Some(Value::Undefined) => Verdict::Absent,
                Some(value) if value.to_string().trim().is_empty() => Verdict::Absent,
                Some(value) => judge(value.to_string().trim().parse::<u32>() == Ok(of_data)),
            };
            let checksum = match hdu.header.get("CHECKSUM").map(|v| v.to_string()) {
                None => Verdict::Absent,
                Some(text) if text.trim().is_empty() || text == "None" => Verdict::Absent,
                Some(_) => judge(whole == u32::MAX || whole == 0),
            };
            Ok(HduVerdict { index: hdu.index, name: hdu.name().map(str::to_owned), checksum, datasum })
        })
        .collect()
}

fn judge(right: bool) -> Verdict {
    if right { Verdict::Right } else { Verdict::Wrong }
}
