//! Tables to the bytes of a binary table (FITS standard 4.0, section 7.3).

use ifured_core::Card;
use ifured_core::words::padded;

use super::table::{Cells, Column, ColumnData, Table};
use super::table_format::BinaryForm;
use super::write_header::Structure;

/// A table as it stands in a file.
pub(super) struct EncodedTable {
    pub(super) structure: Structure,
    pub(super) bytes: Vec<u8>,
}

/// The cells of a column in bytes.
struct EncodedColumn {
    form: String,
    /// Bytes of a cell in the row, and those of all rows.
    width: usize,
    cells: Vec<u8>,
    dimensions: Vec<usize>,
    /// TZERO of an unsigned convention, and TNULL as stored.
    zero: Option<&'static str>,
    null: Option<i64>,
}

pub(super) fn encode_table(table: &Table) -> Result<EncodedTable, String> {
    if table.columns.len() > 999 {
        return Err(format!("{} columns; a table has at most 999", table.columns.len()));
    }
    let mut heap = Vec::new();
    let mut encoded = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        encoded.push(encode_column(column, table.rows, &mut heap).map_err(|e| format!("column `{}`: {e}", column.name))?);
    }
    let row_bytes: usize = encoded.iter().map(|c| c.width).sum();
    let mut bytes = vec![0u8; row_bytes * table.rows];
    let mut offset = 0;
    for column in &encoded {
        if column.width > 0 {
            for (row, cell) in bytes.chunks_exact_mut(row_bytes).zip(column.cells.chunks_exact(column.width)) {
                row[offset..offset + column.width].copy_from_slice(cell);
            }
        }
        offset += column.width;
    }
    let mut cards = Vec::new();
    for (n, (column, e)) in table.columns.iter().zip(&encoded).enumerate() {
        let key = |stem: &str| format!("{stem}{}", n + 1);
        if !column.name.is_empty() {
            cards.push(Card::new(&key("TTYPE"), column.name.as_str(), ""));
        }
        cards.push(Card::new(&key("TFORM"), e.form.as_str(), ""));
        if !column.unit.is_empty() {
            cards.push(Card::new(&key("TUNIT"), column.unit.as_str(), ""));
        }
        if e.dimensions.len() > 1 {
            let lengths: Vec<String> = e.dimensions.iter().map(usize::to_string).collect();
            cards.push(Card::new(&key("TDIM"), format!("({})", lengths.join(",")), ""));
        }
        if let Some(zero) = e.zero {
            cards.push(Card::new(&key("TSCAL"), 1, ""));
            // 2^63 is beyond a signed integer, and a real number would not be exact for strict readers.
            cards.push(match zero.parse::<i64>() {
                Ok(zero) => Card::new(&key("TZERO"), zero, ""),
                Err(_) => Card::new(&key("TZERO"), 9223372036854775808.0, ""),
            });
        }
        if let Some(null) = e.null {
            cards.push(Card::new(&key("TNULL"), null, ""));
        }
    }
    let structure = Structure::Table { row_bytes, rows: table.rows, heap_bytes: heap.len(), columns: cards };
    bytes.append(&mut heap);
    Ok(EncodedTable { structure, bytes })
}

fn encode_column(column: &Column, rows: usize, heap: &mut Vec<u8>) -> Result<EncodedColumn, String> {
    macro_rules! encode {
        ($cells:expr, $letter:literal, $put:expr) => {
            encode_cells($cells, rows, $letter, &column.shape, heap, |values, out| values.iter().for_each(|v| out.extend($put(v))))?
        };
    }
    let mut encoded = match &column.data {
        ColumnData::Logical(c) => encode!(c, 'L', |v: &Option<bool>| [match v {
            Some(true) => b'T',
            Some(false) => b'F',
            None => 0,
        }]),
        ColumnData::Bit(c) => encode_bits(c, rows, &column.shape, heap)?,
        ColumnData::U8(c) => encode!(c, 'B', |v: &u8| [*v]),
        ColumnData::I8(c) => encode!(c, 'B', |v: &i8| [*v as u8 ^ 0x80]).with_zero("-128"),
        ColumnData::I16(c) => encode!(c, 'I', |v: &i16| v.to_be_bytes()),
        ColumnData::U16(c) => encode!(c, 'I', |v: &u16| (v ^ 0x8000).to_be_bytes()).with_zero("32768"),
        ColumnData::I32(c) => encode!(c, 'J', |v: &i32| v.to_be_bytes()),
        ColumnData::U32(c) => encode!(c, 'J', |v: &u32| (v ^ 1 << 31).to_be_bytes()).with_zero("2147483648"),
        ColumnData::I64(c) => encode!(c, 'K', |v: &i64| v.to_be_bytes()),
        ColumnData::U64(c) => encode!(c, 'K', |v: &u64| (v ^ 1 << 63).to_be_bytes()).with_zero("9223372036854775808"),
        ColumnData::F32(c) => encode!(c, 'E', |v: &f32| v.to_be_bytes()),
        ColumnData::F64(c) => encode!(c, 'D', |v: &f64| v.to_be_bytes()),
        ColumnData::Complex32(c) => encode!(c, 'C', |v: &[f32; 2]| v.iter().flat_map(|p| p.to_be_bytes()).collect::<Vec<_>>()),
        ColumnData::Complex64(c) => encode!(c, 'M', |v: &[f64; 2]| v.iter().flat_map(|p| p.to_be_bytes()).collect::<Vec<_>>()),
        ColumnData::Text(c) => encode_text(c, rows, &column.shape)?,
    };
    let integer = encoded.form.contains(['B', 'I', 'J', 'K']);
    encoded.null = column.null.filter(|_| integer).and_then(|null| match encoded.zero {
        None => Some(null),
        Some(zero) => null.checked_sub(zero.parse().ok()?),
    });
    Ok(encoded)
}

impl EncodedColumn {
    fn with_zero(mut self, zero: &'static str) -> Self {
        self.zero = Some(zero);
        self
    }
}

fn plain(form: String, width: usize, cells: Vec<u8>, dimensions: Vec<usize>) -> EncodedColumn {
    EncodedColumn { form, width, cells, dimensions, zero: None, null: None }
}

fn check_length(found: usize, wanted: usize) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("has {found} values, the rows need {wanted}")) }
}

/// Appends the stored form of values.
fn encode_cells<T>(
    cells: &Cells<T>,
    rows: usize,
    letter: char,
    shape: &[usize],
    heap: &mut Vec<u8>,
    put: impl Fn(&[T], &mut Vec<u8>),
) -> Result<EncodedColumn, String> {
    match cells {
        Cells::Fixed { repeat, values } => {
            check_length(values.len(), repeat * rows)?;
            let mut bytes = Vec::new();
            put(values, &mut bytes);
            let form = format!("{repeat}{letter}");
            let width = BinaryForm::parse(&form)?.cell_bytes().ok_or("cells are too long")?;
            Ok(plain(form, width, bytes, dimensions(shape, *repeat)?))
        }
        Cells::Variable(lists) => {
            check_length(lists.len(), rows)?;
            variable(lists, letter, heap, put)
        }
    }
}

fn dimensions(shape: &[usize], repeat: usize) -> Result<Vec<usize>, String> {
    if !shape.is_empty() && shape.iter().product::<usize>() > repeat {
        return Err(format!("cells of shape {shape:?} need more than {repeat} values"));
    }
    Ok(shape.to_vec())
}

fn variable<T>(lists: &[Vec<T>], letter: char, heap: &mut Vec<u8>, put: impl Fn(&[T], &mut Vec<u8>)) -> Result<EncodedColumn, String> {
    let mut descriptors = Vec::with_capacity(lists.len() * 16);
    for list in lists {
        let at = heap.len() as u64;
        put(list, heap);
        descriptors.extend((list.len() as u64).to_be_bytes());
        descriptors.extend(at.to_be_bytes());
    }
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    if heap.len() > i32::MAX as usize {
        return Ok(plain(format!("1Q{letter}({longest})"), 16, descriptors, Vec::new()));
    }
    // Everything fits 32 bits: keep the low half of each number.
    let short: Vec<u8> = descriptors.as_chunks::<8>().0.iter().flat_map(|d| [d[4], d[5], d[6], d[7]]).collect();
    Ok(plain(format!("1P{letter}({longest})"), 8, short, Vec::new()))
}

fn put_bits(bits: &[bool], out: &mut Vec<u8>) {
    out.extend(bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0u8, |b, (n, &bit)| b | u8::from(bit) << (7 - n))));
}

fn encode_bits(cells: &Cells<bool>, rows: usize, shape: &[usize], heap: &mut Vec<u8>) -> Result<EncodedColumn, String> {
    match cells {
        Cells::Fixed { repeat, values } => {
            check_length(values.len(), repeat * rows)?;
            let mut bytes = Vec::new();
            if *repeat > 0 {
                values.chunks(*repeat).for_each(|cell| put_bits(cell, &mut bytes));
            }
            Ok(plain(format!("{repeat}X"), repeat.div_ceil(8), bytes, dimensions(shape, *repeat)?))
        }
        Cells::Variable(lists) => {
            check_length(lists.len(), rows)?;
            variable(lists, 'X', heap, put_bits)
        }
    }
}

fn encode_text(cells: &Cells<String>, rows: usize, shape: &[usize]) -> Result<EncodedColumn, String> {
    let Cells::Fixed { repeat, values } = cells else {
        return Err("text of variable length is written with cells of equal length: give it as such".to_owned());
    };
    check_length(values.len(), repeat * rows)?;
    if let Some(bad) = values.iter().find(|v| !v.bytes().all(|b| (b' '..=b'~').contains(&b))) {
        return Err(format!("text {bad:?} has characters outside ASCII"));
    }
    let length = values.iter().map(String::len).max().unwrap_or(0).max(1);
    let bytes = values.iter().flat_map(|v| padded(v, length).into_bytes()).collect();
    let shape = dimensions(shape, *repeat)?;
    let mut all = vec![length];
    if shape.is_empty() && *repeat > 1 {
        all.push(*repeat);
    }
    all.extend(shape);
    Ok(plain(format!("{}A", length * repeat), length * repeat, bytes, all))
}
