//! Reading binary and ASCII tables (FITS standard 4.0, sections 7.2 and 7.3).

use std::path::Path;

use ifured_core::{Header, Value};

use super::error::FitsError;
use super::inflate::Limits;
use super::kind::HduKind;
use super::select::HduSelect;
use super::source::Source;
use super::table::{Cells, Column, ColumnData, Table};
use super::table_format::{BinaryForm, parse_ascii_form, parse_tdim, value_bytes};
use super::walk::{HduInfo, open_walked};

/// Reads a table of a file. [`HduSelect::First`] means the first table.
///
/// # Errors
/// As [`super::hdus`]; if there is no such HDU or it is no table; if the columns do not fit the rows, or cells of variable
/// length lie outside the heap; if the table is tile-compressed.
pub fn read_table(path: impl AsRef<Path>, select: HduSelect) -> Result<Table, FitsError> {
    let path = path.as_ref();
    let (source, hdus) = open_walked(path, &Limits::default())?;
    let is_table = |k: &HduKind| matches!(k, HduKind::BinaryTable { .. } | HduKind::AsciiTable { .. });
    let index = match select {
        HduSelect::First => match hdus.iter().position(|h| is_table(&h.kind)) {
            Some(n) => n,
            None => HduSelect::name("with a table").find(path, &hdus)?,
        },
        other => other.find(path, &hdus)?,
    };
    let info = &hdus[index];
    if let HduKind::BinaryTable { compressed: true, .. } = info.kind {
        let what = "tile-compressed tables; unpack the file with funpack".to_owned();
        return Err(FitsError::Unsupported { path: path.to_owned(), hdu: index, what });
    }
    read_hdu(&source, info)
}

/// The table in an HDU; that of a compressed image is a table too.
pub(super) fn read_hdu(source: &Source, info: &HduInfo) -> Result<Table, FitsError> {
    let length = |keyword: &str| info.header.integer(keyword).ok().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let (width, rows, fields) = (length("NAXIS1"), length("NAXIS2"), length("TFIELDS"));
    let ascii = match info.kind {
        HduKind::BinaryTable { .. } | HduKind::CompressedImage { .. } => false,
        HduKind::AsciiTable { .. } => true,
        _ => {
            let found = info.kind.describe();
            return Err(FitsError::WrongKind { path: source.path.clone(), hdu: info.index, wanted: "a table", found });
        }
    };
    let bytes = source.read_vec(info.data_offset, info.data_bytes)?;
    let body = Body { header: &info.header, bytes: &bytes, width, rows };
    let fits = width.checked_mul(rows).is_some_and(|main| main <= bytes.len());
    let read = match (fits, ascii) {
        (false, _) => Err(("1".to_owned(), format!("{rows} rows of {width} bytes are not in the {} bytes of data", bytes.len()))),
        (true, true) => body.ascii_columns(fields),
        (true, false) => body.binary_columns(fields),
    };
    let fault = |(column, what)| FitsError::Column { path: source.path.clone(), hdu: info.index, column, what };
    Ok(Table { header: info.header.clone(), rows, columns: read.map_err(fault)? })
}

/// A column and what is wrong with it.
type Fault = (String, String);

/// The data of a table: `rows` times `width` bytes, and a heap behind them.
struct Body<'a> {
    header: &'a Header,
    bytes: &'a [u8],
    width: usize,
    rows: usize,
}

/// One binary column: where it is in a row.
struct Field<'a> {
    body: &'a Body<'a>,
    form: BinaryForm,
    offset: usize,
    heap: &'a [u8],
}

impl Body<'_> {
    fn text(&self, stem: &str, n: usize) -> String {
        self.header.text(&format!("{stem}{n}")).unwrap_or_default().trim().to_owned()
    }

    fn label(&self, n: usize) -> String {
        match self.text("TTYPE", n) {
            name if name.is_empty() => n.to_string(),
            name => format!("{n} ({name})"),
        }
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.bytes[row * self.width..(row + 1) * self.width]
    }

    fn binary_columns(&self, fields: usize) -> Result<Vec<Column>, Fault> {
        let main = self.width * self.rows;
        let theap = self.header.integer("THEAP").ok().and_then(|t| usize::try_from(t).ok()).unwrap_or(main).max(main);
        let heap = self.bytes.get(theap..).unwrap_or_default();
        // Cells may share bytes of the heap; many that all share everything are an attack on memory.
        let mut budget = heap.len().saturating_mul(8).saturating_add(1 << 20);
        let mut offset = 0usize;
        let mut columns = Vec::with_capacity(fields);
        for n in 1..=fields {
            let fault = |what: String| (self.label(n), what);
            let form = self.header.text(&format!("TFORM{n}")).map_err(|e| fault(e.to_string()))?;
            let form = BinaryForm::parse(form).map_err(fault)?;
            let cell = form.cell_bytes().filter(|&c| offset.checked_add(c).is_some_and(|end| end <= self.width));
            let Some(cell) = cell else {
                return Err(fault(format!("needs bytes beyond the {} of a row (NAXIS1)", self.width)));
            };
            let field = Field { body: self, form, offset, heap };
            columns.push(self.binary_column(n, &field, &mut budget).map_err(fault)?);
            offset += cell;
        }
        Ok(columns)
    }

    fn binary_column(&self, n: usize, field: &Field<'_>, budget: &mut usize) -> Result<Column, String> {
        let mut shape = parse_tdim(&self.text("TDIM", n)).unwrap_or_default();
        let form = &field.form;
        let elements = shape.iter().try_fold(1usize, |p, &s| p.checked_mul(s)).unwrap_or(usize::MAX);
        if form.descriptor.is_some() || elements > form.repeat {
            shape.clear();
        }
        let data = match form.code {
            b'L' => ColumnData::Logical(field.cells(budget, |b: [u8; 1]| match b[0] {
                b'T' => Some(true),
                b'F' => Some(false),
                _ => None,
            })?),
            b'X' => ColumnData::Bit(field.bits(budget)?),
            b'A' => {
                let length = if shape.is_empty() { None } else { Some(shape.remove(0)) };
                ColumnData::Text(field.texts(length, budget)?)
            }
            b'B' => ColumnData::U8(field.cells(budget, |b: [u8; 1]| b[0])?),
            b'I' => ColumnData::I16(field.cells(budget, i16::from_be_bytes)?),
            b'J' => ColumnData::I32(field.cells(budget, i32::from_be_bytes)?),
            b'K' => ColumnData::I64(field.cells(budget, i64::from_be_bytes)?),
            b'E' => ColumnData::F32(field.cells(budget, f32::from_be_bytes)?),
            b'D' => ColumnData::F64(field.cells(budget, f64::from_be_bytes)?),
            b'C' => ColumnData::Complex32(field.cells(budget, |b: [u8; 8]| {
                let (re, im) = b.split_at(4);
                [re, im].map(|p| f32::from_be_bytes([p[0], p[1], p[2], p[3]]))
            })?),
            _ => ColumnData::Complex64(field.cells(budget, |b: [u8; 16]| {
                let (re, im) = b.split_at(8);
                [re, im].map(|p| f64::from_be_bytes([p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]]))
            })?),
        };
        let number = |stem: &str, default: f64| self.header.real(&format!("{stem}{n}")).unwrap_or(default);
        let null = self.header.integer(&format!("TNULL{n}")).ok();
        let (data, null) = scaled(data, number("TSCAL", 1.0), number("TZERO", 0.0), null);
        Ok(Column { name: self.text("TTYPE", n), unit: self.text("TUNIT", n), null, shape, data })
    }

    fn ascii_columns(&self, fields: usize) -> Result<Vec<Column>, Fault> {
        (1..=fields).map(|n| self.ascii_column(n).map_err(|what| (self.label(n), what))).collect()
    }

    fn ascii_column(&self, n: usize) -> Result<Column, String> {
        let form = self.header.text(&format!("TFORM{n}")).map_err(|e| e.to_string())?;
        let (code, width, digits) = parse_ascii_form(form)?;
        let start = self.header.integer(&format!("TBCOL{n}")).map_err(|e| e.to_string())?;
        let start = usize::try_from(start).ok().and_then(|s| s.checked_sub(1)).ok_or(format!("TBCOL {start} must be 1 or more"))?;
        if width == 0 || start.checked_add(width).is_none_or(|end| end > self.width) {
            return Err(format!("has no characters or ends at {}, beyond the {} of a row", start.saturating_add(width), self.width));
        }
        let latin1 = |b: &[u8]| b.iter().map(|&b| b as char).collect::<String>();
        let cell = |row: usize| latin1(&self.row(row)[start..start + width]);
        let null = self.header.get(&format!("TNULL{n}")).map(Value::to_string).map(|t| t.trim().to_owned());
        let is_null = |text: &str| null.as_deref() == Some(text.trim()) && null.as_deref() != Some("");
        let number = |stem: &str, default: f64| self.header.real(&format!("{stem}{n}")).unwrap_or(default);
        let (scale, zero) = (number("TSCAL", 1.0), number("TZERO", 0.0));
        let data = if code == b'A' {
            ColumnData::Text(Cells::scalar((0..self.rows).map(|r| cell(r).trim_end_matches([' ', '\0']).to_owned()).collect()))
        } else {
            let mut integers = Vec::new();
            let mut reals = Vec::new();
            for r in 0..self.rows {
                let text = cell(r);
                let value =
                    if is_null(&text) { f64::NAN } else { ascii_number(&text, digits).ok_or(format!("row {r}: `{text}` is no number"))? };
                integers.push(text.trim().trim_start_matches('+').parse::<i64>().unwrap_or(0));
                reals.push(value);
            }
            let whole = code == b'I' && scale == 1.0 && zero == 0.0 && reals.iter().all(|v| !v.is_nan());
            if whole {
                ColumnData::I64(Cells::scalar(integers))
            } else {
                ColumnData::F64(Cells::scalar(reals.into_iter().map(|v| v * scale + zero).collect()))
            }
        };
        Ok(Column { name: self.text("TTYPE", n), unit: self.text("TUNIT", n), null: None, shape: Vec::new(), data })
    }
}

/// A number of an ASCII table; blanks are 0, and without a point the last `digits` are decimals.
fn ascii_number(text: &str, digits: u32) -> Option<f64> {
    let text: String = text.trim_matches([' ', '\0']).replace(['D', 'd'], "E");
    if text.is_empty() {
        return Some(0.0);
    }
    let allowed = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'E' | b'e'));
    let value: f64 = text.parse().ok().filter(|_| allowed)?;
    Some(if text.contains('.') || digits == 0 { value } else { value * 10f64.powi(-(digits as i32)) })
}

impl Field<'_> {
    fn cell(&self, row: usize) -> &[u8] {
        let bytes = self.form.cell_bytes().unwrap_or(0);
        &self.body.row(row)[self.offset..self.offset + bytes]
    }

    /// The bytes in the heap of each cell, and the number of values that the descriptor names.
    fn heap_cells(&self, budget: &mut usize) -> Result<Vec<(&[u8], usize)>, String> {
        let width = value_bytes(self.form.code).unwrap_or(1);
        (0..self.body.rows)
            .map(|row| {
                let cell = self.cell(row);
                let (count, at) = match cell {
                    [a, b, c, d, e, f, g, h] => {
                        (i64::from(i32::from_be_bytes([*a, *b, *c, *d])), i64::from(i32::from_be_bytes([*e, *f, *g, *h])))
                    }
                    _ => {
                        let part = |p: &[u8]| p.iter().fold(0u64, |v, &b| v << 8 | u64::from(b)) as i64;
                        (part(&cell[..cell.len() / 2]), part(&cell[cell.len() / 2..]))
                    }
                };
                let outside = || format!("row {row}: {count} values at {at} are not in the heap of {} bytes", self.heap.len());
                let count = usize::try_from(count).map_err(|_| outside())?;
                let bytes = if self.form.code == b'X' { Some(count.div_ceil(8)) } else { count.checked_mul(width) }.ok_or_else(outside)?;
                if bytes == 0 {
                    return Ok((&[][..], 0));
                }
                let start = usize::try_from(at).map_err(|_| outside())?;
                let slice = start.checked_add(bytes).and_then(|end| self.heap.get(start..end)).ok_or_else(outside)?;
                *budget = budget.checked_sub(bytes).ok_or("cells share so much of the heap that the table is refused")?;
                Ok((slice, count))
            })
            .collect()
    }

    fn cells<T, const N: usize>(&self, budget: &mut usize, read: impl Fn([u8; N]) -> T) -> Result<Cells<T>, String> {
        let decode = |bytes: &[u8], out: &mut Vec<T>| out.extend(bytes.as_chunks::<N>().0.iter().map(|b| read(*b)));
        if self.form.descriptor.is_some() && self.form.repeat == 1 {
            let cells = self.heap_cells(budget)?.into_iter().map(|(bytes, _)| {
                let mut values = Vec::with_capacity(bytes.len() / N);
                decode(bytes, &mut values);
                values
            });
            return Ok(Cells::Variable(cells.collect()));
        }
        let repeat = if self.form.descriptor.is_some() { 0 } else { self.form.repeat };
        let mut values = Vec::new();
        if repeat > 0 {
            values.reserve_exact(repeat * self.body.rows);
            (0..self.body.rows).for_each(|row| decode(self.cell(row), &mut values));
        }
        Ok(Cells::Fixed { repeat, values })
    }

    fn bits(&self, budget: &mut usize) -> Result<Cells<bool>, String> {
        let bit = |bytes: &[u8], n: usize| bytes[n / 8] >> (7 - n % 8) & 1 == 1;
        if self.form.descriptor.is_some() && self.form.repeat == 1 {
            let cells = self.heap_cells(budget)?.into_iter().map(|(bytes, count)| (0..count).map(|n| bit(bytes, n)).collect());
            return Ok(Cells::Variable(cells.collect()));
        }
        let repeat = if self.form.descriptor.is_some() { 0 } else { self.form.repeat };
        let mut values = Vec::new();
        if repeat > 0 {
            (0..self.body.rows).for_each(|row| values.extend((0..repeat).map(|n| bit(self.cell(row), n))));
        }
        Ok(Cells::Fixed { repeat, values })
    }

    /// Text; `length` of one string where TDIM tells it.
    fn texts(&self, length: Option<usize>, budget: &mut usize) -> Result<Cells<String>, String> {
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
            bytes[..end].iter().map(|&b| b as char).collect::<String>().trim_end_matches(' ').to_owned()
        };
        if self.form.descriptor.is_some() {
            let cells = if self.form.repeat == 1 { self.heap_cells(budget)? } else { Vec::new() };
            let repeat = self.form.repeat.min(1);
            return Ok(Cells::Fixed { repeat, values: cells.into_iter().map(|(bytes, _)| text(bytes)).collect() });
        }
        let length = length.unwrap_or(self.form.repeat).min(self.form.repeat);
        if length == 0 {
            return Ok(Cells::Fixed { repeat: 0, values: Vec::new() });
        }
        let repeat = self.form.repeat / length;
        let values = (0..self.body.rows).flat_map(|row| self.cell(row).chunks_exact(length).map(text)).collect();
        Ok(Cells::Fixed { repeat, values })
    }
}

/// Applies TSCAL, TZERO and TNULL.
fn scaled(data: ColumnData, scale: f64, zero: f64, null: Option<i64>) -> (ColumnData, Option<i64>) {
    if scale == 1.0 && zero == 0.0 {
        return (data, null);
    }
    let shifted = |by: i64| null.and_then(|n| n.checked_add(by));
    let one = scale == 1.0;
    match data {
        ColumnData::U8(c) if one && zero == -128.0 => (ColumnData::I8(c.map(|v| (v ^ 0x80) as i8)), shifted(-128)),
        ColumnData::I16(c) if one && zero == 32768.0 => (ColumnData::U16(c.map(|v| v as u16 ^ 0x8000)), shifted(32768)),
        ColumnData::I32(c) if one && zero == 2147483648.0 => (ColumnData::U32(c.map(|v| v as u32 ^ 1 << 31)), shifted(1 << 31)),
        ColumnData::I64(c) if one && zero == 9223372036854775808.0 => (ColumnData::U64(c.map(|v| v as u64 ^ 1 << 63)), None),
        ColumnData::U8(c) => (real(c.map(i64::from), scale, zero, null), None),
        ColumnData::I16(c) => (real(c.map(i64::from), scale, zero, null), None),
        ColumnData::I32(c) => (real(c.map(i64::from), scale, zero, null), None),
        ColumnData::I64(c) => (real(c, scale, zero, null), None),
        ColumnData::F32(c) => (ColumnData::F64(c.map(|v| f64::from(v) * scale + zero)), None),
        ColumnData::F64(c) => (ColumnData::F64(c.map(|v| v * scale + zero)), None),
        other => (other, null),
    }
}

fn real(cells: Cells<i64>, scale: f64, zero: f64, null: Option<i64>) -> ColumnData {
    ColumnData::F64(cells.map(|v| if Some(v) == null { f64::NAN } else { v as f64 * scale + zero }))
}
