//! The first table of a VOTable (IVOA recommendation VOTable 1.4, sections 4 and 5): `TABLEDATA`, `BINARY` and `BINARY2`, numbers only.

use base64::Engine;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::Numbers;

/// A field: how its cells lie in a stream.
struct Field {
    datatype: String,
    /// Values in a cell; `None` is told by the cell.
    count: Option<usize>,
}

impl Field {
    /// Bits of one value.
    fn bits(&self) -> Option<usize> {
        Some(match self.datatype.as_str() {
            "bit" => 1,
            "boolean" | "unsignedByte" | "char" => 8,
            "short" | "unicodeChar" => 16,
            "int" | "float" => 32,
            "long" | "double" | "floatComplex" => 64,
            "doubleComplex" => 128,
            _ => return None,
        })
    }

    fn number(&self, cell: &[u8]) -> f64 {
        match (self.datatype.as_str(), cell) {
            ("double", &[a, b, c, d, e, f, g, h]) => f64::from_be_bytes([a, b, c, d, e, f, g, h]),
            ("long", &[a, b, c, d, e, f, g, h]) => i64::from_be_bytes([a, b, c, d, e, f, g, h]) as f64,
            ("float", &[a, b, c, d]) => f64::from(f32::from_be_bytes([a, b, c, d])),
            ("int", &[a, b, c, d]) => f64::from(i32::from_be_bytes([a, b, c, d])),
            ("short", &[a, b]) => f64::from(i16::from_be_bytes([a, b])),
            ("unsignedByte", &[a]) => f64::from(a),
            _ => f64::NAN,
        }
    }
}

/// The columns of a VOTable; `Err` says why it has none.
pub(super) fn columns(bytes: &[u8]) -> Result<Vec<Numbers>, String> {
    let mut reader = Reader::from_reader(bytes);
    let (mut fields, mut columns): (Vec<Field>, Vec<Numbers>) = (Vec::new(), Vec::new());
    let (mut cell, mut text) = (0, String::new());
    let mut binary = None;
    loop {
        let event = reader.read_event().map_err(|e| format!("it is no VOTable: {e}"))?;
        match &event {
            Event::Start(e) | Event::Empty(e) => match e.local_name().as_ref() {
                "FIELD" => {
                    let (field, name, unit) = field(e)?;
                    fields.push(field);
                    columns.push(Numbers { name, unit, values: Vec::new() });
                }
                "BINARY" => binary = Some(false),
                "BINARY2" => binary = Some(true),
                "FITS" => return Err("its data are a FITS stream: save the table as FITS, or as VOTable with TABLEDATA".into()),
                "STREAM" if attribute(e, "href")?.is_some() => return Err("its data are in another place".into()),
                "TR" => cell = 0,
                "TD" => {
                    text.clear();
                    if matches!(event, Event::Empty(_)) {
                        push(&mut columns, &mut cell, "");
                    }
                }
                "STREAM" => text.clear(),
                _ => {}
            },
            Event::Text(t) => text.push_str(t),
            Event::CData(t) => text.push_str(t),
            Event::End(e) => match e.local_name().as_ref() {
                "TD" => push(&mut columns, &mut cell, &text),
                "STREAM" => {
                    let packed: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
                    let data = base64::engine::general_purpose::STANDARD.decode(packed).map_err(|e| format!("its data: {e}"))?;
                    rows(&data, &fields, binary == Some(true), &mut columns)?;
                }
                "TABLE" => break,
                _ => {}
            },
            Event::Eof => break,
            _ => {}
        }
    }
    if columns.is_empty() { Err("it has no table".into()) } else { Ok(columns) }
}

fn push(columns: &mut [Numbers], cell: &mut usize, text: &str) {
    if let Some(column) = columns.get_mut(*cell) {
        column.values.push(text.trim().parse().unwrap_or(f64::NAN));
    }
    *cell += 1;
}

fn attribute(element: &BytesStart, name: &str) -> Result<Option<String>, String> {
    let found = element.try_get_attribute(name).map_err(|e| e.to_string())?;
    Ok(found.map(|a| a.value.into_owned()))
}

fn field(element: &BytesStart) -> Result<(Field, String, String), String> {
    let text = |name: &str| attribute(element, name).map(Option::unwrap_or_default);
    let size = text("arraysize")?;
    let count = match size.trim() {
        "" => Some(1),
        s if s.ends_with('*') => None,
        // More than any cell has is too much when the cell is read.
        s => Some(s.split('x').map(|n| n.trim().parse::<usize>().unwrap_or(1)).fold(1, usize::saturating_mul)),
    };
    Ok((Field { datatype: text("datatype")?, count }, text("name")?, text("unit")?))
}

/// Rows of a stream; those of `BINARY2` begin with a bit for each field that is set where the cell is null.
fn rows(data: &[u8], fields: &[Field], flagged: bool, columns: &mut [Numbers]) -> Result<(), String> {
    let short = || "its data end within a row".to_owned();
    let mut rest = data;
    let mut take = |n: usize| {
        let (cell, further) = rest.split_at_checked(n)?;
        rest = further;
        Some((cell, further.is_empty()))
    };
    if data.is_empty() {
        return Ok(());
    }
    // A row of no bytes would never come to the end of them.
    if !flagged && fields.iter().all(|f| f.count == Some(0)) || fields.is_empty() {
        return Err("its rows have no bytes".into());
    }
    loop {
        let flags = if flagged { take(fields.len().div_ceil(8)).ok_or_else(short)?.0 } else { &[] };
        let mut done = false;
        for (n, (field, column)) in fields.iter().zip(columns.iter_mut()).enumerate() {
            let count = match field.count {
                Some(count) => count,
                None => {
                    let length = take(4).ok_or_else(short)?.0;
                    u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize
                }
            };
            let bits = field.bits().ok_or_else(|| format!("column {} has an unknown datatype `{}`", column.name, field.datatype))?;
            let size = count.checked_mul(bits).ok_or_else(short)?.div_ceil(8);
            let (cell, is_last) = take(size).ok_or_else(short)?;
            let is_null = flags.get(n / 8).is_some_and(|f| f & (0x80 >> (n % 8)) != 0);
            column.values.push(if is_null || count != 1 { f64::NAN } else { field.number(cell) });
            done = is_last;
        }
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[&str], stream: &str) -> Result<Vec<Numbers>, String> {
        let fields: String = fields.iter().map(|f| format!("<FIELD name=\"a\" datatype=\"double\" arraysize=\"{f}\"/>")).collect();
        let data = format!("<DATA><{stream}><STREAM encoding=\"base64\">AAAAAAAAAAA=</STREAM></{stream}></DATA>");
        columns(format!("<VOTABLE><RESOURCE><TABLE>{fields}{data}</TABLE></RESOURCE></VOTABLE>").as_bytes())
    }

    #[test]
    fn rows_of_no_bytes_and_cells_beyond_all_bounds_are_errors() {
        for (fields, stream) in [
            (&["0", "0"][..], "BINARY"),
            (&[], "BINARY"),
            (&[], "BINARY2"),
            (&["99999999999x99999999999"], "BINARY"),
            (&["18446744073709551615"], "BINARY2"),
            (&["0", "*"], "BINARY2"),
        ] {
            assert!(of(fields, stream).is_err(), "{fields:?} {stream}");
        }
        assert_eq!(of(&[""], "BINARY").map(|c| c[0].values.clone()), Ok(vec![0.0]));
        assert_eq!(of(&["0", "1"], "BINARY").map(|c| c[1].values.clone()), Ok(vec![0.0]));
    }
}
