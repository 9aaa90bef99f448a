//! What an HDU is and how many bytes of data it claims (FITS standard 4.0, sections 4.4.1, 6, 7 and 10).

use ifured_core::{Header, Value};

/// What an HDU holds. Axes are in FITS order, `NAXIS1` first; an image without axes has no data.
#[derive(Clone, Debug, PartialEq)]
pub enum HduKind {
    /// An image, or a primary HDU without data.
    Image {
        /// Bits per pixel: 8, 16, 32, 64, -32 or -64.
        bitpix: i32,
        /// Lengths of the axes.
        axes: Vec<u64>,
    },
    /// A tile-compressed image in a binary table (section 10).
    CompressedImage {
        /// Bits per pixel of the image (`ZBITPIX`).
        bitpix: i32,
        /// Lengths of the axes of the image (`ZNAXISn`).
        axes: Vec<u64>,
        /// `ZCMPTYPE`, for example `RICE_1`.
        algorithm: String,
    },
    /// A binary table.
    BinaryTable {
        /// Rows.
        rows: u64,
        /// Columns.
        columns: usize,
        /// Whether it is a tile-compressed table (`ZTABLE = T`).
        compressed: bool,
    },
    /// An ASCII table.
    AsciiTable {
        /// Rows.
        rows: u64,
        /// Columns.
        columns: usize,
    },
    /// Random groups (section 6, obsolete).
    RandomGroups {
        /// Bits per value.
        bitpix: i32,
        /// Lengths of the axes of one group, without the 0 of `NAXIS1`.
        axes: Vec<u64>,
        /// Parameters of a group (`PCOUNT`).
        parameters: u64,
        /// Groups (`GCOUNT`).
        groups: u64,
    },
    /// An extension of another type.
    Other {
        /// Its `XTENSION`.
        xtension: String,
    },
}

impl HduKind {
    /// In words, for messages: `a 16-bit image of 1100 x 1600`.
    pub fn describe(&self) -> String {
        let product = |axes: &[u64]| axes.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ");
        match self {
            HduKind::Image { axes, .. } if axes.is_empty() => "no data".to_owned(),
            HduKind::Image { bitpix, axes } => format!("an image of BITPIX {bitpix}, {}", product(axes)),
            HduKind::CompressedImage { bitpix, axes, algorithm } => {
                format!("a {algorithm} compressed image of BITPIX {bitpix}, {}", product(axes))
            }
            HduKind::BinaryTable { rows, columns, compressed } => {
                format!("a {}binary table of {rows} rows and {columns} columns", if *compressed { "compressed " } else { "" })
            }
            HduKind::AsciiTable { rows, columns } => format!("an ASCII table of {rows} rows and {columns} columns"),
            HduKind::RandomGroups { groups, .. } => format!("{groups} random groups"),
            HduKind::Other { xtension } => format!("an extension of type `{xtension}`"),
        }
    }

    /// Bits per pixel and axes of an image, compressed or not.
    pub fn image(&self) -> Option<(i32, &[u64])> {
        match self {
            HduKind::Image { bitpix, axes } | HduKind::CompressedImage { bitpix, axes, .. } => Some((*bitpix, axes)),
            _ => None,
        }
    }
}

/// A keyword that the structure depends on, and what is wrong with it.
pub(super) type KeywordFault = (String, String);

/// Kind of an HDU and the bytes of its data, without padding.
pub(super) fn kind_and_size(header: &Header, primary: bool) -> Result<(HduKind, u128), KeywordFault> {
    let bitpix = bitpix_of(header, "BITPIX")?;
    let axes = axes_of(header, "NAXIS")?;
    let bytes_per_value = u128::from(bitpix.unsigned_abs() / 8);
    let groups = primary && axes.first() == Some(&0) && header.get("GROUPS") == Some(&Value::Logical(true));
    if primary && !groups {
        let bytes = product(&axes)?.checked_mul(bytes_per_value).ok_or_else(overflow)?;
        return Ok((HduKind::Image { bitpix, axes }, bytes));
    }
    let pcount = optional_count(header, "PCOUNT", 0)?;
    let gcount = optional_count(header, "GCOUNT", 1)?;
    let shape = if groups { &axes[1..] } else { &axes[..] };
    let values = product(shape)?.checked_add(u128::from(pcount)).ok_or_else(overflow)?;
    let bytes = values.checked_mul(u128::from(gcount)).and_then(|v| v.checked_mul(bytes_per_value)).ok_or_else(overflow)?;
    if groups {
        return Ok((HduKind::RandomGroups { bitpix, axes: shape.to_vec(), parameters: pcount, groups: gcount }, bytes));
    }
    let xtension = header.text("XTENSION").map(|t| t.trim().to_owned()).map_err(|e| ("XTENSION".to_owned(), e.to_string()))?;
    let kind = match xtension.as_str() {
        "IMAGE" | "IUEIMAGE" => {
            if pcount != 0 || gcount != 1 {
                return Err(("PCOUNT".to_owned(), format!("is {pcount} and GCOUNT {gcount}, an image has 0 and 1")));
            }
            HduKind::Image { bitpix, axes }
        }
        "BINTABLE" | "A3DTABLE" if header.get("ZIMAGE") == Some(&Value::Logical(true)) => HduKind::CompressedImage {
            bitpix: bitpix_of(header, "ZBITPIX")?,
            axes: axes_of(header, "ZNAXIS")?,
            algorithm: header.text("ZCMPTYPE").map_err(|e| ("ZCMPTYPE".to_owned(), e.to_string()))?.trim().to_owned(),
        },
        "BINTABLE" | "A3DTABLE" | "TABLE" => {
            if bitpix != 8 || axes.len() != 2 || gcount != 1 {
                let what = format!("is {bitpix}, with NAXIS {} and GCOUNT {gcount}; a table has 8, 2 and 1", axes.len());
                return Err(("BITPIX".to_owned(), what));
            }
            let columns = optional_count(header, "TFIELDS", 0)?;
            if columns > 999 {
                return Err(("TFIELDS".to_owned(), format!("is {columns}, at most 999 are possible")));
            }
            let (rows, columns) = (axes[1], columns as usize);
            if xtension == "TABLE" {
                HduKind::AsciiTable { rows, columns }
            } else {
                HduKind::BinaryTable { rows, columns, compressed: header.get("ZTABLE") == Some(&Value::Logical(true)) }
            }
        }
        _ => HduKind::Other { xtension },
    };
    Ok((kind, bytes))
}

fn overflow() -> KeywordFault {
    ("NAXISn".to_owned(), "multiply to more bytes than any file has".to_owned())
}

fn product(axes: &[u64]) -> Result<u128, KeywordFault> {
    if axes.is_empty() {
        return Ok(0);
    }
    axes.iter().try_fold(1u128, |p, &n| p.checked_mul(u128::from(n))).ok_or_else(overflow)
}

fn bitpix_of(header: &Header, keyword: &str) -> Result<i32, KeywordFault> {
    match integer(header, keyword)? {
        value @ (8 | 16 | 32 | 64 | -32 | -64) => Ok(value as i32),
        value => Err((keyword.to_owned(), format!("is {value}; it must be 8, 16, 32, 64, -32 or -64"))),
    }
}

/// Lengths of the axes; `keyword` is `NAXIS` or `ZNAXIS`.
fn axes_of(header: &Header, keyword: &str) -> Result<Vec<u64>, KeywordFault> {
    let count = integer(header, keyword)?;
    if !(0..=999).contains(&count) {
        return Err((keyword.to_owned(), format!("is {count}; it must be 0 to 999")));
    }
    (1..=count)
        .map(|n| {
            let keyword = format!("{keyword}{n}");
            let length = integer(header, &keyword)?;
            u64::try_from(length).map_err(|_| (keyword, format!("is {length}; a length cannot be negative")))
        })
        .collect()
}

fn optional_count(header: &Header, keyword: &str, default: u64) -> Result<u64, KeywordFault> {
    if !header.contains(keyword) {
        return Ok(default);
    }
    let value = integer(header, keyword)?;
    u64::try_from(value).map_err(|_| (keyword.to_owned(), format!("is {value}; it cannot be negative")))
}

fn integer(header: &Header, keyword: &str) -> Result<i64, KeywordFault> {
    header.integer(keyword).map_err(|e| (keyword.to_owned(), format!("cannot be used: {e}")))
}
