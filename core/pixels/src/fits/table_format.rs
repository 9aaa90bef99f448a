//! TFORM of binary and ASCII tables, and TDIM (FITS standard 4.0, sections 7.2.1, 7.3.1 and 7.3.2).

/// Format of a column of a binary table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BinaryForm {
    /// Values in a cell; for a variable-length column 0 or 1 descriptors.
    pub(super) repeat: usize,
    /// Type letter of the values.
    pub(super) code: u8,
    /// Bytes of a descriptor (8 for `P`, 16 for `Q`) if the cells vary in length.
    pub(super) descriptor: Option<usize>,
}

impl BinaryForm {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || format!("TFORM `{text}` is no format of a binary table");
        let letter = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let repeat = if letter == 0 { 1 } else { text[..letter].parse().map_err(|_| wrong())? };
        let mut letters = text[letter..].bytes();
        let code = letters.next().ok_or_else(wrong)?.to_ascii_uppercase();
        let (code, descriptor) = match code {
            b'P' | b'Q' => (letters.next().ok_or_else(wrong)?.to_ascii_uppercase(), Some(if code == b'P' { 8 } else { 16 })),
            _ => (code, None),
        };
        if value_bytes(code).is_none() || (descriptor.is_some() && repeat > 1) {
            return Err(wrong());
        }
        Ok(BinaryForm { repeat, code, descriptor })
    }

    /// Bytes of a cell in the row.
    pub(super) fn cell_bytes(&self) -> Option<usize> {
        match (self.descriptor, self.code) {
            (Some(bytes), _) => self.repeat.checked_mul(bytes),
            (None, b'X') => Some(self.repeat.div_ceil(8)),
            (None, code) => self.repeat.checked_mul(value_bytes(code)?),
        }
    }
}

/// Bytes of one value of a type; bits count as one byte.
pub(super) fn value_bytes(code: u8) -> Option<usize> {
    match code {
        b'L' | b'X' | b'B' | b'A' => Some(1),
        b'I' => Some(2),
        b'J' | b'E' => Some(4),
        b'K' | b'D' | b'C' => Some(8),
        b'M' => Some(16),
        _ => None,
    }
}

/// `(3,4)` as lengths; `None` if it is not of that form.
pub(super) fn parse_tdim(text: &str) -> Option<Vec<usize>> {
    let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    inner.split(',').map(|n| n.trim().parse().ok()).collect()
}

/// Format of a column of an ASCII table: type letter, width, and digits after an implied decimal point.
pub(super) fn parse_ascii_form(text: &str) -> Result<(u8, usize, u32), String> {
    let text = text.trim();
    let wrong = || format!("TFORM `{text}` is no format of an ASCII table");
    let code = *text.as_bytes().first().ok_or_else(wrong)?;
    let code = code.to_ascii_uppercase();
    let (width, digits) = match text.get(1..).unwrap_or("").split_once('.') {
        Some((width, digits)) => (width, digits.parse().map_err(|_| wrong())?),
        None => (text.get(1..).unwrap_or(""), 0),
    };
    let width = if width.is_empty() { 1 } else { width.parse().map_err(|_| wrong())? };
    if !matches!(code, b'A' | b'I' | b'F' | b'E' | b'D') || digits > 300 {
        return Err(wrong());
    }
    Ok((code, width, digits))
}
