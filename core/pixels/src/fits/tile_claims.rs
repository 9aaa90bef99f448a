//! What a tile-compressed image claims of its size, compared with what its compressed bytes can hold
//! (FITS standard 4.0, section 10).

use std::io::Read;

use ifured_core::Header;

use super::error::FitsError;
use super::kind::HduKind;
use super::source::Source;
use super::table::{Cells, Column, ColumnData};
use super::table_read::read_hdu;
use super::walk::HduInfo;

/// Refuses claims that the compressed bytes cannot hold, or that do not fit each other.
pub(super) fn check_claims(source: &Source, info: &HduInfo) -> Result<(), FitsError> {
    let path = source.path.as_path();
    let HduKind::CompressedImage { bitpix, axes, algorithm } = &info.kind else { return Ok(()) };
    let keyword =
        |keyword: &str, what: String| FitsError::Keyword { path: path.to_owned(), hdu: info.index, keyword: keyword.to_owned(), what };
    // Bytes of pixels that one byte of compressed data can stand for: deflate reaches 1032, a Rice block of 32 equal pixels
    // of 4 bytes takes 5 bits; runs of PLIO and empty quadtrees of H-compress reach further.
    let ratio: u128 = match algorithm.as_str() {
        "RICE_1" | "RICE_ONE" | "GZIP_1" | "GZIP_2" | "NOCOMPRESS" => 1100,
        "PLIO_1" | "HCOMPRESS_1" => 20_000,
        _ => {
            let what = format!("compression `{algorithm}`; known are RICE_1, GZIP_1, GZIP_2, PLIO_1, HCOMPRESS_1 and NOCOMPRESS");
            return Err(FitsError::Unsupported { path: path.to_owned(), hdu: info.index, what });
        }
    };
    if axes.is_empty() || axes.len() > 6 || axes.contains(&0) {
        return Err(keyword("ZNAXIS", format!("gives axes {axes:?}; one to six axes, none of length 0, can be read")));
    }
    let header = &info.header;
    let mut pixels = 1u128;
    let mut tiles = 1u128;
    let mut tile_pixels = 1u128;
    for (n, &length) in axes.iter().enumerate() {
        let name = format!("ZTILE{}", n + 1);
        let default = if n == 0 { length as i64 } else { 1 };
        let tile = header.get(&name).map_or(Some(default), |v| v.as_integer());
        let Some(tile) = tile.and_then(|t| u64::try_from(t).ok()).filter(|&t| t > 0 && t <= length.max(1)) else {
            let found = header.get(&name).map(ToString::to_string).unwrap_or_default();
            return Err(keyword(&name, format!("is {found}; it must be 1 to the length of the axis, {length}")));
        };
        let too_many = || keyword("ZNAXISn", format!("are {axes:?}: more than any file has"));
        pixels = pixels.checked_mul(u128::from(length)).ok_or_else(too_many)?;
        tiles = tiles.checked_mul(u128::from(length.div_ceil(tile))).ok_or_else(too_many)?;
        tile_pixels = tile_pixels.saturating_mul(u128::from(tile));
    }
    let rows = header.integer("NAXIS2").unwrap_or(0).max(0) as u128;
    if rows < tiles {
        return Err(keyword("NAXIS2", format!("is {rows}, but the image has {tiles} tiles")));
    }
    let bytes_per_pixel = u128::from(bitpix.unsigned_abs() / 8);
    let claimed = pixels.saturating_mul(bytes_per_pixel);
    let limit = u128::from(info.data_bytes) * ratio;
    if claimed > limit {
        return Err(FitsError::TooLarge {
            path: path.to_owned(),
            hdu: info.index,
            what: "the decompressed image, in bytes,",
            claimed,
            limit,
        });
    }
    if tile_pixels > i32::MAX as u128 / 8 {
        let what = "the pixels of one tile";
        return Err(FitsError::TooLarge {
            path: path.to_owned(),
            hdu: info.index,
            what,
            claimed: tile_pixels,
            limit: i32::MAX as u128 / 8,
        });
    }
    check_column(header).map_err(|what| keyword("TFIELDS", what))?;
    // A tile may hold pixels of 8 bytes, also where the image has fewer.
    let largest = Tile { pixels: tile_pixels as usize, bytes: tile_pixels as usize * 8 };
    for column in &read_hdu(source, info)?.columns {
        check_tiles(column, algorithm, &largest).map_err(|(row, what)| FitsError::Column {
            path: path.to_owned(),
            hdu: info.index,
            column: column.name.clone(),
            what: format!("tile {row}: {what}"),
        })?;
    }
    Ok(())
}

/// The largest tile of an image.
struct Tile {
    pixels: usize,
    bytes: usize,
}

/// Checks the compressed bytes of every tile as far as CFITSIO does not: it never returns from a gzip stream that ends early, and
/// writes as many pixels as an H-compress stream says, or reads as many words as a PLIO list says.
fn check_tiles(column: &Column, algorithm: &str, largest: &Tile) -> Result<(), (usize, String)> {
    let compressed = column.name == "COMPRESSED_DATA";
    let gzip = column.name == "GZIP_COMPRESSED_DATA" || compressed && algorithm.starts_with("GZIP");
    let check_bytes = |bytes: &[u8]| match algorithm {
        _ if gzip => check_gzip(bytes, largest),
        "HCOMPRESS_1" if compressed => check_hcompress(bytes, largest),
        _ => Ok(()),
    };
    let fault = |(row, what): (usize, Result<(), String>)| what.map_err(|w| (row, w));
    match &column.data {
        ColumnData::U8(Cells::Variable(tiles)) => tiles.iter().map(|t| check_bytes(t)).enumerate().try_for_each(fault),
        ColumnData::I16(Cells::Variable(tiles)) if compressed && algorithm == "PLIO_1" => {
            tiles.iter().map(|t| check_plio(t)).enumerate().try_for_each(fault)
        }
        _ if compressed || gzip => Err((0, "the column is not of variable-length bytes, or of 16-bit words for PLIO_1".to_owned())),
        _ => Ok(()),
    }
}

fn check_gzip(bytes: &[u8], largest: &Tile) -> Result<(), String> {
    if bytes.is_empty() {
        return Ok(());
    }
    let limit = largest.bytes as u64;
    let mut stream = flate2::bufread::GzDecoder::new(bytes).take(limit + 1);
    match std::io::copy(&mut stream, &mut std::io::sink()) {
        Ok(n) if n <= limit => Ok(()),
        Ok(_) => Err(format!("holds more than the {limit} bytes of a tile")),
        Err(e) => Err(format!("damaged: {e}")),
    }
}

/// Magic number and the two sides of the tile (White, Postman & Lattanzi 1992).
fn check_hcompress(bytes: &[u8], largest: &Tile) -> Result<(), String> {
    if bytes.is_empty() {
        return Ok(());
    }
    let side = |at: usize| bytes.get(at..at + 4).map(|b| b.iter().fold(0u64, |v, &b| v << 8 | u64::from(b)));
    match (bytes, side(2), side(6)) {
        ([0xdd, 0x99, ..], Some(x), Some(y)) if x > 0 && y > 0 && x.saturating_mul(y) <= largest.pixels as u64 && bytes.len() > 25 => {
            Ok(())
        }
        (_, x, y) => Err(format!("is no H-compress stream of at most {} pixels (sides {x:?} and {y:?})", largest.pixels)),
    }
}

/// Length of the line list in its header (FITS standard 4.0, section 10.4.3).
fn check_plio(words: &[i16]) -> Result<(), String> {
    let word = |n: usize| words.get(n).map_or(-1, |&w| i64::from(w));
    let (first, length) = if word(2) > 0 { (3, word(2)) } else { (word(1), (word(4) << 15) + word(3)) };
    if words.is_empty() || words.len() >= 3 && (0..=words.len() as i64).contains(&length) && first >= 0 {
        Ok(())
    } else {
        Err(format!("claims {length} words, there are {}", words.len()))
    }
}

/// The table must have the column that the convention names, or CFITSIO would search for it in vain.
fn check_column(header: &Header) -> Result<(), String> {
    let fields = header.integer("TFIELDS").unwrap_or(0);
    let named = |n: i64| header.text(&format!("TTYPE{n}")).unwrap_or_default().trim().to_owned();
    if (1..=fields.min(999)).any(|n| named(n) == "COMPRESSED_DATA") {
        Ok(())
    } else {
        Err(format!("is {fields}, and no column is named COMPRESSED_DATA"))
    }
}
