//! The table of differences.

use ifured_core::{Header, Tag};

use super::measure::Numbers;
use crate::fits::Table;

/// What a row is about.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) tag: Tag,
    /// Number of the file within the tag, from 1.
    pub(super) file: usize,
    /// `HDU` or `HDU.COLUMN`; empty for a whole file.
    pub(super) hdu: String,
}

impl Label {
    /// That of a column of the HDU.
    pub(super) fn column(&self, name: &str) -> Self {
        Label { hdu: format!("{}.{name}", self.hdu), ..self.clone() }
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.tag.as_str())?;
        if self.file > 1 {
            write!(f, " ({})", self.file)?;
        }
        if self.hdu.is_empty() { Ok(()) } else { write!(f, " {}", self.hdu) }
    }
}

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) label: Label,
    pub(super) kind: &'static str,
    pub(super) numbers: Numbers,
    /// Place of the largest difference.
    pub(super) place: String,
    pub(super) unit: String,
    pub(super) remark: String,
    /// Whether the structure differs, so that no values could be compared.
    pub(super) differs: bool,
}

impl Row {
    pub(super) fn new(label: Label, kind: &'static str) -> Self {
        Row { label, kind, numbers: Numbers::default(), place: String::new(), unit: String::new(), remark: String::new(), differs: false }
    }

    /// Structures that differ.
    pub(super) fn differing(label: Label, kind: &'static str, what: &str) -> Self {
        Row { differs: true, ..Row::new(label, kind) }.with_remark(what)
    }

    pub(super) fn with_remark(mut self, remark: &str) -> Self {
        self.remark = remark.to_owned();
        self
    }

    pub(super) fn with_units(mut self, units: [&str; 2]) -> Self {
        self.unit = units[0].to_owned();
        if units[0] != units[1] {
            self.remark = format!("units `{}` and `{}`", units[0], units[1]);
        }
        self
    }
}

/// The rows as a table.
pub(super) fn table(rows: &[Row]) -> Table {
    let mut header = Header::new();
    header.set("EXTNAME", "COMPARISON", "first engine minus second");
    let mut table = Table::new(header, rows.len());
    let text = |of: &dyn Fn(&Row) -> String| rows.iter().map(|r| ascii(&of(r))).collect::<Vec<_>>();
    let count = |of: &dyn Fn(&Numbers) -> u64| rows.iter().map(|r| of(&r.numbers) as i64).collect::<Vec<_>>();
    let real = |of: &dyn Fn(&Numbers) -> f64| rows.iter().map(|r| of(&r.numbers)).collect::<Vec<_>>();
    table.push("TAG", "", text(&|r| r.label.tag.to_string()).into());
    table.push("FILE", "", rows.iter().map(|r| r.label.file as i32).collect::<Vec<_>>().into());
    table.push("HDU", "", text(&|r| r.label.hdu.clone()).into());
    table.push("KIND", "", text(&|r| r.kind.to_owned()).into());
    table.push("COMPARED", "", count(&|n| n.compared).into());
    table.push("ONE_ONLY", "", count(&|n| n.one_only).into());
    table.push("EQUAL", "", count(&|n| n.equal).into());
    table.push("MEDIAN", "", real(&|n| n.median).into());
    table.push("SCATTER", "", real(&|n| n.scatter).into());
    table.push("LARGEST", "", real(&|n| n.largest).into());
    table.push("PLACE", "", text(&|r| r.place.clone()).into());
    table.push("RELATIVE", "", real(&|n| n.relative).into());
    table.push("CORRELATION", "", real(&|n| n.correlation).into());
    table.push("SLOPE", "", real(&|n| n.slope).into());
    table.push("SLOPE_ERR", "", real(&|n| n.slope_error).into());
    table.push("OFFSET", "", real(&|n| n.offset).into());
    table.push("PULLS", "", count(&|n| n.pulls).into());
    table.push("PULL_RMS", "", real(&|n| n.pull_rms).into());
    table.push("PULL_FAR", "", count(&|n| n.far_pulls).into());
    table.push("UNIT", "", text(&|r| r.unit.clone()).into());
    table.push("REMARK", "", text(&|r| r.remark.clone()).into());
    table
}

/// Names and units of other programs may have characters that FITS does not allow.
fn ascii(text: &str) -> String {
    text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect()
}
