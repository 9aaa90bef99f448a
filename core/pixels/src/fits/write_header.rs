//! The header of an HDU as it is written: structure first, then the cards of the user, then the checksums
//! (FITS standard 4.0, sections 4.4.1 and 7.3.1).

use ifured_core::{Card, Header};

use super::checksum::{Sum, encode};
use super::walk::BLOCK;

/// What the structural cards of an HDU say. Axes are in FITS order.
#[derive(Clone, Debug)]
pub(super) enum Structure {
    Image { bitpix: i32, axes: Vec<usize>, unsigned: bool },
    Table { row_bytes: usize, rows: usize, heap_bytes: usize, columns: Vec<Card> },
}

/// A header in bytes, with room for the checksums that are known only after the data.
#[derive(Clone, Debug)]
pub(super) struct HeaderBytes {
    pub(super) bytes: Vec<u8>,
    /// Where the cards DATASUM and CHECKSUM begin.
    datasum: usize,
    checksum: usize,
}

/// Whether a keyword says how the data are stored in a file, and so is made anew by whoever writes them.
pub(super) fn is_structural(keyword: &str) -> bool {
    const WORDS: [&str; 14] = [
        "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "BLOCKED", "CHECKSUM", "DATASUM", "END",
        "LONGSTRN", "TFIELDS",
    ];
    WORDS.contains(&keyword) || numbered(keyword, &["NAXIS"])
}

/// Whether a keyword is one of the stems with a number behind it.
pub(super) fn numbered(keyword: &str, stems: &[&str]) -> bool {
    stems.iter().any(|stem| keyword.strip_prefix(stem).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())))
}

fn is_table_structure(keyword: &str) -> bool {
    keyword == "THEAP" || numbered(keyword, &["TTYPE", "TFORM", "TUNIT", "TDIM", "TSCAL", "TZERO", "TNULL", "TBCOL"])
}

fn is_pixel_structure(keyword: &str, structure: &Structure) -> bool {
    let Structure::Image { bitpix, axes, unsigned } = structure else { return false };
    let real = *bitpix < 0 || axes.is_empty();
    match keyword {
        "BSCALE" | "BZERO" => real || *unsigned,
        "BLANK" => real,
        _ => false,
    }
}

impl HeaderBytes {
    /// Lays out a header; `primary` for the first HDU, `extended` if others follow it.
    pub(super) fn new(structure: &Structure, user: &Header, primary: bool, extended: bool) -> Self {
        let mut cards = structure_cards(structure, primary, extended);
        let user: Vec<&Card> = user
            .cards()
            .iter()
            .filter(|c| !is_structural(&c.keyword) && !is_pixel_structure(&c.keyword, structure))
            .filter(|c| !matches!(structure, Structure::Table { .. }) || !is_table_structure(&c.keyword))
            .collect();
        let columns: Vec<String> = user.iter().flat_map(|c| c.columns()).collect();
        let has_value = |c: &&&Card| c.value().is_some();
        if user.iter().filter(has_value).any(|c| c.columns().len() > 1) {
            cards.push(long_strings());
        }
        HeaderBytes::of_lines(cards.iter().flat_map(Card::columns).chain(columns))
    }

    /// A header as it is, with the cards of its structure among its own, which must come first; its checksums are made anew.
    pub(super) fn of_cards(header: &Header) -> Self {
        let mut lines: Vec<String> = Vec::new();
        let mut long = false;
        for card in header.cards().iter().filter(|c| !matches!(c.keyword.as_str(), "DATASUM" | "CHECKSUM")) {
            let columns = card.columns();
            long |= card.value().is_some() && columns.len() > 1;
            lines.extend(columns);
        }
        if long && !header.contains("LONGSTRN") {
            lines.extend(long_strings().columns());
        }
        HeaderBytes::of_lines(lines)
    }

    fn of_lines(lines: impl IntoIterator<Item = String>) -> Self {
        let mut bytes: Vec<u8> = Vec::new();
        let mut push = |line: &str| {
            let start = bytes.len();
            bytes.extend(line.chars().map(|c| u8::try_from(c).unwrap_or(b'?')));
            start
        };
        lines.into_iter().for_each(|line| {
            push(&line);
        });
        let datasum = push(&datasum_card(0));
        let checksum = push(&checksum_card(&"0".repeat(16)));
        bytes.extend(format!("{:<80}", "END").bytes());
        pad_block(&mut bytes, b' ');
        HeaderBytes { bytes, datasum, checksum }
    }

    /// Fills in the checksums, given the sum over the data.
    pub(super) fn seal(&mut self, datasum: u32) {
        self.bytes[self.datasum..self.datasum + 80].copy_from_slice(datasum_card(datasum).as_bytes());
        let mut sum = Sum::default();
        sum.add(&self.bytes);
        let text = encode(sum.plus(datasum));
        self.bytes[self.checksum..self.checksum + 80].copy_from_slice(checksum_card(&text).as_bytes());
    }
}

fn long_strings() -> Card {
    Card::new("LONGSTRN", "OGIP 1.0", "long strings continue on CONTINUE cards")
}

// The comments are constant: a date, as other writers put it, would make equal products unequal.
fn datasum_card(sum: u32) -> String {
    format!("{:<80}", format!("DATASUM = {:<20} / data unit checksum", format!("'{sum:<10}'")))
}

fn checksum_card(text: &str) -> String {
    format!("{:<80}", format!("CHECKSUM= '{text}'   / HDU checksum"))
}

fn structure_cards(structure: &Structure, primary: bool, extended: bool) -> Vec<Card> {
    let mut cards = Vec::new();
    let (bitpix, axes, xtension) = match structure {
        Structure::Image { bitpix, axes, .. } => (*bitpix, axes.clone(), "IMAGE"),
        Structure::Table { row_bytes, rows, .. } => (8, vec![*row_bytes, *rows], "BINTABLE"),
    };
    if primary {
        cards.push(Card::new("SIMPLE", true, "conforms to FITS standard"));
    } else {
        cards.push(Card::new("XTENSION", xtension, "type of extension"));
    }
    cards.push(Card::new("BITPIX", bitpix, "bits per data value"));
    cards.push(Card::new("NAXIS", axes.len(), "number of axes"));
    for (n, length) in axes.iter().enumerate() {
        cards.push(Card::new(&format!("NAXIS{}", n + 1), *length, ""));
    }
    if primary {
        if extended {
            cards.push(Card::new("EXTEND", true, "extensions follow"));
        }
    } else {
        let heap = if let Structure::Table { heap_bytes, .. } = structure { *heap_bytes } else { 0 };
        cards.push(Card::new("PCOUNT", heap, "bytes after the main data"));
        cards.push(Card::new("GCOUNT", 1, "one data group"));
    }
    match structure {
        Structure::Image { unsigned: true, .. } => {
            cards.push(Card::new("BZERO", 32768, "unsigned integers of 16 bits"));
            cards.push(Card::new("BSCALE", 1, ""));
        }
        Structure::Image { .. } => {}
        Structure::Table { columns, .. } => {
            let fields = columns.iter().filter(|c| c.keyword.starts_with("TFORM")).count();
            cards.push(Card::new("TFIELDS", fields, "number of columns"));
            cards.extend(columns.iter().cloned());
        }
    }
    cards
}

/// Fills up to a whole block.
pub(super) fn pad_block(bytes: &mut Vec<u8>, with: u8) {
    bytes.resize((bytes.len() as u64).next_multiple_of(BLOCK) as usize, with);
}

/// The smallest FITS file: a primary HDU without data.
pub(super) fn empty_primary() -> Vec<u8> {
    let structure = Structure::Image { bitpix: 8, axes: Vec::new(), unsigned: false };
    HeaderBytes::new(&structure, &Header::new(), true, true).bytes
}
