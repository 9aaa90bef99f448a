//! From the header of a raw frame to one that is legal in a product.
//!
//! Source: FITS standard 4.0, section 4 (cards), 4.4.1 (mandatory keywords), 8 (world coordinates; the obsolete forms
//! PCiiijjj of Greisen & Calabretta's drafts, RADECSYS and EPOCH), and the ESO HIERARCH convention.

use std::collections::HashMap;

use ifured_core::header::Content;
use ifured_core::{Card, Header, Value};

use super::write_header::{is_structural, numbered};

/// Longest keyword that leaves room for a value on its card.
const LONGEST_KEYWORD: usize = 50;

/// A header that can go into a product of real numbers.
///
/// Structural keywords, those of the stored pixels (BSCALE, BZERO, BLANK, DATAMIN, DATAMAX), of tables and of tile compression
/// are dropped, also repeated cards; the first of several different cards with one keyword stays. Cards that break the
/// standard are written anew, characters outside ASCII become `?`. RADECSYS becomes RADESYS, EPOCH becomes EQUINOX, and
/// PCiiijjj becomes PCi_j where it is a matrix that can be inverted. Every card that lost its value is named on a HISTORY card.
pub fn product_header(raw: &Header) -> Header {
    let mut product = Header::new();
    let mut notes = Vec::new();
    let mut seen: HashMap<String, String> = HashMap::new();
    let legacy = LegacyMatrix::of(raw);
    for card in raw.cards() {
        if is_dropped(&card.keyword) || is_legacy_matrix(&card.keyword) {
            continue;
        }
        let Some(card) = renamed(raw, card).and_then(|card| legal(&card, &mut notes)) else { continue };
        if card.value().is_some() {
            let text = card.value().map(Value::to_string).unwrap_or_default();
            match seen.get(&card.keyword) {
                Some(first) if *first == text => continue,
                Some(_) => {
                    notes.push(format!("repeated {} dropped: {text}", card.keyword));
                    continue;
                }
                None => seen.insert(card.keyword.clone(), text),
            };
        }
        product.push(card);
    }
    legacy.add_to(&mut product, &mut notes);
    for note in notes {
        product.push_history(&printable(&note));
    }
    product
}

fn is_dropped(keyword: &str) -> bool {
    const OF_PIXELS: [&str; 6] = ["BSCALE", "BZERO", "BLANK", "DATAMIN", "DATAMAX", "THEAP"];
    const OF_COMPRESSION: [&str; 16] = [
        "ZIMAGE", "ZTABLE", "ZSIMPLE", "ZTENSION", "ZEXTEND", "ZBLOCKED", "ZPCOUNT", "ZGCOUNT", "ZHECKSUM", "ZDATASUM", "ZCMPTYPE",
        "ZBITPIX", "ZNAXIS", "ZQUANTIZ", "ZDITHER0", "ZBLANK",
    ];
    const OF_COLUMNS: [&str; 10] = ["TTYPE", "TFORM", "TUNIT", "TDIM", "TSCAL", "TZERO", "TNULL", "TBCOL", "TDISP", "ZFORM"];
    is_structural(keyword)
        || OF_PIXELS.contains(&keyword)
        || OF_COMPRESSION.contains(&keyword)
        || numbered(keyword, &OF_COLUMNS)
        || numbered(keyword, &["ZNAXIS", "ZTILE", "ZNAME", "ZVAL", "ZCTYP", "PTYPE", "PSCAL", "PZERO"])
}

/// Obsolete keywords by their present names; `None` where the present one is there too.
fn renamed(raw: &Header, card: &Card) -> Option<Card> {
    let rename = |to: &str| match card.value() {
        Some(_) if raw.contains(to) => None,
        Some(value) => Some(Card::new(to, value.clone(), card.comment())),
        None => Some(card.clone()),
    };
    match card.keyword.as_str() {
        "RADECSYS" => rename("RADESYS"),
        "EPOCH" if card.value().is_some_and(|v| v.as_real().is_some()) => rename("EQUINOX"),
        _ => Some(card.clone()),
    }
}

/// The card, repaired if need be; `None` if nothing of it can stay.
fn legal(card: &Card, notes: &mut Vec<String>) -> Option<Card> {
    if card.keyword.len() > LONGEST_KEYWORD {
        notes.push(format!("card with a keyword of {} characters dropped: {}", card.keyword.len(), card.keyword));
        return None;
    }
    let columns = card.columns();
    let as_read = Header::parse(columns.concat().chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect::<Vec<_>>().as_slice());
    let ascii = columns.iter().all(|line| line.bytes().all(|b| (b' '..=b'~').contains(&b)));
    let one = as_read.cards().len() == 1 || card.text().is_some();
    match &card.content {
        Content::Value(value) if no_value(value) => {
            notes.push(format!("card {} without a value dropped", card.keyword));
            None
        }
        Content::Value(_) if ascii && one && as_read.issues().is_empty() && closed(card, &columns) => Some(card.clone()),
        Content::Value(value) => {
            let keyword: String = card.keyword.chars().map(|c| if (' '..='~').contains(&c) && c != '=' { c } else { '_' }).collect();
            let why = as_read.issues().first().map_or("characters that FITS does not allow", |i| i.what.as_str());
            notes.push(format!("card {keyword} repaired: {why}"));
            let value = if let Value::Text(t) = value { Value::Text(printable(t)) } else { value.clone() };
            Some(Card::new(&keyword, value, &printable(card.comment())))
        }
        Content::Commentary(text) => match card.keyword.as_str() {
            "COMMENT" | "HISTORY" if ascii => Some(card.clone()),
            "" if ascii && text.trim().is_empty() => Some(card.clone()),
            "COMMENT" | "HISTORY" | "" => Some(Card::commentary(&card.keyword, &printable(text))),
            _ if text.trim().is_empty() && card.keyword.trim().is_empty() => None,
            // A keyword without a value is legal, but no reader expects it: its text stays as a comment.
            keyword => Some(Card::commentary("COMMENT", &printable(&format!("{keyword} {}", text.trim())))),
        },
    }
}

/// A value that cannot be written: undefined, or no number.
fn no_value(value: &Value) -> bool {
    match value {
        Value::Undefined => true,
        Value::Real(r) => !r.is_finite(),
        _ => false,
    }
}

/// Whether the columns of a HIERARCH card are as strict readers want them: a blank on both sides of the value indicator.
fn closed(card: &Card, columns: &[String]) -> bool {
    !card.is_hierarchical() || columns.first().is_some_and(|line| line.starts_with("HIERARCH ") && line.contains(" = "))
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect()
}

fn is_legacy_matrix(keyword: &str) -> bool {
    keyword.len() == 8 && numbered(keyword, &["PC"])
}

/// The PCiiijjj cards of a header.
struct LegacyMatrix {
    size: usize,
    elements: Vec<(usize, usize, f64)>,
    superseded: bool,
}

impl LegacyMatrix {
    fn of(raw: &Header) -> Self {
        let elements: Vec<(usize, usize, f64)> = raw
            .cards()
            .iter()
            .filter(|c| is_legacy_matrix(&c.keyword))
            .filter_map(|c| Some((c.keyword.get(2..5)?.parse().ok()?, c.keyword.get(5..8)?.parse().ok()?, c.value()?.as_real()?)))
            .collect();
        let size = elements.iter().map(|&(i, j, _)| i.max(j)).max().unwrap_or(0);
        let present = |c: &Card| ["CD", "PC"].iter().any(|s| c.keyword.starts_with(s)) && c.keyword.contains('_');
        LegacyMatrix { size, elements, superseded: raw.cards().iter().any(present) }
    }

    /// Adds PCi_j cards, unless there is another matrix already or this one cannot be inverted.
    fn add_to(&self, product: &mut Header, notes: &mut Vec<String>) {
        if self.elements.is_empty() {
            return;
        }
        let legal = (1..=9).contains(&self.size) && self.elements.iter().all(|&(i, j, v)| i > 0 && j > 0 && v.is_finite());
        if self.superseded || !legal || self.determinant() == 0.0 {
            notes.push("obsolete PCiiijjj cards dropped: superseded, or a matrix that cannot be inverted".to_owned());
            return;
        }
        for &(i, j, value) in &self.elements {
            let keyword = format!("PC{i}_{j}");
            if !product.contains(&keyword) {
                product.push(Card::new(&keyword, value, "coordinate transformation matrix"));
            }
        }
    }

    /// By elimination; the diagonal is 1 where no card says otherwise.
    fn determinant(&self) -> f64 {
        let n = self.size;
        let mut m: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| if i == j { 1.0 } else { 0.0 }).collect()).collect();
        self.elements.iter().for_each(|&(i, j, v)| m[i - 1][j - 1] = v);
        let mut determinant = 1.0;
        for k in 0..n {
            let pivot = (k..n).max_by(|&a, &b| m[a][k].abs().total_cmp(&m[b][k].abs())).unwrap_or(k);
            m.swap(k, pivot);
            determinant *= m[k][k];
            if m[k][k] == 0.0 {
                return 0.0;
            }
            let (above, below) = m.split_at_mut(k + 1);
            for row in below {
                let factor = row[k] / above[k][k];
                row.iter_mut().zip(&above[k]).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
        determinant
    }
}
